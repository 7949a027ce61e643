/*
 * words: what a client at a public port says of itself, for people to read. They are a
 * stranger's words: printable ASCII only, and not many.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_WORDS_H
#define PAMTUNNEL_VPS_ADMISSION_WORDS_H

#include <stddef.h>
#include <stdint.h>

enum { WORDS_SIZE = 64 };

/* The identification string: "SSH-2.0-PuTTY_Release_0.78". */
void words_of_ssh(const uint8_t *data, size_t len, char dst[WORDS_SIZE]);
/*
 * The user name in the cookie of a Connection Request (x224.h), "" if it has none. What
 * looks like the secret of another .rdp file is not shown.
 */
void words_of_rdp(const uint8_t *data, size_t len, char dst[WORDS_SIZE]);

#endif
