/* net_server.h - for the tests of http.h: a thread that plays steps on raw sockets, and a client. */
#ifndef RECAGENT_TESTS_NET_SERVER_H
#define RECAGENT_TESTS_NET_SERVER_H

#include "base/buf.h"
#include "base/mem.h"
#include "net/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum act { A_END, A_ACCEPT, A_READ, A_READ_SOME, A_SEND, A_FLOOD, A_DRIP, A_PAUSE, A_CLOSE, A_RESET };

struct step {
	enum act act;
	const char *text;
	int n;
};

/* clang-format off */
#define END             { A_END, NULL, 0 }
#define ACCEPT          { A_ACCEPT, NULL, 0 }    /* the next connection */
#define READ            { A_READ, NULL, 0 }      /* one whole request */
#define READ_SOME(n)    { A_READ_SOME, NULL, n } /* n bytes */
#define SEND(text)      { A_SEND, text, 0 }
#define FLOOD(text, n)  { A_FLOOD, text, n }     /* n times text */
#define DRIP(text, ms)  { A_DRIP, text, ms }     /* ms between its bytes */
#define PAUSE(ms)       { A_PAUSE, NULL, ms }    /* or until the test is over */
#define CLOSE           { A_CLOSE, NULL, 0 }
#define RESET           { A_RESET, NULL, 0 }
/* clang-format on */

#define MAX_ECHO 64

struct server {
	int listener, port, over[2]; /* over: a pipe that is closed when the test ends */
	pthread_t thread, echo[MAX_ECHO];
	int echo_fd[MAX_ECHO];
	const struct step *steps; /* NULL: answer every request with its header X-Id, for ever */
	atomic_int connections, requests;
	struct buf request; /* the last one read; look at it when the server has stopped */
};

static bool server_pause(const struct server *s, int ms)
{
	struct pollfd p = { .fd = s->over[0], .events = POLLIN };

	return poll(&p, 1, ms) == 0;
}

static bool server_write(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);
		if (w <= 0)
			return false;
		p += w;
		n -= (size_t)w;
	}
	return true;
}

static size_t request_length(const struct buf *b)
{
	const char *end = b->p ? strstr(b->p, "\r\n\r\n") : NULL;
	const char *cl = end ? strcasestr(b->p, "\r\nContent-Length:") : NULL;

	if (!end)
		return SIZE_MAX;
	return (size_t)(end - b->p) + 4 + (cl && cl < end ? strtoul(cl + 17, NULL, 10) : 0);
}

static bool server_read(int fd, struct buf *b)
{
	char chunk[65536];

	buf_reset(b);
	while (request_length(b) > b->len) {
		ssize_t n = recv(fd, chunk, sizeof chunk, 0);
		if (n <= 0)
			return false;
		buf_add(b, chunk, (size_t)n);
	}
	return true;
}

