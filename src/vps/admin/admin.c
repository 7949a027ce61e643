/*
 * Most requests are answered in the call that brings them. Those that take as long as a person, a
 * network or a disk does leave somebody behind who answers: an asker, who waits for a session or a
 * machine (admin_askers.h), a waiter, who knows what for (the last session to end, pairing a
 * gateway), or whoever works on it (later.h). A waiter goes when that has happened
 * (on_session_event, on_applicant_event), when the drain is called off (answer), or when the client
 * leaves (on_gone), whichever comes first.
 *
 * Re-entrancy: saying something to a client, and hanging up on it, may call on_gone() before it
 * returns, and that frees the client's waiter. A waiter is therefore taken off the list and freed
 * before its client is spoken to, and whoever answers several starts at the front of the list each
 * time. Requests run on the loop's thread and call into the sessions, whose events come back to
 * on_session_event() from inside such a call; no session is freed there, and the watcher only looks
 * at it. admin_free() is never called from inside a callback: sessions_unwatch() forbids it.
 */
#include "vps/admin/admin.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/lines.h"
#include "base/list.h"
#include "vps/admin/admin_applicants.h"
#include "vps/admin/admin_askers.h"
#include "vps/admin/admin_commands.h"
#include "vps/admin/admin_reply.h"

/* A client that is answered later. */
struct waiter {
    struct list home; /* among those that wait */
    struct lines_client *client;
    bool draining;    /* until no session is left */
    unsigned pairing; /* until this applicant is paired, or gone; 0: not for that */
};

/* An answer that waits until what it is about is on the disk. */
struct held {
    struct list home; /* among those that wait */
    struct lines_client *client;
    char *line;
};

struct admin {
    struct admin_options options;
    struct sockaddr_un at;
    uint64_t started_ms;
    struct lines *lines;
    struct list waiters;
    struct list held;
    struct laters laters;
    struct askers *askers; /* who wait for others */
};

/* ---- answers -------------------------------------------------------------- */

static void held_free(struct held *held)
{
    list_remove(&held->home);
    crypto_wipe(held->line, strlen(held->line)); /* it may hold an .rdp file's secret */
    free(held->line);
    free(held);
}

/* First taken off the list: on_gone() may come from inside. */
static void on_recorded(void *arg, int err)
{
    struct held *held = arg;
    (void)err; /* whoever waits for an answer gets one */
    list_remove(&held->home);
    lines_say(held->client, held->line);
    held_free(held);
}

static bool is_held(const struct admin *admin, const struct lines_client *client)
{
    list_each (struct held, held, &admin->held, home) {
        if (held->client == client) {
            return true;
        }
    }
    return false;
}

/*
 * Sends one line, when all that it is about is recorded, or at once, but not in front of what its
 * client was answered before; and drops the reference. This is the one place where answers go out.
 */
