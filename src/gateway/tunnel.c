/*
 * States are in tunnel.h. A tunnel owns one thing at a time that may call back (reach and attach
 * together while opening, then watch, dial, the link), and a callback that ends its object
 * clears the pointer first, so tunnel_free() can cancel whatever is left in any state but relaying:
 * the link is the relay's, which goes first.
 *
 * Re-entrancy: tunnel_end() reports to the owner, which frees the tunnel, so it is the last thing
 * that any function does. Only a link, which is a worker thread's, has to come back first: it is
 * cut, and the tunnel ends in tunnel_link_ended().
 *
 * The target is dialled at the client's first byte, or when the VPS asks for it (tunnel_dial()),
 * and not sooner: sshd limits the time of a login, and counts idle ones against the gateway.
 */
#include "gateway/tunnel.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/dial.h"
#include "base/host.h"
#include "base/resolve.h"
#include "base/text.h"
#include "base/timer.h"
#include "base/watch.h"
#include "gateway/attach.h"
#include "gateway/failure.h"
#include "gateway/reach.h"

/* Deadlines. reach.c and attach.c have their own; waiting has none: the VPS gives a session up. */
enum {
    DIAL_MS = 5000, /* the target, once the user is there */
    /*
     * How long a link may still run after CLOSE_TUNNEL. The VPS has closed or
     * reset its end of the data channel by then, so the link ends by itself, and
     * cutting it at once would throw away the last bytes on their way to the
     * target. This is for links that the news does not reach.
     */
    LINGER_MS = 30000,
};

enum tunnel_state {
    STATE_OPENING,
    STATE_WAITING,
    STATE_DIALLING,
    STATE_RELAYING,
    STATE_CLOSING,
    STATE_ENDED,
};

static const char *const STATE_NAMES[] = {
    [STATE_OPENING] = "opening",   [STATE_WAITING] = "waiting", [STATE_DIALLING] = "dialling",
    [STATE_RELAYING] = "relaying", [STATE_CLOSING] = "closing", [STATE_ENDED] = "ended",
};

static const char *const LINK_ENDS[] = {
    [LINK_FINISHED] = "finished",
    [LINK_RESET] = "reset by one side",
    [LINK_DEAD] = "one side stopped answering",
    [LINK_FAILED] = "failed",
    [LINK_CUT] = "cut",
};

struct tunnel {
    const struct tunnel_host *host;
    enum tunnel_state state;
    uint64_t session;
    uint16_t channel;
    bool dial_at_once;            /* tunnel_dial() */
    char target[TARGET_TEXT_MAX]; /* as it was asked for */
    uint16_t port;
    struct addr *addrs;  /* to dial; only until that is done */
    struct addr dialled; /* then: the one that answered */
    unsigned addr_count;
    int data; /* the data channel, -1: none (yet, or any more) */
    struct reach *reach;
    struct attach *attach;
    struct watch *watch;
    struct dial *dial;
    struct link *link;
    struct timer *linger;
    uint64_t since_ms; /* when its state began */
};

/* ---- saying ---------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void tunnel_log(const struct tunnel *tunnel,
                                                             enum log_level level,
                                                             const char *format, ...)
{
    char line[512];
    struct text text = text_over(line, sizeof line);
    va_list args;
    va_start(args, format);
    text_add_v(&text, format, args);
    va_end(args);
    sieve_log(tunnel->host->lines, "tunnels", level, "tunnel %016" PRIx64 "/%u to %s: %s",
              tunnel->session, tunnel->channel, tunnel->target, line);
}

static void tunnel_set_state(struct tunnel *tunnel, enum tunnel_state state, const char *because)
{
    tunnel_log(tunnel, LOG_INFO, "%s -> %s%s%s", STATE_NAMES[tunnel->state], STATE_NAMES[state],
               because[0] ? ": " : "", because);
    tunnel->state = state;
    tunnel->since_ms = clock_ms();
}

static void send_ready(const struct tunnel *tunnel)
{
    struct message message = {.type = MESSAGE_TUNNEL_READY};
    struct message_tunnel_ready *ready = &message.tunnel_ready;
    ready->session = tunnel->session;
    ready->channel = tunnel->channel;
    addr_text(&tunnel->addrs[0], ready->address);
    tunnel->host->send(tunnel->host->arg, &message);
}

static void send_failed(const struct tunnel *tunnel, const struct failure *failure)
{
    struct message message = {.type = MESSAGE_TUNNEL_FAILED};
    struct message_tunnel_failed *failed = &message.tunnel_failed;
    failed->session = tunnel->session;
    failed->channel = tunnel->channel;
    failed->reason = (uint8_t)failure->reason;
    snprintf(failed->detail, sizeof failed->detail, "%s", failure->detail);
    tunnel->host->send(tunnel->host->arg, &message);
}

/* ---- ending ---------------------------------------------------------------- */

