/* kinesis_put.c - PutRecords: the body is written straight into a reused buffer, the answer read in one
 * pass. */
#include "aws/kinesis_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"

static struct buf take_buffer(struct kinesis *k)
{
	struct buf b = BUF_INIT(BUF_MAX_HTTP);

	pthread_mutex_lock(&k->mu);
	if (k->nspare)
		b = k->spare[--k->nspare];
	pthread_mutex_unlock(&k->mu);
	buf_reset(&b);
	return b;
}

static void give_buffer(struct kinesis *k, struct buf *b)
{
	pthread_mutex_lock(&k->mu);
	if (k->nspare < KINESIS_SPARE) {
		k->spare[k->nspare++] = *b;
		*b = BUF_INIT(BUF_MAX_HTTP);
	}
	pthread_mutex_unlock(&k->mu);
	buf_release(b);
}

static void add_record(struct buf *b, const struct put *p)
{
	buf_str(b, "{\"Data\":\"");
	b64_encode(b, p->data, p->len);
	buf_str(b, "\",\"PartitionKey\":");
	json_quote_str(b, p->partition_key);
	if (p->explicit_hash_key) {
		buf_str(b, ",\"ExplicitHashKey\":");
		json_quote_str(b, p->explicit_hash_key);
	}
	buf_char(b, '}');
}

static bool build_body(struct buf *b, const struct stream *s, const struct put *v, size_t n)
{
	size_t need = 64 + strlen(s->name);

	for (size_t i = 0; i < n; i++)
		need += b64_encoded_len(v[i].len) + strlen(v[i].partition_key) + 96;
	buf_reserve(b, need);
	buf_str(b, "{\"StreamName\":\"");
	buf_str(b, s->name); /* letters, digits, '_', '.', '-' only */
	buf_str(b, "\",\"Records\":[");
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_char(b, ',');
		add_record(b, &v[i]);
	}
	buf_str(b, "]}");
	return !b->over;
}

static void entry_failed(struct put *p, const struct kinesis *k, const char *code, const char *message)
{
	bool passing = aws_code_is_throttle(code) || aws_code_is_transient(code);

	err_set(&p->err, passing ? ERR_UNAVAILABLE : ERR_FAILED, code, "kinesis %s: PutRecords: %s: %s",
		aws_client_region(k->client), code, message);
}

static void read_entry(struct walk *w, const struct kinesis *k, struct put *p)
{
	struct walk_text name, t;
	char code[64], message[400];
	bool first = true;

	code[0] = message[0] = '\0'; /* and not the rest: this runs for every record */

	if (!walk_object(w)) {
		w->bad = true;
		return;
	}
	while (walk_member(w, &first, &name)) {
		bool ok = true;
		if (walk_is(&name, "SequenceNumber"))
			ok = walk_string(w, &t) &&
			     walk_copy(&t, p->sequence_number, sizeof p->sequence_number);
		else if (walk_is(&name, "ShardId"))
			ok = walk_string(w, &t) && walk_copy(&t, p->shard_id, sizeof p->shard_id);
		else if (walk_is(&name, "ErrorCode"))
			ok = walk_string(w, &t) && walk_copy(&t, code, sizeof code);
		else if (walk_is(&name, "ErrorMessage"))
			ok = walk_string(w, &t) && (walk_copy(&t, message, sizeof message) || true);
		else
			walk_skip(w);
		if (!ok)
			w->bad = true;
	}
	if (code[0])
		entry_failed(p, k, code, message);
	else if (!p->sequence_number[0])
		w->bad = true;
}

/* Records[i] answers v[i]. An answer that does not say so of each record leaves nothing known. */
static int read_answer(
	const struct kinesis *k, const struct buf *body, struct put *v, size_t n, struct err *e)
{
	struct walk w;
	struct walk_text name;
	bool first = true;
	size_t got = 0;

	walk_init(&w, body->p, body->len);
	if (!walk_object(&w))
		w.bad = true;
	while (walk_member(&w, &first, &name)) {
		bool first_entry = true;
		if (!walk_is(&name, "Records")) {
			walk_skip(&w);
			continue;
		}
		if (!walk_array(&w))
			continue;
		while (walk_element(&w, &first_entry)) {
			if (got < n)
				read_entry(&w, k, &v[got]);
			else
				walk_skip(&w);
			got++;
		}
	}
	if (!w.bad && got == n)
		return 0;
	return err_set(e, ERR_UNAVAILABLE, "bad-answer",
		"kinesis %s: PutRecords: the answer does not tell of each of the %zu records",
		aws_client_region(k->client), n);
}

int kinesis_put(struct stream *s, struct put *v, size_t n, struct err *e)
{
	struct kinesis *k = (struct kinesis *)s;
	struct buf body = take_buffer(k);
	struct aws_call call = { .target = "Kinesis_20131202.PutRecords", .keep_on_stop = true };
	int rc = 0;

	if (!build_body(&body, s, v, n))
		rc = err_set(e, ERR_FAILED, "too-large",
			"kinesis: PutRecords: the records are too large for a call");
	call.body = body.p;
	call.body_len = body.len;
	if (!rc)
		rc = aws_send(k->client, &call, e);
	if (!rc)
		rc = read_answer(k, &call.resp.body, v, n, e);
	http_resp_release(&call.resp);
	give_buffer(k, &body);
	return rc;
}
