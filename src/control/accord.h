/*
 * accord: how a gateway and a VPS come to a key that they both know and nobody else does,
 * when all that they have is a person who can compare six digits (docs/protocol.md, "Pairing",
 * argues why that is enough).
 *
 *     gateway -> VPS   PAIR_COMMIT   commitment to share and nonce; name
 *     VPS -> gateway   PAIR_ANSWER   share, nonce            now the code can no longer be chosen
 *     gateway -> VPS   PAIR_OPEN     share, nonce            now both know the code
 *                      a person says on the VPS's side that both show the same
 *     VPS -> gateway   PAIR_ACCEPT   MAC                     the gateway keeps the key
 *     gateway -> VPS   PAIR_CONFIRM  MAC                     the VPS keeps the key
 *
 * Pure: messages go in and come out, and nothing else happens. Each function is one step of one
 * side, and is refused (-EPROTO) in any state but its own. Whatever goes wrong leads to
 * ACCORD_FAILED, where nothing is known any more.
 */
#ifndef PAMTUNNEL_CONTROL_ACCORD_H
#define PAMTUNNEL_CONTROL_ACCORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "control/message.h"
#include "shared/gateway_name.h"

enum accord_state {
    ACCORD_NEW,       /* nothing was said yet */
    ACCORD_COMMITTED, /* gateway: PAIR_COMMIT is out */
    ACCORD_ANSWERED,  /* VPS: PAIR_ANSWER is out */
    ACCORD_SHOWN,     /* both: there is a code to compare */
    ACCORD_ACCEPTED,  /* VPS: PAIR_ACCEPT is out. Gateway: it was right, there is a key */
    ACCORD_DONE,      /* PAIR_CONFIRM is out, or was right: both have the key */
    ACCORD_FAILED,
};

enum { ACCORD_NONCE_SIZE = 32 };

/* One side's view. Zeros are ACCORD_NEW. Holds secrets: accord_wipe() it. */
struct accord {
    enum accord_state state;
    bool vps;                        /* whose view it is, from the first step on */
    char name[GATEWAY_NAME_MAX + 1]; /* zeros behind its end */
    uint8_t secret[CRYPTO_SHARE_SIZE];
    uint8_t commitment[CRYPTO_MAC_SIZE];
    uint8_t vps_share[CRYPTO_SHARE_SIZE], vps_nonce[ACCORD_NONCE_SIZE];
    uint8_t gateway_share[CRYPTO_SHARE_SIZE], gateway_nonce[ACCORD_NONCE_SIZE];
    uint8_t root[CRYPTO_KEY_SIZE]; /* what all that is secret is made of */
};

/*
 * A valid name that nobody can take for a code: no six digits in a row, also not as three and
 * three with signs in between. Who sits in between could be called like the code that the
 * person waits for.
 */
bool accord_name_is_plain(const char *name);
/*
 * Other words of a side that has proven nothing, which people see beside a code: whoever is in
 * between could have them say the code of the other side. What is not ASCII becomes "?", since
 * there are digits elsewhere, and where there are enough digits for a code, each becomes "*".
 */
void accord_make_plain(char *words);

/* ---- the gateway's steps: 0, or -errno ------------------------------------- */

/* -EINVAL if the name is not plain. */
int accord_commit(struct accord *it, const char *name, struct message *ret_commit);
/* Ends in ACCORD_SHOWN: say the code. -EPROTO for a share that is none. */
int accord_open(struct accord *it, const struct message_pair_answer *answer,
                struct message *ret_open);
/* -EACCES if it comes from somebody else than who answered. Then the key may be kept. */
int accord_accepted(struct accord *it, const struct message_pair_accept *accept);
/* The key is kept. */
int accord_confirm(struct accord *it, struct message *ret_confirm);

/* ---- the VPS's steps --------------------------------------------------------- */

/* -EINVAL if the name is not plain. */
int accord_answer(struct accord *it, const struct message_pair_commit *commit,
                  struct message *ret_answer);
/*
 * Ends in ACCORD_SHOWN: ask the person. -EACCES if it is not what was committed to, -EPROTO
 * for a share that is none.
 */
int accord_opened(struct accord *it, const struct message_pair_open *open);
/* A person has said that both show the same code. */
int accord_accept(struct accord *it, struct message *ret_accept);
/* -EACCES if it does not come from who opened. Then the key may be kept. */
int accord_confirmed(struct accord *it, const struct message_pair_confirm *confirm);

/* ---- what it comes to -------------------------------------------------------- */

/* "482 913", from ACCORD_SHOWN on; "" before and after a failure. Returns dst. */
enum { ACCORD_CODE_MAX = 8 };
char *accord_code(const struct accord *it, char dst[ACCORD_CODE_MAX]);
/*
 * The key, for the side that may keep it: the gateway once it was accepted, the VPS once that was
 * confirmed. -EPROTO otherwise.
 */
int accord_key(const struct accord *it, uint8_t ret_key[CRYPTO_KEY_SIZE]);
/* Forgets everything: ACCORD_NEW. */
void accord_wipe(struct accord *it);

#endif
