/* json_fuzz.c - libFuzzer target: the JSON scanner, its prefixes, trees, strings and cuts agree with each other. */
#include "base/av.h"
#include "base/json.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int cond)
{
	if (!cond)
		abort();
}

/* print(tree(text)) is JSON, and stays itself when it is read and printed again. */
static void check_tree(const char *s, size_t n)
{
	struct buf once = BUF_INIT(n * 6 + 1000), twice = BUF_INIT(n * 6 + 1000);
	cJSON *t = json_tree(s, n, NULL), *again, *typed, *plain;

	if (!t)
		return;
	must(json_print(&once, t));
	must(json_scan(once.p, once.len, NULL, NULL) == 0);
	again = json_tree(once.p, once.len, NULL);
	must(again != NULL);
	must(json_print(&twice, again));
	must(once.len == twice.len && memcmp(once.p, twice.p, once.len) == 0);
	typed = av_from_json(t);
	must(typed != NULL && av_equal(typed, typed));
	must(av_value_size(typed) < n * 8 + 8);
	plain = av_to_json(typed);
	must(plain != NULL);
	cJSON_Delete(plain);
	cJSON_Delete(typed);
	cJSON_Delete(again);
	cJSON_Delete(t);
	buf_release(&once);
	buf_release(&twice);
}

static void check_object(const char *s, size_t n)
{
	struct json_member want[] = { { .name = "a" }, { .name = "user_id" }, { .name = "" } };
	struct json_object o, after;

	if (json_scan_object(s, n, want, 3, &o, NULL) < 0)
		return;
	must(json_scan(s, n, NULL, NULL) == 0);
	must(s[o.off] == '{' && s[o.off + o.len - 1] == '}' && o.off + o.len <= n);
	for (size_t i = 0; i < 3; i++) {
		struct buf cut = BUF_INIT(n);
		enum json_type type;

		if (want[i].type == JSON_NONE)
			continue;
		must(json_scan(s + want[i].off, want[i].len, &type, NULL) == 0 && type == want[i].type);
		buf_add(&cut, s, want[i].cut_off);
		buf_add(&cut, s + want[i].cut_off + want[i].cut_len, n - want[i].cut_off - want[i].cut_len);
		must(json_scan_object(cut.p, cut.len, &want[i], 0, &after, NULL) == 0);
		must(after.members == o.members - 1);
		buf_release(&cut);
	}
}

/* A prefix never contradicts a longer one. */
static void check_prefix(const char *s, size_t n)
{
	size_t used, longer, half = n / 2;
	int all = json_scan_prefix(s, n, &longer, NULL, NULL);
	int part = json_scan_prefix(s, half, &used, NULL, NULL);

	must(longer <= n && used <= half);
	must(part == 0 || (part == all && (part < 0 || used == longer)));
	if (json_scan(s, n, NULL, NULL) == 0)
		must(all >= 0);
	if (all == 1)
		must(json_scan(s, longer, NULL, NULL) == 0);
}

static void check_strings(const char *s, size_t n)
{
	struct buf quoted = BUF_INIT(n * 6 + 2), back = BUF_INIT(n * 6 + 2);

	must(json_quote(&quoted, s, n));
	must(json_scan(quoted.p, quoted.len, NULL, NULL) == 0);
	must(json_unescape(&back, quoted.p, quoted.len, NULL));
	if (utf8_valid(s, n))
		must(back.len == n && (!n || memcmp(back.p, s, n) == 0));
	buf_release(&quoted);
	buf_release(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of exactly this size, so that the sanitizer sees a read behind the end. */
	char *s = malloc(size ? size : 1);

	if (!s)
		return 0;
	memcpy(s, data, size);
	check_prefix(s, size);
	check_object(s, size);
	check_tree(s, size);
	check_strings(s, size);
	free(s);
	return 0;
}
