/* sink.c - a server that swallows everything at once, so that what is measured is the client.
 *
 *   sink [-c CERT -k KEY] [-r RECORDS.json -n CALLS] [-d SECONDS]   on a port of 127.0.0.1 that it prints
 *
 * PutRecords: as many equal receipts as the body has "PartitionKey". ListShards: one shard. GetRecords: the given array for
 * the iterators canned-0 to canned-(CALLS-1), then none. GetItem, BatchGetItem: one cached entry. -d: answers PutRecords
 * only after so long. It checks nothing: no signature, no base64, no sizes. A thread per connection, HTTP/1.1. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 500
#define RECEIPT                                                                                              \
	"{\"SequenceNumber\":\"49590338271490256608559692538361571095921575989136588898\","                  \
	"\"ShardId\":\"shardId-000000000000\"}"
#define REC(n)                                                                                               \
	"{\"M\":{\"item_id\":{\"S\":\"film_" n "\"},\"category\":{\"S\":\"thriller\"},"                      \
	"\"reasoning\":{\"S\":\"The last three purchases were thrillers.\"},"                                \
	"\"confidence_score\":{\"N\":\"0.95\"}}}"
#define ITEM                                                                                                 \
	"{\"user_id\":{\"S\":\"u_0\"},\"recommendations\":{\"L\":[" REC("1") "," REC("2") "," REC(           \
		"3") "," REC("4") "," REC("5") "]},\"generated_at\":{\"S\":\"2026-01-01T00:00:00+00:00\"},"  \
					       "\"ttl\":{\"N\":\"4000000000\"}}"

static SSL_CTX *tls;
static char *receipts[MOST + 1];
static char *records;
static size_t records_len;
static long calls, delay_s;

struct conn {
	int fd;
	SSL *ssl;
	char *in;
	size_t len, cap;
};

static ssize_t get_bytes(struct conn *c, char *p, size_t n)
{
	return c->ssl ? SSL_read(c->ssl, p, (int)n) : recv(c->fd, p, n, 0);
}

static int put_bytes(struct conn *c, const char *p, size_t n)
{
	while (n) {
		ssize_t w = c->ssl ? SSL_write(c->ssl, p, (int)n) : send(c->fd, p, n, MSG_NOSIGNAL);
		if (w <= 0)
			return -1;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

static int reply(struct conn *c, const char *p, size_t n)
{
	char head[200];
	int h = snprintf(head, sizeof head,
		"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\n"
		"x-amzn-RequestId: 00000000-0000-0000-0000-000000000000\r\nContent-Length: %zu\r\n\r\n",
		n);

	if (n > 16000)
		return put_bytes(c, head, (size_t)h) || put_bytes(c, p, n) ? -1 : 0;
	char both[16384];
	memcpy(both, head, (size_t)h);
	memcpy(both + h, p, n);
	return put_bytes(c, both, (size_t)h + n);
}

static int reply_text(struct conn *c, const char *s)
{
	return reply(c, s, strlen(s));
}

static int put_records(struct conn *c, char *body, size_t n)
{
	size_t count = 0;

	/* The body is NUL-terminated, and its base64 can't hold the name. */
	for (char *p = body; (p = strstr(p, "\"PartitionKey\"")); p += 14)
		count++;
	(void)n;
	if (delay_s)
		nanosleep(&(struct timespec){ .tv_sec = delay_s }, NULL);
	return reply_text(c, receipts[count > MOST ? MOST : count]);
}

static int get_records(struct conn *c, const char *body)
{
	const char *it = strstr(body, "canned-");
	long i = it ? strtol(it + 7, NULL, 10) : 0;
	int more = i < calls;
	size_t cap = records_len + 200;
	char *answer = malloc(cap);
	int n = snprintf(answer, cap,
		"{\"MillisBehindLatest\":%d,\"NextShardIterator\":\"canned-%ld\",\"Records\":%s}",
		more ? 1000 : 0, i + more, more ? records : "[]");
	int rc = reply(c, answer, (size_t)n);

	free(answer);
	return rc;
}

static int respond(struct conn *c, const char *target, char *body, size_t n)
{
	const char *op = strchr(target, '.');

	op = op ? op + 1 : "";
	if (!strncmp(op, "PutRecords", 10))
		return put_records(c, body, n);
	if (!strncmp(op, "GetRecords", 10))
		return get_records(c, body);
	if (!strncmp(op, "GetShardIterator", 16))
		return reply_text(c, "{\"ShardIterator\":\"canned-0\"}");
	if (!strncmp(op, "ListShards", 10))
		return reply_text(c, "{\"Shards\":[{\"ShardId\":\"shardId-000000000000\",\"HashKeyRange\":{"
				     "\"StartingHashKey\":\"0\",\"EndingHashKey\":"
				     "\"340282366920938463463374607431768211455\"},\"SequenceNumberRange\":{"
				     "\"StartingSequenceNumber\":\"0\"}}]}");
	if (!strncmp(op, "GetItem", 7))
		return reply_text(c, "{\"Item\":" ITEM "}");
	if (!strncmp(op, "BatchGetItem", 12))
		return reply_text(c, "{\"Responses\":{\"rec-cache\":[" ITEM "]},\"UnprocessedKeys\":{}}");
	return reply_text(c, "{}");
}

