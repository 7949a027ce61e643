/*
 * words: what a client at a public port says about itself, for people to read. They are
 * a stranger's words: printable ASCII only, and not many.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_WORDS_H
#define PAMTUNNEL_VPS_ADMISSION_WORDS_H

#include <stddef.h>
#include <stdint.h>

enum { WORDS_SIZE = 64 };

/*
 * `len` bytes as text: what is not printable becomes '?', what is too long ends in "...", and
 * blanks at the end go. No bytes (data may be NULL then) become "".
 */
void words_clean(const uint8_t *data, size_t len, char dst[WORDS_SIZE]);

#endif
