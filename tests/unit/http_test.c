/* http_test.c - exchanges against a scripted server: what goes out, and every way an answer can fail.
 * Time, stop and reuse are in http_conn_test.c, TLS in http_tls_test.c. */
#define _GNU_SOURCE
#include "net/http.h"
#include "base/clock.h"
#include "net_server.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define BLOCK 65536
static char block[BLOCK + 1]; /* filled in main */

struct row {
	const char *name;
	struct step steps[10];
	struct http_timeouts t;
	const char *want;    /* body, or error code */
	const char *or_want; /* as good an error, NULL: none */
	int status;          /* 0: an error */
	int64_t after_ms;    /* how long it must take, at least */
};

static const struct row rows[] = {
	{ "content length", { ACCEPT, READ, SEND(OK) }, .want = "ok", .status = 200 },
	{ "chunked, with a trailer",
		{ ACCEPT, READ,
			SEND("HTTP/1.1 200 OK\r\nTransfer-Encoding: "
			     "chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\nX: y\r\n\r\n") },
		.want = "ok", .status = 200 },
	{ "until close", { ACCEPT, READ, SEND("HTTP/1.1 200 OK\r\n\r\nok"), CLOSE }, .want = "ok",
		.status = 200 },
	{ "no content", { ACCEPT, READ, SEND("HTTP/1.1 204 No Content\r\n\r\n") }, .want = "",
		.status = 204 },
	{ "error status is an answer",
		{ ACCEPT, READ, SEND("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy") }, .want = "busy",
		.status = 503 },
	{ "redirect is not followed",
		{ ACCEPT, READ,
			SEND("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: "
			     "0\r\n\r\n") },
		.want = "", .status = 302 },
	{ "interim answers",
		{ ACCEPT, READ,
			SEND("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: "
			     "x\r\n\r\n" OK) },
		.want = "ok", .status = 200 },
	{ "gzip is not undone",
		{ ACCEPT, READ,
			SEND("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: "
			     "2\r\n\r\nok") },
		.want = "ok", .status = 200 },
	{ "slow but in time", { ACCEPT, READ, PAUSE(100), DRIP(OK, 12) }, .t = { 1000, 2000, 250, 10000 },
		.want = "ok", .status = 200, .after_ms = 400 },

	{ "closed without an answer", { ACCEPT, READ, CLOSE }, .want = "reset" },
	{ "reset without an answer", { ACCEPT, READ, RESET }, .want = "reset" },
	/* The reset may overtake the client's own look at its new connection. */
	{ "reset before the request is read", { ACCEPT, RESET }, .want = "reset", .or_want = "connect" },
	{ "closed inside the headers", { ACCEPT, READ, SEND("HTTP/1.1 200 O"), CLOSE }, .want = "reset" },
	{ "closed between header lines",
		{ ACCEPT, READ, SEND("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"), CLOSE },
		.want = "truncated" },
	{ "closed behind the status line", { ACCEPT, READ, SEND("HTTP/1.1 200 OK\r\n"), CLOSE },
		.want = "truncated" },
	{ "closed behind an interim answer", { ACCEPT, READ, SEND("HTTP/1.1 100 Continue\r\n\r\n"), CLOSE },
		.want = "reset" },
	{ "closed inside the body", { ACCEPT, READ, SEND(OK_HEAD "o"), CLOSE }, .want = "truncated" },
	{ "closed before the body", { ACCEPT, READ, SEND(OK_HEAD), CLOSE }, .want = "truncated" },
	{ "closed inside a chunk",
		{ ACCEPT, READ, SEND("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok"), CLOSE },
		.want = "truncated" },
	{ "closed before the last chunk",
		{ ACCEPT, READ, SEND("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"),
			CLOSE },
		.want = "truncated" },
	{ "bad chunk size",
		{ ACCEPT, READ, SEND("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n") },
		.want = "reset" },
	{ "not HTTP", { ACCEPT, READ, SEND("SSH-2.0-OpenSSH_9.2\r\n"), CLOSE }, .want = "reset" },
	{ "one huge header",
		{ ACCEPT, READ, SEND("HTTP/1.1 200 OK\r\nHuge: "), FLOOD("0123456789abcdef", 20000),
			SEND("\r\n\r\n") },
		.want = "too-large" },
	{ "endless headers", { ACCEPT, READ, SEND("HTTP/1.1 200 OK\r\n"), FLOOD("X: y\r\n", 100000) },
		.want = "too-large" },
	{ "body over the ceiling",
		{ ACCEPT, READ, SEND("HTTP/1.1 200 OK\r\n\r\n"), FLOOD(block, (64 << 20) / BLOCK + 1) },
		.want = "too-large" },

	{ "late first byte", { ACCEPT, READ, PAUSE(9000) }, .t = { .first_byte = 150, .idle = 50 },
		.want = "timeout-first-byte", .after_ms = 150 },
	{ "late next byte", { ACCEPT, READ, SEND(OK_HEAD "o"), PAUSE(9000) },
		.t = { .first_byte = 5000, .idle = 120 }, .want = "timeout-idle", .after_ms = 120 },
	{ "drip beyond the total", { ACCEPT, READ, SEND(OK_HEAD), DRIP("o", 9000) },
		.t = { .first_byte = 50, .total = 200 }, .want = "timeout-total", .after_ms = 200 },
	{ "drip that the idle time-out never sees", { ACCEPT, READ, SEND(OK_HEAD), DRIP("o", 9000) },
		.t = { .idle = 5000, .slow = 200 }, .want = "timeout-slow", .after_ms = 200 },
	{ "never accepted, never answered", { PAUSE(9000) }, .t = { .connect = 5000, .first_byte = 100 },
		.want = "timeout-first-byte", .after_ms = 100 },
};

