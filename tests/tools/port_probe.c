/* port_probe.c - run single operations of the port contracts from the command line, for the integration tests.
 *
 *   port_probe shards STREAM | describe STREAM | create STREAM SHARDS
 *   port_probe put STREAM            lines "KEY<TAB>DATA" in, "SHARD<TAB>SEQUENCE" or "error<TAB>CODE" a line out
 *   port_probe read STREAM SHARD POSITION [MAX [LIMIT]]   POSITION: trim, latest, at:SEQ, after:SEQ, time:MS. Reads until MAX
 *                                    records, the shard's end, or six empty answers at the tip; "SEQUENCE<TAB>KEY<TAB>DATA" out
 *   port_probe get TABLE KEY | getmany TABLE KEY... | del TABLE KEY [COND...] | scan TABLE
 *   port_probe item TABLE ITEM [COND...]            PutItem of typed JSON
 *   port_probe update TABLE KEY CHANGE... [COND...]  CHANGE: set:ATTR=TYPED, add:ATTR=N, remove:ATTR
 *                                    COND: exists:ATTR, missing:ATTR, eq|lt|le|gt:ATTR=TYPED, any (join by OR)
 *   port_probe table TABLE | mktable TABLE | ttl TABLE ATTR
 *   port_probe list URI [AFTER] | fetch URI
 *   port_probe ask AGENT SESSION PROMPT [TIMEOUT_MS]
 *
 * PROBE_KEY names the hash attribute (user_id). Exit status and standard error are those of the error. */
#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "port/open.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ports *ports;

static const char *key_attr(void)
{
	const char *k = getenv("PROBE_KEY");

	return k ? k : "user_id";
}

static void print_tree(const cJSON *tree)
{
	struct buf b = BUF_INIT(BUF_MAX_HTTP);

	json_print(&b, tree);
	puts(b.p ? b.p : "");
	buf_release(&b);
}

static int shards(struct stream *s, struct err *e)
{
	struct shards list;

	if (stream_shards(s, &list, e))
		return -1;
	for (size_t i = 0; i < list.n; i++)
		printf("%s\t%s\t%s\t%s\t%s\n", list.v[i].id, list.v[i].parent, list.v[i].adjacent,
			list.v[i].start_hash, list.v[i].end_seq[0] ? "closed" : "open");
	free(list.v);
	return 0;
}

static int describe(struct stream *s, struct err *e)
{
	struct stream_info i;

	if (stream_describe(s, &i, e))
		return -1;
	printf("%s\t%s\t%zu\t%d\n", i.name, i.status, i.open_shards, i.created_s > 1600000000);
	return 0;
}

static int put(struct stream *s, struct err *e)
{
	enum { MOST = 500 };
	static struct put v[MOST];
	static char lines[MOST][4096];
	size_t n = 0;

	for (; n < MOST && fgets(lines[n], sizeof lines[n], stdin); n++) {
		char *tab = strchr(lines[n], '\t');
		lines[n][strcspn(lines[n], "\n")] = '\0';
		if (!tab)
			return err_set(e, ERR_USAGE, "", "no tab");
		*tab = '\0';
		v[n] = (struct put){ .partition_key = lines[n], .data = tab + 1, .len = strlen(tab + 1) };
	}
	if (stream_put(s, v, n, e))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (v[i].err.cls)
			printf("error\t%s\n", v[i].err.code);
		else
			printf("%s\t%s\n", v[i].shard_id, v[i].sequence_number);
	return 0;
}

static int parse_position(struct position *p, const char *s, struct err *e)
{
	*p = (struct position){ 0 };
	if (!strcmp(s, "trim"))
		p->kind = POS_TRIM_HORIZON;
	else if (!strcmp(s, "latest"))
		p->kind = POS_LATEST;
	else if (!strncmp(s, "time:", 5))
		p->kind = POS_AT_TIME, p->time_ms = strtoll(s + 5, NULL, 10);
	else if (!strncmp(s, "at:", 3) || !strncmp(s, "after:", 6))
		p->kind = s[1] == 't' ? POS_AT_SEQ : POS_AFTER_SEQ,
		snprintf(p->seq, sizeof p->seq, "%s", strchr(s, ':') + 1);
	else
		return err_set(e, ERR_USAGE, "", "bad position");
	return 0;
}

