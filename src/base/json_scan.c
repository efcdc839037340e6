/* json_scan.c - the one strict JSON scanner. Iterative: nesting costs one bit a level. */
#include "base/json.h"
#include "base/json_scan.h"
#include "base/json_text.h"

static inline void skip_space(struct scan *c)
{
	bytes p = c->p;

	if (p < c->end && *p == ' ') /* one, as most writers have it */
		c->p = ++p;
	if (p == c->end || *p > ' ')
		return;
	for (; p < c->end && json_is_space(*p); p++)
		if (*p == '\n' || *p == '\r')
			c->newlines = true;
	c->p = p;
}

/* ---- other scalars ---- */

static enum json_status scan_digits(struct scan *c)
{
	if (c->p == c->end)
		return ENDED;
	if (*c->p < '0' || *c->p > '9')
		return json_bad(c, "malformed number");
	while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
		c->p++;
	return GOOD;
}

static enum json_status scan_number(struct scan *c)
{
	enum json_status st;

	if (*c->p == '-')
		c->p++;
	if (c->p < c->end && *c->p == '0')
		c->p++;
	else if ((st = scan_digits(c)) != GOOD)
		return st;
	if (c->p < c->end && *c->p == '.') {
		c->p++;
		if ((st = scan_digits(c)) != GOOD)
			return st;
	}
	if (c->p < c->end && (*c->p | 0x20) == 'e') {
		c->p++;
		if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
			c->p++;
		if ((st = scan_digits(c)) != GOOD)
			return st;
	}
	/* "01", "1.2.3", "1e5x": nothing that could continue a number may follow one. */
	if (c->p < c->end && ((*c->p >= '0' && *c->p <= '9') || *c->p == '.' || *c->p == '-' || *c->p == '+'))
		return json_bad(c, "malformed number");
	return GOOD;
}

static enum json_status scan_word(struct scan *c, const char *word)
{
	for (; *word; word++, c->p++) {
		if (c->p == c->end)
			return ENDED;
		if (*c->p != (unsigned char)*word)
			return json_bad(c, "not a JSON value");
	}
	return GOOD;
}

static enum json_type type_of(unsigned char c)
{
	switch (c) {
	case '{': return JSON_OBJECT;
	case '[': return JSON_ARRAY;
	case '"': return JSON_STRING;
	case 't': return JSON_TRUE;
	case 'f': return JSON_FALSE;
	case 'n': return JSON_NULL;
	default: return c == '-' || (c >= '0' && c <= '9') ? JSON_NUMBER : JSON_NONE;
	}
}

static enum json_status scan_scalar(struct scan *c)
{
	switch (type_of(*c->p)) {
	case JSON_STRING: return json_scan_string(c);
	case JSON_NUMBER: return scan_number(c);
	case JSON_TRUE: return scan_word(c, "true");
	case JSON_FALSE: return scan_word(c, "false");
	case JSON_NULL: return scan_word(c, "null");
	default: return json_bad(c, "not a JSON value");
	}
}

/* ---- containers ---- */

struct nest {
	uint64_t object[JSON_MAX_DEPTH / 64]; /* a bit for each level: object or array */
	size_t depth;
};

static inline bool in_object(const struct nest *n)
{
	return n->object[(n->depth - 1) / 64] >> ((n->depth - 1) % 64) & 1;
}

static enum json_status enter(struct scan *c, struct nest *n)
{
	uint64_t bit = (uint64_t)1 << n->depth % 64;

	if (n->depth + c->base >= JSON_MAX_DEPTH)
		return json_bad(c, "nested too deeply");
	if (*c->p == '{')
		n->object[n->depth / 64] |= bit;
	else
		n->object[n->depth / 64] &= ~bit;
	n->depth++;
	c->p++;
	return GOOD;
}

/* A key with its colon and the white space around; p then stands at the value. */
static enum json_status scan_key(struct scan *c)
{
	enum json_status st;

	skip_space(c);
	if (c->p == c->end)
		return ENDED;
	if (*c->p != '"')
		return json_bad(c, "a key must be a string");
	if ((st = json_scan_string(c)) != GOOD)
		return st;
	skip_space(c);
	if (c->p == c->end)
		return ENDED;
	if (*c->p != ':')
		return json_bad(c, "no ':' after a key");
	c->p++;
	skip_space(c);
	return c->p == c->end ? ENDED : GOOD;
}

