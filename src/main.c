/* main.c - the commands there are; cmd_main picks one by argv[0] or argv[1]. */
#include "cmd/cmd.h"

extern const struct cmd cmd_ack, cmd_audit, cmd_cache_get, cmd_completion, cmd_consume, cmd_invoke,
	cmd_positions, cmd_profile, cmd_prompt, cmd_publish, cmd_replay, cmd_setup;

const struct cmd *const commands[] = { &cmd_ack, &cmd_audit, &cmd_cache_get, &cmd_completion, &cmd_consume,
	&cmd_invoke, &cmd_positions, &cmd_profile, &cmd_prompt, &cmd_publish, &cmd_replay, &cmd_setup, NULL };

int main(int argc, char **argv)
{
	return cmd_main(argc, argv);
}
