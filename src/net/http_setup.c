/* http_setup.c - the libcurl options of one exchange. */
#include "net/http_exchange.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* curl_easy_setopt is variadic: the wrappers make the argument's type certain. An option that this
 * libcurl does not know is left out, but not one that safety depends on: those are checked by tests. */
static void set_long(CURL *h, CURLoption o, long v)
{
	curl_easy_setopt(h, o, v);
}

static void set_text(CURL *h, CURLoption o, const char *v)
{
	curl_easy_setopt(h, o, v);
}

static void set_tls(CURL *h, const struct http_client *c)
{
	set_long(h, CURLOPT_SSL_VERIFYPEER, 1);
	set_long(h, CURLOPT_SSL_VERIFYHOST, 2);
	set_long(h, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	if (!c->ca_file && !c->ca_dir)
		return; /* the defaults of this libcurl */
	set_text(h, CURLOPT_CAINFO, c->ca_file);
	set_text(h, CURLOPT_CAPATH, c->ca_dir);
}

static void set_network(
	CURL *h, const struct http_client *c, const struct http_req *req, const struct http_timeouts *t)
{
	set_long(h, CURLOPT_NOSIGNAL, 1);
	set_long(h, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	set_long(h, CURLOPT_FOLLOWLOCATION, 0);
	set_long(h, CURLOPT_TCP_NODELAY, 1);
	set_long(h, CURLOPT_TCP_KEEPALIVE, 1);
	set_long(h, CURLOPT_BUFFERSIZE, 65536);
	set_long(h, CURLOPT_UPLOAD_BUFFERSIZE, 262144); /* a full call of small records in one piece */
	set_long(h, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1);
	/* With several addresses libcurl shares this time out: a dead one can't use it up. */
	if (t->connect)
		set_long(h, CURLOPT_CONNECTTIMEOUT_MS, (long)t->connect);
#if LIBCURL_VERSION_NUM >= 0x075500
	set_text(h, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	set_long(h, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Else an exchange that is given up waits until its DNS look-up has run to its end. */
	set_long(h, CURLOPT_QUICK_EXIT, 1);
#endif
	if (c->no_proxy || req->no_proxy)
		set_text(h, CURLOPT_PROXY, "");
	if (c->user_agent)
		set_text(h, CURLOPT_USERAGENT, c->user_agent);
}

static void set_request(CURL *h, const struct http_req *req)
{
	bool post = req->body_len || !strcmp(req->method, "POST") || !strcmp(req->method, "PUT") ||
		    !strcmp(req->method, "PATCH");

	set_text(h, CURLOPT_URL, req->url);
	set_long(h, CURLOPT_PATH_AS_IS, req->path_as_is);
	if (post) {
		curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_len);
		set_text(h, CURLOPT_POSTFIELDS, req->body_len ? req->body : "");
		set_long(h, CURLOPT_POST, 1);
	} else if (!strcmp(req->method, "HEAD")) {
		set_long(h, CURLOPT_NOBODY, 1);
		return;
	}
	set_text(h, CURLOPT_CUSTOMREQUEST, req->method);
}

static bool add_line(struct curl_slist **list, const char *name, const char *sep, const char *value)
{
	struct buf line = BUF_INIT(BUF_MAX_SMALL);
	struct curl_slist *more = NULL;

	if (buf_printf(&line, "%s%s%s", name, sep, value))
		more = curl_slist_append(*list, line.p);
	if (more)
		*list = more;
	buf_release(&line);
	return more != NULL;
}

/* What was signed goes out as it was signed; what libcurl would add by itself is kept out. */
static struct curl_slist *make_headers(const struct http_req *req, const struct url_parts *url)
{
	static const char *const unwanted[] = { "Accept", "Content-Type", "Expect" };
	struct buf host = BUF_INIT(BUF_MAX_SMALL);
	struct curl_slist *list = NULL;
	bool ok = url_authority(&host, req->url, url);

	if (ok && !http_header_get(req, "host"))
		ok = add_line(&list, "Host", ": ", host.p);
	if (ok && !http_header_get(req, "accept-encoding"))
		ok = add_line(&list, "Accept-Encoding", ": ", "identity");
	for (size_t i = 0; ok && i < sizeof unwanted / sizeof *unwanted; i++)
		if (!http_header_get(req, unwanted[i]))
			ok = add_line(&list, unwanted[i], ":", "");
	for (size_t i = 0; ok && i < req->nheaders; i++) {
		const struct http_header *header = &req->headers[i];
		ok = add_line(&list, header->name, *header->value ? ": " : ";", header->value);
	}
	buf_release(&host);
	if (ok)
		return list;
	curl_slist_free_all(list);
	return NULL;
}

int http_setup(struct exchange *x, const struct url_parts *url, struct err *e)
{
	CURL *h = x->conn->easy;

	curl_easy_reset(h);
	x->lines = make_headers(x->req, url);
	if (!x->lines)
		return err_set(e, ERR_FAILED, "too-large", "a header is too long to send");
	set_tls(h, x->client);
	set_network(h, x->client, x->req, &x->limits);
	set_request(h, x->req);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, x->lines);
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, x->why);
	curl_easy_setopt(h, CURLOPT_PREREQFUNCTION, http_on_connected);
	curl_easy_setopt(h, CURLOPT_PREREQDATA, x);
	curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, http_on_header);
	curl_easy_setopt(h, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, http_on_write);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, x);
	/* What says beforehand that it is too large need not be fetched. */
	if (!x->on_body && strcmp(x->req->method, "HEAD") != 0)
		curl_easy_setopt(h, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)BUF_MAX_HTTP);
	set_long(h, CURLOPT_FRESH_CONNECT, x->fresh);
	return 0;
}
