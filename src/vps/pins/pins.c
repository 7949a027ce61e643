/*
 * All of it is in memory, and each change is written. A doubt is in memory alone: after a restart
 * the next session meets it anew.
 */
#include "vps/pins/pins.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct pins {
    struct store *store;
    unsigned count, doubt_count;
    struct pin *pins;                        /* PINS_MAX; pages that hold none are never touched */
    struct pin_doubt doubts[PIN_DOUBTS_MAX]; /* the oldest first */
};

static const char LOAD[] =
    "SELECT gateway, host, port, kind, key, sha256, sha1, valid_from, valid_until, since, looked "
    "FROM pin ORDER BY looked";
static const char KEEP[] =
    "INSERT INTO pin(gateway, host, port, kind, key, sha256, sha1, valid_from, valid_until, since, "
    "looked) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO UPDATE SET "
    "key=?5, sha256=?6, sha1=?7, valid_from=?8, valid_until=?9, since=?10, looked=?11";
static const char DROP[] = "DELETE FROM pin WHERE gateway=?1 AND host=?2 AND port=?3 AND kind=?4";

/* ---- the file -------------------------------------------------------------- */

static void keep(const struct pins *pins, const struct pin *pin)
{
    char sha256[2 * CRYPTO_HASH_SIZE + 1], sha1[2 * IDENTITY_SHA1_SIZE + 1];
    const struct identity *identity = &pin->identity;
    crypto_hex(identity->sha256, sizeof identity->sha256, sha256);
    crypto_hex(identity->sha1, sizeof identity->sha1, sha1);
    const struct statement statement = {
        KEEP,
        {value_text(pin->gateway), value_text(pin->host), value_number(pin->port),
         value_text(kind_name(pin->kind)), value_text(identity->key ? identity->key : ""),
         value_text(sha256), value_text(sha1), value_number(identity->from),
         value_number(identity->until), value_number(pin->since), value_number(pin->looked)}};
    store_write(pins->store, &statement, NULL, NULL);
}

static void drop(const struct pins *pins, const struct pin *pin)
{
    const struct statement statement = {DROP,
                                        {value_text(pin->gateway), value_text(pin->host),
                                         value_number(pin->port),
                                         value_text(kind_name(pin->kind))}};
    store_write(pins->store, &statement, NULL, NULL);
}

/* -errno if nobody could have put that there. */
static int load_identity(const struct row *row, struct identity *ret_identity)
{
    struct identity identity = {.from = row_number(row, 7), .until = row_number(row, 8)};
    if (row_text(row, 4)[0]) {
        return identity_of_key(row_text(row, 4), ret_identity);
    }
    int err = crypto_unhex(row_text(row, 5), identity.sha256, sizeof identity.sha256);
    err = err < 0 ? err : crypto_unhex(row_text(row, 6), identity.sha1, sizeof identity.sha1);
    if (err == 0) {
        *ret_identity = identity;
    }
    return err;
}

static void load(void *arg, const struct row *row)
{
    struct pins *pins = arg;
    const char *gateway = row_text(row, 0), *host = row_text(row, 1);
    const struct kind_row *kind = kind_find(row_text(row, 3));
    int64_t port = row_number(row, 2);
    struct pin pin = {.since = row_number(row, 9), .looked = row_number(row, 10)};
    if (pins->count < PINS_MAX && kind && port > 0 && port <= UINT16_MAX &&
        gateway_name_is_valid(gateway) && host_kind(host) != HOST_INVALID &&
        load_identity(row, &pin.identity) == 0) {
        pin.port = (uint16_t)port;
        pin.kind = kind->kind;
        snprintf(pin.gateway, sizeof pin.gateway, "%s", gateway);
        snprintf(pin.host, sizeof pin.host, "%s", host);
        pins->pins[pins->count++] = pin;
    }
}

/* ---- life ------------------------------------------------------------------ */

struct pins *pins_new(struct store *store)
{
    const struct statement statement = {.sql = LOAD};
    struct pins *pins = calloc(1, sizeof *pins);
    if (!pins || !(pins->pins = calloc(PINS_MAX, sizeof *pins->pins))) {
        free(pins);
        return NULL;
    }
    pins->store = store;
    store_read(store, &statement, load, pins);
    return pins;
}

static void doubt_done(struct pin_doubt *doubt)
{
    identity_done(&doubt->pin.identity);
    identity_done(&doubt->shown);
}

void pins_free(struct pins *pins)
{
    if (!pins) {
        return;
    }
    for (unsigned i = 0; i < pins->count; i++) {
        identity_done(&pins->pins[i].identity);
    }
    for (unsigned i = 0; i < pins->doubt_count; i++) {
        doubt_done(&pins->doubts[i]);
    }
    free(pins->pins);
    free(pins);
}

