/* client.c - one call to an AWS service: attempts, signature, clock skew, fresh credentials. */
#include "aws/client_priv.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "aws/aws_error.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"

#define SKEW_TELLS_MS (4 * 60 * 1000)       /* services refuse a signature five minutes off */
#define SKEW_ROUND_TRIP_MS (15 * 60 * 1000) /* a slower answer says nothing about the clock */
#define SLEEP_SLICE_MS 50

/* One aws_send: what its attempts share. */
struct run {
	struct aws_client *c;
	struct aws_call *call;
	struct retry_call retry;
	enum retry_kind kind; /* of the last failure */
	struct aws_creds creds;
	char id[UUID_LEN + 1];
	char region[64]; /* where S3 says that the bucket lives */
	unsigned cancels;
	int64_t deadline; /* monotonic, 0: none */
	bool refreshed, corrected, moved;
	bool final; /* the error stands, whatever its kind */
};

int aws_client_open(struct aws_client **out, struct aws_shared *s, enum aws_service service, struct err *e)
{
	struct aws_client *c = mem_alloc(sizeof *c);
	struct aws_endpoint_params p = { .url = s->flag_url };
	struct url_parts u;
	int rc;

	memcpy(c->region, s->named_region, sizeof c->region);
	p.region = c->region[0] ? c->region : NULL;
	rc = aws_endpoint_resolve(service, &s->cfg, &s->env, &p, &c->endpoint, e);
	if (!p.region && (rc || !c->endpoint.custom)) {
		/* Only a host name that needs a region is worth asking the machine for one. */
		rc = shared_region(s, c->region, e);
		p.region = c->region;
		if (!rc)
			rc = aws_endpoint_resolve(service, &s->cfg, &s->env, &p, &c->endpoint, e);
	}
	if (!rc)
		rc = url_split(c->endpoint.url, &u, e);
	if (rc) {
		free(c);
		return -1;
	}
	if (!c->region[0])
		memcpy(c->region, c->endpoint.signing_region, sizeof c->region);
	snprintf(c->host, sizeof c->host, "%.*s", (int)u.host_len, c->endpoint.url + u.host_off);
	c->port = u.port;
	c->custom = c->endpoint.custom;
	c->shared = s;
	c->service = service;
	c->policy = retry_policy(service == AWS_DYNAMODB, s->max_attempts);
	c->quota.tokens = RETRY_QUOTA;
	pthread_mutex_init(&c->mu, NULL);
	*out = c;
	return 0;
}

void aws_client_close(struct aws_client *c)
{
	if (!c)
		return;
	pthread_mutex_destroy(&c->mu);
	free(c);
}

const char *aws_client_region(const struct aws_client *c)
{
	return c->region;
}

const char *aws_client_host(const struct aws_client *c)
{
	return c->host;
}

int aws_client_port(const struct aws_client *c)
{
	return c->port;
}

bool aws_client_custom(const struct aws_client *c)
{
	return c->custom;
}

int64_t aws_client_now_ms(const struct aws_client *c)
{
	int64_t skew = atomic_load(&c->skew_ms);

	return clock_now_ms() + (skew > 2000 || skew < -2000 ? skew : 0);
}

bool aws_code_is_throttle(const char *code)
{
	return retry_classify(400, code) == RETRY_THROTTLING;
}

bool aws_code_is_transient(const char *code)
{
	return retry_classify(400, code) == RETRY_TRANSIENT;
}

static const char *operation(const struct aws_call *call)
{
	const char *dot = call->target ? strrchr(call->target, '.') : NULL;

	return call->op ? call->op : dot ? dot + 1 : "request";
}

/* "kinesis us-east-1: PutRecords: " in front of what went wrong. */
static int told(const struct run *r, struct err *e)
{
	return err_prefix(
		e, "%s %s: %s: ", aws_service_info(r->c->service)->name, r->c->region, operation(r->call));
}

/* Each answer's Date says how far this clock is off; a cached one's (Age) does not. */
static void learn_skew(struct aws_client *c, const struct http_resp *resp)
{
	const char *date = http_resp_header(resp, "date");
	int64_t date_s, round_trip = resp->done_ms - resp->sent_ms;

	if (!date || http_resp_header(resp, "age") || !time_parse_http(date, &date_s) || round_trip < 0 ||
		round_trip > SKEW_ROUND_TRIP_MS)
		return;
	atomic_store(&c->skew_ms, date_s * 1000 - (resp->sent_ms + round_trip / 2));
}

