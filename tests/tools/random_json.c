/* random_json.c COUNT [SEED] - COUNT random event lines, the same for a seed: every escape, any Unicode, numbers that no double
 * holds, deep nesting, names twice, white space anywhere between tokens. event_id and timestamp are always there, so publish has
 * nothing to add and the bytes must come back. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;

static uint32_t below(uint32_t n)
{
	state += 0x9e3779b97f4a7c15u;
	uint64_t z = state;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)((z ^ z >> 31) >> 32) % n;
}

static void space(void)
{
	static const char *const some[] = { " ", "\t", "  ", " \t " };

	if (below(12) == 0)
		fputs(some[below(4)], stdout);
}

static void utf8(uint32_t c)
{
	if (c < 0x80) {
		putchar((int)c);
	} else if (c < 0x800) {
		printf("%c%c", (int)(0xc0 | c >> 6), (int)(0x80 | (c & 63)));
	} else if (c < 0x10000) {
		printf("%c%c%c", (int)(0xe0 | c >> 12), (int)(0x80 | (c >> 6 & 63)), (int)(0x80 | (c & 63)));
	} else {
		printf("%c%c%c%c", (int)(0xf0 | c >> 18), (int)(0x80 | (c >> 12 & 63)),
			(int)(0x80 | (c >> 6 & 63)), (int)(0x80 | (c & 63)));
	}
}

static uint32_t code_point(void)
{
	static const uint32_t most[] = { 0x7f, 0xff, 0x7ff, 0xffff, 0x10ffff };
	uint32_t c;

	do
		c = below(most[below(5)]) + 1;
	while (c < 0x20 || c == '"' || c == '\\' || (c >= 0xd800 && c < 0xe000));
	return c;
}

static void escape(void)
{
	static const char plain[] = "\"\\/bfnrt";
	uint32_t c = below(0x110000);

	if (below(2)) {
		printf("\\%c", plain[below(8)]);
	} else if (c >= 0xd800 && c < 0xe000) {
		fputs("\\u0000", stdout);
	} else if (c < 0x10000) {
		printf(below(2) ? "\\u%04" PRIx32 : "\\u%04" PRIX32, c);
	} else {
		printf("\\u%04" PRIx32 "\\u%04" PRIX32, 0xd800 + ((c - 0x10000) >> 10),
			0xdc00 + ((c - 0x10000) & 0x3ff));
	}
}

static void string(uint32_t most)
{
	putchar('"');
	for (uint32_t n = below(most); n; n--) {
		switch (below(8)) {
		case 0: escape(); break;
		case 1: utf8(code_point()); break;
		default: putchar((int)("abcdefghijklmnop {}[],:0123456789"[below(33)]));
		}
	}
	putchar('"');
}

static void digits(uint32_t n)
{
	while (n--)
		putchar((int)('0' + below(10)));
}

static void number(void)
{
	if (below(3) == 0)
		putchar('-');
	if (below(3) == 0) {
		putchar('0');
	} else {
		putchar((int)('1' + below(9)));
		digits(below(below(20) ? 6 : 60));
	}
	if (below(2)) {
		putchar('.');
		digits(1 + below(below(20) ? 4 : 40));
	}
	if (below(4) == 0) {
		putchar("eE"[below(2)]);
		fputs(&"+\0-\0\0"[2 * below(3)], stdout);
		digits(1 + below(4));
	}
}

static void value(unsigned depth);

static void members(unsigned depth, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			putchar(',');
		space();
		if (below(30) == 0)
			fputs("\"twice\"", stdout);
		else
			string(8);
		space();
		putchar(':');
		space();
		value(depth);
		space();
	}
}

static void value(unsigned depth)
{
	static const char *const words[] = { "true", "false", "null" };
	uint32_t kind = below(depth ? 8 : 6), n = below(4);

	switch (kind) {
	case 0:
	case 1:
	case 2: string(24); break;
	case 3:
	case 4: number(); break;
	case 5: fputs(words[below(3)], stdout); break;
	case 6:
		putchar('{');
		members(depth - 1, n);
		putchar('}');
		break;
	default:
		putchar('[');
		for (uint32_t i = 0; i < n; i++) {
			if (i)
				putchar(',');
			space();
			value(depth - 1);
			space();
		}
		putchar(']');
	}
}

/* Members that nobody reads, sometimes very deep, sometimes one name twice. */
static void own_members(void)
{
	unsigned deep = below(200) ? 0 : below(400);

	printf("\"x%" PRIu32 "\":", below(3));
	for (unsigned d = 0; d < deep; d++)
		putchar('[');
	value(4);
	for (unsigned d = 0; d < deep; d++)
		putchar(']');
	if (below(20) == 0) {
		fputs(",\"x0\" :", stdout);
		value(1);
	}
}

/* Its own members in any order, between others. Names of other members begin with nothing that an event has. */
static void line(uint64_t no)
{
	static const char *const types[] = { "click", "purchase", "dwell", "skip", "x.y_z-1" };
	int order[] = { 0, 1, 2, 3, 4, 5 };

	for (uint32_t i = 5; i; i--) {
		uint32_t k = below(i + 1);
		int t = order[i];
		order[i] = order[k];
		order[k] = t;
	}
	space();
	putchar('{');
	for (int i = 0; i < 6; i++) {
		fputs(i ? "," : "", stdout);
		space();
		switch (order[i]) {
		case 0: printf("\"user_id\":\"u%" PRIu32 "\"", below(500)); break;
		case 1: printf("\"event_id\" : \"%" PRIu64 "\"", no); break;
		case 2:
			printf("\"timestamp\":\"2026-01-05T10:%02" PRIu32 ":00.%" PRIu32 "Z\"", below(60),
				below(1000));
			break;
		case 3: printf("\"event_type\":\"%s\"", types[below(5)]); break;
		case 4:
			fputs("\"metadata\":{", stdout);
			members(2 + below(4), below(5));
			putchar('}');
			break;
		default: own_members();
		}
	}
	space();
	puts("}");
}

int main(int argc, char **argv)
{
	uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 10;

	state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	for (uint64_t i = 1; i <= n; i++)
		line(i);
	return fflush(stdout) || ferror(stdout);
}
