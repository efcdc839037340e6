/* config_parse.c - the grammar of ~/.aws/config and ~/.aws/credentials.
 *
 * Where SDKs differ the shared test suite decides. Beyond it: quoted names in headers ([profile "a b"], as
 * botocore) and values in one pair of quotes (as the Go SDK). */
#include "aws/config.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct parser {
	struct aws_config *c;
	struct err *e;
	size_t line;
	bool credentials;
	bool started;                /* a section header has come */
	bool default_prefixed;       /* [profile default] has come: [default] of this file no longer counts */
	struct aws_section *section; /* NULL: the section is skipped */
	struct aws_property *property; /* the one that a continuation belongs to */
	bool skipping;                 /* the last property was ignored, and so are its continuations */
	bool nested;
};

struct span {
	const char *p;
	size_t n;
};

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span trim(struct span s)
{
	while (s.n > 0 && blank(s.p[0]))
		s.p++, s.n--;
	while (s.n > 0 && blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

static int fail(struct parser *ps, const char *what)
{
	return err_set(ps->e, ERR_USAGE, "bad-config", "line %zu: %s", ps->line, what);
}

static bool valid_name(struct span s)
{
	static const char more[] = "_-/.%@:+\\";
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!alnum && (c == '\0' || !strchr(more, c)))
			return false;
	}
	return s.n > 0;
}

/* The property's own line: a comment begins at # or ; behind white space. */
static struct span cut_comment(struct span s)
{
	for (size_t i = 1; i < s.n; i++)
		if ((s.p[i] == '#' || s.p[i] == ';') && blank(s.p[i - 1]))
			return trim((struct span){ s.p, i });
	return trim(s);
}

static char *lower(struct span s)
{
	char *out = mem_dup(s.p, s.n);
	for (char *p = out; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return out;
}

/* Secrets pass through here: all texts are wiped before they are given back. */
static void free_text(char *s)
{
	if (s)
		mem_wipe(s, strlen(s));
	free(s);
}

static void clear_property(struct aws_property *p)
{
	for (size_t i = 0; i < p->nsub; i++)
		clear_property(&p->sub[i]);
	free(p->sub);
	free(p->key);
	free_text(p->value);
	free_text(p->raw);
	*p = (struct aws_property){ 0 };
}

static void clear_section(struct aws_section *s)
{
	for (size_t i = 0; i < s->n; i++)
		clear_property(&s->v[i]);
	free(s->v);
	s->v = NULL;
	s->n = 0;
}

void aws_config_release(struct aws_config *c)
{
	for (size_t i = 0; i < c->n; i++) {
		clear_section(&c->v[i]);
		free(c->v[i].name);
	}
	free(c->v);
	free(c->profile);
	*c = (struct aws_config){ 0 };
}

static struct aws_property *find_property(struct aws_property *v, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].key, key) == 0)
			return &v[i];
	return NULL;
}

static void drop_from_config(struct aws_section *s)
{
	size_t kept = 0;
	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i].from_credentials)
			s->v[kept++] = s->v[i];
		else
			clear_property(&s->v[i]);
	}
	s->n = kept;
}

/* Find or make. The last section found is where properties go until the next header. */
static struct aws_section *section_of(struct parser *ps, enum aws_section_kind kind, struct span name)
{
	struct aws_config *c = ps->c;
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].kind == kind && strlen(c->v[i].name) == name.n &&
			memcmp(c->v[i].name, name.p, name.n) == 0)
			return &c->v[i];
	if (c->n >= AWS_CONFIG_MAX_SECTIONS)
		return NULL;
	if ((c->n & (c->n - 1)) == 0)
		c->v = mem_realloc(c->v, (c->n ? 2 * c->n : 1) * sizeof *c->v);
	struct aws_section *s = &c->v[c->n++];
	*s = (struct aws_section){ .kind = kind, .name = mem_dup(name.p, name.n) };
	return s;
}

