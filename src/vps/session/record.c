#include "vps/session/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/message.h"

const char *record_name(const struct services *services, const struct owner *owner)
{
    const struct policy_user *user = owner ? people_user(services->people, owner) : NULL;
    return user ? user->name : NULL;
}

struct audit_entry record_entry(enum audit_event what, const struct terms *terms)
{
    return (struct audit_entry){.what = what,
                                .owner = &terms->owner,
                                .name = record_name(terms->services, &terms->owner),
                                .session = terms->id,
                                .kind = kind_name(terms->kind),
                                .gateway = terms->gateway,
                                .host = terms->host,
                                .port = terms->port,
                                .target_name = terms->name};
}

const char *record_found_by(unsigned found_by)
{
    static const char *const WORDS[] = {[TUNNEL_FOUND_BY_MDNS] = "mdns",
                                        [TUNNEL_FOUND_BY_LLMNR] = "llmnr",
                                        [TUNNEL_FOUND_BY_NETBIOS] = "netbios"};
    return found_by < sizeof WORDS / sizeof *WORDS ? WORDS[found_by] : NULL;
}

void record_decided_key(const struct services *services, const struct pin_doubt *doubt, bool accept,
                        const struct owner *by)
{
    char text[IDENTITY_TEXT_MAX], was[IDENTITY_TEXT_MAX];
    const struct audit_entry entry = {.what = accept ? AUDIT_KEY_ACCEPTED : AUDIT_KEY_LEFT,
                                      .owner = &doubt->owner,
                                      .name = record_name(services, &doubt->owner),
                                      .by = by,
                                      .by_name = record_name(services, by),
                                      .session = doubt->id,
                                      .kind = kind_name(doubt->pin.kind),
                                      .gateway = doubt->pin.gateway,
                                      .host = doubt->pin.host,
                                      .port = doubt->pin.port,
                                      .text = identity_text(&doubt->shown, text),
                                      .why = identity_text(&doubt->pin.identity, was)};
    audit_record(services->audit, &entry, NULL, NULL);
}

void record_forgotten_key(const struct services *services, const struct pin *pin,
                          const struct owner *by)
{
    char text[IDENTITY_TEXT_MAX];
    const struct audit_entry entry = {.what = AUDIT_KEY_FORGOTTEN,
                                      .by = by,
                                      .by_name = record_name(services, by),
                                      .kind = kind_name(pin->kind),
                                      .gateway = pin->gateway,
                                      .host = pin->host,
                                      .port = pin->port,
                                      .text = identity_text(&pin->identity, text)};
    audit_record(services->audit, &entry, NULL, NULL);
}

void record_target(struct record *record, const char *address, unsigned found_by)
{
    if (!record->resolved && record->state == RECORD_NOT) {
        record->found_by = record_found_by(found_by);
        record->resolved = strdup(address); /* without memory the row has the name alone */
    }
}

bool record_opened(struct record *record, const struct terms *terms, uint16_t public_port,
                   uint16_t data_port, void (*done)(void *arg, int err), void *arg)
{
    if (record->state != RECORD_NOT) {
        return record->state == RECORD_OVER;
    }
    struct audit_entry entry = record_entry(AUDIT_SESSION_OPENED, terms);
    entry.user = terms->user;
    entry.resolved = record->resolved;
    entry.found_by = record->found_by;
    entry.rule = terms->rule_line;
    entry.public_port = public_port;
    entry.data_port = data_port;
    int err = audit_record(terms->services->audit, &entry, done, arg);
    free(record->resolved);
    record->resolved = NULL;
    record->state = err == 0 ? RECORD_UNDER_WAY : RECORD_OVER;
    if (err < 0 && err != -ENODEV) {
        done(arg, err);
        return false;
    }
    return err < 0;
}

void record_done(struct record *record, const struct terms *terms, const void *arg)
{
    if (record->state == RECORD_UNDER_WAY) {
        audit_detach(terms->services->audit, arg);
        record->state = RECORD_OVER;
    }
    free(record->resolved);
    record->resolved = NULL;
}
