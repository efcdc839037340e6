/* archive.c - list, fetch, unzip and cut the objects of an archive. */
#include "flow/archive.h"
#include "base/digest.h"
#include "base/gunzip.h"
#include "base/log.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_US ((int64_t)3600 * 1000000)
/* Firehose names an object by the hour of its first record's arrival and buffers for up to 15 minutes; a producer's clock may
 * be ahead. An event may be archived late, after an outage of its producer. */
#define AHEAD_US (2 * HOUR_US)
#define LATE_US (24 * HOUR_US)
#define FIRST_PAUSE_MS 250
#define MOST_PAUSE_MS 8000

struct reading {
	const struct archive_conf *c;
	struct split split;
	char object[1200 + 1100];
	char after_name[1100]; /* the object to go on behind, or "" */
	uint64_t after_line;   /* records of it that are done; UINT64_MAX: all */
	uint64_t skip;         /* records to pass over in the object under way */
	bool ended;            /* on_record ended it: blob_get and blob_list do not tell */
	bool any, whole;       /* a record of `object` has been handed on, or all of it is done */
	uint64_t done;         /* its records that are */
	int64_t out_ms;        /* monotonic, since when nothing comes; 0: it does */
	int64_t pause_ms;
};

static bool digits(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return true;
}

static bool hour_at(const char *s, int64_t *us)
{
	char text[40];
	if (strlen(s) < 14 || !digits(s, 4) || s[4] != '/' || !digits(s + 5, 2) || s[7] != '/' ||
		!digits(s + 8, 2) || s[10] != '/' || !digits(s + 11, 2) || s[13] != '/')
		return false;
	int n = snprintf(text, sizeof text, "%.4s-%.2s-%.2sT%.2s:00:00Z", s, s + 5, s + 8, s + 11);
	return time_parse(text, (size_t)n, us);
}

bool archive_hour(const char *name, int64_t *us)
{
	for (const char *s = name; s; s = strchr(s, '/')) {
		s += *s == '/';
		if (hour_at(s, us))
			return true;
	}
	return false;
}

/* Can this object hold an event between since and until? */
static bool wanted(const struct archive_conf *c, const char *name)
{
	int64_t hour;
	if (!archive_hour(name, &hour))
		return true;
	if (c->since.kind == WHEN_TIME && hour + HOUR_US + AHEAD_US <= c->since.us)
		return false;
	return !(c->until.kind == WHEN_TIME && hour >= c->until.us + LATE_US);
}

static void again(struct reading *r)
{
	if (r->out_ms)
		log_outage("archive", true, NULL);
	r->out_ms = 0;
}

static int on_value(const struct split_value *v, void *arg, struct err *e)
{
	struct reading *r = arg;
	const struct archive_record rec = { r->object, *v };
	if (v->no <= r->skip)
		return 0;
	again(r);
	int rc = r->c->on_record(&rec, r->c->arg, e);
	r->ended = rc > 0;
	r->done = rc == 0 && v->no > r->done ? v->no : r->done;
	return rc;
}

static int on_plain(const char *p, size_t n, void *arg, struct err *e)
{
	struct reading *r = arg;
	return split_feed(&r->split, p, n, e);
}

static int on_bytes(const char *p, size_t n, void *arg, struct err *e)
{
	return gunzip_feed(arg, p, n, e);
}

/* The end of an object's bytes. What came before a damage stands on its own. */
static int finish(struct reading *r, struct gunzip *g, int rc, struct err *e)
{
	struct err second = { 0 };
	if (rc == 0)
		rc = gunzip_finish(g, e);
	if (r->ended || (rc < 0 && e->cls != ERR_REFUSED))
		return rc;
	int rest = split_finish(&r->split, rc ? &second : e);
	if (rc && rest < 0)
		*e = second; /* the sink's own trouble */
	return rest < 0 ? rest : rc;
}

