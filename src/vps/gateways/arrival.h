/*
 * arrival: the first bytes of a connection at the control port, where data channels come in, too
 * (DATA_PORT=control): a record of TLS, or the HELLO of a data channel (docs/protocol.md, "Data
 * channels on the control port"). The first byte decides, and is only looked at: a login finds its
 * bytes untouched. Of a data channel HELLO is read, and not a byte behind it.
 */
#ifndef PAMTUNNEL_VPS_GATEWAYS_ARRIVAL_H
#define PAMTUNNEL_VPS_GATEWAYS_ARRIVAL_H

#include <stddef.h>
#include <stdint.h>

#include "data/proof.h"

/* Begins as zeros. */
struct arrival {
    size_t have;
    uint8_t hello[PROOF_HELLO_SIZE];
};

enum arrival_verdict {
    ARRIVAL_UNDECIDED, /* more has to come */
    ARRIVAL_LOGIN,     /* TLS, or what takes itself for it: nothing was read */
    ARRIVAL_DATA,      /* hello is whole, and says that it is one */
    ARRIVAL_GONE,      /* it hung up, broke, or said what is neither */
};

/* Takes what is there by now of a descriptor that does not block. */
enum arrival_verdict arrival_hear(struct arrival *arrival, int fd);

#endif
