/*
 * A session's dealings with the clients at its public port: who is let in, and
 * what becomes of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "vps/session/session_core.h"

void session_drop_pending(struct session *session)
{
    if (session->pending) {
        net_reset(session->pending->fd);
        free(session->pending);
        session->pending = NULL;
    }
}

/* Gives the relay a client and a data channel; both descriptors are taken over. */
void session_join(struct session *session, int client, int data, const void *bytes, size_t len)
{
    struct carry *carry = calloc(1, sizeof *carry);
    int err = carry ? relay_join(session->services->relay, client, data, bytes, len, carry,
                                 &carry->link)
                    : -ENOMEM;
    if (err < 0) {
        log_error(log_of(session), "session %s: cannot relay: %s", session->id, strerror(-err));
        net_reset(client);
        net_reset(data);
        free(carry);
        return;
    }
    carry->session = session;
    carry->next = session->carries;
    session->carries = carry;
}

static bool is_blocked(const struct session *session, const struct addr *from)
{
    unsigned i = 0;
    while (i < session->blocked_count && !addr_same_host(&session->blocked[i], from)) {
        i++;
    }
    return i < session->blocked_count;
}

static enum verdict on_judge(void *arg, const struct addr *from, bool has_secret)
{
    const struct session *session = arg;
    struct visit visit = {
        .kind = session->kind,
        .admit = session->services->settings->admit,
        .has_secret = has_secret,
        .known = known_has(session->services->known, &session->owner, from),
        .blocked = is_blocked(session, from),
        .somebody_is_in = session->somebody_is_in,
        .from_that_address = session->somebody_is_in && addr_same_host(from, &session->client),
        .that_had_no_secret = session->came_without_secret,
    };
    return judge_visit(&visit);
}

/* A reconnect: asks for one more data channel and keeps the client until it is there. */
static bool hold_for_channel(struct session *session, int fd, const void *bytes, size_t len)
{
    session_drop_pending(session); /* the newest connection is the one that the client uses */
    if (!session->channel_on_its_way && session->dock) {
        session->channel++;
        session_request_channel(session);
    }
    struct pending_client *pending = NULL;
    if (session->channel_on_its_way) {
        pending = malloc(sizeof *pending + len);
    }
    if (!pending) {
        net_reset(fd);
        return false;
    }
    pending->fd = fd;
    pending->len = len;
    memcpy(pending->bytes, bytes, len);
    session->pending = pending;
    session_expect_channel(session);
    return true;
}

static void first_client(struct session *session, const struct addr *from, bool has_secret)
{
    session->somebody_is_in = true;
    session->came_without_secret = !has_secret;
    session->client = *from;
    session->connected_ms = clock_ms();
    session->connected_unix = clock_unix();
    known_add(session->services->known, &session->owner, from);
}

static void on_admitted(void *arg, int fd, const struct addr *from, bool has_secret,
                        const void *bytes, size_t len)
{
    struct session *session = arg;
    char host[ADDR_HOST_MAX];
    log_info(log_of(session), "session %s: %s is in%s", session->id, addr_host_text(from, host),
             has_secret ? " (secret)" : "");
    if (!session->somebody_is_in) {
        first_client(session, from, has_secret);
    }
    session->active_ms = clock_ms();
    if (session->spare >= 0) {
        int data = session->spare;
        session->spare = -1;
        session_drop_spare(session);
        session_join(session, fd, data, bytes, len);
    } else if (!hold_for_channel(session, fd, bytes, len)) {
        return;
    }
    if (session->kind == SESSION_SSH) {
        door_free(session->door); /* a single-use port */
        session->door = NULL;
    } else {
        door_send_off_parked(session->door);
    }
    /* Who was told of the parked may have closed it. */
    if (session->state != SESSION_CONNECTED && session->state != SESSION_ENDED) {
        session_set_state(session, SESSION_CONNECTED);
    }
}

static void on_parked(void *arg, unsigned number)
{
    struct session *session = arg;
    if (session->state != SESSION_ENDED) {
        session->services->notify(session->services->arg, session, SESSION_PARKED, number);
    }
}

static void on_left(void *arg, unsigned number)
{
    struct session *session = arg;
    if (session->state != SESSION_ENDED) {
        session->services->notify(session->services->arg, session, SESSION_UNPARKED, number);
    }
}

static const struct door_events DOOR_EVENTS = {
    .judge = on_judge, .admitted = on_admitted, .parked = on_parked, .left = on_left};

int session_open_door(struct session *session)
{
    struct door_events events = DOOR_EVENTS;
    events.arg = session;
    session->door = door_new(session->services->loop, session->public_listener, session->kind,
                             session->secret, &session->services->door_total, &events);
    if (!session->door) {
        return -ENOMEM;
    }
    session->public_listener = -1;
    return 0;
}

int session_admit(struct session *session, unsigned number)
{
    int err = session->door ? door_admit(session->door, number) : -ENOENT;
    if (err == 0) {
        on_left(session, number);
    }
    return err;
}

static void add_blocked(struct session *session, const struct addr *address)
{
    if (!session->blocked) {
        session->blocked = calloc(SESSION_BLOCKED_MAX, sizeof *session->blocked);
    }
    if (session->blocked) {
        bool full = session->blocked_count == SESSION_BLOCKED_MAX;
        session->blocked[full ? SESSION_BLOCKED_MAX - 1 : session->blocked_count++] = *address;
    }
}

static void remember_blocked(struct session *session, unsigned number)
{
    struct parked_view parked[SESSION_PARKED_MAX];
    unsigned count = door_parked(session->door, parked);
    for (unsigned i = 0; i < count; i++) {
        if (parked[i].number == number) {
            add_blocked(session, &parked[i].from);
        }
    }
}

int session_block(struct session *session, unsigned number)
{
    if (!session->door) {
        return -ENOENT;
    }
    remember_blocked(session, number);
    return door_block(session->door, number); /* on_left() tells the watchers */
}
