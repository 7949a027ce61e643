#include "vps/session/shown.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "vps/session/record.h"

struct pin_target shown_target(const struct terms *terms)
{
    return (struct pin_target){
        .gateway = terms->gateway, .host = terms->host, .port = terms->port, .kind = terms->kind};
}

/* What the policy says that it has to show; NULL: nothing. */
static const uint8_t *said_by_policy(const struct terms *terms)
{
    const struct policy *policy = people_policy(terms->services->people);
    return policy ? policy_shown(policy, terms->kind, terms->gateway, terms->host, terms->port)
                  : NULL;
}

/*
 * The gateway is asked for each session, and knows by itself when it has to look again: that costs
 * the target a connection without a login, which some servers count.
 */
void shown_ask(const struct terms *terms, uint16_t channel, struct message_open_tunnel *open)
{
    const struct pins *pins = terms->services->pins;
    const struct pin_target target = shown_target(terms);
    if (!pins || !kind_row(terms->kind)->shows) {
        return;
    }
    const struct pin *pin = pins_find(pins, &target);
    open->flags = channel == 0 ? TUNNEL_LOOK : 0;
    const uint8_t *said = said_by_policy(terms);
    if (said || pin) {
        memcpy(open->identity, said ? said : pin->identity.sha256, sizeof open->identity);
    }
}

/* ---- what the gateway says ---------------------------------------------------- */

/* -ENOENT: it has not looked, or there was nothing to see. -EINVAL: that is nothing of the kind. */
static int read_identity(enum kind kind, const struct message_tunnel_ready *ready,
                         struct identity *ret_identity)
{
    static const uint8_t NOTHING[CRYPTO_HASH_SIZE];
    struct identity identity = {.from = (int64_t)(ready->certificate_from & INT64_MAX),
                                .until = (int64_t)(ready->certificate_until & INT64_MAX)};
    if (ready->host_key[0]) {
        return kind == KIND_SSH ? identity_of_key(ready->host_key, ret_identity) : -EINVAL;
    }
    if (memcmp(ready->certificate, NOTHING, sizeof NOTHING) == 0) {
        return -ENOENT;
    }
    if (kind != KIND_RDP) {
        return -EINVAL;
    }
    memcpy(identity.sha256, ready->certificate, sizeof identity.sha256);
    memcpy(identity.sha1, ready->certificate_sha1, sizeof identity.sha1);
    *ret_identity = identity;
    return 0;
}

static void record_key(enum audit_event what, const struct terms *terms,
                       const struct identity *identity, const struct identity *before)
{
    char text[IDENTITY_TEXT_MAX], was[IDENTITY_TEXT_MAX];
    struct audit_entry entry = record_entry(what, terms);
    entry.text = identity_text(identity, text);
    if (before->key || before->until) {
        entry.why = identity_text(before, was);
    }
    audit_record(terms->services->audit, &entry, NULL, NULL);
    log_info(log_of(terms), "session %s: %s shows %s%s%s", terms->id, terms->host, entry.text,
             entry.why ? ", before that " : "", entry.why ? entry.why : "");
}

static int another(const struct terms *terms, const struct pin_sight *sight, struct why *why)
{
    char since[CLOCK_TEXT_MAX];
    bool decides = !people_policy(terms->services->people);
    return why_set(why, -EKEYREJECTED,
                   decides
                       ? "it shows another %s than on %s; nothing is opened until you have said "
                         "whether that is right"
                       : "it shows another %s than on %s; nothing is opened until an "
                         "administrator has said whether that is right",
                   kind_row(terms->kind)->shows, clock_day(sight->since, since));
}

/* What was known before, where the gateway has not looked, or saw nothing. */
static void take_pin(struct shown *shown, const struct terms *terms)
{
    const struct pin_target target = shown_target(terms);
    const struct pins *pins = terms->services->pins;
    const struct pin *pin = pins ? pins_find(pins, &target) : NULL;
    if (pin && identity_copy(&pin->identity, &shown->identity) == 0) {
        shown->since = pin->since;
    }
}

/* It is not what the policy says: no button changes that. */
static int not_as_said(const struct terms *terms, const struct identity *identity,
                       const uint8_t *said, struct why *why)
{
    char now[IDENTITY_TEXT_MAX], right[IDENTITY_TEXT_MAX];
    identity_hash_text(said, !identity->key, right);
    struct audit_entry entry = record_entry(AUDIT_KEY_CHANGED, terms);
    entry.text = identity_text(identity, now);
    entry.why = right;
    audit_record(terms->services->audit, &entry, NULL, NULL);
    log_warn(log_of(terms), "session %s: %s shows %s, and the policy says %s", terms->id,
             terms->host, now, right);
    return why_set(
        why, -EKEYREJECTED,
        "it shows %s, and has to show %s by the policy; if it was reinstalled, that has to "
        "be changed there",
        now, right);
}

