/* s3_get.c - GetObject: streamed, taken up again where a connection broke, checked against its checksum. */
#include "aws/s3_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/digest.h"

#define RESUMES_IDLE 5 /* in a row without a byte */
#define RESUME_WAIT_MS 200

struct download {
	struct aws_call call;
	blob_on_bytes *fn;
	void *arg;
	struct err *e;
	uint64_t done; /* bytes handed on */
	uint64_t skip; /* of this answer: a server that ignores the range sends it all again */
	unsigned long crc;
	char etag[300];
	char checksum[16]; /* base64 of CRC-32, or "" */
	bool started;      /* the first answer's headers have been kept */
	bool alien;        /* an answer is not of this object, nor of S3 at all */
	bool begun;        /* bytes of this answer have come */
	int said;          /* what fn returned to end it: 1 or -1 */
};

/* The first answer tells which version of the object this is, and what its bytes must sum up to. */
static void keep_headers(struct download *d)
{
	const char *etag = http_resp_header(&d->call.resp, "etag");
	const char *sum = http_resp_header(&d->call.resp, "x-amz-checksum-crc32");

	snprintf(d->etag, sizeof d->etag, "%s", etag ? etag : "");
	/* A composite checksum (of parts, "...-3") says nothing about the bytes in a row. */
	if (sum && strlen(sum) == 8)
		memcpy(d->checksum, sum, 9);
	d->started = true;
}

/* S3 names the version of what it sends. A portal's page would else be taken for the object, or for the rest of it. */
static bool is_object(struct download *d)
{
	const char *etag = http_resp_header(&d->call.resp, "etag");

	d->alien = !etag || (d->started && strcmp(etag, d->etag) != 0);
	return !d->alien;
}

static bool on_body(const char *p, size_t n, void *arg)
{
	struct download *d = arg;

	if (!d->begun && !is_object(d))
		return false;
	if (!d->started)
		keep_headers(d);
	else if (!d->begun && !http_resp_header(&d->call.resp, "content-range"))
		d->skip = d->done;
	d->begun = true;
	if (d->skip) {
		size_t drop = n < d->skip ? n : (size_t)d->skip;
		d->skip -= drop;
		p += drop;
		n -= drop;
	}
	if (!n)
		return true;
	d->crc = crc32_z(d->crc, (const unsigned char *)p, n);
	d->done += n;
	d->said = d->fn(p, n, d->arg, d->e);
	return d->said == 0;
}

static int ask(struct s3 *s, struct download *d, const char *path, struct err *e)
{
	char range[48];
	const char *headers[3][2] = { { "x-amz-checksum-mode", "ENABLED" } };
	size_t n = 1;

	if (d->started) {
		snprintf(range, sizeof range, "bytes=%" PRIu64 "-", d->done);
		headers[n][0] = "Range", headers[n++][1] = range;
		if (d->etag[0])
			headers[n][0] = "If-Match", headers[n++][1] = d->etag;
	}
	d->skip = 0;
	d->begun = d->alien = false;
	d->call = (struct aws_call){ .op = "GetObject",
		.method = "GET",
		.path = path,
		.host_prefix = s3_host_prefix(s),
		.headers = headers,
		.nheaders = n,
		.on_body = on_body,
		.arg = d };
	return aws_send(s->client, &d->call, e);
}

static int check_sum(const struct download *d, const char *name, struct err *e)
{
	const uint8_t be[4] = { (uint8_t)(d->crc >> 24), (uint8_t)(d->crc >> 16), (uint8_t)(d->crc >> 8),
		(uint8_t)d->crc };
	struct buf text = BUF_INIT(16);
	bool same = b64_encode(&text, be, sizeof be) && (!d->checksum[0] || !strcmp(text.p, d->checksum));

	buf_release(&text);
	if (same)
		return 0;
	return err_set(e, ERR_FAILED, "bad-checksum",
		"s3: GetObject: the bytes of %.200s do not match its checksum", name);
}

/* 416 to a range that begins at the end: all had come before the connection broke. */
static bool was_whole(const struct download *d, const struct err *e)
{
	return d->started && d->done && e->http == 416;
}

int s3_get(struct blob *b, const char *name, blob_on_bytes *fn, void *arg, struct err *e)
{
	struct s3 *s = (struct s3 *)b;
	struct buf path = BUF_INIT(BUF_MAX_SMALL);
	struct download d = { .fn = fn, .arg = arg, .e = e, .crc = crc32_z(0, NULL, 0) };
	int rc = 0;

	if (!s3_path(s, name, &path))
		rc = err_set(e, ERR_FAILED, "bad-name", "s3: the object's name is too long");
	for (int idle = 0; !rc;) {
		uint64_t before = d.done;
		rc = ask(s, &d, path.p, e);
		if (d.alien || (!rc && !is_object(&d)))
			rc = err_set(e, ERR_UNAVAILABLE, "bad-answer",
				"s3: GetObject: the answer is not the object (a proxy?)");
		if (!rc && !d.started)
			keep_headers(&d); /* an empty object */
		http_resp_release(&d.call.resp);
		if (!rc || d.said || was_whole(&d, e))
			break;
		idle = d.done > before ? 0 : idle + 1;
		if (e->cls != ERR_UNAVAILABLE || !d.started || idle > RESUMES_IDLE ||
			!clock_sleep_ms(RESUME_WAIT_MS * idle + 1))
			break;
		rc = 0;
	}
	buf_release(&path);
	if (d.said)
		return d.said > 0 ? 0 : -1;
	if (rc && !was_whole(&d, e))
		return -1;
	return check_sum(&d, name, e);
}
