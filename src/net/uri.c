/* uri.c - percent-encoding and the parts of a URL. User information and fragments are refused: a request
 * to a service has neither, and signer and sender would read them differently. */
#include "net/http.h"
#include "net/sigv4.h"

#include <string.h>
#include <strings.h>

static bool is_unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '.' || c == '_' || c == '~';
}

bool uri_encode(struct buf *out, const char *s, size_t n, bool keep_slash)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		if (is_unreserved(c) || (keep_slash && c == '/'))
			buf_char(out, (char)c);
		else
			buf_add(out, (char[]){ '%', hex[c >> 4], hex[c & 15] }, 3);
	}
	return !out->over;
}

static int parse_port(const char *p, size_t n, int *port)
{
	*port = 0;
	if (!n || n > 5)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		*port = *port * 10 + (p[i] - '0');
	}
	return *port >= 1 && *port <= 65535 ? 0 : -1;
}

/* host, [v6], host:port or [v6]:port at p; everything else is no authority. */
static int split_authority(const char *url, size_t off, size_t n, struct url_parts *out)
{
	const char *p = url + off, *close = *p == '[' ? memchr(p, ']', n) : NULL;
	const char *colon = close ? (close + 1 < p + n ? close + 1 : NULL) : memchr(p, ':', n);

	if (*p == '[' && (!close || close == p + 1))
		return -1;
	if (memchr(p, '@', n) || (close ? NULL : memchr(p, '[', n)))
		return -1;
	out->host_off = off;
	out->host_len = colon ? (size_t)(colon - p) : n;
	if (!out->host_len || (colon && *colon != ':'))
		return -1;
	return colon ? parse_port(colon + 1, n - out->host_len - 1, &out->port) : 0;
}

static bool has_forbidden(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f || *s == '#')
			return true;
	return false;
}

int url_split(const char *url, struct url_parts *out, struct err *e)
{
	const char *sep = strstr(url, "://"), *host, *path, *query;

	*out = (struct url_parts){ 0 };
	if (!sep || has_forbidden(url))
		goto bad;
	out->scheme_len = (size_t)(sep - url);
	if (!((out->scheme_len == 4 && !strncasecmp(url, "http", 4)) ||
		    (out->scheme_len == 5 && !strncasecmp(url, "https", 5))))
		goto bad;
	host = sep + 3;
	path = host + strcspn(host, "/?");
	query = path + strcspn(path, "?");
	if (path == host || split_authority(url, (size_t)(host - url), (size_t)(path - host), out))
		goto bad;
	out->path_off = (size_t)(path - url);
	out->path_len = (size_t)(query - path);
	out->query_off = (size_t)(query - url) + (*query == '?');
	out->query_len = strlen(url + out->query_off);
	return 0;
bad:
	return err_set(
		e, ERR_FAILED, "bad-url", "not a URL of the form http[s]://HOST[:PORT]/PATH: '%s'", url);
}

bool url_authority(struct buf *out, const char *url, const struct url_parts *parts)
{
	int usual = parts->scheme_len == 5 ? 443 : 80;

	for (size_t i = 0; i < parts->host_len; i++) {
		char c = url[parts->host_off + i];
		buf_char(out, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
	}
	if (parts->port && parts->port != usual)
		buf_printf(out, ":%d", parts->port);
	return !out->over;
}
