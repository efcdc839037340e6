/* http_answer.c - taking in the bytes of an answer. */
#include "base/clock.h"
#include "base/mem.h"
#include "net/http_exchange.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES_MAX ((size_t)256 << 10) /* of one answer; services send about 1 KB */

int http_on_connected(void *arg, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
	struct exchange *x = arg;

	(void)remote_ip, (void)local_ip, (void)remote_port, (void)local_port;
	x->phase = SENDING;
	x->active = clock_mono_ms();
	x->resp->sent_ms = clock_now_ms();
	return CURL_PREREQFUNC_OK;
}

static void drop_headers(struct http_resp *resp)
{
	while (resp->nheaders) {
		struct http_header *h = &resp->headers[--resp->nheaders];
		free(h->name);
		free(h->value);
	}
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void keep_header(struct http_resp *resp, const char *p, size_t n)
{
	const char *colon = memchr(p, ':', n), *value, *end = p + n;
	struct http_header *h = &resp->headers[resp->nheaders];

	if (!colon || colon == p || resp->nheaders == HTTP_MAX_HEADERS)
		return;
	for (value = colon + 1; value < end && is_blank(*value); value++)
		;
	for (; end > value && is_blank(end[-1]); end--)
		;
	h->name = mem_dup(p, (size_t)(colon - p));
	h->value = mem_dup(value, (size_t)(end - value));
	for (char *c = h->name; *c; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
	resp->nheaders++;
}

/* libcurl hands over one line at a time: a status line (again after each interim answer), headers, the empty
 * line, and trailers behind a chunked body, which nobody here reads. */
size_t http_on_header(char *p, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;

	(void)size;
	x->active = clock_mono_ms();
	x->header_bytes += n;
	if (x->header_bytes > HEADER_BYTES_MAX) {
		x->verdict = TOO_LARGE;
		return 0;
	}
	if (n > 5 && !memcmp(p, "HTTP/", 5)) {
		long status = 0;
		drop_headers(x->resp);
		curl_easy_getinfo(x->conn->easy, CURLINFO_RESPONSE_CODE, &status);
		x->headers_done = false;
		if (status >= 200 && x->phase != RECEIVING) {
			x->phase = RECEIVING;
			x->resp->first_byte_ms = x->active - x->sent;
		}
	} else if (*p == '\r' || *p == '\n') {
		x->headers_done = true;
	} else if (!x->headers_done) {
		keep_header(x->resp, p, n);
	}
	return n;
}

size_t http_on_write(char *p, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	long status = 0;

	(void)size;
	x->received += (curl_off_t)n;
	curl_easy_getinfo(x->conn->easy, CURLINFO_RESPONSE_CODE, &status);
	if (x->on_body && status >= 200 && status < 300) {
		x->resp->delivered = true;
		int64_t began = clock_mono_ms();
		if (!x->on_body(p, n, x->arg))
			x->verdict = CALLBACK;
		x->away += clock_mono_ms() - began;
	} else if (!buf_add(&x->resp->body, p, n)) {
		x->verdict = TOO_LARGE;
	}
	x->active = clock_mono_ms();
	return x->verdict ? 0 : n;
}
