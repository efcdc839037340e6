/* cred_process.c - credentials from a program: split like a shell, run without one. */
#include "aws/cred_internal.h"
#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_WORDS 64
#define MAX_STDERR ((size_t)16 << 10)
#define SHOWN_STDERR 160
#define LOOK_UP_MS 20 /* how late it is seen that the call was called off */

extern char **environ;

struct words {
	char *v[MAX_WORDS + 1];
	size_t n;
};

static void words_release(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->v[i]);
	w->n = 0;
}

/* One word with its quotes taken off: '...' as it stands, "..." and outside with backslashes. */
static const char *one_word(const char *s, struct buf *out)
{
	char quote = 0;
	for (; *s; s++) {
		if (!quote && strchr(" \t\r\n", *s))
			return s;
		if (quote && *s == quote)
			quote = 0;
		else if (!quote && (*s == '\'' || *s == '"'))
			quote = *s;
		else if (*s == '\\' && quote != '\'' && s[1] && (!quote || strchr("\"\\$`", s[1])))
			buf_char(out, *++s);
		else
			buf_char(out, *s);
	}
	return quote ? NULL : s;
}

static int split(const char *s, struct words *w, struct err *e)
{
	for (;;) {
		struct buf word = BUF_INIT(BUF_MAX_SMALL);
		s += strspn(s, " \t\r\n");
		if (!*s)
			break;
		s = one_word(s, &word);
		if (!s || w->n == MAX_WORDS) {
			buf_release(&word);
			return err_set(e, ERR_USAGE, "bad-profile", "%s",
				s ? "too many words" : "a quote is not closed");
		}
		w->v[w->n++] = word.p ? buf_take(&word) : mem_strdup("");
	}
	w->v[w->n] = NULL;
	return w->n > 0 ? 0 : err_set(e, ERR_USAGE, "bad-profile", "it is empty");
}

struct child {
	pid_t pid;
	int out, err; /* our ends; -1 when at their end */
};

static bool make_pipe(int fds[2])
{
	if (pipe(fds) != 0)
		return false;
	fcntl(fds[0], F_SETFD, FD_CLOEXEC);
	fcntl(fds[1], F_SETFD, FD_CLOEXEC);
	return true;
}

/* Ignored signals stay ignored in a child: give it back the SIGPIPE that we ignore. */
static int spawn(char *const argv[], int out, int err, pid_t *pid)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t set;
	if (posix_spawn_file_actions_init(&fa) != 0)
		return ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		posix_spawn_file_actions_destroy(&fa);
		return ENOMEM;
	}
	posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&fa, err, STDERR_FILENO);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(&attr, &set);
	sigaddset(&set, SIGPIPE);
	posix_spawnattr_setsigdefault(&attr, &set);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	int rc = posix_spawnp(pid, argv[0], &fa, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&fa);
	return rc;
}

static int start(char *const argv[], struct child *ch, struct err *e)
{
	int out[2], err[2], rc = 0;
	if (!make_pipe(out))
		return err_errno(e, ERR_UNAVAILABLE, errno, "pipe");
	if (!make_pipe(err)) {
		rc = errno;
		close(out[0]);
		close(out[1]);
		return err_errno(e, ERR_UNAVAILABLE, rc, "pipe");
	}
	rc = spawn(argv, out[1], err[1], &ch->pid);
	close(out[1]);
	close(err[1]);
	ch->out = out[0];
	ch->err = err[0];
	if (rc == 0)
		return 0;
	close(out[0]);
	close(err[0]);
	return err_errno(e, ERR_USAGE, rc, "cannot run `%s`", argv[0]);
}

/* Take what is there. What passes the ceiling is dropped: the answer is then no JSON. */
static void drain(int *fd, struct buf *to)
{
	char chunk[4096];
	ssize_t n = read(*fd, chunk, sizeof chunk);
	if (n < 0 && errno == EINTR)
		return;
	if (n > 0) {
		buf_add(to, chunk, (size_t)n);
		mem_wipe(chunk, sizeof chunk);
		return;
	}
	close(*fd);
	*fd = -1;
}

struct limit {
	int64_t deadline; /* monotonic */
	const atomic_uint *cancels;
	unsigned seen;
};

static bool called_off(const struct limit *l)
{
	return l->cancels && atomic_load(l->cancels) != l->seen;
}

static int64_t time_left(const struct limit *l)
{
	int64_t left = called_off(l) ? 0 : l->deadline - clock_mono_ms();
	return left > 0 ? left : 0;
}