/* From a value's first byte down to the end of a scalar or of an empty container. */
static enum json_status descend(struct scan *c, struct nest *n)
{
	enum json_status st;

	while (*c->p == '{' || *c->p == '[') {
		if ((st = enter(c, n)) != GOOD)
			return st;
		skip_space(c);
		if (c->p == c->end)
			return ENDED;
		if (*c->p == (in_object(n) ? '}' : ']')) {
			c->p++;
			n->depth--;
			return GOOD;
		}
		if (in_object(n) && (st = scan_key(c)) != GOOD)
			return st;
	}
	return scan_scalar(c);
}

/* Behind a value: close what ends here; *more: a comma came and p stands at the next value. */
static enum json_status ascend(struct scan *c, struct nest *n, bool *more)
{
	*more = false;
	while (n->depth) {
		skip_space(c);
		if (c->p == c->end)
			return ENDED;
		bool object = in_object(n);
		if (*c->p == ',') {
			c->p++;
			*more = true;
			if (object)
				return scan_key(c);
			skip_space(c);
			return c->p == c->end ? ENDED : GOOD;
		}
		if (*c->p != (object ? '}' : ']'))
			return json_bad(c,
				object ? "no ',' or '}' after a member" : "no ',' or ']' after an element");
		c->p++;
		n->depth--;
	}
	return GOOD;
}

/* p stands at the first byte of a value. */
static enum json_status scan_value(struct scan *c)
{
	struct nest n;
	bool more = true;
	enum json_status st = GOOD;

	if (*c->p != '{' && *c->p != '[')
		return scan_scalar(c);
	n.depth = 0;
	while (st == GOOD && more) {
		st = descend(c, &n);
		if (st == GOOD)
			st = ascend(c, &n, &more);
	}
	return st;
}

/* ---- whole texts ---- */

static int report(const struct scan *c, enum json_status st, struct err *e)
{
	size_t at = (size_t)(c->p - c->s);

	if (st == GOOD)
		return 0;
	if (st == ENDED)
		return err_set(
			e, ERR_REFUSED, "invalid-json", "not JSON: it ends too early, at byte %zu", at);
	return err_set(e, ERR_REFUSED, "invalid-json", "not JSON: %s, at byte %zu", c->why, at);
}

static struct scan start(const char *s, size_t n)
{
	bytes p = (bytes)(n ? s : "");

	return (struct scan){ .s = p, .p = p, .end = p + n };
}

static enum json_status expect_end(struct scan *c)
{
	skip_space(c);
	return c->p == c->end ? GOOD : json_bad(c, "text after the value");
}

int json_scan(const char *s, size_t n, enum json_type *type, struct err *e)
{
	struct scan c = start(s, n);
	enum json_status st = ENDED;

	skip_space(&c);
	if (c.p < c.end) {
		if (type)
			*type = type_of(*c.p);
		st = scan_value(&c);
	}
	if (st == GOOD)
		st = expect_end(&c);
	return report(&c, st, e);
}

int json_scan_prefix(const char *s, size_t n, size_t *used, enum json_type *type, struct err *e)
{
	struct scan c = start(s, n);
	enum json_status st = ENDED;

	skip_space(&c);
	*used = (size_t)(c.p - c.s);
	if (c.p < c.end) {
		enum json_type t = type_of(*c.p);

		if (type)
			*type = t;
		st = scan_value(&c);
		if (st == GOOD && t == JSON_NUMBER && c.p == c.end)
			st = ENDED; /* more digits may come */
	}
	if (st == ENDED)
		return 0;
	if (st == BAD)
		return report(&c, st, e);
	*used = (size_t)(c.p - c.s);
	return 1;
}

/* ---- objects ---- */

struct object_scan {
	struct scan c;
	struct json_member *want, *hit; /* hit: the wanted member that was just scanned */
	size_t nwant, hint;             /* hint: where the next wanted member likely stands */
	bytes comma;                    /* in front of the member that is scanned, or NULL */
};

/* Members mostly come in the order in which they are wanted: the search goes on from the last hit. */
static struct json_member *find_plain(struct object_scan *o, bytes key, size_t n)
{
	for (size_t k = 0; k < o->nwant; k++) {
		size_t i = o->hint + k < o->nwant ? o->hint + k : o->hint + k - o->nwant;
		const char *name = o->want[i].name;

		if (n && (unsigned char)name[0] != key[0])
			continue;
		if (strncmp(name, (const char *)key, n) == 0 && !name[n]) {
			o->hint = i + 1 < o->nwant ? i + 1 : 0;
			return &o->want[i];
		}
	}
	return NULL;
}