static void send_line(struct admin *admin, struct lines_client *client, json_t *reply, bool at_once)
{
    /* 15 digits: as many as a double holds, and no tail behind them (0.035). */
    char *line = reply ? json_dumps(reply, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    struct held *held = line ? malloc(sizeof *held) : NULL;
    json_decref(reply);
    if (!held) {
        free(line);
        lines_hang_up(client);
        return;
    }
    at_once = at_once && !is_held(admin, client);
    *held = (struct held){.client = client, .line = line};
    list_append(&admin->held, &held->home);
    if (at_once || audit_barrier(admin->options.audit, on_recorded, held)) {
        on_recorded(held, 0);
    }
}

static void say(struct admin *admin, struct lines_client *client, json_t *reply)
{
    send_line(admin, client, reply, false);
}

static void send_line_later(void *arg, struct lines_client *client, json_t *reply, bool at_once)
{
    send_line(arg, client, reply, at_once);
}

static void say_later(void *arg, struct lines_client *client, json_t *reply)
{
    say(arg, client, reply);
}

static void forget(struct admin *admin, struct held *held)
{
    audit_detach(admin->options.audit, held);
    held_free(held);
}

static struct lines_client *end_waiting(struct waiter *waiter)
{
    /* First of all, since on_gone() looks for a waiter of whoever cannot be written to. */
    struct lines_client *client = waiter->client;
    list_remove(&waiter->home);
    free(waiter);
    return client;
}

/* One that waits for the drain; it does no longer. */
static struct lines_client *take_waiter(struct admin *admin)
{
    list_each (struct waiter, waiter, &admin->waiters, home) {
        if (waiter->draining) {
            return end_waiting(waiter);
        }
    }
    return NULL;
}

static void answer_drained(struct admin *admin)
{
    struct lines_client *client;
    while ((client = take_waiter(admin))) {
        say(admin, client, reply_drain(admin->options.sessions));
    }
}

static void on_session_event(void *arg, const struct session_event *event)
{
    struct admin *admin = arg;
    if (event->kind == SESSION_CHANGED && event->to == SESSION_ENDED &&
        sessions_count(admin->options.sessions) == 0) {
        answer_drained(admin);
    }
}

static struct lines_client *take_paired(struct admin *admin, unsigned id)
{
    list_each (struct waiter, waiter, &admin->waiters, home) {
        if (waiter->pairing == id) {
            return end_waiting(waiter);
        }
    }
    return NULL;
}

static void on_applicant_event(void *arg, const struct applicant_event *event)
{
    struct admin *admin = arg;
    json_t *reply = admin_applicant_became(event);
    struct lines_client *client = reply ? take_paired(admin, event->view->id) : NULL;
    if (client) {
        say(admin, client, reply);
    } else {
        json_decref(reply);
    }
}

/* ---- requests ------------------------------------------------------------- */

static void wait_until(struct admin *admin, struct lines_client *client,
                       const struct admin_call *call)
{
    struct waiter *waiter = malloc(sizeof *waiter);
    if (!waiter) {
        lines_hang_up(client);
        return;
    }
    *waiter = (struct waiter){
        .client = client, .draining = call->draining, .pairing = call->pairing};
    list_append(&admin->waiters, &waiter->home);
}

/* Something was asked for that takes a while; or its client asks what became of it. */
static void ask_on(struct admin *admin, struct lines_client *client, const struct admin_call *call)
{
    if (call->waits_on) {
        if (!(call->code ? askers_take_code(admin->askers, client, call->code)
                         : askers_wait(admin->askers, client))) {
            say(admin, client, reply_error("nothing", "You have asked for nothing that waits."));
        }
    } else if (askers_add(admin->askers, client, &call->asked) < 0) {
        /* It stays: pamctl sessions and approvals show it, and it expires. */
        lines_hang_up(client);
    }
}

static void answer(struct admin *admin, struct lines_client *client, const json_t *request)
{
    struct admin_call call = {.options = &admin->options,
                              .started_ms = admin->started_ms,
                              .uid = lines_uid(client),
                              .laters = &admin->laters,
                              .client = client};
    json_t *reply = admin_run(&call, request);
    bool is_asked = call.asked.hold || call.asked.session || call.asked.waking;
    if (call.waits_on || (!reply && is_asked)) {
        ask_on(admin, client, &call);
    } else if (!reply && (call.draining || call.pairing)) {
        wait_until(admin, client, &call);
    } else if (reply || !call.later) {
        send_line(admin, client, reply, call.at_once);
    }
    if (!sessions_are_draining(admin->options.sessions)) {
        answer_drained(admin); /* it was called off */
    }
}

static void on_line(void *arg, struct lines_client *client, const char *line, size_t len)
{
    json_t *request = json_loadb(line, len, 0, NULL);
    /* What is no JSON was not sent by pamctl, and an answer would mean nothing to its sender. */
    if (request) {
        answer(arg, client, request);
    } else {
        lines_hang_up(client);
    }
    json_decref(request);
}

static void on_called(void *arg, struct lines_client *client)
{
    struct admin *admin = arg;
    uid_t uid = lines_uid(client);
    if (uid != 0 && uid != geteuid()) {
        log_warn(admin->options.log, "admin socket: uid %d may not use it", (int)uid);
        lines_hang_up(client);
    }
}

static void on_gone(void *arg, struct lines_client *client)
{
    struct admin *admin = arg;
    askers_gone(admin->askers, client);
    list_each (struct waiter, waiter, &admin->waiters, home) {
        if (waiter->client == client) {
            end_waiting(waiter);
        }
    }
    list_each (struct held, held, &admin->held, home) {
        if (held->client == client) {
            forget(admin, held);
        }
    }
    laters_end(&admin->laters, client);
}

/* ---- life ----------------------------------------------------------------- */

static int start_listening(struct admin *admin)
{
    struct lines_rules rules = {.loop = admin->options.loop,
                                .called = on_called,
                                .line = on_line,
                                .gone = on_gone,
                                .arg = admin};
    /* From here on the path is ours: what fails later removes it, and what fails here must not. */
    int fd = lines_listen(&admin->at, sizeof admin->at);
    if (fd < 0) {
        return fd;
    }
    admin->lines = lines_new(fd, &rules);
    if (!admin->lines) {
        close(fd);
        unlink(admin->at.sun_path);
        return -ENOMEM;
    }
    return 0;
}

int admin_new(const struct admin_options *options, struct admin **ret_admin, struct why *why)
{
    struct admin *admin = calloc(1, sizeof *admin);
    if (!admin) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    admin->options = *options;
    list_init(&admin->waiters);
    list_init(&admin->held);
    list_init(&admin->laters.list);
    admin->laters.say = send_line_later;
    admin->laters.arg = admin;
    admin->started_ms = clock_ms();
    admin->at.sun_family = AF_UNIX;
    snprintf(admin->at.sun_path, sizeof admin->at.sun_path, "%s" STATE_DIR_SOCKET,
             options->settings->state_dir);

    int err = start_listening(admin);
    if (err == 0) {
        err = sessions_watch(options->sessions,
                             (struct session_watcher){.event = on_session_event, .arg = admin});
    }
    if (err == 0) {
        const struct askers_options asking = {.loop = options->loop,
                                              .holds = options->holds,
                                              .sessions = options->sessions,
                                              .wakings = options->wakings,
                                              .people = options->people,
                                              .factors = options->factors,
                                              .say = say_later,
                                              .arg = admin};
        err = askers_new(&asking, &admin->askers);
    }
    if (err == 0 && options->gateways) {
        err = applicants_watch(
            gateways_applicants(options->gateways),
            (struct applicant_watcher){.event = on_applicant_event, .arg = admin});
    }
    if (err < 0) {
        why_set(why, err, "cannot open the admin socket %s: %s%s", admin->at.sun_path,
                strerror(-err),
                err == -EADDRINUSE ? ". Is another vps-agent running with this STATE_DIR?" : "");
        admin_free(admin);
        return err;
    }
    *ret_admin = admin;
    return 0;
}

void admin_free(struct admin *admin)
{
    if (!admin) {
        return;
    }
    sessions_unwatch(admin->options.sessions, admin);
    if (admin->options.gateways) {
        applicants_unwatch(gateways_applicants(admin->options.gateways), admin);
    }
    list_each (struct held, held, &admin->held, home) {
        forget(admin, held);
    }
    laters_end(&admin->laters, NULL);
    if (admin->lines) {
        lines_free(admin->lines);
        unlink(admin->at.sun_path);
    }
    askers_free(admin->askers);
    free(admin);
}
