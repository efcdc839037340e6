/* buf_test.c - the growing buffer, allocation and the arena. */
#include "check.h"

#include "base/buf.h"
#include "base/mem.h"
#include <stdlib.h>

static void test_grow_and_ceiling(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(10);

	assert_true(buf_str(&b, "12345"));
	assert_true(buf_add(&b, "67890", 5));
	assert_string_equal(b.p, "1234567890");
	assert_true(b.cap <= 11);
	assert_true(buf_str(&b, ""));
	assert_false(buf_char(&b, 'x'));
	assert_true(b.over);
	assert_string_equal(b.p, "1234567890");
	buf_consume(&b, 5);
	assert_false(buf_char(&b, 'x')); /* over is for good */
	buf_reset(&b);
	assert_true(buf_char(&b, 'x'));
	assert_string_equal(b.p, "x");
	buf_release(&b);
	assert_null(b.p);
	assert_int_equal(b.max, 10);
	assert_false(buf_reserve(&b, SIZE_MAX));
	buf_release(&b);
}

static void test_printf(void **state)
{
	(void)state;

	for (size_t n = 0; n < 300; n++) {
		struct buf b = BUF_INIT(200);
		bool ok = buf_printf(&b, "%*s", (int)n, "");

		assert_int_equal(ok, n <= 200);
		assert_int_equal(b.len, ok ? n : 0);
		assert_true(!b.p || b.p[b.len] == '\0');
		if (ok && n < 200)
			assert_true(buf_printf(&b, "%c", 'y') && b.p[n] == 'y');
		buf_release(&b);
	}
}

static void test_take_and_consume(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(100);
	char *s = buf_take(&b);

	assert_string_equal(s, "");
	free(s);
	buf_add(&b, "a\0b", 3);
	buf_consume(&b, 1);
	assert_int_equal(b.len, 2);
	assert_memory_equal(b.p, "\0b", 3);
	buf_consume(&b, 99);
	assert_int_equal(b.len, 0);
	buf_str(&b, "left");
	s = buf_take(&b);
	assert_string_equal(s, "left");
	assert_null(b.p);
	free(s);
}

static void test_mem(void **state)
{
	(void)state;
	char secret[8] = "secret";
	char *p = mem_alloc(0);

	assert_non_null(p);
	p = mem_realloc(p, 10);
	free(p);
	p = mem_array(3, 5);
	for (int i = 0; i < 15; i++)
		assert_int_equal(p[i], 0);
	free(p);
	assert_null(mem_strdup(NULL));
	p = mem_dup("a\0b", 3);
	assert_memory_equal(p, "a\0b", 4);
	free(p);
	mem_wipe(secret, sizeof(secret));
	for (size_t i = 0; i < sizeof(secret); i++)
		assert_int_equal(secret[i], 0);
}

static void test_arena(void **state)
{
	(void)state;
	struct arena a = { 0 };

	for (int round = 0; round < 3; round++) {
		for (size_t n = 0; n < 3000; n += 7) {
			char *p = arena_alloc(&a, n);

			assert_int_equal((uintptr_t)p % 16, 0);
			memset(p, 0xaa, n);
		}
		assert_string_equal(arena_dup(&a, "abc", 3), "abc");
		assert_string_equal(arena_dup(&a, NULL, 0), "");
		assert_string_equal(arena_printf(&a, "%d-%s", 5, "x"), "5-x");
		memset(arena_alloc(&a, 300000), 1, 300000);
		assert_true(a.used > 300000);
		arena_reset(&a);
		assert_int_equal(a.used, 0);
	}
	arena_release(&a);
	assert_null(a.head);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grow_and_ceiling),
		cmocka_unit_test(test_printf),
		cmocka_unit_test(test_take_and_consume),
		cmocka_unit_test(test_mem),
		cmocka_unit_test(test_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
