/* Folders, files and the embedded store's buckets as object stores. */
#include "local_help.h"

#include <fcntl.h>
#include <sys/time.h>

static void make_file(const char *name, const char *data, size_t n)
{
	char path[600];

	snprintf(path, sizeof path, "%s/%s", test_dir, name);
	for (char *p = path + strlen(test_dir) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(path, 0700);
		*p = '/';
	}
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, n, f), n);
	fclose(f);
}

struct names {
	char text[2000];
	size_t n, stop;
	int64_t modified_s;
};

static int take_name(const struct blob_item *item, void *arg, struct err *e)
{
	struct names *names = arg;
	size_t used = strlen(names->text);

	(void)e;
	snprintf(names->text + used, sizeof names->text - used, "%s:%d ", item->name, (int)item->size);
	names->modified_s = item->modified_s;
	return ++names->n == names->stop;
}

static void expect_list(struct blob *b, const char *prefix, const char *after, const char *want)
{
	struct names names = { 0 };

	OK(blob_list(b, prefix, after, take_name, &names, e));
	assert_string_equal(names.text, want);
}

static void lists(void **state)
{
	struct blob *b;
	char from[600];

	(void)state;
	make_file("f/b", "22", 2);
	make_file("f/a/x", "1", 1);
	make_file("f/a-b", "", 0);
	make_file("f/a.b", "", 0);
	make_file("f/a0", "", 0);
	make_file("f/a/y/z", "333", 3);
	snprintf(from, sizeof from, "%s/f/a/loop", test_dir);
	assert_int_equal(symlink("..", from), 0);
	snprintf(from, sizeof from, "%s/f/dangling", test_dir);
	assert_int_equal(symlink("nowhere", from), 0);
	snprintf(from, sizeof from, "%s/f/pipe", test_dir);
	assert_int_equal(mkfifo(from, 0600), 0);
	snprintf(from, sizeof from, "%s/f//", test_dir);
	OK(folder_open_blob(from, &b, e));
	expect_list(b, "", NULL, "a-b:0 a.b:0 a/x:1 a/y/z:3 a0:0 b:2 ");
	expect_list(b, "a", NULL, "a-b:0 a.b:0 a/x:1 a/y/z:3 a0:0 ");
	expect_list(b, "a/", NULL, "a/x:1 a/y/z:3 ");
	expect_list(b, "a/y/z", NULL, "a/y/z:3 ");
	expect_list(b, "c", NULL, "");
	expect_list(b, "", "a.b", "a/x:1 a/y/z:3 a0:0 b:2 ");
	expect_list(b, "", "a/x", "a/y/z:3 a0:0 b:2 ");
	expect_list(b, "", "a/zz", "a0:0 b:2 ");
	expect_list(b, "a", "a/y/z", "a0:0 ");
	expect_list(b, "", "b", "");
	struct names two = { .stop = 2 };
	OK(blob_list(b, "", NULL, take_name, &two, e));
	assert_string_equal(two.text, "a-b:0 a.b:0 ");
	assert_true(two.modified_s > 1500000000);
	snprintf(from, sizeof from, "%s/f", test_dir);
	assert_string_equal(b->uri, from);
	blob_close(b);
}

struct bytes {
	struct buf all;
	size_t calls, stop, largest;
};

static int take_bytes(const char *p, size_t n, void *arg, struct err *e)
{
	struct bytes *b = arg;

	(void)e;
	buf_add(&b->all, p, n);
	if (n > b->largest)
		b->largest = n;
	return ++b->calls == b->stop;
}

