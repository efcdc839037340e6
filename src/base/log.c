/* log.c - the one printer of messages. */
#include "base/log.h"
#include "base/clock.h"
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MESSAGE_MAX 2048
#define OUTAGES 32

/* Messages of all threads go to one terminal, so their state is the process's. */
static struct {
	pthread_mutex_t lock;
	const char *command;
	int verbosity;
	bool progress_shown;
	size_t outages;
	struct {
		const char *what;
		int64_t since_ms; /* -1: not on */
	} outage[OUTAGES];
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

void log_init(const char *command, int verbosity)
{
	pthread_mutex_lock(&state.lock);
	state.command = command;
	state.verbosity = verbosity;
	pthread_mutex_unlock(&state.lock);
}

int log_verbosity(void)
{
	pthread_mutex_lock(&state.lock);
	int v = state.verbosity;
	pthread_mutex_unlock(&state.lock);
	return v;
}

/* Messages that cannot be written have nowhere else to go. */
static void write_all(const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(STDERR_FILENO, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return;
		p += w;
		n -= (size_t)w;
	}
}

/* Caller holds the lock. line 0: no number. */
static void print_locked(uint64_t line, const char *text)
{
	static const char clear[] = "\r\033[K";
	char out[sizeof(clear) + MESSAGE_MAX];
	size_t start = 0, n;

	if (state.progress_shown)
		start = (size_t)snprintf(out, sizeof(out), "%s", clear);
	state.progress_shown = false;
	char *p = out + start;
	size_t room = sizeof(out) - start - 1; /* the LF takes the place of the last byte */
	n = (size_t)snprintf(
		p, room, "recagent%s%s: ", state.command ? " " : "", state.command ? state.command : "");
	if (line && n < room)
		n += (size_t)snprintf(p + n, room - n, "line %llu: ", (unsigned long long)line);
	if (n < room)
		snprintf(p + n, room - n, "%s", text);
	text_harmless(p);
	n = strlen(p);
	p[n] = '\n';
	write_all(out, start + n + 1);
}

static void print(uint64_t line, const char *text)
{
	pthread_mutex_lock(&state.lock);
	print_locked(line, text);
	pthread_mutex_unlock(&state.lock);
}

/* The service's name for the trouble, unless the sentence has it, and with -v the request id. Our own
 * names for bad lines and files are for programs: they say nothing new. */
static void error_text(const struct err *e, char *out, size_t size)
{
	bool ours = !e->http && (e->cls == ERR_REFUSED || e->cls == ERR_USAGE || e->cls == ERR_LOCAL);
	bool code = !ours && e->code[0] && !strstr(e->msg, e->code);
	bool id = e->request_id[0] && log_verbosity() > 0;

	snprintf(out, size, "%s%s%s%s%s%s%s", e->msg, code || id ? " (" : "", code ? e->code : "",
		code && id ? ", " : "", id ? "request " : "", id ? e->request_id : "", code || id ? ")" : "");
}

void log_line_error(uint64_t line, const struct err *e)
{
	char text[sizeof(e->msg) + sizeof(e->code) + sizeof(e->request_id) + 32];

	if (!e || e->cls == ERR_PIPE || e->cls == ERR_STOPPED)
		return;
	error_text(e, text, sizeof(text));
	print(line, text);
}

void log_error(const struct err *e)
{
	log_line_error(0, e);
}

__attribute__((format(printf, 2, 0))) static void say_at(int level, const char *fmt, va_list ap)
{
	char text[MESSAGE_MAX];

	if (log_verbosity() < level)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	print(0, text);
}

void log_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_at(0, fmt, ap);
	va_end(ap);
}

void log_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_at(1, fmt, ap);
	va_end(ap);
}

void log_trace(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_at(2, fmt, ap);
	va_end(ap);
}

/* Caller holds the lock. -1: the table is full. */
static int outage_slot(const char *what)
{
	for (size_t i = 0; i < state.outages; i++)
		if (strcmp(state.outage[i].what, what) == 0)
			return (int)i;
	if (state.outages == OUTAGES)
		return -1;
	state.outage[state.outages].what = what;
	state.outage[state.outages].since_ms = -1;
	return (int)state.outages++;
}

void log_outage(const char *what, bool ok, const struct err *e)
{
	char why[1024] = "unavailable", text[MESSAGE_MAX];

	if (e && e->msg[0])
		error_text(e, why, sizeof(why));
	pthread_mutex_lock(&state.lock);
	int i = outage_slot(what);
	if (i >= 0 && ok && state.outage[i].since_ms >= 0) {
		double s = (double)(clock_mono_ms() - state.outage[i].since_ms) / 1000;

		state.outage[i].since_ms = -1;
		snprintf(text, sizeof(text), "%s: available again after %.1f s", what, s);
		print_locked(0, text);
	} else if (i >= 0 && !ok && state.outage[i].since_ms < 0) {
		state.outage[i].since_ms = clock_mono_ms();
		snprintf(text, sizeof(text), "%s: unavailable, holding and trying again: %s", what, why);
		print_locked(0, text);
	}
	pthread_mutex_unlock(&state.lock);
}

/* Cut to the terminal's width, so that the line never wraps and can be replaced. Counts characters. */
static void cut_to_columns(char *s)
{
	struct winsize w;
	size_t columns = 80;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 1)
		columns = w.ws_col;
	for (; *s; s++)
		if (((unsigned char)*s & 0xc0) != 0x80 && --columns == 0) {
			*s = '\0';
			return;
		}
}

void log_progress(const char *fmt, ...)
{
	char text[512] = "", out[sizeof(text) + 16];
	va_list ap;

	if (!isatty(STDERR_FILENO))
		return;
	if (fmt) {
		va_start(ap, fmt);
		vsnprintf(text, sizeof(text), fmt, ap);
		va_end(ap);
	}
	text_harmless(text);
	cut_to_columns(text);
	pthread_mutex_lock(&state.lock);
	if (text[0] || state.progress_shown) {
		int n = snprintf(out, sizeof(out), "\r%s\033[K", text);
		write_all(out, (size_t)n);
	}
	state.progress_shown = text[0] != '\0';
	pthread_mutex_unlock(&state.lock);
}
