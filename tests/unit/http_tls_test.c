/* http_tls_test.c - what is trusted and what is not: certificates made here, served by openssl s_server. */
#include "base/mem.h"
#include "net/http.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[] = "/tmp/recagent-tls.XXXXXX";

/* A CA, and leaves for this machine: good, for another name, expired a day ago, not valid before 2050. */
static const char make_certificates[] =
	"exec 2>make.log; set -e; export OPENSSL_CONF=ca.cnf\n"
	"printf '%s\\n' '[req]' distinguished_name=dn '[dn]' '[ca]' default_ca=c '[c]' database=index.txt "
	"serial=serial "
	"new_certs_dir=. default_md=sha256 policy=any unique_subject=no '[any]' commonName=supplied "
	"'[root]' basicConstraints=critical,CA:true '[good]' subjectAltName=DNS:localhost,IP:127.0.0.1 "
	"'[wrong]' subjectAltName=DNS:elsewhere.example >ca.cnf\n"
	": >index.txt; echo 01 >serial\n"
	"key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; }\n"
	"key ca; openssl req -new -x509 -key ca.key -subj /CN=test-ca -days 30 -extensions root -out ca.pem\n"
	"key other; openssl req -new -x509 -key other.key -subj /CN=other-ca -days 30 -extensions root -out "
	"other.pem\n"
	"leaf() { key $1; openssl req -new -key $1.key -subj /CN=$1 -out $1.csr; openssl ca -batch -notext "
	"-cert ca.pem "
	"-keyfile ca.key -in $1.csr -out $1.pem -extensions $2 -startdate $3 -enddate $4; }\n"
	"leaf good good 20200101000000Z 20491231000000Z\n"
	"leaf wrong wrong 20200101000000Z 20491231000000Z\n"
	"leaf expired good 20200101000000Z 20200102000000Z\n"
	"leaf early good 20490101000000Z 20491231000000Z\n"
	"mkdir hashed; cp ca.pem hashed/; openssl rehash hashed\n"
	"echo garbage >garbage.pem\n";

static int run_in_dir(const char *script)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		if (chdir(dir))
			_exit(126);
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return status;
}

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	if (run_in_dir(make_certificates)) {
		run_in_dir("cat make.log >&2");
		return -1;
	}
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	return run_in_dir("rm -rf \"$PWD\"");
}

static int free_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) || getsockname(fd, (struct sockaddr *)&at, &len))
		abort();
	close(fd);
	return ntohs(at.sin_port);
}

static bool answers(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool ok;

	at.sin_port = htons((uint16_t)port);
	ok = !connect(fd, (struct sockaddr *)&at, sizeof at);
	close(fd);
	return ok;
}

/* option: one more of s_server's, or NULL */
static pid_t serve(const char *cert, const char *option, int port)
{
	char cert_file[64], key_file[64], at[32];
	pid_t pid;

	snprintf(cert_file, sizeof cert_file, "%s.pem", cert);
	snprintf(key_file, sizeof key_file, "%s.key", cert);
	snprintf(at, sizeof at, "127.0.0.1:%d", port);
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);
		if (chdir(dir))
			_exit(126);
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execlp("openssl", "openssl", "s_server", "-www", "-accept", at, "-cert", cert_file, "-key",
			key_file, option, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 500 && !answers(port); i++)
		poll(NULL, 0, 10);
	return pid;
}

static int get(const char *scheme, const char *host, int port, const char *ca, struct err *e, int *status)
{
	struct http_client *c;
	struct http_req req;
	struct http_resp resp;
	char url[256], path[128];
	int rc;

	snprintf(path, sizeof path, "%s/%s", dir, ca ? ca : "");
	snprintf(url, sizeof url, "%s://%s:%d/", scheme, host, port);
	c = http_client_new(&(struct http_conf){
		.ca_bundle = ca ? path : NULL, .no_proxy = true, .timeouts = { .total = 20000 } });
	http_req_init(&req, "GET", url);
	rc = http_do(c, &req, NULL, false, NULL, NULL, &resp, e);
	*status = resp.status;
	http_resp_release(&resp);
	http_req_release(&req);
	http_client_free(c);
	return rc;
}

