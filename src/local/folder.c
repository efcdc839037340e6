/* folder.c - the blob contract on a folder or one file; the embedded store's buckets are folders, too. */
#include "local/local.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

#define PIECE ((size_t)64 * 1024)
#define PAGE ((size_t)16384) /* entries of a directory held at once; a larger one is read in several passes */
#define DEPTH_MAX 64         /* nested directories */
#define NAME_BYTES 4096

struct folder {
	struct blob base;
	char *root;   /* the folder */
	char *single; /* the only object's name when opened on a file */
	bool bucket;  /* missing things are reported as S3 does */
};

/* One directory on the way down. */
struct level {
	dev_t dev;
	ino_t ino;
	const struct level *up;
	unsigned depth;
};

struct walk {
	struct folder *f;
	const char *prefix, *after;
	blob_on_item *fn;
	void *arg;
};

struct entry {
	char *name; /* with '/' behind when a directory: so the order is that of whole names */
	bool dir;
	uint64_t size;
	int64_t modified_s;
};
struct page {
	struct entry *v;
	size_t n, cap;
	bool cut; /* there are more behind the last */
};

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* Keep the first PAGE entries in order. */
static void page_cut(struct page *p)
{
	if (p->n)
		qsort(p->v, p->n, sizeof *p->v, compare_entries);
	while (p->n > PAGE) {
		free(p->v[--p->n].name);
		p->cut = true;
	}
}

static void page_add(struct page *p, const struct entry *entry)
{
	if (p->n == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 64;
		p->v = mem_realloc(p->v, p->cap * sizeof *p->v);
	}
	p->v[p->n] = *entry;
	p->v[p->n++].name = mem_strdup(entry->name);
	if (p->n == PAGE * 2)
		page_cut(p);
}

static void page_clear(struct page *p)
{
	while (p->n)
		free(p->v[--p->n].name);
	p->cut = false;
}

/* Can a name that begins with path (a whole name if it ends without '/') be asked for? */
static bool wanted(const struct walk *w, const char *path, bool dir)
{
	size_t n = strlen(path), pn = strlen(w->prefix);

	if (strncmp(path, w->prefix, n < pn && dir ? n : pn) != 0)
		return false;
	if (!w->after)
		return true;
	return dir ? strncmp(path, w->after, n) >= 0 : strcmp(path, w->after) > 0;
}

static int fail(const struct folder *f, int errnum, const char *code, const char *name, struct err *e)
{
	if (f->bucket && (errnum == ENOENT || errnum == ENOTDIR))
		return err_set(e, ERR_FAILED, code, "there is no %s%s%s (folder %s)", f->base.uri,
			*name ? "/" : "", name, f->root);
	return err_errno(e, ERR_LOCAL, errnum, "%s%s%s", f->root, *name ? "/" : "", name);
}

/* Read a directory once, keeping the first PAGE wanted entries behind `last`. path: "" or "a/b/". */
static int page_read(struct walk *w, const char *path, const char *last, struct page *p, struct err *e)
{
	char full[NAME_BYTES * 2], rel[NAME_BYTES];
	struct dirent *de;
	struct stat st;

	snprintf(full, sizeof full, "%s/%s", w->f->root, path);
	DIR *d = opendir(full);
	if (!d)
		return fail(w->f, errno, "NoSuchBucket", path, e);
	int fd = dirfd(d);
	while ((errno = 0, de = readdir(d))) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		/* The name as a directory's is the largest it can be; most names of an earlier pass end here. */
		int n = snprintf(rel, sizeof rel, "%s%s/", path, de->d_name);
		if (n < 0 || (size_t)n >= sizeof rel || strcmp(rel, last) <= 0)
			continue;
		if (fstatat(fd, de->d_name, &st, 0) || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
			continue; /* gone meanwhile, a dangling link, a pipe */
		bool dir = S_ISDIR(st.st_mode);
		if (!dir)
			rel[n - 1] = '\0';
		if (wanted(w, rel, dir) && strcmp(rel, last) > 0)
			page_add(p, &(struct entry){ rel, dir, (uint64_t)st.st_size, st.st_mtime });
	}
	int failed = errno;
	closedir(d);
	page_cut(p);
	return failed ? fail(w->f, failed, "NoSuchBucket", path, e) : 0;
}

static int walk(struct walk *w, const char *path, const struct level *up, struct err *e);

static int visit(struct walk *w, const struct entry *entry, const struct level *level, struct err *e)
{
	if (entry->dir)
		return walk(w, entry->name, level, e);
	struct blob_item item = { entry->name, entry->size, entry->modified_s };
	return w->fn(&item, w->arg, e);
}

