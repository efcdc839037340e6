/* agent.c - dispatch of the agent contract to its adapter. */
#include "port/agent.h"

int agent_ask(struct agent *a, const struct agent_question *q, struct buf *answer, struct err *e)
{
	buf_reset(answer);
	return a->ops->ask(a, q, answer, e);
}

void agent_close(struct agent *a)
{
	if (a)
		a->ops->close(a);
}
