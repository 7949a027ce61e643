/*
 * What pamctl and programs read: docs/protocol.md ("Admin socket") has the names. Where something
 * goes wrong there is a word for programs and beside it a sentence for a person, which is free to
 * get better without breaking a script.
 *
 * No state. An answer is made from views, copies of what an object is now, and changes and keeps
 * nothing, so that one can be made from inside a session's event, even about a session that has
 * just ended. An answer that memory is too short for is NULL, and whoever asked is hung up on.
 */
#include "vps/admin/admin_reply.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"

json_t *reply_error(const char *word, const char *sentence)
{
    return json_pack("{s:b, s:s, s:s}", "ok", 0, "error", word, "message", sentence);
}

json_t *reply_errno(int err, const char *sentence)
{
    return reply_error(session_refusal_word(err), sentence);
}

json_t *reply_ok(void)
{
    return json_pack("{s:b}", "ok", 1);
}

json_t *reply_drain(const struct sessions *sessions)
{
    return json_pack("{s:b, s:b, s:i}", "ok", 1, "draining", sessions_are_draining(sessions),
                     "sessions", (int)sessions_count(sessions));
}

json_t *reply_lock(const struct sessions *sessions)
{
    struct lockdown_view view;
    char by[OWNER_TEXT_MAX];
    return lockdown_view(sessions_lockdown(sessions), &view)
               ? json_pack("{s:s, s:I}", "by",
                           view.is_in_doubt ? "state_file" : owner_text(&view.by, by), "since",
                           (json_int_t)view.since_unix)
               : json_null();
}

static json_t *reply_parked(const struct parked_view *parked)
{
    char host[ADDR_HOST_MAX];
    return json_pack("{s:i, s:s, s:s, s:s, s:i, s:i, s:b, s:i}", "number", (int)parked->number,
                     "address", addr_host_text(&parked->from, host), "words", parked->words, "name",
                     parked->name, "waits", (int)parked->waits_s, "after", (int)parked->after_s,
                     "asked", parked->asked, "of_its_address", (int)parked->of_its_address);
}

json_t *reply_keys(const struct keyring *keyring)
{
    struct keyring_view key;
    json_t *keys = json_array();
    for (unsigned i = 0; keyring_view(keyring, i, &key); i++) {
        char id[KEYRING_ID_MAX];
        json_array_append_new(
            keys, json_pack("{s:s, s:s, s:s, s:I, s:b, s:b, s:I, s:I, s:I, s:b, s:b}", "gateway",
                            key.gateway, "id", keyring_id(key.key, id), "origin",
                            key_origin_name(key.origin), "until", (json_int_t)key.until, "used",
                            key.used, "expired", key.expired, "since", (json_int_t)key.since,
                            "joined", (json_int_t)key.joined, "seen", (json_int_t)key.seen,
                            "replaces", key.replaces, "idle", key.idle));
    }
    return json_pack("{s:b, s:o}", "ok", 1, "keys", keys);
}

/* "parked": the addresses; "waiting": the same with all that is known. */
static void add_parked(json_t *reply, const struct session *session)
{
    struct parked_view parked[PARKED_MAX];
    json_t *addresses = json_array(), *waiting = json_array();
    unsigned count = session_parked(session, parked);
    for (unsigned i = 0; i < count; i++) {
        char host[ADDR_HOST_MAX];
        json_array_append_new(addresses, json_string(addr_host_text(&parked[i].from, host)));
        json_array_append_new(waiting, reply_parked(&parked[i]));
    }
    json_object_set_new(reply, "parked", addresses);
    json_object_set_new(reply, "waiting", waiting);
}

static json_t *reply_knocking(const struct knocking *knocking)
{
    return knocking->worth_telling
               ? json_pack("{s:i, s:i, s:i}", "clients", (int)knocking->clients, "networks",
                           (int)knocking->networks, "unasked", (int)knocking->unasked)
               : json_null();
}

/* The word beside it is for programs. */
static json_t *end_reason(const struct session *session)
{
    char buffer[512];
    struct text text = text_over(buffer, sizeof buffer);
    session_end_text(session, &text);
    return json_string(buffer);
}

