/*
 * Questions go out in rounds, because datagrams get lost: IPv4 at once, then once more (NetBIOS
 * for the other thing a machine may be by its name) with IPv6 beside it, and a third time. The
 * first good answer ends the search. It ends itself before it calls back (finish()), and never
 * from inside lan_search_start().
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

struct lan_searches {
    uv_loop_t *loop;
    unsigned running;
};

struct lan_search {
    struct lan_searches *searches;
    lan_search_fn fn;
    void *arg;
    bool counted;
    char name[HOST_MAX + 1];
    uint16_t port;
    uint16_t ids[LAN_PROTOCOLS + 1];
    struct timer *timer;
    unsigned round;        /* the next one */
    struct lan_ears *ears; /* from the first round on */
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
    search->searches->running -= search->counted;
    free(search);
}

static void finish(struct lan_search *search, int err, const struct lan_found *found)
{
    lan_search_fn fn = search->fn;
    void *arg = search->arg;
    search_free(search);
    fn(arg, err, found);
}

void lan_search_cancel(struct lan_search *search)
{
    if (search) {
        search_free(search);
    }
}

/* ---- answers ---------------------------------------------------------------- */

/* Keeps those that are in the network of the interface that was asked. */
static unsigned keep_near(const struct lan_search *search, const struct lan_ear *ear,
                          struct addr *addrs, unsigned count)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < count; i++) {
        struct addr addr = addrs[i];
        addr_set_port(&addr, search->port);
        if (lan_ear_is_near(ear, &addr)) {
            addrs[kept++] = addr;
        }
    }
    return kept;
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
    unsigned count = lan_question_read(&question, bytes, len, found.addrs);
    found.count = keep_near(search, ear, found.addrs, count);
    if (found.count == 0) {
        return false;
    }
    finish(search, 0, &found);
    return true;
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

static void on_round(void *arg)
{
    struct lan_search *search = arg;
    unsigned round = search->round++;
    int err = !search->counted ? -EBUSY : round == ROUNDS ? -ENOENT : open_more(search, round);
    if (err < 0) {
        finish(search, err, NULL);
        return;
    }
    const struct lan_ear *ear = NULL;
    while ((ear = lan_ears_next(search->ears, ear))) {
        ask(search, ear, round);
    }
    timer_set(search->timer, ROUNDS_MS[round + 1] - ROUNDS_MS[round]);
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
    search->counted = searches->running < LAN_SEARCHES_MAX;
    searches->running += search->counted;
    search->timer = timer_new(searches->loop, on_round, search);
    if (!search->timer || draw_ids(search) < 0) {
        search_free(search);
        return NULL;
    }
    timer_set(search->timer, 0);
    return search;
}
