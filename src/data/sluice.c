/*
 * Why. A relay that reads as fast as it may fills every buffer in front of a slow
 * client, and what a person types then waits behind it: 7.5 s at 10 Mbit/s, and 15 to
 * 50 MB of kernel memory for one session. So while the writing side is what limits a
 * flow, two things follow the rate at which it sends: what is unsent there, and the
 * window of the reading side (data/window.h), so that the sender waits as it would
 * without us.
 *
 *     OPEN --- the writing side was full ---> HELD, by what it sent since the last look
 *       ^                                      |
 *       '-- it sends 3 Gbit/s, or it starves --'
 *
 * It looks while the writing side is full now and then, at the earliest every 20 ms and
 * every round trip, within which all comes in bursts. A flow whose writing side never is
 * full, as with people who type, costs no system call; a fast one a few every 20 ms.
 *
 * The numbers. `margin` is how long we may be late, asleep or behind other links: 5 ms,
 * more where that was seen to be too little. Unsent is rate x margin. The rate is what
 * left the socket, not what it took in, which may only have filled it; and up to twice
 * that where its congestion window grows. Held back too much, a flow would never get
 * faster: so when the writing side had nothing left to send while it could have (it
 * starved), more comes in, whatever was reckoned.
 *
 * A sender that is near (2 ms) fills any window between two looks, so its whole window
 * is rate x (round trip + half a margin). It also keeps in its own buffer, for good, some
 * times the window that it once saw: hence narrow connections (base/net.h), and small
 * steps up. One that is far has rate x round trip under way, and so much waits here as is
 * unsent on the other side.
 */
#include "data/sluice.h"

#include <linux/sock_diag.h>
#include <linux/tcp.h> /* the C library's <netinet/tcp.h> lacks the younger members */
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "data/window.h"

enum {
    LOOK_US = 20 * 1000,
    MARGIN_LEAST_MS = 5,
    MARGIN_MOST_MS = 20,
    /* Some segments, so that packets and acknowledgements need not go one by one. */
    ROOM_LEAST = 8 * 1024,
    UNSENT_LEAST = 8 * 1024,
    /* Until the rate is known. */
    UNSENT_FIRST = 32 * 1024,
    /* So much may go into buffers on the way before a slow side is noticed. */
    EVIDENCE = 512 * 1024,
    NEAR_US = 2 * 1000,
    /* Beyond two round trips, for the sender's scheduler. */
    QUIET_US = 200,
    /* Times what a window should need; then it is not what is wrong. */
    ENOUGH = 4,
    WINDOW_MOST = 1 << 29, /* about half of what TCP can tell (RFC 7323, 2.2) */
    /* In a margin, which is 3 Gbit/s: then nobody is slow. */
    UNSENT_MOST = 2 * 1024 * 1024,
    /* The kernel adds to the last packet in its queue up to this, whatever the low-water mark. */
    PACKET_MOST = 64 * 1024,
};

struct sluice {
    uint64_t since_us; /* when the present look began; 0: nothing to look for */
    uint64_t sent;     /* by the writing side until then, once */
    uint64_t bytes;    /* delivered until then */
    uint64_t left_us;  /* when the last turn ended that left something to read */
    struct window window;
    uint32_t room;        /* that the reading side is given; 0: as the kernel likes */
    uint32_t interval_us; /* how long the present look is at least */
    uint32_t unsent;      /* that the writing side may have; 0: as the kernel likes */
    uint32_t cwnd;        /* of the writing side when the look began */
    uint16_t margin_ms;
    bool judged : 1;  /* a look has ended */
    bool full : 1;    /* the writing side was, since the look began */
    bool starved : 1; /* it had nothing left to send while we had nothing to give it */
    bool dry : 1;     /* the last turn left nothing to read */
};

/* What a look sees. */
struct sight {
    struct tcp_info from, to;
    uint64_t sent;   /* by the writing side so far, once */
    uint64_t rate;   /* bytes a second that are to be expected of it */
    uint64_t rtt_us; /* of the reading side */
    bool quiet;      /* nothing was read for longer than that */
};

/* False also if some of what is needed is not there: taken for zeros, it would choke the flow. */
static bool read_info(int fd, struct tcp_info *ret_info)
{
    const socklen_t needed = offsetof(struct tcp_info, tcpi_min_rtt) +
                             sizeof ret_info->tcpi_min_rtt;
    *ret_info = (struct tcp_info){0};
    socklen_t len = sizeof *ret_info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, ret_info, &len) == 0 && len >= needed;
}