json_t *reply_session(const struct session *session)
{
    struct session_view view;
    session_view(session, &view);
    char shown[SESSION_TARGET_SIZE], target[TARGET_TEXT_MAX], owner[OWNER_TEXT_MAX],
        client[ADDR_HOST_MAX];
    target_format(view.host, view.port, target);
    session_target_text(session, shown);
    owner_text(&view.owner, owner);
    json_t *reply = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:o, s:I, s:o, s:I, s:I, s:i, s:i, "
        "s:s?, s:o, s:o}",
        "id", view.id, "kind", kind_name(view.kind), "target", target, "gateway", view.gateway,
        "state", session_state_name(view.state), "owner", owner, "public_port", view.public_port,
        "data_port", view.data_port, "client",
        view.has_client ? json_string(addr_host_text(&view.client, client)) : json_null(), "since",
        (json_int_t)view.opened_unix, "expires_in",
        view.seconds_left ? json_integer(view.seconds_left) : json_null(), "bytes_to_target",
        (json_int_t)view.bytes_to_target, "bytes_to_client", (json_int_t)view.bytes_to_client,
        "connections", (int)view.connections, "connections_total", (int)view.connections_total,
        "note", view.note, "knocking", reply_knocking(&view.knocking), "reason",
        view.state == SESSION_ENDED ? end_reason(session) : json_null());
    json_object_set_new(reply, "end",
                        view.state == SESSION_ENDED ? json_string(session_end_word(view.end))
                                                    : json_null());
    json_object_set_new(reply, "name", view.name[0] ? json_string(view.name) : json_null());
    json_object_set_new(reply, "idle_ends_in",
                        view.idle_left_s ? json_integer(view.idle_left_s) : json_null());
    json_object_set_new(reply, "time_ends_in",
                        view.time_left_s ? json_integer(view.time_left_s) : json_null());
    json_object_set_new(reply, "age", json_integer(view.seconds_open));
    json_object_set_new(reply, "shown", json_string(shown));
    add_parked(reply, session);
    return reply;
}

static void add_line(json_t *reply, const struct session *session)
{
    char command[SESSION_LINE_MAX];
    struct text text = text_over(command, sizeof command);
    session_line(session, &text);
    json_object_set_new(reply, "command", json_string(command));
}

/* What else its user may want to know of the address. */
static void add_hints(json_t *reply, const struct session *session, const struct kind_row *kind)
{
    struct session_view view;
    json_t *hints = json_array();
    session_view(session, &view);
    for (const struct kind_hint *hint = kind->hints; hint->what; hint++) {
        char line[SESSION_LINE_MAX];
        struct text text = text_over(line, sizeof line);
        if (kind_hint_serves(kind, hint, view.port)) {
            session_hint(session, hint, &text);
            json_array_append_new(hints, json_pack("{s:s, s:s}", "for", hint->what, "line", line));
        }
    }
    json_object_set_new(reply, "hints", hints);
    json_object_set_new(reply, "warning", kind->warning ? json_string(kind->warning) : json_null());
}

static void add_link(json_t *reply, const struct session *session)
{
    char link[SESSION_LINE_MAX];
    struct text text = text_over(link, sizeof link);
    session_link(session, &text);
    json_object_set_new(reply, "link", json_string(link));
    crypto_wipe(link, sizeof link);
}

/* The whole of it goes under the name of its kind. */
static void add_file(json_t *reply, const char *key, const struct session *session)
{
    char file[SESSION_RDP_FILE_MAX], name[SESSION_FILE_NAME_SIZE];
    struct text text = text_over(file, sizeof file);
    session_rdp_file(session, &text);
    session_rdp_file_name(session, name);
    json_object_set_new(reply, "file", json_string(name));
    json_object_set_new(reply, key, json_string(file));
    crypto_wipe(file, sizeof file);
}

json_t *reply_opened(const struct session *session)
{
    struct session_view view;
    session_view(session, &view);
    json_t *reply = json_pack("{s:b, s:o}", "ok", 1, "session", reply_session(session));
    const struct kind_row *kind = kind_row(view.kind);
    if (reply && kind->gives == KIND_GIVES_file) {
        add_file(reply, kind->name, session);
    } else if (reply) {
        add_line(reply, session);
        add_hints(reply, session, kind);
    }
    if (reply) {
        add_link(reply, session);
    }
    return reply;
}

json_t *reply_became(const struct session *session)
{
    struct session_view view;
    char reason[512];
    struct text text = text_over(reason, sizeof reason);
    session_view(session, &view);
    if (view.state != SESSION_ENDED) {
        return reply_opened(session);
    }
    session_end_text(session, &text);
    return reply_error("not_opened", reason);
}

