#include "vps/chat/absences.h"

#include <string.h>

static struct absence *find(struct absences *absences, const char *name)
{
    for (unsigned i = 0; i < absences->count; i++) {
        if (gateway_name_equal(absences->list[i].name, name)) {
            return &absences->list[i];
        }
    }
    return NULL;
}

/* NULL if there are too many: of those nothing is told. */
static struct absence *find_or_add(struct absences *absences, const char *name)
{
    struct absence *one = find(absences, name);
    if (!one && absences->count < ABSENCES_MAX) {
        one = &absences->list[absences->count++];
        *one = (struct absence){0};
        memcpy(one->name, name, strlen(name) + 1);
    }
    return one;
}

void absences_came(struct absences *absences, const char *name, const struct addr *from,
                   uint64_t now_ms)
{
    struct absence *one = find_or_add(absences, name);
    if (!one) {
        return;
    }
    if (from) {
        one->from = *from;
        one->was_here = true;
    }
    if (one->away) { /* a login in the place of another one is no return */
        one->away = false;
        one->since_ms = now_ms;
    }
}

void absences_went(struct absences *absences, const char *name, uint64_t now_ms)
{
    struct absence *one = find_or_add(absences, name);
    if (!one || one->away) {
        return;
    }
    one->went_ms[one->wents++ % ABSENCE_MANY] = now_ms;
    one->away = true;
    one->since_ms = now_ms;
}

void absences_missed(struct absences *absences, const char *name, uint64_t began_ms)
{
    struct absence *one = find(absences, name) ? NULL : find_or_add(absences, name);
    if (one) {
        one->away = true;
        one->since_ms = began_ms;
    }
}

void absences_forget(struct absences *absences, const char *name)
{
    struct absence *one = find(absences, name);
    if (one) {
        *one = absences->list[--absences->count];
    }
}

/* ---- what is to be told -------------------------------------------------------- */

/* Its last going is the last of many. */
static bool is_unsteady(const struct absence *one)
{
    if (one->wents < ABSENCE_MANY) {
        return false;
    }
    uint64_t latest = one->went_ms[(one->wents - 1) % ABSENCE_MANY];
    return latest - one->went_ms[one->wents % ABSENCE_MANY] < ABSENCE_WINDOW_MS;
}

/* When this one has something to tell, if nothing happens before. */
static uint64_t due(const struct absence *one)
{
    if (one->unsteady) {
        return one->since_ms + ABSENCE_WINDOW_MS;
    }
    if (is_unsteady(one)) {
        return 0;
    }
    if (one->away && !one->told) {
        return one->since_ms + (one->was_here ? ABSENCE_TOLD_MS : ABSENCE_START_MS);
    }
    return !one->away && one->told ? 0 : UINT64_MAX;
}

static enum absence_kind tell_away(struct absence *one)
{
    one->told = true;
    one->left_ms = one->since_ms;
    return one->was_here ? ABSENCE_GONE : ABSENCE_NEVER;
}

/* It has been one thing for long enough: from here on it is as if it had never changed. */
static enum absence_kind settle(struct absence *one)
{
    one->unsteady = false;
    one->wents = 0;
    one->told = false;
    return one->away ? tell_away(one) : ABSENCE_STEADY;
}

static enum absence_kind tell(struct absence *one)
{
    if (one->unsteady) {
        return settle(one);
    }
    if (is_unsteady(one)) {
        one->unsteady = true;
        return ABSENCE_UNSTEADY;
    }
    if (one->away) {
        return tell_away(one);
    }
    one->told = false;
    return ABSENCE_BACK;
}

bool absences_next(struct absences *absences, uint64_t now_ms, struct absence_tiding *ret_tiding)
{
    for (unsigned i = 0; i < absences->count; i++) {
        struct absence *one = &absences->list[i];
        if (due(one) > now_ms) {
            continue;
        }
        enum absence_kind kind = tell(one);
        uint64_t ms = kind == ABSENCE_BACK ? one->since_ms - one->left_ms : now_ms - one->since_ms;
        *ret_tiding = (struct absence_tiding){
            .kind = kind, .name = one->name, .seconds = ms / 1000, .from = &one->from};
        return true;
    }
    return false;
}

uint64_t absences_due(const struct absences *absences)
{
    uint64_t first = UINT64_MAX;
    for (unsigned i = 0; i < absences->count; i++) {
        uint64_t one = due(&absences->list[i]);
        first = one < first ? one : first;
    }
    return first;
}