static int64_t skew_abs(const struct aws_client *c)
{
	int64_t s = atomic_load(&c->skew_ms);

	return s < 0 ? -s : s;
}

static int fail_with_fault(struct run *r, struct err *e)
{
	struct aws_client *c = r->c;
	int status = r->call->resp.status;
	struct aws_fault f;

	aws_fault_decode(&f, aws_protocol(c->service), &r->call->resp);
	r->kind = retry_classify(status, f.code);
	memcpy(r->region, f.region, sizeof f.region);
	err_set(e, aws_fault_class(status, f.code), f.code, "%s%s%s%s",
		isdigit((unsigned char)f.code[0]) ? "HTTP " : "", f.code, f.message[0] ? ": " : "",
		f.message);
	/* AWS names each error. What has no name is half an answer, or of something in between. */
	if (isdigit((unsigned char)f.code[0]) && c->service != AWS_S3)
		e->cls = ERR_UNAVAILABLE;
	e->http = status;
	snprintf(e->request_id, sizeof e->request_id, "%s", f.request_id);
	if (aws_fault_may_be_skew(f.code) && skew_abs(c) > SKEW_TELLS_MS) {
		size_t n = strlen(e->msg);
		snprintf(e->msg + n, sizeof e->msg - n, " (this machine's clock is %" PRId64 " s %s)",
			skew_abs(c) / 1000, atomic_load(&c->skew_ms) > 0 ? "behind" : "ahead");
	}
	return -1;
}

/* DynamoDB sends the checksum of the body's bytes as they are on the wire. */
static int check_crc(const struct http_resp *resp, struct err *e)
{
	const char *v = http_resp_header(resp, "x-amz-crc32");

	if (!v || strtoull(v, NULL, 10) == crc32_of(resp->body.p ? resp->body.p : "", resp->body.len))
		return 0;
	return err_set(e, ERR_UNAVAILABLE, "bad-checksum", "the answer's checksum is wrong");
}

static int look_into(struct run *r, struct err *e)
{
	struct aws_call *call = r->call;
	int rc = 0;

	if (r->c->service == AWS_DYNAMODB && !call->on_body)
		rc = check_crc(&call->resp, e);
	if (!rc && call->check)
		rc = call->check(call, call->arg, e);
	if (!rc)
		return 0;
	r->kind = retry_classify(400, e->code);
	if (r->kind == RETRY_NO && e->cls == ERR_UNAVAILABLE)
		r->kind = RETRY_TRANSIENT;
	if (!e->request_id[0]) {
		const char *id = http_resp_header(&call->resp, "x-amzn-requestid");
		snprintf(e->request_id, sizeof e->request_id, "%s", id ? id : "");
	}
	return -1;
}

/* -vv: one line per attempt. Never a header, a query or a body: those hold secrets and people's data. */
static void trace(const struct run *r, int64_t ms, const struct err *e)
{
	const struct aws_call *call = r->call;
	const struct http_resp *resp = &call->resp;
	const char *id = http_resp_header(resp, "x-amzn-requestid");
	char answer[160];

	if (log_verbosity() < 2)
		return;
	if (!id)
		id = http_resp_header(resp, "x-amz-request-id");
	if (e)
		snprintf(answer, sizeof answer, "no answer (%s)", e->code);
	else
		snprintf(answer, sizeof answer, "HTTP %d%s%s", resp->status, id ? ", request " : "",
			id ? id : "");
	log_trace("%s %s at %s: attempt %d: %s, %" PRId64 " ms, %zu bytes out, %zu in, credentials from %s",
		aws_service_info(r->c->service)->name, operation(call), r->c->host, call->attempts, answer,
		ms, call->body_len, resp->body.len, r->creds.source);
}

/* The time-outs of this attempt: `total` is what is left of the call's. */
static int time_left(const struct run *r, struct http_timeouts *t, struct err *e)
{
	*t = r->call->timeouts ? *r->call->timeouts : r->c->shared->timeouts;
	if (!t->connect)
		t->connect = r->c->shared->timeouts.connect;
	if (!r->deadline)
		return 0;
	t->total = r->deadline - clock_mono_ms();
	if (t->total > 0)
		return 0;
	return err_set(e, ERR_UNAVAILABLE, "timeout-total", "no time is left for an answer");
}