json_t *reply_reloaded(const struct changes *changes)
{
    char sentence[900];
    struct text text = text_over(sentence, sizeof sentence);
    json_t *list = json_array();
    for (unsigned i = 0; i < changes->count; i++) {
        const struct change *change = &changes->list[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:b}", "setting", change->name, "change",
                                        change->text, "needs_restart", (int)change->needs_restart));
    }
    changes_say(changes, &text);
    return json_pack("{s:b, s:s, s:o}", "ok", 1, "message", sentence, "changes", list);
}

void reply_add_person(json_t *reply, const struct people *people, const struct owner *owner)
{
    char name[PEOPLE_NAME_MAX];
    json_object_set_new(reply, "person", json_string(people_name(people, owner, name)));
}

json_t *reply_known(const struct known *known, const struct people *people)
{
    json_t *list = json_array();
    struct known_view view;
    unsigned at = 0;
    while (known_next(known, &at, &view)) {
        char owner[OWNER_TEXT_MAX], by[OWNER_TEXT_MAX];
        json_t *entry = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "owner",
                                  owner_text(&view.owner, owner), "address", view.party,
                                  "admitted_by", owner_text(&view.admitted_by, by), "since",
                                  (json_int_t)view.since_unix, "used", (json_int_t)view.used_unix,
                                  "until", (json_int_t)view.until_unix);
        reply_add_person(entry, people, &view.owner);
        json_array_append_new(list, entry);
    }
    return json_pack("{s:b, s:o}", "ok", 1, "known", list);
}

json_t *reply_gateway(const struct gateway *gateway)
{
    struct gateway_view view;
    gateway_view(gateway, &view);
    char host[ADDR_HOST_MAX];
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:f}", "name", view.name, "address",
                     addr_host_text(&view.from, host), "version", view.program, "since",
                     (json_int_t)view.since_unix, "age", (json_int_t)view.seconds_online, "rtt_ms",
                     (double)view.rtt_us / 1000);
}

json_t *reply_away(const struct attendance *attendance)
{
    json_t *list = json_array();
    struct attendance_away away;
    unsigned at = 0;
    while (attendance_next_away(attendance, clock_ms(), &at, &away)) {
        char host[ADDR_HOST_MAX];
        json_array_append_new(list, json_pack("{s:s, s:I, s:s?, s:b}", "name", away.name, "seconds",
                                              (json_int_t)away.seconds, "address",
                                              away.from ? addr_host_text(away.from, host) : NULL,
                                              "missed", away.missed));
    }
    return list;
}

json_t *reply_audit(const struct audit *audit, const struct vps_settings *settings)
{
    char head[AUDIT_HEAD_TEXT_MAX];
    int err = audit_trouble(audit);
    return json_pack("{s:s, s:s?, s:b}", "head", audit_head_text(audit, head), "trouble",
                     err < 0 ? strerror(-err) : NULL, "refuses",
                     err < 0 && settings->audit_full == AUDIT_FULL_REFUSE);
}

json_t *reply_signing(struct publisher *publisher)
{
    const struct rdp_certificate *certificate = publisher_certificate(publisher);
    const char *trouble = publisher_trouble(publisher);
    if (!certificate) {
        return trouble ? json_pack("{s:s}", "trouble", trouble) : json_null();
    }
    const struct rdp_certificate_view *view = rdp_certificate_view(certificate);
    return json_pack("{s:s, s:I, s:s, s:s, s:s?}", "publisher", view->publisher, "until",
                     (json_int_t)view->until_unix, "sha256", view->sha256, "thumbprint", view->sha1,
                     "doubt", view->doubt.text[0] ? view->doubt.text : NULL);
}

void reply_add_telegram(json_t *reply, const struct bot *bot)
{
    char trouble[256] = "";
    struct text text = text_over(trouble, sizeof trouble);
    uint64_t deaf_s = bot ? bot_trouble(bot, &text) : 0;
    /* It may quote a server or a proxy, and pamctl writes to a terminal. */
    text_make_visible(trouble);
    json_object_set_new(reply, "telegram_trouble", text.len ? json_string(trouble) : json_null());
    json_object_set_new(reply, "telegram_deaf", json_integer((json_int_t)deaf_s));
}
