#include "vps/waking/wakings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wakings {
    struct wakings_options options;
    struct macs *macs;
};

static void learn(struct wakings *wakings, const struct session_event *event)
{
    const struct session_view *view = event->view;
    struct mac_entry entry = {.port = view->port, .seen = event->unix_ms / 1000};
    char mac[MAC_TEXT_SIZE];
    snprintf(entry.gateway, sizeof entry.gateway, "%s", view->gateway);
    snprintf(entry.host, sizeof entry.host, "%s", view->host);
    memcpy(entry.mac, event->mac, MAC_SIZE);
    if (macs_learn(wakings->macs, &entry)) {
        log_info(wakings->options.log, "%s behind gateway %s has the MAC address %s", entry.host,
                 entry.gateway, mac_text(entry.mac, mac));
    }
}

static void on_session(void *arg, const struct session_event *event)
{
    if (event->kind == SESSION_MAC_SEEN) {
        learn(arg, event);
    }
}

const struct macs *wakings_macs(const struct wakings *wakings)
{
    return wakings->macs;
}

int wakings_new(const struct wakings_options *options, struct wakings **ret_wakings)
{
    struct wakings *wakings = calloc(1, sizeof *wakings);
    if (!wakings) {
        return -ENOMEM;
    }
    wakings->options = *options;
    wakings->macs = macs_new(options->store);
    int err = wakings->macs
                  ? sessions_watch(options->sessions,
                                   (struct session_watcher){.event = on_session, .arg = wakings})
                  : -ENOMEM;
    if (err < 0) {
        wakings_free(wakings);
        return err;
    }
    *ret_wakings = wakings;
    return 0;
}

void wakings_free(struct wakings *wakings)
{
    if (wakings) {
        sessions_unwatch(wakings->options.sessions, wakings);
        macs_free(wakings->macs);
        free(wakings);
    }
}
