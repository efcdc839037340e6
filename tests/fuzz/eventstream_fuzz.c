/* eventstream_fuzz.c - libFuzzer target: any bytes, in any pieces, through the event-stream decoder.
 *
 * A fuzzer does not guess checksums, so with the first byte odd they are put right before decoding. Checked:
 * no bad access, the same messages however the bytes are cut, every message inside its own bytes.
 * Build: clang -fsanitize=fuzzer,address,undefined -Isrc, with base/ and net/eventstream.c. */
#include "base/digest.h"
#include "base/mem.h"
#include "net/eventstream.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void repair(uint8_t *p, size_t n)
{
	while (n >= 16) {
		size_t total = get32(p) & 0x3ff;
		total = total < 16 ? 16 : total > n ? n : total;
		put32(p, (uint32_t)total);
		put32(p + 8, crc32_of(p, 8));
		put32(p + total - 4, crc32_of(p, total - 4));
		p += total;
		n -= total;
	}
}

/* A checksum of all that was decoded with the bytes fed in pieces. */
static uint32_t decode(const uint8_t *p, size_t n, size_t piece)
{
	struct es_decoder d;
	struct es_message m;
	struct err e;
	uint32_t sum = 0;
	int rc = 0;

	es_init(&d);
	for (size_t off = 0; off < n && rc >= 0; off += piece) {
		if (es_feed(&d, p + off, piece < n - off ? piece : n - off, &e))
			break;
		while ((rc = es_next(&d, &m, &e)) == 1) {
			sum = sum * 31 + crc32_of(m.payload, m.payload_len);
			for (size_t i = 0; i < m.nheaders; i++) {
				const struct es_header *h = &m.headers[i];
				sum = sum * 31 + crc32_of(h->name, h->name_len) + (uint32_t)h->integer;
				if (h->value_len)
					sum = sum * 31 + crc32_of(h->value, h->value_len);
			}
			if (m.payload_len + m.headers_len + 16 != m.total_len)
				abort();
		}
	}
	sum = sum * 31 + (uint32_t)(rc < 0);
	es_release(&d);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t *copy;

	if (n < 2)
		return 0;
	copy = mem_alloc(n);
	memcpy(copy, data + 2, n - 2);
	if (data[0] & 1)
		repair(copy, n - 2);
	if (decode(copy, n - 2, n) != decode(copy, n - 2, (size_t)data[1] + 1))
		abort();
	free(copy);
	return 0;
}
