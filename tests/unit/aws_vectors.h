/* aws_vectors.h - read the shared vectors of configuration tests; an environment and files made of a table. */
#ifndef RECAGENT_TESTS_AWS_VECTORS_H
#define RECAGENT_TESTS_AWS_VECTORS_H

#include "aws/config.h"
#include "base/mem.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "vectors.h"

/* Verdicts of one suite; a case that is left aside is named with its reason. */
struct tally {
	const char *suite;
	int cases, failed, aside;
};

#define ROW_FAIL(t, row, ...)                                                                                \
	do {                                                                                                 \
		(t)->failed++;                                                                               \
		print_error("# %s: %s: ", (t)->suite, (row));                                                \
		print_error(__VA_ARGS__);                                                                    \
		print_error("\n");                                                                           \
	} while (0)

static inline void set_aside(struct tally *t, const char *row, const char *why)
{
	t->aside++;
	print_message("# %s: left aside: %s: %s\n", t->suite, row, why);
}

static inline void tally_end(const struct tally *t)
{
	print_message("# %s: %d cases, %d passed, %d left aside, %d failed\n", t->suite, t->cases,
		t->cases - t->failed - t->aside, t->aside, t->failed);
	assert_int_not_equal(t->cases, 0);
	assert_int_equal(t->failed, 0);
}

static inline void vector_path(char out[1024], const char *rel)
{
	char below[900];
	snprintf(below, sizeof below, "aws-config-tests/%s", rel);
	vectors_path(out, 1024, below);
}

static inline char *read_path(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("cannot open %s", path);
	char *text = mem_alloc((1u << 22) + 1);
	*len = fread(text, 1, 1u << 22, f);
	fclose(f);
	return text;
}

static inline cJSON *vector_json(const char *rel)
{
	char path[1024];
	size_t n;
	vector_path(path, rel);
	char *text = read_path(path, &n);
	cJSON *tree = cJSON_Parse(text);
	free(text);
	if (!tree)
		fail_msg("%s is no JSON", path);
	return tree;
}

/* The entries of a vector folder, sorted; free each and the list. */
static inline int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline size_t vector_list(const char *rel, char ***out)
{
	char path[1024];
	size_t n = 0;
	vector_path(path, rel);
	DIR *d = opendir(path);
	if (!d)
		fail_msg("cannot open %s", path);
	*out = mem_array(512, sizeof **out);
	for (struct dirent *en; (en = readdir(d)) && n < 512;)
		if (en->d_name[0] != '.')
			(*out)[n++] = mem_strdup(en->d_name);
	closedir(d);
	qsort(*out, n, sizeof **out, by_name);
	return n;
}

static inline void free_list(char **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i]);
	free(v);
}

static inline bool exists(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0;
}

/* An environment that is a JSON object. */
static inline const char *env_of_json(const char *name, void *arg)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(arg, name));
}

static inline const char *str_of(const cJSON *o, const char *key)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
}

/* A folder of small files for env->root; drop_root removes it. */
static inline void make_root(char out[64])
{
	snprintf(out, 64, "/tmp/recagent-test-XXXXXX");
	assert_non_null(mkdtemp(out));
}

static inline void root_file(const char *root, const char *rel, const char *text)
{
	char path[1024];
	snprintf(path, sizeof path, "%s/%s", root, rel);
	for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(path, 0700);
		*p = '/';
	}
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static inline void drop_root(const char *dir)
{
	DIR *d = opendir(dir);
	for (struct dirent *en; d && (en = readdir(d));) {
		char path[1400];
		if (strcmp(en->d_name, ".") == 0 || strcmp(en->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof path, "%.1000s/%.255s", dir, en->d_name);
		if (unlink(path) != 0)
			drop_root(path);
	}
	if (d)
		closedir(d);
	rmdir(dir);
}

#endif
