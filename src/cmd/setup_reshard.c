/* setup_reshard.c - split, merge, or bring a stream to a number of shards, and wait for it. */
#include "base/hashkey.h"
#include "base/mem.h"
#include "cmd/setup.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 200
#define IDLE_STEPS 3 /* that changed nothing */

struct job {
	struct ctx *c;
	struct stream *s;
	const struct setup_reshard *r;
	struct shards list;
	int64_t until; /* monotonic */
	struct err *e;
};

int setup_reshard_check(const struct setup_reshard *r, struct err *e)
{
	hashkey at;
	if ((r->count != 0) + (r->split != NULL) + (r->merge != NULL) > 1)
		return err_set(e, ERR_USAGE, "", "--reshard, --split and --merge are used one at a time");
	if (r->at && !r->split)
		return err_set(e, ERR_USAGE, "", "--at is for --split");
	if (r->at && !hashkey_parse(r->at, &at))
		return err_set(e, ERR_USAGE, "", "--at: no number below 2^128: %s", r->at);
	return 0;
}

static int relist(struct job *j)
{
	free(j->list.v);
	return stream_shards(j->s, &j->list, j->e);
}

static const struct shard *find(const struct job *j, const char *id)
{
	for (size_t i = 0; i < j->list.n; i++)
		if (!strcmp(j->list.v[i].id, id))
			return &j->list.v[i];
	return NULL;
}

/* "A", or "A and B": the children of a shard, of which there are two at most. "" when none is listed. */
static void children(const struct job *j, const char *id, char *out, size_t size)
{
	size_t n = 0;
	out[0] = '\0';
	for (size_t i = 0; i < j->list.n; i++) {
		const struct shard *h = &j->list.v[i];
		if ((strcmp(h->parent, id) && strcmp(h->adjacent, id)) || n >= size)
			continue;
		n += (size_t)snprintf(out + n, size - n, "%s%s", n ? " and " : "", h->id);
	}
}

static int open_one(const struct job *j, const char *id, const struct shard **out)
{
	char now[2 * SHARD_ID_MAX + 8];
	*out = find(j, id);
	if (!*out)
		return err_set(j->e, ERR_FAILED, "ResourceNotFoundException",
			"there is no shard %.130s in stream %s", id, j->s->name);
	if (!(*out)->end_seq[0])
		return 0;
	children(j, id, now, sizeof now);
	return err_set(j->e, ERR_FAILED, "closed", "%.130s is closed already%s%s", id,
		now[0] ? ", and has become " : "", now);
}

/* Nothing is asked of a stream, and nothing said of it, before its last change is done. */
static int settle(struct job *j, struct stream_info *info)
{
	for (;;) {
		int rc = stream_describe(j->s, info, j->e);
		if (rc == 0 || j->e->cls == ERR_UNAVAILABLE)
			log_outage("stream", rc == 0, j->e);
		if (rc == 0 && !strcmp(info->status, "ACTIVE"))
			return 0;
		if (rc && j->e->cls != ERR_UNAVAILABLE)
			return -1;
		if (clock_mono_ms() >= j->until)
			return rc ? -1
				  : err_set(j->e, ERR_UNAVAILABLE, "timeout", "stream %s is still %s",
					    j->s->name, info->status);
		err_clear(j->e);
		if (!clock_sleep_ms(POLL_MS))
			return err_set(j->e, ERR_STOPPED, "", "interrupted");
	}
}

/* One change. Another one that is under way, somebody else's perhaps, goes first. */
static int ask(struct job *j, const struct reshard *what)
{
	struct stream_info info;
	for (;;) {
		if (settle(j, &info))
			return -1;
		if (stream_reshard(j->s, what, j->e) == 0)
			return settle(j, &info);
		if (strcmp(j->e->code, "ResourceInUseException") != 0 || clock_mono_ms() >= j->until)
			return -1;
		err_clear(j->e);
		if (!clock_sleep_ms(POLL_MS))
			return err_set(j->e, ERR_STOPPED, "", "interrupted");
	}
}

/* When the answer to a first attempt was lost, the second is refused for what the first has done. */
static int done_after_all(struct job *j, const struct reshard *what)
{
	struct err why = *j->e;
	const struct shard *h;
	if (what->kind == RESHARD_COUNT || why.cls == ERR_STOPPED || relist(j))
		return -1;
	h = find(j, what->shard);
	if (h && h->end_seq[0])
		return 0;
	*j->e = why;
	return -1;
}

static int change(struct job *j, const struct reshard *what)
{
	return ask(j, what) && done_after_all(j, what) ? -1 : relist(j);
}

