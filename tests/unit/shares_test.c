/* shares_test.c - who takes and steals what: the Kinesis Client Library's rules, situation by situation, and whole groups that
 * settle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "flow/shares.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1000000
#define FAILOVER 10000
#define MOST 64

static uint64_t seed;

static double chance(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(seed >> 11) / 9007199254740992.0;
}

static bool is_dead(const char *owner)
{
	return owner[0] == 'x';
}

static bool is_gentle(const char *owner)
{
	return owner[0] >= 'A' && owner[0] <= 'Z';
}

static struct shares_conf conf(void)
{
	return (struct shares_conf){ .me = "m",
		.now_ms = NOW,
		.failover_ms = FAILOVER,
		.max_steal = 1,
		.dead = is_dead,
		.gentle = is_gentle,
		.chance = chance };
}

/* A word a lease: OWNER, `-` for nobody's, then what is special about it: `!` run out, `?` very old (nobody's: never seen
 * before), `.` at its end, `>X` in a handoff from X. */
static void parse(const char *text, struct leases *out)
{
	static struct lease v[MOST];
	char word[64];
	int used;
	*out = (struct leases){ .v = v };
	for (; sscanf(text, "%63s%n", word, &used) == 1; text += used) {
		struct lease *l = &v[out->n];
		assert_true(out->n < MOST);
		*l = (struct lease){ .seen_ms = NOW - 1000, .checkpoint = "5" };
		snprintf(l->shard_id, sizeof l->shard_id, "shardId-%012zu", out->n++);
		size_t n = strcspn(word, "!?.>");
		if (word[0] != '-')
			snprintf(l->owner, sizeof l->owner, "%.*s", (int)n, word);
		if (strchr(word, '!'))
			l->seen_ms = NOW - FAILOVER - 1;
		if (strchr(word, '?'))
			l->seen_ms = l->owner[0] ? NOW - 3 * FAILOVER - 1 : LEASE_NEVER_SEEN;
		if (strchr(word, '.'))
			snprintf(l->checkpoint, sizeof l->checkpoint, CP_SHARD_END);
		if (strchr(word, '>'))
			snprintf(
				l->checkpoint_owner, sizeof l->checkpoint_owner, "%s", strchr(word, '>') + 1);
	}
}

