/*
 * stamps: bytes that say how old they are. The sender writes records with the time in them without
 * pause; whoever receives them notes how long ago a record was written. Both ends are on one machine
 * and have one clock.
 */
#ifndef PAMTUNNEL_BENCH_STAMPS_H
#define PAMTUNNEL_BENCH_STAMPS_H

#include <stdatomic.h>
#include <stdint.h>

/* One look a millisecond, for at most four minutes. */
enum { AGES_MAX = 240 * 1000 };

struct age {
    int64_t at;     /* when it came, ns */
    int64_t age;    /* ns */
    uint64_t bytes; /* of the connection, until then */
};

struct ages {
    _Atomic uint32_t count;
    struct age of[AGES_MAX];
};

/* When to stop reading, and until when; both in ns. */
struct pause {
    int64_t from, until;
};

/* Those in the file that a target and its client share; made if it is not there. */
struct ages *ages_at(const char *path);

/* Until the time, or the end of the connection. The socket is not blocking any more afterwards. */
void stamps_send(int fd, int64_t until);
/* Until the end of the connection. pause may be NULL. */
void stamps_receive(int fd, struct ages *ages, const struct pause *pause);

#endif
