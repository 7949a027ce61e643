/*
 * agent_core: what the files of the agent (agent*.c) share: its parts, and who makes them.
 */
#ifndef PAMTUNNEL_VPS_AGENT_CORE_H
#define PAMTUNNEL_VPS_AGENT_CORE_H

#include <stdbool.h>
#include <uv.h>

#include "base/journal.h"
#include "base/notify.h"
#include "base/signals.h"
#include "shared/monitor.h"
#include "vps/admin/admin.h"
#include "vps/audit/audit.h"
#include "vps/chat/bot.h"
#include "vps/consent/holds.h"
#include "vps/factor/factors.h"
#include "vps/figures/figures.h"
#include "vps/gateways/gateways.h"
#include "vps/grant/publisher.h"
#include "vps/people/people_run.h"
#include "vps/session/sessions_run.h"
#include "vps/waking/wakings.h"

struct agent {
    struct vps_settings *settings;
    const char *env_file;
    struct log *log;
    uv_loop_t loop;
    struct signals *signals;
    int reserved; /* STATE_DIR is ours */
    struct store *store;
    struct journal *journal; /* NULL: there is none */
    struct audit *audit;
    struct people *people;
    struct publisher *publisher; /* of .rdp files */
    struct sessions *sessions;
    struct holds *holds;
    struct wakings *wakings;
    struct factors *factors;
    struct gateways *gateways;
    struct admin *admin;
    struct transport *transport; /* Telegram; NULL with --local, as is the bot */
    struct bot *bot;
    struct figures *figures; /* of METRICS_LISTEN, as the next two; or NULL */
    struct monitor *monitor;
    struct monitor_place metrics; /* until `monitor` has it */
    struct notify *notify;
    bool stopping;
    int err; /* why the agent ends, if not on request */
    struct why why;
};

/*
 * Makes the parts that are not the agent's own, in their order, and starts the state's thread. 0,
 * or -errno with a line in why: agent_stop() takes away what there is by then.
 */
int agent_make_parts(struct agent *agent, struct why *why);

/* Ends everything in order, once; the loop returns when the last handle is gone. */
void agent_stop(struct agent *agent);
/* Other settings, for pamctl: as program_reload(). arg is the agent. */
int agent_reload(void *arg, struct changes *ret_changes, struct why *why);

#endif
