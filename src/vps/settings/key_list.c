/*
 * A value of TUNNEL_KEY is one entry or several, with commas between them:
 *
 *     HEX               the key that all gateways share that have none of their own
 *     NAME:HEX          the key of one gateway
 *     NAME:HEX@UNTIL    the same, and it has to be used once before this Unix time
 *
 * What is wrong with it is said without a digit of a key. The times are only read here: whether a
 * key was used in time is vps/gateways/keyring's, which remembers it.
 */
#include "vps/settings/key_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/changes.h"
#include "base/clock.h"

enum { KEY_HEX = CRYPTO_KEY_SIZE * 2, UNTIL_DIGITS = 12 };

/* ---- parsing -------------------------------------------------------------- */

/* "@UNTIL" at the end of an entry, which is cut off; its first use must come before. */
static int parse_until(char *entry, int64_t *ret_until, struct why *why)
{
    char *at = strchr(entry, '@');
    *ret_until = 0;
    if (!at) {
        return 0;
    }
    size_t digits = strspn(at + 1, "0123456789");
    *at = '\0';
    if (digits == 0 || digits > UNTIL_DIGITS || at[1 + digits]) {
        return why_set(why, -EINVAL, "what follows the @ is not a Unix time");
    }
    *ret_until = strtoll(at + 1, NULL, 10);
    return 0;
}

/* HEX or NAME:HEX. */
static int parse_name_and_key(const char *entry, struct gateway_key *key, struct why *why)
{
    size_t len = strlen(entry);
    if (len < KEY_HEX) {
        return why_set(why, -EINVAL, "a key of %zu characters", len);
    }
    /* From the end, where the key has a fixed length; in front of it are a name and a colon. */
    const char *hex = entry + len - KEY_HEX;
    size_t name_len = hex > entry ? (size_t)(hex - entry) - 1 : 0;
    if (name_len > GATEWAY_NAME_MAX || (hex > entry && entry[name_len] != ':')) {
        return -EINVAL;
    }
    memcpy(key->name, entry, name_len);
    key->name[name_len] = '\0';
    int err = crypto_unhex(hex, key->key, sizeof key->key);
    return err == 0 && hex > entry && !gateway_name_is_valid(key->name) ? -EINVAL : err;
}

/* One entry of TUNNEL_KEY, len characters: HEX, NAME:HEX or NAME:HEX@UNTIL. */
static int parse_key(const char *text, size_t len, struct gateway_key *key, struct why *why)
{
    char entry[GATEWAY_NAME_MAX + 1 + KEY_HEX + 1 + UNTIL_DIGITS + 1];
    if (len >= sizeof entry) {
        return why_set(why, -EINVAL, "a key of %zu characters", len);
    }
    memcpy(entry, text, len);
    entry[len] = '\0';
    int err = parse_until(entry, &key->until, why);
    err = err < 0 ? err : parse_name_and_key(entry, key, why);
    if (err == 0 && key->until && !key->name[0]) {
        err = why_set(why, -EINVAL,
                      "only the key of one gateway, NAME:KEY, can have an @ and a "
                      "time");
    }
    crypto_wipe(entry, sizeof entry);
    return err;
}

static int refuse_same(const struct gateway_key *a, const struct gateway_key *b, struct why *why)
{
    const struct gateway_key *named = b->name[0] ? b : a, *other = named == a ? b : a;
    return why_set(why, -EINVAL,
                   "%s%s and %s have the same key: each gateway needs its own (vps-agent --invite "
                   "%s --new-key)",
                   other->name[0] ? "the gateways " : "the gateways without a name", other->name,
                   named->name, named->name);
}

/*
 * No gateway has two keys, and no key two gateways: otherwise whoever holds the key of one could
 * log in under the name of the other and take its place. One key may be of all those that have
 * none.
 */
static int check_keys(const struct gateway_key *keys, unsigned count, bool to_mend, struct why *why)
{
    for (unsigned i = 0; i < count; i++) {
        for (unsigned k = 0; k < i; k++) {
            if (!keys[i].name[0] && !keys[k].name[0]) {
                return why_set(why, -EINVAL,
                               "two keys without a name: there can be only one; the others need "
                               "their gateways' names");
            }
            if (gateway_name_equal(keys[k].name, keys[i].name)) {
                return why_set(why, -EINVAL, "two keys for the gateway %s", keys[i].name);
            }
            if (!to_mend && crypto_equal(keys[k].key, keys[i].key, sizeof keys[i].key)) {
                return refuse_same(&keys[k], &keys[i], why);
            }
        }
    }
    return 0;
}

