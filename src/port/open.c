/* open.c - picks the adapter that a name means; the only file that includes adapters' headers. */
#include "port/open.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/bedrock_agent.h"
#include "aws/dynamodb.h"
#include "aws/kinesis.h"
#include "aws/s3.h"
#include "base/mem.h"
#include "local/local.h"

struct ports {
	struct ports_conf conf; /* strings owned */
	pthread_mutex_t mu;     /* held while aws is opened, which reads files and may take for ever */
	_Atomic(struct aws_shared *) aws; /* NULL until the first name that means AWS */
	atomic_bool cancelled;            /* while aws was being opened */
};

struct ports *ports_new(const struct ports_conf *conf)
{
	struct ports *p = mem_alloc(sizeof *p);

	p->conf = *conf;
	p->conf.local = mem_strdup(conf->local);
	p->conf.region = mem_strdup(conf->region);
	p->conf.profile = mem_strdup(conf->profile);
	p->conf.endpoint_url = mem_strdup(conf->endpoint_url);
	pthread_mutex_init(&p->mu, NULL);
	return p;
}

void ports_cancel(struct ports *p)
{
	struct aws_shared *aws = atomic_load(&p->aws);

	/* Never waits for mu: a home directory that hangs would then hang the serving path, too. */
	if (aws)
		aws_shared_cancel(aws);
	else
		atomic_store(&p->cancelled, true);
}

void ports_free(struct ports *p)
{
	if (!p)
		return;
	if (p->aws)
		aws_shared_close(p->aws);
	pthread_mutex_destroy(&p->mu);
	free((char *)p->conf.local);
	free((char *)p->conf.region);
	free((char *)p->conf.profile);
	free((char *)p->conf.endpoint_url);
	free(p);
}

static int aws_of(struct ports *p, struct aws_shared **out, struct err *e)
{
	const struct aws_options o = {
		.region = p->conf.region,
		.profile = p->conf.profile,
		.endpoint_url = p->conf.endpoint_url,
		.timeouts = { .connect = p->conf.connect_ms,
			.first_byte = p->conf.read_ms,
			.idle = p->conf.read_ms,
			.total = p->conf.total_ms },
		.max_attempts = p->conf.max_attempts,
	};
	int rc = 0;

	pthread_mutex_lock(&p->mu);
	if (!atomic_load(&p->aws)) {
		struct aws_shared *aws = NULL;

		atomic_store(&p->cancelled, false);
		rc = aws_shared_open(&aws, &o, e);
		atomic_store(&p->aws, aws);
		if (!rc && atomic_load(&p->cancelled))
			rc = err_set(e, ERR_UNAVAILABLE, "cancelled", "cancelled");
	}
	*out = atomic_load(&p->aws);
	pthread_mutex_unlock(&p->mu);
	return rc;
}

enum name_kind name_kind(const char *name, const char **rest)
{
	static const struct {
		const char *scheme;
		enum name_kind kind;
	} schemes[] = {
		{ "kinesis:", NAME_KINESIS },
		{ "dynamodb:", NAME_DYNAMODB },
		{ "s3://", NAME_S3 },
		{ "bedrock-agent:", NAME_BEDROCK_AGENT },
		{ "firehose:", NAME_OTHER },
		{ "sqs:", NAME_OTHER },
		{ "sns:", NAME_OTHER },
		{ "events:", NAME_OTHER },
		{ "bedrock:", NAME_OTHER },
		{ "sagemaker:", NAME_OTHER },
		{ "lambda:", NAME_OTHER },
		{ "states:", NAME_OTHER },
	};
	const char *skip;

	if (!rest)
		rest = &skip;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		size_t n = strlen(schemes[i].scheme);
		if (!strncmp(name, schemes[i].scheme, n)) {
			*rest = name + n;
			return schemes[i].kind;
		}
	}
	*rest = name;
	return strchr(name, '/') || !strcmp(name, "-") ? NAME_PATH : NAME_PLAIN;
}

/* Kinesis and DynamoDB name things alike; the embedded store keeps to the same rule. */
static int check_name(const char *what, const char *name, size_t min, size_t max, struct err *e)
{
	size_t n = strlen(name);

	if (n < min || n > max)
		return err_set(e, ERR_USAGE, "bad-name", "%s name \"%.80s\" must have %zu to %zu characters",
			what, name, min, max);
	for (size_t i = 0; i < n; i++) {
		char c = name[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '_' || c == '.' || c == '-'))
			return err_set(e, ERR_USAGE, "bad-name",
				"%s name \"%.80s\" may hold only letters, digits, '_', '.' and '-'", what,
				name);
	}
	return 0;
}

