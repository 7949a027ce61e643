/*
 * admin: the Unix socket in STATE_DIR for pamctl. One JSON object a line in each
 * direction (docs/protocol.md, "Admin socket"). Only root and the user of the
 * agent are heard: mode 0600, and the peer's credentials are checked.
 */
#ifndef PAMTUNNEL_VPS_ADMIN_ADMIN_H
#define PAMTUNNEL_VPS_ADMIN_ADMIN_H

#include <uv.h>

#include "base/changes.h"
#include "base/log.h"
#include "base/why.h"
#include "vps/audit/audit.h"
#include "vps/chat/bot.h"
#include "vps/consent/holds.h"
#include "vps/factor/factors.h"
#include "vps/gateways/gateways.h"
#include "vps/grant/publisher.h"
#include "vps/people/people.h"
#include "vps/session/sessions.h"
#include "vps/settings/settings.h"
#include "vps/waking/wakings.h"

struct admin;

struct admin_options {
    uv_loop_t *loop;
    const struct log *log;
    const struct vps_settings *settings;
    struct people *people;
    struct sessions *sessions;
    struct holds *holds;
    struct wakings *wakings;
    struct audit *audit; /* may be NULL */
    struct factors *factors;
    struct gateways *gateways;
    struct publisher *publisher; /* NULL: .rdp files are not signed */
    struct bot *bot;             /* NULL with --local */
    /* Reads the settings again, see reload_run(). */
    int (*reload)(void *arg, struct changes *ret_changes, struct why *why);
    void *arg;
};

/* 0, or -errno with why: the folder, or another vps-agent that uses it. */
int admin_new(const struct admin_options *options, struct admin **ret_admin, struct why *why);
/* Closes and removes the socket. Accepts NULL. */
void admin_free(struct admin *admin);

#endif
