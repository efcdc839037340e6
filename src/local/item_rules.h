/* item_rules.h - DynamoDB's meanings of conditions and updates, on one item in memory. Pure. */
#ifndef RECAGENT_LOCAL_ITEM_RULES_H
#define RECAGENT_LOCAL_ITEM_RULES_H

#include "port/table.h"

/* ConditionalCheckFailedException unless c (NULL: none) holds for item (NULL: there is none). A comparison with a
 * missing attribute, or with one of another type, is false. */
int item_check(const struct cond *c, const cJSON *item, struct err *e);
/* Apply in order. ADD is for counters: whole numbers of 63 bits. The key can't be changed. */
int item_apply(cJSON *item, const char *key_attr, const struct changes *changes, struct err *e);
void item_set(cJSON *item, const char *attr, cJSON *value); /* takes value; NULL removes */

#endif
