/* http_pool.h - the handles of an http_client, for http.c and http_exchange.c only. */
#ifndef RECAGENT_NET_HTTP_POOL_H
#define RECAGENT_NET_HTTP_POOL_H

#include "net/http.h"

#include <curl/curl.h>
#include <pthread.h>

/* A libcurl easy handle in a multi handle of its own, which keeps the connections that it opened. Used
 * by one thread at a time; last used, first taken, so that warm connections stay warm. */
struct http_conn {
	CURL *easy;
	CURLM *multi;
	struct http_conn *next;
};

struct http_client {
	struct http_timeouts timeouts;
	char *ca_file, *ca_dir, *user_agent;
	bool no_proxy;
	pthread_mutex_t lock; /* over all below */
	struct http_conn *idle, *busy;
	unsigned long cancels; /* an exchange ends when this has changed since it began */
};

struct http_conn *http_conn_take(struct http_client *c, unsigned long *cancels);
void http_conn_give(struct http_client *c, struct http_conn *conn);
bool http_cancelled(struct http_client *c, unsigned long since);

#endif