static uint64_t round_trip_us(const struct tcp_info *info)
{
    bool known = info->tcpi_min_rtt != 0 && info->tcpi_min_rtt != UINT32_MAX;
    return known ? info->tcpi_min_rtt : info->tcpi_rtt;
}

static bool sight_take(struct sight *sight, const struct sluice_view *view)
{
    *sight = (struct sight){0};
    if (!read_info(view->from, &sight->from) || !read_info(view->to, &sight->to)) {
        return false;
    }
    sight->rtt_us = round_trip_us(&sight->from);
    sight->sent = view->bytes - sight->to.tcpi_notsent_bytes;
    return true;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint32_t at_least(uint64_t value, uint32_t least)
{
    return value < least ? least : (uint32_t)value;
}

/* Within half and double of what was; 0: there was nothing. */
static uint64_t gradually(uint64_t value, uint32_t before)
{
    if (before == 0) {
        return value;
    }
    uint64_t most = 2 * (uint64_t)before;
    return value < before / 2 ? before / 2 : value > most ? most : value;
}

static void sluice_set_unsent(struct sluice *sluice, int to, uint32_t unsent)
{
    if (sluice->unsent != unsent) {
        sluice->unsent = unsent;
        setsockopt(to, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    }
}

/*
 * Two of the largest segments that the sender may make (64 KiB on loopback): it does not
 * send a part of one into a window that is too small for it, but waits for a timer.
 */
static uint32_t least_room(const struct sight *sight)
{
    return at_least(2 * (uint64_t)sight->from.tcpi_advmss, ROOM_LEAST);
}

static void sluice_hold_near(struct sluice *sluice, const struct sight *sight, int from,
                             uint64_t room)
{
    sluice->room = at_least(room, least_room(sight));
    window_hold_near(&sluice->window, from, sluice->room, sight->quiet);
}

static void sluice_open(struct sluice *sluice, int from)
{
    sluice->room = 0;
    window_open(&sluice->window, from);
}

/* What comes in a round trip and half a margin: the other half waits on the writing side. */
static uint64_t near_room(const struct sluice *sluice, const struct sight *sight)
{
    return sight->rate * (sight->rtt_us + sluice->margin_ms * 500u) / 1000000;
}

/* The writing side was full: it decides what may come. */
static void sluice_hold(struct sluice *sluice, const struct sluice_view *view,
                        const struct sight *sight)
{
    uint64_t unsent = sight->rate * sluice->margin_ms / 1000;
    uint64_t under_way = sight->rate * sight->rtt_us / 1000000;
    if (unsent > UNSENT_MOST) {
        sluice_open(sluice, view->from);
        sluice_set_unsent(sluice, view->to, 0);
        return;
    }
    if (sight->rtt_us < NEAR_US) {
        sluice_hold_near(sluice, sight, view->from,
                         gradually(near_room(sluice, sight), sluice->room));
    } else {
        sluice->room = at_least(under_way < WINDOW_MOST ? under_way : WINDOW_MOST,
                                least_room(sight));
        window_hold_far(&sluice->window, view->from, sluice->room, (uint32_t)unsent);
    }
    sluice_set_unsent(sluice, view->to, at_least(gradually(unsent, sluice->unsent), UNSENT_LEAST));
}

/*
 * The writing side had nothing left to send: the window was too small, or the sender is slow
 * and it does not matter. A near sender's grows by and by: whatever it was allowed once it goes
 * on to keep in its own buffer.
 */
static void sluice_feed(struct sluice *sluice, const struct sluice_view *view,
                        const struct sight *sight)
{
    if (sight->to.tcpi_snd_cwnd <= sluice->cwnd) { /* else it only got faster, as it is to */
        unsigned margin = 2u * sluice->margin_ms;
        sluice->margin_ms = (uint16_t)(margin < MARGIN_MOST_MS ? margin : MARGIN_MOST_MS);
    }
    if (sight->rtt_us >= NEAR_US || sluice->room == 0 || sluice->room > UNSENT_MOST) {
        sluice_open(sluice, view->from);
    } else if (sluice->room < ENOUGH * near_room(sluice, sight)) {
        sluice_hold_near(sluice, sight, view->from, 2 * (uint64_t)sluice->room);
    }
    uint32_t unsent = 2 * sluice->unsent;
    sluice_set_unsent(sluice, view->to, unsent < UNSENT_MOST ? unsent : 0);
}

/* At least a round trip of either side, within which what is sent comes in bursts. */
static void sluice_begin_look(struct sluice *sluice, const struct sluice_view *view,
                              const struct sight *sight, uint64_t now_us)
{
    uint64_t round_trip = max_u64(sight->rtt_us, round_trip_us(&sight->to));
    sluice->since_us = now_us;
    sluice->sent = sight->sent;
    sluice->cwnd = sight->to.tcpi_snd_cwnd;
    sluice->bytes = view->bytes;
    sluice->interval_us = at_least(round_trip, LOOK_US);
    sluice->full = sluice->starved = false;
}

/* The rate of the next look: what was sent in this one, more if the writing side speeds up. */
static uint64_t sluice_expect(const struct sluice *sluice, const struct sight *sight, uint64_t us)
{
    uint64_t rate = (sight->sent - sluice->sent) * 1000000 / us;
    uint64_t cwnd = sight->to.tcpi_snd_cwnd;
    if (cwnd <= sluice->cwnd || sluice->cwnd == 0) {
        return rate;
    }
    return cwnd < 2 * (uint64_t)sluice->cwnd ? rate * cwnd / sluice->cwnd : 2 * rate;
}

static void sluice_end_look(struct sluice *sluice, const struct sluice_view *view, uint64_t now_us)
{
    struct sight sight;
    if (!sight_take(&sight, view)) {
        return;
    }
    sight.rate = sluice_expect(sluice, &sight, now_us - sluice->since_us);
    sight.quiet = !sluice->dry && now_us - sluice->left_us > 2 * sight.rtt_us + QUIET_US;
    bool full = sluice->full;
    sluice->judged = true;
    if (sluice->starved) {
        sluice_feed(sluice, view, &sight);
    } else if (full && sight.sent != sluice->sent) { /* a side that takes nothing has no rate */
        sluice->margin_ms = (uint16_t)(sluice->margin_ms -
                                       (sluice->margin_ms - MARGIN_LEAST_MS + 7) / 8);
        sluice_hold(sluice, view, &sight);
    }
    sluice_begin_look(sluice, view, &sight, full || sluice->room ? now_us : 0);
}

struct sluice *sluice_new(const struct sluice_view *view)
{
    struct sight sight;
    struct sluice *sluice = calloc(1, sizeof *sluice);
    if (!sluice) {
        return NULL;
    }
    if (!sight_take(&sight, view)) {
        sluice->judged = true; /* nothing will be seen, and so nothing is held back */
        return sluice;
    }
    sluice->margin_ms = MARGIN_LEAST_MS;
    sluice_begin_look(sluice, view, &sight, clock_us());
    if (sight.rtt_us < NEAR_US) {
        sluice_hold_near(sluice, &sight, view->from, 0);
    }
    return sluice;
}

void sluice_free(struct sluice *sluice)
{
    free(sluice);
}

/*
 * The socket has nothing more to send, though it had room for it: half of the buffer is what the
 * kernel means to have under way.
 */
static bool has_sent_all(int fd)
{
    struct tcp_info info;
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof memory;
    return read_info(fd, &info) && info.tcpi_notsent_bytes == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &len) == 0 &&
           memory[SK_MEMINFO_WMEM_QUEUED] < memory[SK_MEMINFO_SNDBUF] / 2;
}

/* So little since the look began says nothing, and is no reason to ask for the time. */
static bool sluice_is_idle(const struct sluice *sluice, const struct sluice_view *view)
{
    uint64_t much = sluice->judged ? sluice->room / 2 : EVIDENCE;
    return sluice->since_us == 0 || (!sluice->full && view->bytes - sluice->bytes < much);
}

void sluice_before(struct sluice *sluice, const struct sluice_view *view)
{
    if (sluice_is_idle(sluice, view)) {
        return;
    }
    if (sluice->dry && !sluice->starved) {
        sluice->starved = has_sent_all(view->to);
    }
    uint64_t now = clock_us();
    if (now - sluice->since_us >= sluice->interval_us) {
        sluice_end_look(sluice, view, now);
    }
}

void sluice_after(struct sluice *sluice, const struct sluice_view *view, bool full)
{
    struct sight sight;
    sluice->dry = !full;
    if (full) {
        sluice->left_us = clock_us();
    }
    if (full && sluice->since_us == 0 && sight_take(&sight, view)) {
        sluice_begin_look(sluice, view, &sight, clock_us());
    }
    if (full && !sluice->judged && sluice->unsent == 0) {
        sluice_set_unsent(sluice, view->to, UNSENT_FIRST);
    }
    sluice->full |= full;
}

size_t sluice_step(const struct sluice *sluice, size_t most)
{
    return sluice && sluice->unsent != 0 && sluice->unsent < most ? sluice->unsent : most;
}

int sluice_send_flags(const struct sluice *sluice)
{
    return sluice && sluice->unsent != 0 && sluice->unsent < PACKET_MOST ? MSG_EOR : 0;
}
