/* json_tree.c - cJSON trees with numbers kept as text: build, print, read.
 *
 * Nodes come from base/mem, which cJSON_Delete frees as it frees its own. */
#include "base/decimal.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/mem.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- nodes ---- */

static cJSON *node(int type)
{
	cJSON *n = mem_alloc(sizeof(*n));

	n->type = type;
	return n;
}

cJSON *json_new_object(void)
{
	return node(cJSON_Object);
}

cJSON *json_new_array(void)
{
	return node(cJSON_Array);
}

cJSON *json_new_bool(bool v)
{
	cJSON *n = node(v ? cJSON_True : cJSON_False);

	n->valueint = v;
	return n;
}

cJSON *json_new_null(void)
{
	return node(cJSON_NULL);
}

static cJSON *text_node(int type, const char *s, size_t n)
{
	cJSON *t = node(type);

	t->valuestring = mem_dup(s, n);
	return t;
}

cJSON *json_new_str(const char *s)
{
	return text_node(cJSON_String, s, strlen(s));
}

cJSON *json_new_raw(const char *number)
{
	return text_node(cJSON_Raw, number, strlen(number));
}

cJSON *json_raw_int(int64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, v);
	return json_new_raw(text);
}

/* The key becomes the node's; NULL for an array. */
static void attach(cJSON *parent, char *key, cJSON *child)
{
	free(child->string);
	child->string = key;
	cJSON_AddItemToArray(parent, child); /* links only, for objects too */
}

void json_add(cJSON *parent, const char *key, cJSON *child)
{
	if (child)
		attach(parent, mem_strdup(key), child);
}

/* ---- building: the text has been scanned, so nothing is checked again ---- */

struct builder {
	bytes s, p, end;
	struct buf scratch;
	cJSON *stack[JSON_MAX_DEPTH];
	size_t depth;
	bool nul;
};

static void skip_space(struct builder *b)
{
	while (b->p < b->end && json_is_space(*b->p))
		b->p++;
}

/* p stands at the quote; a new C string. */
static char *take_string(struct builder *b)
{
	bytes start = b->p, q = json_string_end(start + 1, b->end);
	size_t n = (size_t)(q - start) - 1;
	bool nul;

	b->p = q + 1;
	if (!memchr(start + 1, '\\', n))
		return mem_dup(start + 1, n);
	buf_reset(&b->scratch);
	json_unescape(&b->scratch, (const char *)start, n + 2, &nul);
	if (nul && !b->nul) {
		b->nul = true;
		b->end = start; /* ends the walk here; also where the message points */
	}
	return mem_dup(b->scratch.len ? b->scratch.p : "", b->scratch.len);
}

static cJSON *take_value(struct builder *b)
{
	bytes start = b->p;
	cJSON *n;

	switch (*b->p) {
	case '{': b->p++; return json_new_object();
	case '[': b->p++; return json_new_array();
	case 't': b->p += 4; return json_new_bool(true);
	case 'f': b->p += 5; return json_new_bool(false);
	case 'n': b->p += 4; return json_new_null();
	case '"':
		n = node(cJSON_String);
		n->valuestring = take_string(b);
		return n;
	default:
		while (b->p<b->end && * b->p> ' ' && *b->p != ',' && *b->p != ']' && *b->p != '}')
			b->p++;
		return text_node(cJSON_Raw, (const char *)start, (size_t)(b->p - start));
	}
}

/* One step inside the innermost container: a separator, its end, or its next value. */
static void build_step(struct builder *b)
{
	cJSON *parent = b->stack[b->depth - 1];
	char *key = NULL;

	if (*b->p == ',') {
		b->p++;
		return;
	}
	if (*b->p == '}' || *b->p == ']') {
		b->p++;
		b->depth--;
		return;
	}
	if (parent->type == cJSON_Object) {
		key = take_string(b);
		if (b->nul) {
			free(key);
			return;
		}
		skip_space(b);
		b->p++; /* the colon */
		skip_space(b);
	}
	cJSON *child = take_value(b);
	attach(parent, key, child);
	if (child->type == cJSON_Object || child->type == cJSON_Array)
		b->stack[b->depth++] = child;
}

