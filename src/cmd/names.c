/* names.c - operands: defaults from the environment, short forms. */
#include "cmd/cmd.h"
#include <stdio.h>
#include <stdlib.h>

const char *default_stream(int argc, char **argv)
{
	const char *env = getenv("RECAGENT_STREAM");
	return argc > 0 ? argv[0] : env && *env ? env : "user-interactions";
}

void shard_full_id(char out[SHARD_ID_MAX], const char *text, size_t n)
{
	bool digits = n > 0 && n <= 12;
	for (size_t i = 0; i < n; i++)
		digits = digits && text[i] >= '0' && text[i] <= '9';
	if (digits)
		snprintf(out, SHARD_ID_MAX, "shardId-%0*d%.*s", (int)(12 - n), 0, (int)n, text);
	if (digits && n == 12)
		snprintf(out, SHARD_ID_MAX, "shardId-%.12s", text);
	if (!digits)
		snprintf(out, SHARD_ID_MAX, "%.*s", (int)n, text);
}
