/* sigv4_test.c - the signer against AWS's own suite (every case folder that is there), against the paths and
 * queries that other signers are known to get wrong, and at its limits. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/sigv4.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vectors.h"

#define MIN_SUITE_CASES 19

static const struct sigv4_key example = { .id = "AKIDEXAMPLE",
	.secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
	.region = "us-east-1",
	.service = "service" };
#define EXAMPLE_TIME 1440938160 /* 2015-08-30T12:36:00Z */

static void read_suite_file(const char *dir, const char *name, struct buf *out)
{
	char path[1024], chunk[4096];
	size_t n;
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "rb");
	if (!f)
		fail_msg("cannot open %s", path);
	buf_init(out, BUF_MAX_FILE);
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
		buf_add(out, chunk, n);
	buf_str(out, "");
	fclose(f);
}

static void check_suite_file(const char *dir, const char *name, const char *got)
{
	struct buf want;

	read_suite_file(dir, name, &want);
	if (strcmp(got, want.p ? want.p : "") != 0)
		fail_msg("%s/%s\n--- want\n%s\n--- got\n%s", dir, name, want.p, got);
	buf_release(&want);
}

/* "GET /a b?c HTTP/1.1": the target may hold spaces, so it ends at the last one. */
static void parse_request_line(const char *line, char *method, size_t max, struct buf *target)
{
	const char *first = strchr(line, ' '), *last = strrchr(line, ' ');

	assert_true(first && last > first && (size_t)(first - line) < max);
	memcpy(method, line, (size_t)(first - line));
	method[first - line] = 0;
	buf_add(target, first + 1, (size_t)(last - first - 1));
}

/* The suite wants the path encoded in either mode; as-is takes it as it stands, so it is encoded here. */
static void make_url(struct buf *url, const char *target, bool normalise)
{
	size_t path = strcspn(target, "?");

	buf_str(url, "https://example.amazonaws.com");
	if (normalise)
		buf_add(url, target, path);
	else
		uri_encode(url, target, path, true);
	buf_str(url, target + path);
}

/* Header lines up to the empty one; a line that begins with a blank goes on with the value before. */
static char *parse_headers(char *p, struct http_req *req)
{
	struct buf line = BUF_INIT(BUF_MAX_SMALL);

	while (p && *p && *p != '\n') {
		char *end, *colon;
		buf_reset(&line);
		do {
			end = p + strcspn(p, "\n");
			buf_add(&line, p, (size_t)(end - p));
			p = *end ? end + 1 : end;
		} while (*p == ' ' || *p == '\t');
		colon = strchr(line.p, ':');
		assert_non_null(colon);
		*colon = 0;
		assert_int_equal(http_header_add(req, line.p, colon + 1), 0);
	}
	buf_release(&line);
	return p && *p ? p + 1 : p;
}

static void parse_request(char *text, bool normalise, char *method, size_t max, struct http_req *req)
{
	struct buf target = BUF_INIT(BUF_MAX_SMALL), url = BUF_INIT(BUF_MAX_SMALL);
	char *eol = text + strcspn(text, "\n");
	char *rest = *eol ? eol + 1 : eol;

	*eol = 0;
	parse_request_line(text, method, max, &target);
	make_url(&url, target.p, normalise);
	http_req_init(req, method, url.p);
	req->body = parse_headers(rest, req);
	req->body_len = strlen(req->body);
	buf_release(&target);
	buf_release(&url);
}

