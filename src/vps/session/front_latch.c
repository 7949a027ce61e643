/*
 * The page at the public port: whoever has the session's link lets the address in that the button
 * is pressed at, as its owner would with Admit. For this session alone: nothing becomes known.
 */
#include <string.h>

#include "base/crypto.h"
#include "vps/admission/greeting.h"
#include "vps/session/front_core.h"

bool front_has_tls(const struct front *front)
{
    static const uint8_t HELLO[] = {0x16, 3};
    const struct greeting_reader *reader = greeting_reader(front->terms->kind);
    return reader->missing(HELLO, sizeof HELLO) < 0 &&
           https_is_offered(front->terms->services->https);
}

bool front_has_latchkey(const struct front *front, const char *key)
{
    return front->door && crypto_equal(key, front->latchkey, LATCH_KEY_LEN);
}

bool front_is_linked(const struct front *front, const struct addr *from)
{
    unsigned i = 0;
    while (i < front->linked_count && !addr_same_party(&front->linked[i], from)) {
        i++;
    }
    return i < front->linked_count;
}

static void link_party(struct front *front, const struct addr *from)
{
    char host[ADDR_HOST_MAX];
    front->links++;
    if (front->linked_count == SESSION_LINKED_MAX) {
        memmove(front->linked, front->linked + 1, sizeof front->linked - sizeof *front->linked);
        front->linked_count--;
    }
    front->linked[front->linked_count++] = *from;
    log_info(log_of(front->terms), "session %s: %s is let in by its link", front->terms->id,
             addr_host_text(from, host));
    front->events->linked(front->arg, from);
}

/* What holds of the address by now. */
static enum latch_state state_of(const struct front *front, const struct addr *from)
{
    if (blocklist_has(&front->blocked, from)) {
        return LATCH_BLOCKED;
    }
    if (front->in.is_in && !front_is_unclaimed(front)) {
        return insider_is(&front->in, from) ? LATCH_OPEN : LATCH_TAKEN;
    }
    return front_is_linked(front, from)        ? LATCH_OPEN
           : front->links >= SESSION_LINKS_MAX ? LATCH_USED_UP
                                               : LATCH_SHUT;
}

/* A client of another party: perhaps the user's, by another way than the browser's. */
static void find_elsewhere(const struct front *front, const struct addr *from, char *dst)
{
    struct parked_view parked[PARKED_MAX];
    unsigned count = front_parked(front, parked), i = 0;
    while (i < count && addr_same_party(&parked[i].from, from)) {
        i++;
    }
    if (i < count) {
        addr_host_text(&parked[i].from, dst);
    }
}

void front_page(void *arg, const struct addr *from, bool pressed, struct latch_page *ret_page)
{
    const struct front *front = arg;
    enum latch_state state = state_of(front, from);
    ret_page->state = pressed && state == LATCH_SHUT ? LATCH_OPEN : state; /* see front_opened() */
    addr_host_text(from, ret_page->address);
    find_elsewhere(front, from, ret_page->elsewhere);
    strcpy(ret_page->language, front->terms->language);
    front->events->describe(front->arg, ret_page);
}

void front_opened(void *arg, const struct addr *from)
{
    struct front *front = arg;
    struct parked_view parked[PARKED_MAX];
    if (state_of(front, from) == LATCH_SHUT) {
        link_party(front, from);
    }
    unsigned count = front_parked(front, parked), i = 0;
    while (i < count && !addr_same_party(&parked[i].from, from)) {
        i++;
    }
    bool is_taken = front->in.is_in && !front_is_unclaimed(front);
    if (i < count && !is_taken && door_admit(front->door, parked[i].number) == 0) {
        front->events->left(front->arg, parked[i].number);
    }
}
