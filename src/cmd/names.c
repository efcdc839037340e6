/* names.c - operands that have a default in the environment. */
#include "cmd/cmd.h"
#include <stdlib.h>

const char *default_stream(int argc, char **argv)
{
	const char *env = getenv("RECAGENT_STREAM");
	return argc > 0 ? argv[0] : env && *env ? env : "user-interactions";
}