static int read_shard(struct stream *s, int argc, char **argv, struct err *e)
{
	struct cursor c = { 0 };
	struct records r = { 0 };
	uint64_t max = argc > 2 ? strtoull(argv[2], NULL, 10) : UINT64_MAX, n = 0;
	size_t limit = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	int rc = parse_position(&c.next, argv[1], e);
	bool quiet = getenv("PROBE_QUIET") != NULL;

	snprintf(c.shard_id, sizeof c.shard_id, "%s", argv[0]);
	if (getenv("PROBE_ITERATOR")) { /* begin with an iterator that the server does not know */
		snprintf(c.iterator, sizeof c.iterator, "%s", getenv("PROBE_ITERATOR"));
		c.iterator_ms = clock_mono_ms();
	}
	for (int idle = 0; !rc && n < max && idle < 6 && !r.ended; idle++) {
		rc = stream_read(s, &c, limit, &r, e);
		for (size_t i = 0; !rc && i < r.n; i++, n++)
			if (!quiet)
				printf("%s\t%s\t%.*s\n", r.v[i].sequence_number, r.v[i].partition_key,
					(int)r.v[i].len, r.v[i].data);
		if (r.n || r.behind_ms)
			idle = -1;
		else
			clock_sleep_ms(quiet ? 0 : 30);
	}
	if (!rc)
		fprintf(stderr, "%" PRIu64 " records, %s\n", n, r.ended ? "ended" : "open");
	records_release(&r);
	return rc;
}

static int on_stream(const char *op, int argc, char **argv, struct err *e)
{
	struct stream *s;
	int rc;

	if (open_stream(ports, argv[0], &s, e))
		return -1;
	if (!strcmp(op, "shards"))
		rc = shards(s, e);
	else if (!strcmp(op, "describe"))
		rc = describe(s, e);
	else if (!strcmp(op, "create"))
		rc = stream_create(s, (unsigned)strtoul(argv[1], NULL, 10), e);
	else if (!strcmp(op, "put"))
		rc = put(s, e);
	else
		rc = read_shard(s, argc - 1, argv + 1, e);
	stream_close(s);
	return rc;
}

/* "set:ATTR=TYPED" and the like into changes or the condition. The text is kept by argv. */
static int parse_word(char *word, struct changes *ch, struct cond *c, struct err *e)
{
	static const char *const ops[] = { "exists", "missing", "eq", "lt", "le", "gt" };
	char *attr = strchr(word, ':'), *value = strchr(word, '=');
	cJSON *tree;

	if (!strcmp(word, "any")) {
		c->any = true;
		return 0;
	}
	if (!attr)
		return err_set(e, ERR_USAGE, "", "bad word %s", word);
	*attr++ = '\0';
	if (value)
		*value++ = '\0';
	tree = value && strcmp(word, "add") != 0 ? json_tree(value, strlen(value), e) : NULL;
	for (enum cond_op i = COND_EXISTS; i <= COND_GT; i++)
		if (!strcmp(word, ops[i])) {
			cond_test(c, attr, i, tree);
			return 0;
		}
	if (!strcmp(word, "add"))
		change_add(ch, attr, value ? strtoll(value, NULL, 10) : 0);
	else if (tree)
		change_set(ch, attr, tree);
	else
		change_remove(ch, attr);
	return 0;
}

static int print_item(const cJSON *item, void *arg)
{
	(void)arg;
	print_tree(item);
	return 0;
}

static int read_table(struct table *t, const char *op, int argc, char **argv, struct err *e)
{
	struct table_info info;
	cJSON *items[1000] = { 0 };
	int rc;

	if (!strcmp(op, "get")) {
		rc = table_get(t, argv[0], true, &items[0], e);
		argc = 1;
	} else if (!strcmp(op, "getmany")) {
		rc = table_get_many(t, (const char *const *)argv, (size_t)argc, true, items, e);
	} else if (!strcmp(op, "scan")) {
		return table_scan(t, print_item, NULL, e);
	} else {
		rc = table_describe(t, &info, e);
		if (!rc)
			printf("%s\t%s\t%s\t%s\n", info.status, info.key_attribute,
				info.ttl_enabled ? "ttl" : "-", info.ttl_attribute);
		return rc;
	}
	for (int i = 0; !rc && i < argc; i++) {
		if (items[i])
			print_tree(items[i]);
		else
			puts("none");
		cJSON_Delete(items[i]);
	}
	return rc;
}

