/* books_close.c - closing the account: how far each event came, and whether the ledgers agree with the lines. */
#include "base/json.h"
#include "flow/books_int.h"
#include "port/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- ledgers ---- */

/* Absent is 0 unless it is needed. */
static uint64_t number(const cJSON *obj, const char *name, bool needed, bool *ok)
{
	int64_t v = 0;
	bool there = cJSON_GetObjectItemCaseSensitive(obj, name) != NULL;
	*ok = *ok && (there ? json_int(obj, name, &v) && v >= 0 : !needed);
	return *ok ? (uint64_t)v : 0;
}

/* The stage whose lines a command writes; BOOKS_STAGES: none that can be given. */
static int stage_of(const char *command)
{
	int k = 0;
	if (!strcmp(command, "replay"))
		return BOOKS_CONSUME;
	while (k < BOOKS_STAGES && strcmp(command, books_kinds[k]) != 0)
		k++;
	return k;
}

int ledger_enter(struct books *b, const char *line, size_t n, struct err *e)
{
	bool ok = true;
	cJSON *obj = json_tree(line, n, e);
	if (!obj)
		return -1;
	uint64_t in = number(obj, "in", true, &ok), out = number(obj, "out", true, &ok),
		 spooled = number(obj, "spooled", false, &ok), refused = number(obj, "refused", true, &ok),
		 failed = number(obj, "failed", true, &ok);
	const char *command = json_str(obj, "command");
	if (!ok || !command) {
		cJSON_Delete(obj);
		return err_set(e, ERR_REFUSED, "bad-ledger",
			"no ledger: command, in, out, refused and failed are wanted");
	}
	b->all_ledgers++;
	if (in != out + spooled + refused + failed && !b->unbalanced++)
		snprintf(b->first_unbalanced, sizeof b->first_unbalanced,
			"a ledger of %.20s: %llu in are not %llu out + %llu spooled + %llu refused + %llu "
			"failed",
			command, (unsigned long long)in, (unsigned long long)out, (unsigned long long)spooled,
			(unsigned long long)refused, (unsigned long long)failed);
	int k = stage_of(command);
	if (k < BOOKS_STAGES) {
		b->ledgers[k].n++;
		b->ledgers[k].out += out + spooled; /* each has a receipt */
	}
	cJSON_Delete(obj);
	return 0;
}

/* Lines that a stage says it wrote, and that are in no file: lost behind it. More lines than that are no sign of anything, since
 * a process that is killed leaves no ledger. */
static int ledgers_close(struct books *b, int (*on_ledger)(const char *why, void *arg, struct err *e),
	void *arg, struct err *e)
{
	char why[200];
	if (b->unbalanced && on_ledger(b->first_unbalanced, arg, e))
		return -1;
	for (int k = 0; k < BOOKS_STAGES; k++) {
		uint64_t lines = b->lines[k] + b->marks[k];
		if (!b->given[k] || b->ledgers[k].out <= lines)
			continue;
		snprintf(why, sizeof why, "%s says that it wrote %llu lines, and there are %llu",
			books_kinds[k], (unsigned long long)b->ledgers[k].out, (unsigned long long)lines);
		b->unbalanced++;
		if (on_ledger(why, arg, e))
			return -1;
	}
	return 0;
}

/* ---- events ---- */

static int last_seen(const struct entry *en)
{
	for (int k = BOOKS_STAGES - 1; k >= 0; k--)
		if (en->seen[k])
			return k;
	return -1;
}

static int next_given(const struct books *b, int stage)
{
	for (int k = stage + 1; k < BOOKS_STAGES; k++)
		if (b->given[k])
			return k;
	return BOOKS_STAGES;
}

/* A mark of its very place, more of them than the stage in front has: consume marks places, too, when it is idle. */
static bool swallowed(const struct books *b, const struct entry *en, int at)
{
	for (const struct place *p = en->places; p; p = p->next)
		for (int k = at; k < BOOKS_STAGES; k++)
			if (b->given[k] && p->marks[k] > (at > BOOKS_CONSUME ? p->marks[BOOKS_CONSUME] : 0))
				return true;
	return false;
}

/* Have later lines of its shard come through the stage? */
static bool passed(const struct entry *en, int at)
{
	for (const struct place *p = en->places; p; p = p->next) {
		const struct reach *r = &p->shard->reach[at];
		int c = r->seq ? sequence_compare(r->seq, p->seq) : -1;
		if (c > 0 || (c == 0 && r->sub >= p->sub))
			return true;
	}
	return false;
}

static enum books_state state_of(const struct books *b, const struct entry *en, int last, int at)
{
	if (last >= 0 && at == BOOKS_STAGES && !(en->failed >> last & 1))
		return last == BOOKS_PUBLISH && !en->stored ? BOOKS_UNDER_WAY : BOOKS_DONE;
	if (en->dead)
		return BOOKS_DEAD_LETTER;
	if (en->failed >> (last < 0 ? 0 : last))
		return BOOKS_FAILED;
	if (last == BOOKS_PUBLISH && !en->stored)
		return BOOKS_UNDER_WAY; /* in the spool */
	if (swallowed(b, en, at))
		return BOOKS_SWALLOWED;
	/* What publish has put may be behind the end that consume saw; what consume gave out is in front of it. */
	return passed(en, at) || (b->ended[at] && last >= BOOKS_CONSUME) ? BOOKS_MISSING : BOOKS_UNDER_WAY;
}

static void describe(const struct books *b, const struct entry *en, struct books_event *v)
{
	int last = last_seen(en), at = next_given(b, last);
	*v = (struct books_event){ .event_id = en->id, .redelivered = en->redelivered };
	memcpy(v->seen, en->seen, sizeof v->seen);
	v->state = state_of(b, en, last, at);
	v->at = (enum books_kind)(at < BOOKS_STAGES ? at : last < 0 ? 0 : last);
	for (const struct place *p = en->places; p; p = p->next) {
		v->copies++;
		v->shard_id = p->shard->id; /* the list ends with the first */
		v->sequence_number = p->seq;
		v->subsequence = p->sub;
	}
}

int books_close(struct books *b, struct books_sum *sum,
	int (*on_event)(const struct books_event *v, void *arg, struct err *e),
	int (*on_ledger)(const char *why, void *arg, struct err *e), void *arg, struct err *e)
{
	*sum = (struct books_sum){ .events = b->n, .unidentified = b->unidentified };
	for (uint64_t i = 0; i < b->n; i++) {
		struct books_event v;
		describe(b, b->events[i], &v);
		sum->states[v.state]++;
		sum->doubled += v.copies > 1;
		sum->redelivered += v.redelivered;
		if (on_event(&v, arg, e))
			return -1;
	}
	if (ledgers_close(b, on_ledger, arg, e))
		return -1;
	sum->ledgers = b->all_ledgers;
	sum->unbalanced = b->unbalanced;
	return 0;
}
