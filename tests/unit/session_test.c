/* session_test.c - each key has a session of its own, and each session id is legal. */
#include "check.h"

#include "rec/session.h"

#define HASH_OF_A "h-ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
#define HASH_OF_ANN "h-71d4f55f72fa128dfb468a1a3901507c804b74316488744d769d7f4b16696476"
#define HASH_OF_H1 "h-54f50aff0c05f509a804604b776c85a23969272c57b2f3054b6e05c7fc6e543f"

static void check_legal(const char *row, const char *s)
{
	static const char set[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._:-";

	CHECK(row, strlen(s) >= 2 && strlen(s) <= 100);
	CHECK_INT(row, strspn(s, set), strlen(s));
}

static void test_sessions(void **state)
{
	static const struct {
		const char *name, *key, *want; /* NULL: any hash */
	} rows[] = {
		{ "letters and digits", "user-1", "user-1" },
		{ "all marks", "a.b_c:d-E9", "a.b_c:d-E9" },
		{ "two characters", "ab", "ab" },
		{ "a capital H is no hash", "H-1", "H-1" },
		{ "one character", "a", HASH_OF_A },
		{ "an address", "ann@example.com", HASH_OF_ANN },
		{ "begins as a hash does", "h-1", HASH_OF_H1 },
		{ "looks like the hash of another key", HASH_OF_ANN, NULL },
		{ "space", "a b", NULL },
		{ "UTF-8", "\xc3\xa9\xc3\xa9", NULL },
		{ "newline behind", "ab\n", NULL },
	};
	char got[SESSION_LEN];

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		session_for_key(rows[i].key, got);
		check_legal(rows[i].name, got);
		if (rows[i].want)
			CHECK_STR(rows[i].name, got, rows[i].want);
		else
			CHECK(rows[i].name, strncmp(got, "h-", 2) == 0 && strlen(got) == 66 &&
						    strcmp(got, rows[i].key) != 0);
	}
}

static void test_length(void **state)
{
	char key[300], got[SESSION_LEN], row[32];

	(void)state;
	for (size_t n = 1; n < sizeof key; n++) {
		memset(key, 'x', n);
		key[n] = '\0';
		session_for_key(key, got);
		snprintf(row, sizeof row, "%zu characters", n);
		check_legal(row, got);
		CHECK_INT(row, strcmp(got, key) == 0, n >= 2 && n <= 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_length),
	};
	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
