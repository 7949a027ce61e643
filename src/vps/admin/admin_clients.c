#include "vps/admin/admin_clients.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "vps/admin/admin_reply.h"
#include "vps/session/sessions_run.h"

/* ---- who waits --------------------------------------------------------------- */

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
    struct session *session = admin_session(call, request, &reply);
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

json_t *admin_admit(struct admin_call *call, const json_t *request)
{
    return decide(call, request, false, session_admit);
}

json_t *admin_block(struct admin_call *call, const json_t *request)
{
    return decide(call, request, true, session_block);
}

/* ---- who is known --------------------------------------------------------------- */

json_t *admin_known(struct admin_call *call, const json_t *request)
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

json_t *admin_forget(struct admin_call *call, const json_t *request)
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
