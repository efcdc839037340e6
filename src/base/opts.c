/* opts.c - one option table to getopt_long, to defaults, to values in a struct. */
#include "base/opts.h"
#include "base/mem.h"
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LONG_BASE 256 /* getopt's value of the first long option; below are the short ones' characters */

/* ---- values ---- */

static bool uint_parse(const char *s, const char **end, uint64_t *out)
{
	uint64_t v = 0;

	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		unsigned digit = (unsigned)(*s - '0');

		if (v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*end = s;
	*out = v;
	return true;
}

bool size_parse(const char *s, uint64_t *out)
{
	static const char units[] = "kmgt";
	const char *unit;
	uint64_t v;
	int shift = 0;

	if (!uint_parse(s, &s, &v))
		return false;
	if (*s && (unit = strchr(units, *s | 0x20)) != NULL) {
		shift = 10 * (int)(unit - units + 1);
		s++;
		if (*s == 'i' && (s[1] | 0x20) == 'b')
			s++;
	}
	if ((*s | 0x20) == 'b')
		s++;
	if (*s || v > UINT64_MAX >> shift)
		return false;
	*out = v << shift;
	return true;
}

static bool num_parse(const char *s, double *out)
{
	char *end;

	if (!*s || s[strspn(s, "0123456789.eE+-")])
		return false; /* strtod also takes hex, inf, nan and white space */
	*out = strtod(s, &end);
	return !*end && isfinite(*out);
}

static bool bool_parse(const char *s, bool *out)
{
	static const char *const words[] = { "0", "1", "false", "true", "no", "yes", "off", "on" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(s, words[i]) == 0) {
			*out = i & 1;
			return true;
		}
	return false;
}

static bool choice_parse(const char *choices, const char *s, int *out)
{
	size_t n = strlen(s);

	for (int i = 0; choices; i++) {
		if (strncmp(choices, s, n) == 0 && (choices[n] == '|' || !choices[n])) {
			*out = i;
			return n > 0;
		}
		choices = strchr(choices, '|');
		choices += choices != NULL;
	}
	return false;
}

static void list_add(struct opt_list *l, const char *s)
{
	l->v = mem_realloc(l->v, (l->n + 1) * sizeof(*l->v));
	l->v[l->n++] = s;
}

/* Where a value comes from, for messages: "--limit" or "RECAGENT_LIMIT". */
struct origin {
	const char *dashes, *name;
};

static int wrong(const struct origin *from, const char *what, const char *s, struct err *e)
{
	return err_set(e, ERR_USAGE, "usage", "%s%s: not %s: %s", from->dashes, from->name, what, s);
}

static int check_range(const struct opt *o, const struct origin *from, double v, const char *s, struct err *e)
{
	const char *unit = o->type == OPT_MS ? " ms" : "";

	if ((o->min != 0 || o->max != 0) && v < o->min)
		return err_set(e, ERR_USAGE, "usage", "%s%s: must be at least %.15g%s: %s", from->dashes,
			from->name, o->min, unit, s);
	if (o->max != 0 && v > o->max)
		return err_set(e, ERR_USAGE, "usage", "%s%s: must be at most %.15g%s: %s", from->dashes,
			from->name, o->max, unit, s);
	return 0;
}

static int store_number(
	const struct opt *o, void *at, const char *s, const struct origin *from, struct err *e)
{
	const char *end;
	uint64_t u;
	int64_t ms;
	double d;

	switch (o->type) {
	case OPT_UINT:
		if (!uint_parse(s, &end, &u) || *end)
			return wrong(from, "a number", s, e);
		*(uint64_t *)at = u;
		return check_range(o, from, (double)u, s, e);
	case OPT_SIZE:
		if (!size_parse(s, &u))
			return wrong(from, "a size (such as 500, 64k or 5MiB)", s, e);
		*(uint64_t *)at = u;
		return check_range(o, from, (double)u, s, e);
	case OPT_MS:
		if (!duration_parse(s, &ms))
			return wrong(from, "a duration (such as 250ms, 30s or 15m)", s, e);
		*(int64_t *)at = ms;
		return check_range(o, from, (double)ms, s, e);
	default:
		if (!num_parse(s, &d))
			return wrong(from, "a number", s, e);
		*(double *)at = d;
		return check_range(o, from, d, s, e);
	}
}

static int store(const struct opt *o, void *into, const char *s, const struct origin *from, struct err *e)
{
	void *at = (char *)into + o->offset;
	const char *end;
	uint64_t u;

	switch (o->type) {
	case OPT_FLAG: return bool_parse(s, at) ? 0 : wrong(from, "yes or no", s, e);
	case OPT_COUNT:
		if (!uint_parse(s, &end, &u) || *end || u > 1000)
			return wrong(from, "a number", s, e);
		*(int *)at = (int)u;
		return 0;
	case OPT_STR: *(const char **)at = s; return 0;
	case OPT_WHEN:
		if (!when_parse(s, at))
			return wrong(from,
				"a time (RFC 3339, now, trim-horizon, latest, or 15m for 15 minutes ago)", s,
				e);
		return 0;
	case OPT_CHOICE: return choice_parse(o->choices, s, at) ? 0 : wrong(from, o->choices, s, e);
	case OPT_LIST: list_add(at, s); return 0;
	default: return store_number(o, at, s, from, e);
	}
}

static int set_default(const struct opt *o, void *into, struct err *e)
{
	const char *env = o->env ? getenv(o->env) : NULL;
	struct origin from = { "--", o->name };

	if (env && *env) {
		from = (struct origin){ "", o->env };
		return store(o, into, env, &from, e);
	}
	return o->def ? store(o, into, o->def, &from, e) : 0;
}

/* ---- the command line ---- */

struct known { /* one option of one set */
	const struct opt *opt;
	void *into;
	bool given;
};

struct parser {
	struct known *known;
	size_t n;
	struct option *longs;
	struct buf shorts;
};

static void parser_init(struct parser *ps, const struct opt_set *sets, size_t nsets)
{
	size_t cap = 1;

	for (size_t i = 0; i < nsets; i++)
		for (const struct opt *o = sets[i].table; o->name; o++)
			cap++;
	*ps = (struct parser){ .known = mem_array(cap, sizeof(*ps->known)),
		.longs = mem_array(cap, sizeof(*ps->longs)),
		.shorts = BUF_INIT(BUF_MAX_SMALL) };
	buf_char(&ps->shorts, ':'); /* tell a missing value from an unknown option */
	for (size_t i = 0; i < nsets; i++)
		for (const struct opt *o = sets[i].table; o->name; o++, ps->n++) {
			bool value = o->type != OPT_FLAG && o->type != OPT_COUNT;

			ps->known[ps->n] = (struct known){ o, sets[i].into, false };
			ps->longs[ps->n] = (struct option){ o->name, value ? required_argument : no_argument,
				NULL, LONG_BASE + (int)ps->n };
			if (o->short_name)
				buf_printf(&ps->shorts, "%c%s", o->short_name, value ? ":" : "");
		}
}

static void parser_release(struct parser *ps)
{
	free(ps->known);
	free(ps->longs);
	buf_release(&ps->shorts);
}

static struct known *find(struct parser *ps, int c)
{
	if (c >= LONG_BASE && (size_t)(c - LONG_BASE) < ps->n)
		return &ps->known[c - LONG_BASE];
	for (size_t i = 0; i < ps->n; i++)
		if (c && ps->known[i].opt->short_name == c)
			return &ps->known[i];
	return NULL;
}

/* An unknown or ambiguous long option: getopt only says that something is wrong with argv[optind - 1]. */
static int bad_long(const struct parser *ps, const char *arg, struct err *e)
{
	struct buf fits = BUF_INIT(BUF_MAX_SMALL);
	size_t n = strcspn(arg + 2, "="), count = 0;

	for (size_t i = 0; i < ps->n; i++)
		if (strncmp(ps->known[i].opt->name, arg + 2, n) == 0)
			buf_printf(&fits, "%s--%s", count++ ? ", " : "", ps->known[i].opt->name);
	if (count > 1)
		err_set(e, ERR_USAGE, "usage", "ambiguous option %.*s (%s); see --help", (int)n + 2, arg,
			fits.p);
	else
		err_set(e, ERR_USAGE, "usage", "unknown option %.*s; see --help", (int)n + 2, arg);
	buf_release(&fits);
	return -1;
}

static int bad_option(struct parser *ps, int c, char **argv, struct err *e)
{
	const struct known *k = find(ps, optopt);

	if (c == ':' && k)
		return err_set(e, ERR_USAGE, "usage", "--%s needs a value (%s); see --help", k->opt->name,
			k->opt->arg ? k->opt->arg : "VALUE");
	if (optopt >= LONG_BASE && k)
		return err_set(e, ERR_USAGE, "usage", "--%s takes no value; see --help", k->opt->name);
	if (optopt)
		return err_set(e, ERR_USAGE, "usage", "unknown option -%c; see --help", optopt);
	return bad_long(ps, argv[optind - 1], e);
}

static int take(struct known *k, const char *value, struct err *e)
{
	struct origin from = { "--", k->opt->name };
	char *at = (char *)k->into + k->opt->offset;
	bool again = k->given;

	k->given = true;
	if (k->opt->type == OPT_FLAG) {
		*(bool *)at = true;
		return 0;
	}
	if (k->opt->type == OPT_COUNT) {
		*(int *)at = again ? *(int *)at + 1 : 1;
		return 0;
	}
	if (k->opt->type == OPT_LIST && !again)
		((struct opt_list *)at)->n = 0; /* what is given replaces the default */
	return store(k->opt, k->into, value, &from, e);
}

static int parse(struct parser *ps, int argc, char **argv, struct err *e)
{
	int c;

	for (size_t i = 0; i < ps->n; i++)
		if (set_default(ps->known[i].opt, ps->known[i].into, e) < 0)
			return -1;
	opterr = 0;
	optind = 0; /* glibc and musl: start afresh, also after an unfinished parse */
	while ((c = getopt_long(argc, argv, ps->shorts.p, ps->longs, NULL)) != -1) {
		struct known *k = c == '?' || c == ':' ? NULL : find(ps, c);

		if (!k)
			return bad_option(ps, c, argv, e);
		if (take(k, optarg, e) < 0)
			return -1;
	}
	return optind;
}

int opts_parse(const struct opt_set *sets, size_t nsets, int argc, char **argv, struct err *e)
{
	struct parser ps;

	parser_init(&ps, sets, nsets);
	int rc = parse(&ps, argc, argv, e);
	parser_release(&ps);
	return rc;
}

void opts_release(const struct opt_set *sets, size_t nsets)
{
	for (size_t i = 0; i < nsets; i++)
		for (const struct opt *o = sets[i].table; o->name; o++)
			if (o->type == OPT_LIST) {
				struct opt_list *l = (void *)((char *)sets[i].into + o->offset);

				free(l->v);
				*l = (struct opt_list){ 0 };
			}
}

/* ---- help ---- */

#define COLUMNS ((size_t)80)
#define LEFT_MAX ((size_t)32)
#define GAP ((size_t)3)

static void left_side(struct buf *b, const struct opt *o)
{
	if (o->short_name)
		buf_printf(b, "  -%c, --%s", o->short_name, o->name);
	else
		buf_printf(b, "      --%s", o->name);
	if (o->arg)
		buf_printf(b, " %s", o->arg);
}

static void right_side(struct buf *b, const struct opt *o)
{
	bool def = o->def && *o->def && o->type != OPT_FLAG && o->type != OPT_COUNT;

	buf_str(b, o->help ? o->help : "");
	if (o->type == OPT_CHOICE && o->choices)
		buf_printf(b, ": %s", o->choices);
	if (o->env || def)
		buf_printf(b, " [%s%s%s%s]", o->env ? "$" : "", o->env ? o->env : "",
			o->env && def ? " or " : "", def ? o->def : "");
}

static void pad_to(struct buf *out, size_t have, size_t want)
{
	for (; have < want; have++)
		buf_char(out, ' ');
}

/* Words from column `left` on, at most to column 80. */
static void wrap(struct buf *out, const char *s, size_t left)
{
	size_t at = left;

	while (*s) {
		size_t n = strcspn(s, " ");

		if (at > left && at + 1 + n > COLUMNS) {
			buf_char(out, '\n');
			pad_to(out, 0, left);
			at = left;
		}
		if (at > left) {
			buf_char(out, ' ');
			at++;
		}
		buf_add(out, s, n);
		at += n;
		s += n + strspn(s + n, " ");
	}
	buf_char(out, '\n');
}

void opts_help(struct buf *out, const struct opt *table)
{
	struct buf left = BUF_INIT(BUF_MAX_SMALL), right = BUF_INIT(BUF_MAX_SMALL);
	size_t column = 0;

	for (const struct opt *o = table; o->name; o++) {
		buf_reset(&left);
		left_side(&left, o);
		if (left.len + GAP <= LEFT_MAX && left.len + GAP > column)
			column = left.len + GAP;
	}
	for (const struct opt *o = table; o->name; o++) {
		buf_reset(&left);
		buf_reset(&right);
		left_side(&left, o);
		right_side(&right, o);
		buf_add(out, left.p, left.len);
		if (left.len + GAP > column) {
			buf_char(out, '\n');
			left.len = 0;
		}
		pad_to(out, left.len, column);
		wrap(out, right.p, column);
	}
	buf_release(&left);
	buf_release(&right);
}
