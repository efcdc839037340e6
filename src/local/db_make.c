/* db_make.c - make a store. It is made whole under another name, so that no process ever meets half of one, and
 * of several that make it at once one wins. */
#include "local/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "local/schema.h"

#define TEXT_OF_(x) #x
#define TEXT_OF(x) TEXT_OF_(x)

const char *store_upgrade(int64_t from)
{
	return from == 1 ? SCHEMA_FROM_1 "PRAGMA user_version=" TEXT_OF(STORE_VERSION) : NULL;
}

/* mkdir -p; what it makes is the owner's alone. */
static int make_dirs(const char *dir, struct err *e)
{
	char *path = mem_strdup(dir);
	int rc = 0;

	for (char *p = path + 1; rc == 0; p++) {
		if (*p != '/' && *p)
			continue;
		char c = *p;
		*p = '\0';
		if (mkdir(path, 0700) && errno != EEXIST)
			rc = err_errno(e, ERR_LOCAL, errno, "cannot make %s", path);
		*p = c;
		if (!c)
			break;
	}
	free(path);
	return rc;
}

/* A closed database in WAL mode with all tables. */
static int make_database(const char *temp, struct err *e)
{
	char set[64];
	sqlite3 *h = NULL;
	int rc = sqlite3_open_v2(temp, &h, SQLITE_OPEN_READWRITE, NULL);

	snprintf(set, sizeof set, "PRAGMA user_version=%d; COMMIT", STORE_VERSION);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(h, "PRAGMA journal_mode=WAL; BEGIN;" SCHEMA, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(h, set, NULL, NULL, NULL);
	/* Out of the log, which is left behind: sqlite3_close would do it, too, but keeps a failure to itself. */
	if (rc == SQLITE_OK)
		rc = sqlite3_wal_checkpoint_v2(h, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	int out = rc == SQLITE_OK ? 0 : db_fail_at(h, temp, rc, e);
	rc = sqlite3_close(h);
	return out == 0 && rc != SQLITE_OK ? db_fail_at(NULL, temp, rc, e) : out;
}

/* Give the file its name, unless somebody else's has it by now. */
static int publish(const char *temp, const char *path, struct err *e)
{
	struct stat st;

	if (link(temp, path) == 0 || errno == EEXIST)
		return 0;
	/* A file system without links. */
	if (stat(path, &st) == 0 || rename(temp, path) == 0)
		return 0;
	return err_errno(e, ERR_LOCAL, errno, "cannot make %s", path);
}

static void remove_temp(const char *temp)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
	size_t n = strlen(temp) + 10;
	char *name = mem_alloc(n);

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		snprintf(name, n, "%s%s", temp, ends[i]);
		unlink(name);
	}
	free(name);
}

/* The name is on the disk, too; some file systems refuse this, and need it not. */
static void sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

/* The log of a database that somebody removed would be played into the new one. The log is looked at first: where it
 * belongs to a store that another process makes right now, its database is there by then. */
static int check_leftover(const char *path, struct err *e)
{
	size_t n = strlen(path) + sizeof "-wal";
	char *wal = mem_alloc(n);
	struct stat st;
	int rc = 0;

	snprintf(wal, n, "%s-wal", path);
	if (stat(wal, &st) == 0 && st.st_size > 0 && stat(path, &st) && errno == ENOENT)
		rc = err_set(e, ERR_LOCAL, "store-leftover",
			"%s is left over from a store that is gone; remove it first", wal);
	free(wal);
	return rc;
}

int store_make(const char *dir, const char *path, struct err *e)
{
	size_t n = strlen(path) + sizeof ".new-XXXXXX";
	char *temp = mem_alloc(n);
	int rc, fd = -1;

	snprintf(temp, n, "%s.new-XXXXXX", path);
	rc = *dir ? make_dirs(dir, e)
		  : err_set(e, ERR_USAGE, "bad-name", "the name of the store's directory is empty");
	if (rc == 0)
		rc = check_leftover(path, e);
	if (rc == 0 && (fd = mkstemp(temp)) < 0)
		rc = err_errno(e, ERR_LOCAL, errno, "cannot make %s", path);
	if (fd >= 0) {
		close(fd); /* 0600: SQLite gives the files beside it the same mode */
		rc = make_database(temp, e);
		if (rc == 0)
			rc = publish(temp, path, e);
		remove_temp(temp);
		sync_dir(dir);
	}
	free(temp);
	return rc;
}
