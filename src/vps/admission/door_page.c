/*
 * The page at a session's port, and the connections that a browser opens beside the one that asks
 * for it. `opened` may free the door: nothing touches it after latch_take() and lobby_admit().
 */
#include <sys/socket.h>

#include "base/crypto.h"
#include "vps/admission/door_core.h"

static void on_page(void *arg, const struct addr *from, bool pressed, struct latch_page *ret_page)
{
    const struct door *door = arg;
    door->events->page(door->arg, from, pressed, ret_page);
}

static void on_opened(void *arg, const struct addr *from)
{
    const struct door *door = arg;
    door->events->opened(door->arg, from);
}

const struct latch_events DOOR_LATCH_EVENTS = {.page = on_page, .opened = on_opened};

void door_show_page(struct visitor *visitor)
{
    struct door *door = visitor->door;
    int fd = visitor->fd;
    door_unlink_visitor(visitor);
    watch_free(visitor->watch);
    visitor->watch = NULL;
    visitor->fd = -1;
    /* `opened` may free the door. */
    struct visitor copy = *visitor;
    door_free_visitor(visitor);
    latch_take(door->latch, fd, &copy.from, copy.bytes, copy.have);
    crypto_wipe(copy.bytes, sizeof copy.bytes);
}

static void show_page_to(void *arg, const struct newcomer *newcomer)
{
    const struct door *door = arg;
    latch_take(door->latch, newcomer->fd, &newcomer->from, newcomer->bytes, newcomer->len);
}

/* A browser kept that connection for the page. The last thing that is done: see `left`. */
void door_on_parked_spoke(void *arg, unsigned number, int fd, bool asked)
{
    const struct door *door = arg;
    const struct door_events *events = door->events;
    void *owner = door->arg;
    uint8_t bytes[GREETING_MAX];
    ssize_t got = recv(fd, bytes, sizeof bytes, MSG_PEEK);
    if (got <= 0 || latch_missing(door->latch, bytes, (size_t)got) != 0) {
        return;
    }
    lobby_admit(door->lobby, number, show_page_to, arg);
    crypto_wipe(bytes, sizeof bytes);
    if (asked) {
        events->left(owner, number);
    }
}

bool door_is_beside_page(const struct visitor *visitor)
{
    uint64_t came = visitor->place.since_ms;
    uint64_t since = came > DOOR_BESIDE_MS ? came - DOOR_BESIDE_MS : 1;
    return visitor->have == 0 && latch_was_read(visitor->door->latch, &visitor->from, since);
}
