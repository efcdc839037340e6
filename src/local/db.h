/* db.h - connections to the embedded store's one SQLite database, for the adapters of local/ only.
 *
 * A store holds one writing connection behind a mutex and up to STORE_READERS reading ones, each opened when
 * it is first needed and used by one thread at a time, so that reads never wait for a commit's sync. Prepared
 * statements are kept per connection. Nothing is created by a read. */
#ifndef RECAGENT_LOCAL_DB_H
#define RECAGENT_LOCAL_DB_H

#include "base/err.h"
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_VERSION 2
#define STORE_READERS 4
#define STORE_STATEMENTS 32
#define STORE_BUSY_MS 30000 /* another process may hold the write lock so long before we say so */

struct store;
struct db {
	sqlite3 *h;
	struct store *store;
	unsigned id; /* distinguishes the connections of one store */
	struct {
		const char *sql;
		sqlite3_stmt *st;
	} kept[STORE_STATEMENTS];
	size_t nkept;
};

/* durable: a commit has reached the disk when it returns; else the last commits may be undone together by a
 * power failure (never by the death of a process). */
struct store *store_new(const char *dir, bool durable);
void store_free(struct store *s); /* NULL is fine */
const char *store_dir(const struct store *s);

/* Make the directory (0700) and the database (0600) in it, unless somebody else just has. */
int store_make(const char *dir, const char *path, struct err *e);

/* What brings an older store up to date, in a transaction that has begun. */
const char *store_upgrade(int64_t from);

/* A reading connection, to be given back; NULL with ResourceNotFoundException when there is no store. */
struct db *store_reader(struct store *s, struct err *e);
void store_reader_done(struct store *s, struct db *d);

/* Begin to write: waits for other writers. create: make the store when it is missing, else NULL and
 * ResourceNotFoundException. store_end commits when rc is 0, else rolls back; returns rc, or -1 when the
 * commit failed. */
struct db *store_begin(struct store *s, bool create, struct err *e);
int store_end(struct store *s, struct db *d, int rc, struct err *e);

/* ResourceNotFoundException with the hint how to make it. what: "stream" or "table". */
int store_missing(const struct store *s, const char *what, const char *name, struct err *e);

/* A statement of the connection, reset and unbound; sql must be a literal. NULL with e set. */
sqlite3_stmt *db_stmt(struct db *d, const char *sql, struct err *e);
/* 1 a row, 0 done (then reset already), -1 with e set and reset. */
int db_step(struct db *d, sqlite3_stmt *st, struct err *e);
/* Run a statement that gives no rows. */
int db_run(struct db *d, sqlite3_stmt *st, struct err *e);
int db_fail(struct db *d, int rc, struct err *e); /* -1; e from the connection's last error */
int db_fail_at(sqlite3 *h, const char *path, int rc, struct err *e); /* h may be NULL */

void db_text(sqlite3_stmt *st, int i, const char *s);            /* bind text; not copied */
void db_column(sqlite3_stmt *st, int i, char *out, size_t size); /* a text; "" for NULL */

#endif
