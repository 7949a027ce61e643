/*
 * attach: a data channel: the connection to the session's data port on the VPS,
 * and the proof in both directions that the right two are talking
 * (data/proof.h; docs/protocol.md, "Data channel").
 */
#ifndef PAMTUNNEL_GATEWAY_ATTACH_H
#define PAMTUNNEL_GATEWAY_ATTACH_H

#include <stdint.h>
#include <uv.h>

#include "base/net.h"
#include "gateway/approach.h"
#include "gateway/failure.h"

struct attach;

struct attach_request {
    struct addr
        vps; /* as the control connection has reached it: with a proxy, that one's address */
    struct approach_way way;
    uint16_t data_port;
    uint64_t session;
    uint16_t channel;
    const uint8_t *token; /* PROOF_TOKEN_SIZE bytes */
};

/*
 * failure is NULL on success; fd is then a proven connection, the callee's, of
 * which no byte after the proof was read. Called once, from the loop; the attach
 * is gone afterwards.
 */
typedef void (*attach_fn)(void *arg, const struct failure *failure, int fd);

/* 0 or -errno. Copies what it needs. */
int attach_start(uv_loop_t *loop, const struct attach_request *request, attach_fn fn, void *arg,
                 struct attach **ret_attach);
/* The callback will not run; the connection is closed. Accepts NULL. */
void attach_cancel(struct attach *attach);

#endif