static int exchange(struct run *r, struct err *e)
{
	struct aws_call *call = r->call;
	struct http_timeouts t;
	struct http_req req = { 0 };
	int rc = time_left(r, &t, e);

	r->final = rc;
	if (!rc) {
		rc = request_build(&req, r->c, call, &r->creds, r->id, e);
		r->final = rc;
	}
	if (!rc) {
		rc = http_do(r->c->shared->http, &req, &t, !call->keep_on_stop, call->on_body,
			call->on_body ? call->arg : NULL, &call->resp, e);
		/* No service answers that much: it was something in between, and may be gone the next time. */
		if (rc && !strcmp(e->code, "too-large"))
			e->cls = ERR_UNAVAILABLE;
		if (rc) {
			r->kind = e->cls == ERR_UNAVAILABLE ? RETRY_TRANSIENT : RETRY_NO;
			r->final = call->resp.delivered || e->cls == ERR_STOPPED ||
				   !strcmp(e->code, "timeout-total");
		}
	}
	http_req_release(&req);
	return rc;
}

/* One attempt. On failure r->kind and r->final say what may follow. */
static int attempt(struct run *r, struct err *e)
{
	struct aws_call *call = r->call;

	call->resp = (struct http_resp){ 0 };
	r->kind = RETRY_NO;
	r->final = false;
	r->region[0] = '\0';
	if (!r->creds.id && aws_provider_get(r->c->shared->provider, &r->creds, e)) {
		r->final = true; /* the provider has made its own attempts, and says it in its own words */
		return -1;
	}
	call->attempts++;
	int64_t sent = clock_mono_ms();
	int rc = exchange(r, e);
	trace(r, clock_mono_ms() - sent, rc ? e : NULL);
	if (rc) {
		if (e->cls != ERR_STOPPED)
			told(r, e);
		return -1;
	}
	learn_skew(r->c, &call->resp);
	if (call->resp.status >= 200 && call->resp.status < 300) {
		if (!look_into(r, e))
			return 0;
	} else {
		fail_with_fault(r, e);
	}
	return told(r, e);
}

/* Credentials that a service calls expired are fetched anew once; asking again with the same ones is idle. */
static bool refreshed(struct run *r, const struct err *e)
{
	struct aws_creds fresh = { 0 };
	struct aws_provider *p = r->c->shared->provider;
	bool differ = false;

	if (r->refreshed || !aws_fault_is_expired(e->code))
		return false;
	r->refreshed = true;
	aws_provider_expire(p, r->creds.id);
	if (!aws_provider_get(p, &fresh, NULL)) {
		differ = strcmp(fresh.id, r->creds.id) != 0 || strcmp(fresh.secret, r->creds.secret) != 0 ||
			 strcmp(fresh.token ? fresh.token : "", r->creds.token ? r->creds.token : "") != 0;
		aws_creds_release(&r->creds);
		r->creds = fresh;
	}
	return differ;
}

/* S3 answers for a bucket elsewhere with 301, 307 or 400 and the bucket's region: move there for good. */
static bool moved(struct run *r)
{
	struct aws_client *c = r->c;
	struct aws_endpoint ep;
	struct aws_endpoint_params p = { .region = r->region, .url = c->shared->flag_url };
	int status = r->call->resp.status;

	if (c->service != AWS_S3 || r->moved || !r->region[0] ||
		(status != 301 && status != 307 && status != 400 && status != 403))
		return false;
	if (aws_endpoint_resolve(AWS_S3, &c->shared->cfg, &c->shared->env, &p, &ep, NULL))
		return false;
	pthread_mutex_lock(&c->mu);
	r->moved = strcmp(c->endpoint.signing_region, ep.signing_region) != 0;
	if (r->moved)
		c->endpoint = ep;
	pthread_mutex_unlock(&c->mu);
	return r->moved;
}

static bool cancelled(const struct run *r)
{
	return atomic_load(&r->c->shared->cancels) != r->cancels;
}

/* Between attempts: ends early for a cancel, and for a stop signal unless the call must be finished. */
static bool pause_ms(const struct run *r, int64_t ms)
{
	int64_t until = clock_mono_ms() + ms;

	for (int64_t left = ms; left > 0 && !cancelled(r); left = until - clock_mono_ms()) {
		int64_t slice = left < SLEEP_SLICE_MS ? left : SLEEP_SLICE_MS;
		const struct timespec ts = { .tv_nsec = (long)slice * 1000000 };
		if (r->call->keep_on_stop)
			nanosleep(&ts, NULL);
		else if (!clock_sleep_ms(slice))
			return false;
	}
	return !cancelled(r);
}

