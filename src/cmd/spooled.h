/* spooled.h - publish's --spool: opening it, what it says, and what it means for the exit status. */
#ifndef RECAGENT_CMD_SPOOLED_H
#define RECAGENT_CMD_SPOOLED_H

#include "cmd/cmd.h"
#include "flow/detour.h"

struct spooled {
	struct ctx *c;
	const char *dir;
	struct detour *detour; /* NULL: no --spool */
	struct out *aside; /* lines that the stream refused after they were spooled, without --dead-letter */
	uint64_t refused;
};

/* pc: how records are put; gets its `aside`. dir NULL: no spool. The stream must outlive it. */
int spooled_open(struct spooled *s, struct ctx *c, const char *dir, uint64_t max_bytes, int64_t after_ms,
	struct puts_conf *pc, struct err *e);
/* After puts_close: drain, say what is left, count it. status: the command's so far; returns what it ends with. */
enum exit_code spooled_close(struct spooled *s, enum exit_code status);

#endif
