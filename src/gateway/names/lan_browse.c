/*
 * Two rounds of questions to all, since datagrams get lost: by services, and by addresses. And one
 * to each who gave half an answer: for the address of a name that offers something, and for the
 * name of an address. These are bounded, as what is found is.
 */
#include "gateway/names/lan_browse.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "base/timer.h"
#include "gateway/names/lan_ears.h"

enum { FURTHER_MAX = 128 /* questions */, BLOCK_BITS = 24 };

static const uint64_t ROUNDS_MS[] = {0, 700, LAN_BROWSE_MS};
enum { ROUNDS = sizeof ROUNDS_MS / sizeof *ROUNDS_MS - 1 };

struct lan_browse {
    lan_browse_fn fn;
    void *arg;
    struct timer *timer;
    struct lan_ears *ears;
    uint16_t id;
    unsigned round; /* the next one */
    unsigned further;
    unsigned count;
    struct lan_browsed found[LAN_BROWSE_MAX];
};

void lan_browse_cancel(struct lan_browse *browse)
{
    if (browse) {
        lan_ears_free(browse->ears);
        timer_free(browse->timer);
        free(browse);
    }
}

/* ---- answers ---------------------------------------------------------------- */

static void add(struct lan_browse *browse, enum lan_protocol by, const char *name,
                const struct addr *addr)
{
    struct lan_browsed *fresh = &browse->found[browse->count];
    for (unsigned i = 0; i < browse->count; i++) {
        if (strcasecmp(browse->found[i].name, name) == 0 &&
            addr_same_host(&browse->found[i].addr, addr)) {
            return;
        }
    }
    if (browse->count < LAN_BROWSE_MAX) {
        *fresh = (struct lan_browsed){.by = by, .addr = *addr};
        memcpy(fresh->name, name, strlen(name) + 1);
        addr_set_port(&fresh->addr, 0);
        browse->count++;
    }
}

/* Of a name that came without it. */
static void ask_for_address(struct lan_browse *browse, const struct lan_ear *ear, const char *name)
{
    uint8_t bytes[LAN_QUESTION_MAX];
    const struct lan_question question = {
        .protocol = LAN_MDNS, .name = name, .family = AF_INET, .id = browse->id};
    if (browse->further++ < FURTHER_MAX) {
        lan_ear_ask(ear, LAN_MDNS, bytes, lan_question_write(&question, bytes));
    }
}

static void take_services(struct lan_browse *browse, const struct lan_ear *ear,
                          const uint8_t *bytes, size_t len, const struct addr *sender)
{
    struct lan_listed listed[LAN_LISTED_MAX];
    unsigned count = lan_listing_read_services(bytes, len, browse->id, listed);
    for (unsigned i = 0; i < count; i++) {
        if (!listed[i].has_addr) {
            ask_for_address(browse, ear, listed[i].name);
        } else if (lan_ear_believes(ear, &listed[i].addr, sender)) {
            add(browse, LAN_MDNS, listed[i].name, &listed[i].addr);
        }
    }
}

static void take_netbios(struct lan_browse *browse, const struct lan_ear *ear, const uint8_t *bytes,
                         size_t len, const struct addr *sender)
{
    char name[LAN_NAME_SIZE];
    uint8_t question[LAN_QUESTION_MAX];
    if (lan_listing_read_status(bytes, len, browse->id, name)) {
        add(browse, LAN_NETBIOS, name, sender);
    } else if (lan_listing_is_somebody(bytes, len, browse->id) && browse->further++ < FURTHER_MAX) {
        lan_ear_ask_one(ear, sender, question, lan_listing_write_status(browse->id, question));
    }
}

static bool on_datagram(void *arg, const struct lan_ear *ear, const uint8_t *bytes, size_t len,
                        const struct addr *sender)
{
    if (addr_port(sender) == lan_protocol_port(LAN_MDNS)) {
        take_services(arg, ear, bytes, len, sender);
    } else if (addr_port(sender) == lan_protocol_port(LAN_NETBIOS)) {
        take_netbios(arg, ear, bytes, len, sender);
    }
    return false;
}

/* ---- questions -------------------------------------------------------------- */

/*
 * Of all addresses near the own one: many a machine has a name and offers nothing. They are those
 * of its network, and of a large one the block of 256 that it is in.
 */
static void ask_owners(const struct lan_browse *browse, const struct lan_ear *ear)
{
    const struct own_network *network = lan_ear_network(ear);
    uint32_t own = ntohl(network->addr.v4.sin_addr.s_addr);
    uint32_t last = UINT32_MAX >> (network->bits > BLOCK_BITS ? network->bits : BLOCK_BITS);
    for (uint32_t i = 0; i <= last; i += LAN_OWNERS_MAX) {
        uint8_t bytes[LAN_QUESTION_MAX];
        uint32_t left = last - i + 1;
        unsigned count = left < LAN_OWNERS_MAX ? left : LAN_OWNERS_MAX;
        lan_ear_ask(ear, LAN_MDNS, bytes,
                    lan_listing_write_owners((own & ~last) + i, count, browse->id, bytes));
    }
}

static void ask(const struct lan_browse *browse, const struct lan_ear *ear)
{
    uint8_t bytes[LAN_QUESTION_MAX];
    for (unsigned i = 0; i < lan_listing_services(); i++) {
        lan_ear_ask(ear, LAN_MDNS, bytes, lan_listing_write_service(i, browse->id, bytes));
    }
    lan_ear_ask(ear, LAN_NETBIOS, bytes, lan_listing_write_everybody(browse->id, bytes));
    ask_owners(browse, ear);
}

static void finish(struct lan_browse *browse)
{
    lan_ears_free(browse->ears);
    browse->ears = NULL;
    browse->fn(browse->arg, browse->found, browse->count);
    lan_browse_cancel(browse);
}

static void on_round(void *arg)
{
    struct lan_browse *browse = arg;
    unsigned round = browse->round++;
    const struct lan_ear *ear = NULL;
    if (round == ROUNDS) {
        finish(browse);
        return;
    }
    while ((ear = lan_ears_next(browse->ears, ear))) {
        ask(browse, ear);
    }
    timer_set(browse->timer, ROUNDS_MS[round + 1] - ROUNDS_MS[round]);
}

struct lan_browse *lan_browse_start(uv_loop_t *loop, lan_browse_fn fn, void *arg)
{
    struct lan_browse *browse = calloc(1, sizeof *browse);
    if (!browse) {
        return NULL;
    }
    browse->fn = fn;
    browse->arg = arg;
    browse->timer = timer_new(loop, on_round, browse);
    browse->ears = lan_ears_new(loop, on_datagram, browse);
    if (!browse->timer || !browse->ears ||
        getrandom(&browse->id, sizeof browse->id, 0) != sizeof browse->id) {
        lan_browse_cancel(browse);
        return NULL;
    }
    lan_ears_open(browse->ears, AF_INET);
    timer_set(browse->timer, 0);
    return browse;
}