static void check_case(const char *dir)
{
	struct buf context, text, query = BUF_INIT(BUF_MAX_SMALL);
	struct sigv4_trace trace;
	struct http_req req;
	struct err e = { 0 };
	char method[16];
	int64_t us = 0;

	read_suite_file(dir, "context.json", &context);
	read_suite_file(dir, "request.txt", &text);
	cJSON *c = json_tree(context.p, context.len, &e);
	const cJSON *cred = cJSON_GetObjectItemCaseSensitive(c, "credentials");
	const char *when = json_str(c, "timestamp");
	bool normalise = json_bool(c, "normalize", true);
	unsigned flags = (normalise ? 0u : SIGV4_PATH_AS_IS) |
			 (json_bool(c, "sign_body", false) ? (unsigned)SIGV4_BODY_HEADER : 0u) |
			 (json_bool(c, "omit_session_token", false) ? (unsigned)SIGV4_TOKEN_UNSIGNED : 0u);
	struct sigv4_key key = { json_str(cred, "access_key_id"), json_str(cred, "secret_access_key"),
		json_str(cred, "token"), json_str(c, "region"), json_str(c, "service") };
	int64_t expires = 0;

	if (!c || !when || !time_parse(when, strlen(when), &us) ||
		!json_int(c, "expiration_in_seconds", &expires))
		fail_msg("%s: context.json is not as described", dir);
	parse_request(text.p, normalise, method, sizeof method, &req);

	if (sigv4_presign(&req, &key, flags, us / 1000000, (unsigned)expires, &query, &trace, &e))
		fail_msg("%s: presign: %s", dir, e.msg);
	check_suite_file(dir, "query-canonical-request.txt", trace.canonical.p);
	check_suite_file(dir, "query-string-to-sign.txt", trace.to_sign.p);
	check_suite_file(dir, "query-signature.txt", trace.signature);
	sigv4_trace_release(&trace);

	if (sigv4_sign(&req, &key, flags, us / 1000000, &trace, &e))
		fail_msg("%s: sign: %s", dir, e.msg);
	check_suite_file(dir, "header-canonical-request.txt", trace.canonical.p);
	check_suite_file(dir, "header-string-to-sign.txt", trace.to_sign.p);
	check_suite_file(dir, "header-signature.txt", trace.signature);
	if (key.token &&
		(!http_header_get(&req, "x-amz-security-token") || !strstr(query.p, "X-Amz-Security-Token=")))
		fail_msg("%s: the session token is not sent", dir);
	if (!strstr(query.p, "&X-Amz-Signature="))
		fail_msg("%s: the presigned query has no signature", dir);
	sigv4_trace_release(&trace);
	http_req_release(&req);
	cJSON_Delete(c);
	buf_release(&context);
	buf_release(&text);
	buf_release(&query);
}

static void test_suite(void **state)
{
	char root[1024], dir[2048];
	int cases = 0;
	DIR *d;

	(void)state;
	vectors_path(root, sizeof root, "sigv4-suite/v4");
	d = opendir(root);
	if (!d)
		fail_msg("cannot open %s (set RECAGENT_SHARED)", root);
	for (struct dirent *ent; (ent = readdir(d));) {
		if (ent->d_name[0] == '.')
			continue;
		snprintf(dir, sizeof dir, "%s/%s", root, ent->d_name);
		check_case(dir);
		cases++;
	}
	closedir(d);
	print_message("# sigv4 suite: %d cases, header and query form\n", cases);
	assert_true(cases >= MIN_SUITE_CASES);
}

/* The second and third line of the canonical request of a GET. */
static void canonical_target(const char *url, unsigned flags, char *out, size_t max)
{
	struct sigv4_trace trace;
	struct http_req req;
	struct err e = { 0 };
	const char *from, *to;

	http_req_init(&req, "GET", url);
	if (sigv4_sign(&req, &example, flags, EXAMPLE_TIME, &trace, &e))
		fail_msg("%s: %s", url, e.msg);
	from = trace.canonical.p + 4;
	to = strchr(strchr(from, '\n') + 1, '\n');
	snprintf(out, max, "%.*s", (int)(to - from), from);
	sigv4_trace_release(&trace);
	http_req_release(&req);
}