cJSON *json_tree(const char *s, size_t n, struct err *e)
{
	struct builder b = { .s = (bytes)s, .p = (bytes)s, .end = (bytes)s + n };

	if (json_scan(s, n, NULL, e) < 0)
		return NULL;
	buf_init(&b.scratch, n);
	skip_space(&b);
	cJSON *root = take_value(&b);
	if (root->type == cJSON_Object || root->type == cJSON_Array)
		b.stack[b.depth++] = root;
	while (b.depth && !b.nul) {
		skip_space(&b);
		build_step(&b);
	}
	buf_release(&b.scratch);
	if (b.nul) {
		err_set(e, ERR_REFUSED, "nul-character", "U+0000 in a string, at byte %zu",
			(size_t)(b.end - b.s));
		cJSON_Delete(root);
		return NULL;
	}
	return root;
}

/* ---- printing ---- */

/* Number nodes are made by other code; the shortest text that reads back as the same double. */
static bool print_double(struct buf *out, double v)
{
	char text[32];

	if (!isfinite(v))
		return buf_str(out, "null");
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	return buf_str(out, text);
}

static bool print_scalar(struct buf *out, const cJSON *n)
{
	switch (n->type & 0xff) {
	case cJSON_False: return buf_str(out, "false");
	case cJSON_True: return buf_str(out, "true");
	case cJSON_Number: return print_double(out, n->valuedouble);
	case cJSON_String: return json_quote_str(out, n->valuestring ? n->valuestring : "");
	case cJSON_Raw: return buf_str(out, n->valuestring ? n->valuestring : "null");
	default: return buf_str(out, "null");
	}
}

/* Recursion is bounded: by JSON_MAX_DEPTH for trees read from text, twice that for typed values. */
bool json_print(struct buf *out, const cJSON *tree)
{
	bool object = cJSON_IsObject(tree);

	if (!tree || !(object || cJSON_IsArray(tree)))
		return tree ? print_scalar(out, tree) : buf_str(out, "null");
	buf_char(out, object ? '{' : '[');
	for (const cJSON *n = tree->child; n && !out->over; n = n->next) {
		if (n != tree->child)
			buf_char(out, ',');
		if (object) {
			json_quote_str(out, n->string ? n->string : "");
			buf_char(out, ':');
		}
		json_print(out, n);
	}
	return buf_char(out, object ? '}' : ']');
}

/* ---- reading ---- */

static const cJSON *member(const cJSON *obj, const char *key)
{
	return cJSON_IsObject(obj) ? cJSON_GetObjectItemCaseSensitive(obj, key) : NULL;
}

const char *json_str(const cJSON *obj, const char *key)
{
	const cJSON *n = member(obj, key);

	return cJSON_IsString(n) ? n->valuestring : NULL;
}

bool json_int(const cJSON *obj, const char *key, int64_t *out)
{
	const cJSON *n = member(obj, key);
	struct decimal d;

	if (cJSON_IsRaw(n) && n->valuestring)
		return decimal_parse(n->valuestring, strlen(n->valuestring), &d) && d.json &&
		       decimal_to_int(&d, out);
	/* Every double in this range is an int64_t. */
	if (!cJSON_IsNumber(n) || !(n->valuedouble >= -0x1p63 && n->valuedouble < 0x1p63) ||
		n->valuedouble != floor(n->valuedouble))
		return false;
	*out = (int64_t)n->valuedouble;
	return true;
}

bool json_node_num(const cJSON *n, double *out)
{
	double v;
	char *end;

	if (cJSON_IsNumber(n)) {
		v = n->valuedouble;
	} else if (cJSON_IsRaw(n) && n->valuestring) {
		v = strtod(n->valuestring, &end);
		if (end == n->valuestring || *end)
			return false;
	} else {
		return false;
	}
	if (!isfinite(v))
		return false;
	*out = v;
	return true;
}

bool json_num(const cJSON *obj, const char *key, double *out)
{
	return json_node_num(member(obj, key), out);
}

bool json_bool(const cJSON *obj, const char *key, bool fallback)
{
	const cJSON *n = member(obj, key);

	return cJSON_IsBool(n) ? cJSON_IsTrue(n) : fallback;
}

static void *json_malloc(size_t n)
{
	return mem_realloc(NULL, n);
}

/* cJSON's own constructors pass a failure on as NULL, and adding NULL to a tree does nothing: an item that is then stored
 * lacks an attribute, and nobody knows. */
void json_init(void)
{
	cJSON_Hooks hooks = { .malloc_fn = json_malloc, .free_fn = free };
	cJSON_InitHooks(&hooks);
}
