/* session.h - the agent session of a key. Pure. */
#ifndef RECAGENT_REC_SESSION_H
#define RECAGENT_REC_SESSION_H

#define SESSION_LEN 101 /* Bedrock: 2..100 characters of [0-9a-zA-Z._:-], and a NUL */

/* The key itself when it is a legal session id and does not begin with "h-", else "h-" and its SHA-256 in hex: no two
 * keys share a session. */
void session_for_key(const char *key, char out[SESSION_LEN]);

#endif
