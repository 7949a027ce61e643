/* parked: clients at a public port that nobody knows, as others see them. */
#ifndef PAMTUNNEL_VPS_GRANT_PARKED_H
#define PAMTUNNEL_VPS_GRANT_PARKED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"

enum { PARKED_MAX = 80 }; /* at one session */
enum { PARKED_WORDS_SIZE = 64, PARKED_NAME_SIZE = 81 };

/* A client at the public port that nobody knows: somebody has to decide. */
struct parked_view {
    unsigned number; /* names it within its session */
    struct addr from;
    bool asked;              /* the owner was asked about its party */
    uint64_t came_ms;        /* by clock_ms() */
    unsigned waits_s;        /* for how long already */
    unsigned after_s;        /* how long after the session was asked for it came */
    unsigned of_its_address; /* how many of that address wait, itself included */
    /* Its own words, a stranger's: what it calls itself (SSH), a user name or "" (RDP). */
    char words[PARKED_WORDS_SIZE];
    char name[PARKED_NAME_SIZE]; /* confirmed reverse name of its address; "" if none is known */
};

enum { KNOCKING_BUSIEST = 3, KNOCKING_NETWORK_SIZE = 50 };

/* Unknown clients at a public port, once there are too many to ask about them all. */
struct knocking {
    bool worth_telling;
    unsigned clients; /* so far */
    unsigned networks;
    bool more_networks;     /* than could be told apart */
    unsigned unasked;       /* that wait now */
    unsigned busiest_count; /* 0 if each of many networks has one client */
    struct {
        char network[KNOCKING_NETWORK_SIZE]; /* "198.51.100.0/24" */
        unsigned clients;
    } busiest[KNOCKING_BUSIEST];
};

#endif
