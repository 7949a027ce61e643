#include "vps/admission/guests.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "vps/admission/asking.h"
#include "vps/admission/words.h"

_Static_assert((int)WORDS_SIZE == (int)PARKED_WORDS_SIZE, "words");
_Static_assert((int)REVERSE_NAME_SIZE == (int)PARKED_NAME_SIZE, "names");

struct guest *guest_new(uv_loop_t *loop, const struct newcomer *newcomer, watch_fn hung_up)
{
    struct guest *guest = calloc(1, sizeof *guest + newcomer->len);
    struct watch *watch = watch_new(loop, newcomer->fd, hung_up, guest);
    if (!guest || !watch) {
        watch_free(watch);
        free(guest);
        return NULL;
    }
    guest->fd = newcomer->fd;
    guest->from = newcomer->from;
    guest->place = (struct place){origin_of(&newcomer->from), clock_ms()};
    guest->expected = newcomer->expected;
    guest->has_secret = newcomer->has_secret;
    guest->watch = watch;
    strcpy(guest->words, newcomer->words);
    guest->len = newcomer->len;
    memcpy(guest->bytes, newcomer->bytes, newcomer->len);
    watch_set(watch, WATCH_HANGUP);
    return guest;
}

void guest_free(struct guest *guest)
{
    watch_free(guest->watch);
    reverse_free(guest->reverse);
    if (guest->fd >= 0) {
        close(guest->fd);
    }
    crypto_wipe(guest->bytes, guest->len);
    free(guest);
}

void guests_add(struct guest **guests, struct guest *guest)
{
    while (*guests) {
        guests = &(*guests)->next;
    }
    *guests = guest;
}

void guests_remove(struct guest **guests, struct guest *guest)
{
    while (*guests != guest) {
        guests = &(*guests)->next;
    }
    *guests = guest->next;
}

struct guest *guests_find(struct guest *guests, unsigned number)
{
    struct guest *guest = guests;
    while (guest && guest->number != number) {
        guest = guest->next;
    }
    return guest;
}

bool guests_are_asked_about(const struct guest *guests, const struct addr *party)
{
    const struct guest *guest = guests;
    while (guest && !(guest->asked && addr_same_party(&guest->from, party))) {
        guest = guest->next;
    }
    return guest != NULL;
}

unsigned guests_find_questions(struct guest *guests, struct guest **ret_guests)
{
    unsigned count = 0;
    for (struct guest *guest = guests; guest; guest = guest->next) {
        unsigned i = 0;
        while (i < count && !addr_same_party(&ret_guests[i]->from, &guest->from)) {
            i++;
        }
        if (guest->asked && i == count) {
            ret_guests[count++] = guest;
        }
    }
    return count;
}

static uint64_t waited_ms(const struct guest *guest)
{
    return clock_ms() - guest->place.since_ms;
}

unsigned guests_count_unasked(const struct guest *guests)
{
    unsigned count = 0;
    for (const struct guest *guest = guests; guest; guest = guest->next) {
        count += !guest->asked && waited_ms(guest) >= ASKING_STAY_MS;
    }
    return count;
}

unsigned guests_count_party(const struct guest *guests, const struct addr *party)
{
    unsigned count = 0;
    for (const struct guest *guest = guests; guest; guest = guest->next) {
        count += addr_same_party(&guest->from, party);
    }
    return count;
}

struct guest *guests_find_joining(struct guest *guests)
{
    struct guest *guest = guests;
    while (guest && (guest->asked || waited_ms(guest) < ASKING_STAY_MS ||
                     !guests_are_asked_about(guests, &guest->from))) {
        guest = guest->next;
    }
    return guest;
}

uint64_t guests_until_stayed(const struct guest *guests)
{
    uint64_t wait = UINT64_MAX;
    for (const struct guest *guest = guests; guest; guest = guest->next) {
        uint64_t waited = waited_ms(guest);
        if (!guest->asked && waited < ASKING_STAY_MS && ASKING_STAY_MS - waited < wait) {
            wait = ASKING_STAY_MS - waited;
        }
    }
    return wait;
}

unsigned guests_view(const struct guest *guests, struct parked_view ret_views[PARKED_MAX])
{
    unsigned count = 0;
    for (const struct guest *guest = guests; guest; guest = guest->next) {
        struct parked_view *view = &ret_views[count++];
        *view = (struct parked_view){
            .number = guest->number,
            .from = guest->from,
            .asked = guest->asked,
            .came_ms = guest->place.since_ms,
            .waits_s = (unsigned)(waited_ms(guest) / 1000),
            .of_its_address = guests_count_party(guests, &guest->from),
        };
        strcpy(view->words, guest->words);
        strcpy(view->name, guest->name);
    }
    return count;
}
