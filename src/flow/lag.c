/* lag.c - what is behind a position, and what is left of the record at it. */
#include "flow/lag.h"

#include "rec/aggregate.h"

#include <string.h>

static bool left_of(const struct shard *h, const struct record *r, const struct position *p)
{
	struct aggregate a;

	if (strcmp(r->sequence_number, p->seq) != 0 || !aggregate_open(&a, r->data, r->len))
		return false;
	/* One that is another shard's is passed over whole. */
	bool left = a.nrecords > p->sub + 1 && aggregate_belongs(&a, h->start_hash, h->end_hash);
	aggregate_close(&a);
	return left;
}

/* Failures do not matter: a position that is no record's may be refused, and then nothing is left of it. */
static void look_into(
	struct stream *s, const struct shard *h, const struct position *p, struct shard_lag *out)
{
	struct cursor c = { .next = *p };
	struct records r = { 0 };
	struct err ignored;

	memcpy(c.shard_id, h->id, sizeof c.shard_id);
	c.next.kind = POS_AT_SEQ;
	if (!stream_read(s, &c, 1, &r, &ignored) && r.n && left_of(h, &r.v[0], p)) {
		int64_t age = r.v[0].arrival_us ? stream_now_ms(s) - r.v[0].arrival_us / 1000 : 0;
		out->records += out->records >= 0;
		out->ms = age > out->ms ? age : out->ms > 0 ? out->ms : 1;
	}
	records_release(&r);
}

int lag_of(struct stream *s, const struct shard *h, const struct position *p, struct shard_lag *out,
	struct err *e)
{
	if (stream_lag(s, h, p, out, e))
		return -1;
	if (p->kind == POS_AFTER_SEQ && (out->ms == 0 || stream_counts(s)))
		look_into(s, h, p, out);
	return 0;
}
