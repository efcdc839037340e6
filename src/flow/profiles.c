/* profiles.c - profiles between the table and the domain. */
#include "flow/profiles.h"
#include "base/clock.h"
#include "rec/profile.h"

static int render(
	const struct profiles *ps, const struct profile *p, const char *key, struct buf *out, struct err *e)
{
	struct template_input in = { .key = key,
		.preferences = profile_preferences(p),
		.history = p->history,
		.recent = ps->recent,
		.count = ps->count,
		.now_us = clock_now_us() };
	return template_render(ps->template, &in, out, e);
}

static int store(const struct profiles *ps, const struct profile *p, const char *key, struct err *e)
{
	struct changes ch = { 0 };
	struct cond cond = { 0 };
	cJSON *attrs = profile_changes(p, clock_now_us());
	for (const cJSON *a = attrs->child; a; a = a->next)
		change_set(&ch, a->string, cJSON_Duplicate(a, true)); /* borrows the name */
	if (p->had_version)
		cond_test(&cond, "version", COND_EQ, av_n(p->version - 1));
	else
		cond_test(&cond, "version", COND_MISSING, NULL);
	int rc = table_update(ps->table, key, &ch, &cond, e);
	changes_release(&ch);
	cond_release(&cond);
	cJSON_Delete(attrs);
	return rc;
}

static int apply(
	const struct profiles *ps, struct profile *p, const struct event *ev, const char *line, struct err *e)
{
	const struct profile_limits lim = { .history = ps->history };
	switch (profile_apply(p, ev, line, &lim, clock_now_us(), e)) {
	case PROFILE_APPLIED: return store(ps, p, ev->key_text, e);
	case PROFILE_KNOWN: return 0;
	default: return -1;
	}
}

int profiles_apply(const struct profiles *ps, const struct event *ev, const char *line, struct applied *out,
	struct err *e)
{
	struct profile p = { 0 };
	cJSON *item = NULL;
	buf_reset(&out->prompt);
	if (table_get(ps->table, ev->key_text, true, &item, e))
		return -1;
	int rc = profile_load(&p, item, e);
	if (rc == 0)
		rc = apply(ps, &p, ev, line, e);
	out->version = p.version;
	out->cold = p.applied < ps->min_events;
	if (rc == 0 && !out->cold)
		rc = render(ps, &p, ev->key_text, &out->prompt, e);
	profile_release(&p);
	return rc;
}

int profiles_prompt(const struct profiles *ps, const char *key, struct buf *out, struct err *e)
{
	struct profile p = { 0 };
	cJSON *item = NULL;
	char shown[200];
	int rc = table_get(ps->table, key, true, &item, e);
	if (rc == 0 && !item)
		rc = err_set(e, ERR_FAILED, "no-profile", "no profile of %s", key_for_message(key, shown));
	if (rc == 0)
		rc = profile_load(&p, item, e);
	if (rc == 0)
		rc = render(ps, &p, key, out, e);
	profile_release(&p);
	return rc;
}
