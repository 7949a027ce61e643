/*
 * A command is a row of COMMANDS, or a kind of session, whose name opens one. It reads its words,
 * calls what it is for, and returns the whole answer; nothing is kept from one call to the next.
 * What cannot be answered yet returns NULL and says in the call what it waits for: admin.c then
 * keeps the client, so that no command knows of sockets or of who else is waiting.
 *
 * Re-entrancy: closing a session, admitting a client and blocking one (admin_clients.c) tell the
 * sessions' watchers, the admin socket among them, before they return. What is needed of a session
 * afterwards is read from it again, so that the answer shows what has become of it.
 */
#include "vps/admin/admin_commands.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "vps/admin/admin_applicants.h"
#include "vps/admin/admin_audit.h"
#include "vps/admin/admin_clients.h"
#include "vps/admin/admin_discovery.h"
#include "vps/admin/admin_factors.h"
#include "vps/admin/admin_gateways.h"
#include "vps/admin/admin_holds.h"
#include "vps/admin/admin_keys.h"
#include "vps/admin/admin_reply.h"
#include "vps/admin/admin_users.h"
#include "vps/admin/admin_waking.h"
#include "vps/grant/rdpfile.h"
#include "vps/session/sessions_run.h"

const char *admin_text(const json_t *request, const char *key)
{
    const char *text = json_string_value(json_object_get(request, key));
    return text ? text : "";
}

static int read_target(const json_t *request, const struct kind_row *kind,
                       struct target *ret_target, struct why *why)
{
    return target_parse_for(kind, admin_text(request, "target"), ret_target, why);
}

static json_t *not_opened(int err, struct why *why)
{
    size_t len = strlen(why->text);
    if (err == -EDQUOT) { /* the bot shows buttons; here these do the same */
        snprintf(why->text + len, sizeof why->text - len,
                 " pamctl sessions lists them, pamctl close ID ends one.");
    }
    return reply_errno(err, why->text);
}

static json_t *open_session(struct admin_call *call, const json_t *request,
                            const struct kind_row *kind)
{
    struct session_request wanted = {.owner = {OWNER_LOCAL, call->uid}, .kind = kind->kind};
    struct why why = {""};
    int err = read_target(request, kind, &wanted.target, &why);
    wanted.at_entrance = json_is_true(json_object_get(request, "entrance"));
    if (err == 0 && wanted.at_entrance && call->options->settings->entrance_port == 0) {
        err = why_set(&why, -EINVAL, "This server has no entrance: ENTRANCE_PORT is not set.");
    }
    request_take_reason(&wanted, admin_text(request, "why"));
    if (err == 0) {
        err = holds_open(call->options->holds, &wanted, &call->asked.session, &call->asked.hold,
                         &why);
    }
    call->asked.follows = json_is_true(json_object_get(request, "follows"));
    call->asked.follows_waking = json_is_true(json_object_get(request, "follows_waking"));
    return err < 0 && err != -EINPROGRESS ? not_opened(err, &why) : NULL;
}

/* Of the client whose request is on hold. */
static json_t *do_wait(struct admin_call *call, const json_t *request)
{
    (void)request;
    call->waits_on = true;
    return NULL;
}

/* A code of the second factor, for that. */
static json_t *do_code(struct admin_call *call, const json_t *request)
{
    call->waits_on = true;
    call->code = admin_text(request, "code");
    return NULL;
}

/* {"look":true}: only what the file would be called, so that pamctl can see whether it may be. */
static json_t *name_of_file(struct admin_call *call, const json_t *request,
                            const struct kind_row *kind)
{
    struct target target;
    struct gateway *gateway;
    struct why why = {""};
    struct gateway_view view;
    char name[SESSION_FILE_NAME_SIZE];
    int err = read_target(request, kind, &target, &why);
    if (err == 0) {
        err = gateways_pick(call->options->gateways, target.gateway, &gateway, &why);
    }
    if (err < 0) {
        return reply_errno(err, why.text);
    }
    gateway_view(gateway, &view);
    rdpfile_name(gateways_are_several(call->options->gateways) ? view.name : "", target.host, name);
    return json_pack("{s:b, s:s}", "ok", 1, "file", name);
}

/* The command is the kind's name. */
static json_t *do_kind(struct admin_call *call, const json_t *request, const struct kind_row *kind)
{
    bool looks = kind->gives == KIND_GIVES_file && json_is_true(json_object_get(request, "look"));
    return looks ? name_of_file(call, request, kind) : open_session(call, request, kind);
}

