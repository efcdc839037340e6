/* open.h - names to adapters: the only place that knows which adapters there are.
 *
 * With a local directory every name opens in the embedded store; without it in AWS. A known scheme and ':' is a
 * URI (kinesis:NAME, dynamodb:TABLE, s3://BUCKET/PREFIX, bedrock-agent:ID/ALIAS); with a '/', or "-", it is a path; else
 * a name of the command's usual service. AWS is set up on first use, once a process; thread-safe. */
#ifndef RECAGENT_PORT_OPEN_H
#define RECAGENT_PORT_OPEN_H

#include "port/agent.h"
#include "port/blob.h"
#include "port/stream.h"
#include "port/table.h"

struct ports_conf {
	const char *local;                           /* directory, or NULL */
	const char *region, *profile, *endpoint_url; /* AWS flags, may be NULL */
	int64_t connect_ms, read_ms, total_ms;       /* time-outs, 0 = default */
	int max_attempts;                            /* 0 = default */
};
struct ports;
struct ports *ports_new(const struct ports_conf *conf); /* does nothing yet */
void ports_cancel(struct ports *p);
void ports_free(struct ports *p); /* after everything opened was closed */

enum name_kind {
	NAME_PLAIN,
	NAME_KINESIS,
	NAME_DYNAMODB,
	NAME_S3,
	NAME_BEDROCK_AGENT,
	NAME_PATH,
	NAME_OTHER
};
/* What a name is, and where the part behind the scheme starts. NAME_OTHER: a known scheme of no adapter here. */
enum name_kind name_kind(const char *name, const char **rest);

int open_stream(struct ports *p, const char *name, struct stream **out, struct err *e);
/* key_attr: name of the hash attribute. */
int open_table(struct ports *p, const char *name, const char *key_attr, struct table **out, struct err *e);
/* s3://BUCKET/PREFIX, or a file or folder. prefix: appended to, what to hand to blob_list. */
int open_blob(struct ports *p, const char *uri, struct blob **out, struct buf *prefix, struct err *e);
/* "bedrock-agent:ID/ALIAS", "ID/ALIAS"; NULL: BEDROCK_AGENT_ID and BEDROCK_AGENT_ALIAS. */
int open_agent(struct ports *p, const char *name, struct agent **out, struct err *e);

#endif