static void check_row(const struct row *r)
{
	struct http_client *c = client_with(r->t);
	struct http_resp resp;
	struct server s;
	struct err e = { 0 };
	int64_t took = clock_mono_ms();
	int rc;

	server_start(&s, r->steps);
	rc = get(c, s.port, &resp, &e);
	took = clock_mono_ms() - took;
	server_stop(&s);
	if (rc != (r->status ? 0 : -1))
		fail_msg("%s: got %d: %s %s", r->name, rc, e.code, e.msg);
	if (r->status && (resp.status != r->status || strcmp(resp.body.p ? resp.body.p : "", r->want) != 0))
		fail_msg("%s: status %d, body '%s'", r->name, resp.status, resp.body.p);
	if (r->status && (http_resp_header(&resp, "link") || http_resp_header(&resp, "x")))
		fail_msg("%s: a header of an interim answer or a trailer is left", r->name);
	if (!r->status && strcmp(e.code, r->want) != 0 && !(r->or_want && strcmp(e.code, r->or_want) == 0))
		fail_msg("%s: error %s, want %s (%s)", r->name, e.code, r->want, e.msg);
	if (!r->status && e.cls != (strcmp(r->want, "too-large") ? ERR_UNAVAILABLE : ERR_FAILED))
		fail_msg("%s: class %s", r->name, err_class_name(e.cls));
	if (took < r->after_ms || (r->after_ms && !r->status && took > r->after_ms + SLACK_MS))
		fail_msg("%s: took %lld ms", r->name, (long long)took);
	if (resp.delivered)
		fail_msg("%s: says it was delivered", r->name);
	http_resp_release(&resp);
	http_client_free(c);
	buf_release(&s.request);
}

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(&rows[i]);
}

static void test_refused(void **state)
{
	struct http_client *c = client_with((struct http_timeouts){ 0 });
	struct http_resp resp;
	struct server s;
	struct err e = { 0 };

	(void)state;
	server_start(&s, (struct step[]){ END });
	server_stop(&s); /* nobody listens on its port now */
	assert_int_equal(get(c, s.port, &resp, &e), -1);
	assert_string_equal(e.code, "connect");
	http_resp_release(&resp);
	http_client_free(c);
}

