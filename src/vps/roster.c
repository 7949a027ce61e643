#include "vps/roster.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/changes.h"

/* ---- users ---------------------------------------------------------------- */

static bool has_user(const struct user_list *users, int64_t user)
{
    for (unsigned i = 0; i < users->count; i++) {
        if (users->ids[i] == user) {
            return true;
        }
    }
    return false;
}

bool roster_has_user(const struct vps_settings *settings, int64_t user)
{
    return has_user(&settings->allowed_users, user);
}

static void add_missing_users(const struct user_list *from, const struct user_list *in,
                              const char *verb, struct text *text)
{
    char id[24];
    for (unsigned i = 0; i < from->count; i++) {
        if (!has_user(in, from->ids[i])) {
            snprintf(id, sizeof id, "%" PRId64, from->ids[i]);
            changes_add_item(text, id, verb);
        }
    }
}

void roster_users_differ(const void *before, const void *after, struct text *text)
{
    add_missing_users(after, before, "added", text);
    add_missing_users(before, after, "removed", text);
}

/* ---- gateways ------------------------------------------------------------- */

static const struct gateway_key *find_key(const struct key_list *keys, const char *name)
{
    for (unsigned i = 0; i < keys->count; i++) {
        if (strcasecmp(keys->keys[i].name, name) == 0) {
            return &keys->keys[i];
        }
    }
    return NULL;
}

const struct gateway_key *roster_key(const struct vps_settings *settings, const char *gateway)
{
    const struct gateway_key *key = find_key(&settings->tunnel_key, gateway);
    return key ? key : find_key(&settings->tunnel_key, "");
}

static bool is_same(const struct gateway_key *a, const struct gateway_key *b)
{
    return crypto_equal(a->key, b->key, sizeof a->key);
}

bool roster_keeps_key(const struct vps_settings *before, const struct vps_settings *after,
                      const char *gateway)
{
    const struct gateway_key *was = roster_key(before, gateway), *is = roster_key(after, gateway);
    return was && is && is_same(was, is);
}

static void add_key(const struct gateway_key *key, const char *verb, struct text *text)
{
    changes_add_item(text, key->name[0] ? key->name : "the key without a name", verb);
}

void roster_keys_differ(const void *before, const void *after, struct text *text)
{
    const struct key_list *was = before, *is = after;
    for (unsigned i = 0; i < is->count; i++) {
        const struct gateway_key *key = &is->keys[i], *old = find_key(was, key->name);
        if (!old) {
            add_key(key, "added", text);
        } else if (!is_same(old, key)) {
            add_key(key, "has another key", text);
        } else if (old->until != key->until) {
            add_key(key, "has another time for its first use", text);
        }
    }
    for (unsigned i = 0; i < was->count; i++) {
        if (!find_key(is, was->keys[i].name)) {
            add_key(&was->keys[i], "removed", text);
        }
    }
}
