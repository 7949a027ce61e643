#include "vps/gateways/attendance.h"

#include <string.h>

#include "shared/gateway_name.h"

enum { SAID_MAX = 3 }; /* by name, in one message */

void attendance_begin(struct attendance *attendance, const struct vps_settings *settings,
                      uint64_t now_ms)
{
    *attendance = (struct attendance){.settings = settings, .began_ms = now_ms};
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

/* There is a key for it: of its own, or one that any gateway may have. */
static bool may_come(const struct attendance *attendance, const char *name)
{
    return !name[0] || key_list_find(&attendance->settings->tunnel_key, name);
}

void attendance_keys_changed(struct attendance *attendance)
{
    /* From the end, since the last one moves into the place that becomes free. */
    for (unsigned i = attendance->count; i-- > 0;) {
        if (!may_come(attendance, attendance->seen[i].name)) {
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
           may_come(attendance, name);
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

static void say_start(const struct attendance *attendance, uint64_t now_ms, struct text *text)
{
    text_add(text, "logged in since vps-agent started ");
    add_ago(text, now_ms - attendance->began_ms);
}

/* A key of its own: then it is known to exist, although it was never seen. */
static bool has_key(const struct attendance *attendance, const char *name)
{
    const struct gateway_key *key = key_list_find(&attendance->settings->tunnel_key, name);
    return key && key->name[0];
}

static bool was_seen(const struct attendance *attendance, const char *name)
{
    return find(attendance, name) < attendance->count;
}

bool attendance_knows(const struct attendance *attendance, const char *name)
{
    return was_seen(attendance, name) || has_key(attendance, name);
}

bool attendance_say(const struct attendance *attendance, const char *name, uint64_t now_ms,
                    struct text *text)
{
    unsigned i = find(attendance, name);
    if (i < attendance->count) {
        say_last(&attendance->seen[i], now_ms, text);
        return true;
    }
    if (!has_key(attendance, name)) {
        return false;
    }
    text_add(text, "has not ");
    say_start(attendance, now_ms, text);
    return true;
}

bool attendance_next_away(const struct attendance *attendance, uint64_t now_ms, unsigned *at,
                          struct attendance_away *ret_away)
{
    const struct key_list *keys = &attendance->settings->tunnel_key;
    for (; *at < attendance->count; (*at)++) {
        const struct attendant *one = &attendance->seen[*at];
        if (!one->is_here) {
            *ret_away = (struct attendance_away){one->name, (now_ms - one->left_ms) / 1000,
                                                 &one->from};
            (*at)++;
            return true;
        }
    }
    for (; *at < attendance->count + keys->count; (*at)++) {
        const char *name = keys->keys[*at - attendance->count].name;
        if (name[0] && !was_seen(attendance, name)) {
            *ret_away = (struct attendance_away){name, (now_ms - attendance->began_ms) / 1000,
                                                 NULL};
            (*at)++;
            return true;
        }
    }
    return false;
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
        text_add(text, " None has ");
        say_start(attendance, now_ms, text);
    }
    text_add(text, ".");
}
