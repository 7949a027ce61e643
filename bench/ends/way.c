#include "way.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_S = 10, FILLER_SIZE = 128 * 1024 };

void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

void tell_ready_and_wait(void)
{
    char line[16];
    puts("ready");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) {
        exit(0);
    }
}

struct way way_parse(const char *text)
{
    struct way way = {0};
    char *colon = strrchr(text, ':');
    if (colon) {
        way.admin = strndup(text, (size_t)(colon - text));
    }
    way.port = (uint16_t)atoi(colon ? colon + 1 : text);
    if (way.port == 0) {
        fprintf(stderr, "%s is neither PORT nor ADMIN-SOCKET:PORT\n", text);
        exit(2);
    }
    return way;
}

int way_ask(const struct way *way)
{
    if (!way->admin) {
        return -1;
    }
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", way->admin);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0) {
        die(way->admin);
    }
    return fd;
}

/* One answer of the admin socket: a line. */
static int read_line(int fd, char *line, size_t size)
{
    size_t have = 0;
    while (have + 1 < size) {
        ssize_t got = read(fd, line + have, size - 1 - have);
        if (got <= 0) {
            return -1;
        }
        have += (size_t)got;
        line[have] = '\0';
        if (line[have - 1] == '\n') {
            return 0;
        }
    }
    return -1;
}

/* The public port of a new session, or 0 with the answer in why. */
static uint16_t open_session(int asker, uint16_t target, char *why)
{
    char line[4096];
    int len = snprintf(line, sizeof line, "{\"command\":\"ssh\",\"target\":\"127.0.0.1:%u\"}\n",
                       target);
    if (send_all(asker, line, (uint64_t)len) < 0 || read_line(asker, line, sizeof line) < 0) {
        snprintf(why, LINE_MAX_SIZE, "the admin socket was closed");
        return 0;
    }
    const char *port = strstr(line, "\"ok\":true") ? strstr(line, "-p ") : NULL;
    if (!port) {
        snprintf(why, LINE_MAX_SIZE, "%.*s", (int)strcspn(line, "\n"), line);
        return 0;
    }
    return (uint16_t)atoi(port + 3);
}

static int dial(uint16_t port)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int way_enter(const struct way *way, int asker, const char *what, char *why)
{
    uint16_t port = way->admin ? open_session(asker, way->port, why) : way->port;
    if (port == 0) {
        return -1;
    }
    char line[LINE_MAX_SIZE];
    int len = snprintf(line, sizeof line, IDENTIFICATION "%s\r\n", what);
    int fd = dial(port);
    if (fd < 0 || send_all(fd, line, (uint64_t)len) < 0) {
        snprintf(why, LINE_MAX_SIZE, "port %u: %s", port, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

int send_all(int fd, const void *data, uint64_t len)
{
    for (const char *at = data; len > 0;) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return -1;
        }
        at += sent;
        len -= (uint64_t)sent;
    }
    return 0;
}

int recv_all(int fd, void *data, uint64_t len)
{
    for (char *at = data; len > 0;) {
        ssize_t got = recv(fd, at, len, 0);
        if (got <= 0) {
            return -1;
        }
        at += got;
        len -= (uint64_t)got;
    }
    return 0;
}

int send_filler(int fd, uint64_t len)
{
    char filler[FILLER_SIZE];
    memset(filler, 'x', sizeof filler);
    for (uint64_t now; len > 0; len -= now) {
        now = len < sizeof filler ? len : sizeof filler;
        if (send_all(fd, filler, now) < 0) {
            return -1;
        }
    }
    return 0;
}

int recv_filler(int fd, uint64_t len)
{
    char filler[FILLER_SIZE];
    for (uint64_t now; len > 0; len -= now) {
        now = len < sizeof filler ? len : sizeof filler;
        if (recv_all(fd, filler, now) < 0) {
            return -1;
        }
    }
    return 0;
}
