/*
 * The page at a session's port, and the connections that a browser opens beside the one that asks
 * for it. `opened` may free the door: nothing touches it after latch_take() and lobby_admit().
 */
#include <sys/socket.h>

#include "base/crypto.h"
#include "vps/admission/door_core.h"

static bool on_page(void *arg, const struct latch_visit *visit, struct latch_page *ret_page)
{
    const struct door *door = arg;
    door->events->page(door->arg, visit->from, visit->pressed, ret_page);
    return true;
}

static void on_opened(void *arg, const struct latch_visit *visit)
{
    const struct door *door = arg;
    door->events->opened(door->arg, visit->from);
}

static void on_unfit(void *arg)
{
    const struct door *door = arg;
    if (door->events->unfit) {
        door->events->unfit(door->arg);
    }
}

const struct latch_events DOOR_LATCH_EVENTS = {
    .page = on_page, .opened = on_opened, .unfit = on_unfit};

void door_show_page(struct visitor *visitor, enum errand errand)
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
    if (errand == ERRAND_TLS) {
        latch_take_tls(door->latch, fd, &copy.from, copy.bytes, copy.have);
    } else {
        latch_take(door->latch, fd, &copy.from, copy.bytes, copy.have);
    }
    crypto_wipe(copy.bytes, sizeof copy.bytes);
}

static void show_page_to(void *arg, const struct newcomer *newcomer)
{
    const struct door *door = arg;
    latch_take(door->latch, newcomer->fd, &newcomer->from, newcomer->bytes, newcomer->len);
}

static void begin_tls_with(void *arg, const struct newcomer *newcomer)
{
    const struct door *door = arg;
    latch_take_tls(door->latch, newcomer->fd, &newcomer->from, newcomer->bytes, newcomer->len);
}

/* A browser kept that connection for the page. The last thing that is done: see `left`. */
void door_on_parked_spoke(void *arg, unsigned number, int fd, bool asked)
{
    const struct door *door = arg;
    const struct door_events *events = door->events;
    void *owner = door->arg;
    uint8_t bytes[GREETING_MAX];
    ssize_t got = recv(fd, bytes, sizeof bytes, MSG_PEEK);
    bool is_page = got > 0 && latch_missing(door->latch, bytes, (size_t)got) == 0;
    bool is_tls = got > 0 && greeting_reader(door->kind->kind)->missing(bytes, (size_t)got) < 0 &&
                  latch_missing_of_tls(door->latch, bytes, (size_t)got) == 0;
    if (!is_page && !is_tls) {
        return;
    }
    lobby_admit(door->lobby, number, is_page ? show_page_to : begin_tls_with, arg);
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
