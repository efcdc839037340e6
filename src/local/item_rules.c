/* item_rules.c - conditions and updates of one item. */
#include "local/item_rules.h"

#include <stdlib.h>
#include <string.h>

static const char *type_of(const cJSON *typed)
{
	return typed && typed->child && typed->child->string ? typed->child->string : "";
}

/* Order of two values of one type that has an order: N by value, S by bytes. false: they can't be compared. */
static bool compare(const cJSON *a, const cJSON *b, int *order)
{
	const char *type = type_of(a);

	if (strcmp(type, type_of(b)) != 0 || !cJSON_IsString(a->child) || !cJSON_IsString(b->child))
		return false;
	if (!strcmp(type, "N"))
		*order = av_number_compare(a->child->valuestring, b->child->valuestring);
	else if (!strcmp(type, "S"))
		*order = strcmp(a->child->valuestring, b->child->valuestring);
	else
		return false;
	return true;
}

static bool test_holds(const struct cond_test *c, const cJSON *item)
{
	const cJSON *have = cJSON_GetObjectItemCaseSensitive(item, c->attr);
	int order = 0;

	switch (c->op) {
	case COND_EXISTS: return have;
	case COND_MISSING: return !have;
	case COND_EQ: return have && av_equal(have, c->value);
	case COND_LT: return have && compare(have, c->value, &order) && order < 0;
	case COND_LE: return have && compare(have, c->value, &order) && order <= 0;
	case COND_GT: return have && compare(have, c->value, &order) && order > 0;
	}
	return false;
}

int item_check(const struct cond *c, const cJSON *item, struct err *e)
{
	size_t held = 0;

	if (!c || !c->n)
		return 0;
	for (size_t i = 0; i < c->n; i++)
		held += test_holds(&c->v[i], item);
	if (c->any ? held > 0 : held == c->n)
		return 0;
	return err_set(
		e, ERR_FAILED, "ConditionalCheckFailedException", "the condition on the item does not hold");
}

void item_set(cJSON *item, const char *attr, cJSON *value)
{
	cJSON_DeleteItemFromObjectCaseSensitive(item, attr);
	if (value && !cJSON_AddItemToObject(item, attr, value))
		cJSON_Delete(value);
}

static int add_attr(cJSON *item, const struct change *ch, struct err *e)
{
	int64_t have = 0, by = 0, sum;
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(ch->value, "N"));
	char *end = NULL;

	if (text)
		by = strtoll(text, &end, 10);
	if (!text || !*text || *end)
		return err_set(
			e, ERR_FAILED, "ValidationException", "ADD of %.80s: no whole number", ch->attr);
	if (cJSON_GetObjectItemCaseSensitive(item, ch->attr) && !av_get_int(item, ch->attr, &have))
		return err_set(e, ERR_FAILED, "ValidationException",
			"ADD to %.80s, which holds no whole number", ch->attr);
	if (__builtin_add_overflow(have, by, &sum))
		return err_set(e, ERR_FAILED, "ValidationException", "ADD to %.80s: too large", ch->attr);
	item_set(item, ch->attr, av_n(sum));
	return 0;
}

int item_apply(cJSON *item, const char *key_attr, const struct changes *changes, struct err *e)
{
	for (size_t i = 0; i < changes->n; i++) {
		const struct change *ch = &changes->v[i];
		if (!strcmp(ch->attr, key_attr))
			return err_set(e, ERR_FAILED, "ValidationException",
				"%.80s is the key and can't be changed", ch->attr);
		if (!ch->add)
			item_set(item, ch->attr, ch->value ? cJSON_Duplicate(ch->value, 1) : NULL);
		else if (add_attr(item, ch, e))
			return -1;
	}
	return 0;
}
