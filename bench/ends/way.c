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

enum { PATIENCE_S = 10, FILLER_SIZE = 128 * 1024, ANSWER_SIZE = 4096, COOKIE_PACKET_MAX = 127 };

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
    char *copy = strdup(text);
    char *host = copy ? strsep(&copy, ",") : NULL;
    char *port = host ? strchr(host, ':') : NULL;
    if (copy) {
        way.admin = strsep(&copy, ",");
        way.target = copy;
    } else if (port) {
        *port = '\0';
        way.port = (uint16_t)atoi(port + 1);
    }
    if (!host || inet_pton(AF_INET, host, &way.host) != 1 || (!way.target && way.port == 0)) {
        fprintf(stderr, "%s is neither HOST:PORT nor HOST,ADMIN-SOCKET,TARGET-HOST:PORT\n", text);
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

/* Opens a session. 0 with the admin socket's answer, or -1 with the reason in why. */
static int open_session(int asker, const char *kind, const char *target, char answer[ANSWER_SIZE],
                        char *why)
{
    int len = snprintf(answer, ANSWER_SIZE, "{\"command\":\"%s\",\"target\":\"%s\"}\n", kind,
                       target);
    if (send_all(asker, answer, (uint64_t)len) < 0 || read_line(asker, answer, ANSWER_SIZE) < 0) {
        snprintf(why, LINE_MAX_SIZE, "the admin socket was closed");
        return -1;
    }
    if (!strstr(answer, "\"ok\":true")) {
        snprintf(why, LINE_MAX_SIZE, "%.*s", (int)strcspn(answer, "\n"), answer);
        return -1;
    }
    return 0;
}

/* What follows a mark that such an answer always has. */
static const char *after(const char *answer, const char *mark)
{
    const char *at = strstr(answer, mark);
    if (!at) {
        fprintf(stderr, "no \"%s\" in the answer of the admin socket\n", mark);
        exit(1);
    }
    return at + strlen(mark);
}

uint16_t way_open(const struct way *way, int asker, char *why)
{
    char answer[ANSWER_SIZE];
    if (!way->admin) {
        return way->port;
    }
    if (open_session(asker, "ssh", way->target, answer, why) < 0) {
        return 0;
    }
    return (uint16_t)atoi(after(answer, "-p "));
}

static int dial(struct in_addr host, uint16_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = host};
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

static int enter(struct in_addr host, uint16_t port, const void *first, size_t len, char *why)
{
    int fd = dial(host, port);
    if (fd < 0 || send_all(fd, first, len) < 0) {
        snprintf(why, LINE_MAX_SIZE, "port %u: %s", port, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

int way_connect(const struct way *way, uint16_t port, const char *what, char *why)
{
    char line[LINE_MAX_SIZE];
    int len = snprintf(line, sizeof line, IDENTIFICATION "%s\r\n", what);
    return enter(way->host, port, line, (size_t)len, why);
}

int way_enter(const struct way *way, int asker, const char *what, char *why)
{
    uint16_t port = way_open(way, asker, why);
    return port == 0 ? -1 : way_connect(way, port, what, why);
}

/* X.224 Connection Request with the session's secret as its cookie (MS-RDPBCGR 2.2.1.1). */
static void write_packet(struct way_back *back, const char *cookie, size_t cookie_len)
{
    static const uint8_t HEAD[] = {3, 0, 0, 0, 0, 0xe0, 0, 0, 0, 0, 0};
    static const uint8_t NEGOTIATION[] = {'\r', '\n', 1, 0, 8, 0, 3, 0, 0, 0};
    back->len = sizeof HEAD + cookie_len + sizeof NEGOTIATION;
    if (back->len > COOKIE_PACKET_MAX) {
        fprintf(stderr, "a cookie of %zu bytes\n", cookie_len);
        exit(1);
    }
    memcpy(back->packet, HEAD, sizeof HEAD);
    memcpy(back->packet + sizeof HEAD, cookie, cookie_len);
    memcpy(back->packet + sizeof HEAD + cookie_len, NEGOTIATION, sizeof NEGOTIATION);
    back->packet[3] = (uint8_t)back->len;
    back->packet[4] = (uint8_t)(back->len - 5);
}

int way_open_rdp(const struct way *way, int asker, struct way_back *ret_back, char *why)
{
    char answer[ANSWER_SIZE];
    char byte;
    if (!way->admin) {
        snprintf(why, LINE_MAX_SIZE, "reconnects need an admin socket");
        return -1;
    }
    if (open_session(asker, "rdp", way->target, answer, why) < 0) {
        return -1;
    }
    const char *cookie = after(answer, "loadbalanceinfo:s:");
    ret_back->host = way->host;
    ret_back->port = (uint16_t)atoi(after(after(answer, "full address:s:"), ":"));
    write_packet(ret_back, cookie, strcspn(cookie, "\\")); /* to the escaped line end */
    int fd = way_reenter(ret_back, why);
    if (fd < 0) {
        return -1;
    }
    int err = recv_all(fd, &byte, 1);
    close(fd);
    if (err < 0) {
        snprintf(why, LINE_MAX_SIZE, "no byte came through a new RDP session");
    }
    return err;
}

int way_reenter(const struct way_back *back, char *why)
{
    return enter(back->host, back->port, back->packet, back->len, why);
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
