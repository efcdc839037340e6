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
	FS_LOST    /* taken by another worker; may be ours again */
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
	int64_t down_ms;     /* monotonic, begin of the first of these failures */
	bool outage;         /* counted in follow.outages */
	size_t record_bytes; /* mean of the last answer */
	bool settled;        /* of the walk over all shards that is under way */
	unsigned visited;    /* number of the last walk that came by */

	struct fshard *up[2], *down, *next[2]; /* parents; first child; the next child of that parent */
	struct fshard *chain;                  /* of the index */

	struct lease lease;
	bool has_lease, owned, live /* its other owner renews */;
	bool giving;        /* it is being handed over right now: a renewal that fails means nothing */
	bool coming;        /* the row names us as owner, but we have not begun */
	int64_t coming_ms;  /* monotonic: since when */
	unsigned tenure;    /* counts our takes: a renewal's answer may come after a loss and another take */
	unsigned announced; /* tenure of what is handed on */
	atomic_bool lost, handing;   /* taken from us; to be handed over as soon as all is committed */
	atomic_int_fast64_t renewed; /* monotonic, of the last renewal's start */
};

struct follow {
	struct follow_conf c;
	pthread_mutex_t mu, out_mu;
	pthread_cond_t cond;
	int64_t watch_ms;           /* monotonic: until when a reader waits for a due time; 0 none does */
	struct fshard **v, **found; /* found: scratch of a walk */
	struct fshard **index;
	size_t n, cap, linked, nindex;
	unsigned walk;
	atomic_bool stop;
	atomic_size_t record_bytes; /* of the last answer of any shard; 0 none yet */
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
	bool said_waiting;
	bool waiting;        /* somebody else's leases may run out */
	atomic_bool hands;   /* a handoff may be under way, either way */
	int64_t dead_due_ms; /* when to look for dead processes, monotonic */
	int64_t hand_due_ms; /* monotonic, as all of these */
	int64_t steal_due_ms, clean_due_ms;
};

/* shards.c */
void follow_fail(struct follow *f, const struct err *e);
void follow_wake(struct follow *f);
bool follow_ending(const struct follow *f); /* stop, from inside or by a signal */
bool follow_gives_up(struct follow *f, int64_t since, const struct err *e); /* after an outage since then */
int64_t follow_backoff_ms(const struct follow *f, unsigned fails);
bool follow_bounded(const struct follow *f); /* ends by itself: -e, --until */

/* shards_list.c; mu held, but for follow_pass */
void follow_begin(struct fshard *s, const struct position *p);
int follow_pass(struct follow *f, struct err *e);
void follow_announce(
	struct follow *f, struct fshard *s); /* out_mu held: before something of it is handed on */
bool follow_finished(struct follow *f);

/* shards_read.c */
void *follow_reader(void *arg);

/* shards_index.c; mu held */
struct fshard *follow_find(const struct follow *f, const char *shard_id);
struct fshard *follow_add(struct follow *f, const struct shard *s);
void follow_link(struct follow *f); /* parents to children, where shards were added */
struct fshard *follow_child(
	const struct fshard *parent, const struct fshard *last);       /* NULL last: the first */
bool follow_relative_leased(struct follow *f, const struct fshard *s); /* an ancestor or descendant */

/* shards_group.c */
int group_pass(struct follow *f, struct err *e);
bool group_valid(const struct follow *f, const struct fshard *s); /* mu held: may lines of it be handed on */
bool group_flows(const struct follow *f, struct fshard *s); /* the same of a shard being read; any thread */
bool group_any_dead(
	struct follow *f); /* a worker that has leases was a process of this machine, and is gone */
void group_row(struct follow *f, struct fshard *s,
	const struct lease *row); /* mu held: the row of a lease we hold */
unsigned group_next_tenure(const struct fshard *s, const struct lease *row); /* the number of a take */
void group_taken(struct follow *f, struct fshard *s, const struct lease *l, int64_t at); /* mu held */

/* shards_rows.c */
int group_rows(
	struct follow *f, bool *made, struct err *e); /* rows that are missing, children of what has ended */
int group_clean(struct follow *f, struct err *e);     /* rows that nobody needs any more */

/* shards_lease.c */
void group_renew(void *arg);
void group_hands(struct follow *f); /* handoffs, a step */
bool group_caught_up(
	const struct fshard *s, const struct lease *row); /* the row holds all that was handed on */
size_t group_lost(struct follow *f); /* shards that others took before all that was handed on was committed */
void group_release(struct follow *f);

#endif
