/*
 * A command is a row of COMMANDS, or a kind of session, whose name opens one. It reads its words,
 * calls what it is for, and returns the whole answer; nothing is kept from one call to the next.
 * What cannot be answered yet returns NULL and says in the call what it waits for: admin.c then
 * keeps the client, so that no command knows of sockets or of who else is waiting.
 *
 * Re-entrancy: closing a session, admitting a client and blocking one tell the sessions' watchers,
 * the admin socket among them, before they return. What is needed of a session afterwards is read
 * from it again, so that the answer shows what has become of it.
 */
#include "vps/admin/admin_commands.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "vps/admin/admin_applicants.h"
#include "vps/admin/admin_audit.h"
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

/* NULL with *ret_reply set if there is no such session. */
static struct session *find_session(struct admin_call *call, const json_t *request,
                                    json_t **ret_reply)
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
    struct session *session = find_session(call, request, &reply);
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
    struct session *session = find_session(call, request, &reply);
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

/* ADDRESS, or ADDRESS#NUMBER where several wait at one address. */
struct who {
    struct addr address;
    const char *number; /* NULL: none was given */
};

/* 0, -EINVAL if it is no address, or -EDESTADDRREQ if nothing was said. */
static int read_who(const char *text, struct who *ret_who)
{
    char host[ADDR_HOST_MAX] = "";
    size_t len = strcspn(text, "#");
    snprintf(host, sizeof host, "%.*s", (int)len, text);
    ret_who->number = text[len] ? text + len + 1 : NULL;
    return !text[0]                                                           ? -EDESTADDRREQ
           : len >= sizeof host || addr_parse(host, 0, &ret_who->address) < 0 ? -EINVAL
                                                                              : 0;
}

/* Finds the parked client. -EDESTADDRREQ with one of several if that does not say which. */
static int find_parked(const struct session *session, const struct who *who, unsigned *ret_number)
{
    struct parked_view parked[PARKED_MAX];
    unsigned found = 0, count = session_parked(session, parked);
    for (unsigned i = 0; i < count; i++) {
        char text[16];
        snprintf(text, sizeof text, "%u", parked[i].number);
        if (addr_same_host(&parked[i].from, &who->address) &&
            (!who->number || strcmp(who->number, text) == 0)) {
            *ret_number = parked[i].number;
            found++;
        }
    }
    return found == 1 ? 0 : found ? -EDESTADDRREQ : -ENOENT;
}

/* "No such client is waiting to be admitted.", and who is, if somebody is. */
static json_t *nobody_waits(const struct session *session)
{
    struct parked_view parked[PARKED_MAX];
    char buffer[320], host[ADDR_HOST_MAX];
    struct text text = text_over(buffer, sizeof buffer);
    unsigned count = session_parked(session, parked);
    text_add(&text, "No such client is waiting to be admitted%s", count ? "; these are: " : "");
    for (unsigned i = 0; i < count; i++) {
        text_add(&text, "%s%s#%u", i ? ", " : "", addr_host_text(&parked[i].from, host),
                 parked[i].number);
    }
    text_add(&text, ".");
    return reply_error("nobody_waits", buffer);
}

static json_t *no_address(const char *typed)
{
    struct why why;
    why_set(&why, -EINVAL,
            "%.60s is not an address: give the one of a waiting client, as pamctl sessions shows "
            "it.",
            typed);
    return reply_error("invalid", why.text);
}

/* any_will_do: all of an address are meant anyway. */
static json_t *decide(struct admin_call *call, const json_t *request, bool any_will_do,
                      int (*verb)(struct session *session, unsigned number, const struct owner *by))
{
    json_t *reply;
    unsigned number = 0;
    struct who who;
    const struct owner by = {OWNER_LOCAL, call->uid};
    struct session *session = find_session(call, request, &reply);
    if (!session) {
        return reply;
    }
    int err = read_who(admin_text(request, "address"), &who);
    if (err == -EINVAL) {
        return no_address(admin_text(request, "address"));
    }
    err = err < 0 ? err : find_parked(session, &who, &number);
    if (err == -EDESTADDRREQ && !(any_will_do && number)) {
        return reply_error("which_client", "Say which client you mean: give its address, or "
                                           "ADDRESS#NUMBER if several are waiting there; see "
                                           "pamctl sessions.");
    }
    if (!number || verb(session, number, &by) < 0) {
        return nobody_waits(session);
    }
    reply = reply_ok();
    json_object_set_new(reply, "session", reply_session(session));
    return reply;
}

static json_t *do_admit(struct admin_call *call, const json_t *request)
{
    return decide(call, request, false, session_admit);
}

static json_t *do_block(struct admin_call *call, const json_t *request)
{
    return decide(call, request, true, session_block);
}

static json_t *do_known(struct admin_call *call, const json_t *request)
{
    (void)request;
    return reply_known(sessions_known(call->options->sessions), call->options->people);
}

/* ADDRESS, or ADDRESS/64 as the list shows it. */
static int read_party(const char *text, struct addr *ret_addr)
{
    char host[ADDR_HOST_MAX];
    size_t len = strcspn(text, "/");
    bool v6 = memchr(text, ':', len) != NULL;
    if (len >= sizeof host || (text[len] && (!v6 || strcmp(text + len, "/64") != 0))) {
        return -EINVAL;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    return addr_parse(host, 0, ret_addr);
}

static json_t *do_forget(struct admin_call *call, const json_t *request)
{
    struct addr addr;
    const char *text = admin_text(request, "address");
    if (read_party(text, &addr) < 0) {
        return reply_error("invalid", "forget takes an address as pamctl known shows it.");
    }
    unsigned gone = known_forget(sessions_known(call->options->sessions), NULL, &addr);
    if (gone == 0) {
        return reply_error("not_known", "That address is not known; see pamctl known.");
    }
    log_info(call->options->log, "uid %u: %s is no longer a known address", (unsigned)call->uid,
             text);
    const struct owner by = {OWNER_LOCAL, call->uid};
    const struct audit_entry entry = {
        .what = AUDIT_ADDRESS_FORGOTTEN, .by = &by, .address = &addr, .count = gone};
    audit_record(call->options->audit, &entry, NULL, NULL);
    return json_pack("{s:b, s:s, s:i}", "ok", 1, "address", text, "forgotten", (int)gone);
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
    {"admit", do_admit},
    {"block", do_block},
    {"drain", do_drain},
    {"known", do_known},
    {"forget", do_forget},
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