/* A listener with a full backlog drops connection requests as a dead network does. */
static void test_connect_timeout(void **state)
{
	struct http_client *c = client_with((struct http_timeouts){ .connect = 200 });
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int listener = socket(AF_INET, SOCK_STREAM, 0), fill[8];
	struct http_resp resp;
	struct err e = { 0 };
	int64_t took;

	(void)state;
	assert_int_equal(bind(listener, (struct sockaddr *)&at, len) | listen(listener, 0), 0);
	getsockname(listener, (struct sockaddr *)&at, &len);
	for (size_t i = 0; i < ARRAY_LEN(fill); i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fill[i], (struct sockaddr *)&at, len);
	}
	took = clock_mono_ms();
	assert_int_equal(get(c, ntohs(at.sin_port), &resp, &e), -1);
	took = clock_mono_ms() - took;
	assert_string_equal(e.code, "timeout-connect");
	assert_in_range(took, 195, 200 + SLACK_MS);
	for (size_t i = 0; i < ARRAY_LEN(fill); i++)
		close(fill[i]);
	close(listener);
	http_resp_release(&resp);
	http_client_free(c);
}

static void test_dns(void **state)
{
	struct http_client *c = client_with((struct http_timeouts){ .total = 20000 });
	struct http_req req;
	struct http_resp resp;
	struct err e = { 0 };

	(void)state;
	http_req_init(&req, "GET", "http://no-such-host.invalid/");
	assert_int_equal(http_do(c, &req, NULL, false, NULL, NULL, &resp, &e), -1);
	assert_string_equal(e.code, "dns");
	http_resp_release(&resp);
	http_req_release(&req);
	http_client_free(c);
}

static void test_bad_urls(void **state)
{
	static const char *const urls[] = { "", "h", "file:///etc/passwd", "ftp://h/", "http://",
		"http://u@h/", "http://h:99999/", "http://h/\n" };
	struct http_client *c = client_with((struct http_timeouts){ 0 });

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct http_req req;
		struct http_resp resp;
		struct err e = { 0 };
		http_req_init(&req, "GET", urls[i]);
		if (!http_do(c, &req, NULL, false, NULL, NULL, &resp, &e) || strcmp(e.code, "bad-url") != 0)
			fail_msg("%s: %s", urls[i], e.code);
		http_resp_release(&resp);
		http_req_release(&req);
	}
	http_client_free(c);
}

static void test_what_is_sent(void **state)
{
	static const struct {
		const char *method, *target, *body;
		bool as_is;
		const char *want; /* with %d for the port */
	} sent[] = {
		{ "GET", "/a/../b%3Ac?x=%2A&y", NULL, true,
			"GET /a/../b%%3Ac?x=%%2A&y HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: "
			"recagent-test/1\r\n"
			"Accept-Encoding: identity\r\nX-Empty:\r\nX-Amz-Target: a\r\n\r\n" },
		{ "POST", "/", "{}", false,
			"POST / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: recagent-test/1\r\n"
			"Accept-Encoding: identity\r\nX-Empty:\r\nX-Amz-Target: a\r\nContent-Length: "
			"2\r\n\r\n{}" },
		{ "POST", "/", NULL, false,
			"POST / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: recagent-test/1\r\n"
			"Accept-Encoding: identity\r\nX-Empty:\r\nX-Amz-Target: a\r\nContent-Length: "
			"0\r\n\r\n" },
		{ "PUT", "/k", "v", true,
			"PUT /k HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: recagent-test/1\r\n"
			"Accept-Encoding: identity\r\nX-Empty:\r\nX-Amz-Target: a\r\nContent-Length: "
			"1\r\n\r\nv" },
		{ "DELETE", "", NULL, false,
			"DELETE / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: recagent-test/1\r\n"
			"Accept-Encoding: identity\r\nX-Empty:\r\nX-Amz-Target: a\r\n\r\n" },
	};
	struct http_client *c = client_with((struct http_timeouts){ .total = 5000 });

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
		struct buf want = BUF_INIT(BUF_MAX_SMALL);
		struct http_req req;
		struct http_resp resp;
		struct server s;
		struct err e = { 0 };
		server_start(&s, (struct step[]){ ACCEPT, READ, SEND(OK), END });
		request_to(&req, sent[i].method, s.port, sent[i].target);
		req.path_as_is = sent[i].as_is;
		req.body = sent[i].body;
		req.body_len = sent[i].body ? strlen(sent[i].body) : 0;
		http_header_set(&req, "X-Empty", "");
		http_header_set(&req, "X-Amz-Target", "a");
		if (http_do(c, &req, NULL, false, NULL, NULL, &resp, &e))
			fail_msg("%s: %s", sent[i].method, e.msg);
		server_stop(&s);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		buf_printf(&want, sent[i].want, s.port);
#pragma GCC diagnostic pop
		if (strcmp(s.request.p, want.p) != 0)
			fail_msg("%s %s sent\n%s", sent[i].method, sent[i].target, s.request.p);
		buf_release(&want);
		buf_release(&s.request);
		http_resp_release(&resp);
		http_req_release(&req);
	}
	http_client_free(c);
}

