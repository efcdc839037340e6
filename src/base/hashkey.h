/* hashkey.h - Kinesis' hash keys: 128-bit numbers as decimal text, and how a key range is cut into shards. Pure. */
#ifndef RECAGENT_BASE_HASHKEY_H
#define RECAGENT_BASE_HASHKEY_H

#include <stdbool.h>

#define HASHKEY_TEXT 41

__extension__ typedef unsigned __int128 hashkey;

hashkey hashkey_of(const char *partition_key);   /* MD5 of the bytes, as a number */
bool hashkey_parse(const char *s, hashkey *out); /* decimal, no leading zeros, below 2^128 */
void hashkey_format(hashkey v, char out[HASHKEY_TEXT]);
/* The i-th of n even ranges, both ends inclusive; the last one takes what does not divide. */
void hashkey_range(unsigned i, unsigned n, hashkey *start, hashkey *end);

#endif
