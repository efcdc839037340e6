/* http_conn_test.c - exchanges against a scripted server: times, kept connections that die, many threads,
 * cancel and stop. */
#define _GNU_SOURCE
#include "net/http.h"
#include "base/clock.h"
#include "base/stop.h"
#include "net_server.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void test_times(void **state)
{
	struct http_client *c = client_with((struct http_timeouts){ .total = 5000 });
	int64_t before = clock_now_ms();
	struct http_resp resp;
	struct server s;
	struct err e = { 0 };

	(void)state;
	server_start(&s, (struct step[]){ ACCEPT, READ, PAUSE(80), SEND(OK), END });
	assert_int_equal(get(c, s.port, &resp, &e), 0);
	assert_true(resp.sent_ms >= before && resp.done_ms >= resp.sent_ms + 79 &&
		    resp.done_ms <= clock_now_ms());
	assert_in_range(resp.first_byte_ms, 79, 80 + SLACK_MS);
	server_stop(&s);
	buf_release(&s.request);
	http_resp_release(&resp);
	http_client_free(c);
}

/* Two exchanges; the second meets a connection that dies in some way. */
static void test_reuse(void **state)
{
	static const struct {
		const char *name;
		struct step steps[10];
		size_t body_len; /* of the second */
		int connections, requests;
		const char *error;
	} cases[] = {
		{ "kept", { ACCEPT, READ, SEND(OK), READ, SEND(OK) }, 0, 1, 2, NULL },
		{ "closed in between", { ACCEPT, READ, SEND(OK), CLOSE, ACCEPT, READ, SEND(OK) }, 0, 2, 2,
			NULL },
		{ "closed when the request comes",
			{ ACCEPT, READ, SEND(OK), READ, CLOSE, ACCEPT, READ, SEND(OK) }, 10, 2, 3, NULL },
		{ "reset when the request comes",
			{ ACCEPT, READ, SEND(OK), READ, RESET, ACCEPT, READ, SEND(OK) }, 10, 2, 3, NULL },
		{ "reset inside a large request",
			{ ACCEPT, READ, SEND(OK), READ_SOME(100), RESET, ACCEPT, READ, SEND(OK) }, 20000000,
			2, 2, NULL },
		{ "closed after the answer began",
			{ ACCEPT, READ, SEND(OK), READ, SEND("HTTP/1.1 200 OK\r\n"), CLOSE }, 10, 1, 2,
			"truncated" },
		{ "reset after the answer began", { ACCEPT, READ, SEND(OK), READ, SEND(OK_HEAD), RESET }, 10,
			1, 2, "reset" },
		{ "new connection dead too", { ACCEPT, READ, SEND(OK), READ, RESET, ACCEPT, READ, RESET }, 10,
			2, 3, "reset" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_client *c = client_with((struct http_timeouts){ .total = 10000 });
		char *body = mem_alloc(cases[i].body_len + 1);
		struct http_req req;
		struct http_resp resp;
		struct server s;
		struct err e = { 0 };
		int rc;
		server_start(&s, cases[i].steps);
		if (get(c, s.port, &resp, &e))
			fail_msg("%s: first: %s", cases[i].name, e.msg);
		http_resp_release(&resp);
		request_to(&req, "POST", s.port, "/");
		memset(body, 'x', cases[i].body_len);
		req.body = body;
		req.body_len = cases[i].body_len;
		rc = http_do(c, &req, NULL, false, NULL, NULL, &resp, &e);
		server_stop(&s);
		if (strcmp(rc ? e.code : "", cases[i].error ? cases[i].error : "") != 0)
			fail_msg("%s: second: %d %s", cases[i].name, rc, e.msg);
		if (s.connections != cases[i].connections || s.requests != cases[i].requests)
			fail_msg("%s: %d connections, %d requests", cases[i].name, s.connections, s.requests);
		if (!rc && s.requests == cases[i].requests && request_length(&s.request) != s.request.len)
			fail_msg("%s: the request came twice as long", cases[i].name);
		buf_release(&s.request);
		http_resp_release(&resp);
		http_req_release(&req);
		http_client_free(c);
		free(body);
	}
}

/* The idle time-out must not strike while the service thinks: that is what the first-byte time-out is for. */
static void test_thinking_time(void **state)
{
	static const size_t sizes[] = { 0, 10, 70000, 5000000 };
	const struct http_timeouts t = { .idle = 150, .first_byte = 20000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct http_client *c = client_with(t);
		char *body = mem_alloc(sizes[i] + 1);
		struct http_req req;
		struct http_resp resp;
		struct server s;
		struct err e = { 0 };
		server_start(&s, (struct step[]){ ACCEPT, READ, PAUSE(300), SEND(OK), END });
		request_to(&req, "POST", s.port, "/");
		req.body = body;
		req.body_len = sizes[i];
		if (http_do(c, &req, NULL, false, NULL, NULL, &resp, &e))
			fail_msg("body of %zu bytes: %s", sizes[i], e.msg);
		assert_in_range(resp.first_byte_ms, 280, 300 + SLACK_MS);
		server_stop(&s);
		buf_release(&s.request);
		http_resp_release(&resp);
		http_req_release(&req);
		http_client_free(c);
		free(body);
	}
}

/* A server that takes nothing in: the upload stands still, which the idle time-out ends. */
static void test_stuck_upload(void **state)
{
	struct http_client *c = client_with((struct http_timeouts){ .first_byte = 9000, .idle = 150 });
	size_t n = 30u << 20;
	char *body = mem_alloc(n);
	struct http_req req;
	struct http_resp resp;
	struct server s;
	struct err e = { 0 };

	(void)state;
	server_start(&s, (struct step[]){ ACCEPT, PAUSE(9000), END });
	request_to(&req, "PUT", s.port, "/k");
	req.body = body;
	req.body_len = n;
	assert_int_equal(http_do(c, &req, NULL, false, NULL, NULL, &resp, &e), -1);
	assert_string_equal(e.code, "timeout-idle");
	server_stop(&s);
	http_resp_release(&resp);
	http_req_release(&req);
	http_client_free(c);
	free(body);
}

struct waker {
	struct http_client *client;
	int64_t at; /* when it acted */
};

static void *cancel_soon(void *arg)
{
	struct waker *w = arg;

	poll(NULL, 0, 500); /* later than libcurl's own timers, which would wake it too */
	w->at = clock_mono_ms();
	if (w->client)
		http_client_cancel(w->client);
	else
		stop_now();
	return NULL;
}

static void check_ended(struct waker *w, struct http_client *c, bool cancel_on_stop)
{
	struct http_req req;
	struct http_resp resp;
	struct server s;
	struct err e = { 0 };
	pthread_t t;
	int64_t took;

	server_start(&s, (struct step[]){ ACCEPT, READ, PAUSE(9000), END });
	request_to(&req, "GET", s.port, "/");
	pthread_create(&t, NULL, cancel_soon, w);
	assert_int_equal(http_do(c, &req, NULL, cancel_on_stop, NULL, NULL, &resp, &e), -1);
	took = clock_mono_ms();
	pthread_join(t, NULL);
	assert_int_equal(e.cls, ERR_STOPPED);
	print_message("# ended %lld ms after the wish\n", (long long)(took - w->at));
	assert_in_range(took - w->at, 0, SLACK_MS);
	server_stop(&s);
	buf_release(&s.request);
	http_resp_release(&resp);
	http_req_release(&req);
}

static void test_cancel(void **state)
{
	struct http_client *c = client_with((struct http_timeouts){ 0 });
	struct http_resp resp;
	struct server s;
	struct err e = { 0 };

	(void)state;
	check_ended(&(struct waker){ .client = c }, c, false);
	/* The next exchange is not affected. */
	server_start(&s, (struct step[]){ ACCEPT, READ, SEND(OK), END });
	assert_int_equal(get(c, s.port, &resp, &e), 0);
	server_stop(&s);
	buf_release(&s.request);
	http_resp_release(&resp);
	http_client_free(c);
}

#define THREADS 8
#define CALLS 40

static struct http_client *shared_client;
static int shared_port;
static atomic_int wrong_answers;

static void *call_often(void *arg)
{
	int me = *(int *)arg;

	for (int i = 0; i < CALLS; i++) {
		struct http_req req;
		struct http_resp resp;
		struct err e = { 0 };
		char id[32];
		snprintf(id, sizeof id, "t%d-%d", me, i);
		request_to(&req, "POST", shared_port, "/");
		http_header_set(&req, "X-Id", id);
		if (http_do(shared_client, &req, NULL, false, NULL, NULL, &resp, &e) || !resp.body.p ||
			strcmp(resp.body.p, id) != 0)
			wrong_answers++;
		http_resp_release(&resp);
		http_req_release(&req);
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[THREADS];
	int ids[THREADS];
	struct server s;

	(void)state;
	server_start(&s, NULL);
	shared_client = client_with((struct http_timeouts){ .total = 20000 });
	shared_port = s.port;
	for (int i = 0; i < THREADS; i++) {
		ids[i] = i;
		pthread_create(&threads[i], NULL, call_often, &ids[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	http_client_free(shared_client);
	server_stop(&s);
	assert_int_equal(wrong_answers, 0);
	assert_int_equal(s.requests, THREADS * CALLS);
	assert_in_range(s.connections, 1, THREADS);
}

/* Last: a stop stays for the rest of the process. */
static void test_stop(void **state)
{
	struct http_client *c = client_with((struct http_timeouts){ 0 });
	struct http_resp resp;
	struct server s;
	struct err e = { 0 };

	(void)state;
	stop_install();
	check_ended(&(struct waker){ 0 }, c, true);
	server_start(&s, (struct step[]){ ACCEPT, READ, SEND(OK), END });
	assert_int_equal(get(c, s.port, &resp, &e), 0); /* cancel_on_stop false: a drain goes on */
	server_stop(&s);
	buf_release(&s.request);
	http_resp_release(&resp);
	http_client_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_thinking_time),
		cmocka_unit_test(test_stuck_upload),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_stop),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("http_conn", tests, NULL, NULL);
}