static void test_head(void **state)
{
	struct http_client *c = client_with((struct http_timeouts){ .total = 5000 });
	struct http_req req;
	struct http_resp resp;
	struct server s;
	struct err e = { 0 };

	(void)state;
	server_start(&s, (struct step[]){ ACCEPT, READ,
				 SEND("HTTP/1.1 404 Not Found\r\nContent-Length: 500\r\nX-Amz-Request-ID: "
				      " r1 \r\n\r\n"),
				 END });
	request_to(&req, "HEAD", s.port, "/k");
	assert_int_equal(http_do(c, &req, NULL, false, NULL, NULL, &resp, &e), 0);
	assert_int_equal(resp.status, 404);
	assert_int_equal(resp.body.len, 0);
	assert_string_equal(http_resp_header(&resp, "x-amz-request-id"), "r1");
	assert_null(http_resp_header(&resp, "x-missing"));
	server_stop(&s);
	buf_release(&s.request);
	http_resp_release(&resp);
	http_req_release(&req);
	http_client_free(c);
}

static void test_many_headers(void **state)
{
	struct http_client *c = client_with((struct http_timeouts){ .total = 5000 });
	struct http_resp resp;
	struct server s;
	struct err e = { 0 };

	(void)state;
	server_start(&s, (struct step[]){ ACCEPT, READ, SEND("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"),
				 FLOOD("X-Y: z\r\n", 200), SEND("\r\nok"), END });
	assert_int_equal(get(c, s.port, &resp, &e), 0);
	assert_int_equal(resp.nheaders, HTTP_MAX_HEADERS);
	assert_string_equal(resp.body.p, "ok");
	server_stop(&s);
	buf_release(&s.request);
	http_resp_release(&resp);
	http_client_free(c);
}

struct taken {
	struct buf all;
	int calls, stop_at;
	struct err *err;
};

static bool take(const char *p, size_t n, void *arg)
{
	struct taken *t = arg;

	buf_add(&t->all, p, n);
	if (++t->calls != t->stop_at)
		return true;
	if (t->err)
		err_set(t->err, ERR_UNAVAILABLE, "bad-frame", "the reader's own reason");
	return false;
}

static int take_from(const struct step *steps, struct taken *t, struct http_resp *resp, struct err *e)
{
	struct http_client *c = client_with((struct http_timeouts){ .total = 5000 });
	struct http_req req;
	struct server s;
	int rc;

	server_start(&s, steps);
	request_to(&req, "POST", s.port, "/");
	buf_init(&t->all, BUF_MAX_SMALL);
	rc = http_do(c, &req, NULL, false, take, t, resp, e);
	server_stop(&s);
	buf_release(&s.request);
	http_req_release(&req);
	http_client_free(c);
	return rc;
}