static void test_trust(void **state)
{
	static const struct {
		const char *name, *cert, *host, *ca, *option, *want; /* want NULL: an answer */
	} rows[] = {
		{ "good, CA in a file", "good", "127.0.0.1", "ca.pem", NULL, NULL },
		{ "good, by name", "good", "localhost", "ca.pem", NULL, NULL },
		{ "good, CA in a directory", "good", "127.0.0.1", "hashed", NULL, NULL },
		{ "TLS 1.2", "good", "127.0.0.1", "ca.pem", "-tls1_2", NULL },
		{ "TLS 1.1", "good", "127.0.0.1", "ca.pem", "-tls1_1", "tls" },
		{ "not for this name", "wrong", "127.0.0.1", "ca.pem", NULL, "tls-verify" },
		{ "expired", "expired", "127.0.0.1", "ca.pem", NULL, "tls-verify" },
		{ "not yet valid", "early", "127.0.0.1", "ca.pem", NULL, "tls-verify" },
		{ "another CA", "good", "127.0.0.1", "other.pem", NULL, "tls-verify" },
		{ "CA unknown to the system", "good", "127.0.0.1", NULL, NULL, "tls-verify" },
		{ "signed by itself", "other", "127.0.0.1", "ca.pem", NULL, "tls-verify" },
		{ "CA file missing", "good", "127.0.0.1", "nothing.pem", NULL, "tls-verify" },
		{ "CA file garbage", "good", "127.0.0.1", "garbage.pem", NULL, "tls-verify" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int port = free_port(), status = 0, rc;
		pid_t pid = serve(rows[i].cert, rows[i].option, port);
		struct err e = { 0 };
		rc = get("https", rows[i].host, port, rows[i].ca, &e, &status);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		if (rc != (rows[i].want ? -1 : 0) || (rows[i].want && strcmp(e.code, rows[i].want) != 0))
			fail_msg("%s: %d %s: %s", rows[i].name, rc, e.code, e.msg);
		if (!rows[i].want && status != 200)
			fail_msg("%s: status %d", rows[i].name, status);
		if (rows[i].want && e.cls != (strcmp(rows[i].want, "tls") ? ERR_FAILED : ERR_UNAVAILABLE))
			fail_msg("%s: class %s", rows[i].name, err_class_name(e.cls));
	}
}

/* A listener that takes connections in its backlog and says nothing: the handshake never ends. */
static void test_handshake_timeout(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct http_client *c = http_client_new(
		&(struct http_conf){ .timeouts = { .connect = 200, .total = 20000 }, .no_proxy = true });
	struct http_req req;
	struct http_resp resp;
	struct err e = { 0 };
	char url[64];

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len) | listen(fd, 5), 0);
	getsockname(fd, (struct sockaddr *)&at, &len);
	snprintf(url, sizeof url, "https://127.0.0.1:%d/", ntohs(at.sin_port));
	http_req_init(&req, "GET", url);
	assert_int_equal(http_do(c, &req, NULL, false, NULL, NULL, &resp, &e), -1);
	assert_string_equal(e.code, "timeout-connect");
	close(fd);
	http_resp_release(&resp);
	http_req_release(&req);
	http_client_free(c);
}

static void test_plain_port(void **state)
{
	int port = free_port(), status = 0;
	pid_t pid = serve("good", NULL, port);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(get("http", "127.0.0.1", port, "ca.pem", &e, &status), -1);
	assert_int_equal(e.cls, ERR_UNAVAILABLE);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trust),
		cmocka_unit_test(test_handshake_timeout),
		cmocka_unit_test(test_plain_port),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("http_tls", tests, make_dir, remove_dir);
}