/* After a failed attempt: is there to be another? Waits for its time. */
static bool again(struct run *r, struct err *e)
{
	struct aws_client *c = r->c;
	double delay;

	if (r->final || r->call->no_retry || cancelled(r))
		return false;
	if (refreshed(r, e) || moved(r))
		return true;
	if (!r->corrected && aws_fault_may_be_skew(e->code) && skew_abs(c) > SKEW_TELLS_MS) {
		r->corrected = true;
		r->kind = RETRY_TRANSIENT;
	}
	pthread_mutex_lock(&c->mu);
	delay = retry_failed(&c->quota, &c->policy, &r->retry, r->kind, random_unit(),
		http_resp_header(&r->call->resp, "x-amz-retry-after"));
	pthread_mutex_unlock(&c->mu);
	if (delay < 0 || (r->deadline && clock_mono_ms() + (int64_t)delay >= r->deadline))
		return false;
	if (pause_ms(r, (int64_t)delay))
		return true;
	err_set(e, ERR_STOPPED, "stopped", "stopped");
	return false;
}

static int give_up(struct run *r, struct err *e)
{
	/* Who calls a call off has waited for it long enough; a signal is another matter. */
	if (e->cls == ERR_STOPPED && cancelled(r) && (r->call->keep_on_stop || !stop_requested())) {
		err_set(e, ERR_UNAVAILABLE, "cancelled", "no answer in time");
		told(r, e);
	}
	size_t n = strlen(e->msg);

	if (r->call->attempts > 1 && e->cls != ERR_STOPPED)
		snprintf(e->msg + n, sizeof e->msg - n, " (after %d attempts)", r->call->attempts);
	aws_creds_release(&r->creds);
	return -1;
}

int aws_send(struct aws_client *c, struct aws_call *call, struct err *e)
{
	struct run r = { .c = c, .call = call, .cancels = atomic_load(&c->shared->cancels) };
	int64_t total = call->timeouts ? call->timeouts->total : c->shared->timeouts.total;
	struct err own;

	if (!e)
		e = &own;
	call->attempts = 0;
	if (total > 0)
		r.deadline = clock_mono_ms() + total;
	uuid_v4(r.id);
	while (attempt(&r, e)) {
		if (!again(&r, e))
			return give_up(&r, e);
		http_resp_release(&call->resp);
	}
	pthread_mutex_lock(&c->mu);
	retry_succeeded(&c->quota, &r.retry);
	pthread_mutex_unlock(&c->mu);
	aws_creds_release(&r.creds);
	return 0;
}

int aws_json(struct aws_client *c, const char *target, const cJSON *body, cJSON **answer, struct err *e)
{
	struct buf req = BUF_INIT(BUF_MAX_HTTP);
	struct aws_call call = { .target = target };
	cJSON *tree = NULL;
	int rc = 0;

	/* A first signal ends sources; what filters, ack and a draining consume ask of tables has to go on. */
	const bool dynamodb = !strncmp(target, "DynamoDB_", 9);
	call.keep_on_stop = dynamodb;
	if (body ? !json_print(&req, body) : !buf_str(&req, "{}"))
		rc = err_set(e, ERR_FAILED, "too-large", "the request is too large to send");
	call.body = req.p;
	call.body_len = req.len;
	if (!rc)
		rc = aws_send(c, &call, e);
	if (!rc && answer) {
		/* Some Kinesis calls answer nothing at all; from DynamoDB that would read as "no such item". */
		bool empty = call.resp.body.len == 0 && !dynamodb;
		tree = empty ? cJSON_CreateObject()
			     : json_tree(call.resp.body.p ? call.resp.body.p : "", call.resp.body.len, e);
		if (!cJSON_IsObject(tree)) {
			cJSON_Delete(tree);
			rc = err_set(e, ERR_UNAVAILABLE, "bad-answer",
				"%s %s: %s: the answer is no JSON object", aws_service_info(c->service)->name,
				c->region, operation(&call));
		} else {
			*answer = tree;
		}
	}
	http_resp_release(&call.resp);
	buf_release(&req);
	return rc;
}
