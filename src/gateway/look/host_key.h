/*
 * host_key: how to have an SSH server show its host key (RFC 4253, RFC 5656, RFC 8731), without
 * any cryptography: the server's answer to a key exchange begins with its key, and comes before
 * anything is encrypted. That the server has the private half as well is not checked, as
 * ssh-keyscan does not: whoever shows another's key is found out by the user's client.
 *
 * Bytes in and bytes out; it knows no socket. The algorithms are asked for in the order in which
 * OpenSSH's client prefers them, so that it comes to the same key. A client that knows a key of
 * another type asks for that type first, and so can this.
 */
#ifndef PAMTUNNEL_GATEWAY_LOOK_HOST_KEY_H
#define PAMTUNNEL_GATEWAY_LOOK_HOST_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/why.h"
#include "gateway/look/sight.h"

struct host_key;

/* Types of keys, as bits (sight.h: host_keys), the best one first. */
enum { HOST_KEY_ED25519 = 1, HOST_KEY_ECDSA = 2, HOST_KEY_RSA = 4 };

/* Of a key as in known_hosts; 0: none of them. */
unsigned host_key_type(const char *host_key);

/*
 * wanted: a type that is asked for before the others, 0: as usual. NULL when out of memory. What is
 * to be said first is written (2048 bytes are enough).
 */
struct host_key *host_key_new(unsigned wanted, struct writer *answer);
/* Accepts NULL. */
void host_key_free(struct host_key *key);
/*
 * Takes what the server says, in pieces of any size, and writes what is to be said to it next. 1:
 * ret_sight has its key, and nothing more is to be read; 0: there is more to come; -errno, with a
 * clause about the server in `why`: it cannot be had.
 */
int host_key_take(struct host_key *key, const uint8_t *data, size_t len, struct writer *answer,
                  struct sight *ret_sight, struct why *why);

#endif
