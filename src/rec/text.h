/* text.h - hostile text, one character at a time: what must not reach a terminal or leave its place
 * in a prompt. Pure. */
#ifndef RECAGENT_REC_TEXT_H
#define RECAGENT_REC_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_BAD UINT32_MAX /* a byte that is no UTF-8 here */

/* The character at s (n > 0 bytes left): its length in bytes, 1 for a bad byte; *cp its code point
 * or TEXT_BAD. */
size_t text_next(const char *s, size_t n, uint32_t *cp);

/* A control character: C0, U+007F, C1. */
bool text_is_control(uint32_t cp);

/* A character that moves a cursor, ends a line or hides text: controls, line and paragraph
 * separators, bidi controls, tag characters, byte order marks. */
bool text_is_hostile(uint32_t cp);

/* Characters of valid UTF-8. */
size_t text_chars(const char *s, size_t n);

#endif
