/*
 * telegram: the transport that is Telegram. It puts together what this folder has: the Bot API
 * (api), what comes in (poller), what goes out (outbox), small calls beside that (calls), and
 * the messages that an earlier process left behind (leftovers).
 */
#ifndef PAMTUNNEL_VPS_TELEGRAM_TELEGRAM_H
#define PAMTUNNEL_VPS_TELEGRAM_TELEGRAM_H

#include <uv.h>

#include "base/log.h"
#include "vps/audit/audit.h"
#include "vps/store/store.h"
#include "vps/transport/transport.h"

/* All of it outlives the transport. */
struct telegram_options {
    uv_loop_t *loop;
    const struct log *log;
    struct store *store; /* may be NULL; not started yet */
    struct audit *audit; /* may be NULL */
    const char *state_dir;
    const char *api_url;
    const char *token;
    const char *proxy; /* of the form that base/proxy.h checks; "": as the environment says */
};

/*
 * Nothing is sent before transport_start(). -EINVAL: api_url and token make no URL; -ENOMEM. It is
 * given back with transport_free().
 */
int telegram_new(const struct telegram_options *options, struct transport **ret_transport);

#endif
