/* sigv4_sign.c - sign the requests on standard input, for comparison with other signers.
 *
 * A line in: {"method", "url", "headers": [[name, value], ...], "body" (base64), "id", "secret", "token"
 * (may be missing), "region", "service", "s3" (true: S3's rules), "now" (seconds), "expires" (present:
 * presign)}. A line out: {"canonical", "to_sign", "signature", "query" (presigned)} or {"error"}. */
#include "base/digest.h"
#include "base/json.h"
#include "net/sigv4.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(const char *name, const struct buf *value)
{
	struct buf text = BUF_INIT(BUF_MAX_FILE);

	json_quote(&text, value->p ? value->p : "", value->len);
	printf(",\"%s\":%s", name, text.p);
	buf_release(&text);
}

static int fill_headers(struct http_req *req, const cJSON *in)
{
	const cJSON *h;

	cJSON_ArrayForEach(h, cJSON_GetObjectItemCaseSensitive(in, "headers"))
	{
		const char *name = cJSON_GetStringValue(cJSON_GetArrayItem(h, 0));
		const char *value = cJSON_GetStringValue(cJSON_GetArrayItem(h, 1));
		if (!name || !value || http_header_add(req, name, value))
			return -1;
	}
	return 0;
}

static int sign_line(const cJSON *in, struct err *e)
{
	struct sigv4_key key = { json_str(in, "id"), json_str(in, "secret"), json_str(in, "token"),
		json_str(in, "region"), json_str(in, "service") };
	const char *method = json_str(in, "method"), *url = json_str(in, "url"), *b64 = json_str(in, "body");
	bool s3 = json_bool(in, "s3", false), presign;
	struct buf body = BUF_INIT(BUF_MAX_FILE), query = BUF_INIT(BUF_MAX_SMALL);
	struct sigv4_trace trace = { 0 };
	struct http_req req = { 0 };
	int64_t now = 0, expires = 0;
	unsigned flags = s3 ? SIGV4_PATH_AS_IS | SIGV4_BODY_HEADER : 0;
	int rc = -1;

	presign = json_int(in, "expires", &expires);
	if (!method || !url || !json_int(in, "now", &now) || (b64 && !b64_decode(&body, b64, strlen(b64))))
		return err_set(e, ERR_USAGE, "", "a member is missing or bad");
	http_req_init(&req, method, url);
	req.body = body.p;
	req.body_len = body.len;
	if (fill_headers(&req, in))
		err_set(e, ERR_USAGE, "", "a header is bad");
	else if (presign)
		rc = sigv4_presign(&req, &key, flags | (s3 ? (unsigned)SIGV4_UNSIGNED_PAYLOAD : 0u), now,
			(unsigned)expires, &query, &trace, e);
	else
		rc = sigv4_sign(&req, &key, flags, now, &trace, e);
	if (!rc) {
		printf("{\"signature\":\"%s\"", trace.signature);
		put("canonical", &trace.canonical);
		put("to_sign", &trace.to_sign);
		put("query", &query);
		printf("}\n");
	}
	sigv4_trace_release(&trace);
	http_req_release(&req);
	buf_release(&body);
	buf_release(&query);
	return rc;
}

int main(void)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		struct err e = { 0 };
		cJSON *in = json_tree(line, (size_t)n, &e);
		if (!in || sign_line(in, &e)) {
			struct buf text = BUF_INIT(BUF_MAX_SMALL);
			json_quote_str(&text, e.msg);
			printf("{\"error\":%s}\n", text.p);
			buf_release(&text);
		}
		cJSON_Delete(in);
	}
	free(line);
	return ferror(stdin) || fflush(stdout) ? 1 : 0;
}
