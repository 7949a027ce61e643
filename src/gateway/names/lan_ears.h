/*
 * lan_ears: sockets in the networks that this machine is in, one for each, with which questions go
 * to all in them, and answers come from neighbours alone.
 */
#ifndef PAMTUNNEL_GATEWAY_NAMES_LAN_EARS_H
#define PAMTUNNEL_GATEWAY_NAMES_LAN_EARS_H

#include <uv.h>

#include "gateway/names/lan_question.h"
#include "gateway/names/own_network.h"

enum { LAN_EARS_MAX = 32 /* of each family; further interfaces are not asked */ };

struct lan_ears;
struct lan_ear;

/*
 * A datagram came, of a sender in the own network. True: the ears have been freed in here, or
 * nothing more is wanted in this turn.
 */
typedef bool (*lan_ears_fn)(void *arg, const struct lan_ear *ear, const uint8_t *bytes, size_t len,
                            const struct addr *sender);

/* Looks which networks there are. NULL when out of memory. */
struct lan_ears *lan_ears_new(uv_loop_t *loop, lan_ears_fn fn, void *arg);
/* Accepts NULL. */
void lan_ears_free(struct lan_ears *ears);
/* Opens those of one more family. What cannot be opened is left out. */
void lan_ears_open(struct lan_ears *ears, int family);

/* One after the other: NULL to start, NULL at the end. */
const struct lan_ear *lan_ears_next(const struct lan_ears *ears, const struct lan_ear *after);
const struct own_network *lan_ear_network(const struct lan_ear *ear);
/* To all in its network, or to one of them. Datagrams get lost; this one, too, if it must. */
void lan_ear_ask(const struct lan_ear *ear, enum lan_protocol protocol, const void *bytes,
                 size_t len);
void lan_ear_ask_one(const struct lan_ear *ear, const struct addr *whom, const void *bytes,
                     size_t len);
/* The address is in the network of the interface; a link-local one gets its scope. */
bool lan_ear_is_near(const struct lan_ear *ear, struct addr *addr);
/*
 * The same, of an address that this sender has given for a name: that it is this machine, nobody
 * else is believed.
 */
bool lan_ear_believes(const struct lan_ear *ear, struct addr *addr, const struct addr *sender);

#endif
