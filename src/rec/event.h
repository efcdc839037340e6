/* event.h - one event line: what must be there, where it stands, what is missing. Pure. The line
 * itself is never changed here; offsets are bytes into it.
 *
 * A line is one of three: an event; a record that was no JSON object,
 * {"data_b64":"..","_source":{..}} and nothing else (is_data: it has no KEY and no time); a mark,
 * whose _source holds `mark` beside nothing of an event (is_mark). */
#ifndef RECAGENT_REC_EVENT_H
#define RECAGENT_REC_EVENT_H

#include "base/json.h"

#define KEY_MAX_CHARS 256 /* Unicode characters of KEY, Kinesis' limit for a partition key */
#define EVENT_ID_MAX 256  /* characters */

/* The position that travels with the line. Texts are owned by the source. */
struct source {
	bool present;
	char *stream, *shard_id, *sequence_number, *partition_key, *group, *owner, *object,
		*mark; /* NULL: absent */
	uint64_t subsequence, object_line;
	uint64_t tenure;    /* which time it is that owner has the shard; 0: the first */
	int64_t arrival_us; /* 0: absent */
	char *texts;        /* private: the block that they stand in */
};
/* Members that it does not know are passed over, null counts as absent, numbers may be strings (and
 * sequence_number a number); any other type is ERR_REFUSED with the member's name. Release in every
 * case. */
int source_parse(struct source *s, const char *json, size_t n, struct err *e);
void source_release(struct source *s);

struct event {
	struct json_object obj;
	struct json_member key, event_id, item_id, event_type, timestamp, metadata, source_m, data_b64;
	/* Unescaped, NULL: absent. KEY, event_id and timestamp always; the others with EVENT_TEXTS. */
	char *key_text, *event_id_text, *item_text, *type_text;
	char *category; /* metadata.category when a string, number or boolean */
	char *timestamp_text;
	int64_t time_us; /* of timestamp; 0 when absent */
	struct source source;
	bool is_mark; /* a mark line: nothing else is set but source */
	bool is_data; /* a record that was no JSON object: data_b64 holds its bytes */
	char *texts;  /* private: the block that the texts stand in */
};

enum event_need { /* what must be there, and what the caller will read */
	EVENT_NEED_ID = 1,
	EVENT_NEED_TIME = 2,
	EVENT_NEED_KEY = 4,
	EVENT_STORED = 8,  /* strings will be stored: refuse U+0000 in item_id too; gives the texts */
	EVENT_TEXTS = 16,  /* item_text, type_text and category are wanted */
	EVENT_DATA_OK = 32 /* a data_b64 line may pass where KEY, an id or a time is needed */
};
/* Check a line. key_name: KEY's member name. Refuses (ERR_REFUSED, each with its own message): not
 * JSON, not an object, text behind, KEY missing (with EVENT_NEED_KEY), empty, no string, over 256
 * characters, with control characters; event_id or item_id no string or empty; event_type not
 * [A-Za-z0-9_.-]{1,64}; timestamp no RFC 3339; metadata neither object nor null; U+0000 in what is
 * read as text; duplicates among the members read. A mark line needs none of it. Release in every
 * case. */
int event_parse(
	struct event *ev, const char *line, size_t n, const char *key_name, unsigned need, struct err *e);
void event_release(struct event *ev);

/* The line from '{' to '}' without _source, completed with the ids given (NULL, or there already:
 * not added): appended to out. Other bytes are unchanged; additions are spliced in before the last
 * '}'. */
bool event_complete(struct buf *out, const struct event *ev, const char *line, const char *event_id,
	const char *timestamp);

/* Append line with `"_source":<source>` as its last member; an earlier _source (old, may be NULL or
 * JSON_NONE) is cut out. source is JSON text. */
bool line_with_source(struct buf *out, const char *line, const struct json_object *obj,
	const struct json_member *old, const char *source, size_t n);

/* A key that may stand in a message on a terminal: quoted, controls replaced, at most 60 characters. */
const char *key_for_message(const char *key, char out[200]);

#endif