/* "keyword name": true and *rest = name. */
static bool keyword(struct span s, const char *word, struct span *rest)
{
	size_t n = strlen(word);
	if (s.n <= n || memcmp(s.p, word, n) != 0 || !blank(s.p[n]))
		return false;
	*rest = trim((struct span){ s.p + n, s.n - n });
	return true;
}

/* A name in quotes may hold anything but that quote. */
static bool unquote_name(struct span *s)
{
	if (s->n == 0 || (s->p[0] != '"' && s->p[0] != '\''))
		return valid_name(*s);
	char quote = s->p[0];
	if (s->n < 3 || s->p[s->n - 1] != quote)
		return false;
	*s = (struct span){ s->p + 1, s->n - 2 };
	return memchr(s->p, quote, s->n) == NULL;
}

static bool is_default(struct span s)
{
	return s.n == 7 && memcmp(s.p, "default", 7) == 0;
}

/* Which section a header of the config file names; false: one that is skipped. */
static bool config_header(struct parser *ps, struct span s, enum aws_section_kind *kind, struct span *name)
{
	if (is_default(s)) {
		*kind = AWS_PROFILE;
		*name = s;
		return !ps->default_prefixed;
	}
	if (keyword(s, "profile", name))
		*kind = AWS_PROFILE;
	else if (keyword(s, "sso-session", name))
		*kind = AWS_SSO_SESSION;
	else if (keyword(s, "services", name))
		*kind = AWS_SERVICES;
	else
		return false;
	return unquote_name(name);
}

static size_t header_end(struct span s)
{
	char quote = 0;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (quote && c == quote)
			quote = 0;
		else if (!quote && (c == '"' || c == '\'') && memchr(s.p + i + 1, c, s.n - i - 1))
			quote = c;
		else if (!quote && (c == '#' || c == ';'))
			return i;
	}
	return s.n;
}

static int read_header(struct parser *ps, struct span line)
{
	ps->started = true;
	ps->section = NULL;
	ps->property = NULL;
	ps->skipping = false;
	struct span s = trim((struct span){ line.p, header_end(line) });
	if (s.n < 2 || s.p[s.n - 1] != ']')
		return fail(ps, "Profile definition must end with ']'");
	s = trim((struct span){ s.p + 1, s.n - 2 });

	enum aws_section_kind kind = AWS_PROFILE;
	struct span name = s;
	bool wanted = ps->credentials ? valid_name(s) : config_header(ps, s, &kind, &name);
	if (!wanted)
		return 0;
	ps->section = section_of(ps, kind, name);
	if (!ps->section)
		return fail(ps, "too many profiles");
	if (!ps->credentials && kind == AWS_PROFILE && is_default(name) && !is_default(s) &&
		!ps->default_prefixed) {
		ps->default_prefixed = true;
		drop_from_config(ps->section);
	}
	return 0;
}

/* Take one pair of enclosing quotes off. NULL when the text is not one quoted string. */
static char *unquoted(struct span s)
{
	if (s.n < 2 || (s.p[0] != '"' && s.p[0] != '\'') || s.p[s.n - 1] != s.p[0])
		return NULL;
	char quote = s.p[0], *out = mem_alloc(s.n), *w = out;
	for (size_t i = 1; i + 1 < s.n; i++) {
		char c = s.p[i];
		bool escape = c == '\\' && quote == '"' && i + 2 < s.n;
		if (escape && strchr("\"\\nt", s.p[i + 1])) {
			c = s.p[++i];
			c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
		} else if (c == quote || (c == '\\' && quote == '"' && !escape)) {
			free_text(out);
			return NULL;
		}
		*w++ = c;
	}
	return out;
}

static void set_value(struct aws_property *p, struct span value)
{
	p->raw = mem_dup(value.p, value.n);
	p->value = unquoted(value);
	if (!p->value)
		p->value = mem_dup(value.p, value.n);
}

