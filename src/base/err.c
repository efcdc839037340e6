/* err.c - fill, extend and classify the one error value. */
#include "base/err.h"
#include "base/stop.h"
#include <stdio.h>
#include <string.h>

/* How many bytes at p are one printable UTF-8 character; 0 = none. The text ends at a NUL, which is no
 * continuation byte, so nothing behind it is read. */
static size_t printable_len(const unsigned char *p)
{
	unsigned lo = 0x80, hi = 0xbf;
	size_t n;

	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	switch (p[0]) {
	case 0xc2: lo = 0xa0; break; /* C1 controls are C2 80..C2 9F */
	case 0xe0: lo = 0xa0; break;
	case 0xed: hi = 0x9f; break;
	case 0xf0: lo = 0x90; break;
	case 0xf4: hi = 0x8f; break;
	default: break;
	}
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

void text_harmless(char *s)
{
	unsigned char *p = (unsigned char *)s;

	while (*p) {
		size_t n = printable_len(p);

		if (!n)
			*p = '?';
		p += n ? n : 1;
	}
}

int err_vset(struct err *e, enum err_class cls, const char *code, const char *fmt, va_list ap)
{
	if (!e)
		return -1;
	/* The arguments may point into *e itself, so the message is made beside it. */
	char msg[sizeof(e->msg)];
	char name[sizeof(e->code)];

	vsnprintf(msg, sizeof(msg), fmt, ap);
	snprintf(name, sizeof(name), "%s", code ? code : "");
	text_harmless(msg);
	text_harmless(name);
	memset(e, 0, sizeof(*e));
	e->cls = cls;
	memcpy(e->msg, msg, sizeof(msg));
	memcpy(e->code, name, sizeof(name));
	return -1;
}

int err_set(struct err *e, enum err_class cls, const char *code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(e, cls, code, fmt, ap);
	va_end(ap);
	return -1;
}

int err_errno(struct err *e, enum err_class cls, int errnum, const char *fmt, ...)
{
	char why[128] = "";
	char what[sizeof(((struct err *)0)->msg)];
	va_list ap;

	if (!e)
		return -1;
	if (strerror_r(errnum, why, sizeof(why)) != 0 && !why[0])
		snprintf(why, sizeof(why), "error %d", errnum);
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	/* The reason is worth more than the end of a long name. */
	int room = (int)(sizeof(what) - strlen(why) - 3);
	return err_set(e, cls, "", "%.*s: %s", room, what, why);
}

int err_prefix(struct err *e, const char *fmt, ...)
{
	char front[sizeof(((struct err *)0)->msg)];
	char whole[sizeof(front) * 2];
	va_list ap;

	if (!e)
		return -1;
	va_start(ap, fmt);
	vsnprintf(front, sizeof(front), fmt, ap);
	va_end(ap);
	snprintf(whole, sizeof(whole), "%s%s", front, e->msg);
	whole[sizeof(e->msg) - 1] = '\0';
	text_harmless(whole);
	memcpy(e->msg, whole, sizeof(e->msg));
	return -1;
}

void err_clear(struct err *e)
{
	/* Not the whole of it: a call of 500 records has 500 of them. */
	if (!e)
		return;
	e->cls = ERR_NONE;
	e->http = 0;
	e->code[0] = e->request_id[0] = e->msg[0] = '\0';
}

const char *err_class_name(enum err_class cls)
{
	switch (cls) {
	case ERR_NONE: return "none";
	case ERR_REFUSED: return "refused";
	case ERR_UNAVAILABLE: return "unavailable";
	case ERR_FAILED: return "failed";
	case ERR_LOCAL: return "local";
	case ERR_USAGE: return "usage";
	case ERR_LEASE_LOST: return "lease-lost";
	case ERR_PIPE: return "pipe";
	case ERR_STOPPED: return "stopped";
	case ERR_INTERNAL: break;
	}
	return "internal";
}

enum exit_code err_exit(const struct err *e)
{
	switch (e ? e->cls : ERR_NONE) {
	case ERR_NONE: return EXIT_DONE;
	case ERR_REFUSED: return EXIT_SOME;
	case ERR_UNAVAILABLE: return EXIT_AWS_UNREACHABLE;
	case ERR_FAILED: return EXIT_AWS_REFUSED;
	case ERR_LOCAL: return EXIT_LOCAL;
	case ERR_USAGE: return EXIT_USAGE;
	case ERR_LEASE_LOST: return EXIT_LEASE_LOST;
	case ERR_PIPE: return EXIT_READER_GONE;
	case ERR_STOPPED: return stop_signal() ? (enum exit_code)(EXIT_SIGNAL + stop_signal()) : EXIT_DONE;
	case ERR_INTERNAL: break;
	}
	return EXIT_INTERNAL;
}