/* What is wrong with an entry of TUNNEL_KEY, where no more is known. */
static int explain_key(const char *entry, size_t len, struct why *why)
{
    const char *hex = memchr(entry, ':', len);
    size_t hex_len = hex ? len - (size_t)(++hex - entry) : len;
    hex = hex ? hex : entry;
    const char *until = memchr(hex, '@', hex_len);
    hex_len = until ? (size_t)(until - hex) : hex_len;
    if (strncmp(hex, "0x", 2) == 0) {
        return why_set(why, -EINVAL, "a key has no 0x in front of it");
    }
    if (hex_len != KEY_HEX) {
        return why_set(why, -EINVAL, "a key of %zu characters", hex_len);
    }
    if (strspn(hex, "0123456789abcdefABCDEF") < (size_t)KEY_HEX) {
        return why_set(why, -EINVAL,
                       "a key contains something that is not a hex digit (0 to 9, a to f)");
    }
    return why_set(why, -EINVAL, "the name in front of a key is not a valid gateway name");
}

static int parse(const struct setting *setting, const char *text, void *field, struct why *why)
{
    struct key_list *list = field;
    (void)setting;
    list->count = 0;
    for (;;) {
        if (list->count == GATEWAYS_MAX) {
            return why_set(why, -EINVAL, "more than %d keys", GATEWAYS_MAX);
        }
        size_t len = strcspn(text, ",");
        struct gateway_key *key = &list->keys[list->count++];
        int err = parse_key(text, len, key, why);
        if (err < 0) {
            /* Only what was refused is looked at once more, for the sentence that says why. */
            return why->text[0] ? err : explain_key(text, len, why);
        }
        if (!text[len]) {
            break;
        }
        text += len + 1 + strspn(text + len + 1, " ");
    }
    return check_keys(list->keys, list->count, list->to_mend, why);
}

/* ---- whose they are ------------------------------------------------------- */

static const struct gateway_key *find_own(const struct key_list *list, const char *name)
{
    for (unsigned i = 0; i < list->count; i++) {
        if (gateway_name_equal(list->keys[i].name, name)) {
            return &list->keys[i];
        }
    }
    return NULL;
}

const struct gateway_key *key_list_find(const struct key_list *list, const char *gateway)
{
    /*
     * A gateway with a key of its own does not get in with the shared one: everybody who holds that
     * could take its place.
     */
    const struct gateway_key *key = find_own(list, gateway);
    return key ? key : find_own(list, "");
}

static bool is_same(const struct gateway_key *a, const struct gateway_key *b)
{
    return crypto_equal(a->key, b->key, sizeof a->key);
}

/* ---- what differs --------------------------------------------------------- */

static void add_until(const struct gateway_key *key, struct text *text)
{
    char when[CLOCK_TEXT_MAX], verb[CLOCK_TEXT_MAX + 32];
    snprintf(verb, sizeof verb, "has until %s to join", clock_text(key->until, when));
    changes_add_item(text, key->name,
                     key->until ? verb : "no longer has to join by a certain time");
}

static void add_key(const struct gateway_key *key, const char *verb, struct text *text)
{
    changes_add_item(text, key->name[0] ? key->name : "the key without a name", verb);
}

/*
 * By name, so that a list that was only put in another order has not changed. Nothing of a key is
 * shown: this text goes to the log and to whoever reloads.
 */
static void differ(const void *before, const void *after, struct text *text)
{
    const struct key_list *was = before, *is = after;
    for (unsigned i = 0; i < is->count; i++) {
        const struct gateway_key *key = &is->keys[i], *old = find_own(was, key->name);
        if (!old) {
            add_key(key, "added", text);
        } else if (!is_same(old, key)) {
            add_key(key, "has another key", text);
        } else if (old->until != key->until) {
            add_until(key, text);
        }
    }
    for (unsigned i = 0; i < was->count; i++) {
        if (!find_own(is, was->keys[i].name)) {
            add_key(&was->keys[i], "removed", text);
        }
    }
}

bool key_list_equal(const struct key_list *before, const struct key_list *after)
{
    char buffer[CHANGE_TEXT_MAX];
    struct text text = text_over(buffer, sizeof buffer);
    differ(before, after, &text);
    return text.len == 0;
}

const struct setting_type SETTING_KEY_LIST = {parse, sizeof(struct key_list), NULL, differ};
