/* http.c - one HTTP exchange: drive libcurl until it is done, late, stopped or cancelled. */
#include "net/http.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/stop.h"
#include "net/http_exchange.h"

#include <string.h>

#define POLL_MAX_MS 60000

/* Times count from the last byte in the body, from the whole request on its way for the first byte. */
static void note_progress(struct exchange *x)
{
	curl_off_t up = 0;

	if (x->phase != SENDING)
		return;
	curl_easy_getinfo(x->conn->easy, CURLINFO_SIZE_UPLOAD_T, &up);
	if (up != x->uploaded) {
		x->uploaded = up;
		x->active = clock_mono_ms();
	}
	if ((size_t)up >= x->req->body_len) {
		x->phase = WAITING;
		x->sent = x->active;
	}
}

static void consider(int64_t since, int64_t limit, enum verdict late, int64_t *due, enum verdict *which)
{
	if (limit > 0 && since + limit < *due) {
		*due = since + limit;
		*which = late;
	}
}

/* How long nothing may happen; 0 with the verdict set when a time-out has passed. */
static int64_t time_left(struct exchange *x)
{
	int64_t now = clock_mono_ms(), due = now + POLL_MAX_MS;
	enum verdict late = NO_VERDICT;

	consider(x->start, x->limits.total, LATE_TOTAL, &due, &late);
	/* One byte a second keeps the idle time-out from striking for ever. */
	if (x->limits.slow > 0) {
		int64_t moved = x->uploaded + x->received;
		consider(x->start + x->away, moved > x->limits.slow ? moved : x->limits.slow, LATE_SLOW, &due,
			&late);
	}
	switch (x->phase) {
	case CONNECTING: consider(x->start, x->limits.connect, LATE_CONNECT, &due, &late); break;
	case WAITING: consider(x->sent, x->limits.first_byte, LATE_FIRST_BYTE, &due, &late); break;
	case SENDING:
	case RECEIVING: consider(x->active, x->limits.idle, LATE_IDLE, &due, &late); break;
	}
	if (due > now)
		return due - now;
	x->verdict = late;
	return 0;
}

static bool is_over(const CURLM *multi, CURLcode *rc)
{
	int left;

	for (CURLMsg *m; (m = curl_multi_info_read((CURLM *)multi, &left));)
		if (m->msg == CURLMSG_DONE) {
			*rc = m->data.result;
			return true;
		}
	return false;
}

static CURLcode drive(struct exchange *x)
{
	struct curl_waitfd stop = { .fd = x->cancel_on_stop ? stop_fd() : -1, .events = CURL_WAIT_POLLIN };
	CURLM *multi = x->conn->multi;
	CURLcode rc = CURLE_OK;
	int running, events;

	if (curl_multi_add_handle(multi, x->conn->easy))
		return CURLE_FAILED_INIT;
	while (!x->verdict) {
		int64_t wait;
		if ((x->cancel_on_stop && stop_requested()) || http_cancelled(x->client, x->cancels)) {
			x->verdict = STOPPED;
			break;
		}
		if (curl_multi_perform(multi, &running)) {
			rc = CURLE_FAILED_INIT;
			break;
		}
		note_progress(x);
		if (is_over(multi, &rc))
			break;
		wait = time_left(x);
		if (wait)
			curl_multi_poll(multi, &stop, stop.fd >= 0, (int)wait, &events);
	}
	curl_multi_remove_handle(multi, x->conn->easy);
	return rc;
}

static void begin(struct exchange *x)
{
	http_resp_release(x->resp);
	buf_init(&x->resp->body, BUF_MAX_HTTP);
	x->phase = CONNECTING;
	x->uploaded = x->received = 0;
	x->header_bytes = 0;
	x->headers_done = false;
	x->why[0] = 0;
}

/* A server may close a kept connection just as we send. libcurl notices most of these and begins anew; what
 * it misses (now and then, a reset in the midst of a large body) is tried once more on a new connection, if
 * no byte came back. */
static bool was_dead_on_arrival(struct exchange *x, CURLcode rc)
{
	long opened = 0;

	if (x->verdict || x->fresh || x->header_bytes)
		return false;
	if (rc != CURLE_SEND_ERROR && rc != CURLE_RECV_ERROR && rc != CURLE_GOT_NOTHING)
		return false;
	curl_easy_getinfo(x->conn->easy, CURLINFO_NUM_CONNECTS, &opened);
	return opened == 0;
}

static int run(struct exchange *x, const struct url_parts *url, struct err *e)
{
	CURLcode rc;
	long status = 0;

	do {
		bool again = x->lines != NULL;
		begin(x);
		curl_slist_free_all(x->lines);
		x->lines = NULL;
		x->fresh = again;
		if (http_setup(x, url, e))
			return -1;
		rc = drive(x);
	} while (was_dead_on_arrival(x, rc));
	curl_easy_getinfo(x->conn->easy, CURLINFO_RESPONSE_CODE, &status);
	x->resp->status = (int)status;
	x->resp->done_ms = clock_now_ms();
	/* libcurl takes a connection that closes between two header lines for the end of an empty answer. */
	if (!x->verdict && !rc && !x->headers_done)
		rc = CURLE_PARTIAL_FILE;
	return x->verdict || rc ? http_failure(x, rc, url, e) : 0;
}

int http_do(struct http_client *c, const struct http_req *req, const struct http_timeouts *t,
	bool cancel_on_stop, http_on_body *on_body, void *arg, struct http_resp *resp, struct err *e)
{
	struct exchange x = { .client = c, .req = req, .limits = t ? *t : c->timeouts, .on_body = on_body };
	struct err unseen;
	struct url_parts url;
	int rc;

	*resp = (struct http_resp){ 0 };
	buf_init(&resp->body, BUF_MAX_HTTP);
	e = e ? e : &unseen;
	err_clear(e);
	x.arg = arg;
	x.resp = resp;
	x.cancel_on_stop = cancel_on_stop;
	if (url_split(req->url, &url, e))
		return -1;
	x.conn = http_conn_take(c, &x.cancels);
	if (!x.conn)
		return err_set(e, ERR_LOCAL, "memory", "cannot set up libcurl");
	x.start = clock_mono_ms();
	rc = run(&x, &url, e);
	curl_slist_free_all(x.lines);
	curl_easy_reset(x.conn->easy); /* it points to this stack */
	http_conn_give(c, x.conn);
	return rc;
}
