/*
 * services: what all sessions share. The table of sessions (sessions.h) makes them, and they
 * outlive every session.
 */
#ifndef PAMTUNNEL_VPS_SESSION_SERVICES_H
#define PAMTUNNEL_VPS_SESSION_SERVICES_H

#include <uv.h>

#include "base/congestion.h"
#include "base/log.h"
#include "base/sieve.h"
#include "data/relay.h"
#include "vps/admission/known.h"
#include "vps/admission/lately.h"
#include "vps/admission/lobby.h"
#include "vps/gateways/gateways.h"
#include "vps/grant/publisher.h"
#include "vps/people/people.h"
#include "vps/pins/pins.h"
#include "vps/session/ports.h"
#include "vps/settings/settings.h"

struct audit;
struct https;
struct session;
struct session_event;

struct services {
    uv_loop_t *loop;
    const struct log *log;
    const struct vps_settings *settings;
    const struct people *people;
    struct publisher *publisher; /* NULL: .rdp files are not signed */
    struct https *https;         /* of sessions' pages; NULL: without TLS */
    struct ports *ports;
    struct gateways *gateways; /* NULL: not yet, or no more */
    struct relay *relay;
    struct congestion congestion; /* of clients' connections and data channels */
    struct audit *audit;          /* NULL: nothing is recorded */
    struct known *known;
    struct pins *pins; /* who each target is */
    struct lately *lately;
    struct door_total door_total;
    struct sieve *sieve; /* log lines that strangers cause, by session and network */
    /* Something happened. What a listener does about it may move the session on in here. */
    void (*notify)(void *arg, const struct session_event *event);
    /* What a session's user sees of it has changed: to be told from the loop, once. */
    void (*touched)(void *arg, struct session *session);
    void *arg;
};

#endif
