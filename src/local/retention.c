/* retention.c - the time that a store believes has passed, what came by when, and what goes. */
#include "local/retention.h"

#define MINUTE_US (INT64_C(60) * 1000000)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)
#define KEEP_US (8 * DAY_US)

struct age {
	int64_t clock_us, trusted_us, horizon;
};

static int age_read(struct db *d, struct age *a, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d, "SELECT clock_us, trusted_us, horizon FROM tip", e);

	if (!st)
		return -1;
	int rc = db_step(d, st, e);
	if (rc != 1)
		return rc < 0 ? -1 : db_fail(d, SQLITE_CORRUPT, e);
	a->clock_us = sqlite3_column_int64(st, 0);
	a->trusted_us = sqlite3_column_int64(st, 1);
	a->horizon = sqlite3_column_int64(st, 2);
	sqlite3_reset(st);
	return 0;
}

static int age_write(struct db *d, const struct age *a, struct err *e)
{
	sqlite3_stmt *st = db_stmt(d, "UPDATE tip SET clock_us = ?1, trusted_us = ?2, horizon = ?3", e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, a->clock_us);
	sqlite3_bind_int64(st, 2, a->trusted_us);
	sqlite3_bind_int64(st, 3, a->horizon);
	return db_run(d, st, e);
}

static int run_with(struct db *d, sqlite3_stmt *st, int64_t first, int64_t second, struct err *e)
{
	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, first);
	if (sqlite3_bind_parameter_count(st) > 1)
		sqlite3_bind_int64(st, 2, second);
	return db_run(d, st, e);
}

static int find_horizon(struct db *d, struct age *a, struct err *e)
{
	sqlite3_stmt *st =
		db_stmt(d, "SELECT seq FROM age WHERE trusted_us <= ?1 ORDER BY seq DESC LIMIT 1", e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, a->trusted_us - KEEP_US);
	int rc = db_step(d, st, e);
	if (rc == 1) {
		a->horizon = sqlite3_column_int64(st, 0);
		sqlite3_reset(st);
	}
	return rc < 0 ? -1 : 0;
}

/* Once an hour: what has come so far is this old; closed shards go once their records have. */
static int mark(struct db *d, struct age *a, int64_t seq, struct err *e)
{
	if (run_with(d, db_stmt(d, "INSERT OR REPLACE INTO age VALUES(?1, ?2)", e), seq, a->trusted_us, e) ||
		find_horizon(d, a, e) ||
		run_with(d, db_stmt(d, "DELETE FROM age WHERE seq < ?1", e), a->horizon, 0, e))
		return -1;
	return run_with(d,
		db_stmt(d,
			"DELETE FROM shard WHERE end_seq <= ?1"
			" AND NOT EXISTS (SELECT 1 FROM record WHERE record.shard = shard.id)",
			e),
		a->horizon, 0, e);
}

int retention_step(struct db *d, int64_t seq, int64_t now_us, size_t most, struct err *e)
{
	struct age a = { 0 };

	if (age_read(d, &a, e))
		return -1;
	int64_t passed = a.clock_us ? now_us - a.clock_us : 0;
	/* Set back by less than a day, the clock will be there again: until then the time stands still, so that a clock that
	 * swings, or two that differ, add nothing with each swing. */
	if (!a.clock_us || passed <= -DAY_US || passed >= MINUTE_US) {
		int64_t before = a.trusted_us;
		a.clock_us = now_us;
		a.trusted_us += passed < 0 ? 0 : passed > DAY_US ? DAY_US : passed;
		if (a.trusted_us / HOUR_US != before / HOUR_US && mark(d, &a, seq, e))
			return -1;
		if (age_write(d, &a, e))
			return -1;
	}
	if (!a.horizon)
		return 0;
	return run_with(d,
		db_stmt(d,
			"DELETE FROM record WHERE seq IN"
			" (SELECT seq FROM record WHERE seq <= ?1 ORDER BY seq LIMIT ?2)",
			e),
		a.horizon, (int64_t)most, e);
}
