/* utf8: the characters of a text, and which of them nobody sees. */
#ifndef PAMTUNNEL_BASE_UTF8_H
#define PAMTUNNEL_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many bytes the character at the start has (RFC 3629, section 4); 0 if there is none. */
size_t utf8_decode(const void *at, size_t left, uint32_t *ret_character);
/*
 * True for characters that make a text read as something else: controls, which terminals act on,
 * and those that change the direction of writing, break lines, or show nothing at all.
 */
bool utf8_is_hidden(uint32_t character);

#endif
