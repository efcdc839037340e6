/* member.h - the texts of scanned members, unescaped into one block: one allocation per line.
 * Inside src/rec only. */
#ifndef RECAGENT_REC_MEMBER_H
#define RECAGENT_REC_MEMBER_H

#include "base/json.h"

struct text_block {
	char *p;
	size_t used;
};

/* json_scan_object, but a wanted member that is there twice is named: "PREFIXNAME is there twice". */
int member_scan(const char *s, size_t n, struct json_member *want, size_t nwant, struct json_object *obj,
	const char *prefix, struct err *e);

/* Room that the member's text can take at most, with a NUL behind it; 0 when it is not there. */
size_t member_room(const struct json_member *m);

/* The member's text: a string unescaped, a number or boolean as it stands; NULL when it is not
 * there. Refuses (ERR_REFUSED "NAME holds ...") U+0000, which no C string can hold. prefix: before
 * the name. */
int member_text(struct text_block *b, const char *json, const struct json_member *m, const char *prefix,
	char **out, struct err *e);

/* ERR_REFUSED "NAME is a number, not WANTED". */
int member_type_error(struct err *e, const char *prefix, const struct json_member *m, const char *wanted);

#endif
