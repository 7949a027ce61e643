/*
 * vps_world: sessions and gateways as in vps-agent, with a gateway that a test
 * plays by hand over the real control channel and real data channels.
 */
#ifndef PAMTUNNEL_TESTS_VPS_WORLD_H
#define PAMTUNNEL_TESTS_VPS_WORLD_H

#include <stdio.h>

#include "control/channel.h"
#include "stage.h"
#include "vps/gateways/gateways.h"
#include "vps/session/sessions_run.h"
#include "vps/settings/settings.h"

enum { WORLD_GATEWAYS = 2, WORLD_PORTS = 40 };

/* A gateway, seen from inside. */
struct peer {
    struct tls_config *tls;
    struct channel *channel; /* NULL: offline */
    bool open;
    unsigned opens, closes, dials; /* OPEN_TUNNEL, CLOSE_TUNNEL and DIAL_TARGET that came */
    struct message_open_tunnel last;
    struct message_dial_target dialled;
    unsigned wakes; /* WAKE that came */
    struct message_wake woken;
    uint64_t closed;
    enum goodbye_reason goodbye;
};

struct world {
    struct stage stage;
    struct vps_settings settings; /* may be changed between world_init() and world_start() */
    struct log log;
    char *log_text;
    size_t log_size;
    struct session_watcher first_watcher; /* hears of everything before the world; may be none */
    struct gateways *gateways;
    struct people *people;
    struct sessions *sessions;
    struct peer peers[WORLD_GATEWAYS];

    char events[512];   /* "waiting, parked 1, connected, ended" */
    char end_text[512]; /* of the session that ended last */
    unsigned ended;
    struct session_view last; /* at the latest event; without its pointers */
};

void world_init(struct world *world);
/* Opens everything and logs the gateway "home" in. */
void world_start(struct world *world);
/* As vps-agent stops. */
void world_stop(struct world *world);

/* What happened so far, as a comma-separated list; compares and forgets. */
void world_expect(struct world *world, const char *events);
bool world_logged(struct world *world, const char *text);

void peer_log_in(struct world *world, struct peer *peer, const char *name);
/* Without a goodbye, as if its power was cut. */
void peer_vanish(struct world *world, struct peer *peer);
void peer_send(struct peer *peer, const struct message *message);
void peer_say_ready(struct peer *peer);
void peer_say_failed(struct peer *peer, enum tunnel_failure reason, const char *detail);
/* Proves itself at the data port of the latest OPEN_TUNNEL; the data channel, proven. */
int peer_attach(struct world *world, struct peer *peer);

/* Asks for a session on behalf of the Telegram user 42; the gateway has heard of it then. */
struct session *world_ask(struct world *world, enum kind kind);
/* ... and plays its gateway until it waits for the user. *ret_data is the data channel. */
struct session *world_ask_until_waiting(struct world *world, enum kind kind, int *ret_data);

/* Reads exactly these bytes, and no more. */
void world_hear(struct world *world, int fd, const void *bytes, size_t len);
/* Waits until the other side has reset or closed it, and closes it. */
void world_lose(struct world *world, int fd);

uint16_t public_port(const struct session *session);
uint16_t data_port(const struct session *session);
enum session_state state_of(const struct session *session);
/* A client of the session's protocol, with its secret. */
int come_with_ssh(const struct session *session, const char *from);
int come_with_rdp(const struct session *session, const char *from);
/* What the target gets first from the two above. */
extern const char SSH_ID[];
extern const uint8_t RDP_REQUEST[19];

#endif