/* false: time is up. */
static bool read_both(struct child *ch, struct buf *out, struct buf *err, const struct limit *limit)
{
	while (ch->out >= 0 || ch->err >= 0) {
		struct pollfd p[2] = { { .fd = ch->out, .events = POLLIN },
			{ .fd = ch->err, .events = POLLIN } };
		int64_t left = time_left(limit);
		if (!left)
			return false;
		int n = poll(p, 2, left < LOOK_UP_MS ? (int)left : LOOK_UP_MS);
		if (n > 0 && p[0].revents)
			drain(&ch->out, out);
		if (n > 0 && p[1].revents)
			drain(&ch->err, err);
	}
	return true;
}

/* The exit status, or -1 when it did not end in time and was killed. */
static int reap(struct child *ch, bool in_time, const struct limit *limit)
{
	int status = 0;
	while (in_time) {
		pid_t pid = waitpid(ch->pid, &status, WNOHANG);
		if (pid == ch->pid)
			return status;
		if (pid < 0 && errno != EINTR)
			return 0;
		in_time = time_left(limit) > 0;
		poll(NULL, 0, 5);
	}
	kill(ch->pid, SIGKILL);
	while (waitpid(ch->pid, &status, 0) < 0 && errno == EINTR)
		;
	return -1;
}

/* The last line that the program wrote to its standard error. */
static const char *last_line(struct buf *err)
{
	while (err->len > 0 && strchr(" \t\r\n", err->p[err->len - 1]))
		err->p[--err->len] = '\0';
	const char *nl = err->len > 0 ? strrchr(err->p, '\n') : NULL;
	return nl ? nl + 1 : err->p ? err->p : "";
}

static int judge(int status, int64_t timeout_ms, struct buf *err, struct err *e)
{
	const char *said = last_line(err), *colon = *said ? ": " : "";
	if (status == -1)
		return err_set(e, ERR_UNAVAILABLE, "process", "no answer within %" PRId64 " ms%s%.*s",
			timeout_ms, colon, SHOWN_STDERR, said);
	if (WIFSIGNALED(status))
		return err_set(e, ERR_UNAVAILABLE, "process", "ended by signal %d%s%.*s", WTERMSIG(status),
			colon, SHOWN_STDERR, said);
	if (WEXITSTATUS(status) != 0)
		return err_set(e, ERR_UNAVAILABLE, "process", "exit status: %d%s%.*s", WEXITSTATUS(status),
			colon, SHOWN_STDERR, said);
	return 0;
}

static int read_answer(
	const struct cred_step *st, const struct buf *out, struct aws_creds *creds, struct err *e)
{
	int64_t version = 0;
	cJSON *tree = json_tree(out->p ? out->p : "", out->len, NULL);
	bool versioned = json_int(tree, "Version", &version);
	bool parsed = tree != NULL;
	cred_wipe_tree(tree);
	if (parsed && (!versioned || version != 1))
		return err_set(e, ERR_UNAVAILABLE, "process", "the answer's Version is not 1");
	int rc = cred_from_json(out, "SessionToken", "process", creds, e);
	if (rc > 0 && !creds->account)
		creds->account = mem_strdup(st->account);
	return rc;
}

int cred_process(const struct cred_step *st, int64_t timeout_ms, const atomic_uint *cancels,
	struct aws_creds *creds, struct err *e)
{
	struct words w = { .n = 0 };
	struct child ch;
	struct buf out = BUF_INIT(BUF_MAX_SMALL), err = BUF_INIT(MAX_STDERR);
	int rc = split(st->command, &w, e);
	if (rc == 0 && (rc = start(w.v, &ch, e)) == 0) {
		const struct limit limit = { clock_mono_ms() + timeout_ms, cancels,
			cancels ? atomic_load(cancels) : 0 };
		bool in_time = read_both(&ch, &out, &err, &limit);
		int status = reap(&ch, in_time, &limit);
		if (ch.out >= 0)
			close(ch.out);
		if (ch.err >= 0)
			close(ch.err);
		rc = judge(status, timeout_ms, &err, e);
		if (rc == 0)
			rc = read_answer(st, &out, creds, e);
	}
	if (rc < 0)
		err_prefix(e, "profile \"%s\": credential_process: ", st->profile);
	cred_wipe_buf(&out);
	cred_wipe_buf(&err);
	words_release(&w);
	return rc;
}