static void gets(void **state)
{
	struct blob *b;
	char *big = calloc(1, 200000), path[600];
	struct bytes got = { .all = BUF_INIT(BUF_MAX_LINE) };

	(void)state;
	for (size_t i = 0; i < 200000; i++)
		big[i] = (char)(i * 7);
	make_file("f/big", big, 200000);
	make_file("secret", "s", 1);
	snprintf(path, sizeof path, "%s/f", test_dir);
	OK(folder_open_blob(path, &b, e));
	OK(blob_get(b, "big", take_bytes, &got, e));
	assert_int_equal(got.all.len, 200000);
	assert_memory_equal(got.all.p, big, 200000);
	assert_true(got.largest <= 65536);
	got = (struct bytes){ .all = got.all, .stop = 1 };
	OK(blob_get(b, "big", take_bytes, &got, e));
	assert_int_equal(got.calls, 1);
	FAILS(blob_get(b, "none", take_bytes, &got, e), ERR_LOCAL, "");
	static const char *const outside[] = { "../secret", "a/../../secret", "..", "/etc/passwd", "" };
	for (size_t i = 0; i < 5; i++)
		FAILS(blob_get(b, outside[i], take_bytes, &got, e), ERR_FAILED, "NoSuchKey");
	buf_release(&got.all);
	blob_close(b);
	free(big);
}

static void one_file(void **state)
{
	struct blob *b;
	char path[600];
	struct bytes got = { .all = BUF_INIT(BUF_MAX_LINE) };

	(void)state;
	make_file("f/one.gz", "123", 3);
	make_file("f/two.gz", "4", 1);
	snprintf(path, sizeof path, "%s/f/one.gz", test_dir);
	OK(folder_open_blob(path, &b, e));
	expect_list(b, "", NULL, "one.gz:3 ");
	expect_list(b, "one", NULL, "one.gz:3 ");
	expect_list(b, "two", NULL, "");
	expect_list(b, "", "one.gz", "");
	OK(blob_get(b, "one.gz", take_bytes, &got, e));
	assert_string_equal(got.all.p, "123");
	buf_release(&got.all);
	blob_close(b);
	snprintf(path, sizeof path, "%s/none", test_dir);
	FAILS(folder_open_blob(path, &b, e), ERR_LOCAL, "");
	FAILS(folder_open_blob("", &b, e), ERR_USAGE, "bad-name");
}

static void buckets(void **state)
{
	struct blob *b;
	struct bytes got = { .all = BUF_INIT(BUF_MAX_LINE) };
	struct names names = { 0 };

	(void)state;
	make_file("store/s3/archive/2026/01/a", "1", 1);
	OK(local_open_blob(test_store, "archive", &b, e));
	assert_string_equal(b->uri, "s3://archive");
	expect_list(b, "2026/", NULL, "2026/01/a:1 ");
	FAILS(blob_get(b, "2026/02", take_bytes, &got, e), ERR_FAILED, "NoSuchKey");
	blob_close(b);
	OK(local_open_blob(test_store, "nothing", &b, e));
	FAILS(blob_list(b, "", NULL, take_name, &names, e), ERR_FAILED, "NoSuchBucket");
	blob_close(b);
	FAILS(local_open_blob(test_store, "..", &b, e), ERR_USAGE, "bad-name");
	FAILS(local_open_blob(test_store, "a/b", &b, e), ERR_USAGE, "bad-name");
	buf_release(&got.all);
}

#define MANY 40000 /* more than is held of one directory */

struct sequence {
	int next, wrong;
};

static int take_number(const struct blob_item *item, void *arg, struct err *e)
{
	struct sequence *s = arg;

	(void)e;
	s->wrong += strtol(item->name, NULL, 10) != s->next++;
	return 0;
}

static void large_directory(void **state)
{
	struct sequence s = { 0 };
	struct blob *b;
	char name[32];
	int dir = open(test_dir, O_RDONLY | O_DIRECTORY);

	(void)state;
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof name, "%06d", i * 7919 % MANY);
		close(openat(dir, name, O_CREAT | O_WRONLY, 0600));
	}
	close(dir);
	OK(folder_open_blob(test_dir, &b, e));
	OK(blob_list(b, "", NULL, take_number, &s, e));
	assert_int_equal(s.next, MANY);
	assert_int_equal(s.wrong, 0);
	blob_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(lists), TEST(gets), TEST(one_file), TEST(buckets),
		TEST(large_directory) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
