/* av.c - DynamoDB attribute values and plain JSON, both ways; sizes, order, equality.
 *
 * Recursion is bounded by JSON_MAX_DEPTH: every tree comes from json_tree or was made out of one. */
#include "base/av.h"
#include "base/decimal.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

#define N_DIGITS 38 /* significant digits that DynamoDB keeps */
#define N_TEXT 40   /* longer texts are rewritten: zeros and long exponents may upset a parser */

static bool parse_number(const char *text, struct decimal *d)
{
	return text && decimal_parse(text, strlen(text), d);
}

/* 1E-130 .. 9.99E+125; the value is 0.ddd * 10^exp, hence one more. */
static bool fits(const struct decimal *d)
{
	return !d->n || (d->n <= N_DIGITS && d->exp >= -129 && d->exp <= 126);
}

bool av_number_fits(const char *text)
{
	struct decimal d;

	return parse_number(text, &d) && d.json && fits(&d);
}

/* ---- plain to typed ---- */

static cJSON *typed(const char *type, cJSON *inner)
{
	cJSON *v = json_new_object();

	json_add(v, type, inner);
	return v;
}

cJSON *av_s(const char *s)
{
	return typed("S", json_new_str(s));
}

cJSON *av_n(int64_t v)
{
	cJSON *n = json_raw_int(v);

	n->type = cJSON_String; /* the wire has numbers as strings */
	return typed("N", n);
}

cJSON *av_n_text(const char *number)
{
	return typed("N", json_new_str(number));
}

static cJSON *number_from_json(const char *text)
{
	struct buf shorter = BUF_INIT(BUF_MAX_SMALL);
	struct decimal d;
	cJSON *v;

	if (!parse_number(text, &d) || !d.json)
		return NULL;
	if (!fits(&d))
		return av_s(text);
	if (strlen(text) > N_TEXT || (!d.n && strpbrk(text, "eE"))) {
		decimal_print(&shorter, &d);
		text = shorter.p;
	}
	v = av_n_text(text);
	buf_release(&shorter);
	return v;
}

struct named {
	const cJSON *node;
	size_t at;
};

static int by_name(const void *pa, const void *pb)
{
	const struct named *a = pa, *b = pb;
	int c = strcmp(a->node->string, b->node->string);

	return c ? c : (a->at > b->at) - (a->at < b->at);
}

static size_t count_children(const cJSON *v)
{
	size_t n = 0;

	for (const cJSON *c = v->child; c; c = c->next)
		n++;
	return n;
}

/* A map has each name once, JSON may repeat it: the last one counts, as in most readers. Returns an
 * array of flags, true for members to leave out. */
static bool *repeated_names(const cJSON *object, size_t n)
{
	struct named *list = mem_array(n, sizeof(*list));
	bool *drop = mem_array(n, sizeof(*drop));
	size_t i = 0;

	for (const cJSON *c = object->child; c; c = c->next, i++)
		list[i] = (struct named){ c, i };
	qsort(list, n, sizeof(*list), by_name);
	for (i = 0; i + 1 < n; i++)
		drop[list[i].at] = strcmp(list[i].node->string, list[i + 1].node->string) == 0;
	free(list);
	return drop;
}

static cJSON *map_from_json(const cJSON *plain)
{
	size_t n = count_children(plain), i = 0;
	bool *drop = n > 1 ? repeated_names(plain, n) : NULL;
	cJSON *m = json_new_object();

	for (const cJSON *c = plain->child; c && m; c = c->next, i++) {
		if (drop && drop[i])
			continue;
		cJSON *v = av_from_json(c);
		if (!v) {
			cJSON_Delete(m);
			m = NULL;
			break;
		}
		json_add(m, c->string, v);
	}
	free(drop);
	return m ? typed("M", m) : NULL;
}

static cJSON *list_from_json(const cJSON *plain)
{
	cJSON *l = json_new_array();

	for (const cJSON *c = plain->child; c; c = c->next) {
		cJSON *v = av_from_json(c);

		if (!v) {
			cJSON_Delete(l);
			return NULL;
		}
		json_add(l, NULL, v);
	}
	return typed("L", l);
}