static int split_pair(struct parser *ps, struct span line, bool sub, struct span *key, struct span *value)
{
	const char *eq = memchr(line.p, '=', line.n);
	if (!eq)
		return fail(ps, sub ? "Expected an '=' sign defining a sub-property"
				    : "Expected an '=' sign defining a property");
	size_t at = (size_t)(eq - line.p);
	*key = trim((struct span){ line.p, at });
	*value = trim((struct span){ eq + 1, line.n - at - 1 });
	if (key->n == 0)
		return fail(ps, sub ? "Sub-property did not have a name" : "Property did not have a name");
	return 0;
}

static struct aws_property *append(struct aws_property **v, size_t *n, char *key)
{
	if ((*n & (*n - 1)) == 0)
		*v = mem_realloc(*v, (*n ? 2 * *n : 1) * sizeof **v);
	struct aws_property *p = &(*v)[(*n)++];
	*p = (struct aws_property){ .key = key };
	return p;
}

static int read_property(struct parser *ps, struct span line)
{
	struct span key, value;
	if (!ps->started)
		return fail(ps, "Expected a profile definition");
	ps->property = NULL;
	ps->skipping = true;
	if (!ps->section)
		return 0;
	if (split_pair(ps, cut_comment(line), false, &key, &value) < 0)
		return -1;
	if (!valid_name(key))
		return 0;
	struct aws_section *s = ps->section;
	char *name = lower(key);
	struct aws_property *p = find_property(s->v, s->n, name);
	if (p && p->from_credentials && !ps->credentials) {
		free(name);
		return 0;
	}
	if (p) {
		clear_property(p);
		p->key = name;
	} else if (s->n < AWS_CONFIG_MAX_PROPERTIES) {
		p = append(&s->v, &s->n, name);
	} else {
		free(name);
		return fail(ps, "too many properties");
	}
	p->from_credentials = ps->credentials;
	set_value(p, value);
	ps->property = p;
	ps->skipping = false;
	ps->nested = value.n == 0;
	return 0;
}

static int read_nested(struct parser *ps, struct span line)
{
	struct aws_property *p = ps->property;
	struct span key, value;
	if (split_pair(ps, cut_comment(line), true, &key, &value) < 0)
		return -1;
	if (p->nsub >= AWS_CONFIG_MAX_PROPERTIES)
		return fail(ps, "too many properties");
	struct aws_property *sub = append(&p->sub, &p->nsub, lower(key));
	set_value(sub, value);
	free_text(sub->raw);
	sub->raw = mem_dup(line.p, line.n);
	return 0;
}

static int read_continuation(struct parser *ps, struct span line)
{
	if (!ps->started)
		return fail(ps, "Expected a profile definition");
	if (!ps->section || ps->skipping)
		return 0;
	if (!ps->property)
		return fail(ps, "Expected a property definition, found continuation");
	line = trim(line);
	if (ps->nested)
		return read_nested(ps, line);
	struct aws_property *p = ps->property;
	size_t n = strlen(p->raw);
	char *raw = mem_alloc(n + line.n + 2);
	memcpy(raw, p->raw, n);
	raw[n] = '\n';
	memcpy(raw + n + 1, line.p, line.n);
	free_text(p->raw);
	free_text(p->value);
	p->raw = raw;
	p->value = mem_strdup(raw);
	return 0;
}

static int read_line(struct parser *ps, struct span line)
{
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';' || trim(line).n == 0)
		return 0;
	if (line.p[0] == '[')
		return read_header(ps, line);
	if (blank(line.p[0]))
		return read_continuation(ps, line);
	return read_property(ps, line);
}

int aws_config_parse(struct aws_config *c, const char *text, size_t n, bool credentials, struct err *e)
{
	struct parser ps = { .c = c, .e = e, .credentials = credentials };
	if (memchr(text, '\0', n) || !utf8_valid(text, n))
		return err_set(e, ERR_USAGE, "bad-config", "not a UTF-8 text file");
	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3, n -= 3;
	while (n > 0) {
		const char *nl = memchr(text, '\n', n);
		size_t len = nl ? (size_t)(nl - text) : n;
		ps.line++;
		if (read_line(&ps, (struct span){ text, len }) < 0)
			return -1;
		len += nl != NULL;
		text += len;
		n -= len;
	}
	return 0;
}
