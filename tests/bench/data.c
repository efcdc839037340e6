/* data.c - the measuring data, the same at every run: events, ready PutRecords bodies, the Records of a GetRecords answer.
 *
 *   data DIR EVENTS SIZE   writes DIR/events.ndjson, DIR/bodies.ndjson (500 records a line), DIR/records.json (1,000 records)
 *                          and DIR/bare.ndjson (the events without event_id and timestamp) */
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 500
#define CANNED 1000
#define USERS 5000

static uint64_t state = 7;

static uint64_t next(void) /* splitmix64 */
{
	uint64_t z = state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static unsigned below(unsigned n)
{
	return (unsigned)(next() % n);
}

static FILE *create(const char *dir, const char *name)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f) {
		perror(path);
		exit(1);
	}
	return f;
}

static size_t append(char *p, size_t cap, size_t n, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	int more = vsnprintf(p + n, cap - n, format, ap);
	va_end(ap);
	return more < 0 || (size_t)more >= cap - n ? n : n + (size_t)more;
}

/* One event of exactly `size` bytes (if it is not too short), without its NUL in the count. */
static size_t make_event(char *p, size_t cap, size_t size, unsigned i, unsigned user, int bare)
{
	static const char *const types[] = { "click", "purchase", "dwell", "skip" };
	static const char *const genres[] = { "thriller", "comedy", "drama" };
	static const char letters[] = "abcdefghijklmnop qrstuvwxyz";
	uint64_t id = next();
	size_t n = append(p, cap, 0, "{");

	if (!bare)
		n = append(p, cap, n, "\"event_id\": \"%08x-%04x-4%03x-8%03x-%012" PRIx64 "\", ",
			(unsigned)(id >> 32), (unsigned)(id & 0xffff), below(4096), below(4096),
			next() >> 16);
	n = append(p, cap, n,
		"\"user_id\": \"u_%u\", \"item_id\": \"film_%s_%03u\", \"event_type\": \"%s\", ", user,
		genres[below(3)], below(1000), types[below(4)]);
	if (!bare)
		n = append(p, cap, n, "\"timestamp\": \"2026-01-01T%02u:%02u:%02u.%06u+00:00\", ",
			i / 3600 % 24, i / 60 % 60, i % 60, below(1000000));
	n = append(p, cap, n,
		"\"metadata\": {\"price\": %u.%02u, \"category\": \"%s\", \"session_id\": \"s_%08x\"",
		below(100), below(100), genres[below(3)], (unsigned)next());
	if (n + 13 + 2 < size) {
		n = append(p, cap, n, ", \"note\": \"");
		while (n + 3 < size)
			p[n++] = letters[below(sizeof letters - 1)];
		p[n] = '\0';
		n = append(p, cap, n, "\"");
	}
	return append(p, cap, n, "}}");
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	unsigned total = (unsigned)strtoul(argv[2], NULL, 10);
	size_t size = strtoul(argv[3], NULL, 10), cap = size + 1024;
	FILE *events = create(argv[1], "events.ndjson"), *bodies = create(argv[1], "bodies.ndjson");
	FILE *records = create(argv[1], "records.json"), *bare = create(argv[1], "bare.ndjson");
	char *event = malloc(cap), *text = malloc(cap * 2);

	if (!event || !text)
		return 1;
	fputs("[", records);
	for (unsigned i = 0; i < total; i++) {
		unsigned user = below(USERS);
		size_t n = make_event(event, cap, size, i, user, 0);
		EVP_EncodeBlock((unsigned char *)text, (unsigned char *)event, (int)n);
		fprintf(events, "%s\n", event);
		fprintf(bodies, "%s{\"Data\":\"%s\",\"PartitionKey\":\"u_%u\"}%s",
			i % BATCH ? "," : "{\"StreamName\":\"user-interactions\",\"Records\":[", text, user,
			i % BATCH == BATCH - 1 || i + 1 == total ? "]}\n" : "");
		if (i < CANNED)
			fprintf(records,
				"%s{\"ApproximateArrivalTimestamp\":1767225600.%03u,\"Data\":\"%s\","
				"\"EncryptionType\":\"NONE\",\"PartitionKey\":\"u_%u\","
				"\"SequenceNumber\":\"4959033827149025660855969253836157109592157598913%"
				"07u\"}",
				i ? "," : "", i, text, user, i);
		make_event(event, cap, size, i, user, 1);
		fprintf(bare, "%s\n", event);
	}
	fputs("]", records);
	free(event);
	free(text);
	return fclose(events) || fclose(bodies) || fclose(records) || fclose(bare);
}