static void test_targets(void **state)
{
	static const struct {
		const char *name, *in, *want;
		unsigned flags;
	} rows[] = {
		{ "empty path is root", "", "/\n", 0 },
		{ "query without a path", "?a=1", "/\na=1", 0 },
		{ "colon in the path, raw", "/s/u:7/text", "/s/u%3A7/text\n", 0 },
		{ "colon in the path, encoded once on the wire", "/s/u%3A7/text", "/s/u%253A7/text\n", 0 },
		{ "equals in the path", "/a=b", "/a%3Db\n", 0 },
		{ "star in the path", "/a*b", "/a%2Ab\n", 0 },
		{ "space in the path", "/a b", "/a%20b\n", 0 },
		{ "encoded space in the path", "/a%20b", "/a%2520b\n", 0 },
		{ "utf-8 byte by byte", "/\xc3\xa9", "/%C3%A9\n", 0 },
		{ "arn as one segment", "/model/arn%3Aaws%3Abedrock%2Fx/invoke",
			"/model/arn%253Aaws%253Abedrock%252Fx/invoke\n", 0 },
		{ "dot segments", "/a/./b/../c//d/", "/a/c/d/\n", 0 },
		{ "dots above root", "/../../a", "/a\n", 0 },
		{ "last segment dot", "/a/.", "/a\n", 0 },
		{ "last segment dots", "/a/b/..", "/a\n", 0 },
		{ "three dots are a name", "/.../a", "/.../a\n", 0 },
		{ "S3 keeps slashes and dots", "/a//b/./../c", "/a//b/./../c\n", SIGV4_PATH_AS_IS },
		{ "S3 encodes once only", "/a%20b%3Dc", "/a%20b%3Dc\n", SIGV4_PATH_AS_IS },
		{ "S3 empty path", "", "/\n", SIGV4_PATH_AS_IS },
		{ "value empty", "/?a=", "/\na=", 0 },
		{ "value missing", "/?a", "/\na=", 0 },
		{ "value missing among others", "/?b=1&a&c=", "/\na=&b=1&c=", 0 },
		{ "bare sub-resource", "/?uploads", "/\nuploads=", SIGV4_PATH_AS_IS },
		{ "empty parameters vanish", "/?&a=1&&b=2&", "/\na=1&b=2", 0 },
		{ "equals in a value", "/?a=b=c==", "/\na=b%3Dc%3D%3D", 0 },
		{ "encoded equals in a value", "/?a=b%3dc", "/\na=b%3Dc", 0 },
		{ "star in a value", "/?a=*", "/\na=%2A", 0 },
		{ "colon in a value", "/?a=x:y", "/\na=x%3Ay", 0 },
		{ "encoded colon in a value", "/?a=x%3Ay", "/\na=x%3Ay", 0 },
		{ "lower-case hex", "/?a=%e1%88%b4", "/\na=%E1%88%B4", 0 },
		{ "space in a value", "/?a=x y", "/\na=x%20y", 0 },
		{ "encoded space in a value", "/?a=x%20y", "/\na=x%20y", 0 },
		{ "plus is a plus", "/?a=x+y", "/\na=x%2By", 0 },
		{ "encoded unreserved", "/?%61=%7E", "/\na=~", 0 },
		{ "percent that encodes nothing", "/?a=50%&b=%zz", "/\na=50%25&b=%25zz", 0 },
		{ "percent at the end", "/?a=%4", "/\na=%254", 0 },
		{ "slash in a value", "/?prefix=a/b", "/\nprefix=a%2Fb", SIGV4_PATH_AS_IS },
		{ "order by name alone", "/?Param-3=3&Param=2&Param1=1", "/\nParam=2&Param-3=3&Param1=1", 0 },
		{ "order by value", "/?a=b&a=B&a=&a=a", "/\na=&a=B&a=a&a=b", 0 },
		{ "order after encoding", "/?a=%C3%A9&a=z&%C3%A9=1&z=1", "/\n%C3%A9=1&a=%C3%A9&a=z&z=1", 0 },
	};
	char url[256], got[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(url, sizeof url, "https://example.amazonaws.com%s", rows[i].in);
		canonical_target(url, rows[i].flags, got, sizeof got);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: want '%s', got '%s'", rows[i].name, rows[i].want, got);
	}
}

