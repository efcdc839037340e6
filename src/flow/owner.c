/* owner.c - worker names that tell, on the same machine, whether their process still runs. */
#include "flow/owner.h"

#include "base/digest.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Field 22 of /proc/PID/stat; the command name in field 2 may hold blanks and brackets. 0: unknown. */
static unsigned long long start_time(long pid)
{
	char path[64], text[1024];
	snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	FILE *f = fopen(path, "r");
	if (!f)
		return 0;
	size_t n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = 0;
	char *p = strrchr(text, ')');
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p, NULL, 10) : 0;
}

/* What must agree before a pid can be looked up at all: "BOOT-NS", or "" where the system does not say. */
static void realm(char out[40])
{
	char boot[64] = "";
	struct stat st;
	out[0] = 0;
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");
	if (!f)
		return;
	if (fgets(boot, sizeof boot, f) && strlen(boot) >= 8 && !stat("/proc/self/ns/pid", &st))
		snprintf(out, 40, "%.8s-%llx", boot, (unsigned long long)st.st_ino);
	fclose(f);
}

void owner_new(char out[OWNER_MAX])
{
	char host[65] = "", where[40], id[UUID_LEN + 1];
	if (gethostname(host, sizeof host - 1) || !host[0])
		snprintf(host, sizeof host, "localhost");
	for (char *p = host; *p; p++)
		if (*p == ':')
			*p = '_';
	realm(where);
	uuid_v4(id);
	long pid = (long)getpid();
	snprintf(out, OWNER_MAX, "%s:%ld:%s-%llu:%.8s", host, pid, where, start_time(pid), id);
}

bool owner_dead(const char *owner)
{
	char where[40];
	const char *pid_text = strchr(owner, ':');
	const char *rest = pid_text ? strchr(pid_text + 1, ':') : NULL;
	realm(where);
	size_t n = strlen(where);
	if (!rest || !n || strncmp(rest + 1, where, n) != 0 || rest[1 + n] != '-')
		return false;
	char *end;
	long pid = strtol(pid_text + 1, &end, 10);
	unsigned long long started = strtoull(rest + 2 + n, NULL, 10);
	if (end != rest || pid <= 1 || !started)
		return false;
	if (kill((pid_t)pid, 0) && errno == ESRCH)
		return true;
	unsigned long long now = start_time(pid);
	return now && now != started;
}

bool owner_gentle(const char *owner)
{
	const char *p = strchr(owner, ':');
	size_t pid = p ? strspn(p + 1, "0123456789") : 0;
	const char *where = pid ? p + 1 + pid : "";
	const char *id = where[0] == ':' ? strchr(where + 1, ':') : NULL;
	return id && strchr(where, '-') && strlen(id + 1) == 8 && strspn(id + 1, "0123456789abcdef") == 8;
}
