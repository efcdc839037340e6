/* schema.h - the tables of the embedded store, version STORE_VERSION (kept in PRAGMA user_version).
 *
 * A sequence number is the rowid of a record and grows across all streams of the store, and arrival times grow
 * with it; so one number says how far somebody has read everything. The first writer brings an older store up to
 * date; a newer one is refused instead of guessed at. Readers take both: what version 1 lacks is writers' business. */
#ifndef RECAGENT_LOCAL_SCHEMA_H
#define RECAGENT_LOCAL_SCHEMA_H

/* The last sequence number and arrival time given out. Nineteen digits from the start, so that texts of
 * sequence numbers sort as bytes, too. */
#define SCHEMA_TIP                                                                                           \
	"CREATE TABLE tip(one INTEGER PRIMARY KEY, seq INTEGER NOT NULL, arrival_us INTEGER NOT NULL);"      \
	"INSERT INTO tip VALUES(1, 1000000000000000000, 0);"

/* Version 2: retention (retention.h). clock_us is the clock at a recent put, trusted_us the time that has passed as far
 * as it is believed, horizon the last sequence number that may go; age says what had come by which trusted time. */
#define SCHEMA_AGE                                                                                           \
	"ALTER TABLE tip ADD COLUMN clock_us INTEGER NOT NULL DEFAULT 0;"                                    \
	"ALTER TABLE tip ADD COLUMN trusted_us INTEGER NOT NULL DEFAULT 0;"                                  \
	"ALTER TABLE tip ADD COLUMN horizon INTEGER NOT NULL DEFAULT 0;"                                     \
	"CREATE TABLE age(seq INTEGER PRIMARY KEY, trusted_us INTEGER NOT NULL);"                            \
	"INSERT INTO age SELECT seq, 0 FROM tip;"

/* end_seq is NULL while a shard is open; hashes are decimal texts. */
#define SCHEMA_STREAMS                                                                                       \
	"CREATE TABLE stream(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_s INTEGER NOT "      \
	"NULL);"                                                                                             \
	"CREATE TABLE shard(id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, name TEXT NOT NULL,"            \
	" parent TEXT NOT NULL DEFAULT '', adjacent TEXT NOT NULL DEFAULT '', start_hash TEXT NOT NULL,"     \
	" end_hash TEXT NOT NULL, start_seq INTEGER NOT NULL, end_seq INTEGER, UNIQUE(stream, name));"       \
	"CREATE TABLE record(seq INTEGER PRIMARY KEY, shard INTEGER NOT NULL, arrival_us INTEGER NOT NULL,"  \
	" key TEXT NOT NULL, data BLOB NOT NULL);"                                                           \
	"CREATE INDEX record_shard ON record(shard);"

/* item is DynamoDB's JSON of typed values; ttl_s repeats the TTL attribute for the sweeper. */
#define SCHEMA_TABLES                                                                                        \
	"CREATE TABLE tbl(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, key_attr TEXT NOT NULL,"        \
	" ttl_attr TEXT);"                                                                                   \
	"CREATE TABLE item(id INTEGER PRIMARY KEY, tbl INTEGER NOT NULL, key TEXT NOT NULL,"                 \
	" item TEXT NOT NULL, ttl_s INTEGER, UNIQUE(tbl, key));"                                             \
	"CREATE INDEX item_ttl ON item(ttl_s) WHERE ttl_s IS NOT NULL;"

/* What the embedded agent has counted. near: "ID:WEIGHT ..." of items visited together; recent:
 * "ID:TYPE:US ..." with the newest last; bought: "ID ...". */
#define SCHEMA_AGENT                                                                                         \
	"CREATE TABLE agent_position(one INTEGER PRIMARY KEY, seq INTEGER NOT NULL);"                        \
	"INSERT INTO agent_position VALUES(1, 0);"                                                           \
	"CREATE TABLE agent_item(id INTEGER PRIMARY KEY, item TEXT NOT NULL UNIQUE, category TEXT NOT NULL," \
	" score REAL NOT NULL);"                                                                             \
	"CREATE INDEX agent_item_score ON agent_item(score);"                                                \
	"CREATE INDEX agent_item_category ON agent_item(category, score);"                                   \
	"CREATE TABLE agent_near(id INTEGER PRIMARY KEY, near TEXT NOT NULL);"                               \
	"CREATE TABLE agent_user(key TEXT PRIMARY KEY, recent TEXT NOT NULL, bought TEXT NOT NULL)"          \
	" WITHOUT ROWID;"

#define SCHEMA SCHEMA_TIP SCHEMA_AGE SCHEMA_STREAMS SCHEMA_TABLES SCHEMA_AGENT

#define SCHEMA_FROM_1 SCHEMA_AGE

#endif
