/* db.c - connections to the embedded store: opening, its version, transactions, errors. No table is named here. */
#include "local/db.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/mem.h"

struct store {
	char *dir, *path;
	bool durable;
	unsigned next_id;
	pthread_mutex_t write_lock, read_lock;
	pthread_cond_t reader_free;
	struct db *writer;
	struct db *idle[STORE_READERS];
	size_t nidle, nreaders;
};

struct store *store_new(const char *dir, bool durable)
{
	struct store *s = mem_alloc(sizeof *s);
	size_t n = strlen(dir) + sizeof "/recagent.db";

	s->dir = mem_strdup(dir);
	s->path = mem_alloc(n);
	snprintf(s->path, n, "%s/recagent.db", dir);
	s->durable = durable;
	pthread_mutex_init(&s->write_lock, NULL);
	pthread_mutex_init(&s->read_lock, NULL);
	pthread_cond_init(&s->reader_free, NULL);
	return s;
}

static void db_close(struct db *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->nkept; i++)
		sqlite3_finalize(d->kept[i].st);
	sqlite3_close(d->h);
	free(d);
}

void store_free(struct store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->nidle; i++)
		db_close(s->idle[i]);
	db_close(s->writer);
	pthread_mutex_destroy(&s->write_lock);
	pthread_mutex_destroy(&s->read_lock);
	pthread_cond_destroy(&s->reader_free);
	free(s->dir);
	free(s->path);
	free(s);
}

const char *store_dir(const struct store *s)
{
	return s->dir;
}

int db_fail(struct db *d, int rc, struct err *e)
{
	return db_fail_at(d->h, d->store->path, rc, e);
}

int db_fail_at(sqlite3 *h, const char *path, int rc, struct err *e)
{
	int sys = h ? sqlite3_system_errno(h) : 0;

	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(e, ERR_UNAVAILABLE, "store-busy",
			"%s: another process has held the store for over %d s", path, STORE_BUSY_MS / 1000);
	case SQLITE_FULL: return err_set(e, ERR_LOCAL, "disk-full", "%s: no space left for it", path);
	case SQLITE_NOTADB: return err_set(e, ERR_LOCAL, "not-a-store", "%s: not a recagent store", path);
	case SQLITE_CORRUPT: /* also what SQLite makes of EIO */
		return err_set(e, ERR_LOCAL, "store-damaged",
			"%s: damaged, or the disk under it fails (%s); if it stays so, keep a copy, move it "
			"away and run setup",
			path, h ? sqlite3_errmsg(h) : sqlite3_errstr(rc));
	case SQLITE_READONLY:
		return err_set(e, ERR_LOCAL, "store-read-only", "%s: may not be written to", path);
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_IOERR:
		if (sys)
			return err_errno(e, ERR_LOCAL, sys, "%s", path);
		break;
	default: break;
	}
	return err_set(e, ERR_LOCAL, "store", "%s: %s", path, h ? sqlite3_errmsg(h) : sqlite3_errstr(rc));
}

/* SQLite's own waiting grows to 100 ms a step, which starves a process among busy writers; this one stays short. */
static int on_busy(void *arg, int tries)
{
	int64_t us = tries < 10 ? 200 : tries < 100 ? 1000 : 5000;
	int64_t waited_ms = tries < 10 ? 0 : tries < 100 ? tries : 100 + (tries - 100) * 5;

	(void)arg;
	if (waited_ms > STORE_BUSY_MS)
		return 0;
	nanosleep(&(struct timespec){ .tv_nsec = (long)us * 1000 }, NULL);
	return 1;
}

