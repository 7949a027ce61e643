/*
 * Questions go out in rounds, because datagrams get lost: IPv4 at once, then once more (NetBIOS
 * for the other thing a machine may be by its name) with IPv6 beside it, and a third time. The
 * first good answer is taken, and in a moment of grace it is heard whether somebody says otherwise:
 * that is no reason not to take it, since whoever lies would only have to say so, but it is one to
 * tell people. One timer beats for its turn, the rounds and the grace. It ends itself before it
 * calls back (finish()), and never from inside lan_search_start().
 */
#include "gateway/names/lan_search.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/host.h"
#include "base/timer.h"
#include "gateway/names/lan_ears.h"
#include "gateway/names/netbios_name.h"

/* When each round begins, and the end of the last one. */
static const uint64_t ROUNDS_MS[] = {0, 250, 600, LAN_SEARCH_MS};
enum { ROUNDS = sizeof ROUNDS_MS / sizeof *ROUNDS_MS - 1, ROUND_OF_V6 = 1 };
enum { TURN_EVERY_MS = 100 };

struct lan_searches {
    uv_loop_t *loop;
    unsigned running;
};

struct lan_search {
    struct lan_searches *searches;
    lan_search_fn fn;
    void *arg;
    bool has_turn;
    uint64_t waits_ms; /* for its turn */
    char name[HOST_MAX + 1];
    uint16_t port;
    uint16_t ids[LAN_PROTOCOLS + 1];
    struct timer *timer;
    unsigned round;         /* the next one */
    struct lan_ears *ears;  /* from the first round on */
    struct lan_found found; /* of no address: nobody has answered yet */
};

/* ---- life ------------------------------------------------------------------- */

struct lan_searches *lan_searches_new(uv_loop_t *loop)
{
    struct lan_searches *searches = calloc(1, sizeof *searches);
    if (searches) {
        searches->loop = loop;
    }
    return searches;
}

void lan_searches_free(struct lan_searches *searches)
{
    free(searches);
}

static void search_free(struct lan_search *search)
{
    lan_ears_free(search->ears);
    timer_free(search->timer);
    search->searches->running -= search->has_turn;
    free(search);
}

static void finish(struct lan_search *search, int err)
{
    const struct lan_found found = search->found;
    lan_search_fn fn = search->fn;
    void *arg = search->arg;
    search_free(search);
    fn(arg, err, err < 0 ? NULL : &found);
}

void lan_search_cancel(struct lan_search *search)
{
    if (search) {
        search_free(search);
    }
}

/* ---- answers ---------------------------------------------------------------- */

/* Keeps those that are in the network of the interface that was asked, and may be believed. */
static void keep_near(const struct lan_search *search, const struct lan_ear *ear,
                      struct lan_found *found)
{
    unsigned count = found->count;
    found->count = 0;
    for (unsigned i = 0; i < count; i++) {
        struct addr addr = found->addrs[i];
        addr_set_port(&addr, search->port);
        if (lan_ear_believes(ear, &addr, &found->said_by)) {
            found->addrs[found->count++] = addr;
        }
    }
}

static bool have_common(const struct lan_found *one, const struct lan_found *other)
{
    for (unsigned i = 0; i < one->count * other->count; i++) {
        if (addr_same_host(&one->addrs[i / other->count], &other->addrs[i % other->count])) {
            return true;
        }
    }
    return false;
}

/* Of one family: of the other one, every machine has another address. */
static bool contradict(const struct lan_found *one, const struct lan_found *other)
{
    return one->said_by.sa.sa_family == other->said_by.sa.sa_family &&
           !addr_same_host(&one->said_by, &other->said_by) && !have_common(one, other);
}

static struct lan_question question_of(const struct lan_search *search, const struct lan_ear *ear,
                                       enum lan_protocol protocol)
{
    return (struct lan_question){.protocol = protocol,
                                 .name = search->name,
                                 .family = lan_ear_network(ear)->addr.sa.sa_family,
                                 .id = search->ids[protocol]};
}

/* The protocol that speaks from this port; 0: none. */
static unsigned protocol_at(uint16_t port)
{
    unsigned protocol = LAN_PROTOCOLS;
    while (protocol > 0 && lan_protocol_port((enum lan_protocol)protocol) != port) {
        protocol--;
    }
    return protocol;
}

