/* entry.c - build, judge and print a cache entry. */
#include "rec/entry.h"
#include "base/clock.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define US_PER_S 1000000

cJSON *entry_item(const char *key_name, const char *key, const cJSON *recommendations, int64_t now_us,
	int64_t ttl_s, int64_t version, const char *prompt_hash)
{
	cJSON *item = json_new_object();
	char now[TIME_TEXT];

	time_format_us(now_us, now);
	json_add(item, key_name, av_s(key));
	json_add(item, "recommendations", av_from_json(recommendations));
	json_add(item, "generated_at", av_s(now));
	json_add(item, "ttl", av_n(now_us / US_PER_S + ttl_s));
	if (version >= 0)
		json_add(item, "version", av_n(version));
	if (prompt_hash)
		json_add(item, "prompt_hash", av_s(prompt_hash));
	return item;
}

/* Strings are what the seed system's fallback and other writers put there: readers always get objects. */
static cJSON *read_recommendations(const cJSON *item)
{
	const cJSON *list = av_get(item, "recommendations", "L"), *e;
	cJSON *out;

	if (!list)
		return NULL;
	out = json_new_array();
	cJSON_ArrayForEach(e, list)
	{
		cJSON *plain =
			cJSON_HasObjectItem(e, "M") || cJSON_HasObjectItem(e, "S") ? av_to_json(e) : NULL;

		if (cJSON_IsString(plain)) {
			cJSON *object = json_new_object();

			json_add(object, "item_id", plain);
			plain = object;
		}
		if (cJSON_IsObject(plain))
			cJSON_AddItemToArray(out, plain);
		else
			cJSON_Delete(plain);
	}
	if (cJSON_GetArraySize(out))
		return out;
	cJSON_Delete(out);
	return NULL;
}

/* Whatever isoformat() left out of RFC 3339: a time without an offset is UTC. */
static bool read_generated_at(struct entry *out, const cJSON *item, int64_t *us)
{
	const char *s = av_get_s(item, "generated_at");
	char utc[sizeof(out->generated_at)];
	size_t n = s ? strlen(s) : 0;

	if (!n || n >= sizeof(utc) - 1)
		return false;
	memcpy(utc, s, n);
	utc[n] = 'Z';
	utc[n + 1] = '\0';
	if (time_parse(s, n, us))
		memcpy(out->generated_at, s, n + 1);
	else if (time_parse(utc, n + 1, us))
		memcpy(out->generated_at, utc, n + 2);
	else
		return false;
	return true;
}

/* ttl in seconds; an N may have a fraction or an exponent. */
static bool read_ttl(const cJSON *item, int64_t *ttl_s)
{
	const char *n = av_get_n(item, "ttl");
	double d;

	if (av_get_int(item, "ttl", ttl_s))
		return true;
	if (!n)
		return false;
	d = floor(strtod(n, NULL));
	*ttl_s = d > 1e12 ? (int64_t)1e12 : d < -1e12 ? -(int64_t)1e12 : (int64_t)d;
	return true;
}

void entry_read(struct entry *out, const cJSON *item, int64_t now_us)
{
	int64_t ttl_s, generated_us = 0, now_s = now_us / US_PER_S;
	bool generated;

	*out = (struct entry){ .state = ENTRY_UNUSABLE, .age_s = -1 };
	out->recommendations = read_recommendations(item);
	if (!out->recommendations)
		return;
	generated = read_generated_at(out, item, &generated_us);
	if (generated)
		out->age_s = now_us > generated_us ? (now_us - generated_us) / US_PER_S : 0;
	out->state = ENTRY_EXPIRED;
	if (read_ttl(item, &ttl_s)) {
		if (ttl_s > now_s)
			out->state = ENTRY_FRESH;
		else if (ttl_s > now_s - INT64_MAX / 2000)
			out->expired_for_ms = now_us / 1000 - ttl_s * 1000;
		else
			out->expired_for_ms = INT64_MAX;
	} else if (generated) {
		out->expired_for_ms = now_us > generated_us ? (now_us - generated_us) / 1000 : 0;
	} else {
		out->expired_for_ms = INT64_MAX;
	}
}

void entry_release(struct entry *e)
{
	cJSON_Delete(e->recommendations);
	*e = (struct entry){ .state = ENTRY_UNUSABLE, .age_s = -1 };
}

bool entry_line(struct buf *out, const char *key_name, const char *key, const cJSON *recommendations,
	const char *source, const char *generated_at, int64_t age_s)
{
	buf_char(out, '{');
	json_quote_str(out, key_name);
	buf_char(out, ':');
	json_quote_str(out, key);
	buf_str(out, ",\"recommendations\":");
	json_print(out, recommendations);
	buf_str(out, ",\"source\":");
	json_quote_str(out, source);
	buf_str(out, ",\"generated_at\":");
	if (generated_at && *generated_at)
		json_quote_str(out, generated_at);
	else
		buf_str(out, "null");
	buf_str(out, ",\"cache_age_sec\":");
	if (age_s < 0)
		buf_str(out, "null");
	else
		buf_printf(out, "%lld", (long long)age_s);
	return buf_char(out, '}') && !out->over;
}
