/*
 * state: STATE_DIR/state.db, what vps-agent knows after a restart: its schema, and who may
 * have it. What the tables mean is their owners' business: admission/known, telegram/offset,
 * telegram/leftovers, gateways/keyring.
 */
#ifndef PAMTUNNEL_VPS_STORE_STATE_H
#define PAMTUNNEL_VPS_STORE_STATE_H

#include "base/log.h"
#include "base/why.h"
#include "shared/state_dir.h"
#include "vps/store/store.h"

enum { STATE_PATH_MAX = STATE_DIR_MAX + sizeof "/state.db" };

/* "STATE_DIR/state.db"; dst takes STATE_PATH_MAX. Returns dst. */
char *state_path(const char *state_dir, char *dst);
/* The schema that this program writes. */
unsigned state_schema(void);
/*
 * Makes the folder if it is missing, and reserves it for this process until it ends: 0, or
 * -errno with a sentence in why, -EWOULDBLOCK if another vps-agent has it.
 */
int state_reserve(const char *state_dir, const struct log *log, int *ret_fd, struct why *why);
/* As store_open(). */
int state_open(const char *state_dir, const struct log *log, struct store **ret_store,
               struct why *why);

#endif
