/* answer_fuzz.c - libFuzzer target: any text as a model's answer.
 *
 * Checked: what answer_json gives is strict JSON; a text that is one container comes out as it is,
 * without the white space around it; a cut-off container is never strict; answer_parse keeps its limits.
 * Build: clang -fsanitize=fuzzer,address,undefined -Isrc, with base/ and
 * rec/{answer,extract,pick,repair,repair_text}.c. */
#include "rec/answer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static size_t trim(const char **s, size_t n)
{
	while (n && strchr(" \t\r\n", **s) && **s) {
		(*s)++;
		n--;
	}
	while (n && strchr(" \t\r\n", (*s)[n - 1]) && (*s)[n - 1])
		n--;
	return n;
}

static void check_json(const char *text, size_t n, bool prefer_array)
{
	struct buf json = BUF_INIT(BUF_MAX_LINE);
	enum json_type type = JSON_NONE;
	bool whole = json_scan(text, n, &type, NULL) == 0;
	enum answer_how how = answer_json(text, n, prefer_array, &json);
	if (how != ANSWER_NONE)
		check(json_scan(json.p, json.len, NULL, NULL) == 0);
	else
		check(json.len == 0);
	if (whole && (type == JSON_ARRAY || type == JSON_OBJECT)) {
		size_t len = trim(&text, n);
		check(how == ANSWER_STRICT && json.len == len && !memcmp(json.p, text, len));
	}
	check(whole || how != ANSWER_STRICT || (n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)));
	if (how == ANSWER_TRUNCATED)
		check(prefer_array && json.p[0] == '[');
	buf_release(&json);
}

static void check_items(const char *text, size_t n, size_t count)
{
	struct answer a;
	struct err e = { 0 };
	const cJSON *m;
	size_t items = 0;
	if (answer_parse(text, n, count, &a, &e) != 0) {
		check(!a.items && e.cls == ERR_FAILED && e.code[0]);
		return;
	}
	cJSON_ArrayForEach(m, a.items)
	{
		double v = 0;
		const char *id = json_str(m, "item_id");
		check(id && *id && strlen(id) <= 256 * 4 && json_str(m, "category") &&
			json_str(m, "reasoning"));
		check(strlen(json_str(m, "reasoning")) <= 1000 * 4);
		if (json_num(m, "confidence_score", &v))
			check(v >= 0 && v <= 1);
		for (const unsigned char *p = (const unsigned char *)id; *p; p++)
			check(*p >= 0x20 && *p != 0x7f);
		items++;
	}
	check(items == a.valid && items >= 1 && items <= count && a.how != ANSWER_NONE);
	answer_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = malloc(n + 1); /* exact: a read behind the end shows */
	if (!text)
		return 0;
	char *exact = n ? realloc(text, n) : text;
	if (n)
		memcpy(exact, data, n);
	check_json(exact, n, false);
	check_json(exact, n, true);
	check_items(exact, n, 10);
	free(exact);
	return 0;
}
