/* template_fuzz.c - libFuzzer target: any template, and any event through profile and built-in
 * template.
 *
 * The bytes up to the first NUL are a template; what follows is an event line. Checked: no bad
 * access, no leak, every prompt is UTF-8, every value is one short line without a character that
 * could end it, an event takes one line of the prompt. */
#include "base/mem.h"
#include "rec/template.h"
#include "rec/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_value(const char *s, size_t n)
{
	struct buf out = BUF_INIT(BUF_MAX_SMALL);
	uint32_t cp;

	must(template_value(&out, s, n));
	must(text_chars(out.p, out.len) <= TEMPLATE_VALUE_CHARS);
	for (size_t i = 0; i < out.len;) {
		i += text_next(out.p + i, out.len - i, &cp);
		must(!text_is_hostile(cp) && cp != '<' && cp != '>' && cp != '`');
	}
	buf_release(&out);
}

static void render(const char *text, size_t n, const struct profile *p, struct buf *out)
{
	struct template_input in = { .key = "u </x>", .history = p->history, .recent = 10, .count = 5 };
	struct template *t;
	struct err e = { 0 };

	in.preferences = profile_preferences(p);
	if (template_parse(&t, text, n, "fuzz", &e)) {
		must(e.cls == ERR_USAGE && e.msg[0]);
		return;
	}
	if (!template_render(t, &in, out, &e))
		must(utf8_valid(out->p ? out->p : "", out->len));
	template_free(t);
}

static void one_event(struct profile *p, const char *line, size_t n)
{
	const struct profile_limits lim = { .history = 20 };
	struct event ev;
	struct err e = { 0 };

	if (!event_parse(&ev, line, n, "user_id", EVENT_STORED, &e) && !ev.is_mark && !ev.is_data) {
		enum profile_result r = profile_apply(p, &ev, line, &lim, 0, &e);

		must(r != PROFILE_KNOWN && (r == PROFILE_APPLIED || e.cls == ERR_REFUSED));
	} else {
		must(e.cls == ERR_REFUSED || !e.msg[0]);
	}
	event_release(&ev);
}

/* The lines between the marks of the built-in template. */
static void check_builtin(const struct profile *p)
{
	static const char open[] = "\n<interactions>\n", close[] = "\n</interactions>\n";
	struct buf out = BUF_INIT(BUF_MAX_PROMPT);
	char *block, *end;
	int lines = 0;

	render(NULL, 0, p, &out);
	block = strstr(out.p, open);
	must(block != NULL);
	end = strstr(block, close);
	must(end && !strstr(end + 1, close));
	for (char *c = block + sizeof(open) - 2; c < end; c++)
		lines += *c == '\n';
	must(lines == cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(p->history, "L")));
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = mem_dup(data, n);
	size_t split = strnlen(text, n);
	struct buf out = BUF_INIT((size_t)1 << 20);
	struct profile p;
	struct err e = { 0 };

	check_value(text, n);
	must(!profile_load(&p, NULL, &e));
	if (split < n)
		one_event(&p, text + split + 1, n - split - 1);
	check_builtin(&p);
	render(text, split, &p, &out);
	buf_release(&out);
	profile_release(&p);
	free(text);
	return 0;
}
