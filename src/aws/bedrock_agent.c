/* bedrock_agent.c - the agent contract on InvokeAgent of bedrock-agent-runtime. */
#include "aws/bedrock_agent.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/aws_error.h"
#include "aws/walk.h"
#include "base/digest.h"
#include "base/mem.h"
#include "net/eventstream.h"
#include "net/sigv4.h"

#define IDLE_MS (300 * 1000) /* a model may think for minutes before its first byte */

struct bedrock {
	struct agent base;
	struct aws_client *client;
	char id[65], alias[65];
};

static int misread(struct err *e, const char *what)
{
	return err_set(e, ERR_UNAVAILABLE, "bad-answer", "%s", what);
}

/* {"bytes":"<base64>","attribution":..}: the bytes may end inside a character, the next chunk's go on
 * there. */
static int take_chunk(const struct es_message *m, struct buf *answer, struct err *e)
{
	struct walk w;
	struct walk_text name, t = { 0 };
	bool first = true;

	walk_init(&w, (const char *)m->payload, m->payload_len);
	if (!walk_object(&w))
		w.bad = true;
	while (walk_member(&w, &first, &name)) {
		if (!walk_is(&name, "bytes")) {
			walk_skip(&w);
			continue;
		}
		if (!walk_string(&w, &t) || t.escaped)
			w.bad = true;
		else if (t.n && !b64_decode(answer, t.p, t.n))
			w.bad = true;
	}
	if (answer->over)
		return err_set(
			e, ERR_FAILED, "too-large", "the agent's answer is over %zu bytes", answer->max);
	return w.bad ? misread(e, "a chunk of the agent's answer can't be read") : 0;
}

static void header_text(const struct es_message *m, const char *name, char *out, size_t cap)
{
	const struct es_header *h = es_header(m, name);

	out[0] = '\0';
	if (h && h->type == ES_STRING)
		snprintf(out, cap, "%.*s", (int)(h->value_len < cap ? h->value_len : cap - 1),
			(const char *)h->value);
}

/* An exception or error message ends the stream. Its reply had status 200, so only the name tells the
 * class. */
static int stream_error(const struct es_message *m, struct err *e)
{
	char code[64], message[400];
	bool exception = es_header_is(m, ":message-type", "exception");

	header_text(m, exception ? ":exception-type" : ":error-code", code, sizeof code);
	header_text(m, ":error-message", message, sizeof message);
	if (exception) {
		cJSON *tree = json_tree((const char *)m->payload, m->payload_len, NULL);
		const char *text = json_str(tree, "message");
		snprintf(message, sizeof message, "%s", text ? text : "");
		cJSON_Delete(tree);
	}
	if (!code[0])
		snprintf(code, sizeof code, "unknown");
	return err_set(e, aws_fault_class(0, code), code, "%s (in the answer's stream)%s%s", code,
		message[0] ? ": " : "", message);
}

static int take_message(const struct es_message *m, struct buf *answer, struct err *e)
{
	if (!es_header_is(m, ":message-type", "event"))
		return stream_error(m, e);
	if (es_header_is(m, ":event-type", "chunk"))
		return take_chunk(m, answer, e);
	if (es_header_is(m, ":event-type", "returnControl"))
		return err_set(e, ERR_FAILED, "return-control",
			"the agent wants an action of its action group done by the caller (returnControl); "
			"recagent needs "
			"an agent that answers by itself");
	return 0; /* traces, files, and what is yet to be invented */
}

/* The whole body is at hand: a stream that broke is then an answer that never came, and can be asked for
 * again. */
static int decode(struct aws_call *call, void *arg, struct err *e)
{
	struct buf *answer = arg;
	const char *type = http_resp_header(&call->resp, "content-type");
	struct es_decoder d;
	struct es_message m;
	int rc;

	buf_reset(answer);
	if (!type || strncmp(type, "application/vnd.amazon.eventstream", 34) != 0)
		return misread(e, "the answer is no event stream (a proxy?)");
	es_init(&d);
	rc = es_feed(&d, call->resp.body.p ? call->resp.body.p : "", call->resp.body.len, e);
	while (!rc) {
		int got = es_next(&d, &m, e);
		if (got <= 0) {
			rc = got < 0 ? -1 : es_finish(&d, e);
			break;
		}
		rc = take_message(&m, answer, e);
	}
	es_release(&d);
	if (rc)
		buf_reset(answer);
	return rc;
}

static bool build(const struct bedrock *b, const struct agent_question *q, struct buf *path, struct buf *body)
{
	buf_printf(path, "/agents/%s/agentAliases/%s/sessions/", b->id, b->alias);
	uri_encode(path, q->session, strlen(q->session), false);
	buf_str(path, "/text");
	buf_str(body, "{\"inputText\":");
	json_quote(body, q->prompt, q->prompt_len);
	buf_char(body, '}');
	return !path->over && !body->over;
}

static int ask(struct agent *a, const struct agent_question *q, struct buf *answer, struct err *e)
{
	struct bedrock *b = (struct bedrock *)a;
	struct buf path = BUF_INIT(BUF_MAX_SMALL), body = BUF_INIT(BUF_MAX_PROMPT + BUF_MAX_SMALL);
	int64_t idle = q->timeout_ms > 0 ? q->timeout_ms : IDLE_MS;
	const struct http_timeouts t = { .first_byte = idle, .idle = idle, .total = q->timeout_ms };
	struct aws_call call = {
		.op = "InvokeAgent", .timeouts = &t, .check = decode, .arg = answer, .keep_on_stop = true
	};
	int rc = 0;

	if (!build(b, q, &path, &body))
		rc = err_set(e, ERR_FAILED, "too-large", "the prompt is over %zu bytes", BUF_MAX_PROMPT);
	call.path = path.p;
	call.body = body.p;
	call.body_len = body.len;
	if (!rc)
		rc = aws_send(b->client, &call, e);
	http_resp_release(&call.resp);
	buf_release(&path);
	buf_release(&body);
	return rc;
}

static void close_agent(struct agent *a)
{
	struct bedrock *b = (struct bedrock *)a;

	aws_client_close(b->client);
	free(b);
}

int bedrock_agent_open(
	struct aws_shared *s, const char *agent_id, const char *alias, struct agent **out, struct err *e)
{
	static const struct agent_ops ops = { .ask = ask, .close = close_agent };
	struct bedrock *b = mem_alloc(sizeof *b);

	if (aws_client_open(&b->client, s, AWS_BEDROCK_AGENT, e)) {
		free(b);
		return -1;
	}
	b->base.ops = &ops;
	snprintf(b->id, sizeof b->id, "%s", agent_id);
	snprintf(b->alias, sizeof b->alias, "%s", alias);
	snprintf(b->base.name, sizeof b->base.name, "%s/%s", b->id, b->alias);
	*out = &b->base;
	return 0;
}
