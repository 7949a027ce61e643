#include "vps/admission/knocks.h"

#include "base/origin.h"

_Static_assert((int)KNOCKING_NETWORK_SIZE >= (int)NETWORK_TEXT_MAX, "networks");

/* Where the network is, or where one more may go; with all taken, the least of them. */
static unsigned slot_for(const struct knocks *knocks, const struct addr *from)
{
    struct origin origin = origin_of(from);
    unsigned least = 0;
    for (unsigned i = 0; i < knocks->networks; i++) {
        struct origin other = origin_of(&knocks->by_network[i].from);
        if (origin_same(&origin, &other, ORIGIN_NETWORK)) {
            return i;
        }
        least = knocks->by_network[i].clients < knocks->by_network[least].clients ? i : least;
    }
    /* The least makes room: whoever comes often stays, and is who the message is about. */
    return knocks->networks < KNOCKS_NETWORKS ? knocks->networks : least;
}

void knocks_count(struct knocks *knocks, const struct addr *from)
{
    unsigned slot = slot_for(knocks, from);
    struct origin origin = origin_of(from), other = origin_of(&knocks->by_network[slot].from);
    if (slot == knocks->networks) {
        knocks->networks++;
        knocks->by_network[slot].from = *from;
        knocks->by_network[slot].clients = 0;
    } else if (!origin_same(&origin, &other, ORIGIN_NETWORK)) {
        /* From here on the number of networks is only a lower bound. */
        knocks->more = true;
        knocks->by_network[slot].from = *from;
        knocks->by_network[slot].clients = 0;
    }
    knocks->by_network[slot].clients++;
    knocks->clients++;
}

void knocks_sum_up(const struct knocks *knocks, struct knocking *ret_knocking)
{
    bool named[KNOCKS_NETWORKS] = {false};
    ret_knocking->clients = knocks->clients;
    ret_knocking->networks = knocks->networks;
    ret_knocking->more_networks = knocks->more;
    ret_knocking->busiest_count = 0;
    while (ret_knocking->busiest_count < KNOCKING_BUSIEST &&
           ret_knocking->busiest_count < knocks->networks) {
        /* Selection by hand: three of 32, without sorting what others read. */
        unsigned most = KNOCKS_NETWORKS;
        for (unsigned i = 0; i < knocks->networks; i++) {
            if (!named[i] && (most == KNOCKS_NETWORKS ||
                              knocks->by_network[i].clients > knocks->by_network[most].clients)) {
                most = i;
            }
        }
        if (knocks->by_network[most].clients == 1 && knocks->networks > KNOCKING_BUSIEST) {
            break; /* nothing to tell it from the rest */
        }
        named[most] = true;
        unsigned at = ret_knocking->busiest_count++;
        origin_network_text(&knocks->by_network[most].from, ret_knocking->busiest[at].network);
        ret_knocking->busiest[at].clients = knocks->by_network[most].clients;
    }
}
