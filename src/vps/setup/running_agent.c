#include "vps/setup/running_agent.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/lines_ask.h"

enum { ANSWER_MAX = 64 * 1024 };

static void read_key(struct running_agent *running, const json_t *key)
{
    const char *id = json_string_value(json_object_get(key, "id"));
    const char *origin = json_string_value(json_object_get(key, "origin"));
    if (origin && strcmp(origin, "settings") != 0) { /* an older vps-agent has no others */
        running->kept++;
    } else if (running->count < GATEWAYS_MAX) {
        struct running_agent_key *entry = &running->keys[running->count++];
        snprintf(entry->id, sizeof entry->id, "%s", id ? id : "");
        entry->used = json_is_true(json_object_get(key, "used"));
        entry->expired = json_is_true(json_object_get(key, "expired"));
    }
}

void running_agent_ask(const char *state_dir, struct running_agent *ret_running)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char answer[ANSWER_MAX];
    *ret_running = (struct running_agent){0};
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s" STATE_DIR_SOCKET, state_dir);
    int err = lines_ask(&addr, sizeof addr, "{\"command\":\"keys\"}\n", answer, sizeof answer,
                        NULL);
    /* Whoever refuses us, or keeps silent, is there. */
    ret_running->runs = err != -ENOENT && err != -ECONNREFUSED && err != -ENOTDIR;
    if (err == 0) {
        json_t *reply = json_loads(answer, 0, NULL);
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

/* pamctl finds the default one by itself. */
void running_agent_add_reload(struct text *text, const char *state_dir)
{
    if (strcmp(state_dir, STATE_DIR_DEFAULT) == 0) {
        text_add(text, "sudo pamctl reload");
    } else {
        text_add(text, "sudo pamctl --socket %s%s reload", state_dir, STATE_DIR_SOCKET);
    }
}