/* 0 to go on, 1 to end, -1. path: "" or "a/b/". */
static int walk(struct walk *w, const char *path, const struct level *up, struct err *e)
{
	struct page p = { 0 };
	struct level here = { .up = up, .depth = up ? up->depth + 1 : 0 };
	char full[NAME_BYTES * 2], *last = mem_strdup("");
	struct stat st;
	int rc = 0;

	snprintf(full, sizeof full, "%s/%s", w->f->root, path);
	if (stat(full, &st))
		rc = fail(w->f, errno, "NoSuchBucket", path, e);
	here.dev = st.st_dev;
	here.ino = st.st_ino;
	bool loop = here.depth > DEPTH_MAX;
	for (const struct level *l = up; rc == 0 && l && !loop; l = l->up)
		loop = l->dev == here.dev && l->ino == here.ino;
	while (rc == 0 && !loop) {
		page_clear(&p);
		rc = page_read(w, path, last, &p, e);
		for (size_t i = 0; i < p.n && rc == 0; i++)
			rc = visit(w, &p.v[i], &here, e);
		if (rc || !p.cut)
			break;
		free(last);
		last = mem_strdup(p.v[p.n - 1].name);
	}
	page_clear(&p);
	free(p.v);
	free(last);
	return rc;
}

static int list(
	struct blob *base, const char *prefix, const char *after, blob_on_item *fn, void *arg, struct err *e)
{
	struct folder *f = (struct folder *)base;
	struct walk w = { f, prefix, after && *after ? after : NULL, fn, arg };
	char full[NAME_BYTES * 2];
	struct stat st;
	int rc;

	if (!f->single) {
		rc = walk(&w, "", NULL, e);
	} else if (!wanted(&w, f->single, false)) {
		rc = 0;
	} else {
		snprintf(full, sizeof full, "%s/%s", f->root, f->single);
		if (stat(full, &st))
			return fail(f, errno, "NoSuchKey", f->single, e);
		struct blob_item item = { f->single, (uint64_t)st.st_size, st.st_mtime };
		rc = fn(&item, arg, e);
	}
	return rc < 0 ? -1 : 0;
}

/* A name stays below the folder. */
static bool name_ok(const char *name)
{
	if (!*name || *name == '/' || strlen(name) >= NAME_BYTES)
		return false;
	for (const char *p = name; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (!strncmp(p, "..", 2) && (!p[2] || p[2] == '/'))
			return false;
	}
	return true;
}

static int get(struct blob *base, const char *name, blob_on_bytes *fn, void *arg, struct err *e)
{
	struct folder *f = (struct folder *)base;
	char full[NAME_BYTES * 2];
	ssize_t n = 0;
	int rc = 0;

	if (!name_ok(name))
		return err_set(e, ERR_FAILED, "NoSuchKey", "\"%.200s\" is no name of an object", name);
	snprintf(full, sizeof full, "%s/%s", f->root, name);
	int fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(f, errno, "NoSuchKey", name, e);
	char *piece = mem_alloc(PIECE);
	while (rc == 0 && (n = read(fd, piece, PIECE)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		rc = n < 0 ? fail(f, errno, "NoSuchKey", name, e) : fn(piece, (size_t)n, arg, e);
	}
	free(piece);
	close(fd);
	return rc < 0 ? -1 : 0;
}

static void close_folder(struct blob *base)
{
	struct folder *f = (struct folder *)base;

	free(f->root);
	free(f->single);
	free(f);
}

static struct folder *folder_new(const char *root, const char *uri)
{
	static const struct blob_ops ops = { .list = list, .get = get, .close = close_folder };
	struct folder *f = mem_alloc(sizeof *f);

	f->base.ops = &ops;
	f->root = mem_strdup(root);
	snprintf(f->base.uri, sizeof f->base.uri, "%s", uri);
	return f;
}

int local_open_blob(const char *dir, const char *bucket, struct blob **out, struct err *e)
{
	struct buf root = BUF_INIT(NAME_BYTES), uri = BUF_INIT(NAME_BYTES);
	int rc = -1;

	if (!buf_printf(&root, "%s/s3/%s", dir, bucket) || !buf_printf(&uri, "s3://%s", bucket))
		err_set(e, ERR_USAGE, "bad-name", "the name of the bucket's folder is too long");
	else if (!name_ok(bucket) || strchr(bucket, '/') || !strcmp(bucket, "."))
		err_set(e, ERR_USAGE, "bad-name", "\"%.80s\" is no name of a bucket", bucket);
	else
		rc = 0;
	if (rc == 0) {
		struct folder *f = folder_new(root.p, uri.p);
		f->bucket = true;
		*out = &f->base;
	}
	buf_release(&root);
	buf_release(&uri);
	return rc;
}

int folder_open_blob(const char *path, struct blob **out, struct err *e)
{
	struct stat st;
	size_t n = strlen(path);

	if (n == 0 || n >= NAME_BYTES)
		return err_set(e, ERR_USAGE, "bad-name", "\"%.80s\" is no name of a folder or file", path);
	if (stat(path, &st))
		return err_errno(e, ERR_LOCAL, errno, "%.300s", path);
	char *root = mem_strdup(path), *single = NULL;
	while (n > 1 && root[n - 1] == '/')
		root[--n] = '\0';
	if (!S_ISDIR(st.st_mode)) {
		char *slash = strrchr(root, '/');
		single = mem_strdup(slash ? slash + 1 : root);
		if (slash)
			slash[slash == root] = '\0';
		else
			snprintf(root, n + 1, ".");
	}
	struct folder *f = folder_new(root, strcmp(root, "/") != 0 ? root : "");
	f->single = single;
	free(root);
	*out = &f->base;
	return 0;
}
