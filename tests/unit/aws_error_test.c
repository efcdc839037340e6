/* aws_error_test.c - error answers in every wrapping: code, message, request id, class. */
#include "aws/aws_error.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define J AWS_PROTO_JSON
#define R AWS_PROTO_REST_JSON
#define X AWS_PROTO_REST_XML
#define Q AWS_PROTO_QUERY

static const struct row {
	const char *name;
	enum aws_protocol proto;
	int status;
	const char *header, *value, *body; /* one header or NULL */
	const char *code, *message, *id;
	enum err_class cls;
} rows[] = {
	{ "json, namespaced type", J, 400, NULL, NULL,
		"{\"__type\":\"com.amazonaws.kinesis#ResourceNotFoundException\",\"message\":\"Stream x not "
		"found\"}",
		"ResourceNotFoundException", "Stream x not found", "", ERR_FAILED },
	{ "json, type with a URL behind", J, 400, NULL, NULL,
		"{\"__type\":\"a#ThrottlingException:http://b/c#d\"}", "ThrottlingException", "", "",
		ERR_UNAVAILABLE },
	{ "json, Message in upper case", J, 400, "x-amzn-requestid", "R1",
		"{\"__type\":\"E\",\"Message\":\"m\"}", "E", "m", "R1", ERR_FAILED },
	{ "json, null message", J, 400, NULL, NULL, "{\"__type\":\"E\",\"message\":null}", "E", "", "",
		ERR_FAILED },
	{ "json service, type in the header only", J, 400, "x-amzn-errortype", "E:", "", "E", "", "",
		ERR_FAILED },
	{ "json service answers XML", J, 403, NULL, NULL,
		"<?xml "
		"version=\"1.0\"?><ErrorResponse><Errors><Error><Code>SignatureDoesNotMatch</"
		"Code><Message>no "
		"match</Message></Error></Errors><RequestId>R2</RequestId></ErrorResponse>",
		"SignatureDoesNotMatch", "no match", "R2", ERR_FAILED },
	{ "json service, an empty element", J, 404, NULL, NULL, "<UnknownOperationException/>\n",
		"UnknownOperationException", "", "", ERR_FAILED },
	{ "proxy's HTML", J, 502, NULL, NULL, "\n<!DOCTYPE html><html><body>x</body></html>", "502",
		"an HTML page instead of an answer (a proxy?)", "", ERR_UNAVAILABLE },
	{ "nothing, 500", J, 500, NULL, NULL, "", "500", "", "", ERR_UNAVAILABLE },
	{ "nothing, 413", J, 413, NULL, NULL, "", "413", "", "", ERR_FAILED },
	{ "plain text", J, 407, NULL, NULL, "Proxy Authentication Required", "407",
		"Proxy Authentication Required", "", ERR_FAILED },
	{ "json that is cut", J, 400, NULL, NULL, "{\"__type\":\"E", "400", "{\"__type\":\"E", "",
		ERR_FAILED },
	{ "json that is an array", J, 400, NULL, NULL, "[1]", "400", "", "", ERR_FAILED },
	{ "rest-json, header", R, 429, "x-amzn-errortype", "ThrottlingException:http://internal/",
		"{\"message\":\"slow\"}", "ThrottlingException", "slow", "", ERR_UNAVAILABLE },
	{ "rest-json, code in the body", R, 400, NULL, NULL,
		"{\"code\":\"ValidationException\",\"message\":\"m\"}", "ValidationException", "m", "",
		ERR_FAILED },
	{ "rest-json, type in the body", R, 409, NULL, NULL, "{\"__type\":\"ConflictException\"}",
		"ConflictException", "", "", ERR_UNAVAILABLE },
	{ "rest-json, 424", R, 424, "x-amzn-errortype", "DependencyFailedException", "{}",
		"DependencyFailedException", "", "", ERR_UNAVAILABLE },
	{ "oidc's own form", R, 400, NULL, NULL,
		"{\"error\":\"invalid_grant\",\"error_description\":\"gone\"}", "400", "gone", "",
		ERR_FAILED },
	{ "s3", X, 404, "x-amz-request-id", "R3",
		"<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>none &amp; "
		"gone</Message><Key>k</Key><RequestId>R4</RequestId></Error>",
		"NoSuchKey", "none & gone", "R3", ERR_FAILED },
	{ "a portal's redirect", J, 302, NULL, NULL, "", "302", "", "", ERR_UNAVAILABLE },
	{ "s3's redirect", X, 301, NULL, NULL, "<Error><Code>PermanentRedirect</Code></Error>",
		"PermanentRedirect", "", "", ERR_FAILED },
	{ "s3 slow down", X, 503, NULL, NULL, "<Error><Code>SlowDown</Code></Error>", "SlowDown", "", "",
		ERR_UNAVAILABLE },
	{ "sts", Q, 403, NULL, NULL,
		"<ErrorResponse "
		"xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>"
		"<Code>ExpiredToken</Code><Message>old</Message></Error><RequestId>R5</RequestId></"
		"ErrorResponse>",
		"ExpiredToken", "old", "R5", ERR_UNAVAILABLE },
	{ "expired", J, 400, NULL, NULL, "{\"__type\":\"ExpiredTokenException\"}", "ExpiredTokenException",
		"", "", ERR_UNAVAILABLE },
	{ "denied", J, 400, NULL, NULL, "{\"__type\":\"AccessDeniedException\"}", "AccessDeniedException", "",
		"", ERR_FAILED },
	{ "condition", J, 400, NULL, NULL, "{\"__type\":\"ConditionalCheckFailedException\"}",
		"ConditionalCheckFailedException", "", "", ERR_FAILED },
	{ "bare 429", J, 429, NULL, NULL, "", "429", "", "", ERR_UNAVAILABLE },
	{ "a NUL in a message", J, 400, NULL, NULL, "{\"__type\":\"E\",\"message\":\"a\\u0000b\"}", "400",
		"{\"__type\":\"E\",\"message\":\"a\\u0000b\"}", "", ERR_FAILED },
};

