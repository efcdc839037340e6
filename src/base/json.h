/* json.h - strict JSON (RFC 8259) on bytes.
 *
 * The scanner checks a whole text (UTF-8, escapes, lone surrogates, numbers, depth, nothing behind
 * the value) and reports where the members that we read stand, so that everything else passes
 * through as bytes. Trees, where one is needed, are cJSON with numbers kept as text (cJSON_Raw), since
 * cJSON's own parser changes numbers, cuts strings at U+0000 and ignores text behind the value.
 * Pure, thread-safe. Offsets and lengths are bytes, offsets in messages count from 0. */
#ifndef RECAGENT_BASE_JSON_H
#define RECAGENT_BASE_JSON_H

#include "base/buf.h"
#include "base/err.h"
#include <cjson/cJSON.h>

#define JSON_MAX_DEPTH 512 /* nesting of arrays and objects */

enum json_type {
	JSON_NONE,
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

/* A top-level member that the caller reads. name is set by the caller, the rest by the scanner.
 * A name is matched after its escapes are undone. */
struct json_member {
	const char *name;
	enum json_type type; /* JSON_NONE: not there */
	size_t off, len;     /* the value, a string with its quotes */
	/* The member with one neighbouring comma: cut this to remove it (one member at a time; the last
	 * member goes with the comma in front of it). */
	size_t cut_off, cut_len;
};

struct json_object {
	size_t off, len; /* from '{' to '}' inclusive; what is around it is white space */
	size_t members;  /* top-level members in all */
	bool newlines;   /* raw CR or LF somewhere between tokens */
};

/* Scan s as exactly one object. A wanted member that occurs twice is refused; others may repeat.
 * Returns 0, or -1 with ERR_REFUSED and a message that names the byte offset. */
int json_scan_object(const char *s, size_t n, struct json_member *want, size_t nwant, struct json_object *obj,
	struct err *e);

/* Scan s as exactly one value of any type; *type may be NULL. */
int json_scan(const char *s, size_t n, enum json_type *type, struct err *e);

/* Scan the value that starts at s (white space before it allowed) and stop behind it: *used bytes.
 * Returns 1, 0 when the text ends inside the value, -1 when it is no JSON. For concatenated values.
 * A number that ends with the text may go on in the next chunk: 0. At the end of all input a caller
 * finishes by asking json_scan about the rest, or by adding a '\n' to it. With 0, *used is the white
 * space that may be dropped; used == n then means that nothing has begun.
 * Never reads past n; the answer does not depend on how the text was cut into chunks. */
int json_scan_prefix(const char *s, size_t n, size_t *used, enum json_type *type, struct err *e);

bool utf8_valid(const char *s, size_t n);

/* The text of a string value (with quotes, already scanned), escapes undone, appended to out.
 * *nul (may be NULL) says whether U+0000 is in it. */
bool json_unescape(struct buf *out, const char *value, size_t n, bool *nul);

/* Append s as a JSON string with quotes. Escapes ", \, and what a terminal would obey: C0, U+007F and
 * C1 (U+0080 to U+009F); everything else as it is. Each byte that is not UTF-8 becomes U+FFFD. */
bool json_quote(struct buf *out, const char *s, size_t n);
bool json_quote_str(struct buf *out, const char *s);

/* Copy a scanned object on one line: raw CR and LF between tokens become spaces. */
bool json_copy_flat(struct buf *out, const char *s, size_t n);

/* Build a tree; numbers are cJSON_Raw with their text. NULL and ERR_REFUSED on bad JSON, on U+0000
 * in a string or key. Free with cJSON_Delete. */
cJSON *json_tree(const char *s, size_t n, struct err *e);

/* Append a tree in compact form; numbers as they stood. */
bool json_print(struct buf *out, const cJSON *tree);

/* Readers that accept NULL and any type. A Raw number counts as a number. */
const char *json_str(const cJSON *obj, const char *key);        /* NULL when no string */
bool json_int(const cJSON *obj, const char *key, int64_t *out); /* integral, fits */
bool json_num(const cJSON *obj, const char *key, double *out);
bool json_bool(const cJSON *obj, const char *key, bool fallback);
bool json_node_num(const cJSON *node, double *out); /* a Raw or a Number node */
cJSON *json_raw_int(int64_t v);                     /* a Raw number node */

/* At the start of a process: cJSON's own constructors don't fail either (mem.h). */
void json_init(void);

/* Builders that do not fail (mem.h), for cJSON_Delete like all others. */
cJSON *json_new_object(void);
cJSON *json_new_array(void);
cJSON *json_new_str(const char *s); /* copied */
cJSON *json_new_raw(const char *number);
cJSON *json_new_bool(bool v);
cJSON *json_new_null(void);
void json_add(cJSON *parent, const char *key, cJSON *child); /* key: copied; NULL for an array */

#endif
