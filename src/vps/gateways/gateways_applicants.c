/* What the control port, the keys and the names have to do with gateways that have no key yet. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "vps/gateways/gateways_core.h"

/* ---- names ----------------------------------------------------------------------- */

/* Its own keys in TUNNEL_KEY, and those that are kept and were used. */
static void look_at_keys(const struct gateways *gateways, const char *name, bool *ret_in_settings,
                         bool *ret_used)
{
    struct keyring_view key;
    *ret_in_settings = *ret_used = false;
    for (unsigned i = 0; keyring_view(gateways->keyring, i, &key); i++) {
        if (gateway_name_equal(key.gateway, name)) {
            *ret_in_settings |= key.origin == KEY_OF_SETTINGS;
            *ret_used |= key.origin != KEY_OF_SETTINGS && key.joined > 0;
        }
    }
}

/* Of those that have a key of their own, or are online with the one that has no name. */
static const char *find_like(const struct gateways *gateways, const char *name)
{
    struct nearest nearest = nearest_to(name);
    const char *known;
    for (unsigned at = 0; (known = keyring_next_name(gateways->keyring, &at));) {
        if (!gateway_name_equal(known, name)) {
            nearest_try(&nearest, known);
        }
    }
    for (struct gateway *g = gateways_next(gateways, NULL); g; g = gateways_next(gateways, g)) {
        known = channel_peer_name(g->channel);
        if (!gateway_name_equal(known, name)) {
            nearest_try(&nearest, known);
        }
    }
    return nearest.word;
}

static int check_name(void *arg, const char *name, bool *ret_replaces, const char **ret_resembles,
                      struct why *why)
{
    const struct gateways *gateways = arg;
    bool in_settings;
    look_at_keys(gateways, name, &in_settings, ret_replaces);
    if (gateways_find(gateways, name)) {
        return why_set(why, -EEXIST,
                       "a gateway named %s is online there: give this one another GATEWAY_NAME",
                       name);
    }
    if (in_settings) {
        return why_set(why, -EPERM,
                       "gateway %s has a key in TUNNEL_KEY there: put that into TUNNEL_KEY here, "
                       "or give this one another GATEWAY_NAME",
                       name);
    }
    *ret_resembles = find_like(gateways, name);
    return 0;
}

/* ---- keys ------------------------------------------------------------------------ */

static int keep(void *arg, const char *name, const uint8_t key[CRYPTO_KEY_SIZE], struct why *why)
{
    struct gateways *gateways = arg;
    const struct keyring_entry entry = {.gateway = name, .key = key, .origin = KEY_PAIRED};
    /* People were asked when none was: a yes to that is none to throw this one out. */
    if (gateways_find(gateways, name)) {
        return why_set(why, -EEXIST, "a gateway named %s has come online meanwhile", name);
    }
    return gateways_keep(gateways, &entry, why);
}

static void drop(void *arg, const char *name, const uint8_t key[CRYPTO_KEY_SIZE])
{
    gateways_take_back(arg, name, key);
}

/* ---- connections ------------------------------------------------------------------- */

static void hang_up(void *arg, struct channel *channel)
{
    struct gateways *gateways = arg;
    list_each (struct gateway, g, &gateways->list, home) {
        if (g->channel == channel) {
            gateways_remove(g);
            return;
        }
    }
}

static void turned_away(void *arg, const struct addr *from, const char *text)
{
    gateways_say_failure(arg, from, text);
}

struct applicants *gateways_new_applicants(struct gateways *gateways)
{
    const struct applicants_options options = {.loop = gateways->options.loop,
                                               .log = gateways->options.log,
                                               .audit = gateways->options.audit,
                                               .check_name = check_name,
                                               .keep = keep,
                                               .drop = drop,
                                               .hang_up = hang_up,
                                               .turned_away = turned_away,
                                               .arg = gateways};
    struct applicants *applicants = applicants_new(&options);
    if (applicants && !keyring_has(gateways->keyring, "")) {
        applicants_open(applicants);
    }
    return applicants;
}