static void server_reset(int *fd)
{
	struct linger hard = { .l_onoff = 1 };

	if (*fd < 0)
		return;
	setsockopt(*fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	close(*fd);
	*fd = -1;
}

static void server_read_some(int fd, int n)
{
	char c[1024];

	while (n > 0) {
		ssize_t got = recv(fd, c, (size_t)n < sizeof c ? (size_t)n : sizeof c, 0);
		if (got <= 0)
			return;
		n -= (int)got;
	}
}

static void server_step(struct server *s, const struct step *st, int *fd)
{
	switch (st->act) {
	case A_ACCEPT:
		*fd = accept(s->listener, NULL, NULL);
		s->connections++;
		break;
	case A_READ: s->requests += server_read(*fd, &s->request); break;
	case A_READ_SOME: server_read_some(*fd, st->n); break;
	case A_SEND: server_write(*fd, st->text, strlen(st->text)); break;
	case A_FLOOD:
		for (int i = 0; i < st->n && server_write(*fd, st->text, strlen(st->text)); i++)
			;
		break;
	case A_DRIP:
		for (const char *p = st->text; *p && server_pause(s, st->n); p++)
			if (!server_write(*fd, p, 1))
				break;
		break;
	case A_PAUSE: server_pause(s, st->n); break;
	case A_CLOSE:
		close(*fd);
		*fd = -1;
		break;
	case A_RESET: server_reset(fd); break;
	case A_END: break;
	}
}

static void *server_play(void *arg)
{
	struct server *s = arg;
	int fd = -1;

	for (const struct step *st = s->steps; st->act != A_END; st++)
		server_step(s, st, &fd);
	/* The script's end leaves the connection open until the test is over. */
	server_pause(s, -1);
	if (fd >= 0)
		close(fd);
	return NULL;
}

struct echo_arg {
	struct server *s;
	int fd;
};

static void *server_echo(void *arg)
{
	struct echo_arg a = *(struct echo_arg *)arg;
	struct buf b = BUF_INIT(BUF_MAX_HTTP), answer = BUF_INIT(BUF_MAX_SMALL);

	free(arg);
	while (server_read(a.fd, &b)) {
		const char *id = strcasestr(b.p, "\r\nX-Id: ");
		int len = id ? (int)strcspn(id + 8, "\r") : 0;
		buf_reset(&answer);
		buf_printf(&answer, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%.*s", len, len,
			id ? id + 8 : "");
		a.s->requests++;
		server_write(a.fd, answer.p, answer.len);
	}
	buf_release(&b);
	buf_release(&answer);
	return NULL;
}

static void *server_echo_all(void *arg)
{
	struct server *s = arg;
	int n = 0, fd;

	while (n < MAX_ECHO && (fd = accept(s->listener, NULL, NULL)) >= 0) {
		struct echo_arg *a = mem_alloc(sizeof *a);
		*a = (struct echo_arg){ s, fd };
		s->echo_fd[n] = fd;
		pthread_create(&s->echo[n++], NULL, server_echo, a);
		s->connections = n;
	}
	return NULL;
}

static void server_start(struct server *s, const struct step *steps)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;

	memset(s, 0, sizeof *s);
	s->steps = steps;
	buf_init(&s->request, BUF_MAX_HTTP);
	s->listener = socket(AF_INET, SOCK_STREAM, 0);
	if (s->listener < 0 || pipe(s->over) || bind(s->listener, (struct sockaddr *)&at, len) ||
		listen(s->listener, 64) || getsockname(s->listener, (struct sockaddr *)&at, &len))
		abort();
	s->port = ntohs(at.sin_port);
	pthread_create(&s->thread, NULL, steps ? server_play : server_echo_all, s);
}

static void server_stop(struct server *s)
{
	close(s->over[1]);
	shutdown(s->listener, SHUT_RDWR); /* wakes accept */
	pthread_join(s->thread, NULL);
	for (int i = 0; !s->steps && i < s->connections; i++) {
		shutdown(s->echo_fd[i], SHUT_RDWR);
		pthread_join(s->echo[i], NULL);
		close(s->echo_fd[i]);
	}
	close(s->over[0]);
	close(s->listener);
}

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
#define OK OK_HEAD "ok"
#define SLACK_MS 1000 /* on a loaded machine; the lower bounds are exact */

static struct http_client *client_with(struct http_timeouts t)
{
	return http_client_new(
		&(struct http_conf){ .timeouts = t, .user_agent = "recagent-test/1", .no_proxy = true });
}

static void request_to(struct http_req *req, const char *method, int port, const char *target)
{
	char url[256];

	snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, target);
	http_req_init(req, method, url);
}

static int get(struct http_client *c, int port, struct http_resp *resp, struct err *e)
{
	struct http_req req;
	int rc;

	request_to(&req, "GET", port, "/");
	rc = http_do(c, &req, NULL, false, NULL, NULL, resp, e);
	http_req_release(&req);
	return rc;
}

#endif