cJSON *av_from_json(const cJSON *plain)
{
	struct buf text = BUF_INIT(BUF_MAX_SMALL);
	cJSON *v;

	switch (plain ? plain->type & 0xff : cJSON_Invalid) {
	case cJSON_String: return av_s(plain->valuestring);
	case cJSON_True:
	case cJSON_False: return typed("BOOL", json_new_bool(cJSON_IsTrue(plain)));
	case cJSON_NULL: return typed("NULL", json_new_bool(true));
	case cJSON_Raw: return number_from_json(plain->valuestring);
	case cJSON_Object: return map_from_json(plain);
	case cJSON_Array: return list_from_json(plain);
	case cJSON_Number:
		json_print(&text, plain);
		v = number_from_json(text.p);
		buf_release(&text);
		return v;
	default: return NULL;
	}
}

/* ---- typed to plain ---- */

/* The one member of a typed value. */
static const cJSON *inner_of(const cJSON *v)
{
	return cJSON_IsObject(v) && v->child && !v->child->next ? v->child : NULL;
}

static cJSON *number_to_json(const char *text)
{
	struct buf rewritten = BUF_INIT(BUF_MAX_SMALL);
	struct decimal d;
	cJSON *n;

	if (!parse_number(text, &d))
		return NULL;
	if (d.json)
		return json_new_raw(text);
	decimal_print(&rewritten, &d);
	n = rewritten.over ? NULL : json_new_raw(rewritten.p);
	buf_release(&rewritten);
	return n;
}

/* The elements of L, SS, NS, BS or the members of M, each through one function. */
static cJSON *container_to_json(const cJSON *in, cJSON *out, cJSON *(*each)(const cJSON *))
{
	for (const cJSON *c = in->child; c; c = c->next) {
		cJSON *v = each(c);

		if (!v) {
			cJSON_Delete(out);
			return NULL;
		}
		json_add(out, c->string, v);
	}
	return out;
}

static cJSON *string_element(const cJSON *c)
{
	return cJSON_IsString(c) ? json_new_str(c->valuestring) : NULL;
}

static cJSON *number_element(const cJSON *c)
{
	return cJSON_IsString(c) ? number_to_json(c->valuestring) : NULL;
}

cJSON *av_to_json(const cJSON *v)
{
	const cJSON *in = inner_of(v);
	const char *type = in ? in->string : "";

	if (strcmp(type, "S") == 0 || strcmp(type, "B") == 0)
		return string_element(in);
	if (strcmp(type, "N") == 0)
		return number_element(in);
	if (strcmp(type, "BOOL") == 0)
		return cJSON_IsBool(in) ? json_new_bool(cJSON_IsTrue(in)) : NULL;
	if (strcmp(type, "NULL") == 0)
		return json_new_null();
	if (strcmp(type, "M") == 0)
		return cJSON_IsObject(in) ? container_to_json(in, json_new_object(), av_to_json) : NULL;
	if (!cJSON_IsArray(in))
		return NULL;
	if (strcmp(type, "L") == 0)
		return container_to_json(in, json_new_array(), av_to_json);
	if (strcmp(type, "NS") == 0)
		return container_to_json(in, json_new_array(), number_element);
	if (strcmp(type, "SS") == 0 || strcmp(type, "BS") == 0)
		return container_to_json(in, json_new_array(), string_element);
	return NULL;
}

cJSON *av_item_to_json(const cJSON *item)
{
	return cJSON_IsObject(item) ? container_to_json(item, json_new_object(), av_to_json) : NULL;
}

/* ---- reading one attribute ---- */

const cJSON *av_get(const cJSON *item, const char *name, const char *type)
{
	const cJSON *v, *in;

	if (!cJSON_IsObject(item))
		return NULL;
	v = cJSON_GetObjectItemCaseSensitive(item, name);
	in = inner_of(v);
	return in && strcmp(in->string, type) == 0 ? in : NULL;
}

const char *av_get_s(const cJSON *item, const char *name)
{
	const cJSON *in = av_get(item, name, "S");

	return cJSON_IsString(in) ? in->valuestring : NULL;
}

const char *av_get_n(const cJSON *item, const char *name)
{
	const cJSON *in = av_get(item, name, "N");

	return cJSON_IsString(in) ? in->valuestring : NULL;
}

bool av_get_int(const cJSON *item, const char *name, int64_t *out)
{
	struct decimal d;

	return parse_number(av_get_n(item, name), &d) && decimal_to_int(&d, out);
}

/* ---- size ---- */

/* Two digits a byte and one for the exponent, one more below zero, at most 21. */
static size_t number_size(const char *text)
{
	struct decimal d;
	size_t n = 2;

	if (parse_number(text, &d))
		n = (d.n + 1) / 2 + 1 + d.neg;
	return n > 21 ? 21 : n;
}

