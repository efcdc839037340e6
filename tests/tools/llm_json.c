/* Judge answer_json on recorded model replies: NDJSON with `input`, `accept`, `class` on standard input,
 * a table of verdicts on standard output. Arguments: -a counts lines that need a schema too, -l ranks
 * arrays of objects first, -v names every line that is not right, -h A/B only lines whose id falls into
 * that half. Status 1 when a value is WRONG. */
#include "base/buf.h"
#include "base/json.h"
#include "rec/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum verdict { RIGHT, NONE, WRONG };

struct row {
	char name[32];
	size_t lines, got[3], salvaged;
};

struct options {
	bool all, list, verbose;
	char half;
};

static bool same_value(const cJSON *a, const cJSON *b);

static const cJSON *last_of(const cJSON *object, const char *name)
{
	const cJSON *found = NULL, *m;
	cJSON_ArrayForEach(m, object) if (!strcmp(m->string, name)) found = m;
	return found;
}

static bool covers(const cJSON *a, const cJSON *b)
{
	const cJSON *m;
	cJSON_ArrayForEach(m, a)
	{
		const cJSON *other = last_of(b, m->string);
		if (!other || !same_value(last_of(a, m->string), other))
			return false;
	}
	return true;
}

/* Equal after parsing: numbers by value, members in any order, the last of equal names. */
static bool same_value(const cJSON *a, const cJSON *b)
{
	double x, y;
	if (json_node_num(a, &x) && json_node_num(b, &y))
		return !(x < y) && !(x > y);
	if ((a->type & 0xff) != (b->type & 0xff))
		return false;
	if (cJSON_IsString(a))
		return !strcmp(a->valuestring, b->valuestring);
	if (cJSON_IsObject(a))
		return covers(a, b) && covers(b, a);
	const cJSON *x1 = a->child, *y1 = b->child;
	for (; x1 && y1; x1 = x1->next, y1 = y1->next)
		if (!same_value(x1, y1))
			return false;
	return !x1 && !y1;
}

static enum verdict judge(
	const char *input, size_t n, const cJSON *accept, bool list, enum answer_how *how, struct buf *json)
{
	*how = answer_json(input, n, list, json);
	if (*how == ANSWER_NONE)
		return NONE;
	cJSON *got = json_tree(json->p, json->len, NULL);
	const cJSON *one;
	bool right = false;
	cJSON_ArrayForEach(one, accept) right = right || (got && same_value(got, one));
	cJSON_Delete(got);
	if (right)
		return RIGHT;
	return *how == ANSWER_TRUNCATED ? NONE : WRONG; /* a salvage says that it is one */
}

static struct row *row_of(struct row *rows, size_t *count, const char *name, size_t n)
{
	for (size_t k = 0; k < *count; k++)
		if (strlen(rows[k].name) == n && !memcmp(rows[k].name, name, n))
			return &rows[k];
	struct row *r = &rows[*count < 15 ? (*count)++ : 15];
	snprintf(r->name, sizeof(r->name), "%.*s", (int)n, name);
	return r;
}

static void one_line(const char *line, size_t n, const struct options *o, struct row *rows, size_t *count)
{
	struct json_member m[] = { { .name = "input" }, { .name = "accept" }, { .name = "class" },
		{ .name = "id" }, { .name = "needs_schema" } };
	struct json_object object;
	struct err e;
	if (json_scan_object(line, n, m, 5, &object, &e) != 0 || m[0].type != JSON_STRING ||
		m[2].type != JSON_STRING) {
		fprintf(stderr, "llm_json: bad line: %s\n", e.msg);
		exit(2);
	}
	char first = line[m[3].off + 1];
	if ((m[4].type == JSON_TRUE && !o->all) ||
		(o->half && (strchr("02468ace", first) ? 'A' : 'B') != o->half))
		return;
	struct buf input = BUF_INIT(BUF_MAX_LINE), json = BUF_INIT(BUF_MAX_LINE);
	json_unescape(&input, line + m[0].off, m[0].len, NULL);
	cJSON *accept = m[1].type == JSON_ARRAY ? json_tree(line + m[1].off, m[1].len, NULL) : NULL;
	enum answer_how how;
	enum verdict v = judge(input.p ? input.p : "", input.len, accept, o->list, &how, &json);
	struct row *r = row_of(rows, count, line + m[2].off + 1, m[2].len - 2);
	r->lines++;
	r->got[v]++;
	r->salvaged += how == ANSWER_TRUNCATED;
	if (o->verbose && v != RIGHT)
		printf("%s %.*s %.*s\n  input  %.*s\n  accept %.*s\n  got    %.*s\n",
			v == WRONG ? "WRONG" : "none", (int)m[2].len, line + m[2].off, (int)m[3].len,
			line + m[3].off, m[0].len > 300 ? 300 : (int)m[0].len, line + m[0].off,
			m[1].len > 300 ? 300 : (int)m[1].len, line + m[1].off,
			json.len > 300 ? 300 : (int)json.len, json.p ? json.p : "");
	cJSON_Delete(accept);
	buf_release(&input);
	buf_release(&json);
}

static int print_table(const struct row *rows, size_t count)
{
	struct row sum = { .name = "all" };
	printf("%-24s %6s %6s %6s %6s %9s\n", "class", "lines", "right", "none", "WRONG", "salvaged");
	for (size_t k = 0; k <= count; k++) {
		const struct row *r = k < count ? &rows[k] : &sum;
		printf("%-24s %6zu %6zu %6zu %6zu %9zu\n", r->name, r->lines, r->got[RIGHT], r->got[NONE],
			r->got[WRONG], r->salvaged);
		sum.lines += r->lines;
		sum.salvaged += r->salvaged;
		for (int v = RIGHT; v <= WRONG; v++)
			sum.got[v] += r->got[v];
	}
	return sum.got[WRONG] ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct row rows[16] = { 0 };
	size_t count = 0, cap = 0;
	char *line = NULL;
	ssize_t n;
	for (int k = 1; k < argc; k++) {
		o.all = o.all || !strcmp(argv[k], "-a");
		o.list = o.list || !strcmp(argv[k], "-l");
		o.verbose = o.verbose || !strcmp(argv[k], "-v");
		if (!strcmp(argv[k], "-h") && k + 1 < argc)
			o.half = argv[++k][0];
	}
	while ((n = getline(&line, &cap, stdin)) > 0)
		one_line(line, (size_t)n, &o, rows, &count);
	free(line);
	return print_table(rows, count);
}
