/* session.c - the agent session of a key. */
#include "rec/session.h"
#include "base/digest.h"
#include <string.h>

void session_for_key(const char *key, char out[SESSION_LEN])
{
	size_t n = strlen(key);
	size_t legal = strspn(key, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._:-");
	if (n >= 2 && n < SESSION_LEN && legal == n && strncmp(key, "h-", 2) != 0) {
		memcpy(out, key, n + 1);
		return;
	}
	memcpy(out, "h-", 2);
	sha256_hex(key, n, out + 2);
}