static int count_connections(struct sessions *sessions)
{
    unsigned count = 0;
    for (struct session *s = sessions_next(sessions, NULL); s; s = sessions_next(sessions, s)) {
        struct session_view view;
        session_view(s, &view);
        count += view.connections;
    }
    return (int)count;
}

static json_t *do_status(struct admin_call *call, const json_t *request)
{
    const struct admin_options *options = call->options;
    (void)request;
    json_t *gateways = json_array();
    const struct gateway *gateway = NULL;
    call->at_once = true; /* a disk that is slow is what somebody may want to see */
    while ((gateway = gateways_next(options->gateways, gateway))) {
        json_array_append_new(gateways, reply_gateway(gateway));
    }
    const char *telegram = !options->bot                            ? "off"
                           : bot_status(options->bot) == BOT_ONLINE ? "online"
                                                                    : "connecting";
    json_t *reply = json_pack(
        "{s:b, s:s, s:I, s:s, s:o, s:i, s:i, s:b}", "ok", 1, "version", PAMTUNNEL_VERSION, "uptime",
        (json_int_t)((clock_ms() - call->started_ms) / 1000), "telegram", telegram, "gateways",
        gateways, "sessions", (int)sessions_count(options->sessions), "connections",
        count_connections(options->sessions), "draining", sessions_are_draining(options->sessions));
    json_object_set_new(reply, "away", reply_away(gateways_attendance(options->gateways)));
    /* How many may come: with none, somebody has to do something first. */
    json_object_set_new(
        reply, "keys",
        json_integer((json_int_t)keyring_count(gateways_keyring(options->gateways))));
    json_object_set_new(reply, "locked", reply_lock(options->sessions));
    json_object_set_new(reply, "audit", reply_audit(options->audit, options->settings));
    json_object_set_new(reply, "signing", reply_signing(options->publisher));
    json_object_set_new(reply, "doubts",
                        json_integer(pins_doubt_count(sessions_pins(options->sessions))));
    reply_add_telegram(reply, options->bot);
    return reply;
}

static json_t *do_keys(struct admin_call *call, const json_t *request)
{
    (void)request;
    return reply_keys(gateways_keyring(call->options->gateways));
}

static json_t *wait_for_drain(struct admin_call *call)
{
    struct sessions *sessions = call->options->sessions;
    call->draining = sessions_are_draining(sessions) && sessions_count(sessions) > 0;
    return call->draining ? NULL : reply_drain(sessions);
}

/*
 * {"off":true} opens the server again. {"wait":true} changes nothing: it is answered when
 * no session is left, or when somebody calls it off.
 */
static json_t *do_drain(struct admin_call *call, const json_t *request)
{
    struct sessions *sessions = call->options->sessions;
    bool on = !json_is_true(json_object_get(request, "off"));
    if (json_is_true(json_object_get(request, "wait"))) {
        return wait_for_drain(call);
    }
    /* A script may ask for it again and again; only what changes something is worth a line. */
    if (on != sessions_are_draining(sessions)) {
        log_info(call->options->log, on ? "draining: no new sessions are opened"
                                        : "draining is called off: sessions are opened again");
    }
    sessions_drain(sessions, on);
    return reply_drain(sessions);
}

static json_t *reply_locked(const struct sessions *sessions, bool changed, unsigned ended)
{
    return json_pack("{s:b, s:o, s:b, s:i}", "ok", 1, "locked", reply_lock(sessions), "changed",
                     changed, "ended", (int)ended);
}

static json_t *do_panic(struct admin_call *call, const json_t *request)
{
    const struct owner by = {OWNER_LOCAL, call->uid};
    unsigned ended = 0;
    (void)request;
    bool changed = sessions_lock(call->options->sessions, &by, &ended);
    return reply_locked(call->options->sessions, changed, changed ? ended : 0);
}

static json_t *do_unlock(struct admin_call *call, const json_t *request)
{
    const struct owner by = {OWNER_LOCAL, call->uid};
    (void)request;
    bool changed = sessions_unlock(call->options->sessions, &by);
    return reply_locked(call->options->sessions, changed, 0);
}

static json_t *do_sessions(struct admin_call *call, const json_t *request)
{
    struct sessions *sessions = call->options->sessions;
    (void)request;
    json_t *list = json_array();
    struct session *session = NULL;
    while ((session = sessions_next(sessions, session))) {
        struct session_view view;
        json_t *reply = reply_session(session);
        session_view(session, &view);
        reply_add_person(reply, call->options->people, &view.owner);
        json_array_append_new(list, reply);
    }
    return json_pack("{s:b, s:o}", "ok", 1, "sessions", list);
}

