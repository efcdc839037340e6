/* shards_read.c - the readers of the shard follower: which shard is due, its next records, what comes after them. */
#include "flow/shards_int.h"

#include "base/digest.h"
#include "base/log.h"
#include "flow/unpack.h"

#include <string.h>
#include <time.h>

#define ANSWER_BYTES (2 << 20) /* asked of one read: bounds the memory of all readers */
#define ANSWER_FIRST 2         /* records, while nobody knows how large they are: up to 10 MiB each */
#define ANSWER_RECORDS 10000
#define CLOSED_EMPTIES 3 /* some servers never end the iterator of a closed shard */

static bool is_throttle(const struct err *e)
{
	return strstr(e->code, "Throughput") || strstr(e->code, "Throttl") ||
	       strstr(e->code, "LimitExceeded");
}

/* mu held. The ready shard that is due first; its due time in *due. */
static struct fshard *first_due(const struct follow *f, int64_t *due)
{
	struct fshard *best = NULL;
	for (size_t i = 0; i < f->n; i++) {
		struct fshard *s = f->v[i];
		if (s->state == FS_READY && (!best || s->due_ms < best->due_ms) && group_valid(f, s))
			best = s;
	}
	*due = best ? best->due_ms : 0;
	return best;
}

/* mu held. One reader waits for the next due time, the others for a signal; one that knows of an earlier due time than
 * the waiting one waits for that instead. */
static void wait_for_work(struct follow *f, int64_t ms)
{
	int64_t until = clock_mono_ms() + ms;
	if (f->watch_ms && f->watch_ms <= until) {
		pthread_cond_wait(&f->cond, &f->mu);
		return;
	}
	struct timespec t = clock_deadline(ms);
	f->watch_ms = until;
	pthread_cond_timedwait(&f->cond, &f->mu, &t);
	if (f->watch_ms == until)
		f->watch_ms = 0;
}

/* mu held. */
static void outage(struct follow *f, struct fshard *s, bool on, const struct err *e)
{
	if (s->outage == on)
		return;
	s->outage = on;
	f->outages += on ? 1u : -1u;
	if (on ? f->outages == 1 : f->outages == 0)
		log_outage(f->c.stream->name, !on, e);
}

/* mu held. A read that fails may have taken long enough for another worker to take the lease. */
static void read_again(struct fshard *s, int64_t pause_ms)
{
	s->state = atomic_load(&s->lost) ? FS_LOST : FS_READY;
	s->due_ms = clock_mono_ms() + pause_ms;
}

static void read_failed(struct follow *f, struct fshard *s, int64_t began, const struct err *e)
{
	if (e->cls != ERR_UNAVAILABLE) {
		if (e->cls != ERR_STOPPED)
			follow_fail(f, e);
		pthread_mutex_lock(&f->mu);
		read_again(s, 1000);
		pthread_mutex_unlock(&f->mu);
		return;
	}
	/* LATEST asked again after an outage would skip what came meanwhile. */
	if (s->cur.next.kind == POS_LATEST)
		s->start = s->cur.next = (struct position){ .kind = POS_AT_TIME, .time_ms = f->start_ms };
	s->down_ms = s->fails ? s->down_ms : began;
	follow_gives_up(f, s->down_ms, e);
	pthread_mutex_lock(&f->mu);
	s->fails++;
	if (is_throttle(e) && s->fails < 10)
		log_note("%s: %s, slower", s->s.id, e->code);
	else
		outage(f, s, true, e);
	read_again(s, follow_backoff_ms(f, s->fails));
	bool lost = s->state == FS_LOST;
	pthread_mutex_unlock(&f->mu);
	if (lost)
		follow_wake(f);
}

static bool past_the_end(const struct follow *f, const struct record *r)
{
	if (f->c.until.kind == WHEN_TIME && r->arrival_us >= f->c.until.us)
		return true;
	return f->c.end_at_tip && r->arrival_us > f->tip_ms * 1000;
}

static bool handed_before(const char *last, uint64_t last_sub, const struct record *r)
{
	int c = *last ? sequence_compare(r->sequence_number, last) : 1;
	return c < 0 || (c == 0 && r->subsequence <= last_sub);
}

