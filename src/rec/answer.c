/* Turn what a model said into valid recommendations. */
#include "rec/answer.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define ID_MAX 256         /* characters */
#define CATEGORY_MAX 256   /* characters */
#define REASONING_MAX 1000 /* characters */
#define NUMBER_MAX 64      /* bytes of a confidence */
#define LIST_DEPTH 2       /* objects around the list */

/* cJSON cannot hold U+0000. U+0001 in its place keeps it what it is for the checks below: a control. */
static void replace_nul(char *json, size_t n)
{
	for (size_t k = 0; k + 1 < n; k++) {
		if (json[k] != '\\')
			continue;
		if (n - k >= 6 && !memcmp(json + k, "\\u0000", 6))
			json[k + 5] = '1';
		k++;
	}
}

static bool is_control(const unsigned char *p)
{
	return *p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f);
}

static size_t char_len(unsigned char c)
{
	return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* Controls (C1 too: U+009B starts a terminal sequence) become spaces, in place; cut at max characters. */
static char *clean_text(const char *text, size_t max)
{
	char *copy = mem_strdup(text), *to = copy;
	const unsigned char *p = (const unsigned char *)text;
	for (size_t chars = 0; *p && chars < max; chars++) {
		size_t len = char_len(*p);
		if (is_control(p)) {
			*to++ = ' ';
		} else {
			memcpy(to, p, len);
			to += len;
		}
		p += len;
	}
	*to = '\0';
	return copy;
}

/* The text of an item_id, or NULL and why. */
static const char *check_id(const cJSON *item, const char **why)
{
	const cJSON *id = cJSON_GetObjectItemCaseSensitive(item, "item_id");
	const char *text = cJSON_IsString(id) || cJSON_IsRaw(id) ? id->valuestring : NULL;
	size_t chars = 0;
	*why = id ? "item_id is neither a string nor a number" : "an item without item_id";
	if (!text)
		return NULL;
	*why = "item_id is empty or longer than 256 characters";
	for (const unsigned char *p = (const unsigned char *)text; *p; p += char_len(*p)) {
		if (is_control(p)) {
			*why = "item_id holds a control character";
			return NULL;
		}
		if (++chars > ID_MAX)
			return NULL;
	}
	return chars ? text : NULL;
}

/* Add a cleaned string member; false when it is there with another type. */
static bool add_text(cJSON *to, const cJSON *item, const char *name, size_t max)
{
	const cJSON *m = cJSON_GetObjectItemCaseSensitive(item, name);
	if (m && !cJSON_IsString(m) && !cJSON_IsNull(m))
		return false;
	char *text = clean_text(cJSON_IsString(m) ? m->valuestring : "", max);
	cJSON_AddStringToObject(to, name, text);
	free(text);
	return true;
}

static bool is_number(const char *s)
{
	enum json_type type;
	size_t n = strlen(s);
	return n <= NUMBER_MAX && json_scan(s, n, &type, NULL) == 0 && type == JSON_NUMBER;
}

static bool add_confidence(cJSON *to, const cJSON *item)
{
	const cJSON *m = cJSON_GetObjectItemCaseSensitive(item, "confidence_score");
	if (!m)
		m = cJSON_GetObjectItemCaseSensitive(item, "confidence");
	if (!m || cJSON_IsNull(m))
		return true;
	if ((!cJSON_IsString(m) && !cJSON_IsRaw(m)) || !is_number(m->valuestring))
		return false;
	double v = strtod(m->valuestring, NULL);
	if (!(v >= 0 && v <= 1))
		return false;
	cJSON_AddRawToObject(to, "confidence_score", m->valuestring);
	return true;
}

/* One item with our members only, or NULL and why it is invalid. */
static cJSON *clean_item(const cJSON *item, const char **why)
{
	*why = "an item that is no object";
	const char *id = cJSON_IsObject(item) ? check_id(item, why) : NULL;
	if (!id)
		return NULL;
	cJSON *clean = cJSON_CreateObject();
	cJSON_AddStringToObject(clean, "item_id", id);
	*why = "";
	if (!add_text(clean, item, "category", CATEGORY_MAX))
		*why = "category is not a string";
	else if (!add_text(clean, item, "reasoning", REASONING_MAX))
		*why = "reasoning is not a string";
	else if (!add_confidence(clean, item))
		*why = "confidence_score is not a number from 0 to 1";
	if (!**why)
		return clean;
	cJSON_Delete(clean);
	return NULL;
}

static bool has_id(const cJSON *node)
{
	return cJSON_IsObject(node) && cJSON_GetObjectItemCaseSensitive(node, "item_id");
}

/* The array that holds items, else a lone item, else NULL. */
static const cJSON *find_list(const cJSON *node, unsigned depth)
{
	const cJSON *m;
	if (has_id(node))
		return node;
	if (cJSON_IsArray(node)) {
		cJSON_ArrayForEach(m, node) if (has_id(m)) return node;
	}
	if (!cJSON_IsObject(node) || !depth)
		return NULL;
	cJSON_ArrayForEach(m, node)
	{
		const cJSON *list = cJSON_IsArray(m) ? find_list(m, 0) : NULL;
		if (list)
			return list;
	}
	cJSON_ArrayForEach(m, node)
	{
		const cJSON *list = cJSON_IsObject(m) ? find_list(m, depth - 1) : NULL;
		if (list)
			return list;
	}
	return NULL;
}

static bool known(const cJSON *items, const char *id)
{
	const cJSON *m;
	cJSON_ArrayForEach(m, items) if (!strcmp(json_str(m, "item_id"), id)) return true;
	return false;
}

static void take_items(struct answer *a, const cJSON *list, size_t count, const char **reason)
{
	const char *why = "";
	const cJSON *item = cJSON_IsArray(list) ? list->child : list;
	for (; item && a->valid < count; item = cJSON_IsArray(list) ? item->next : NULL) {
		cJSON *clean = clean_item(item, &why);
		if (!clean) {
			a->invalid++;
			if (!*reason)
				*reason = why;
		} else if (known(a->items, json_str(clean, "item_id"))) {
			a->duplicates++;
			cJSON_Delete(clean);
		} else {
			a->valid++;
			cJSON_AddItemToArray(a->items, clean);
		}
	}
}

/* The tree of the answer. A string that is a JSON document itself was quoted once too often: it is
 * opened once. */
static cJSON *answer_tree(const char *text, size_t n, enum answer_how *how)
{
	struct buf json = BUF_INIT(BUF_MAX_LINE), inner = BUF_INIT(BUF_MAX_LINE);
	enum json_type type;
	cJSON *tree = NULL;
	*how = answer_json(text, n, true, &json);
	if (*how != ANSWER_NONE && json_scan(json.p, json.len, &type, NULL) == 0 && type == JSON_STRING &&
		json_unescape(&inner, json.p, json.len, NULL)) {
		buf_reset(&json);
		*how = answer_json(inner.p ? inner.p : "", inner.len, true, &json);
		if (*how == ANSWER_STRICT || *how == ANSWER_FOUND)
			*how = ANSWER_REPAIRED;
	}
	if (*how != ANSWER_NONE) {
		replace_nul(json.p, json.len);
		tree = json_tree(json.p, json.len, NULL);
	}
	buf_release(&json);
	buf_release(&inner);
	return tree;
}

int answer_parse(const char *text, size_t n, size_t count, struct answer *a, struct err *e)
{
	const char *reason = NULL;
	*a = (struct answer){ 0 };
	cJSON *tree = answer_tree(text, n, &a->how);
	if (!cJSON_IsArray(tree) && !cJSON_IsObject(tree)) {
		cJSON_Delete(tree);
		a->how = ANSWER_NONE;
		return err_set(e, ERR_FAILED, "no-json", "no JSON in the answer");
	}
	const cJSON *list = find_list(tree, LIST_DEPTH);
	a->items = cJSON_CreateArray();
	if (list)
		take_items(a, list, count, &reason);
	else
		reason = "nothing in it has an item_id";
	cJSON_Delete(tree);
	if (a->valid)
		return 0;
	answer_release(a);
	return err_set(e, ERR_FAILED, "no-valid-item", "no valid item in the answer: %s",
		reason ? reason : "it is empty");
}

void answer_release(struct answer *a)
{
	cJSON_Delete(a->items);
	a->items = NULL;
}
