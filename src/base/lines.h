/*
 * lines: a server for this machine, a line in and a line out, on a Unix socket or a port of
 * loopback: for those who administer a process or ask how it is. An answer that is text with
 * newlines in it, and a request of several lines (HTTP), are served alike.
 *
 * No client can make it hold much, spin, or shut others out:
 *  - a line has LINES_LEN_MAX bytes at most, its newline among them
 *  - nothing more is read from a client while an answer to it is unsent, and a client
 *    that sends another line before the last one is answered is hung up on
 *  - so is one that says nothing for a while, and the one that has been silent for the
 *    longest when LINES_CLIENTS_MAX are there and another one comes
 *  - when the process has no descriptor left, one client at a time still gets in, on
 *    one that was kept for that (base/listener)
 */
#ifndef PAMTUNNEL_BASE_LINES_H
#define PAMTUNNEL_BASE_LINES_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>
#include <uv.h>

enum { LINES_CLIENTS_MAX = 32, LINES_LEN_MAX = 4096, LINES_IDLE_MS = 60000 };

struct lines;
/*
 * A client that has connected, until gone() says that it has left: that may be inside any
 * of the functions below. In called() and line() it can be used until they return.
 */
struct lines_client;

struct lines_rules {
    uv_loop_t *loop;
    /* It has connected, and can be sent a line. NULL: nothing to do. */
    void (*called)(void *arg, struct lines_client *client);
    /*
     * A line, without its newline. It is answered now or later, with one lines_say(), or it is a
     * part of something longer: lines_read_on().
     */
    void (*line)(void *arg, struct lines_client *client, const char *line, size_t len);
    /* It left, or was hung up on. NULL: nothing to do. */
    void (*gone)(void *arg, struct lines_client *client);
    void *arg;
    uint64_t idle_ms; /* 0: LINES_IDLE_MS */
};

/*
 * A listening socket, for lines_new(). A path gets mode 0600, and takes the place of a
 * socket that nobody answers on any more. -EADDRINUSE: somebody does; -EEXIST: there
 * is something else; or -errno. The path is the caller's to remove.
 */
int lines_listen(const struct sockaddr_un *addr, socklen_t len);

/* Takes over a descriptor that listens. NULL when out of memory: it stays the caller's. */
struct lines *lines_new(int fd, const struct lines_rules *rules);
/* Hangs up on everybody; what the kernel has not accepted by now is lost. Accepts NULL. */
void lines_free(struct lines *lines);

/* Its user, as the kernel says; (uid_t)-1 of one that did not come over a Unix socket. */
uid_t lines_uid(const struct lines_client *client);
/* Sends a line and a newline. The copy that may be held until it is sent is wiped afterwards. */
void lines_say(struct lines_client *client, const char *line);
/* From the next answer on it may be silent for so long: a person has to type something. */
void lines_bear_with(struct lines_client *client, uint64_t idle_ms);
/* Instead of an answer to its line: the next one is waited for. */
void lines_read_on(struct lines_client *client);
/* Hangs up as soon as what was said to it has been sent. */
void lines_hang_up(struct lines_client *client);

#endif
