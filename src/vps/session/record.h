/*
 * record: what the audit says of sessions; and that one is open is on the disk before its user is
 * told, which begins with the target that answers, and is over when the store has written it, or
 * could not.
 */
#ifndef PAMTUNNEL_VPS_SESSION_RECORD_H
#define PAMTUNNEL_VPS_SESSION_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "vps/audit/audit.h"
#include "vps/session/terms.h"

/* This person's name, of the policy. NULL: it does not know that account, or there is none. */
const char *record_name(const struct services *services, const struct owner *owner);
/* An entry with what a session's terms say: whose it is, where to, and through which gateway. */
struct audit_entry record_entry(enum audit_event what, const struct terms *terms);

/* Zero-initialised is not begun. */
struct record {
    char *resolved;       /* what the gateway dials, until it is recorded; NULL: it did not say */
    const char *found_by; /* whom it has that from; NULL: its name servers, or it was an address */
    enum { RECORD_NOT, RECORD_UNDER_WAY, RECORD_OVER } state;
};

/* Somebody has decided about what a target showed. */
void record_decided_key(const struct services *services, const struct pin_doubt *doubt, bool accept,
                        const struct owner *by);

void record_forgotten_key(const struct services *services, const struct pin *pin,
                          const struct owner *by);

/* Who knew a name, as the gateway says (enum tunnel_found_by): "mdns". NULL: its name servers. */
const char *record_found_by(unsigned found_by);
/* Of TUNNEL_READY. The first one counts. */
void record_target(struct record *record, const char *address, unsigned found_by);
/*
 * Records it, once: true if that is over, or if there is no audit. False: done(arg, err) will be
 * called, from the loop, unless record_done() comes before; err is -errno if it could not be
 * written.
 */
bool record_opened(struct record *record, const struct terms *terms, uint16_t public_port,
                   uint16_t data_port, void (*done)(void *arg, int err), void *arg);
/* Frees what it holds; done is not called any more. */
void record_done(struct record *record, const struct terms *terms, const void *arg);

#endif
