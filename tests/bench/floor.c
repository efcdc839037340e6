/* floor.c - what the work itself costs, with nothing around it: the figures that the product is held against.
 *
 *   floor nothing                   a program that is linked to libcurl and has started
 *   floor get URL                   one unsigned DynamoDB GetItem
 *   floor publish URL EVENTS BODIES base64 of each event, SHA-256 of each ready PutRecords body, POST of each
 *   floor consume URL               GetRecords until the end, base64 of each record undone
 *
 * EVENTS: one a line. BODIES: one a line. Nothing is parsed, checked or kept. */
#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct answer {
	char *p;
	size_t len, cap;
};

static size_t take(char *p, size_t size, size_t n, void *arg)
{
	struct answer *a = arg;

	(void)size;
	if (a->len + n + 1 > a->cap) {
		a->cap = (a->len + n) * 2 + 1;
		a->p = realloc(a->p, a->cap);
		if (!a->p)
			return 0;
	}
	memcpy(a->p + a->len, p, n);
	a->len += n;
	a->p[a->len] = '\0';
	return n;
}

static CURL *client(
	const char *url, const char *target, const char *type, struct curl_slist **headers, struct answer *a)
{
	CURL *h;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	h = curl_easy_init();
	*headers = curl_slist_append(NULL, type);
	*headers = curl_slist_append(*headers, target);
	*headers = curl_slist_append(*headers, "Expect:");
	/* Some servers want these to be there, and none of these checks them. */
	*headers = curl_slist_append(*headers, "X-Amz-Date: 20260101T000000Z");
	*headers = curl_slist_append(*headers,
		"Authorization: AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/x/aws4_request, "
		"SignedHeaders=host, Signature=0");
	curl_easy_setopt(h, CURLOPT_URL, url);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, *headers);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, a);
	return h;
}

static int post(CURL *h, const char *body, size_t n, struct answer *a)
{
	long status = 0;

	a->len = 0;
	curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)n);
	curl_easy_setopt(h, CURLOPT_POSTFIELDS, body);
	if (curl_easy_perform(h))
		return -1;
	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
	return status == 200 ? 0 : -1;
}

static int get(CURL *h, struct answer *a)
{
	static const char body[] = "{\"TableName\":\"rec-cache\",\"Key\":{\"user_id\":{\"S\":\"u_0\"}}}";

	return post(h, body, sizeof body - 1, a);
}

static int publish(CURL *h, struct answer *a, const char *events, const char *bodies)
{
	FILE *e = fopen(events, "r"), *b = fopen(bodies, "r");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int rc = 0;

	if (!e || !b)
		return -1;
	static unsigned char text[1 << 21];
	while ((n = getline(&line, &cap, e)) > 0 && n < 1 << 20)
		EVP_EncodeBlock(text, (unsigned char *)line, (int)n - 1);
	while (rc == 0 && (n = getline(&line, &cap, b)) > 0) {
		unsigned char hash[32];
		SHA256((unsigned char *)line, (size_t)n - 1, hash);
		rc = post(h, line, (size_t)n - 1, a);
	}
	free(line);
	fclose(e);
	fclose(b);
	return rc;
}

static int consume(CURL *h, struct answer *a)
{
	static unsigned char data[1 << 21];
	char body[2048] = "{\"StreamName\":\"s\",\"ShardId\":\"0\",\"ShardIteratorType\":\"TRIM_HORIZON\"}";
	char it[1024] = "canned-0";
	size_t got;

	do {
		const char *next;
		int n = snprintf(body, sizeof body, "{\"ShardIterator\":\"%s\",\"Limit\":10000}", it);
		if (post(h, body, (size_t)n, a))
			return -1;
		got = 0;
		for (char *p = a->p; (p = strstr(p, "\"Data\":\"")); got++) {
			p += 8;
			char *end = strchr(p, '"');
			if (!end || EVP_DecodeBlock(data, (unsigned char *)p, (int)(end - p)) < 0)
				return -1;
			p = end;
		}
		next = strstr(a->p, "\"NextShardIterator\":\"");
		if (!next || sscanf(next + 21, "%1023[^\"]", it) != 1)
			return -1;
	} while (got);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct curl_slist *headers = NULL;
	struct answer a = { 0 };
	CURL *h;
	int rc = -1;

	if (!strcmp(what, "nothing"))
		return curl_version() == NULL;
	if (argc < 3)
		return 2;
	if (!strcmp(what, "get"))
		h = client(argv[2], "X-Amz-Target: DynamoDB_20120810.GetItem",
			"Content-Type: application/x-amz-json-1.0", &headers, &a);
	else
		h = client(argv[2],
			!strcmp(what, "consume") ? "X-Amz-Target: Kinesis_20131202.GetRecords"
						 : "X-Amz-Target: Kinesis_20131202.PutRecords",
			"Content-Type: application/x-amz-json-1.1", &headers, &a);
	if (!strcmp(what, "get"))
		rc = get(h, &a);
	else if (!strcmp(what, "publish") && argc == 5)
		rc = publish(h, &a, argv[3], argv[4]);
	else if (!strcmp(what, "consume"))
		rc = consume(h, &a);
	curl_slist_free_all(headers);
	curl_easy_cleanup(h);
	curl_global_cleanup();
	free(a.p);
	if (rc)
		fprintf(stderr, "floor %s: failed\n", what);
	return rc != 0;
}
