/* aws_error.c - decode the error answers of AWS services and of what stands in front of them. */
#include "aws/aws_error.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "aws/retry.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/xml.h"

enum aws_protocol aws_protocol(enum aws_service s)
{
	switch (s) {
	case AWS_S3: return AWS_PROTO_REST_XML;
	case AWS_STS: return AWS_PROTO_QUERY;
	case AWS_BEDROCK_AGENT:
	case AWS_SSO:
	case AWS_SSO_OIDC: return AWS_PROTO_REST_JSON;
	default: return AWS_PROTO_JSON;
	}
}

static void copy(char *out, size_t cap, const char *s, size_t n)
{
	if (n >= cap)
		n = cap - 1;
	memcpy(out, s, n);
	out[n] = '\0';
}

void aws_fault_trim(char out[64], const char *type, size_t n)
{
	const char *colon = memchr(type, ':', n);

	if (colon)
		n = (size_t)(colon - type);
	for (size_t i = n; i > 0; i--)
		if (type[i - 1] == '#') {
			type += i;
			n -= i;
			break;
		}
	copy(out, 64, type, n);
}

static void from_json(struct aws_fault *f, enum aws_protocol proto, const struct buf *body)
{
	cJSON *tree = json_tree(body->p, body->len, NULL);
	const char *type = json_str(tree, "__type"), *msg = json_str(tree, "message");
	const char *code = json_str(tree, "code");

	if (!code)
		code = json_str(tree, "Code");
	if (!f->code[0] && proto == AWS_PROTO_REST_JSON && code)
		type = code;
	if (!type)
		type = code;
	if (!f->code[0] && type)
		aws_fault_trim(f->code, type, strlen(type));
	if (!msg)
		msg = json_str(tree, "Message");
	if (!msg)
		msg = json_str(tree, "error_description");
	if (msg)
		copy(f->message, sizeof f->message, msg, strlen(msg));
	else if (!tree)
		copy(f->message, sizeof f->message, body->p, body->len);
	cJSON_Delete(tree);
}

static void on_xml(const char *path, const char *text, void *arg)
{
	struct aws_fault *f = arg;
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	if (!text)
		return;
	if (!strcmp(name, "Code") && !f->code[0])
		copy(f->code, sizeof f->code, text, strlen(text));
	else if (!strcmp(name, "Message") && !f->message[0])
		copy(f->message, sizeof f->message, text, strlen(text));
	else if ((!strcmp(name, "RequestId") || !strcmp(name, "RequestID")) && !f->request_id[0])
		copy(f->request_id, sizeof f->request_id, text, strlen(text));
	else if (!strcmp(name, "Region") && !f->region[0])
		copy(f->region, sizeof f->region, text, strlen(text));
}

/* `<UnknownOperationException/>`: the root's name is all that there is. */
static void root_name(struct aws_fault *f, const struct buf *body)
{
	const char *p = memchr(body->p, '<', body->len);
	size_t n = 0;

	while (p && (isalnum((unsigned char)p[1 + n]) || p[1 + n] == '_'))
		n++;
	if (n > 9 && !strncmp(p + 1 + n - 9, "Exception", 9))
		copy(f->code, sizeof f->code, p + 1, n);
}

static bool is_html(const struct buf *body)
{
	const char *p = body->p;

	while (*p && isspace((unsigned char)*p))
		p++;
	return !strncasecmp(p, "<html", 5) || !strncasecmp(p, "<!doctype html", 14);
}

static void from_xml(struct aws_fault *f, const struct buf *body)
{
	if (is_html(body)) {
		copy(f->message, sizeof f->message, "an HTML page instead of an answer (a proxy?)",
			strlen("an HTML page instead of an answer (a proxy?)"));
		return;
	}
	xml_read(body->p, body->len, on_xml, f, NULL);
	if (!f->code[0])
		root_name(f, body);
	if (!f->code[0] && !f->message[0])
		copy(f->message, sizeof f->message, body->p, body->len);
}

static void from_headers(struct aws_fault *f, enum aws_protocol proto, const struct http_resp *resp)
{
	const char *type = http_resp_header(resp, "x-amzn-errortype");
	const char *id = http_resp_header(resp, "x-amzn-requestid");
	const char *region = http_resp_header(resp, "x-amz-bucket-region");

	if (!id)
		id = http_resp_header(resp, "x-amz-request-id");
	if (type && proto != AWS_PROTO_REST_XML)
		aws_fault_trim(f->code, type, strlen(type));
	if (id)
		copy(f->request_id, sizeof f->request_id, id, strlen(id));
	if (region)
		copy(f->region, sizeof f->region, region, strlen(region));
}

void aws_fault_decode(struct aws_fault *f, enum aws_protocol proto, const struct http_resp *resp)
{
	const struct buf *body = &resp->body;
	size_t i = 0;

	*f = (struct aws_fault){ 0 };
	from_headers(f, proto, resp);
	while (i < body->len && isspace((unsigned char)body->p[i]))
		i++;
	if (i < body->len && body->p[i] == '<')
		from_xml(f, body);
	else if (i < body->len)
		from_json(f, proto, body);
	if (!f->code[0])
		snprintf(f->code, sizeof f->code, "%d", resp->status);
}

bool aws_fault_is_expired(const char *code)
{
	return !strcmp(code, "ExpiredToken") || !strcmp(code, "ExpiredTokenException") ||
	       !strcmp(code, "UnrecognizedClientException");
}

bool aws_fault_may_be_skew(const char *code)
{
	static const char *const codes[] = { "InvalidSignatureException", "SignatureDoesNotMatch",
		"AuthFailure", "RequestTimeTooSkewed", "AccessDeniedException", "RequestExpired",
		"RequestInTheFuture" };

	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (!strcmp(code, codes[i]))
			return true;
	return false;
}

enum err_class aws_fault_class(int status, const char *code)
{
	/* A redirect without a code of AWS is a portal's that wants to be logged in to. */
	if (status >= 300 && status < 400 && isdigit((unsigned char)code[0]))
		return ERR_UNAVAILABLE;
	if (status >= 500 || status == 408 || !strcmp(code, "ExpiredToken") ||
		!strcmp(code, "ExpiredTokenException"))
		return ERR_UNAVAILABLE;
	if (status == 0)
		status = 400; /* inside an answer only the name tells */
	return retry_classify(status, code) == RETRY_NO ? ERR_FAILED : ERR_UNAVAILABLE;
}
