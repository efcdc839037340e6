/* archive.h - the records of an archive: objects in order of their names, unzipped, cut into JSON values.
 *
 * Memory is bounded whatever the archive holds. Not thread-safe. */
#ifndef RECAGENT_FLOW_ARCHIVE_H
#define RECAGENT_FLOW_ARCHIVE_H

#include "base/clock.h"
#include "base/split.h"
#include "port/blob.h"

struct archive_record {
	const char *object; /* URI of the object */
	struct split_value value;
};

struct archive_conf {
	struct blob *blob;
	const char *prefix; /* of the names to read */
	const char *
		after; /* URI of an object, ":LINE" behind it or not: go on behind that; NULL: from the start */
	struct when since, until; /* used to pass over whole objects of Firehose's YYYY/MM/DD/HH/ layout */
	size_t max_record;
	/* An outage is held so long without a record, and the reading taken up again behind the last one; 0: it ends at once. */
	int64_t give_up_ms;
	/* Return 0 to go on, 1 to end, -1 with e. */
	int (*on_record)(const struct archive_record *r, void *arg, struct err *e);
	/* An object that can't be read to its end: return 0 to go on with the next, -1 to give up. */
	int (*on_bad_object)(const char *object, const struct err *why, void *arg, struct err *e);
	void *arg;
};

/* 0 at the end, 1 when on_record ended it, -1 with e. */
int archive_read(const struct archive_conf *c, struct err *e);

/* The hour of a name in Firehose's layout (".../2026/01/31/23/..."), microseconds since 1970 UTC; false: not of that layout. */
bool archive_hour(const char *name, int64_t *us);

#endif
