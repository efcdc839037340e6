/* trouble.c - what every command does with a line in trouble, by its class. */
#include "base/digest.h"
#include "base/stop.h"
#include "cmd/cmd.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

void ledger_count(struct ctx *c, enum count what)
{
	struct ledger *l = &c->ledger;
	_Atomic uint64_t *const counters[] = { &l->in, &l->out, &l->refused, &l->failed, &l->marks,
		&l->spooled };
	atomic_fetch_add_explicit(counters[what], 1, memory_order_relaxed);
}

enum exit_code fail(const struct err *e)
{
	log_error(e);
	return err_exit(e);
}

bool error_json(struct buf *out, const struct err *e)
{
	buf_str(out, "{\"code\":");
	json_quote_str(out, e->code);
	buf_str(out, ",\"message\":");
	json_quote_str(out, e->msg);
	if (e->request_id[0]) {
		buf_str(out, ",\"request_id\":");
		json_quote_str(out, e->request_id);
	}
	buf_str(out, ",\"class\":");
	json_quote_str(out, err_class_name(e->cls));
	return buf_char(out, '}');
}

bool mark_line(struct buf *out, const char *source, size_t n, const char *mark)
{
	if (!source || n < 2)
		return buf_printf(out, "{\"_source\":{\"mark\":\"%s\"}}", mark);
	size_t end = n - 1; /* the '}' */
	size_t last = end;
	while (last > 0 && strchr(" \t\r\n", source[last - 1]))
		last--;
	buf_str(out, "{\"_source\":");
	buf_add(out, source, last);
	return buf_printf(out, "%s\"mark\":\"%s\"}}", source[last - 1] == '{' ? "" : ",", mark);
}

int dead_letter(struct ctx *c, const struct origin *o, const struct err *why, struct err *e)
{
	struct buf b = BUF_INIT(2 * BUF_MAX_LINE);
	if (!c->dead)
		return 0;
	buf_printf(
		&b, "{\"command\":\"%s\",\"line\":%llu,\"reason\":", c->cmd->name, (unsigned long long)o->no);
	json_quote_str(&b, why->msg);
	buf_str(&b, ",\"code\":");
	json_quote_str(&b, why->code);
	buf_printf(&b, ",\"class\":\"%s\",", err_class_name(why->cls));
	if (utf8_valid(o->line, o->len) && !memchr(o->line, '\0', o->len)) {
		buf_str(&b, "\"data\":");
		json_quote(&b, o->line, o->len);
	} else {
		buf_str(&b, "\"data_b64\":\"");
		b64_encode(&b, o->line, o->len);
		buf_char(&b, '"');
	}
	if (o->cut)
		buf_str(&b, ",\"truncated\":true");
	/* It may have been stored although no answer came: what is fed back must be the same event. */
	if (o->event_id) {
		buf_str(&b, ",\"event_id\":");
		json_quote_str(&b, o->event_id);
	}
	if (o->source) {
		buf_str(&b, ",\"_source\":");
		buf_add(&b, o->source, o->source_len);
	}
	buf_char(&b, '}');
	int rc = b.over ? err_set(e, ERR_INTERNAL, "", "dead letter too long")
			: out_line(c->dead, b.p, b.len, e);
	if (rc == 0)
		rc = out_sync(c->dead, e); /* it counts as dealt with only when it is on disk */
	buf_release(&b);
	return rc ? err_prefix(e, "--dead-letter: ") : 0;
}

int trouble(struct ctx *c, const struct origin *o, const struct err *why, struct err *e)
{
	log_line_error(o->no, why);
	if (dead_letter(c, o, why, e))
		return -1;
	ledger_count(c, why->cls == ERR_REFUSED ? COUNT_REFUSED : COUNT_FAILED);
	return 0;
}

int trouble_record(
	struct ctx *c, const char *shard_id, const struct record *r, const struct buf *source, struct err *e)
{
	const struct origin bad = {
		.line = r->data, .len = r->len, .source = source->p, .source_len = source->len
	};
	struct err why;
	err_set(&why, ERR_REFUSED, "bad-record", "%s: record %s can't be used: %s", shard_id,
		r->sequence_number, r->unusable);
	ledger_count(c, COUNT_IN);
	return trouble(c, &bad, &why, e);
}

/* A pipe that nobody writes to is waited for, until a signal. */
static int wait_readable(int fd, struct err *e)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = stop_fd(), .events = POLLIN } };
	while (poll(p, 2, -1) < 0 && errno == EINTR)
		;
	return p[0].revents ? 0 : err_set(e, ERR_STOPPED, "", "stopped");
}

int read_file(const char *path, struct buf *out, struct err *e)
{
	/* Without O_NONBLOCK the open itself waits for a writer, deaf to the first signal. */
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO
					: open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return err_errno(e, ERR_USAGE, errno, "%s: cannot open", path);
	int rc = 0;
	for (;;) {
		if (!buf_reserve(out, 65536)) {
			rc = err_set(e, ERR_USAGE, "", "%s: larger than %zu bytes", path, out->max);
			break;
		}
		if ((rc = wait_readable(fd, e)))
			break;
		ssize_t n = read(fd, out->p + out->len, 65536);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			rc = err_errno(e, ERR_USAGE, errno, "%s: cannot read", path);
		if (n <= 0)
			break;
		out->len += (size_t)n;
		out->p[out->len] = '\0';
	}
	if (fd != STDIN_FILENO)
		close(fd);
	return rc;
}