/* ---- finding --------------------------------------------------------------- */

static bool is_of(const struct pin *pin, const struct pin_target *target)
{
    return pin->port == target->port && pin->kind == target->kind &&
           gateway_name_equal(pin->gateway, target->gateway) &&
           strcasecmp(pin->host, target->host) == 0;
}

static struct pin *find(const struct pins *pins, const struct pin_target *target)
{
    for (unsigned i = 0; i < pins->count; i++) {
        if (is_of(&pins->pins[i], target)) {
            return &pins->pins[i];
        }
    }
    return NULL;
}

const struct pin *pins_find(const struct pins *pins, const struct pin_target *target)
{
    return find(pins, target);
}

const struct pin *pins_at(const struct pins *pins, unsigned number)
{
    return number < pins->count ? &pins->pins[number] : NULL;
}

/* ---- pinning --------------------------------------------------------------- */

/* NULL gateway: whatever it is behind. There is one. */
static struct pin *oldest(const struct pins *pins, const char *gateway)
{
    struct pin *oldest = NULL;
    for (unsigned i = 0; i < pins->count; i++) {
        struct pin *pin = &pins->pins[i];
        bool counts = !gateway || gateway_name_equal(pin->gateway, gateway);
        oldest = counts && (!oldest || pin->looked < oldest->looked) ? pin : oldest;
    }
    return oldest;
}

/* A gateway in other hands shows whatever it likes, and must not push out what others showed. */
static struct pin *make_room(struct pins *pins, const char *gateway)
{
    unsigned of_gateway = 0;
    if (pins->count < PINS_MAX) {
        return &pins->pins[pins->count++];
    }
    for (unsigned i = 0; i < pins->count; i++) {
        of_gateway += gateway_name_equal(pins->pins[i].gateway, gateway);
    }
    struct pin *place = oldest(pins, of_gateway >= PINS_SHARE ? gateway : NULL);
    drop(pins, place);
    identity_done(&place->identity);
    return place;
}

static enum pin_verdict begin(struct pins *pins, const struct pin_target *target,
                              const struct identity *shown, int64_t now)
{
    struct pin pin = {.port = target->port, .kind = target->kind, .since = now, .looked = now};
    if (identity_copy(shown, &pin.identity) < 0) {
        return PIN_IS_NOTHING;
    }
    snprintf(pin.gateway, sizeof pin.gateway, "%s", target->gateway);
    snprintf(pin.host, sizeof pin.host, "%s", target->host);
    struct pin *place = make_room(pins, target->gateway);
    *place = pin;
    keep(pins, place);
    return PIN_IS_NEW;
}

/* The identity is the pin's from now on. */
static void replace(struct pins *pins, struct pin *pin, struct identity identity, int64_t now)
{
    identity_done(&pin->identity);
    pin->identity = identity;
    pin->since = pin->looked = now;
    keep(pins, pin);
}

/* ---- doubts ---------------------------------------------------------------- */

static void forget_doubt(struct pins *pins, unsigned at)
{
    doubt_done(&pins->doubts[at]);
    pins->doubt_count--;
    memmove(&pins->doubts[at], &pins->doubts[at + 1],
            (pins->doubt_count - at) * sizeof pins->doubts[0]);
    pins->doubts[pins->doubt_count] = (struct pin_doubt){.id = ""};
}

/* One for each target: what it showed last. */
static void forget_doubts_of(struct pins *pins, const struct pin_target *target)
{
    for (unsigned i = pins->doubt_count; i-- > 0;) {
        if (is_of(&pins->doubts[i].pin, target)) {
            forget_doubt(pins, i);
        }
    }
}

static enum pin_verdict begin_doubt(struct pins *pins, const struct pin *pin,
                                    const struct identity *shown, const char *id,
                                    const struct owner *owner)
{
    struct pin_doubt doubt = {.owner = *owner, .pin = *pin};
    const struct pin_target target = {pin->gateway, pin->host, pin->port, pin->kind};
    doubt.pin.identity = (struct identity){0};
    if (identity_copy(&pin->identity, &doubt.pin.identity) < 0 ||
        identity_copy(shown, &doubt.shown) < 0) {
        doubt_done(&doubt);
        return PIN_IS_ANOTHER; /* nobody can accept it until it is met again */
    }
    snprintf(doubt.id, sizeof doubt.id, "%s", id);
    forget_doubts_of(pins, &target);
    if (pins->doubt_count == PIN_DOUBTS_MAX) {
        forget_doubt(pins, 0);
    }
    pins->doubts[pins->doubt_count++] = doubt;
    return PIN_IS_ANOTHER;
}