int open_stream(struct ports *p, const char *name, struct stream **out, struct err *e)
{
	struct aws_shared *aws;
	const char *rest;
	enum name_kind kind = name_kind(name, &rest);

	if (kind != NAME_KINESIS && kind != NAME_PLAIN)
		return err_set(e, ERR_USAGE, "bad-name", "\"%.80s\" is no stream", name);
	if (check_name("stream", rest, 1, 128, e))
		return -1;
	if (p->conf.local)
		return local_open_stream(p->conf.local, rest, out, e);
	if (aws_of(p, &aws, e))
		return -1;
	return kinesis_open(aws, rest, out, e);
}

int open_table(struct ports *p, const char *name, const char *key_attr, struct table **out, struct err *e)
{
	struct aws_shared *aws;
	const char *rest;
	enum name_kind kind = name_kind(name, &rest);

	if (kind != NAME_DYNAMODB && kind != NAME_PLAIN)
		return err_set(e, ERR_USAGE, "bad-name", "\"%.80s\" is no table", name);
	if (check_name("table", rest, 3, 255, e))
		return -1;
	if (strlen(key_attr) > 255)
		return err_set(e, ERR_USAGE, "bad-name", "the key's name is over 255 bytes");
	if (p->conf.local)
		return local_open_table(p->conf.local, rest, key_attr, out, e);
	if (aws_of(p, &aws, e))
		return -1;
	return dynamodb_open(aws, rest, key_attr, out, e);
}

static int open_s3(struct ports *p, const char *rest, struct blob **out, struct buf *prefix, struct err *e)
{
	struct aws_shared *aws;
	const char *slash = strchr(rest, '/');
	size_t n = slash ? (size_t)(slash - rest) : strlen(rest);
	char bucket[256];

	if (n < 3 || n > 255)
		return err_set(e, ERR_USAGE, "bad-name", "\"s3://%.80s\" names no bucket", rest);
	memcpy(bucket, rest, n);
	bucket[n] = '\0';
	if (check_name("bucket", bucket, 3, 255, e))
		return -1;
	if (slash && !buf_str(prefix, slash + 1))
		return err_set(e, ERR_USAGE, "bad-name", "\"s3://%.80s\" is too long", rest);
	if (p->conf.local)
		return local_open_blob(p->conf.local, bucket, out, e);
	if (aws_of(p, &aws, e))
		return -1;
	return s3_open(aws, bucket, out, e);
}

int open_blob(struct ports *p, const char *uri, struct blob **out, struct buf *prefix, struct err *e)
{
	const char *rest;

	switch (name_kind(uri, &rest)) {
	case NAME_S3: return open_s3(p, rest, out, prefix, e);
	case NAME_PATH:
	case NAME_PLAIN: return folder_open_blob(uri, out, e);
	default: return err_set(e, ERR_USAGE, "bad-name", "\"%.80s\" is no archive", uri);
	}
}

static int check_agent(const char *what, const char *s, struct err *e)
{
	return check_name(what, s, 1, 64, e);
}

static int open_bedrock(struct ports *p, const char *name, struct agent **out, struct err *e)
{
	struct aws_shared *aws;
	const char *slash = strchr(name, '/');
	char id[65];

	if (!slash || slash == name || !slash[1] || (size_t)(slash - name) >= sizeof id)
		return err_set(e, ERR_USAGE, "bad-name", "\"%.80s\" is no agent: ID/ALIAS is", name);
	memcpy(id, name, (size_t)(slash - name));
	id[slash - name] = '\0';
	if (check_agent("agent", id, e) || check_agent("alias", slash + 1, e) || aws_of(p, &aws, e))
		return -1;
	return bedrock_agent_open(aws, id, slash + 1, out, e);
}

int open_agent(struct ports *p, const char *name, struct agent **out, struct err *e)
{
	const char *id = getenv("BEDROCK_AGENT_ID"), *alias = getenv("BEDROCK_AGENT_ALIAS"), *rest = name;
	char both[160];

	if (name) {
		enum name_kind kind = name_kind(name, &rest);
		if (kind != NAME_BEDROCK_AGENT && kind != NAME_PATH && !(kind == NAME_PLAIN && p->conf.local))
			return err_set(e, ERR_USAGE, "bad-name", "\"%.80s\" is no agent: ID/ALIAS is", name);
	}
	if (p->conf.local)
		return local_open_agent(p->conf.local, out, e);
	if (!name) {
		if (!id || !*id || !alias || !*alias)
			return err_set(e, ERR_USAGE, "no-agent",
				"no agent: give ID/ALIAS, set BEDROCK_AGENT_ID and BEDROCK_AGENT_ALIAS, or "
				"use --local DIR");
		snprintf(both, sizeof both, "%.70s/%.70s", id, alias);
		rest = both;
	}
	return open_bedrock(p, rest, out, e);
}
