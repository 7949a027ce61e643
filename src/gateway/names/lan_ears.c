/*
 * Each socket is bound to the own address in its network: so questions to a group leave on that
 * interface, and answers come to it, without any privilege. All protocols share it, since each
 * question has its number, and each protocol its port.
 *
 * A neighbour may send as much as it likes: of each socket a bounded number is read, in turns, and
 * then it is closed.
 */
#include "gateway/names/lan_ears.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/watch.h"
#include "gateway/names/dns_message.h"
#include "gateway/names/lan_socket.h"

enum { DATAGRAMS_PER_TURN = 32, DATAGRAMS_MAX = 512 };

struct lan_ear {
    struct lan_ears *ears;
    const struct own_network *network;
    int fd; /* -1: it has heard enough */
    struct watch *watch;
    unsigned heard; /* datagrams */
};

struct lan_ears {
    uv_loop_t *loop;
    lan_ears_fn fn;
    void *arg;
    unsigned network_count, count;
    struct own_network networks[OWN_NETWORKS_MAX];
    struct lan_ear all[2 * LAN_EARS_MAX];
};

struct lan_ears *lan_ears_new(uv_loop_t *loop, lan_ears_fn fn, void *arg)
{
    struct lan_ears *ears = calloc(1, sizeof *ears);
    if (ears) {
        ears->loop = loop;
        ears->fn = fn;
        ears->arg = arg;
        ears->network_count = own_networks_list(ears->networks);
    }
    return ears;
}

static void close_ear(struct lan_ear *ear)
{
    watch_free(ear->watch);
    ear->watch = NULL;
    if (ear->fd >= 0) {
        close(ear->fd);
    }
    ear->fd = -1;
}

void lan_ears_free(struct lan_ears *ears)
{
    for (unsigned i = 0; ears && i < ears->count; i++) {
        close_ear(&ears->all[i]);
    }
    free(ears);
}

static void on_datagrams(void *arg, int events)
{
    struct lan_ear *ear = arg;
    uint8_t bytes[DNS_MESSAGE_MAX];
    struct addr sender;
    (void)events;
    for (unsigned i = 0; i < DATAGRAMS_PER_TURN; i++) {
        long len = lan_socket_hear(ear->fd, bytes, sizeof bytes, &sender);
        if (len < 0) {
            return;
        }
        if (lan_ear_is_near(ear, &sender) &&
            ear->ears->fn(ear->ears->arg, ear, bytes, (size_t)len, &sender)) {
            return;
        }
        if (++ear->heard == DATAGRAMS_MAX) {
            close_ear(ear);
            return;
        }
    }
}

void lan_ears_open(struct lan_ears *ears, int family)
{
    unsigned opened = 0;
    for (unsigned i = 0; i < ears->network_count && opened < LAN_EARS_MAX; i++) {
        const struct own_network *network = &ears->networks[i];
        struct lan_ear *ear = &ears->all[ears->count];
        int fd = lan_socket_is_for(network, family) ? lan_socket_open(network) : -1;
        if (fd < 0) {
            continue;
        }
        *ear = (struct lan_ear){.ears = ears, .network = network, .fd = fd};
        ear->watch = watch_start(ears->loop, fd, WATCH_READ, on_datagrams, ear);
        if (!ear->watch) {
            close_ear(ear);
            continue;
        }
        ears->count++;
        opened++;
    }
}

const struct lan_ear *lan_ears_next(const struct lan_ears *ears, const struct lan_ear *after)
{
    const struct lan_ear *next = after ? after + 1 : ears->all;
    return next < ears->all + ears->count ? next : NULL;
}

const struct own_network *lan_ear_network(const struct lan_ear *ear)
{
    return ear->network;
}

void lan_ear_ask(const struct lan_ear *ear, enum lan_protocol protocol, const void *bytes,
                 size_t len)
{
    if (ear->fd >= 0 && len > 0) {
        lan_socket_ask(ear->fd, ear->network, protocol, bytes, len);
    }
}

void lan_ear_ask_one(const struct lan_ear *ear, const struct addr *whom, const void *bytes,
                     size_t len)
{
    if (ear->fd >= 0 && len > 0) {
        lan_socket_ask_one(ear->fd, whom, bytes, len);
    }
}

bool lan_ear_is_near(const struct lan_ear *ear, struct addr *addr)
{
    lan_socket_add_scope(ear->network, addr);
    return own_networks_have(ear->ears->networks, ear->ears->network_count, ear->network->index,
                             addr);
}

bool lan_ear_believes(const struct lan_ear *ear, struct addr *addr, const struct addr *sender)
{
    const struct lan_ears *ears = ear->ears;
    return lan_ear_is_near(ear, addr) &&
           (!own_networks_are_at(ears->networks, ears->network_count, addr) ||
            own_networks_are_at(ears->networks, ears->network_count, sender));
}
