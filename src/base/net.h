/*
 * net: socket addresses and sockets. All descriptors made here are
 * non-blocking and close-on-exec; functions return a descriptor or -errno.
 */
#ifndef PAMTUNNEL_BASE_NET_H
#define PAMTUNNEL_BASE_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* A peer that says nothing for this long, while it is asked this often, is gone. */
enum { NET_DEAD_AFTER_S = 120, NET_DEAD_PROBES = 4 };

/* IPPROTO_MPTCP, which C libraries of some years ago do not have. */
enum { NET_MPTCP = 262 };

/* An IPv4 or IPv6 address with a port. IPv4-mapped ones are always unmapped. */
struct addr {
    union {
        struct sockaddr sa;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
};

enum { ADDR_HOST_MAX = INET6_ADDRSTRLEN, ADDR_TEXT_MAX = INET6_ADDRSTRLEN + 9 };

/* Takes over a kernel's or resolver's address. -EAFNOSUPPORT for other families. */
int addr_from(const struct sockaddr *sa, struct addr *ret_addr);
/* Reads an address without port ("10.0.0.1", "fd00::1"). -EINVAL otherwise. */
int addr_parse(const char *host, uint16_t port, struct addr *ret_addr);
/* For bind(2) and connect(2). */
socklen_t addr_len(const struct addr *addr);
/* In host byte order. */
uint16_t addr_port(const struct addr *addr);
void addr_set_port(struct addr *addr, uint16_t port);
/* Same family and address, whatever the port. */
bool addr_same_host(const struct addr *a, const struct addr *b);
/*
 * Limits are for parties and networks. A party is an IPv4 address, or an IPv6 /64, since one
 * customer commands a whole /64. A network is a /24 or /48, the smallest that a registry
 * gives to anybody.
 */
enum { PARTY_V4_BITS = 32, PARTY_V6_BITS = 64, NETWORK_V4_BITS = 24, NETWORK_V6_BITS = 48 };
bool addr_same_party(const struct addr *a, const struct addr *b);
bool addr_same_network(const struct addr *a, const struct addr *b);
/* True if the first `bits` bits agree (same family). */
bool addr_in_network(const struct addr *addr, const struct addr *network, unsigned bits);
/* The first address of the network of that many bits that the address is in. */
struct addr addr_network(const struct addr *addr, unsigned bits);
/* Reachable from everywhere: not private, shared, loopback, link-local, multicast or the like. */
bool addr_is_public(const struct addr *addr);
/* What it is if it is not public, and who can reach it: "a private address, ..."; else NULL. */
const char *addr_not_public(const struct addr *addr);
/* The address of a socket's own end. 0 or -errno. */
int net_own_end(int fd, struct addr *ret_addr);
/* And of its peer. */
int net_other_end(int fd, struct addr *ret_addr);
/*
 * The address of this machine that packets to the Internet leave from. -errno if there is no
 * route in that family.
 */
int net_own_address(int family, struct addr *ret_addr);
/* "203.0.113.7"; dst takes ADDR_HOST_MAX. Returns dst. */
char *addr_host_text(const struct addr *addr, char *dst);
/* "203.0.113.7:22" or "[fd00::1]:22"; dst takes ADDR_TEXT_MAX. Returns dst. */
char *addr_text(const struct addr *addr, char *dst);

/*
 * A listening TCP socket. An IPv6 wildcard serves both families; where the
 * kernel has no IPv6, "::" falls back to 0.0.0.0. -EADDRINUSE if the port is
 * taken in either.
 */
int net_listen(const char *bind_address, uint16_t port, int backlog);
/*
 * The same for connections that may take several paths at once (MPTCP, RFC 8684). Peers without it
 * are served as before, and so are all where the kernel has none.
 */
int net_listen_multipath(const char *bind_address, uint16_t port, int backlog);
/*
 * accept4(2) of one connection; -EAGAIN if there is none. It inherits what net_listen()
 * tuned. The peer at a Unix socket is of no family (AF_UNSPEC).
 */
int net_accept(int listener, struct addr *ret_peer);
/*
 * A connection that this socket makes, or listens for, tells its peer at first that it has room
 * for the ten segments that TCP begins with (RFC 6928) and not for more. What a bulk sender nearby
 * was allowed once it goes on to keep in its own buffer, before anybody has seen whether its bytes
 * can go on (data/sluice.c). The kernel lets it grow from there. To be called before the connection
 * is there; does nothing before Linux 5.14.
 */
void net_narrow(int fd);
/*
 * socket(2) and a non-blocking connect(2): in progress (0 in errno terms) or done. Not tuned;
 * narrow if wanted, also in its segments: those of loopback have 64 KiB, and a sender's first
 * buffer has room for twenty.
 */
int net_connect(const struct addr *to, bool narrow);
/* The same, not narrow, by several paths if the kernel and the peer can do that; else by one. */
int net_connect_multipath(const struct addr *to);
/* 0 if this kernel can; else -errno of socket(2). */
int net_check_multipath(void);
/* The pending error of a socket (SO_ERROR), as 0 or -errno. */
int net_error(int fd);
/* TCP_NODELAY, and keepalive, which ends connections to idle peers after NET_DEAD_AFTER_S. */
void net_tune(int fd);
/*
 * TCP_USER_TIMEOUT, just below NET_DEAD_AFTER_S so that both verdicts agree, for a
 * socket that has only our own bytes: it also ends connections to live peers that
 * have not read for so long (a suspended scp, a terminal after Ctrl-S), which they
 * would survive without us. Where users' bytes go through, the relay finds the
 * peers that are gone (data/pulse.h).
 */
void net_end_stalls(int fd);
/* Closes with an RST instead of a FIN. */
void net_reset(int fd);
/*
 * Takes the numbers 0, 1 and 2 if whoever started the program has closed them: otherwise a socket
 * or a file would get one, and whatever is said on stderr would go into it. As before, nothing can
 * be read from them or written to them.
 */
void net_keep_standard_descriptors(void);
/* Raises RLIMIT_NOFILE to its hard limit; returns what holds now. */
unsigned long net_raise_descriptor_limit(void);
/*
 * True if a descriptor that was made just now says that no more than a third of
 * the limit is left: the kernel always hands out the lowest free number.
 */
bool net_descriptors_are_short(int newest_fd);

#endif