static int write_table(struct table *t, const char *op, int argc, char **argv, struct err *e)
{
	struct changes ch = { 0 };
	struct cond c = { 0 };
	cJSON *item = NULL;
	int rc = 0;

	for (int i = 1; !rc && i < argc; i++)
		rc = parse_word(argv[i], &ch, &c, e);
	if (!rc && !strcmp(op, "item")) {
		item = json_tree(argv[0], strlen(argv[0]), e);
		rc = item ? table_put(t, item, &c, e) : -1;
	} else if (!rc && !strcmp(op, "update")) {
		rc = table_update(t, argv[0], &ch, &c, e);
	} else if (!rc) {
		rc = table_delete(t, argv[0], &c, e);
	}
	cJSON_Delete(item);
	cond_release(&c);
	changes_release(&ch);
	return rc;
}

static int on_table(const char *op, int argc, char **argv, struct err *e)
{
	struct table *t;
	int rc;

	if (open_table(ports, argv[0], key_attr(), &t, e))
		return -1;
	if (!strcmp(op, "mktable"))
		rc = table_create(t, e);
	else if (!strcmp(op, "ttl"))
		rc = table_enable_ttl(t, argv[1], e);
	else if (!strcmp(op, "item") || !strcmp(op, "update") || !strcmp(op, "del"))
		rc = write_table(t, op, argc - 1, argv + 1, e);
	else
		rc = read_table(t, op, argc - 1, argv + 1, e);
	table_close(t);
	return rc;
}

static int print_blob(const struct blob_item *item, void *arg, struct err *e)
{
	(void)arg, (void)e;
	printf("%s\t%" PRIu64 "\t%d\n", item->name, item->size, item->modified_s > 1600000000);
	return 0;
}

static int print_bytes(const char *p, size_t n, void *arg, struct err *e)
{
	(void)arg, (void)e;
	fwrite(p, 1, n, stdout);
	return 0;
}

static int on_blob(const char *op, int argc, char **argv, struct err *e)
{
	struct buf prefix = BUF_INIT(BUF_MAX_SMALL);
	struct blob *b;
	int rc;

	if (open_blob(ports, argv[0], &b, &prefix, e))
		return -1;
	const char *name = prefix.p ? prefix.p : "";
	rc = !strcmp(op, "list") ? blob_list(b, name, argc > 1 ? argv[1] : NULL, print_blob, NULL, e)
				 : blob_get(b, name, print_bytes, NULL, e);
	blob_close(b);
	buf_release(&prefix);
	return rc;
}

static int on_agent(int argc, char **argv, struct err *e)
{
	struct buf answer = BUF_INIT(BUF_MAX_ANSWER);
	struct agent *a;
	int rc;

	if (open_agent(ports, argv[0], &a, e))
		return -1;
	const struct agent_question q = { .key = argv[1],
		.session = argv[1],
		.prompt = argv[2],
		.prompt_len = strlen(argv[2]),
		.count = 5,
		.timeout_ms = argc > 3 ? strtoll(argv[3], NULL, 10) : 0 };
	rc = agent_ask(a, &q, &answer, e);
	if (!rc)
		printf("%s\n", answer.p ? answer.p : "");
	agent_close(a);
	buf_release(&answer);
	return rc;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *op;
		char port;
		int least;
	} ops[] = { { "shards", 's', 1 }, { "describe", 's', 1 }, { "create", 's', 2 }, { "put", 's', 1 },
		{ "read", 's', 3 }, { "get", 't', 2 }, { "getmany", 't', 2 }, { "scan", 't', 1 },
		{ "table", 't', 1 }, { "mktable", 't', 1 }, { "ttl", 't', 2 }, { "item", 't', 2 },
		{ "update", 't', 2 }, { "del", 't', 2 }, { "list", 'b', 1 }, { "fetch", 'b', 1 },
		{ "ask", 'a', 3 } };
	const struct ports_conf conf = { .local = getenv("RECAGENT_LOCAL") };
	struct err e = { 0 };
	int rc = -1;

	stop_install();
	log_init("port_probe", 0);
	ports = ports_new(&conf);
	err_set(&e, ERR_USAGE, "", "unknown operation or too few operands");
	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(ops); i++) {
		if (strcmp(argv[1], ops[i].op) != 0 || argc - 2 < ops[i].least)
			continue;
		rc = ops[i].port == 's'   ? on_stream(argv[1], argc - 2, argv + 2, &e)
		     : ops[i].port == 't' ? on_table(argv[1], argc - 2, argv + 2, &e)
		     : ops[i].port == 'b' ? on_blob(argv[1], argc - 2, argv + 2, &e)
					  : on_agent(argc - 2, argv + 2, &e);
	}
	ports_free(ports);
	if (!rc)
		return 0;
	fprintf(stderr, "%s %s: %s\n", err_class_name(e.cls), e.code, e.msg);
	return (int)err_exit(&e);
}