/* Its place, or where the count ends. */
static unsigned find_doubt(const struct pins *pins, const char *id)
{
    unsigned at = 0;
    while (at < pins->doubt_count && strcmp(pins->doubts[at].id, id) != 0) {
        at++;
    }
    return at;
}

const struct pin_doubt *pins_doubt(const struct pins *pins, const char *id)
{
    return pins_doubt_at(pins, find_doubt(pins, id));
}

unsigned pins_doubt_count(const struct pins *pins)
{
    return pins->doubt_count;
}

const struct pin_doubt *pins_doubt_at(const struct pins *pins, unsigned number)
{
    return number < pins->doubt_count ? &pins->doubts[number] : NULL;
}

int pins_accept(struct pins *pins, const char *id, int64_t now)
{
    unsigned at = find_doubt(pins, id);
    if (at == pins->doubt_count) {
        return -ENOENT;
    }
    struct pin_doubt *doubt = &pins->doubts[at];
    const struct pin_target target = {doubt->pin.gateway, doubt->pin.host, doubt->pin.port,
                                      doubt->pin.kind};
    struct pin *pin = find(pins, &target);
    if (pin) {
        replace(pins, pin, doubt->shown, now);
        doubt->shown = (struct identity){0};
    } else { /* forgotten meanwhile */
        begin(pins, &target, &doubt->shown, now);
    }
    forget_doubt(pins, find_doubt(pins, id));
    return 0;
}

int pins_leave(struct pins *pins, const char *id)
{
    unsigned at = find_doubt(pins, id);
    if (at == pins->doubt_count) {
        return -ENOENT;
    }
    forget_doubt(pins, at);
    return 0;
}

/* ---- judging --------------------------------------------------------------- */

/* A certificate that was to be expected is pinned; anything else is a person's to decide. */
static bool renew(struct pins *pins, struct pin *pin, const struct identity *shown, int64_t now)
{
    struct identity copy;
    if (!identity_is_renewal(&pin->identity, shown, now) || identity_copy(shown, &copy) < 0) {
        return false;
    }
    replace(pins, pin, copy, now);
    return true;
}

/* A clock that went back is followed. */
static void note_seen(struct pins *pins, struct pin *pin, int64_t now)
{
    if (now < pin->looked || now - pin->looked >= PIN_NOTED_S) {
        pin->looked = now;
        keep(pins, pin);
    }
}

void pins_judge(struct pins *pins, const struct pin_target *target, const struct identity *shown,
                int64_t now, const char *id, const struct owner *owner, struct pin_sight *ret_sight)
{
    struct pin *pin = find(pins, target);
    *ret_sight = (struct pin_sight){.since = pin ? pin->since : now};
    if (!pin) {
        ret_sight->verdict = begin(pins, target, shown, now);
        return;
    }
    if (identity_equal(&pin->identity, shown)) {
        note_seen(pins, pin, now);
        forget_doubts_of(pins, target);
        ret_sight->verdict = PIN_IS_SAME;
        return;
    }
    if (identity_copy(&pin->identity, &ret_sight->before) < 0) {
        ret_sight->before = (struct identity){0};
    }
    bool renewed = renew(pins, pin, shown, now);
    if (renewed) {
        forget_doubts_of(pins, target);
    }
    ret_sight->verdict = renewed ? PIN_IS_RENEWED : begin_doubt(pins, pin, shown, id, owner);
    ret_sight->since = pin->since;
}

void pins_take(struct pins *pins, const struct pin_target *target, const struct identity *shown,
               int64_t now, struct pin_sight *ret_sight)
{
    struct pin *pin = find(pins, target);
    struct identity copy;
    *ret_sight = (struct pin_sight){.verdict = PIN_IS_SAME, .since = pin ? pin->since : now};
    forget_doubts_of(pins, target);
    if (!pin) {
        ret_sight->verdict = begin(pins, target, shown, now);
    } else if (identity_equal(&pin->identity, shown)) {
        note_seen(pins, pin, now);
    } else if (identity_copy(shown, &copy) == 0) {
        ret_sight->verdict = PIN_IS_NEW;
        ret_sight->since = now;
        ret_sight->before = pin->identity;
        pin->identity = (struct identity){0};
        replace(pins, pin, copy, now);
    }
}

int pins_forget(struct pins *pins, const struct pin_target *target)
{
    struct pin *pin = find(pins, target);
    if (!pin) {
        return -ENOENT;
    }
    drop(pins, pin);
    forget_doubts_of(pins, target);
    identity_done(&pin->identity);
    *pin = pins->pins[--pins->count];
    pins->pins[pins->count] = (struct pin){.since = 0};
    return 0;
}