/* The tunnel is gone when this returns. */
static void tunnel_end(struct tunnel *tunnel, const char *because)
{
    tunnel_set_state(tunnel, STATE_ENDED, because);
    tunnel->host->ended(tunnel->host->arg, tunnel);
}

static void tunnel_fail(struct tunnel *tunnel, const struct failure *failure)
{
    if (failure->note[0]) {
        tunnel_log(tunnel, LOG_WARN, "%s", failure->note);
    }
    send_failed(tunnel, failure);
    tunnel_end(tunnel, failure->detail);
}

/* ---- relaying -------------------------------------------------------------- */

void tunnel_link_ended(struct tunnel *tunnel, struct link *link)
{
    char because[256];
    struct text text = text_over(because, sizeof because);
    text_add(&text, "%s", LINK_ENDS[link_end(link)]);
    if (link_error(link) != 0) {
        text_add(&text, " (%s)", strerror(link_error(link)));
    }
    text_add(&text, ", ");
    text_add_bytes(&text, link_bytes_a_to_b(link));
    text_add(&text, " to the target, ");
    text_add_bytes(&text, link_bytes_b_to_a(link));
    text_add(&text, " back");
    link_free(link);
    tunnel->link = NULL;
    tunnel_end(tunnel, because);
}

static void on_linger(void *arg)
{
    struct tunnel *tunnel = arg;
    link_cut(tunnel->link); /* it comes back through tunnel_link_ended() */
}

/* ---- dialling -------------------------------------------------------------- */

/* The user is already there: the RST tells the VPS at once, the message tells it why. */
static void dialling_failed(struct tunnel *tunnel, const struct failure *failure)
{
    net_reset(tunnel->data);
    tunnel->data = -1;
    tunnel_fail(tunnel, failure);
}

/* The next session's probe may be spared by this, or is due again. */
static void remember_answer(struct tunnel *tunnel, const struct addr *answered)
{
    if (answered) {
        reachable_note(tunnel->host->reachable, answered);
        return;
    }
    for (unsigned i = 0; i < tunnel->addr_count; i++) {
        reachable_forget(tunnel->host->reachable, &tunnel->addrs[i]);
    }
}

static void on_dialled(void *arg, int fd, const struct addr *addr)
{
    struct tunnel *tunnel = arg;
    struct failure failure;
    tunnel->dial = NULL;
    remember_answer(tunnel, fd < 0 ? NULL : addr);
    if (fd < 0) {
        failure = failure_of_target(fd, tunnel->target);
        dialling_failed(tunnel, &failure);
        return;
    }
    net_tune(fd);
    /* Not sooner: its round trip is known now, and only now does it carry users' bytes. */
    congestion_apply(tunnel->host->congestion, tunnel->data);
    int err = relay_join(tunnel->host->relay, tunnel->data, fd, NULL, 0, tunnel, &tunnel->link);
    if (err < 0) {
        close(fd);
        failure = failure_make(TUNNEL_BUSY, "the gateway's relay cannot take any more: %s",
                               strerror(-err));
        dialling_failed(tunnel, &failure);
        return;
    }
    tunnel->data = -1;
    tunnel->dialled = *addr;
    free(tunnel->addrs);
    tunnel->addrs = NULL;
    char address[ADDR_TEXT_MAX];
    tunnel_set_state(tunnel, STATE_RELAYING, addr_text(addr, address));
}

static void start_dialling(struct tunnel *tunnel)
{
    /* Bytes and even a FIN may follow meanwhile: they wait in the socket for the relay. */
    watch_free(tunnel->watch);
    tunnel->watch = NULL;
    tunnel_set_state(tunnel, STATE_DIALLING, "");
    tunnel->dial = dial_start(tunnel->host->loop, tunnel->addrs, tunnel->addr_count, DIAL_MS, true,
                              on_dialled, tunnel);
    if (!tunnel->dial) {
        struct failure failure = failure_of_target(-ENOMEM, tunnel->target);
        dialling_failed(tunnel, &failure);
    }
}

