#include "vps/gateways/arrival.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

enum { FIRST_BYTE = 'P' /* of PMTD; a record of TLS begins with 22 */ };

static bool is_to_come(ssize_t got)
{
    return got < 0 && (errno == EAGAIN || errno == EINTR);
}

static enum arrival_verdict hear_hello(struct arrival *arrival, int fd)
{
    uint64_t session;
    uint16_t channel;
    ssize_t got = recv(fd, arrival->hello + arrival->have, PROOF_HELLO_SIZE - arrival->have, 0);
    if (got <= 0) {
        return is_to_come(got) ? ARRIVAL_UNDECIDED : ARRIVAL_GONE;
    }
    arrival->have += (size_t)got;
    if (arrival->have < PROOF_HELLO_SIZE) {
        return ARRIVAL_UNDECIDED;
    }
    return proof_peek(arrival->hello, &session, &channel) < 0 ? ARRIVAL_GONE : ARRIVAL_DATA;
}

enum arrival_verdict arrival_hear(struct arrival *arrival, int fd)
{
    uint8_t first;
    if (arrival->have == 0) {
        ssize_t got = recv(fd, &first, 1, MSG_PEEK);
        if (got <= 0) {
            return is_to_come(got) ? ARRIVAL_UNDECIDED : ARRIVAL_GONE;
        }
        if (first != FIRST_BYTE) {
            return ARRIVAL_LOGIN;
        }
    }
    return hear_hello(arrival, fd);
}