static int not_told(const struct terms *terms, struct why *why)
{
    return why_set(why, -EKEYREJECTED,
                   "the policy says which %s it has to show, and gateway %s cannot tell; its "
                   "gateway-agent has to be a newer one",
                   kind_row(terms->kind)->shows, terms->gateway);
}

static void judge(const struct terms *terms, const struct identity *identity, bool is_said,
                  struct pin_sight *ret_sight)
{
    const struct pin_target target = shown_target(terms);
    if (is_said) {
        pins_take(terms->services->pins, &target, identity, clock_unix(), ret_sight);
    } else {
        pins_judge(terms->services->pins, &target, identity, clock_unix(), terms->id, &terms->owner,
                   ret_sight);
    }
}

/* Takes over the identity. */
static int take(struct shown *shown, const struct terms *terms, struct identity identity,
                bool is_said, struct why *why)
{
    struct pin_sight sight;
    int err = 0;
    judge(terms, &identity, is_said, &sight);
    if (sight.verdict == PIN_IS_NEW || sight.verdict == PIN_IS_RENEWED) {
        record_key(AUDIT_KEY_NEW, terms, &identity, &sight.before);
    } else if (sight.verdict == PIN_IS_ANOTHER) {
        record_key(AUDIT_KEY_CHANGED, terms, &identity, &sight.before);
        err = another(terms, &sight, why);
    }
    identity_done(&sight.before);
    *shown = (struct shown){.identity = identity,
                            .since = sight.since,
                            .is_new = sight.verdict == PIN_IS_NEW,
                            .is_renewed = sight.verdict == PIN_IS_RENEWED};
    return err;
}

int shown_take(struct shown *shown, const struct terms *terms,
               const struct message_tunnel_ready *ready, struct why *why)
{
    struct identity identity;
    bool shows = terms->services->pins && kind_row(terms->kind)->shows;
    const uint8_t *said = shows ? said_by_policy(terms) : NULL;
    int err = shows ? read_identity(terms->kind, ready, &identity) : -ENOENT;
    shown_done(shown);
    if (err == -EINVAL) {
        log_warn(log_of(terms), "session %s: gateway %s says what is no %s", terms->id,
                 terms->gateway, kind_row(terms->kind)->shows);
    }
    if (shows && err == -ENOENT) {
        log_info(
            log_of(terms),
            "session %s: gateway %s has not told by which %s %s can be known; its log says why, "
            "if it can look",
            terms->id, terms->gateway, kind_row(terms->kind)->shows, terms->host);
    }
    if (err < 0 && said) {
        return not_told(terms, why);
    }
    if (err < 0) {
        take_pin(shown, terms);
        return 0;
    }
    if (said && memcmp(identity.sha256, said, sizeof identity.sha256) != 0) {
        err = not_as_said(terms, &identity, said, why);
        identity_done(&identity);
        return err;
    }
    return take(shown, terms, identity, said != NULL, why);
}

void shown_refused(const struct terms *terms, const struct message_tunnel_failed *failed,
                   struct why *why)
{
    char said[160], detail[sizeof failed->detail];
    struct text cut = text_over(said, sizeof said);
    struct audit_entry entry = record_entry(AUDIT_KEY_CHANGED, terms);
    entry.why = failed->detail;
    audit_record(terms->services->audit, &entry, NULL, NULL);
    snprintf(detail, sizeof detail, "%s", failed->detail);
    text_quote(detail); /* the gateway's words stay within their marks */
    text_add(&cut, "%s", detail);
    if (said_by_policy(terms)) {
        why_set(
            why, -EKEYREJECTED,
            "it does not show what it has to by the policy: “%s”; if it was reinstalled, that has "
            "to be changed there",
            said);
        return;
    }
    why_set(why, -EKEYREJECTED,
            "it does not show the %s by which it is known: “%s”; nothing was opened. Open it "
            "again to see what it shows; pamctl key forget starts anew",
            kind_row(terms->kind)->shows ? kind_row(terms->kind)->shows : "key", said);
}

/* ---- what there is to see ----------------------------------------------------- */

void shown_view(const struct shown *shown, struct session_view *view)
{
    if (shown->since != 0) {
        view->identity = &shown->identity;
        view->identity_since = shown->since;
        view->identity_is_new = shown->is_new;
        view->identity_is_renewed = shown->is_renewed;
    }
}

void shown_done(struct shown *shown)
{
    identity_done(&shown->identity);
    *shown = (struct shown){.since = 0};
}