/* ---- waiting --------------------------------------------------------------- */

/* The data channel became readable: a first byte, which stays there, or its end. */
static void on_first_byte(void *arg, int events)
{
    struct tunnel *tunnel = arg;
    char byte;
    ssize_t n = recv(tunnel->data, &byte, 1, MSG_PEEK);
    (void)events;
    if (n > 0) {
        start_dialling(tunnel);
    } else if (n == 0) {
        tunnel_end(tunnel, "the VPS closed the data channel");
    } else if (errno != EAGAIN && errno != EINTR) {
        tunnel_end(tunnel, strerror(errno));
    }
}

static void start_waiting(struct tunnel *tunnel)
{
    tunnel->watch = watch_start(tunnel->host->loop, tunnel->data, WATCH_READ, on_first_byte,
                                tunnel);
    if (!tunnel->watch) {
        struct failure failure = failure_of_target(-ENOMEM, tunnel->target);
        tunnel_fail(tunnel, &failure);
        return;
    }
    char because[64];
    snprintf(because, sizeof because, "took %" PRIu64 " ms", clock_ms() - tunnel->since_ms);
    tunnel_set_state(tunnel, STATE_WAITING, because);
    if (tunnel->channel == 0) { /* later ones speak for themselves */
        send_ready(tunnel);
    }
    if (tunnel->dial_at_once) {
        start_dialling(tunnel);
    }
}

/* ---- the list of targets --------------------------------------------------- */

/* The host as it was asked for, out of "HOST:PORT" or "[IPV6]:PORT". */
static void write_host(const struct tunnel *tunnel, char dst[TARGET_TEXT_MAX])
{
    const char *start = tunnel->target + (tunnel->target[0] == '[');
    const char *end = strrchr(tunnel->target, ':') - (tunnel->target[0] == '[');
    snprintf(dst, TARGET_TEXT_MAX, "%.*s", (int)(end - start), start);
}

/* Every address that it is connected to, or may yet dial. */
static bool is_allowed(const struct tunnel *tunnel)
{
    const struct targets *allowed = tunnel->host->allowed;
    const struct addr *addrs = tunnel->addrs ? tunnel->addrs : &tunnel->dialled;
    unsigned count = tunnel->addrs ? tunnel->addr_count : 1;
    char host[TARGET_TEXT_MAX];
    write_host(tunnel, host);
    if (targets_allow_name(allowed, host, tunnel->port)) {
        return true;
    }
    for (unsigned i = 0; i < count; i++) {
        if (!targets_allow_addr(allowed, &addrs[i])) {
            return false;
        }
    }
    return true;
}

static struct failure not_allowed_any_more(const struct tunnel *tunnel)
{
    return failure_make(TUNNEL_NOT_ALLOWED,
                        "%.100s is no longer among the ALLOWED_TARGETS of this gateway",
                        tunnel->target);
}

/* ---- opening --------------------------------------------------------------- */

static void opened_one_half(struct tunnel *tunnel)
{
    if (!tunnel->reach && !tunnel->attach) {
        start_waiting(tunnel);
    }
}

static void on_reached(void *arg, const struct failure *failure, const struct addr *addrs,
                       unsigned count)
{
    struct tunnel *tunnel = arg;
    tunnel->reach = NULL;
    if (failure) {
        tunnel_fail(tunnel, failure);
        return;
    }
    tunnel->addrs = malloc(count * sizeof *addrs);
    if (!tunnel->addrs) {
        struct failure no_memory = failure_of_target(-ENOMEM, tunnel->target);
        tunnel_fail(tunnel, &no_memory);
        return;
    }
    memcpy(tunnel->addrs, addrs, count * sizeof *addrs);
    tunnel->addr_count = count;
    if (!is_allowed(tunnel)) { /* the list has changed while it was probed */
        struct failure not_allowed = not_allowed_any_more(tunnel);
        tunnel_fail(tunnel, &not_allowed);
        return;
    }
    opened_one_half(tunnel);
}

static void on_attached(void *arg, const struct failure *failure, int fd)
{
    struct tunnel *tunnel = arg;
    tunnel->attach = NULL;
    if (failure) {
        tunnel_fail(tunnel, failure);
        return;
    }
    tunnel->data = fd;
    if (net_descriptors_are_short(fd)) { /* what runs needs some: pipes, the target's ends */
        struct failure few = failure_make(TUNNEL_BUSY, "the gateway is short of file descriptors");
        tunnel_fail(tunnel, &few);
        return;
    }
    opened_one_half(tunnel);
}