static void test_on_body(void **state)
{
	const struct step good[] = { ACCEPT, READ, SEND(OK_HEAD "o"), PAUSE(50), SEND("k"), END };
	const struct step cut[] = { ACCEPT, READ, SEND(OK_HEAD "o"), CLOSE, END };
	const struct step bad[] = { ACCEPT, READ, SEND("HTTP/1.1 500 Oh\r\nContent-Length: 4\r\n\r\nwhat"),
		END };
	struct taken t = { 0 };
	struct http_resp resp;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(take_from(good, &t, &resp, &e), 0);
	assert_string_equal(t.all.p, "ok");
	assert_true(t.calls == 2 && resp.delivered && !resp.body.len);
	buf_release(&t.all);
	http_resp_release(&resp);

	t = (struct taken){ 0 };
	assert_int_equal(take_from(cut, &t, &resp, &e), -1);
	assert_string_equal(e.code, "truncated");
	assert_true(resp.delivered);
	buf_release(&t.all);
	http_resp_release(&resp);

	t = (struct taken){ 0 };
	assert_int_equal(take_from(bad, &t, &resp, &e), 0);
	assert_true(!t.calls && !resp.delivered && resp.status == 500);
	assert_string_equal(resp.body.p, "what");
	buf_release(&t.all);
	http_resp_release(&resp);

	t = (struct taken){ .stop_at = 1 };
	assert_int_equal(take_from(good, &t, &resp, &e), -1);
	assert_string_equal(e.code, "callback");
	buf_release(&t.all);
	http_resp_release(&resp);

	t = (struct taken){ .stop_at = 1, .err = &e };
	assert_int_equal(take_from(good, &t, &resp, &e), -1);
	assert_string_equal(e.code, "bad-frame");
	buf_release(&t.all);
	http_resp_release(&resp);
}

/* The server plays a proxy: the environment sends requests there, unless client or request say not to. */
static void test_proxy(void **state)
{
	struct http_client *c = http_client_new(&(struct http_conf){ .timeouts = { .total = 5000 } });
	struct http_req req;
	struct http_resp resp;
	struct server s;
	struct err e = { 0 };
	char url[64];

	(void)state;
	server_start(&s, (struct step[]){ ACCEPT, READ, SEND(OK), END });
	snprintf(url, sizeof url, "http://127.0.0.1:%d", s.port);
	setenv("http_proxy", url, 1);
	http_req_init(&req, "GET", "http://Service.invalid:8080/x");
	assert_int_equal(http_do(c, &req, NULL, false, NULL, NULL, &resp, &e), 0);
	http_resp_release(&resp);
	req.no_proxy = true;
	assert_int_equal(http_do(c, &req, NULL, false, NULL, NULL, &resp, &e), -1);
	assert_string_equal(e.code, "dns");
	http_resp_release(&resp);
	req.no_proxy = false;
	setenv("no_proxy", ".invalid", 1);
	assert_int_equal(http_do(c, &req, NULL, false, NULL, NULL, &resp, &e), -1);
	assert_string_equal(e.code, "dns");
	unsetenv("http_proxy");
	unsetenv("no_proxy");
	server_stop(&s);
	assert_non_null(strstr(s.request.p, "GET http://Service.invalid:8080/x HTTP/1.1\r\n"));
	assert_non_null(strstr(s.request.p, "\r\nHost: service.invalid:8080\r\n"));
	buf_release(&s.request);
	http_resp_release(&resp);
	http_req_release(&req);
	http_client_free(c);
}

static void test_header_injection(void **state)
{
	struct http_req req;

	(void)state;
	http_req_init(&req, "GET", "https://h/");
	assert_int_equal(http_header_add(&req, "a", "b\r\nX-Evil: 1"), -1);
	assert_int_equal(http_header_set(&req, "a", "b\nc"), -1);
	assert_int_equal(http_header_add(&req, "a b", "c"), -1);
	assert_int_equal(http_header_add(&req, "a:", "c"), -1);
	assert_int_equal(http_header_add(&req, "", "c"), -1);
	assert_int_equal(http_header_set(&req, "a", "tab\tis fine \xc3\xa9"), 0);
	assert_int_equal(http_header_add(&req, "A", "second"), 0);
	assert_int_equal(http_header_set(&req, "a", "only"), 0);
	assert_int_equal(req.nheaders, 1);
	assert_int_equal(http_header_set(&req, "A", NULL), 0);
	assert_int_equal(req.nheaders, 0);
	http_req_release(&req);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_connect_timeout),
		cmocka_unit_test(test_dns),
		cmocka_unit_test(test_bad_urls),
		cmocka_unit_test(test_what_is_sent),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_many_headers),
		cmocka_unit_test(test_on_body),
		cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_header_injection),
	};

	signal(SIGPIPE, SIG_IGN);
	memset(block, 'x', BLOCK);
	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
