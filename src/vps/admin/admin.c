/*
 * Most requests are answered in the call that brings them. Those that take as long as a person, a
 * network or a disk does (opening a session, waiting for the last one to end, pairing a gateway,
 * keeping that a code was right) leave a waiter behind: who asked, and what for. It goes when that
 * has happened (on_session_event, on_applicant_event, on_kept), when the drain is called off
 * (answer), or when the client leaves (on_gone), whichever comes first.
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
#include "vps/admin/admin_commands.h"
#include "vps/admin/admin_reply.h"

/* A client that is answered later. */
struct waiter {
    struct list home; /* among those that wait */
    struct lines_client *client;
    struct session *opening; /* until it is ready or over */
    bool draining;           /* until no session is left */
    unsigned pairing;        /* until this applicant is paired, or gone; 0: not for that */
    struct admin *admin;
    json_t *promised; /* the answer when a code that was right is on the disk */
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

/*
 * Sends one line, when all that it is about is recorded, and drops the reference. This is the one
 * place where answers go out.
 */
static void say(struct admin *admin, struct lines_client *client, json_t *reply)
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
    *held = (struct held){.client = client, .line = line};
    list_append(&admin->held, &held->home);
    if (audit_barrier(admin->options.audit, on_recorded, held)) {
        on_recorded(held, 0);
    }
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
    factors_detach(waiter->admin->options.factors, waiter);
    json_decref(waiter->promised);
    list_remove(&waiter->home);
    free(waiter);
    return client;
}

static bool is_for(const struct waiter *waiter, const struct session *session)
{
    return session ? waiter->opening == session : waiter->draining;
}

/* One that waits for the session, or with NULL for the drain; it does no longer. */
static struct lines_client *take_waiter(struct admin *admin, const struct session *session)
{
    list_each (struct waiter, waiter, &admin->waiters, home) {
        if (is_for(waiter, session)) {
            return end_waiting(waiter);
        }
    }
    return NULL;
}

static void answer_drained(struct admin *admin)
{
    struct lines_client *client;
    while ((client = take_waiter(admin, NULL))) {
        say(admin, client, reply_drain(admin->options.sessions));
    }
}

static json_t *became_of(const struct session *session, enum session_state state)
{
    if (state != SESSION_ENDED) {
        return reply_opened(session);
    }
    char reason[512];
    struct text text = text_over(reason, sizeof reason);
    session_end_text(session, &text);
    return reply_error("not_opened", reason);
}

static void on_session_event(void *arg, const struct session_event *event)
{
    struct admin *admin = arg;
    if (event->kind != SESSION_CHANGED) {
        return;
    }
    struct session_view view; /* as it is now, when another watcher may have closed it */
    session_view(event->session, &view);
    struct lines_client *client = take_waiter(admin, event->session);
    if (client) {
        say(admin, client, became_of(event->session, view.state));
    }
    if (event->to == SESSION_ENDED && sessions_count(admin->options.sessions) == 0) {
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

/* What was right counts when it is on the disk. */
static void on_kept(void *arg, const struct owner *owner, int err)
{
    struct waiter *waiter = arg;
    struct admin *admin = waiter->admin;
    json_t *reply = err < 0 ? reply_error("not_kept",
                                          "The code was right, but that cannot be written down "
                                          "now: the log of vps-agent says why.")
                            : json_incref(waiter->promised);
    (void)owner;
    say(admin, end_waiting(waiter), reply);
}

/* ---- requests ------------------------------------------------------------- */

/* Takes over the waiter. */
static void wait_until(struct admin *admin, struct lines_client *client, struct waiter *waiter,
                       const struct admin_call *call)
{
    waiter->client = client;
    waiter->opening = call->opening;
    waiter->draining = call->draining;
    waiter->promised = call->promised;
    waiter->pairing = call->pairing;
    list_append(&admin->waiters, &waiter->home);
}

static void answer(struct admin *admin, struct lines_client *client, const json_t *request)
{
    struct waiter *waiter = calloc(1, sizeof *waiter);
    struct admin_call call = {.options = &admin->options,
                              .started_ms = admin->started_ms,
                              .uid = lines_uid(client),
                              .laters = &admin->laters,
                              .client = client,
                              .kept = on_kept,
                              .kept_arg = waiter};
    if (!waiter) { /* nothing that cannot be answered is begun */
        lines_hang_up(client);
        return;
    }
    waiter->admin = admin;
    json_t *reply = admin_run(&call, request);
    if (!reply && (call.opening || call.draining || call.pairing || call.promised)) {
        wait_until(admin, client, waiter, &call);
    } else {
        free(waiter);
        if (reply || !call.later) {
            say(admin, client, reply);
        }
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
    admin->laters.say = say_later;
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
    free(admin);
}
