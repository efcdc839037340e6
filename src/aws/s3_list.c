/* s3_list.c - ListObjectsV2, page by page. */
#include "aws/s3_priv.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/sigv4.h"
#include "net/xml.h"

struct page {
	struct blob_item *v; /* names owned */
	size_t n, cap;
	struct blob_item now; /* the element that is being read */
	char *token;
	bool truncated, bad;
};

static void release_page(struct page *p)
{
	for (size_t i = 0; i < p->n; i++)
		free((char *)p->v[i].name);
	free((char *)p->now.name);
	free(p->v);
	free(p->token);
	*p = (struct page){ 0 };
}

static int hex(char c)
{
	return isdigit((unsigned char)c)    ? c - '0'
	       : isxdigit((unsigned char)c) ? (tolower((unsigned char)c) - 'a' + 10)
					    : -1;
}

/* Keys come percent-encoded (encoding-type=url), since XML can't hold every byte of a key; '+' is a space
 * there. */
static char *decode_key(const char *text)
{
	char *out = mem_strdup(text), *to = out;

	for (const char *p = text; *p; p++) {
		if (*p == '%' && hex(p[1]) >= 0 && hex(p[2]) >= 0) {
			*to++ = (char)(hex(p[1]) * 16 + hex(p[2]));
			p += 2;
		} else {
			*to++ = *p == '+' ? ' ' : *p;
		}
	}
	*to = '\0';
	return out;
}

static void end_item(struct page *p)
{
	if (!p->now.name) {
		p->bad = true;
		return;
	}
	if (p->n == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 256;
		p->v = mem_realloc(p->v, p->cap * sizeof *p->v);
	}
	p->v[p->n++] = p->now;
	p->now = (struct blob_item){ 0 };
}

static void on_element(const char *path, const char *text, void *arg)
{
	static const char root[] = "ListBucketResult/";
	struct page *p = arg;
	int64_t us;

	if (strncmp(path, root, sizeof root - 1) != 0)
		return;
	path += sizeof root - 1;
	if (!strcmp(path, "Contents")) {
		end_item(p);
	} else if (!text) {
		return;
	} else if (!strcmp(path, "Contents/Key")) {
		free((char *)p->now.name);
		p->now.name = decode_key(text);
	} else if (!strcmp(path, "Contents/Size")) {
		p->now.size = strtoull(text, NULL, 10);
	} else if (!strcmp(path, "Contents/LastModified")) {
		if (time_parse(text, strlen(text), &us))
			p->now.modified_s = us / 1000000;
	} else if (!strcmp(path, "IsTruncated")) {
		p->truncated = !strcmp(text, "true");
	} else if (!strcmp(path, "NextContinuationToken")) {
		free(p->token);
		p->token = mem_strdup(text);
	}
}

static void add_param(struct buf *q, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	buf_char(q, '&');
	buf_str(q, name);
	buf_char(q, '=');
	uri_encode(q, value, strlen(value), false);
}

/* A cut or foreign body is found out while the call can still be made again. */
static int read_page(struct aws_call *call, void *arg, struct err *e)
{
	struct page *p = arg;
	const struct buf *b = &call->resp.body;
	struct err why;

	release_page(p);
	if (xml_read(b->p ? b->p : "", b->len, on_element, p, &why) || p->bad || (p->truncated && !p->token))
		return err_set(
			e, ERR_UNAVAILABLE, "bad-answer", "the listing is no XML of the expected form");
	return 0;
}

static int ask_page(
	struct s3 *s, const char *prefix, const char *after, const char *token, struct page *p, struct err *e)
{
	struct buf query = BUF_INIT(BUF_MAX_SMALL), path = BUF_INIT(BUF_MAX_SMALL);
	struct aws_call call = { .op = "ListObjectsV2", .method = "GET", .check = read_page, .arg = p };
	int rc = 0;

	buf_str(&query, "list-type=2&encoding-type=url");
	add_param(&query, "prefix", prefix);
	add_param(&query, "start-after", token ? NULL : after);
	add_param(&query, "continuation-token", token);
	if (query.over || !s3_path(s, NULL, &path))
		rc = err_set(e, ERR_USAGE, "bad-name", "the prefix is too long");
	call.query = query.p;
	call.path = path.p;
	call.host_prefix = s3_host_prefix(s);
	if (!rc)
		rc = aws_send(s->client, &call, e);
	http_resp_release(&call.resp);
	buf_release(&query);
	buf_release(&path);
	return rc;
}

int s3_list(struct blob *b, const char *prefix, const char *after, blob_on_item *fn, void *arg, struct err *e)
{
	struct s3 *s = (struct s3 *)b;
	char *token = NULL;
	int rc = 0;

	do {
		struct page page = { 0 };
		rc = ask_page(s, prefix, after, token, &page, e);
		for (size_t i = 0; !rc && i < page.n; i++)
			rc = fn(&page.v[i], arg, e);
		free(token);
		token = page.truncated && page.token ? mem_strdup(page.token) : NULL;
		release_page(&page);
	} while (!rc && token);
	free(token);
	return rc < 0 ? -1 : 0;
}
