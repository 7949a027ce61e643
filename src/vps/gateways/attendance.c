#include "vps/gateways/attendance.h"

#include <string.h>

#include "shared/gateway_name.h"

enum { SAID_MAX = 3 }; /* by name, in one message */

void attendance_begin(struct attendance *attendance, const struct keyring *keyring, uint64_t now_ms)
{
    *attendance = (struct attendance){.keyring = keyring, .began_ms = now_ms};
}

/* Its place among those that were seen; the count of them if it is none of them. */
static unsigned find(const struct attendance *attendance, const char *name)
{
    unsigned i = 0;
    while (i < attendance->count && !gateway_name_equal(attendance->seen[i].name, name)) {
        i++;
    }
    return i;
}

/* NULL if all of them are here. */
static struct attendant *make_room(struct attendance *attendance)
{
    struct attendant *oldest = NULL;
    /* Only one that is away makes room: those that are here are being used. */
    if (attendance->count < ATTENDANCE_MAX) {
        return &attendance->seen[attendance->count++];
    }
    for (unsigned i = 0; i < attendance->count; i++) {
        struct attendant *one = &attendance->seen[i];
        if (!one->is_here && (!oldest || one->left_ms < oldest->left_ms)) {
            oldest = one;
        }
    }
    return oldest;
}

void attendance_came(struct attendance *attendance, const char *name, const struct addr *from)
{
    unsigned i = find(attendance, name);
    struct attendant *one = i < attendance->count ? &attendance->seen[i] : make_room(attendance);
    if (one) {
        struct text text = text_over(one->name, sizeof one->name);
        text_add(&text, "%s", name);
        one->from = *from;
        one->is_here = true;
    }
}

void attendance_left(struct attendance *attendance, const char *name, uint64_t now_ms)
{
    unsigned i = find(attendance, name);
    if (i < attendance->count) {
        attendance->seen[i].is_here = false;
        attendance->seen[i].left_ms = now_ms;
    }
}

/* ---- who is expected -------------------------------------------------------- */

void attendance_keys_changed(struct attendance *attendance)
{
    /* From the end, since the last one moves into the place that becomes free. */
    for (unsigned i = attendance->count; i-- > 0;) {
        if (!keyring_has(attendance->keyring, attendance->seen[i].name)) {
            attendance->seen[i] = attendance->seen[--attendance->count];
        }
    }
}

bool attendance_expects(const struct attendance *attendance, const char *name, uint64_t now_ms)
{
    bool was_here = false;
    for (unsigned i = 0; i < attendance->count; i++) {
        const struct attendant *one = &attendance->seen[i];
        if (name[0] && !gateway_name_equal(one->name, name)) {
            continue;
        }
        was_here = true;
        if (!one->is_here && now_ms - one->left_ms < ATTENDANCE_RETURN_MS) {
            return true;
        }
    }
    return !was_here && now_ms - attendance->began_ms < ATTENDANCE_RETURN_MS &&
           keyring_has(attendance->keyring, name);
}

/* ---- saying so -------------------------------------------------------------- */

static void add_ago(struct text *text, uint64_t ms)
{
    text_add_seconds(text, ms / 1000);
    text_add(text, " ago");
}

static void say_last(const struct attendant *one, uint64_t now_ms, struct text *text)
{
    char host[ADDR_HOST_MAX];
    text_add(text, "was last here ");
    add_ago(text, now_ms - one->left_ms);
    text_add(text, ", from %s", addr_host_text(&one->from, host));
}

static bool was_seen(const struct attendance *attendance, const char *name)
{
    return find(attendance, name) < attendance->count;
}

bool attendance_knows(const struct attendance *attendance, const char *name)
{
    /* With a key of its own it is known to exist, although it was never seen. */
    return was_seen(attendance, name) || keyring_has_own(attendance->keyring, name);
}

bool attendance_say(const struct attendance *attendance, const char *name, uint64_t now_ms,
                    struct text *text)
{
    unsigned i = find(attendance, name);
    if (i < attendance->count) {
        say_last(&attendance->seen[i], now_ms, text);
        return true;
    }
    if (!keyring_has_own(attendance->keyring, name)) {
        return false;
    }
    text_add(text, "has not logged in since vps-agent started ");
    add_ago(text, now_ms - attendance->began_ms);
    return true;
}

bool attendance_next_away(const struct attendance *attendance, uint64_t now_ms, unsigned *at,
                          struct attendance_away *ret_away)
{
    for (; *at < attendance->count; (*at)++) {
        const struct attendant *one = &attendance->seen[*at];
        if (!one->is_here) {
            *ret_away = (struct attendance_away){
                .name = one->name,
                .seconds = (now_ms - one->left_ms) / 1000,
                .from = &one->from,
                .missed = keyring_has_own(attendance->keyring, one->name),
            };
            (*at)++;
            return true;
        }
    }
    /* Behind those that were seen, as far as *at goes on: the names of the keyring. */
    unsigned next = *at - attendance->count;
    const char *name;
    do {
        name = keyring_next_name(attendance->keyring, &next);
    } while (name && was_seen(attendance, name));
    *at = attendance->count + next;
    if (name) {
        *ret_away = (struct attendance_away){
            .name = name,
            .seconds = (now_ms - attendance->began_ms) / 1000,
            .missed = keyring_is_in_use(attendance->keyring, name),
        };
    }
    return name != NULL;
}

void attendance_say_all(const struct attendance *attendance, uint64_t now_ms, struct text *text)
{
    /* A message is read on a phone: three names, and how many more there are. */
    unsigned said = 0, at = 0;
    struct attendance_away away;
    while (attendance_next_away(attendance, now_ms, &at, &away)) {
        if (said++ < SAID_MAX) {
            text_add(text, said == 1 ? " Gateway %s " : "; %s ", away.name);
            attendance_say(attendance, away.name, now_ms, text);
        }
    }
    if (said > SAID_MAX) {
        text_add(text, "; and %u more", said - SAID_MAX);
    } else if (said == 0) {
        text_add(text, " None has logged in since vps-agent started ");
        add_ago(text, now_ms - attendance->began_ms);
    }
    text_add(text, ".");
}