static size_t base64_size(const char *s)
{
	size_t n = strlen(s);

	while (n && s[n - 1] == '=')
		n--;
	return n * 3 / 4;
}

static size_t text_size(const char *type, const cJSON *v)
{
	if (!cJSON_IsString(v))
		return 0;
	if (type[0] == 'N')
		return number_size(v->valuestring);
	return type[0] == 'B' ? base64_size(v->valuestring) : strlen(v->valuestring);
}

size_t av_value_size(const cJSON *v)
{
	const cJSON *in = inner_of(v);
	const char *type = in ? in->string : "";
	size_t size = 3;

	if (!in)
		return 0;
	if (strcmp(type, "BOOL") == 0 || strcmp(type, "NULL") == 0)
		return 1;
	if (strcmp(type, "M") == 0 || strcmp(type, "L") == 0) {
		for (const cJSON *c = in->child; c; c = c->next)
			size += 1 + (c->string ? strlen(c->string) : 0) + av_value_size(c);
		return size;
	}
	if (type[0] && type[1] == 'S' && cJSON_IsArray(in)) {
		size = 0;
		for (const cJSON *c = in->child; c; c = c->next)
			size += text_size(type, c);
		return size;
	}
	return text_size(type, in);
}

size_t av_item_size(const cJSON *item)
{
	size_t size = 0;

	if (!cJSON_IsObject(item))
		return 0;
	for (const cJSON *c = item->child; c; c = c->next)
		size += strlen(c->string) + av_value_size(c);
	return size;
}

/* ---- order and equality ---- */

int av_number_compare(const char *a, const char *b)
{
	struct decimal da, db;
	bool ga = parse_number(a, &da), gb = parse_number(b, &db);

	if (!ga || !gb) /* no number: before all numbers */
		return (int)ga - (int)gb;
	return decimal_compare(&da, &db);
}

static bool equal_strings(const cJSON *a, const cJSON *b)
{
	return cJSON_IsString(a) && cJSON_IsString(b) && strcmp(a->valuestring, b->valuestring) == 0;
}

static bool equal_numbers(const cJSON *a, const cJSON *b)
{
	return cJSON_IsString(a) && cJSON_IsString(b) &&
	       av_number_compare(a->valuestring, b->valuestring) == 0;
}

static bool equal_in_order(const cJSON *a, const cJSON *b, bool (*same)(const cJSON *, const cJSON *))
{
	for (a = a->child, b = b->child; a && b; a = a->next, b = b->next)
		if (!same(a, b))
			return false;
	return !a && !b;
}

/* Sets have no order. */
static bool equal_sets(const cJSON *a, const cJSON *b, bool (*same)(const cJSON *, const cJSON *))
{
	if (equal_in_order(a, b, same))
		return true;
	if (count_children(a) != count_children(b))
		return false;
	for (const cJSON *x = a->child; x; x = x->next) {
		const cJSON *y = b->child;

		while (y && !same(x, y))
			y = y->next;
		if (!y)
			return false;
	}
	return true;
}

static bool equal_member(const cJSON *a, const cJSON *b)
{
	return strcmp(a->string, b->string) == 0 && av_equal(a, b);
}

static bool equal_maps(const cJSON *a, const cJSON *b)
{
	if (count_children(a) != count_children(b))
		return false;
	const cJSON *y = b->child;
	for (const cJSON *x = a->child; x; x = x->next, y = y->next) {
		bool here = strcmp(x->string, y->string) == 0;
		const cJSON *other = here ? y : cJSON_GetObjectItemCaseSensitive(b, x->string);

		if (!other || !equal_member(x, other))
			return false;
	}
	return true;
}

bool av_equal(const cJSON *a, const cJSON *b)
{
	const cJSON *x = inner_of(a), *y = inner_of(b);

	if (!x || !y || strcmp(x->string, y->string) != 0 || (x->type & 0xff) != (y->type & 0xff))
		return false;
	if (strcmp(x->string, "N") == 0)
		return equal_numbers(x, y);
	if (strcmp(x->string, "NS") == 0)
		return equal_sets(x, y, equal_numbers);
	if (strcmp(x->string, "SS") == 0 || strcmp(x->string, "BS") == 0)
		return equal_sets(x, y, equal_strings);
	if (strcmp(x->string, "L") == 0)
		return equal_in_order(x, y, av_equal);
	if (strcmp(x->string, "M") == 0)
		return equal_maps(x, y);
	return cJSON_IsString(x) ? equal_strings(x, y) : true; /* BOOL: the types differ */
}