static void test_host(void **state)
{
	static const struct {
		const char *url, *want;
	} rows[] = {
		{ "https://Example.AmazonAWS.com/", "host:example.amazonaws.com\n" },
		{ "https://h:443/", "host:h\n" },
		{ "http://h:80", "host:h\n" },
		{ "http://h:443/", "host:h:443\n" },
		{ "https://h:80/", "host:h:80\n" },
		{ "HTTP://127.0.0.1:4566/x", "host:127.0.0.1:4566\n" },
		{ "https://[2001:DB8::1]/", "host:[2001:db8::1]\n" },
		{ "https://[::1]:8443/", "host:[::1]:8443\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sigv4_trace trace;
		struct http_req req;
		struct err e = { 0 };
		http_req_init(&req, "GET", rows[i].url);
		if (sigv4_sign(&req, &example, 0, EXAMPLE_TIME, &trace, &e))
			fail_msg("%s: %s", rows[i].url, e.msg);
		if (!strstr(trace.canonical.p, rows[i].want))
			fail_msg("%s: no %s in\n%s", rows[i].url, rows[i].want, trace.canonical.p);
		sigv4_trace_release(&trace);
		http_req_release(&req);
	}
}

static void test_headers(void **state)
{
	static const char *const pairs[][2] = {
		{ "Content-Type", "text/plain" },
		{ "X-Amz-Target", " a \t b  \"c  d\" " },
		{ "Zed", "1" },
		{ "zed", "2" },
		{ "ZED", " 3 " },
		{ "Empty", "" },
		{ "User-Agent", "never" },
		{ "Expect", "never" },
		{ "Connection", "never" },
		{ "X-Amzn-Trace-Id", "never" },
		{ "Transfer-Encoding", "never" },
		{ "Proxy-Authorization", "never" },
		{ "Te", "never" },
		{ "X-Amz-Date", "never" },
		{ "Authorization", "never" },
		{ "X-Amz-Security-Token", "never" },
	};
	const char *want = "GET\n/\n\ncontent-type:text/plain\nempty:\nhost:h\nx-amz-date:20150830T123600Z\n"
			   "x-amz-security-token:tok\nx-amz-target:a b \"c d\"\nzed:1,2,3\n\n"
			   "content-type;empty;host;x-amz-date;x-amz-security-token;x-amz-target;zed\n"
			   "UNSIGNED-PAYLOAD";
	struct sigv4_key key = example;
	struct sigv4_trace trace;
	struct http_req req;
	struct err e = { 0 };

	(void)state;
	key.token = "tok";
	http_req_init(&req, "GET", "https://h");
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		assert_int_equal(http_header_add(&req, pairs[i][0], pairs[i][1]), 0);
	assert_int_equal(sigv4_sign(&req, &key, SIGV4_UNSIGNED_PAYLOAD, EXAMPLE_TIME, &trace, &e), 0);
	assert_string_equal(trace.canonical.p, want);
	assert_string_equal(http_header_get(&req, "x-amz-date"), "20150830T123600Z");
	assert_string_equal(http_header_get(&req, "x-amz-security-token"), "tok");
	assert_non_null(
		strstr(http_header_get(&req, "authorization"), "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
	sigv4_trace_release(&trace);
	http_req_release(&req);
}

/* A retry signs the same request again, maybe with other credentials: the result must be as if fresh. */
static void test_sign_again(void **state)
{
	struct sigv4_key with_token = example;
	struct sigv4_trace once, twice;
	struct http_req req;
	struct err e = { 0 };

	(void)state;
	with_token.token = "temporary";
	http_req_init(&req, "PUT", "https://b.s3.us-east-1.amazonaws.com/k");
	req.body = "data";
	req.body_len = 4;
	assert_int_equal(sigv4_sign(&req, &example, SIGV4_BODY_HEADER, EXAMPLE_TIME, &once, &e), 0);
	assert_int_equal(sigv4_sign(&req, &with_token, SIGV4_BODY_HEADER, EXAMPLE_TIME + 60, NULL, &e), 0);
	assert_int_equal(sigv4_sign(&req, &example, SIGV4_BODY_HEADER, EXAMPLE_TIME, &twice, &e), 0);
	assert_string_equal(once.canonical.p, twice.canonical.p);
	assert_string_equal(once.signature, twice.signature);
	assert_null(http_header_get(&req, "x-amz-security-token"));
	assert_int_equal(req.nheaders, 3);
	sigv4_trace_release(&once);
	sigv4_trace_release(&twice);
	http_req_release(&req);
}

/* A few services want the token beside the signature, not under it. */
static void test_token_unsigned(void **state)
{
	struct sigv4_key key = example;
	struct buf query = BUF_INIT(BUF_MAX_SMALL);
	struct sigv4_trace trace;
	struct http_req req;
	struct err e = { 0 };

	(void)state;
	key.token = "tok";
	http_req_init(&req, "GET", "https://h/");
	assert_int_equal(
		sigv4_presign(&req, &key, SIGV4_TOKEN_UNSIGNED, EXAMPLE_TIME, 60, &query, &trace, &e), 0);
	assert_null(strstr(trace.canonical.p, "tok"));
	assert_non_null(strstr(query.p, "&X-Amz-Security-Token=tok&X-Amz-Signature="));
	sigv4_trace_release(&trace);
	assert_int_equal(sigv4_sign(&req, &key, SIGV4_TOKEN_UNSIGNED, EXAMPLE_TIME, &trace, &e), 0);
	assert_null(strstr(trace.canonical.p, "tok"));
	assert_string_equal(http_header_get(&req, "x-amz-security-token"), "tok");
	sigv4_trace_release(&trace);
	http_req_release(&req);
	buf_release(&query);
}

/* The documented example of a presigned S3 GET. */
static void test_presign_s3(void **state)
{
	const struct sigv4_key key = { "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		NULL, "us-east-1", "s3" };
	struct buf query = BUF_INIT(BUF_MAX_SMALL);
	struct http_req req;
	struct err e = { 0 };

	(void)state;
	http_req_init(&req, "GET", "https://examplebucket.s3.amazonaws.com/test.txt");
	assert_int_equal(sigv4_presign(&req, &key, SIGV4_PATH_AS_IS | SIGV4_UNSIGNED_PAYLOAD, 1369353600,
				 86400, &query, NULL, &e),
		0);
	assert_string_equal(query.p,
		"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-"
		"1%2F"
		"s3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&"
		"X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
	buf_release(&query);
	http_req_release(&req);
}

static void test_refusals(void **state)
{
	struct sigv4_key bad_region = example, no_secret = example, bad_token = example;
	const struct {
		const char *name, *url;
		const struct sigv4_key *key;
		const char *code;
	} rows[] = {
		{ "no scheme", "example.com/", &example, "bad-url" },
		{ "other scheme", "ftp://h/", &example, "bad-url" },
		{ "no host", "https:///x", &example, "bad-url" },
		{ "user information", "https://u:p@h/", &example, "bad-url" },
		{ "port 0", "https://h:0/", &example, "bad-url" },
		{ "port too large", "https://h:65536/", &example, "bad-url" },
		{ "port empty", "https://h:/", &example, "bad-url" },
		{ "bracket open", "https://[::1/", &example, "bad-url" },
		{ "bracket behind", "https://[::1]x/", &example, "bad-url" },
		{ "newline", "https://h/a\nb", &example, "bad-url" },
		{ "fragment", "https://h/a#b", &example, "bad-url" },
		{ "newline in the region", "https://h/", &bad_region, "bad-credentials" },
		{ "newline in the token", "https://h/", &bad_token, "bad-credentials" },
		{ "no secret", "https://h/", &no_secret, "bad-credentials" },
		{ "signed already", "https://h/?a=1&X-Amz-Signature=0", &example, "bad-url" },
		{ "algorithm without value", "https://h/?x-amz-algorithm&a", &example, "bad-url" },
	};

	(void)state;
	bad_region.region = "us\neast";
	bad_token.token = "a\r\nb";
	no_secret.secret = "";
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf q = BUF_INIT(BUF_MAX_SMALL);
		struct http_req req;
		struct err e = { 0 };
		http_req_init(&req, "GET", rows[i].url);
		if (!sigv4_presign(&req, rows[i].key, 0, EXAMPLE_TIME, 60, &q, NULL, &e))
			fail_msg("%s: was signed", rows[i].name);
		if (strcmp(e.code, rows[i].code) != 0)
			fail_msg("%s: code %s, want %s", rows[i].name, e.code, rows[i].code);
		buf_release(&q);
		http_req_release(&req);
	}
}

static void test_limits(void **state)
{
	struct http_req req;
	struct err e = { 0 };
	char name[16];
	struct buf q = BUF_INIT(BUF_MAX_SMALL);

	(void)state;
	http_req_init(&req, "GET", "https://h/");
	assert_int_equal(sigv4_presign(&req, &example, 0, EXAMPLE_TIME, 0, &q, NULL, &e), -1);
	assert_int_equal(sigv4_presign(&req, &example, 0, EXAMPLE_TIME, 604801, &q, NULL, &e), -1);
	for (int i = 0; i < HTTP_MAX_HEADERS; i++) {
		snprintf(name, sizeof name, "h-%d", i);
		assert_int_equal(http_header_add(&req, name, "v"), 0);
	}
	assert_int_equal(http_header_add(&req, "one-more", "v"), -1);
	assert_int_equal(sigv4_sign(&req, &example, 0, EXAMPLE_TIME, NULL, &e), -1);
	assert_int_equal(req.nheaders, HTTP_MAX_HEADERS);
	assert_null(http_header_get(&req, "authorization"));
	buf_release(&q);
	http_req_release(&req);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suite),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_sign_again),
		cmocka_unit_test(test_token_unsigned),
		cmocka_unit_test(test_presign_s3),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("sigv4", tests, NULL, NULL);
}