struct session *admin_session(struct admin_call *call, const json_t *request, json_t **ret_reply)
{
    struct session *session = sessions_find(call->options->sessions,
                                            admin_text(request, "session"));
    if (!session) {
        *ret_reply = reply_error("no_such_session",
                                 "There is no open session with that ID; see pamctl sessions.");
    }
    return session;
}

static json_t *do_close(struct admin_call *call, const json_t *request)
{
    json_t *reply;
    const struct owner by = {OWNER_LOCAL, call->uid};
    struct session *session = admin_session(call, request, &reply);
    if (!session) {
        return reply;
    }
    session_close_by(session, &by);
    reply = reply_ok();
    json_object_set_new(reply, "session", reply_session(session));
    return reply;
}

static json_t *do_extend(struct admin_call *call, const json_t *request)
{
    json_t *reply;
    const struct owner by = {OWNER_LOCAL, call->uid};
    struct session *session = admin_session(call, request, &reply);
    if (!session) {
        return reply;
    }
    int err = session_extend(session, &by);
    if (err == -EACCES) {
        return reply_error("not_allowed",
                           "The policy does not allow this session now: its hours are over, or the "
                           "right to it. It ends when its time is over.");
    }
    if (err < 0) {
        return reply_error("nothing_to_extend", "There is nothing to extend: nobody is connected, "
                                                "or a rule has set its longest time.");
    }
    reply = reply_ok();
    json_object_set_new(reply, "session", reply_session(session));
    return reply;
}

static json_t *do_reload(struct admin_call *call, const json_t *request)
{
    struct changes changes;
    struct why why = {""};
    (void)request;
    if (call->options->reload(call->options->arg, &changes, &why) < 0) {
        char sentence[sizeof why.text + 64];
        snprintf(sentence, sizeof sentence, "Nothing was changed: %s", why.text);
        return reply_error("not_reloaded", sentence);
    }
    return reply_reloaded(&changes);
}

/* A NULL reply means later, when what `call` waits for has happened. */
static const struct {
    const char *name;
    json_t *(*run)(struct admin_call *call, const json_t *request);
} COMMANDS[] = {
    {"status", do_status},
    {"sessions", do_sessions},
    {"close", do_close},
    {"admit", admin_admit},
    {"block", admin_block},
    {"drain", do_drain},
    {"known", admin_known},
    {"forget", admin_forget},
    {"gateway pair", admin_gateway_pair},
    {"gateway pending", admin_gateway_pending},
    {"gateway accept", admin_gateway_accept},
    {"gateway deny", admin_gateway_deny},
    {"gateway list", admin_gateway_list},
    {"gateway add", admin_gateway_add},
    {"gateway rotate", admin_gateway_rotate},
    {"gateway remove", admin_gateway_remove},
    {"approvals", admin_approvals},
    {"approve", admin_approve},
    {"deny", admin_deny},
    {"wait", do_wait},
    {"code", do_code},
    {"totp", admin_totp},
    {"totp list", admin_totp_list},
    {"totp remove", admin_totp_remove},
    {"totp unlock", admin_totp_unlock},
    {"key list", admin_key_list},
    {"key accept", admin_key_accept},
    {"key leave", admin_key_leave},
    {"key forget", admin_key_forget},
    {"user list", admin_user_list},
    {"user invite", admin_user_invite},
    {"user remove", admin_user_remove},
    {"keys", do_keys},
    {"reload", do_reload},
    {"extend", do_extend},
    {"panic", do_panic},
    {"unlock", do_unlock},
    {"discover", admin_discover},
    {"audit", admin_audit},
    {"audit verify", admin_audit_verify},
    {"backup", admin_backup},
    {"wake", admin_wake},
    {"wake list", admin_wake_list},
};

struct later *admin_later(struct admin_call *call, void (*gone)(void *arg), void *arg)
{
    call->later = later_new(call->laters, call->client, gone, arg);
    return call->later;
}

json_t *admin_run(struct admin_call *call, const json_t *request)
{
    const char *name = admin_text(request, "command");
    /* Kinds first: a new one is a row of theirs, and nothing has to be added here. */
    const struct kind_row *kind = kind_find(name);
    if (kind) {
        return do_kind(call, request, kind);
    }
    for (unsigned i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++) {
        if (strcmp(COMMANDS[i].name, name) == 0) {
            return COMMANDS[i].run(call, request);
        }
    }
    return reply_error("unknown_command", "vps-agent does not know this command; are pamctl and "
                                          "vps-agent of the same version?");
}