static void wrappings(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct http_resp resp = { .status = r->status, .body = BUF_INIT(BUF_MAX_SMALL) };
		struct aws_fault f;
		if (r->header) {
			resp.headers[0] = (struct http_header){ mem_strdup(r->header), mem_strdup(r->value) };
			resp.nheaders = 1;
		}
		buf_str(&resp.body, r->body);
		aws_fault_decode(&f, r->proto, &resp);
		if (strcmp(f.code, r->code) != 0 || strcmp(f.message, r->message) != 0 ||
			strcmp(f.request_id, r->id) != 0 || aws_fault_class(r->status, f.code) != r->cls)
			fail_msg("%s: code \"%s\" message \"%s\" id \"%s\" class %d", r->name, f.code,
				f.message, f.request_id, aws_fault_class(r->status, f.code));
		http_resp_release(&resp);
	}
}

static void regions(void **state)
{
	struct http_resp resp = { .status = 400, .body = BUF_INIT(BUF_MAX_SMALL) };
	struct aws_fault f;

	(void)state;
	buf_str(&resp.body,
		"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>");
	aws_fault_decode(&f, X, &resp);
	assert_string_equal(f.region, "eu-west-1");
	resp.headers[0] = (struct http_header){ mem_strdup("x-amz-bucket-region"), mem_strdup("ap-south-1") };
	resp.nheaders = 1;
	aws_fault_decode(&f, X, &resp);
	assert_string_equal(f.region, "ap-south-1");
	http_resp_release(&resp);
}

static void long_texts_are_cut(void **state)
{
	struct http_resp resp = { .status = 400, .body = BUF_INIT(BUF_MAX_SMALL) };
	struct aws_fault f;

	(void)state;
	buf_str(&resp.body, "{\"__type\":\"");
	for (int i = 0; i < 1000; i++)
		buf_str(&resp.body, "Long");
	buf_str(&resp.body, "\",\"message\":\"");
	for (int i = 0; i < 1000; i++)
		buf_str(&resp.body, "text ");
	buf_str(&resp.body, "\"}");
	aws_fault_decode(&f, J, &resp);
	assert_int_equal(strlen(f.code), sizeof f.code - 1);
	assert_int_equal(strlen(f.message), sizeof f.message - 1);
	http_resp_release(&resp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrappings),
		cmocka_unit_test(regions),
		cmocka_unit_test(long_texts_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
