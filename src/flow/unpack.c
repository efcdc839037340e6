/* unpack.c - take aggregates apart, without copying anything but keys. */
#include "flow/unpack.h"

#include "base/buf.h"
#include "rec/aggregate.h"

static enum unpacked each(struct aggregate *a, const struct record *outer,
	bool (*fn)(const struct record *r, void *arg), void *arg)
{
	struct buf key = BUF_INIT(AGGREGATE_KEY_MAX + 1);
	const char *last = NULL;
	struct user_record u;
	bool go_on = true;
	while (go_on && aggregate_next(a, &u)) {
		if (u.key != last) {
			buf_reset(&key);
			buf_add(&key, u.key, u.key_len);
			last = u.key;
		}
		struct record r = { .sequence_number = outer->sequence_number,
			.partition_key = key.p,
			.subsequence = a->next - 1,
			.arrival_us = outer->arrival_us,
			.data = u.data,
			.len = u.len };
		go_on = fn(&r, arg);
	}
	buf_release(&key);
	if (a->damaged) {
		struct record rest = *outer;
		rest.subsequence = a->next;
		rest.unusable = "from one on, its records point outside of its tables";
		go_on = fn(&rest, arg);
	}
	return go_on ? UNPACK_ALL : UNPACK_STOPPED;
}

enum unpacked unpack_record(const struct record *r, const char *first_hash, const char *last_hash,
	bool (*fn)(const struct record *r, void *arg), void *arg)
{
	struct aggregate a;
	enum unpacked result = UNPACK_ELSEWHERE;
	if (r->unusable || !aggregate_open(&a, r->data, r->len))
		return fn(r, arg) ? UNPACK_ALL : UNPACK_STOPPED;
	if (aggregate_belongs(&a, first_hash, last_hash))
		result = each(&a, r, fn, arg);
	aggregate_close(&a);
	return result;
}