/* What has become of an answer's records. */
struct handing {
	struct follow *f;
	struct fshard *s;
	const char *last;
	uint64_t last_sub;
	bool any;  /* something was handed on */
	bool past; /* one lay behind the end asked for */
	bool lost; /* the lease did not hold all the time: what follows is not handed on */
};

/* Hands on one record if it is new. False: nothing more of this answer. */
static bool hand_on_record(const struct record *rec, void *arg)
{
	struct handing *h = arg;
	struct err e = { 0 };
	h->lost = !group_flows(h->f, h->s); /* the callback may have blocked, or the process been stopped */
	if (follow_ending(h->f) || h->lost)
		return false;
	if (handed_before(h->last, h->last_sub, rec))
		return true;
	h->past = past_the_end(h->f, rec);
	if (h->past)
		return false;
	int rc = h->f->c.on_record(h->s->s.id, rec, h->f->c.arg, &e);
	if (rc < 0) {
		follow_fail(h->f, &e);
		return false;
	}
	h->last = rec->sequence_number;
	h->last_sub = rec->subsequence;
	h->any = true;
	if (rc > 0) {
		atomic_store(&h->f->stop, true);
		follow_wake(h->f);
	}
	return true;
}

static bool hand_on_unpacked(struct handing *h, const struct record *rec)
{
	const struct fshard *s = h->s;
	if (h->f->c.raw)
		return hand_on_record(rec, h);
	switch (unpack_record(rec, s->first_hash, s->last_hash, hand_on_record, h)) {
	case UNPACK_STOPPED: return false;
	case UNPACK_ELSEWHERE:
		log_note("%s: aggregate %s is for another shard, left out: its producer sends it again",
			s->s.id, rec->sequence_number);
		return true;
	default: return true;
	}
}

/* out_mu held. Hands on what is new; *past: a record lay behind the end asked for. False: the lease did not hold to the end. */
static bool hand_on(struct follow *f, struct fshard *s, const struct records *r, bool *past)
{
	struct handing h = { .f = f, .s = s, .last = s->last_seq, .last_sub = s->last_sub };
	struct err e = { 0 };
	for (size_t i = 0; i < r->n; i++)
		if (!hand_on_unpacked(&h, &r->v[i]))
			break;
	if (h.any && !atomic_load(&f->failed) && f->c.on_flush && f->c.on_flush(f->c.arg, &e))
		follow_fail(f, &e);
	pthread_mutex_lock(&f->mu);
	if (h.any) {
		memmove(s->last_seq, h.last, strlen(h.last) + 1);
		s->last_sub = h.last_sub;
		s->handed = true;
		f->last_ms = clock_mono_ms();
	}
	pthread_mutex_unlock(&f->mu);
	*past = h.past;
	return !h.lost;
}

static void rewind_cursor(struct fshard *s)
{
	s->cur.iterator[0] = 0;
	s->cur.next = s->start;
	if (s->last_seq[0]) {
		s->cur.next = (struct position){ .kind = POS_AT_SEQ, .sub = s->last_sub };
		memcpy(s->cur.next.seq, s->last_seq, sizeof s->last_seq);
	}
}

static bool reached(const struct follow *f, int64_t service_ms)
{
	return f->c.end_at_tip || (f->c.until.kind == WHEN_TIME && service_ms * 1000 >= f->c.until.us);
}

static int64_t next_read(
	const struct follow *f, const struct fshard *s, const struct records *r, int64_t began)
{
	int64_t least = f->c.stream->min_poll_ms, now = clock_mono_ms();
	if (r->n == 0 && least < 10)
		least = 10;
	if (r->full || r->behind_ms > 0 || (r->n && follow_bounded(f)) || s->closed)
		return began + least;
	return now + (f->c.poll_ms > least ? f->c.poll_ms : least);
}