/* The value of a header in the head that ends at `end`, or NULL. */
static char *header(char *head, const char *end, const char *name)
{
	size_t n = strlen(name);

	for (char *p = head; (p = strstr(p, "\r\n")) && p < end; p += 2)
		if (!strncasecmp(p + 2, name, n))
			return p + 2 + n;
	return NULL;
}

/* One request; 0: answered, -1: the connection is over. */
static int one_request(struct conn *c)
{
	char *end = NULL, *value;
	size_t need = 0;
	int continued = 0;

	for (;;) {
		c->in[c->len] = '\0';
		if (!end && (end = strstr(c->in, "\r\n\r\n"))) {
			value = header(c->in, end, "content-length:");
			need = (size_t)(end + 4 - c->in) + (value ? strtoul(value, NULL, 10) : 0);
		}
		if (end && c->len >= need)
			break;
		if (end && !continued && header(c->in, end, "expect:")) {
			continued = 1;
			put_bytes(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
		}
		size_t want = need > c->cap ? need : c->len == c->cap ? c->cap * 2 : c->cap;
		if (want > c->cap) {
			size_t at = end ? (size_t)(end - c->in) : 0;
			c->in = realloc(c->in, want + 1);
			c->cap = want;
			end = end ? c->in + at : NULL;
		}
		ssize_t got = get_bytes(c, c->in + c->len, c->cap - c->len);
		if (got <= 0)
			return -1;
		c->len += (size_t)got;
	}
	char after = c->in[need];
	c->in[need] = '\0';
	value = header(c->in, end, "x-amz-target:");
	size_t head = (size_t)(end + 4 - c->in);
	int rc = respond(c, value ? value : "", c->in + head, need - head);
	c->in[need] = after;
	memmove(c->in, c->in + need, c->len - need);
	c->len -= need;
	return rc;
}

static void *serve(void *arg)
{
	struct conn *c = arg;
	int open = 1;

	if (tls) {
		c->ssl = SSL_new(tls);
		SSL_set_fd(c->ssl, c->fd);
		open = SSL_accept(c->ssl) == 1;
	}
	while (open && one_request(c) == 0)
		;
	SSL_free(c->ssl);
	close(c->fd);
	free(c->in);
	free(c);
	return NULL;
}

static void load_records(const char *path)
{
	FILE *f = fopen(path, "r");
	long n;

	if (!f || fseek(f, 0, SEEK_END) || (n = ftell(f)) < 0)
		exit(1);
	rewind(f);
	records_len = (size_t)n;
	records = calloc(1, records_len + 1);
	if (!records || fread(records, 1, records_len, f) != records_len)
		exit(1);
	fclose(f);
}

static void make_receipts(void)
{
	for (int n = 0; n <= MOST; n++) {
		size_t cap = 64 + (size_t)n * sizeof RECEIPT, len;
		char *p = receipts[n] = malloc(cap);

		if (!p)
			exit(1);
		len = (size_t)snprintf(p, cap, "{\"FailedRecordCount\":0,\"Records\":[");
		for (int i = 0; i < n; i++)
			len += (size_t)snprintf(p + len, cap - len, "%s" RECEIPT, i ? "," : "");
		snprintf(p + len, cap - len, "]}");
	}
}

static int listen_on(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof a;
	int s = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(s, (struct sockaddr *)&a, n) || listen(s, 256) ||
		getsockname(s, (struct sockaddr *)&a, &n)) {
		perror("sink");
		exit(1);
	}
	printf("%u\n", ntohs(a.sin_port));
	fflush(stdout);
	return s;
}

int main(int argc, char **argv)
{
	const char *cert = NULL, *key = NULL;
	int opt, one = 1;

	while ((opt = getopt(argc, argv, "c:k:r:n:d:")) > 0)
		switch (opt) {
		case 'c': cert = optarg; break;
		case 'k': key = optarg; break;
		case 'r': load_records(optarg); break;
		case 'n': calls = strtol(optarg, NULL, 10); break;
		case 'd': delay_s = strtol(optarg, NULL, 10); break;
		default: return 2;
		}
	signal(SIGPIPE, SIG_IGN);
	make_receipts();
	if (cert) {
		tls = SSL_CTX_new(TLS_server_method());
		if (SSL_CTX_use_certificate_chain_file(tls, cert) != 1 ||
			SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
			return 1;
	}
	int s = listen_on();
	for (;;) {
		struct conn *c = calloc(1, sizeof *c);
		pthread_t t;

		if (!c || (c->fd = accept(s, NULL, NULL)) < 0)
			return 1;
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		c->cap = 1 << 20;
		c->in = malloc(c->cap + 1);
		if (!c->in || pthread_create(&t, NULL, serve, c))
			return 1;
		pthread_detach(t);
	}
}