static int split(struct job *j)
{
	char id[SHARD_ID_MAX], at[HASHKEY_TEXT], now[2 * SHARD_ID_MAX + 8], text[4 * SHARD_ID_MAX];
	const struct shard *h;
	hashkey start, end, middle;

	shard_full_id(id, j->r->split, strlen(j->r->split));
	if (open_one(j, id, &h))
		return -1;
	if (!hashkey_parse(h->start_hash, &start) || !hashkey_parse(h->end_hash, &end))
		return err_set(j->e, ERR_FAILED, "bad-answer", "the hash keys of %.130s are unknown", id);
	if (!j->r->at && start == end)
		return err_set(j->e, ERR_FAILED, "one-key", "%.130s takes one hash key only", id);
	middle = start + (end - start) / 2 + 1;
	hashkey_format(middle, at);
	struct reshard what = { .kind = RESHARD_SPLIT, .shard = id, .at = j->r->at ? j->r->at : at };
	if (j->r->dry_run) {
		snprintf(text, sizeof text, "%s would be split at %s", id, what.at);
		return setup_say(j->c, "stream", j->s->name, text, j->e);
	}
	if (change(j, &what))
		return -1;
	children(j, id, now, sizeof now);
	snprintf(text, sizeof text, "%s split into %s", id, now);
	return setup_say(j->c, "stream", j->s->name, text, j->e);
}

static int merge(struct job *j)
{
	char a[SHARD_ID_MAX], b[SHARD_ID_MAX], now[2 * SHARD_ID_MAX + 8], text[5 * SHARD_ID_MAX];
	const char *comma = strchr(j->r->merge, ',');
	const struct shard *low, *high;

	if (!comma)
		return err_set(j->e, ERR_USAGE, "", "--merge: two shards are merged: SHARD,SHARD");
	shard_full_id(a, j->r->merge, (size_t)(comma - j->r->merge));
	shard_full_id(b, comma + 1, strlen(comma + 1));
	if (open_one(j, a, &low) || open_one(j, b, &high))
		return -1;
	/* Some servers want the one with the lower hash keys first. A number is longer where it is higher. */
	if (sequence_compare(low->start_hash, high->start_hash) > 0) {
		const struct shard *other = low;
		low = high;
		high = other;
	}
	snprintf(a, sizeof a, "%s", low->id);
	snprintf(b, sizeof b, "%s", high->id);
	struct reshard what = { .kind = RESHARD_MERGE, .shard = a, .adjacent = b };
	if (j->r->dry_run) {
		snprintf(text, sizeof text, "%s and %s would be merged", a, b);
		return setup_say(j->c, "stream", j->s->name, text, j->e);
	}
	if (change(j, &what))
		return -1;
	children(j, a, now, sizeof now);
	snprintf(text, sizeof text, "%s and %s merged into %s", a, b, now);
	return setup_say(j->c, "stream", j->s->name, text, j->e);
}

static int to_count(struct job *j)
{
	struct stream_info info;
	unsigned idle = 0;
	char text[80];

	if (settle(j, &info))
		return -1;
	size_t before = info.open_shards;
	struct reshard what = { .kind = RESHARD_COUNT, .count = (unsigned)j->r->count };
	while (info.open_shards != what.count && !j->r->dry_run) {
		size_t had = info.open_shards;
		if (ask(j, &what) || settle(j, &info))
			return -1;
		idle = info.open_shards == had ? idle + 1 : 0;
		if (idle == IDLE_STEPS || clock_mono_ms() >= j->until)
			return err_set(j->e, ERR_FAILED, "stays", "stream %s stays at %zu shards", j->s->name,
				info.open_shards);
	}
	const char *s = before == 1 ? "" : "s";
	if (before == what.count)
		snprintf(text, sizeof text, "has %zu shard%s", before, s);
	else
		snprintf(text, sizeof text, "%zu shard%s, %s %u", before, s,
			j->r->dry_run ? "would have" : "now", what.count);
	return setup_say(j->c, "stream", j->s->name, text, j->e);
}

int setup_reshard_run(struct ctx *c, struct stream *s, const struct setup_reshard *r, struct err *e)
{
	struct job j = { .c = c, .s = s, .r = r, .until = clock_mono_ms() + r->wait_ms, .e = e };
	int rc;
	if (r->count) {
		rc = to_count(&j);
	} else {
		rc = relist(&j);
		if (!rc)
			rc = r->split ? split(&j) : merge(&j);
	}
	free(j.list.v);
	return rc;
}
