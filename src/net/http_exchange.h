/* http_exchange.h - one exchange on its way, for http.c, http_setup.c and http_answer.c only. */
#ifndef RECAGENT_NET_HTTP_EXCHANGE_H
#define RECAGENT_NET_HTTP_EXCHANGE_H

#include "net/http.h"
#include "net/http_pool.h"

enum phase { CONNECTING, SENDING, WAITING, RECEIVING };

/* Why an exchange was ended from this side. */
enum verdict {
	NO_VERDICT,
	STOPPED,
	CALLBACK,
	TOO_LARGE,
	LATE_CONNECT,
	LATE_FIRST_BYTE,
	LATE_IDLE,
	LATE_SLOW,
	LATE_TOTAL
};

struct exchange {
	struct http_client *client;
	struct http_conn *conn;
	const struct http_req *req;
	struct http_timeouts limits;
	bool cancel_on_stop, fresh;
	unsigned long cancels;
	http_on_body *on_body;
	void *arg;
	struct http_resp *resp;
	struct err *err;

	enum phase phase;
	enum verdict verdict;
	int64_t start, sent, active; /* monotonic ms: begun, request sent whole, last byte either way */
	int64_t away;                /* ms spent in on_body: those are not the service's */
	curl_off_t uploaded, received;
	size_t header_bytes;
	bool headers_done; /* what follows is the body and, when chunked, trailers */
	struct curl_slist *lines;
	char why[CURL_ERROR_SIZE];
};

int http_setup(struct exchange *x, const struct url_parts *url, struct err *e);

/* libcurl's callbacks */
int http_on_connected(void *arg, char *remote_ip, char *local_ip, int remote_port, int local_port);
size_t http_on_header(char *p, size_t size, size_t n, void *arg);
size_t http_on_write(char *p, size_t size, size_t n, void *arg);

/* The error of an exchange that libcurl ended with rc, or that we ended with x->verdict. Returns -1. */
int http_failure(const struct exchange *x, CURLcode rc, const struct url_parts *url, struct err *e);

#endif
