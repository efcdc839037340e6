/* meas.c - times whole commands as the kernel accounts for them at exit, in turn, so that drift hits all alike.
 *
 *   meas [-n ROUNDS] [-w WARM-UPS] [-x TIMES] [-k STATUS] -o TSV LABEL CMD ARG... [::: LABEL CMD ARG...]...
 *
 * Each round runs every command once; -x runs each TIMES times a turn and divides, for commands of a few
 * milliseconds. Standard output goes to /dev/null, standard input comes from RECAGENT_BENCH_IN if that is set.
 * A line of the TSV: label, rounds, wall median, min, max, CPU median, min, max (seconds), peak RSS median (KiB), runs
 * that did not exit 0 (-k: or with STATUS). Exit status 1 if there was any such run. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* BSD's call is outside POSIX, and in every libc that we build on. */
pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage);

#define COMMANDS 16
#define ROUNDS 200

struct series {
	double v[ROUNDS];
};
struct command {
	const char *label;
	char **argv;
	struct series wall, cpu, rss;
	int bad;
};

static int fine_status;

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void child(char **argv)
{
	const char *in = getenv("RECAGENT_BENCH_IN");
	int from = open(in ? in : "/dev/null", O_RDONLY), to = open("/dev/null", O_WRONLY);

	if (from < 0 || to < 0 || dup2(from, 0) < 0 || dup2(to, 1) < 0)
		_exit(126);
	close(from);
	close(to);
	execvp(argv[0], argv);
	perror(argv[0]);
	_exit(127);
}

/* One run, added to this round's figures. */
static void run_once(struct command *c, int round)
{
	struct rusage u = { 0 };
	double start = now();
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		child(c->argv);
	if (pid < 0 || wait4(pid, &status, 0, &u) != pid || !WIFEXITED(status) ||
		(WEXITSTATUS(status) && WEXITSTATUS(status) != fine_status))
		c->bad++;
	if (round < 0)
		return;
	c->wall.v[round] += now() - start;
	c->cpu.v[round] += seconds(u.ru_utime) + seconds(u.ru_stime);
	if ((double)u.ru_maxrss > c->rss.v[round])
		c->rss.v[round] = (double)u.ru_maxrss;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_series(FILE *f, struct series *s, int n, int times, const char *format)
{
	const int at[] = { n / 2, 0, n - 1 };

	qsort(s->v, (size_t)n, sizeof s->v[0], ascending);
	for (size_t i = 0; i < 3; i++) {
		double v = s->v[at[i]];
		if (i == 0 && n % 2 == 0)
			v = (v + s->v[n / 2 - 1]) / 2;
		fprintf(f, "\t");
		fprintf(f, format, v / times);
		if (!strcmp(format, "%.0f"))
			break;
	}
}

static int parse(struct command *c, int argc, char **argv, int i)
{
	int n = 0;

	while (i + 1 < argc && n < COMMANDS) {
		c[n].label = argv[i++];
		c[n++].argv = argv + i;
		while (i < argc && strcmp(argv[i], ":::"))
			i++;
		if (i < argc)
			argv[i++] = NULL;
	}
	return n;
}

int main(int argc, char **argv)
{
	static struct command c[COMMANDS];
	int rounds = 5, warm = 1, times = 1, opt, bad = 0;
	const char *path = NULL;

	while ((opt = getopt(argc, argv, "+n:w:x:k:o:")) > 0)
		switch (opt) {
		case 'n': rounds = (int)strtol(optarg, NULL, 10); break;
		case 'w': warm = (int)strtol(optarg, NULL, 10); break;
		case 'x': times = (int)strtol(optarg, NULL, 10); break;
		case 'k': fine_status = (int)strtol(optarg, NULL, 10); break;
		case 'o': path = optarg; break;
		default: return 2;
		}
	int n = parse(c, argc, argv, optind);
	FILE *f = path ? fopen(path, "a") : NULL;
	if (!n || !f || rounds < 1 || rounds > ROUNDS || times < 1) {
		fprintf(stderr, "usage: meas [-n N] [-w N] [-x N] [-k STATUS] -o TSV LABEL CMD... [::: LABEL "
				"CMD...]...\n");
		return 2;
	}
	for (int r = -warm; r < rounds; r++)
		for (int k = 0; k < n; k++)
			for (int i = 0; i < times; i++)
				run_once(&c[k], r);
	for (int k = 0; k < n; k++) {
		fprintf(f, "%s\t%d", c[k].label, rounds);
		print_series(f, &c[k].wall, rounds, times, "%.6f");
		print_series(f, &c[k].cpu, rounds, times, "%.6f");
		print_series(f, &c[k].rss, rounds, 1, "%.0f");
		fprintf(f, "\t%d\n", c[k].bad);
		bad += c[k].bad;
	}
	return fclose(f) || bad;
}
