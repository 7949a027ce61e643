/*
 * entry: what is recorded of one event, and how it is written: who, where and which session are
 * columns, by which people look for it; all else is one object of JSON, written once, so that what
 * is hashed, kept and handed out are the same bytes.
 */
#ifndef PAMTUNNEL_VPS_AUDIT_ENTRY_H
#define PAMTUNNEL_VPS_AUDIT_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"
#include "base/text.h"
#include "vps/grant/owner.h"

enum audit_event {
#define AUDIT_EVENT(NAME, word, severity, sentence, id) AUDIT_##NAME,
#include "vps/audit/event.def"
    AUDIT_EVENT_COUNT,
};

struct audit_event_row {
    const char *word;     /* "session.opened" */
    const char *sentence; /* for people: "a session is open and waits for its user" */
    const char *id;       /* MESSAGE_ID in the journal */
    unsigned severity;    /* of CEF, 0 to 10 */
};

const struct audit_event_row *audit_event_row(enum audit_event event);
/* NULL: no event of this program has that word. */
const struct audit_event_row *audit_event_find(const char *word);

/*
 * Zero-initialised but for `what`, and for what there is to say of the event: NULL and 0 are left
 * out. Texts are read during the call that takes the entry; what people and peers wrote may be
 * of any length and hold anything.
 */
struct audit_entry {
    enum audit_event what;
    int64_t at_ms;             /* of Unix time; 0: now */
    const struct owner *owner; /* whose session it is; who is asked, invited or removed */
    const char *name;          /* that person's, of the policy */
    const struct owner *by;    /* whose word it was, if not the owner's */
    const char *by_name;
    const char *session; /* its id */
    const char *kind;    /* "ssh" */
    const char *gateway;
    const char *user, *host; /* the target, as it is asked of the gateway */
    uint16_t port;
    const char *target_name;         /* of the policy, whatever the host and port were then */
    const char *resolved;            /* the address that the gateway dials, "192.168.1.22:22" */
    const char *found_by;            /* who in the LAN said so: "mdns", "llmnr", "netbios" */
    uint16_t public_port, data_port; /* of the session */
    const struct addr *address;      /* of the client, the visitor, the gateway */
    const char *client;              /* what it says that it is, and its name: "SSH-2.0-PuTTY" */
    const char *word;                /* for programs: how it ended, by what somebody is let in */
    const char *why;                 /* for people: the reason */
    const char *text;                /* somebody's own words, a hash, a version */
    unsigned rule;                   /* the line of the policy's rule that decided */
    unsigned number;                 /* of a client, within its session */
    uint64_t count;                  /* how often, or how many */
    bool is_over;                    /* of a session; the following are said even if they are 0 */
    uint64_t seconds;                /* connected */
    uint64_t to_target, to_client;   /* bytes */
    unsigned connections;
};

/* What an entry takes at most, whatever is in it. */
enum { AUDIT_BODY_MAX = 4096, AUDIT_TARGET_MAX = 320 };

/* All that has no column, as JSON. body has AUDIT_BODY_MAX bytes. */
void audit_entry_write(const struct audit_entry *entry, struct text *body);
/* "HOME-PC:22"; "" if there is none. dst takes AUDIT_TARGET_MAX. Returns dst. */
char *audit_entry_target(const struct audit_entry *entry, char *dst);

#endif
