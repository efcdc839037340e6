/* av.h - DynamoDB attribute values and plain JSON, both ways.
 *
 * An item is a cJSON object whose members are typed values as DynamoDB's JSON has them:
 * {"S":".."} {"N":"1.5"} {"BOOL":true} {"NULL":true} {"L":[..]} {"M":{..}} {"SS":[..]} {"B":".."}.
 * Numbers keep their exact value; a number that N can't hold (over 38 significant digits, outside
 * 1E-130 .. 9.99E+125) becomes {"S":text}. Source: DynamoDB developer guide, data types.
 * Pure, thread-safe. */
#ifndef RECAGENT_BASE_AV_H
#define RECAGENT_BASE_AV_H

#include "base/json.h"

/* Can this JSON number text be an N without changing its value? */
bool av_number_fits(const char *text);

/* Typed value of a plain tree (json_tree's); plain object of a typed one. New trees, owned by the
 * caller; NULL for a NULL or malformed argument. */
cJSON *av_from_json(const cJSON *plain);
cJSON *av_to_json(const cJSON *typed);
cJSON *av_item_to_json(const cJSON *item); /* a whole item to one plain object; sets become arrays */

/* Builders: new typed values. */
cJSON *av_s(const char *s);
cJSON *av_n(int64_t v);
cJSON *av_n_text(const char *number);

/* Readers of one attribute of an item; NULL or false when it is not there or of another type. */
const char *av_get_s(const cJSON *item, const char *name);
const char *av_get_n(const cJSON *item, const char *name);
bool av_get_int(const cJSON *item, const char *name, int64_t *out);
const cJSON *av_get(const cJSON *item, const char *name, const char *type); /* the inner node */

/* DynamoDB's size of an item in bytes: names, values, and per-type overhead; the limit is 409,600. */
#define AV_ITEM_MAX ((size_t)400 * 1024)
size_t av_item_size(const cJSON *item);
size_t av_value_size(const cJSON *typed);

/* Order of two N texts as decimals: -1, 0, 1. Exact for any number of digits. */
int av_number_compare(const char *a, const char *b);
/* Equality of two typed values: N by value, all else by structure. */
bool av_equal(const cJSON *a, const cJSON *b);

#endif
