/* listing.c - the answer of positions, as NDJSON for programs or as a table for people. */
#include "cmd/positions.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CELL_CHARS 40 /* shown of a cell at most */

void listing_init(struct listing *l, struct ctx *c, enum positions_format f, const char *const *heads)
{
	bool terminal = isatty(STDOUT_FILENO);
	*l = (struct listing){ .c = c, .line = BUF_INIT(BUF_MAX_SMALL) };
	l->table = f == FORMAT_TABLE || (f == FORMAT_AUTO && terminal);
	while (heads[l->cols])
		l->cols++;
	for (size_t i = 0; i < l->cols; i++)
		listing_cell(l, heads[i]);
}

/* Bytes of the first n characters. */
static size_t prefix(const char *s, size_t n)
{
	size_t i = 0;
	for (; s[i]; i++)
		if (((unsigned char)s[i] & 0xc0) != 0x80 && n-- == 0)
			break;
	return i;
}

static size_t characters(const char *s)
{
	size_t n = 0;
	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

void listing_cell(struct listing *l, const char *text)
{
	if (!l->table)
		return;
	l->cells = mem_realloc(l->cells, (l->n + 1) * sizeof *l->cells);
	char *cell = l->cells[l->n++];
	snprintf(cell, LISTING_CELL, "%s", *text ? text : "-");
	text_harmless(cell);
	size_t all = strlen(cell), some = prefix(cell, CELL_CHARS);
	if (all > some)
		snprintf(cell + prefix(cell, CELL_CHARS - 2), 3, "..");
}

static void name_of(struct listing *l, const char *name)
{
	buf_str(&l->line, l->line.len ? ",\"" : "{\"");
	buf_str(&l->line, name);
	buf_str(&l->line, "\":");
}

void listing_str(struct listing *l, const char *name, const char *value)
{
	name_of(l, name);
	if (*value)
		json_quote_str(&l->line, value);
	else
		buf_str(&l->line, "null");
}

void listing_int(struct listing *l, const char *name, int64_t value)
{
	name_of(l, name);
	if (value >= 0)
		buf_uint(&l->line, (uint64_t)value);
	else
		buf_str(&l->line, "null");
}

void listing_time(struct listing *l, const char *name, int64_t ms)
{
	char text[TIME_TEXT] = "";
	if (ms)
		time_format_ms(ms, text);
	listing_str(l, name, text);
}

void listing_raw(struct listing *l, const char *name, const char *json)
{
	name_of(l, name);
	buf_str(&l->line, json);
}

int listing_end(struct listing *l, struct err *e)
{
	int rc = 0;
	if (!l->table) {
		buf_char(&l->line, '}');
		rc = out_line(l->c->out, l->line.p, l->line.len, e);
	}
	buf_reset(&l->line);
	return rc;
}

static int print_table(struct listing *l, struct err *e)
{
	size_t width[LISTING_COLS] = { 0 };
	for (size_t i = 0; i < l->n; i++)
		if (characters(l->cells[i]) > width[i % l->cols])
			width[i % l->cols] = characters(l->cells[i]);
	for (size_t i = 0; i < l->n; i++) {
		const char *cell = l->cells[i];
		bool last = i % l->cols == l->cols - 1;
		buf_str(&l->line, cell);
		for (size_t n = characters(cell); !last && n < width[i % l->cols] + 2; n++)
			buf_char(&l->line, ' ');
		if (last && out_line(l->c->out, l->line.p, l->line.len, e))
			return -1;
		if (last)
			buf_reset(&l->line);
	}
	return 0;
}

int listing_close(struct listing *l, int rc, struct err *e)
{
	struct err late = { 0 };
	bool bare = rc && l->n <= l->cols; /* heads alone */
	int mine = l->table && !bare ? print_table(l, &late) : 0;
	if (mine == 0)
		mine = out_flush(l->c->out, &late);
	free(l->cells);
	buf_release(&l->line);
	if (mine && rc == 0)
		*e = late;
	return rc ? rc : mine;
}

const char *span_text(int64_t ms, char out[32])
{
	int64_t s = ms / 1000;
	if (ms < 1000)
		snprintf(out, 32, ms ? "%" PRId64 "ms" : "%" PRId64, ms);
	else if (s < 60)
		snprintf(out, 32, "%" PRId64 "s", s);
	else if (s < 3600)
		snprintf(out, 32, "%" PRId64 "m%02ds", s / 60, (int)(s % 60));
	else if (s < 86400)
		snprintf(out, 32, "%" PRId64 "h%02dm", s / 3600, (int)(s / 60 % 60));
	else
		snprintf(out, 32, "%" PRId64 "d%02dh", s / 86400, (int)(s / 3600 % 24));
	return out;
}

const char *owner_text(const char *owner, char out[OWNER_MAX])
{
	const char *colon = strchr(owner, ':'), *second = colon ? strchr(colon + 1, ':') : NULL;
	snprintf(out, OWNER_MAX, "%.*s", (int)(second ? second - owner : OWNER_MAX - 1), owner);
	return out;
}

/* The end of a long number tells more than its beginning, which all of a stream share. */
const char *checkpoint_text(const char *checkpoint, uint64_t sub, int64_t initial_ms, char out[LISTING_CELL])
{
	size_t n = strlen(checkpoint);
	bool number = n && strspn(checkpoint, "0123456789") == n;
	if (!number && initial_ms &&
		(!strcmp(checkpoint, CP_AT_TIMESTAMP) || !strcmp(checkpoint, CP_LATEST))) {
		time_format_ms(initial_ms, out);
		return out;
	}
	if (!number || n <= 24)
		snprintf(out, LISTING_CELL, "%.90s", checkpoint);
	else
		snprintf(out, LISTING_CELL, "..%s", checkpoint + n - 22);
	if (number && sub)
		snprintf(out + strlen(out), LISTING_CELL - strlen(out), "/%" PRIu64, sub);
	return out;
}