static const struct {
	const char *name, *leases;
	size_t max, max_steal; /* 0: none, 1 */
	size_t take, steal;
	const char *from; /* all of them are of this owner; NULL: nobody's, or run out */
} situations[] = {
	{ "an empty table", "", 0, 0, 0, 0, NULL },
	{ "new leases: all at once", "-? -? -? -?", 0, 0, 4, 0, NULL },
	{ "new leases beside another worker: all of them, shares come later", "a a -? -?", 0, 0, 2, 0, NULL },
	{ "freed leases: up to the share", "a a a - - -", 0, 0, 3, 0, NULL },
	{ "freed leases, two others: a third of all, rounded up", "a a b b - - -", 0, 0, 3, 0, NULL },
	{ "a full share takes no more", "m m a - ", 0, 0, 0, 0, NULL },
	{ "a lease that has run out is free, and its owner does not count", "a! a! a!", 0, 0, 3, 0, NULL },
	{ "one just within the time is not", "a a", 0, 0, 0, 1, "a" },
	{ "an owner that has lost one still counts for the others", "a a! a! a!", 0, 0, 2, 0, NULL },
	{ "a dead process is not waited for", "x x a a", 0, 0, 2, 0, NULL },
	{ "what has run out goes before stealing", "a a a a a!", 0, 0, 1, 0, NULL },
	{ "very old: taken by a full share, too", "m m m a a?", 0, 0, 1, 0, NULL },
	{ "very old: and nothing else in this round", "a a - - -?", 0, 0, 1, 0, NULL },
	{ "very old: up to the limit", "m -? -? -?", 2, 0, 1, 0, NULL },
	{ "very old: not behind the limit", "m m -? -?", 2, 0, 0, 0, NULL },
	{ "the limit holds for a share", "- - - a", 1, 0, 1, 0, NULL },
	{ "the limit keeps from stealing", "m a a a a a a a", 1, 0, 0, 0, NULL },
	{ "one lease for two workers: nothing to share", "a", 0, 0, 0, 0, NULL },
	{ "as many workers as leases: one each", "a b c", 0, 0, 0, 0, NULL },
	{ "more workers than leases, one has two", "a a b", 0, 0, 0, 1, "a" },
	{ "steal from one worker: one at a time", "a a a a a a", 0, 0, 0, 1, "a" },
	{ "steal more at a time where that is allowed", "a a a a a a", 0, 3, 0, 3, "a" },
	{ "not below the victim's share", "m a a a", 0, 3, 0, 1, "a" },
	{ "steal from the most loaded", "a a b b b b", 0, 0, 0, 1, "b" },
	{ "one short of a share is not worth it when nobody is above it", "m a a b b", 0, 0, 0, 0, NULL },
	{ "two short is, even when nobody is above it", "a a b b", 0, 0, 0, 1, NULL },
	{ "balanced: nothing", "m m a a b b", 0, 0, 0, 0, NULL },
	{ "two above us by one: nothing", "m a a", 0, 0, 0, 0, NULL },
	{ "what is at its end counts for nobody", "a. a. a. a m", 0, 0, 0, 0, NULL },
	{ "what is at its end is not taken", "-. a!. x.", 0, 0, 0, 0, NULL },
	{ "from a gentle one half of what is missing", "A A A A A A A A", 0, 0, 0, 2, "A" },
	{ "half of what is missing, rounded up", "A A A A A A", 0, 0, 0, 2, "A" },
	{ "what is on its way to us counts as ours", "m>A m>A A A", 0, 0, 0, 0, NULL },
	{ "what is on its way elsewhere is not asked for", "B>A B>A B>A B", 0, 0, 0, 1, "B" },
	{ "a handoff whose worker is silent has run out", "B>A! m", 0, 0, 1, 0, NULL },
	{ "a handoff whose worker is silent is free", "B>A! B>A!", 0, 0, 2, 0, NULL },
	{ "a handoff to a dead process goes on", "x>A m", 0, 0, 0, 0, NULL },
	{ "ours are not taken again, however old", "m! m?", 0, 0, 0, 0, NULL },
};

static void each_situation_has_its_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(situations); i++) {
		for (seed = 1; seed < 20; seed++) {
			uint64_t was = seed;
			struct leases l;
			struct shares s;
			struct shares_conf c = conf();
			c.max = situations[i].max;
			c.max_steal = situations[i].max_steal ? situations[i].max_steal : 1;
			parse(situations[i].leases, &l);
			shares_plan(&l, &c, &s);
			if (s.take != situations[i].take || s.steal != situations[i].steal)
				fail_msg("%s: takes %zu, steals %zu", situations[i].name, s.take, s.steal);
			for (size_t k = 0; k < s.take + s.steal; k++) {
				const struct lease *got = &l.v[s.v[k]];
				for (size_t j = 0; j < k; j++)
					if (s.v[j] == s.v[k])
						fail_msg("%s: one twice", situations[i].name);
				if (situations[i].from && strcmp(got->owner, situations[i].from) != 0)
					fail_msg("%s: from %s", situations[i].name, got->owner);
				if (s.steal && got->checkpoint_owner[0])
					fail_msg("%s: one in a handoff", situations[i].name);
				if (lease_is_end(got))
					fail_msg("%s: one at its end", situations[i].name);
			}
			shares_free(&s);
			seed = was;
		}
	}
}

