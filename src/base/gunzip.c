/* gunzip.c - undo gzip, member by member, layer by layer, over zlib. */
#include "base/gunzip.h"
#include "base/mem.h"
#include <stdlib.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#define LAYERS 3 /* gzip in gzip in gzip: more is an attack */
#define PIECE 65536

enum state { START, PLAIN, MEMBER, BETWEEN };

struct gunzip {
	gunzip_sink *fn;
	void *arg;
	struct gunzip *inner; /* decodes what this layer gives out */
	int depth;
	enum state state;
	unsigned char magic[2];
	size_t nmagic;
	z_stream z;
	bool inflating;
	char out[PIECE];
};

static struct gunzip *new_layer(gunzip_sink *fn, void *arg, int depth)
{
	struct gunzip *g = mem_alloc(sizeof *g);
	g->fn = fn;
	g->arg = arg;
	g->depth = depth;
	return g;
}

struct gunzip *gunzip_new(gunzip_sink *fn, void *arg)
{
	return new_layer(fn, arg, 1);
}

static int give(struct gunzip *g, const char *p, size_t n, struct err *e)
{
	if (!n)
		return 0;
	if (g->state == PLAIN || g->depth >= LAYERS)
		return g->fn(p, n, g->arg, e);
	if (!g->inner)
		g->inner = new_layer(g->fn, g->arg, g->depth + 1);
	return gunzip_feed(g->inner, p, n, e);
}

static int start_member(struct gunzip *g, struct err *e)
{
	if (g->inflating)
		inflateEnd(&g->z);
	memset(&g->z, 0, sizeof g->z);
	g->inflating = inflateInit2(&g->z, 15 + 16) == Z_OK;
	g->state = MEMBER;
	return g->inflating ? 0 : err_set(e, ERR_LOCAL, "zlib", "cannot start zlib");
}

/* Inflate until the input is used up or the member ends; *used says how much of it was taken. */
static int inflate_some(struct gunzip *g, const char *p, size_t n, size_t *used, struct err *e)
{
	g->z.next_in = (unsigned char *)(uintptr_t)p;
	g->z.avail_in = (unsigned)n;
	for (;;) {
		g->z.next_out = (unsigned char *)g->out;
		g->z.avail_out = PIECE;
		int z = inflate(&g->z, Z_NO_FLUSH);
		int rc = give(g, g->out, PIECE - g->z.avail_out, e);
		*used = n - g->z.avail_in;
		if (rc)
			return rc;
		if (z == Z_STREAM_END) {
			g->state = BETWEEN;
			return 0;
		}
		if (z != Z_OK && z != Z_BUF_ERROR)
			return err_set(e, ERR_REFUSED, "bad-gzip", "gzip data is damaged: %s",
				g->z.msg ? g->z.msg : "bad");
		if (g->z.avail_in == 0 && g->z.avail_out != 0)
			return 0;
	}
}

/* Look at the first two bytes of the stream, or of what follows a member. */
static int look(struct gunzip *g, const char **p, size_t *n, struct err *e)
{
	if (g->state == BETWEEN && !g->nmagic)
		while (*n && **p == '\0')
			++*p, --*n; /* padding */
	while (*n && g->nmagic < 2) {
		g->magic[g->nmagic++] = (unsigned char)*(*p)++;
		--*n;
	}
	if (g->nmagic < 2)
		return 0;
	bool gz = g->magic[0] == 0x1f && g->magic[1] == 0x8b;
	if (!gz && g->state == BETWEEN)
		return err_set(e, ERR_REFUSED, "bad-gzip", "something else follows the gzip data");
	g->nmagic = 0;
	if (gz) {
		size_t used;
		int rc = start_member(g, e);
		return rc ? rc : inflate_some(g, (const char *)g->magic, 2, &used, e);
	}
	g->state = PLAIN;
	return give(g, (const char *)g->magic, 2, e);
}

int gunzip_feed(struct gunzip *g, const char *p, size_t n, struct err *e)
{
	int rc = 0;
	while (n && rc == 0) {
		size_t used = n;
		if (g->state == PLAIN)
			return give(g, p, n, e);
		if (g->state != MEMBER) {
			rc = look(g, &p, &n, e);
			continue;
		}
		rc = inflate_some(g, p, n > PIECE ? PIECE : n, &used, e);
		p += used;
		n -= used;
	}
	return rc;
}

int gunzip_finish(struct gunzip *g, struct err *e)
{
	if (g->state == MEMBER)
		return err_set(e, ERR_REFUSED, "truncated-gzip", "gzip data ends early");
	if (g->nmagic && g->state == START) {
		size_t n = g->nmagic;
		g->nmagic = 0;
		g->state = PLAIN;
		return give(g, (const char *)g->magic, n, e);
	}
	if (g->nmagic) /* one byte behind a member */
		return g->magic[0] == 0x1f
			       ? err_set(e, ERR_REFUSED, "truncated-gzip", "gzip data ends early")
			       : err_set(e, ERR_REFUSED, "bad-gzip", "something else follows the gzip data");
	return g->inner ? gunzip_finish(g->inner, e) : 0;
}

void gunzip_free(struct gunzip *g)
{
	if (!g)
		return;
	gunzip_free(g->inner);
	if (g->inflating)
		inflateEnd(&g->z);
	free(g);
}