static bool on_datagram(void *arg, const struct lan_ear *ear, const uint8_t *bytes, size_t len,
                        const struct addr *sender)
{
    struct lan_search *search = arg;
    struct lan_found found = {.said_by = *sender};
    unsigned protocol = protocol_at(addr_port(sender));
    if (protocol == 0) {
        return false;
    }
    found.by = (enum lan_protocol)protocol;
    const struct lan_question question = question_of(search, ear, found.by);
    found.count = lan_question_read(&question, bytes, len, found.addrs);
    keep_near(search, ear, &found);
    if (found.count > 0 && search->found.count == 0) {
        search->found = found;
        timer_set(search->timer, LAN_SEARCH_GRACE_MS);
    } else if (found.count > 0 && contradict(&search->found, &found)) {
        search->found.rival = found.said_by;
    }
    return false;
}

/* ---- questions -------------------------------------------------------------- */

static void ask(const struct lan_search *search, const struct lan_ear *ear, unsigned round)
{
    for (unsigned i = LAN_MDNS; i <= LAN_PROTOCOLS; i++) {
        uint8_t bytes[LAN_QUESTION_MAX];
        struct lan_question question = question_of(search, ear, (enum lan_protocol)i);
        question.suffix = round == 1 ? NETBIOS_WORKSTATION : NETBIOS_FILE_SERVER;
        lan_ear_ask(ear, question.protocol, bytes, lan_question_write(&question, bytes));
    }
}

/* -ENOMEM */
static int open_more(struct lan_search *search, unsigned round)
{
    if (round == 0) {
        search->ears = lan_ears_new(search->searches->loop, on_datagram, search);
    }
    if (!search->ears) {
        return -ENOMEM;
    }
    if (round == 0 || round == ROUND_OF_V6) {
        lan_ears_open(search->ears, round == 0 ? AF_INET : AF_INET6);
    }
    return 0;
}

static void begin_round(struct lan_search *search)
{
    unsigned round = search->round++;
    const struct lan_ear *ear = NULL;
    int err = round == ROUNDS ? -ENOENT : open_more(search, round);
    if (err < 0) {
        finish(search, err);
        return;
    }
    timer_set(search->timer, ROUNDS_MS[round + 1] - ROUNDS_MS[round]);
    while ((ear = lan_ears_next(search->ears, ear))) {
        ask(search, ear, round);
    }
}

/* False: it waits, or has waited long enough and is over. */
static bool take_turn(struct lan_search *search)
{
    struct lan_searches *searches = search->searches;
    search->has_turn = searches->running < LAN_SEARCHES_MAX;
    searches->running += search->has_turn;
    if (!search->has_turn && search->waits_ms >= LAN_SEARCH_TURN_MS) {
        finish(search, -EBUSY);
        return false;
    }
    if (!search->has_turn) {
        search->waits_ms += TURN_EVERY_MS;
        timer_set(search->timer, TURN_EVERY_MS);
    }
    return search->has_turn;
}

static void on_timer(void *arg)
{
    struct lan_search *search = arg;
    if (search->found.count > 0) {
        finish(search, 0);
    } else if (search->has_turn || take_turn(search)) {
        begin_round(search);
    }
}

static int draw_ids(struct lan_search *search)
{
    uint16_t ids[LAN_PROTOCOLS + 1];
    if (getrandom(ids, sizeof ids, 0) != sizeof ids) {
        return -EIO;
    }
    memcpy(search->ids, ids, sizeof ids);
    return 0;
}

struct lan_search *lan_search_start(struct lan_searches *searches, const char *name, uint16_t port,
                                    lan_search_fn fn, void *arg)
{
    struct lan_search *search = calloc(1, sizeof *search);
    if (!search) {
        return NULL;
    }
    search->searches = searches;
    search->fn = fn;
    search->arg = arg;
    search->port = port;
    snprintf(search->name, sizeof search->name, "%s", name);
    search->timer = timer_new(searches->loop, on_timer, search);
    if (!search->timer || draw_ids(search) < 0) {
        search_free(search);
        return NULL;
    }
    timer_set(search->timer, 0);
    return search;
}
