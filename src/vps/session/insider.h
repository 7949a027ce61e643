/*
 * insider: who is in at a session's public port: from where, since when, and by whose word. It
 * is a party (addr_same_party()), and may come several times.
 */
#ifndef PAMTUNNEL_VPS_SESSION_INSIDER_H
#define PAMTUNNEL_VPS_SESSION_INSIDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"
#include "base/text.h"
#include "vps/grant/owner.h"
#include "vps/settings/settings.h"

/* By what the first client was let in. */
enum way_in { WAY_NONE, WAY_SECRET, WAY_KNOWN, WAY_AUTO, WAY_PERSON, WAY_LINK };

/* Zero-initialised is nobody. */
struct insider {
    bool is_in;
    bool is_silent;           /* came without a word, by ADMIT=auto: front_is_unclaimed() */
    bool is_admitted;         /* by a person, and in */
    uint8_t way_in;           /* an enum way_in; WAY_PERSON and WAY_LINK before that one is in */
    struct addr client;       /* by its latest address */
    uint64_t since_ms;        /* by clock_ms(); 0: nobody is in */
    int64_t since_unix;       /* 0: nobody is in */
    uint64_t silent_from;     /* what had gone to the target before a silent one came */
    struct owner admitted_by; /* WAY_PERSON; WAY_LINK: whose link it was */
};

/* Its first client is in, at `client`. admit is the setting. */
void insider_enter(struct insider *insider, bool has_secret, enum admit admit);
/* It has said nothing, and is gone: nobody is in. */
void insider_forget(struct insider *insider);
/* Somebody is in, and this one comes from the same party. */
bool insider_is(const struct insider *insider, const struct addr *from);
/* The person who admitted it, or whose link did; NULL: there was no need for one. */
const struct owner *insider_admitted_by(const struct insider *insider);
/*
 * For programs, a word that never changes its meaning: "secret", "known", "auto", "person",
 * "link".
 */
const char *insider_way_word(const struct insider *insider);
/* "admitted by telegram:42", "known address", for the log. */
void insider_add_way_in(const struct insider *insider, struct text *text);

#endif
