/*
 * pins: which key or certificate each target has shown, since when, and which ones are in doubt. A
 * target is a host and port behind a gateway, as it is asked for, and the kind of session. What it
 * showed first is taken for right, and pinned; another one is a doubt until a person decides.
 */
#ifndef PAMTUNNEL_VPS_PINS_PINS_H
#define PAMTUNNEL_VPS_PINS_PINS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/host.h"
#include "shared/gateway_name.h"
#include "shared/kind.h"
#include "vps/grant/identity.h"
#include "vps/grant/owner.h"
#include "vps/store/store.h"

enum {
    PINS_MAX = 1024,      /* the one that was seen the longest ago makes room... */
    PINS_SHARE = 256,     /* ...among those behind the same gateway, if it has so many */
    PIN_DOUBTS_MAX = 64,  /* the oldest makes room: the target is looked at anew */
    PIN_DOUBT_ID_MAX = 8, /* characters */
    PIN_NOTED_S = 3600,   /* once in so long it is written that a target was seen */
};

struct pin_target {
    const char *gateway, *host;
    uint16_t port;
    enum kind kind;
};

struct pin {
    struct identity identity;
    int64_t since;  /* it is known, Unix time */
    int64_t looked; /* it was seen last, to PIN_NOTED_S */
    uint16_t port;
    enum kind kind;
    char gateway[GATEWAY_NAME_MAX + 1];
    char host[HOST_MAX + 1];
};

struct pin_doubt {
    char id[PIN_DOUBT_ID_MAX + 1]; /* of the session that met it */
    struct owner owner;            /* whose session that was */
    struct pin pin;                /* as it is */
    struct identity shown;         /* in its place */
};

enum pin_verdict {
    PIN_IS_NEW,     /* nothing was known: it is pinned now */
    PIN_IS_SAME,    /* as it was */
    PIN_IS_RENEWED, /* a certificate whose time was over, and was replaced as expected: pinned */
    PIN_IS_ANOTHER, /* a doubt: nothing is changed */
    PIN_IS_NOTHING, /* it could not be kept: no memory */
};

struct pins;

/* NULL when out of memory. store may be NULL, and is not started yet. */
struct pins *pins_new(struct store *store);
/* Accepts NULL. */
void pins_free(struct pins *pins);

/* NULL: nothing is known of it. Good until something is changed here. */
const struct pin *pins_find(const struct pins *pins, const struct pin_target *target);
/* By number; NULL behind the last one. */
const struct pin *pins_at(const struct pins *pins, unsigned number);

/* What came of a look. */
struct pin_sight {
    enum pin_verdict verdict;
    int64_t since;          /* what holds now is known since then, Unix time */
    struct identity before; /* what was replaced, or is doubted; else zero */
};

/*
 * The target showed this. id: of the session, under which a doubt is found; owner: whose that is.
 * ret_sight->before is the caller's, to identity_done().
 */
void pins_judge(struct pins *pins, const struct pin_target *target, const struct identity *shown,
                int64_t now, const char *id, const struct owner *owner,
                struct pin_sight *ret_sight);

/* The same where somebody has written down that this is right: whatever was known is replaced. */
void pins_take(struct pins *pins, const struct pin_target *target, const struct identity *shown,
               int64_t now, struct pin_sight *ret_sight);

/* NULL: there is no such doubt, or not any more. */
const struct pin_doubt *pins_doubt(const struct pins *pins, const char *id);
unsigned pins_doubt_count(const struct pins *pins);
/* By number; NULL behind the last one. */
const struct pin_doubt *pins_doubt_at(const struct pins *pins, unsigned number);
/* What the target showed is right from now on, or the pin stays. -ENOENT. */
int pins_accept(struct pins *pins, const char *id, int64_t now);
int pins_leave(struct pins *pins, const char *id);

/* It is not known any more: whatever the target shows next is pinned. -ENOENT. */
int pins_forget(struct pins *pins, const struct pin_target *target);

#endif