/* Both call back from the loop only, so that the tunnel is whole by then. */
static int start_opening(struct tunnel *tunnel, const struct message_open_tunnel *command,
                         const struct addr *vps)
{
    struct reach_request reach = {
        .host = command->host,
        .port = command->port,
        .allowed = tunnel->host->allowed,
        .resolver = tunnel->host->resolver,
        .reachable = tunnel->host->reachable,
        .probe = command->channel == 0, /* later ones: the user is there, and waits */
    };
    struct attach_request attach = {
        .vps = *vps,
        .session = command->session,
        .channel = command->channel,
        .token = command->token,
    };

    addr_set_port(&attach.vps, command->data_port);
    tunnel->reach = reach_start(tunnel->host->loop, &reach, on_reached, tunnel);
    if (!tunnel->reach) {
        return -ENOMEM;
    }
    return attach_start(tunnel->host->loop, &attach, on_attached, tunnel, &tunnel->attach);
}

int tunnel_new(const struct tunnel_host *host, const struct message_open_tunnel *command,
               const struct addr *vps, struct tunnel **ret_tunnel)
{
    struct tunnel *tunnel = calloc(1, sizeof *tunnel);
    int err = -ENOMEM;
    if (!tunnel) {
        return err;
    }
    tunnel->host = host;
    tunnel->session = command->session;
    tunnel->channel = command->channel;
    tunnel->data = -1;
    tunnel->since_ms = clock_ms();
    tunnel->port = command->port;
    target_format(command->host, command->port, tunnel->target);
    tunnel->linger = timer_new(host->loop, on_linger, tunnel);
    if (tunnel->linger) {
        err = start_opening(tunnel, command, vps);
    }
    if (err < 0) {
        tunnel_free(tunnel);
        return err;
    }
    tunnel_log(tunnel, LOG_INFO, "opening");
    *ret_tunnel = tunnel;
    return 0;
}

/* ---- the rest -------------------------------------------------------------- */

void tunnel_free(struct tunnel *tunnel)
{
    if (!tunnel) {
        return;
    }
    reach_cancel(tunnel->reach);
    attach_cancel(tunnel->attach);
    watch_free(tunnel->watch);
    dial_cancel(tunnel->dial);
    timer_free(tunnel->linger);
    free(tunnel->addrs);
    if (tunnel->data >= 0) {
        close(tunnel->data);
    }
    free(tunnel);
}

uint64_t tunnel_session(const struct tunnel *tunnel)
{
    return tunnel->session;
}

uint16_t tunnel_channel(const struct tunnel *tunnel)
{
    return tunnel->channel;
}

const struct link *tunnel_link(const struct tunnel *tunnel)
{
    return tunnel->link;
}

bool tunnel_is_opening(const struct tunnel *tunnel)
{
    return tunnel->state == STATE_OPENING;
}

void tunnel_dial(struct tunnel *tunnel)
{
    tunnel->dial_at_once = true;
    if (tunnel->state == STATE_WAITING) {
        start_dialling(tunnel);
    }
}

void tunnel_close(struct tunnel *tunnel)
{
    if (tunnel->state == STATE_RELAYING) {
        tunnel_set_state(tunnel, STATE_CLOSING, "the session is over");
        timer_set(tunnel->linger, LINGER_MS);
    } else if (tunnel->state != STATE_CLOSING) {
        tunnel_end(tunnel, "the session is over");
    }
}

/* ---- another list of targets ------------------------------------------------ */

/* The link comes back through tunnel_link_ended(), and the tunnel ends then. */
static void cut_relaying(struct tunnel *tunnel, const struct failure *failure)
{
    tunnel_log(tunnel, LOG_WARN, "cut off: %s", failure->detail);
    send_failed(tunnel, failure);
    link_cut(tunnel->link);
}

void tunnel_check_target(struct tunnel *tunnel)
{
    if (tunnel->reach || is_allowed(tunnel)) {
        return;
    }
    struct failure failure = not_allowed_any_more(tunnel);
    if (tunnel->link) {
        cut_relaying(tunnel, &failure);
    } else if (tunnel->data >= 0) {
        dialling_failed(tunnel, &failure);
    } else {
        tunnel_fail(tunnel, &failure);
    }
}