static int db_exec(struct db *d, const char *sql, struct err *e)
{
	int rc = sqlite3_exec(d->h, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_fail(d, rc, e);
}

static int db_int(struct db *d, const char *sql, int64_t *out, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(d->h, sql, -1, &st, NULL);

	*out = 0;
	if (rc == SQLITE_OK) {
		rc = sqlite3_step(st);
		if (rc == SQLITE_ROW)
			*out = sqlite3_column_int64(st, 0);
	}
	sqlite3_finalize(st);
	return rc == SQLITE_ROW || rc == SQLITE_DONE || rc == SQLITE_OK ? 0 : db_fail(d, rc, e);
}

static int check_version(struct db *d, int64_t *version, struct err *e)
{
	if (db_int(d, "PRAGMA user_version", version, e))
		return -1;
	if (*version >= 1 && *version <= STORE_VERSION)
		return 0;
	if (*version > STORE_VERSION)
		return err_set(e, ERR_LOCAL, "store-version",
			"%s: made by a newer recagent (store version %lld, this one knows %d)",
			d->store->path, (long long)*version, STORE_VERSION);
	return err_set(e, ERR_LOCAL, "not-a-store", "%s: not a recagent store", d->store->path);
}

/* The version is read again with the lock held: another process may have been quicker. */
static int upgrade(struct db *d, struct err *e)
{
	int64_t version;

	if (check_version(d, &version, e))
		return -1;
	if (version == STORE_VERSION)
		return 0;
	int rc = db_exec(d, "BEGIN IMMEDIATE", e);
	if (rc == 0)
		rc = check_version(d, &version, e);
	if (rc == 0 && version < STORE_VERSION)
		rc = db_exec(d, store_upgrade(version), e);
	if (rc == 0)
		rc = db_exec(d, "COMMIT", e);
	if (!sqlite3_get_autocommit(d->h))
		sqlite3_exec(d->h, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

static struct db *db_open(struct store *s, int flags, struct err *e)
{
	struct db *d = mem_alloc(sizeof *d);
	int on = 1;

	d->store = s;
	d->id = __atomic_fetch_add(&s->next_id, 1, __ATOMIC_RELAXED);
	int rc = sqlite3_open_v2(s->path, &d->h, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK) {
		db_fail(d, rc, e);
		db_close(d);
		return NULL;
	}
	sqlite3_extended_result_codes(d->h, 1);
	sqlite3_busy_handler(d->h, on_busy, NULL);
	/* The files beside the database stay, so that a reader that comes alone need not make and unlink them. */
	sqlite3_file_control(d->h, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
	if (flags & SQLITE_OPEN_READONLY)
		sqlite3_db_config(d->h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return d;
}

static int no_store(const struct store *s, struct err *e)
{
	return err_set(e, ERR_FAILED, "ResourceNotFoundException",
		"there is no store in %s; make one with: recagent setup --local %s", s->dir, s->dir);
}

int store_missing(const struct store *s, const char *what, const char *name, struct err *e)
{
	bool stream = !strcmp(what, "stream"); /* a table may be any of three, and has an option for each */
	return err_set(e, ERR_FAILED, "ResourceNotFoundException",
		"there is no %s %s in %s; make it with: recagent setup --local %s%s%s", what, name, s->dir,
		s->dir, stream ? " --stream " : "", stream ? name : "");
}

/* A missing file and one that cannot be opened are different troubles; SQLite says CANTOPEN for both. */
static bool store_exists(const struct store *s)
{
	struct stat st;

	return stat(s->path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

static struct db *open_reader(struct store *s, struct err *e)
{
	if (!store_exists(s)) {
		no_store(s, e);
		return NULL;
	}
	struct db *d = db_open(s, SQLITE_OPEN_READONLY, e);
	int64_t version;
	if (d && check_version(d, &version, e)) {
		db_close(d);
		return NULL;
	}
	return d;
}

struct db *store_reader(struct store *s, struct err *e)
{
	struct db *d = NULL;

	pthread_mutex_lock(&s->read_lock);
	while (!s->nidle && s->nreaders == STORE_READERS)
		pthread_cond_wait(&s->reader_free, &s->read_lock);
	if (s->nidle)
		d = s->idle[--s->nidle];
	else
		s->nreaders++;
	pthread_mutex_unlock(&s->read_lock);
	if (d)
		return d;
	d = open_reader(s, e);
	if (!d) {
		pthread_mutex_lock(&s->read_lock);
		s->nreaders--;
		pthread_cond_signal(&s->reader_free);
		pthread_mutex_unlock(&s->read_lock);
	}
	return d;
}

void store_reader_done(struct store *s, struct db *d)
{
	if (!d)
		return;
	if (!sqlite3_get_autocommit(d->h))
		sqlite3_exec(d->h, "COMMIT", NULL, NULL, NULL);
	pthread_mutex_lock(&s->read_lock);
	s->idle[s->nidle++] = d;
	pthread_cond_signal(&s->reader_free);
	pthread_mutex_unlock(&s->read_lock);
}

static struct db *open_writer(struct store *s, bool create, struct err *e)
{
	if (!store_exists(s)) {
		if (!create) {
			no_store(s, e);
			return NULL;
		}
		if (store_make(s->dir, s->path, e))
			return NULL;
	}
	struct db *d = db_open(s, SQLITE_OPEN_READWRITE, e);
	if (!d)
		return NULL;
	/* With a limit the log is cut back when the last writer closes, else the next reader reads all of it. */
	if (upgrade(d, e) ||
		db_exec(d,
			s->durable ? "PRAGMA synchronous=FULL; PRAGMA journal_size_limit=8388608"
				   : "PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=8388608",
			e)) {
		db_close(d);
		return NULL;
	}
	return d;
}

struct db *store_begin(struct store *s, bool create, struct err *e)
{
	pthread_mutex_lock(&s->write_lock);
	if (!s->writer)
		s->writer = open_writer(s, create, e);
	struct db *d = s->writer;
	sqlite3_stmt *st = d ? db_stmt(d, "BEGIN IMMEDIATE", e) : NULL;
	if (st && db_run(d, st, e) == 0)
		return d;
	pthread_mutex_unlock(&s->write_lock);
	return NULL;
}

int store_end(struct store *s, struct db *d, int rc, struct err *e)
{
	if (rc == 0) {
		sqlite3_stmt *st = db_stmt(d, "COMMIT", e);
		rc = st ? db_run(d, st, e) : -1;
	}
	if (!sqlite3_get_autocommit(d->h))
		sqlite3_exec(d->h, "ROLLBACK", NULL, NULL, NULL);
	pthread_mutex_unlock(&s->write_lock);
	return rc;
}

sqlite3_stmt *db_stmt(struct db *d, const char *sql, struct err *e)
{
	sqlite3_stmt *st = NULL;

	for (size_t i = 0; i < d->nkept; i++)
		if (d->kept[i].sql == sql)
			return d->kept[i].st;
	if (d->nkept == STORE_STATEMENTS) {
		err_set(e, ERR_INTERNAL, "statements", "more statements than are kept");
		return NULL;
	}
	int rc = sqlite3_prepare_v3(d->h, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL);
	if (rc != SQLITE_OK) {
		db_fail(d, rc, e);
		return NULL;
	}
	d->kept[d->nkept].sql = sql;
	d->kept[d->nkept++].st = st;
	return st;
}

int db_step(struct db *d, sqlite3_stmt *st, struct err *e)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	int out = rc == SQLITE_DONE ? 0 : db_fail(d, rc, e);
	sqlite3_reset(st);
	return out;
}

int db_run(struct db *d, sqlite3_stmt *st, struct err *e)
{
	int rc = db_step(d, st, e);

	if (rc == 1)
		sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

void db_text(sqlite3_stmt *st, int i, const char *s)
{
	sqlite3_bind_text(st, i, s, -1, SQLITE_STATIC);
}

void db_column(sqlite3_stmt *st, int i, char *out, size_t size)
{
	const char *s = (const char *)sqlite3_column_text(st, i);

	snprintf(out, size, "%s", s ? s : "");
}
