/* help.h - the texts of --help, made from the option tables. */
#ifndef RECAGENT_CMD_HELP_H
#define RECAGENT_CMD_HELP_H

#include "base/buf.h"
#include "cmd/cmd.h"

void help_command(struct buf *out, const struct cmd *c);
void help_overview(struct buf *out);

#endif