static void a_round_says_whether_another_helps(void **state)
{
	(void)state;
	static const struct {
		const char *leases;
		bool more;
	} rows[] = { { "-? x x", true }, { "-? -?", false }, { "-? a a x", true }, { "-? m a x", false },
		{ "- - -", false } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct leases l;
		struct shares s;
		struct shares_conf c = conf();
		parse(rows[i].leases, &l);
		shares_plan(&l, &c, &s);
		if (s.more != rows[i].more)
			fail_msg("%s", rows[i].leases);
		shares_free(&s);
	}
}

/* Which of several is left to chance, so that workers that look at the same time rarely want the same. */
static void the_choice_is_by_chance(void **state)
{
	(void)state;
	unsigned hits[6] = { 0 };
	struct leases l;
	struct shares_conf c = conf();
	for (seed = 1; seed <= 600; seed++) {
		struct shares s;
		uint64_t was = seed;
		parse("a a a a a a", &l);
		shares_plan(&l, &c, &s);
		assert_int_equal(s.steal, 1);
		hits[s.v[0]]++;
		shares_free(&s);
		seed = was;
	}
	for (size_t i = 0; i < 6; i++)
		if (hits[i] < 50 || hits[i] > 150)
			fail_msg("lease %zu: %u of 600", i, hits[i]);
}

/* Whole groups: workers look in turn, take and steal as told; counted in rounds of all. */
static size_t settle(size_t leases, const char *names, size_t start, bool gentle)
{
	static struct lease v[MOST];
	struct leases l = { .v = v, .n = leases };
	size_t workers = strlen(names), rounds = 0;
	bool changed = true;
	for (size_t i = 0; i < leases; i++) {
		v[i] = (struct lease){ .seen_ms = LEASE_NEVER_SEEN, .checkpoint = "5" };
		snprintf(v[i].shard_id, sizeof v[i].shard_id, "shardId-%012zu", i);
	}
	for (; changed && rounds < 200; rounds++) {
		changed = false;
		for (size_t w = 0; w < (rounds ? workers : start); w++) {
			char me[2] = { names[w], 0 };
			struct shares s;
			struct shares_conf c = conf();
			c.me = me;
			c.gentle = gentle ? is_gentle : NULL;
			shares_plan(&l, &c, &s);
			for (size_t k = 0; k < s.take + s.steal; k++) {
				snprintf(v[s.v[k]].owner, sizeof v[0].owner, "%s", me);
				v[s.v[k]].seen_ms = NOW;
				changed = true;
			}
			shares_free(&s);
		}
	}
	size_t least = SIZE_MAX, most = 0;
	for (size_t w = 0; w < workers; w++) {
		size_t n = 0;
		for (size_t i = 0; i < leases; i++)
			n += v[i].owner[0] == names[w];
		least = n < least ? n : least;
		most = n > most ? n : most;
	}
	size_t share = workers >= leases ? 1 : (leases + workers - 1) / workers;
	if (most > share || (leases >= workers && least + 1 < share) || least + 2 < most)
		fail_msg("%zu leases, workers %s: from %zu to %zu", leases, names, least, most);
	return rounds;
}

static void groups_settle_and_then_stand_still(void **state)
{
	(void)state;
	seed = 7;
	for (size_t leases = 1; leases <= 40; leases++)
		for (size_t workers = 1; workers <= 8; workers++)
			for (int gentle = 0; gentle < 2; gentle++) {
				char names[9] = "ABCDEFGH";
				names[workers] = 0;
				size_t rounds = settle(leases, names, 1, gentle);
				if (rounds > leases + 3)
					fail_msg("%zu leases, %zu workers: %zu rounds", leases, workers,
						rounds);
			}
	/* A second worker of one that had it all: its half of 16 within four rounds when asked for, eight when stolen; one
	 * more sees that nothing is left to do. */
	assert_true(settle(16, "AB", 1, true) <= 1 + 4 + 1);
	assert_true(settle(16, "AB", 1, false) <= 1 + 8 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_situation_has_its_answer),
		cmocka_unit_test(a_round_says_whether_another_helps),
		cmocka_unit_test(the_choice_is_by_chance),
		cmocka_unit_test(groups_settle_and_then_stand_still),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