/* 0 to go on, 1 ended, -1. */
static int read_object(struct reading *r, const char *name, uint64_t skip, struct err *e)
{
	struct gunzip *g = gunzip_new(on_plain, r);
	snprintf(r->object, sizeof r->object, "%s%s%s", r->c->blob->uri, *name ? "/" : "", name);
	r->skip = r->done = skip;
	r->any = true;
	r->whole = false;
	split_reset(&r->split);
	int rc = blob_get(r->c->blob, name, on_bytes, g, e);
	if (!r->ended)
		rc = finish(r, g, rc, e);
	gunzip_free(g);
	if (r->ended)
		return 1;
	if (rc < 0 && (e->cls == ERR_REFUSED || e->cls == ERR_FAILED)) {
		struct err why = *e;
		err_clear(e);
		rc = r->c->on_bad_object(r->object, &why, r->c->arg, e);
	}
	r->whole = rc == 0;
	return rc;
}

static int on_item(const struct blob_item *item, void *arg, struct err *e)
{
	struct reading *r = arg;
	size_t n = strlen(item->name);
	if (n && item->name[n - 1] == '/' && item->size == 0)
		return 0; /* a folder's place-holder */
	if (!wanted(r->c, item->name))
		return 0;
	return read_object(r, item->name, 0, e);
}

/* Split --after into an object's name and a line. */
static int parse_after(struct reading *r, struct err *e)
{
	const char *uri = r->c->blob->uri, *after = r->c->after;
	size_t n = strlen(uri);
	if (!after)
		return 0;
	if (strncmp(after, uri, n) == 0 && after[n] == '/')
		after += n + 1;
	if (strlen(after) >= sizeof r->after_name)
		return err_set(e, ERR_USAGE, "", "--after: name is too long");
	snprintf(r->after_name, sizeof r->after_name, "%s", after);
	r->after_line = UINT64_MAX;
	char *colon = strrchr(r->after_name, ':');
	if (colon && colon[1] && digits(colon + 1, strlen(colon + 1))) {
		r->after_line = strtoull(colon + 1, NULL, 10);
		*colon = '\0';
	}
	return 0;
}

static int read_behind(struct reading *r, struct err *e)
{
	const struct archive_conf *c = r->c;
	int rc = 0;
	if (r->after_name[0] && r->after_line != UINT64_MAX)
		rc = read_object(r, r->after_name, r->after_line, e);
	if (rc == 0)
		rc = blob_list(c->blob, c->prefix, r->after_name[0] ? r->after_name : NULL, on_item, r, e);
	if (rc == 0 && r->ended)
		rc = 1;
	return rc;
}

/* After an outage: true when it is to be tried again, behind what is done. Waits. */
static bool wait_out(struct reading *r, const struct err *e)
{
	int64_t now = clock_mono_ms();
	size_t uri = strlen(r->c->blob->uri);
	if (!r->out_ms) {
		r->out_ms = now;
		r->pause_ms = FIRST_PAUSE_MS;
	}
	if (e->cls != ERR_UNAVAILABLE || now - r->out_ms >= r->c->give_up_ms)
		return false;
	log_outage("archive", false, e);
	if (r->any) {
		const char *name = r->object + uri;
		snprintf(r->after_name, sizeof r->after_name, "%s", *name == '/' ? name + 1 : name);
		r->after_line = r->whole ? UINT64_MAX : r->done;
	}
	int64_t half = r->pause_ms / 2;
	r->pause_ms = r->pause_ms < MOST_PAUSE_MS ? r->pause_ms * 2 : r->pause_ms;
	return clock_sleep_ms(half + (int64_t)((double)half * random_unit()));
}

int archive_read(const struct archive_conf *c, struct err *e)
{
	struct reading *r = mem_alloc(sizeof *r);
	r->c = c;
	int rc = parse_after(r, e);
	split_init(&r->split, c->max_record, on_value, r);
	if (rc == 0)
		while ((rc = read_behind(r, e)) < 0 && wait_out(r, e))
			err_clear(e);
	if (rc >= 0)
		again(r);
	split_release(&r->split);
	free(r);
	return rc;
}
