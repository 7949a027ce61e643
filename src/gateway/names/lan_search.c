/*
 * One socket for each of the machine's networks, bound to the own address there: so questions to a
 * group leave on that interface, and answers come to it, without any privilege. All protocols
 * share it, since each question has its number, and each protocol its port.
 *
 * Questions go out in rounds, because datagrams get lost: IPv4 at once, then once more (NetBIOS
 * for the other thing a machine may be by its name) with IPv6 beside it, and a third time. The
 * first good answer ends the search. It ends itself before it calls back (finish()), and never
 * from inside lan_search_start().
 *
 * A neighbour may send as many answers as it likes: of each socket a bounded number is read, in
 * turns, and the next one is closed.
 */
#include "gateway/names/lan_search.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/host.h"
#include "base/timer.h"
#include "base/watch.h"
#include "gateway/names/dns_message.h"
#include "gateway/names/lan_socket.h"
#include "gateway/names/netbios_name.h"

enum { DATAGRAMS_PER_TURN = 32, DATAGRAMS_MAX = 512 };

/* When each round begins, and the end of the last one. */
static const uint64_t ROUNDS_MS[] = {0, 250, 600, LAN_SEARCH_MS};
enum { ROUNDS = sizeof ROUNDS_MS / sizeof *ROUNDS_MS - 1, ROUND_OF_V6 = 1 };

struct lan_searches {
    uv_loop_t *loop;
    unsigned running;
};

struct ear {
    struct lan_search *search;
    const struct own_network *network;
    int fd;
    struct watch *watch;
    unsigned heard; /* datagrams */
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
    unsigned round; /* the next one */
    unsigned network_count, ear_count;
    struct own_network networks[OWN_NETWORKS_MAX];
    struct ear ears[2 * LAN_SEARCH_SOCKETS];
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

static void close_ear(struct ear *ear)
{
    watch_free(ear->watch);
    ear->watch = NULL;
    if (ear->fd >= 0) {
        close(ear->fd);
    }
    ear->fd = -1;
}

static void search_free(struct lan_search *search)
{
    for (unsigned i = 0; i < search->ear_count; i++) {
        close_ear(&search->ears[i]);
    }
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
static unsigned keep_near(const struct ear *ear, struct addr *addrs, unsigned count)
{
    const struct lan_search *search = ear->search;
    unsigned kept = 0;
    for (unsigned i = 0; i < count; i++) {
        struct addr addr = addrs[i];
        if (own_networks_have(search->networks, search->network_count, ear->network->index,
                              &addr)) {
            addr_set_port(&addr, search->port);
            lan_socket_add_scope(ear->network, &addr);
            addrs[kept++] = addr;
        }
    }
    return kept;
}

static struct lan_question question_of(const struct ear *ear, enum lan_protocol protocol)
{
    const struct lan_search *search = ear->search;
    return (struct lan_question){.protocol = protocol,
                                 .name = search->name,
                                 .family = ear->network->addr.sa.sa_family,
                                 .id = search->ids[protocol]};
}

/* True: it is the answer. */
static bool judge(const struct ear *ear, const uint8_t *bytes, size_t len,
                  const struct addr *sender, struct lan_found *ret_found)
{
    const struct lan_search *search = ear->search;
    if (!own_networks_have(search->networks, search->network_count, ear->network->index, sender)) {
        return false;
    }
    for (unsigned i = LAN_MDNS; i <= LAN_PROTOCOLS; i++) {
        const struct lan_question question = question_of(ear, (enum lan_protocol)i);
        if (addr_port(sender) != lan_protocol_port(question.protocol)) {
            continue;
        }
        unsigned count = lan_question_read(&question, bytes, len, ret_found->addrs);
        ret_found->count = keep_near(ear, ret_found->addrs, count);
        ret_found->by = question.protocol;
        ret_found->said_by = *sender;
        memcpy(ret_found->interface, ear->network->interface, IF_NAMESIZE);
        return ret_found->count > 0;
    }
    return false;
}

static void on_datagrams(void *arg, int events)
{
    struct ear *ear = arg;
    uint8_t bytes[DNS_MESSAGE_MAX];
    struct addr sender;
    struct lan_found found = {0};
    (void)events;
    for (unsigned i = 0; i < DATAGRAMS_PER_TURN; i++) {
        long len = lan_socket_hear(ear->fd, bytes, sizeof bytes, &sender);
        if (len < 0) {
            return;
        }
        if (judge(ear, bytes, (size_t)len, &sender, &found)) {
            finish(ear->search, 0, &found);
            return;
        }
        if (++ear->heard == DATAGRAMS_MAX) {
            close_ear(ear);
            return;
        }
    }
}

/* ---- questions -------------------------------------------------------------- */

static void ask(const struct ear *ear, unsigned round)
{
    for (unsigned i = LAN_MDNS; i <= LAN_PROTOCOLS; i++) {
        uint8_t bytes[LAN_QUESTION_MAX];
        struct lan_question question = question_of(ear, (enum lan_protocol)i);
        question.suffix = round == 1 ? NETBIOS_WORKSTATION : NETBIOS_FILE_SERVER;
        size_t len = lan_question_write(&question, bytes);
        if (len > 0) {
            lan_socket_ask(ear->fd, ear->network, question.protocol, bytes, len);
        }
    }
}

/* One socket for each network of that family. What cannot be asked is left out. */
static void open_ears(struct lan_search *search, int family)
{
    unsigned opened = 0;
    for (unsigned i = 0; i < search->network_count && opened < LAN_SEARCH_SOCKETS; i++) {
        const struct own_network *network = &search->networks[i];
        struct ear *ear = &search->ears[search->ear_count];
        if (!lan_socket_is_for(network, family)) {
            continue;
        }
        *ear = (struct ear){.search = search, .network = network, .fd = lan_socket_open(network)};
        if (ear->fd < 0) {
            continue;
        }
        ear->watch = watch_start(search->searches->loop, ear->fd, WATCH_READ, on_datagrams, ear);
        if (!ear->watch) {
            close_ear(ear);
            continue;
        }
        search->ear_count++;
        opened++;
    }
}

static void on_round(void *arg)
{
    struct lan_search *search = arg;
    unsigned round = search->round++;
    if (!search->counted || round == ROUNDS) {
        finish(search, search->counted ? -ENOENT : -EBUSY, NULL);
        return;
    }
    if (round == 0) {
        search->network_count = own_networks_list(search->networks);
        open_ears(search, AF_INET);
    } else if (round == ROUND_OF_V6) {
        open_ears(search, AF_INET6);
    }
    for (unsigned i = 0; i < search->ear_count; i++) {
        if (search->ears[i].fd >= 0) {
            ask(&search->ears[i], round);
        }
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
