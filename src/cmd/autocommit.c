/* autocommit.c - commit what a file holds. */
#include "cmd/autocommit.h"
#include "base/fdio.h"
#include "cmd/committer.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INTERVAL_MS 1000

struct written { /* of one shard */
	const char *shard_id;
	char seq[SEQ_MAX];
	uint64_t sub, tenure;
	bool new, ended;
};
struct autocommit {
	struct committer k;
	const char *group, *owner;
	pthread_mutex_t mu; /* guards what follows */
	struct written *v;
	size_t n, last;
};

/* Positions first, the sync behind them: so it covers each. */
static struct written *take(struct autocommit *a, size_t *n)
{
	pthread_mutex_lock(&a->mu);
	struct written *v = mem_array(a->n + 1, sizeof *v);
	*n = 0;
	for (size_t i = 0; i < a->n; i++) {
		if (a->v[i].new)
			v[(*n)++] = a->v[i];
		a->v[i].new = false;
	}
	pthread_mutex_unlock(&a->mu);
	return v;
}

static void note(struct autocommit *a, struct written *w)
{
	static char shard_end[] = "shard-end";
	const struct source s = { .present = true,
		.group = (char *)a->group,
		.owner = (char *)a->owner,
		.shard_id = (char *)w->shard_id,
		.sequence_number = w->seq[0] ? w->seq : NULL,
		.subsequence = w->sub,
		.tenure = w->tenure,
		.mark = w->ended ? shard_end : NULL };
	commits_note(a->k.commits, &s);
}

static int ready(void *arg, struct err *e)
{
	struct autocommit *a = arg;
	size_t n;
	struct written *v = take(a, &n);
	int rc = n ? out_sync(a->k.c->out, e) : 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		note(a, &v[i]);
	free(v);
	return rc;
}

/* The first new line would be lost in what a full disk or a crash has left of the last one. */
static int end_torn_line(struct ctx *c, struct err *e)
{
	struct stat st;
	char last = '\n';
	if (fstat(STDOUT_FILENO, &st) || st.st_size == 0 || !(fcntl(STDOUT_FILENO, F_GETFL) & O_APPEND))
		return 0;
	int fd = open("/dev/fd/1", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (fd_read_at(fd, &last, 1, (uint64_t)st.st_size - 1) != 1)
			last = '\n';
		close(fd);
	}
	return last == '\n' ? 0 : out_line(c->out, "", 0, e);
}

struct autocommit *autocommit_open(struct ctx *c, const char *group, const char *owner, struct err *e)
{
	if (!out_is_file(c->out)) {
		err_set(e, ERR_USAGE, "",
			"--commit auto: standard output must be a file; of a pipe only its end knows what is "
			"dealt with");
		return NULL;
	}
	if (end_torn_line(c, e))
		return NULL;
	struct autocommit *a = mem_alloc(sizeof *a);
	a->group = group;
	a->owner = owner;
	pthread_mutex_init(&a->mu, NULL);
	a->k.ready = ready;
	a->k.arg = a;
	committer_start(&a->k, c, INTERVAL_MS);
	return a;
}

/* mu held. Lines of a shard come in runs. */
static struct written *entry_of(struct autocommit *a, const char *shard_id)
{
	if (a->last < a->n && a->v[a->last].shard_id == shard_id)
		return &a->v[a->last];
	for (a->last = 0; a->last < a->n; a->last++)
		if (a->v[a->last].shard_id == shard_id)
			return &a->v[a->last];
	a->v = mem_realloc(a->v, (a->n + 1) * sizeof *a->v);
	a->v[a->n++] = (struct written){ .shard_id = shard_id };
	return &a->v[a->last];
}

void autocommit_note(struct autocommit *a, const char *shard_id, const struct record *rec)
{
	size_t n = rec ? strlen(rec->sequence_number) : 0;
	if (!a || n >= SEQ_MAX)
		return;
	pthread_mutex_lock(&a->mu);
	struct written *w = entry_of(a, shard_id);
	w->new = true;
	w->ended = !rec;
	if (rec) {
		memcpy(w->seq, rec->sequence_number, n + 1);
		w->sub = rec->subsequence;
	}
	pthread_mutex_unlock(&a->mu);
}

void autocommit_tenure(struct autocommit *a, const char *shard_id, unsigned n)
{
	if (!a)
		return;
	pthread_mutex_lock(&a->mu);
	*entry_of(a, shard_id) = (struct written){ .shard_id = shard_id, .tenure = n };
	pthread_mutex_unlock(&a->mu);
}

int autocommit_check(struct autocommit *a, struct err *e)
{
	return a && committer_is_fatal(&a->k, e) ? -1 : 0;
}

int autocommit_close(struct autocommit *a, int rc, struct err *e)
{
	struct err late = { 0 };
	if (!a)
		return rc;
	committer_stop(&a->k);
	int mine = autocommit_check(a, &late);
	if (mine == 0)
		mine = committer_finish(&a->k, &late);
	if (mine == 0)
		mine = committer_lost(&a->k, &late);
	if (mine && rc == 0)
		*e = late;
	committer_release(&a->k);
	pthread_mutex_destroy(&a->mu);
	free(a->v);
	free(a);
	return rc ? rc : mine;
}
