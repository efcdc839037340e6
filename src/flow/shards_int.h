/* shards_int.h - what the parts of the shard follower share; nobody else includes it.
 *
 * Threads: the one in follow_run is the manager (lists, leases, ends, idle), readers read and hand on, a ticker renews.
 * out_mu serialises callbacks; mu guards everything else, and is taken inside out_mu, never around it. A shard's cursor
 * belongs to its reader while the state is FS_BUSY, else to the manager. Entries live until close. */
#ifndef RECAGENT_FLOW_SHARDS_INT_H
#define RECAGENT_FLOW_SHARDS_INT_H

#include "base/lanes.h"
#include "flow/shards.h"

#include <pthread.h>
#include <stdatomic.h>

enum fshard_state {
	FS_NEW,    /* no lease, or not looked at yet */
	FS_WAIT,   /* parents unfinished, or the lease is not ours */
	FS_READY,  /* to be read at due_ms */
	FS_BUSY,   /* a reader has it */
	FS_ENDING, /* all read; the list must confirm it */
	FS_ENDED,  /* its end was handed on */
	FS_TIP,    /* read as far as asked */
	FS_SKIP,   /* closed before a start at the tip */
	FS_LOST    /* another worker's now */
};

struct fshard {
	struct shard s;
	enum fshard_state state;
	bool listed, closed; /* in the last list; with an end there */
	struct cursor cur;
	char first_hash[HASH_KEY_MAX], last_hash[HASH_KEY_MAX]; /* the reader's copy of its range */
	struct position start;                                  /* where this run began */
	char last_seq[SEQ_MAX]; /* handed on, or committed before this run; "" none */
	uint64_t last_sub;
	bool handed; /* a record in this run */
	int64_t due_ms;
	unsigned fails, empties;
	int64_t down_ms;       /* monotonic, begin of the first of these failures */
	bool outage;           /* counted in follow.outages */
	size_t record_bytes;   /* mean of the last answer */
	bool settled, visited; /* of the walk over all shards that is under way */

	struct lease lease;
	bool has_lease, owned, live /* its other owner renews */, waited /* said so */;
	atomic_bool lost;
	int64_t renewed_ms; /* monotonic, of the last renewal's start */
};

struct follow {
	struct follow_conf c;
	pthread_mutex_t mu, out_mu;
	pthread_cond_t cond;
	int64_t watch_ms; /* monotonic: until when a reader waits for a due time; 0 none does */
	struct fshard **v;
	size_t n, cap;
	atomic_bool stop;
	atomic_bool failed;
	struct err err;
	unsigned outages;
	int wake[2];
	int64_t start_ms, tip_ms; /* the service's clock; tip_ms: records behind it came after the start */
	int64_t last_ms;          /* monotonic, of the last callback */
	int64_t pass_due_ms;
	unsigned pass_fails;
	int64_t pass_down_ms; /* monotonic, begin of the first of them */
	bool pass_soon, passed;
	pthread_t *threads;
	unsigned started;
	/* group */
	struct ticker *renewer;
	struct leases leases;
	char arn[256];
	int64_t created_s; /* of the stream, 0 unknown */
	bool said_anew;    /* that the stream was made anew */
	bool waiting;      /* for a lease of somebody else's to run out */
};

/* shards.c */
void follow_fail(struct follow *f, const struct err *e);
void follow_wake(struct follow *f);
bool follow_ending(const struct follow *f); /* stop, from inside or by a signal */
bool follow_gives_up(struct follow *f, int64_t since, const struct err *e); /* after an outage since then */
int64_t follow_backoff_ms(const struct follow *f, unsigned fails);
bool follow_bounded(const struct follow *f); /* ends by itself: -e, --until */

/* shards_list.c; mu held, but for follow_pass */
struct fshard *follow_find(const struct follow *f, const char *shard_id);
struct fshard *follow_add(struct follow *f, const struct shard *s);
void follow_begin(struct fshard *s, const struct position *p);
int follow_pass(struct follow *f, struct err *e);
bool follow_finished(struct follow *f);

/* shards_read.c */
void *follow_reader(void *arg);

/* shards_group.c */
int group_pass(struct follow *f, struct err *e);
void group_renew(void *arg);
bool group_valid(const struct follow *f, const struct fshard *s); /* mu held: may lines of it be handed on */
void group_release(struct follow *f);

#endif
