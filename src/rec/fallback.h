/* fallback.h - the items that are served when the cache has none. Pure. */
#ifndef RECAGENT_REC_FALLBACK_H
#define RECAGENT_REC_FALLBACK_H

#include "base/json.h"

/* A fallback file's text: a JSON array of objects or strings, an object with such an array as `recommendations`, or one of
 * them a line. A new plain array of objects (a string becomes {"item_id":..}); NULL with ERR_USAGE when nothing in it can
 * be served. */
cJSON *fallback_parse(const char *text, size_t n, struct err *e);

/* Three items that are built in: popular_001, popular_002, popular_003. Appended to array. */
void fallback_built_in(cJSON *array);

#endif
