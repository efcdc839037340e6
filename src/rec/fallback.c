/* fallback.c - the items that are served when the cache has none. */
#include "rec/fallback.h"
#include "base/mem.h"
#include <string.h>

/* Append what can be served of node; takes node. */
static void add(cJSON *array, cJSON *node)
{
	cJSON *list = cJSON_IsArray(node) ? node : cJSON_GetObjectItemCaseSensitive(node, "recommendations");
	if (cJSON_IsArray(list)) {
		for (cJSON *it; (it = list->child);)
			add(array, cJSON_DetachItemViaPointer(list, it));
		cJSON_Delete(node);
	} else if (cJSON_IsObject(node)) {
		cJSON_AddItemToArray(array, node);
	} else if (cJSON_IsString(node) && node->valuestring[0]) {
		cJSON *o = json_new_object();
		json_add(o, "item_id", node);
		cJSON_AddItemToArray(array, o);
	} else {
		cJSON_Delete(node);
	}
}

cJSON *fallback_parse(const char *text, size_t n, struct err *e)
{
	cJSON *array = json_new_array();
	size_t used;
	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		n -= 3;
	}
	while (n && strspn(text, " \t\r\n") < n) {
		if (json_scan_prefix(text, n, &used, NULL, e) != 1) {
			cJSON_Delete(array);
			err_set(e, ERR_USAGE, "", "not JSON");
			return NULL;
		}
		cJSON *tree = json_tree(text, used, e);
		if (tree)
			add(array, tree);
		text += used;
		n -= used;
	}
	if (cJSON_GetArraySize(array))
		return array;
	cJSON_Delete(array);
	err_set(e, ERR_USAGE, "", "no items in it");
	return NULL;
}

void fallback_built_in(cJSON *array)
{
	static const char *const ids[] = { "popular_001", "popular_002", "popular_003" };
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		cJSON *it = json_new_object();
		cJSON_AddStringToObject(it, "item_id", ids[i]);
		cJSON_AddStringToObject(it, "category", "popular");
		cJSON_AddStringToObject(it, "reasoning", "Popular with everyone.");
		cJSON_AddItemToArray(array, it);
	}
}
