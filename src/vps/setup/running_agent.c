#include "vps/setup/running_agent.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/lines.h"
#include "base/lines_ask.h"
#include "shared/invite_paper.h"

enum { ANSWER_MAX = 64 * 1024 };

static void read_key(struct running_agent *running, const json_t *key)
{
    const char *id = json_string_value(json_object_get(key, "id"));
    const char *origin = json_string_value(json_object_get(key, "origin"));
    const char *gateway = json_string_value(json_object_get(key, "gateway"));
    if (origin && strcmp(origin, "settings") != 0) { /* an older vps-agent has no others */
        if (running->kept < KEPT_KEYS_MAX) {
            char *name = running->kept_names[running->kept++];
            snprintf(name, GATEWAY_NAME_MAX + 1, "%s", gateway ? gateway : "");
        }
    } else if (running->count < GATEWAYS_MAX) {
        struct running_agent_key *entry = &running->keys[running->count++];
        snprintf(entry->id, sizeof entry->id, "%s", id ? id : "");
        entry->used = json_is_true(json_object_get(key, "used"));
        entry->expired = json_is_true(json_object_get(key, "expired"));
    }
}

/* A new reference, or NULL if the answer is no JSON. 0 or -errno. */
static int ask(const char *state_dir, const char *request, json_t **ret_reply, struct why *why)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char answer[ANSWER_MAX];
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s" STATE_DIR_SOCKET, state_dir);
    int err = lines_ask(&addr, sizeof addr, request, answer, sizeof answer, why);
    if (err == 0) {
        *ret_reply = json_loads(answer, 0, NULL);
        crypto_wipe(answer, strlen(answer)); /* it may hold a join string */
    }
    return err;
}

void running_agent_ask(const char *state_dir, struct running_agent *ret_running)
{
    json_t *reply;
    *ret_running = (struct running_agent){0};
    int err = ask(state_dir, "{\"command\":\"keys\"}\n", &reply, NULL);
    /* Whoever refuses us, or keeps silent, is there. */
    ret_running->runs = err != -ENOENT && err != -ECONNREFUSED && err != -ENOTDIR;
    if (err == 0) {
        ret_running->tells = json_is_true(json_object_get(reply, "ok"));
        size_t i;
        const json_t *key;
        json_array_foreach(json_object_get(reply, "keys"), i, key)
        {
            read_key(ret_running, key);
        }
        json_decref(reply);
    }
}

const struct running_agent_key *running_agent_find(const struct running_agent *running,
                                                   const uint8_t key[CRYPTO_KEY_SIZE])
{
    /* No key goes over the socket: both sides name it by the same MAC under it (keyring_id()). */
    char id[KEYRING_ID_MAX];
    keyring_id(key, id);
    for (unsigned i = 0; i < running->count; i++) {
        if (strcmp(running->keys[i].id, id) == 0) {
            return &running->keys[i];
        }
    }
    return NULL;
}

bool running_agent_keeps(const struct running_agent *running, const char *gateway)
{
    for (unsigned i = 0; i < running->kept; i++) {
        if (gateway_name_equal(running->kept_names[i], gateway)) {
            return true;
        }
    }
    return false;
}

/* ---- asking for more ---------------------------------------------------------- */

static int take_answer(const json_t *reply, struct why *why)
{
    const char *join = json_string_value(json_object_get(reply, "join"));
    const char *gateway = json_string_value(json_object_get(reply, "gateway"));
    const char *message = json_string_value(json_object_get(reply, "message"));
    const char *error = json_string_value(json_object_get(reply, "error"));
    if (!join || !gateway) {
        return why_set(why, error && strcmp(error, "invalid") == 0 ? -EINVAL : -EPERM, "%.300s",
                       message ? message : "the running vps-agent's answer makes no sense");
    }
    invite_print(gateway, json_integer_value(json_object_get(reply, "until")), join);
    return 0;
}

int running_agent_invite(const char *state_dir, const struct running_agent_wish *wish,
                         struct why *why)
{
    char line[LINES_LEN_MAX];
    struct text text = text_over(line, sizeof line);
    json_t *reply = NULL,
           *request = json_pack("{s:s, s:s, s:I}", "command",
                                wish->renew ? "gateway rotate" : "gateway add", "gateway",
                                wish->gateway, "valid", (json_int_t)wish->valid_s);
    char *dumped = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    text_add(&text, "%s\n", dumped ? dumped : "");
    free(dumped);
    if (text.len < 2 || text.cut) { /* not UTF-8, or far too long */
        return why_set(why, -EINVAL, "that is not a gateway's name");
    }
    int err = ask(state_dir, line, &reply, why);
    err = err < 0 ? err : take_answer(reply, why);
    json_decref(reply);
    return err;
}

/* pamctl finds the default one by itself. */
void running_agent_add_reload(struct text *text, const char *state_dir)
{
    if (strcmp(state_dir, STATE_DIR_DEFAULT) == 0) {
        text_add(text, "sudo pamctl reload");
    } else {
        text_add(text, "sudo pamctl --socket %s%s reload", state_dir, STATE_DIR_SOCKET);
    }
}
