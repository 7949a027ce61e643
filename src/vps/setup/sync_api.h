/*
 * sync_api: the Bot API, one call at a time, for --setup and --doctor: they have nothing
 * else to do while they wait.
 */
#ifndef PAMTUNNEL_VPS_SETUP_SYNC_API_H
#define PAMTUNNEL_VPS_SETUP_SYNC_API_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/why.h"
#include "vps/settings/settings.h"

struct sync_api;

/* To the server, with the token and through the proxy of the settings. 0 or -errno. */
int sync_api_new(const struct vps_settings *settings, struct sync_api **ret_sync_api);
/* Accepts NULL. */
void sync_api_free(struct sync_api *sync_api);

struct sync_api_answer {
    bool done;
    bool from_api;           /* the Bot API itself said so */
    int code;                /* error_code or the HTTP status; 0: no answer at all */
    char trouble[200];       /* if not done: holds no URL */
    char first_trouble[200]; /* why there was no answer to the first of two tries; or "" */
    int64_t server_unix;     /* its clock; 0: unknown */
    json_t *result;          /* if done; to be given back with json_decref() */
};

/* Takes the reference to params, which may be NULL. */
void sync_api_call(struct sync_api *sync_api, const char *method, json_t *params,
                   uint32_t timeout_ms, struct sync_api_answer *ret_answer);

enum { SYNC_API_NAME_MAX = 64 };
/*
 * getMe: is the token right, and what is the bot called? -EACCES for a wrong token,
 * another -errno if nobody says; why is a sentence. ret_answer may be NULL. Without an
 * answer it is tried once more: over the other family, if it was IPv6's fault.
 */
int sync_api_get_me(struct sync_api *sync_api, char ret_name[SYNC_API_NAME_MAX + 1],
                    struct sync_api_answer *ret_answer, struct why *why);

#endif
