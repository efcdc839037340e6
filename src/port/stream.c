/* stream.c - dispatch of the stream contract to its adapter, and what adapters share. */
#include "port/stream.h"

#include <string.h>

int stream_shards(struct stream *s, struct shards *out, struct err *e)
{
	*out = (struct shards){ 0 };
	return s->ops->shards(s, out, e);
}

int stream_read(struct stream *s, struct cursor *c, size_t limit, struct records *out, struct err *e)
{
	arena_reset(&out->arena);
	out->v = NULL;
	out->n = 0;
	out->behind_ms = 0;
	out->full = out->ended = false;
	return s->ops->read(s, c, limit, out, e);
}

/* An answer without records says little: it may be a gap. One more look, no further: the readers of the shard share its
 * five reads a second with us. */
static int lag_by_reading(struct stream *s, const struct shard *h, const struct position *p,
	struct shard_lag *out, struct err *e)
{
	struct cursor c = { .next = *p };
	struct records r = { 0 };

	memcpy(c.shard_id, h->id, sizeof c.shard_id);
	int rc = stream_read(s, &c, 1, &r, e);
	if (!rc && !r.n && !r.ended && r.behind_ms > 0)
		rc = stream_read(s, &c, 1, &r, e);
	if (!rc && (r.n || (r.behind_ms > 0 && !r.ended))) {
		int64_t age = r.n && r.v[0].arrival_us ? stream_now_ms(s) - r.v[0].arrival_us / 1000 : 0;
		out->records = -1;
		out->ms = age > r.behind_ms ? age : r.behind_ms;
		out->ms = out->ms > 0 ? out->ms : 1;
	}
	records_release(&r);
	return rc;
}

int stream_lag(struct stream *s, const struct shard *h, const struct position *p, struct shard_lag *out,
	struct err *e)
{
	*out = (struct shard_lag){ 0 };
	memcpy(out->tip, h->end_seq, sizeof out->tip);
	return s->ops->lag ? s->ops->lag(s, h, p, out, e) : lag_by_reading(s, h, p, out, e);
}

bool stream_counts(const struct stream *s)
{
	return s->ops->lag != NULL;
}

int stream_put(struct stream *s, struct put *v, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		v[i].shard_id[0] = v[i].sequence_number[0] = '\0';
		v[i].err.cls = ERR_NONE;
	}
	return n ? s->ops->put(s, v, n, e) : 0;
}

int stream_describe(struct stream *s, struct stream_info *out, struct err *e)
{
	*out = (struct stream_info){ 0 };
	return s->ops->describe(s, out, e);
}

int stream_create(struct stream *s, unsigned shards, struct err *e)
{
	return s->ops->create(s, shards, e);
}

int stream_reshard(struct stream *s, const struct reshard *what, struct err *e)
{
	return s->ops->reshard(s, what, e);
}

int64_t stream_now_ms(struct stream *s)
{
	return s->ops->now_ms(s);
}

void stream_close(struct stream *s)
{
	if (s)
		s->ops->close(s);
}

void records_release(struct records *r)
{
	arena_release(&r->arena);
	*r = (struct records){ 0 };
}

int sequence_compare(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);

	if (la != lb)
		return la < lb ? -1 : 1;
	int c = memcmp(a, b, la);
	return (c > 0) - (c < 0);
}