/* key points behind the opening quote. */
static struct json_member *find_wanted(struct object_scan *o, bytes key, size_t n)
{
	struct buf plain = BUF_INIT(BUF_MAX_SMALL);
	struct json_member *found = NULL;
	bool nul = false;

	if (!o->c.escaped)
		return find_plain(o, key, n);
	if (o->nwant && json_unescape(&plain, (const char *)key - 1, n + 2, &nul) && !nul)
		found = find_plain(o, (bytes)plain.p, plain.len);
	buf_release(&plain);
	return found;
}

/* One member. p stands at its key and then behind its value. */
static enum json_status scan_member(struct object_scan *o)
{
	struct scan *c = &o->c;
	bytes key = c->p;
	enum json_status st;

	o->hit = NULL;
	if (*key != '"')
		return json_bad(c, "a key must be a string");
	if ((st = json_scan_string(c)) != GOOD)
		return st;
	struct json_member *m = find_wanted(o, key + 1, (size_t)(c->p - key) - 2);
	bytes key_end = c->p;
	skip_space(c);
	if (c->p == c->end)
		return ENDED;
	if (*c->p != ':')
		return json_bad(c, "no ':' after a key");
	c->p++;
	skip_space(c);
	if (c->p == c->end)
		return ENDED;
	bytes value = c->p;
	if ((st = scan_value(c)) != GOOD || !m)
		return st;
	if (m->type != JSON_NONE) {
		c->p = key_end;
		return json_bad(c, "duplicate key");
	}
	m->type = type_of(*value);
	m->off = (size_t)(value - c->s);
	m->len = (size_t)(c->p - value);
	m->cut_off = (size_t)(key - c->s);
	m->cut_len = (size_t)(c->p - key);
	o->hit = m;
	return GOOD;
}

/* Behind a member: take the comma or the brace, and settle what removing the member cuts: it goes with
 * the comma behind it; the last one with the comma in front, so that what was appended comes off
 * without a trace. */
static enum json_status end_member(struct object_scan *o, bool *more)
{
	struct scan *c = &o->c;

	skip_space(c);
	if (c->p == c->end)
		return ENDED;
	*more = *c->p == ',';
	if (!*more && *c->p != '}')
		return json_bad(c, "no ',' or '}' after a member");
	if (o->hit && *more) {
		o->hit->cut_len = (size_t)(c->p - c->s) + 1 - o->hit->cut_off;
	} else if (o->hit && o->comma) {
		size_t off = (size_t)(o->comma - c->s);

		o->hit->cut_len += o->hit->cut_off - off;
		o->hit->cut_off = off;
	}
	o->comma = c->p++;
	if (!*more)
		return GOOD;
	skip_space(c);
	return c->p == c->end ? ENDED : GOOD;
}

static enum json_status scan_members(struct object_scan *o, struct json_object *obj)
{
	struct scan *c = &o->c;
	enum json_status st;
	bool more;

	skip_space(c);
	if (c->p == c->end)
		return ENDED;
	if (*c->p != '{')
		return json_bad(c, "not an object");
	obj->off = (size_t)(c->p - c->s);
	c->p++;
	skip_space(c);
	if (c->p == c->end)
		return ENDED;
	more = *c->p != '}';
	if (!more)
		c->p++;
	while (more) {
		if ((st = scan_member(o)) != GOOD || (st = end_member(o, &more)) != GOOD)
			return st;
		obj->members++;
	}
	obj->len = (size_t)(c->p - c->s) - obj->off;
	return expect_end(c);
}

int json_scan_object(const char *s, size_t n, struct json_member *want, size_t nwant, struct json_object *obj,
	struct err *e)
{
	struct object_scan o = { .c = start(s, n), .want = want, .nwant = nwant };
	struct json_object found = { 0 };

	o.c.base = 1;
	for (size_t i = 0; i < nwant; i++)
		want[i] = (struct json_member){ .name = want[i].name };
	if (report(&o.c, scan_members(&o, &found), e) < 0)
		return -1;
	found.newlines = o.c.newlines;
	*obj = found;
	return 0;
}
