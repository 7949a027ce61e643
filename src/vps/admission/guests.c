#include "vps/admission/guests.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "vps/admission/asking.h"
#include "vps/admission/words.h"

_Static_assert((int)WORDS_SIZE == (int)PARKED_WORDS_SIZE, "words");
_Static_assert((int)RESOLVE_NAME_SIZE == (int)PARKED_NAME_SIZE, "names");

struct guest *guest_new(uv_loop_t *loop, const struct newcomer *newcomer, watch_fn fn)
{
    /* Its first packet lies behind it, 512 bytes at most (door.c). */
    struct guest *guest = calloc(1, sizeof *guest + newcomer->len);
    struct watch *watch = watch_new(loop, newcomer->fd, fn, guest);
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
    /* Its bytes stay in the kernel, which stops the client by itself. */
    watch_set(watch, newcomer->len > 0 ? WATCH_HANGUP : WATCH_HANGUP | WATCH_READ);
    return guest;
}

void guest_free(struct guest *guest)
{
    watch_free(guest->watch);
    resolve_cancel(guest->look_up);
    if (guest->fd >= 0) {
        close(guest->fd);
    }
    /* It may hold the secret of an .rdp file. */
    crypto_wipe(guest->bytes, guest->len);
    free(guest);
}

struct guest *guests_find(const struct list *guests, unsigned number)
{
    list_each (struct guest, guest, guests, home) {
        if (guest->number == number) {
            return guest;
        }
    }
    return NULL;
}

bool guests_are_asked_about(const struct list *guests, const struct addr *party)
{
    list_each (const struct guest, guest, guests, home) {
        if (guest->asked && addr_same_party(&guest->from, party)) {
            return true;
        }
    }
    return false;
}

unsigned guests_find_questions(const struct list *guests, struct guest **ret_guests)
{
    unsigned count = 0;
    list_each (struct guest, guest, guests, home) {
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

unsigned guests_count_unasked(const struct list *guests)
{
    unsigned count = 0;
    list_each (const struct guest, guest, guests, home) {
        count += !guest->asked && waited_ms(guest) >= ASKING_STAY_MS;
    }
    return count;
}

unsigned guests_count_party(const struct list *guests, const struct addr *party)
{
    unsigned count = 0;
    list_each (const struct guest, guest, guests, home) {
        count += addr_same_party(&guest->from, party);
    }
    return count;
}

struct guest *guests_find_joining(const struct list *guests)
{
    list_each (struct guest, guest, guests, home) {
        if (!guest->asked && waited_ms(guest) >= ASKING_STAY_MS &&
            guests_are_asked_about(guests, &guest->from)) {
            return guest;
        }
    }
    return NULL;
}

uint64_t guests_until_stayed(const struct list *guests)
{
    uint64_t wait = UINT64_MAX;
    list_each (const struct guest, guest, guests, home) {
        uint64_t waited = waited_ms(guest);
        if (!guest->asked && waited < ASKING_STAY_MS && ASKING_STAY_MS - waited < wait) {
            wait = ASKING_STAY_MS - waited;
        }
    }
    return wait;
}

unsigned guests_view(const struct list *guests, struct parked_view ret_views[PARKED_MAX])
{
    unsigned count = 0;
    list_each (const struct guest, guest, guests, home) {
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
