/* local.h - the embedded store: streams, tables, blobs and an agent in one directory.
 *
 * DIR/recagent.db is one SQLite database (WAL) that several processes use at once; DIR/s3/BUCKET/ holds
 * the objects. Made on the first write (DIR 0700, files 0600). Everything opened is thread-safe and closed
 * through its contract (stream_close, table_close, ...). Opening makes nothing and touches no database: that
 * waits for the first call. What the disk or the database refuses is ERR_LOCAL with the path. */
#ifndef RECAGENT_LOCAL_LOCAL_H
#define RECAGENT_LOCAL_LOCAL_H

#include "port/agent.h"
#include "port/blob.h"
#include "port/stream.h"
#include "port/table.h"

int local_open_stream(const char *dir, const char *name, struct stream **out, struct err *e);
/* key_attr: name of the hash attribute. */
int local_open_table(
	const char *dir, const char *name, const char *key_attr, struct table **out, struct err *e);
/* The folder DIR/s3/BUCKET. */
int local_open_blob(const char *dir, const char *bucket, struct blob **out, struct err *e);
/* Any folder, recursively, or one file: then it is the only object, named by its last part. */
int folder_open_blob(const char *path, struct blob **out, struct err *e);
int local_open_agent(const char *dir, struct agent **out, struct err *e);

#endif
