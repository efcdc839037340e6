/* aws_error.h - what a refused request's answer says, in whichever form it came.
 *
 * A JSON service may answer XML (a gateway in front of it), HTML (a proxy) or nothing at all; each gives
 * the best code and message there is. Pure. Source: the services' protocol descriptions (JSON 1.0/1.1,
 * REST-JSON, REST-XML, query). */
#ifndef RECAGENT_AWS_AWS_ERROR_H
#define RECAGENT_AWS_AWS_ERROR_H

#include "aws/endpoint.h"
#include "net/http.h"

enum aws_protocol { AWS_PROTO_JSON, AWS_PROTO_REST_JSON, AWS_PROTO_QUERY, AWS_PROTO_REST_XML };
enum aws_protocol aws_protocol(enum aws_service s);

struct aws_fault {
	char code[64];     /* "ResourceNotFoundException"; the status as text when there is no name */
	char message[400]; /* may be "" */
	char request_id[72];
	char region[32]; /* S3: where the bucket lives, when the answer says so */
};
void aws_fault_decode(struct aws_fault *f, enum aws_protocol proto, const struct http_resp *resp);
/* "com.amazonaws#Name:http://..." to "Name". */
void aws_fault_trim(char out[64], const char *type, size_t n);

/* The class of an error: unavailable when it passes by itself. status 0: it came inside an answer. */
enum err_class aws_fault_class(int status, const char *code);
/* Does this code say that the credentials have run out or are not known (any more)? */
bool aws_fault_is_expired(const char *code);
/* Could a wrong clock be behind this code? */
bool aws_fault_may_be_skew(const char *code);

#endif
