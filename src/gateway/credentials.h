/*
 * credentials: the name and the key with which this gateway logs in. The key is TUNNEL_KEY, or, if
 * that is not set, what pairing has left in STATE_DIR; or there is none yet:
 *
 *     none ──kept──► on trial (STATE_DIR/key.new) ──proven──► paired (STATE_DIR/key)
 *       ▲                 │
 *       └──── dropped ────┘
 *
 * A key on trial has not been let in yet: perhaps the VPS never came to know it. One that was is
 * never thrown away here, whatever the VPS says of it: a person removes the file.
 */
#ifndef PAMTUNNEL_GATEWAY_CREDENTIALS_H
#define PAMTUNNEL_GATEWAY_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/why.h"
#include "gateway/settings.h"
#include "shared/gateway_name.h"
#include "shared/state_dir.h"

enum credentials_source {
    CREDENTIALS_NONE,
    CREDENTIALS_SET, /* TUNNEL_KEY */
    CREDENTIALS_ON_TRIAL,
    CREDENTIALS_PAIRED,
};

enum { CREDENTIALS_PATH_MAX = STATE_DIR_MAX + 16 };

/* Read its fields, and leave writing to the functions. */
struct credentials {
    enum credentials_source source;
    char name[GATEWAY_NAME_MAX + 1];
    uint8_t key[CRYPTO_KEY_SIZE];
    char folder[STATE_DIR_MAX + 1];
};

/*
 * Of these settings. The name of a key from pairing is that under which it was paired. -errno with
 * why if there is a file that cannot be read, or is none of ours, or if it has to be paired and
 * cannot be under this name (accord_name_is_plain()).
 */
int credentials_load(const struct gateway_settings *settings, struct credentials *ret_credentials,
                     struct why *why);
/* They are kept and thrown away in STATE_DIR from here on: there is no key, or one on trial. */
bool credentials_need_folder(const struct credentials *credentials);
/* Before the sandbox closes: makes the folder if it is needed. -errno with what to do in why. */
int credentials_prepare(const struct credentials *credentials, struct why *why);
/*
 * Other settings, read while the agent runs: TUNNEL_KEY if it is set, else what there was. -EINVAL
 * with why if nothing is left: a key can only be kept by an agent that began without one.
 */
int credentials_renew(const struct gateway_settings *settings, const struct credentials *now,
                      struct credentials *ret_after, struct why *why);

/* There was none: this one is on trial. On the disk when it returns 0. */
int credentials_keep(struct credentials *credentials, const uint8_t key[CRYPTO_KEY_SIZE],
                     struct why *why);
/* It has logged in. Where it cannot be put in its place, it stays on trial: -errno. */
int credentials_prove(struct credentials *credentials);
/* It was on trial, and is not let in: there is none. */
void credentials_drop(struct credentials *credentials);
/* The file with the key that was paired. Returns dst. */
char *credentials_path(const struct credentials *credentials, char dst[CREDENTIALS_PATH_MAX]);
/* Forgets the key. */
void credentials_wipe(struct credentials *credentials);

#endif
