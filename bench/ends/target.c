/*
 * target COUNTER-FILE AGES-FILE: the machine that all connections are for. Prints its port. The first line
 * of a connection says what to do with it:
 *   once                          one byte back; then nothing until it is closed
 *   sink, source [zero]           bulk in or out
 *   stamps, ages                  bulk out that says when it was sent, or in, into AGES-FILE
 *   echo ROUNDS BULK PINGS SIZE   each round takes in and sends BULK bytes, then echoes
 * An RDP client's first packet means once.
 * A connection that is closed without a line (gateway-agent's probe) is closed, too.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pump.h"
#include "stamps.h"
#include "way.h"

enum { BACKLOG = 4096, EVENTS = 64, PING_MAX = 64 * 1024 };

struct stamped {
    int fd;
    const char *ages; /* file for what comes in, or NULL: it goes out */
};

struct echo {
    int fd;
    unsigned long rounds, bulk, pings, size;
};

static void *run_pump(void *pump)
{
    for (;;) {
        pump_turn(pump, -1);
    }
    return NULL;
}

static int echo_round(const struct echo *echo, char *buffer)
{
    if (recv_filler(echo->fd, echo->bulk) < 0 || send_filler(echo->fd, echo->bulk) < 0) {
        return -1;
    }
    for (unsigned long i = 0; i < echo->pings; i++) {
        if (recv_all(echo->fd, buffer, echo->size) < 0 ||
            send_all(echo->fd, buffer, echo->size) < 0) {
            return -1;
        }
    }
    return 0;
}

static void *run_echo(void *arg)
{
    struct echo *echo = arg;
    char buffer[PING_MAX];
    for (unsigned long i = 0; i < echo->rounds && echo_round(echo, buffer) == 0; i++) {
    }
    close(echo->fd);
    free(echo);
    return NULL;
}

static void *run_stamped(void *arg)
{
    struct stamped *stamped = arg;
    if (stamped->ages) {
        stamps_receive(stamped->fd, ages_at(stamped->ages), NULL);
    } else {
        stamps_send(stamped->fd, INT64_MAX);
    }
    close(stamped->fd);
    free(stamped);
    return NULL;
}

static void start_stamped(int fd, const char *ages)
{
    struct stamped *stamped = calloc(1, sizeof *stamped);
    pthread_t thread;
    if (!stamped) {
        die("stamps");
    }
    *stamped = (struct stamped){fd, ages};
    if (pthread_create(&thread, NULL, run_stamped, stamped) != 0) {
        die("thread");
    }
    pthread_detach(thread);
}

static void start_echo(int fd, const char *numbers)
{
    struct echo *echo = calloc(1, sizeof *echo);
    pthread_t thread;
    if (!echo ||
        sscanf(numbers, "%lu %lu %lu %lu", &echo->rounds, &echo->bulk, &echo->pings, &echo->size) !=
            4 ||
        echo->size > PING_MAX) {
        free(echo);
        close(fd);
        return;
    }
    echo->fd = fd;
    if (pthread_create(&thread, NULL, run_echo, echo) != 0) {
        die("thread");
    }
    pthread_detach(thread);
}

/* The line without its end, or -1 if there is none yet; what follows it stays in the socket. */
static int read_line(int fd, char line[LINE_MAX_SIZE])
{
    ssize_t have = recv(fd, line, LINE_MAX_SIZE, MSG_PEEK | MSG_DONTWAIT);
    if (have >= 4 && line[0] == 3 && line[3] <= have) { /* TPKT: version, 0, length */
        recv(fd, line, (size_t)line[3], MSG_DONTWAIT);
        strcpy(line, IDENTIFICATION "once");
        return 0;
    }
    char *end = have > 0 ? memchr(line, '\n', (size_t)have) : NULL;
    if (!end) {
        return -1;
    }
    recv(fd, line, (size_t)(end - line) + 1, MSG_DONTWAIT);
    *end = '\0';
    return 0;
}

/* Whether the connection stays with the caller. */
static bool serve(int fd, const char *line, struct pump *pump, const char *ages)
{
    size_t skip = strlen(IDENTIFICATION);
    const char *what = strncmp(line, IDENTIFICATION, skip) == 0 ? line + skip : "";
    bool zero = strstr(what, " zero") != NULL;
    if (strncmp(what, "once", 4) == 0) {
        send_all(fd, "!", 1);
        return true;
    }
    if (strncmp(what, "sink", 4) == 0) {
        pump_add(pump, fd, PUMP_SINK, zero);
    } else if (strncmp(what, "source", 6) == 0) {
        pump_add(pump, fd, PUMP_SOURCE, zero);
    } else if (strncmp(what, "stamps", 6) == 0) {
        start_stamped(fd, NULL);
    } else if (strncmp(what, "ages", 4) == 0) {
        start_stamped(fd, ages);
    } else if (strncmp(what, "echo ", 5) == 0) {
        start_echo(fd, what + 5);
    } else {
        close(fd);
    }
    return false;
}

static void on_ready(int epoll, int fd, struct pump *pump, const char *ages)
{
    char line[LINE_MAX_SIZE];
    char byte;
    if (read_line(fd, line) == 0) {
        epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
        if (!serve(fd, line, pump, ages)) {
            return;
        }
        struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event); /* an end that came already is told again */
    } else if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
        close(fd);
    }
}

static void on_connections(int epoll, int listener)
{
    int on = 1;
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
            die("epoll");
        }
    }
}

static int listen_and_tell(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) < 0) {
        die("listen");
    }
    printf("%u\n", ntohs(addr.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: target COUNTER-FILE AGES-FILE\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN); /* sendfile() has no MSG_NOSIGNAL */
    struct pump *pump = pump_new(counter_at(argv[1]));
    pthread_t thread;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_and_tell();
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0 ||
        pthread_create(&thread, NULL, run_pump, pump) != 0) {
        die("target");
    }
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener) {
                on_connections(epoll, listener);
            } else {
                on_ready(epoll, events[i].data.fd, pump, argv[2]);
            }
        }
    }
}
