/*
 * way: how a client of the benchmark gets to the target: straight to a port, or by opening a
 * session over vps-agent's admin socket first and connecting to the port that it names. Every
 * contender is driven by the same programs; this is all in which they differ.
 *
 * The first line a client sends looks like an SSH client's, because our public port lets nobody
 * else in, and says what the target shall do with the connection: "SSH-2.0-bench sink". Only a
 * reconnect, which there is with RDP alone, begins with an RDP client's first packet.
 */
#ifndef PAMTUNNEL_BENCH_WAY_H
#define PAMTUNNEL_BENCH_WAY_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

enum { LINE_MAX_SIZE = 256 };
#define IDENTIFICATION "SSH-2.0-bench "

struct way {
    struct in_addr host; /* what to connect to: the relay, or the target itself */
    uint16_t port;       /* there; 0 if it takes a session to know it */
    const char *admin;   /* path of the socket that opens sessions, or NULL */
    const char *target;  /* HOST:PORT, as the gateway knows it, for such a session */
};

/* "HOST:PORT" or "HOST,ADMIN-SOCKET,TARGET-HOST:PORT". Ends the program if it is neither. */
struct way way_parse(const char *text);

/* A connection of one's own to the admin socket; -1 if the way needs none. Ends on failure. */
int way_ask(const struct way *way);

/* The port to connect to; opens a session for it if the way needs one. 0 with the reason in why
 * (LINE_MAX_SIZE). */
uint16_t way_open(const struct way *way, int asker, char *why);

/* Connects to that port and sends the line. A socket, or -1 with the reason in why. */
int way_connect(const struct way *way, uint16_t port, const char *what, char *why);

/* Both. */
int way_enter(const struct way *way, int asker, const char *what, char *why);

/* What an RDP client knows of its session: where it is, and what lets it in. */
struct way_back {
    struct in_addr host;
    uint16_t port;
    size_t len;
    uint8_t packet[LINE_MAX_SIZE];
};

/* Opens an RDP session and goes in once, so that all that follow are reconnects. 0, or -1 with the
 * reason in why. */
int way_open_rdp(const struct way *way, int asker, struct way_back *ret_back, char *why);

/* One connection more to that session, like way_enter() with "once". */
int way_reenter(const struct way_back *back, char *why);

int64_t now_ns(void);
void die(const char *what) __attribute__((noreturn)); /* with errno's text */
void tell_ready_and_wait(void);                       /* "ready" out, one line in */
/* All of len, whatever it takes; 0, or -1 on error, end or time-out. */
int send_all(int fd, const void *data, uint64_t len);
int recv_all(int fd, void *data, uint64_t len);
/* Sends or takes in len bytes that nobody looks at. */
int send_filler(int fd, uint64_t len);
int recv_filler(int fd, uint64_t len);

#endif
