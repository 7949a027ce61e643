/*
 * invite: the join string, one line that carries all that a gateway needs to log in:
 *
 *     "pamtunnel1." BASE64URL(LENGTH16 | PORT16 | KEY 32 | NAME TEXT | HOST TEXT | CHECK 4)
 *     "pamtunnel2." BASE64URL(LENGTH16 | PORT16 | KEY 32 | UNTIL64 | NAME TEXT | HOST TEXT |
 *                              CHECK 4)
 *
 * The second form is that of a key whose first use must come before UNTIL (Unix time).
 * LENGTH counts all bytes, itself included; TEXT has a 16-bit length in front; CHECK is the
 * beginning of an HMAC-SHA-256, which reveals typing errors. BASE64URL is RFC 4648, section 5,
 * without padding. The string holds the key: whoever has it can log in as that gateway.
 */
#ifndef PAMTUNNEL_SHARED_INVITE_H
#define PAMTUNNEL_SHARED_INVITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/host.h"
#include "base/why.h"
#include "shared/gateway_name.h"

enum { INVITE_TEXT_MAX = 512 };

struct invite {
    char host[HOST_MAX + 1]; /* of the VPS */
    uint16_t port;           /* its CONTROL_PORT */
    char gateway[GATEWAY_NAME_MAX + 1];
    uint8_t key[CRYPTO_KEY_SIZE];
    int64_t until; /* Unix time of the latest first use; 0: any time */
};

/* dst takes INVITE_TEXT_MAX. -EINVAL if a field is not valid. */
int invite_encode(const struct invite *invite, char *dst);
/*
 * White space around the text is ignored. -EINVAL with a sentence in why: not a join
 * string at all, of another version, cut off, followed by something, or mistyped.
 */
int invite_decode(const char *text, struct invite *ret_invite, struct why *why);

/*
 * What people paste: takes the join string out of the command line that it came in, puts
 * one that was broken into lines together, and drops quotes and what nobody sees. In
 * place; a text that holds none stays as it is, for invite_decode() to say so.
 */
void invite_extract(char *pasted);
/* Only the beginning was pasted: a command without its join string, or a part of one. */
bool invite_goes_on(const char *pasted);

#endif
