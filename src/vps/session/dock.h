/*
 * dock: a session's data port. It authenticates the gateway's connections
 * (data/proof.h) and hands over those for the channels that are expected. All
 * others are dropped in silence, and wrong, replayed, slow or surplus ones do the
 * session no harm: strangers take no place from the gateway's own address, and a
 * crowd takes none from a connection that comes from elsewhere
 * (vps/admission/places.h). When the last expected channel is there the port is
 * closed; the session opens it again when it expects another one. With
 * DATA_PORT=control there is no such port: who said at the control port that it is a
 * channel of this session is brought here, and goes on as if it had come by itself.
 * With MULTIPATH the port stays open (dock_stay_open()), and whoever comes while
 * nothing is expected is sent off at once.
 */
#ifndef PAMTUNNEL_VPS_SESSION_DOCK_H
#define PAMTUNNEL_VPS_SESSION_DOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/net.h"
#include "data/proof.h"

/*
 * How many connections prove themselves at once, besides one for each expected channel; as
 * many again from the gateway's address.
 */
enum { DOCK_PATIENCE_MS = 5000, DOCK_CALLERS_MAX = 16, DOCK_EXPECTED_MAX = 64 };
/* In the place of a listening socket: its callers are brought. */
enum { DOCK_NO_LISTENER = -1 };

struct dock;
/* A data channel is there: fd is the callee's. The dock may be freed in here. */
typedef void (*dock_fn)(void *arg, uint16_t channel, int fd);

/*
 * Takes over the listening socket, and draws the session's token. On failure
 * (NULL: no memory or no random numbers) the socket stays the caller's.
 */
struct dock *dock_new(uv_loop_t *loop, int listener, uint64_t session, dock_fn fn, void *arg);
/* Closes the port. Accepts NULL. */
void dock_free(struct dock *dock);
bool dock_is_open(const struct dock *dock);
/*
 * From now on the port is closed with the dock alone: a connection by several paths (MPTCP) can
 * take up a further one only where its port is listened on. Those are not seen here.
 */
void dock_stay_open(struct dock *dock);
/* Takes over a listening socket once more. On failure (-ENOMEM) it stays the caller's. */
int dock_open(struct dock *dock, int listener);
/*
 * Somebody who has said this HELLO elsewhere (PROOF_HELLO_SIZE bytes). Takes over the connection;
 * if that is no channel that is expected here it is closed in silence.
 */
void dock_bring(struct dock *dock, int fd, const struct addr *from, const uint8_t *hello);
/* PROOF_TOKEN_SIZE bytes that the gateway has to know; wiped with the dock. */
const uint8_t *dock_token(const struct dock *dock);
/*
 * Lets one connection in, as this channel, once. Nothing is expected at first. Of more than
 * DOCK_EXPECTED_MAX the first is not expected any more. 0, or -ENOTCONN while it is closed.
 */
int dock_expect(struct dock *dock, uint16_t channel);
/* This channel will not come. When none will, closes the port. */
void dock_expect_not(struct dock *dock, uint16_t channel);
/* The gateway's likely address, until it is closed; it may leave its network by others, too. */
void dock_expect_from(struct dock *dock, const struct addr *gateway);
/* Nothing is expected any more: closes the port. */
void dock_expect_nothing(struct dock *dock);

#endif
