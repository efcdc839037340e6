/* http_req.c - a request's and a response's headers. */
#include "net/http.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int http_req_init(struct http_req *req, const char *method, const char *url)
{
	*req = (struct http_req){ .method = method, .url = mem_strdup(url) };
	return 0;
}

static void remove_at(struct http_req *req, size_t i)
{
	free(req->headers[i].name);
	mem_wipe(req->headers[i].value, strlen(req->headers[i].value));
	free(req->headers[i].value);
	req->nheaders--;
	memmove(&req->headers[i], &req->headers[i + 1], (req->nheaders - i) * sizeof req->headers[0]);
}

/* A name is a token of RFC 9110; a value has no control character but tab, or it could smuggle a
 * second header into the request. */
static bool acceptable(const char *name, const char *value)
{
	if (!*name)
		return false;
	for (; *name; name++)
		if ((unsigned char)*name <= ' ' || (unsigned char)*name >= 0x7f ||
			strchr("\"(),/:;<=>?@[\\]{}", *name))
			return false;
	for (; *value; value++)
		if (((unsigned char)*value < ' ' && *value != '\t') || *value == 0x7f)
			return false;
	return true;
}

int http_header_add(struct http_req *req, const char *name, const char *value)
{
	if (req->nheaders == HTTP_MAX_HEADERS || !acceptable(name, value))
		return -1;
	req->headers[req->nheaders++] =
		(struct http_header){ .name = mem_strdup(name), .value = mem_strdup(value) };
	return 0;
}

int http_header_set(struct http_req *req, const char *name, const char *value)
{
	bool kept = false;

	if (value && !acceptable(name, value))
		return -1;
	if (value && !http_header_get(req, name))
		return http_header_add(req, name, value);
	for (size_t i = 0; i < req->nheaders;) {
		struct http_header *h = &req->headers[i];
		if (strcasecmp(h->name, name) != 0) {
			i++;
		} else if (value && !kept) {
			char *copy = mem_strdup(value);
			free(h->value);
			h->value = copy;
			kept = true;
			i++;
		} else {
			remove_at(req, i);
		}
	}
	return 0;
}

const char *http_header_get(const struct http_req *req, const char *name)
{
	for (size_t i = 0; i < req->nheaders; i++)
		if (!strcasecmp(req->headers[i].name, name))
			return req->headers[i].value;
	return NULL;
}

void http_req_release(struct http_req *req)
{
	while (req->nheaders)
		remove_at(req, req->nheaders - 1);
	free(req->url);
	*req = (struct http_req){ 0 };
}

const char *http_resp_header(const struct http_resp *resp, const char *name)
{
	for (size_t i = 0; i < resp->nheaders; i++)
		if (!strcmp(resp->headers[i].name, name))
			return resp->headers[i].value;
	return NULL;
}

void http_resp_release(struct http_resp *resp)
{
	for (size_t i = 0; i < resp->nheaders; i++) {
		free(resp->headers[i].name);
		free(resp->headers[i].value);
	}
	buf_release(&resp->body);
	*resp = (struct http_resp){ 0 };
}