/* What comes after an answer. service_ms: the service's clock before it was asked. */
static void after_read(struct follow *f, struct fshard *s, const struct records *r, bool past, int64_t began,
	int64_t service_ms)
{
	bool tip = r->n == 0 && r->behind_ms == 0;
	pthread_mutex_lock(&f->mu);
	s->fails = 0;
	outage(f, s, false, NULL);
	s->empties = tip ? s->empties + 1 : 0;
	/* Having been there before says nothing: an aggregate may have been left half read. */
	bool over =
		s->closed && (s->empties >= CLOSED_EMPTIES || (r->n && !strcmp(s->last_seq, s->s.end_seq)));
	if (atomic_load(&s->lost))
		s->state = FS_LOST;
	else if (past)
		s->state = FS_TIP;
	else if (r->ended || over)
		s->state = FS_ENDING;
	else if (tip && !s->closed && reached(f, service_ms))
		s->state = FS_TIP;
	else
		s->state = FS_READY;
	s->due_ms = next_read(f, s, r, began);
	bool news = s->state != FS_READY;
	pthread_mutex_unlock(&f->mu);
	if (news)
		follow_wake(f);
}

/* By the size of what the shard gave last; a shard that gave nothing yet goes by the others. */
static size_t answer_limit(const struct follow *f, const struct fshard *s)
{
	size_t bytes = s->record_bytes ? s->record_bytes : atomic_load(&f->record_bytes);
	size_t n = bytes ? (size_t)ANSWER_BYTES / bytes : ANSWER_FIRST;
	return n < 1 ? 1 : n > ANSWER_RECORDS ? ANSWER_RECORDS : n;
}

static void measure(struct follow *f, struct fshard *s, const struct records *r)
{
	size_t bytes = 0;
	for (size_t i = 0; i < r->n; i++)
		bytes += r->v[i].len;
	if (!r->n)
		return;
	s->record_bytes = bytes / r->n + 64;
	atomic_store(&f->record_bytes, s->record_bytes);
}

static void read_one(struct follow *f, struct fshard *s, struct records *r)
{
	struct err e = { 0 };
	int64_t began = clock_mono_ms(), service_ms = stream_now_ms(f->c.stream);
	if (stream_read(f->c.stream, &s->cur, answer_limit(f, s), r, &e)) {
		read_failed(f, s, began, &e);
		return;
	}
	/* Should the iterator run out, LATEST must not mean a later tip. */
	if (s->cur.next.kind == POS_LATEST)
		s->start = s->cur.next = (struct position){ .kind = POS_AT_TIME, .time_ms = service_ms };
	measure(f, s, r);
	bool past = false, valid = true;
	if (r->n) {
		pthread_mutex_lock(&f->out_mu);
		pthread_mutex_lock(&f->mu);
		valid = group_valid(f, s); /* the wait for our turn may have been long */
		memcpy(s->first_hash, s->s.start_hash, sizeof s->first_hash);
		memcpy(s->last_hash, s->s.end_hash, sizeof s->last_hash);
		pthread_mutex_unlock(&f->mu);
		if (valid)
			follow_announce(f, s);
		if (valid)
			valid = hand_on(f, s, r, &past);
		pthread_mutex_unlock(&f->out_mu);
	}
	if (valid) {
		after_read(f, s, r, past, began, service_ms);
		return;
	}
	rewind_cursor(s);
	pthread_mutex_lock(&f->mu);
	read_again(s, 250);
	pthread_mutex_unlock(&f->mu);
}

void *follow_reader(void *arg)
{
	struct follow *f = arg;
	struct records r = { 0 };
	pthread_mutex_lock(&f->mu);
	while (!atomic_load(&f->stop)) {
		int64_t due, now = clock_mono_ms();
		struct fshard *s = first_due(f, &due);
		if (!s || due > now) {
			wait_for_work(f, s && due - now < 1000 ? due - now : 1000);
			continue;
		}
		s->state = FS_BUSY;
		pthread_cond_signal(&f->cond);
		pthread_mutex_unlock(&f->mu);
		read_one(f, s, &r);
		pthread_mutex_lock(&f->mu);
	}
	pthread_mutex_unlock(&f->mu);
	records_release(&r);
	return NULL;
}
