/*
 * A client is on the list from accept() until it is dropped. It is the client's turn to talk unless
 * it is owed an answer:
 *
 *     idle --line--> owed --lines_say()--> (sending) --all sent--> idle
 *
 * The idle timer runs in every state but "owed": the server may take its time, a client may not.
 *
 * Re-entrancy: rules.line() and rules.called() may answer, hang up, and so drop the client while
 * its own frame is on the stack. Such a frame is marked `busy`; drop() then takes the client off
 * the list and closes its socket, and leave() frees the memory when the frame is done.
 *
 * A second answer is a bug of the caller's, or memory is short: either way the client is dropped,
 * since a line that belongs to another question is worse than none.
 */
#include "base/lines.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/list.h"
#include "base/listener.h"
#include "base/timer.h"
#include "base/watch.h"

enum { BACKLOG = 16, PATIENCE_MS = 1000 /* with an idle client, when there is no descriptor */ };

struct lines_client {
    struct list home; /* among the clients */
    struct lines *lines;
    int fd;
    uid_t uid;
    struct watch *watch;
    struct timer *idle; /* runs unless an answer is owed */
    uint64_t idle_since_ms;
    uint64_t idle_ms; /* that it may be silent; 0: as all are */
    bool owed;        /* its line was not answered yet */
    bool leaving;     /* goes when all is sent */
    bool gone;        /* off the list and without a socket */
    bool busy;        /* on the stack: see leave() */
    char *out;        /* what is unsent, or NULL */
    size_t out_len, sent;
    size_t have;
    char in[LINES_LEN_MAX];
};

struct lines {
    struct lines_rules rules;
    struct listener *listener;
    struct list clients; /* the oldest one first */
    unsigned count;
};

/* ---- going ------------------------------------------------------------------ */

static void forget_answer(struct lines_client *client)
{
    if (client->out) {
        crypto_wipe(client->out, client->out_len); /* it may hold a secret */
        free(client->out);
        client->out = NULL;
    }
}

/* Takes half-built ones, too. */
static void client_free(struct lines_client *client)
{
    forget_answer(client);
    timer_free(client->idle);
    watch_free(client->watch);
    crypto_wipe(client->in, sizeof client->in);
    free(client);
}

static void drop(struct lines_client *client)
{
    struct lines *lines = client->lines;
    if (client->gone) {
        return;
    }
    list_remove(&client->home);
    lines->count--;
    client->gone = true;
    watch_free(client->watch);
    client->watch = NULL;
    close(client->fd);
    /* A descriptor has just become free: keep it for the next caller. */
    listener_keep_spare(lines->listener);
    if (lines->rules.gone) {
        lines->rules.gone(lines->rules.arg, client);
    }
    if (!client->busy) {
        client_free(client);
    }
}

/* The end of what the calling frame did with the client. */
static void leave(struct lines_client *client)
{
    client->busy = false;
    if (client->gone) {
        client_free(client);
    }
}

static void on_idle(void *arg)
{
    drop(arg);
}

/* ---- answers ------------------------------------------------------------------ */

/* From now on it is the client's turn. */
static void wait_for(struct lines_client *client, int events)
{
    /* Sending counts too: whoever does not read its answer is as silent as one who does not ask. */
    uint64_t all_ms = client->lines->rules.idle_ms, idle_ms = client->idle_ms;
    idle_ms = idle_ms ? idle_ms : all_ms;
    client->idle_since_ms = clock_ms();
    timer_set(client->idle, idle_ms ? idle_ms : LINES_IDLE_MS);
    watch_set(client->watch, events);
}

static void flush(struct lines_client *client)
{
    while (client->sent < client->out_len) {
        ssize_t put = send(client->fd, client->out + client->sent, client->out_len - client->sent,
                           MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno == EAGAIN) {
            wait_for(client, WATCH_WRITE);
            return;
        }
        if (put < 0 && errno != EINTR) {
            drop(client);
            return;
        }
        client->sent += put > 0 ? (size_t)put : 0;
    }
    forget_answer(client);
    if (client->leaving) {
        drop(client);
    } else {
        wait_for(client, WATCH_READ);
    }
}

void lines_say(struct lines_client *client, const char *line)
{
    size_t len = strlen(line);
    if (client->gone) {
        return;
    }
    /* A second answer would have to wait for the first one: there is none. */
    char *out = client->out ? NULL : malloc(len + 1);
    if (!out) {
        drop(client);
        return;
    }
    *(char *)mempcpy(out, line, len) = '\n';
    client->out = out;
    client->out_len = len + 1;
    client->sent = 0;
    client->owed = false;
    flush(client);
}

void lines_read_on(struct lines_client *client)
{
    if (!client->gone) {
        client->owed = false;
        wait_for(client, WATCH_READ);
    }
}

void lines_hang_up(struct lines_client *client)
{
    client->leaving = true;
    if (!client->out) {
        drop(client);
    }
}

void lines_bear_with(struct lines_client *client, uint64_t idle_ms)
{
    client->idle_ms = idle_ms;
}

uid_t lines_uid(const struct lines_client *client)
{
    return client->uid;
}

/* ---- lines -------------------------------------------------------------------- */

/* All that are whole, as long as they are answered at once. */
static void serve(struct lines_client *client)
{
    const struct lines_rules *rules = &client->lines->rules;
    char *end;
    while (!client->gone && !client->out && (end = memchr(client->in, '\n', client->have))) {
        size_t len = (size_t)(end - client->in);
        if (client->owed) {
            drop(client);
            return;
        }
        client->owed = true;
        timer_stop(client->idle);
        rules->line(rules->arg, client, client->in, len);
        client->have -= len + 1;
        memmove(client->in, end + 1, client->have);
    }
    /* Full and no newline in it: longer than any line may be. */
    if (!client->gone && client->have == sizeof client->in && !client->out) {
        drop(client);
    }
}

static void take(struct lines_client *client)
{
    ssize_t got = recv(client->fd, client->in + client->have, sizeof client->in - client->have,
                       MSG_DONTWAIT);
    if (got > 0) {
        client->have += (size_t)got;
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        drop(client);
    }
}

static void on_ready(void *arg, int events)
{
    struct lines_client *client = arg;
    (void)events;
    client->busy = true;
    if (client->out) {
        flush(client);
    } else {
        take(client);
    }
    serve(client);
    leave(client);
}

/* ---- coming ------------------------------------------------------------------- */

/* The one that has been silent for the longest; those that are owed an answer come last. */
static struct lines_client *least_wanted(const struct lines *lines)
{
    /* "<=": of several that are as silent, the one that came first, which is last in the list. */
    struct lines_client *found = NULL;
    list_each (struct lines_client, client, &lines->clients, home) {
        if (!found || (found->owed && !client->owed) ||
            (found->owed == client->owed && client->idle_since_ms < found->idle_since_ms)) {
            found = client;
        }
    }
    return found;
}

static int peer_uid(int fd, uid_t *ret_uid)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
        return -errno;
    }
    *ret_uid = peer.uid;
    return 0;
}

/* NULL when out of memory: the descriptor stays the caller's. */
static struct lines_client *client_new(struct lines *lines, int fd)
{
    struct lines_client *client = calloc(1, sizeof *client);
    if (!client) {
        return NULL;
    }
    *client = (struct lines_client){.lines = lines, .fd = fd};
    client->watch = watch_new(lines->rules.loop, fd, on_ready, client);
    client->idle = timer_new(lines->rules.loop, on_idle, client);
    if (!client->watch || !client->idle || peer_uid(fd, &client->uid) < 0) {
        client_free(client);
        return NULL;
    }
    list_append(&lines->clients, &client->home);
    lines->count++;
    wait_for(client, WATCH_READ);
    return client;
}

/* Another one waits for a descriptor. */
static void make_room(struct lines *lines)
{
    struct lines_client *client = least_wanted(lines);
    if (client && !client->owed && clock_ms() - client->idle_since_ms >= PATIENCE_MS) {
        drop(client);
    }
}

static void on_caller(void *arg, int fd, const struct addr *from)
{
    struct lines *lines = arg;
    (void)from;
    if (fd < 0) {
        make_room(lines);
        return;
    }
    if (lines->count == LINES_CLIENTS_MAX) {
        drop(least_wanted(lines));
    }
    struct lines_client *client = client_new(lines, fd);
    if (!client) {
        close(fd);
        return;
    }
    client->busy = true;
    if (lines->rules.called) {
        lines->rules.called(lines->rules.arg, client);
    }
    leave(client);
}

/* ---- life --------------------------------------------------------------------- */

/* A socket that nobody answers on is left over from a process that was killed. */
static int remove_stale(const struct sockaddr_un *addr)
{
    struct stat file;
    if (lstat(addr->sun_path, &file) < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    if (!S_ISSOCK(file.st_mode)) {
        return -EEXIST;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    /* Asking is the only way to tell: the file stays when its process is killed. */
    int err = connect(fd, (const struct sockaddr *)addr, sizeof *addr) < 0 ? -errno : 0;
    close(fd);
    if (err == -ECONNREFUSED) {
        return unlink(addr->sun_path) < 0 ? -errno : 0;
    }
    /* Somebody listens there, even if no more is accepted at the moment. */
    return err == 0 || err == -EAGAIN ? -EADDRINUSE : err;
}

static int bind_to(int fd, const struct sockaddr_un *addr, socklen_t len)
{
    /* chmod(2) after bind(2) would leave a moment in which anybody may connect. */
    mode_t before = addr->sun_path[0] ? umask(0177) : 0;
    int err = bind(fd, (const struct sockaddr *)addr, len) < 0 ? -errno : 0;
    if (addr->sun_path[0]) {
        umask(before);
    }
    return err;
}

int lines_listen(const struct sockaddr_un *addr, socklen_t len)
{
    int err = addr->sun_path[0] ? remove_stale(addr) : 0;
    if (err < 0) {
        return err;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    err = bind_to(fd, addr, len);
    if (err == 0 && listen(fd, BACKLOG) < 0) {
        err = -errno;
    }
    if (err < 0) {
        close(fd);
        return err;
    }
    return fd;
}

struct lines *lines_new(int fd, const struct lines_rules *rules)
{
    struct lines *lines = calloc(1, sizeof *lines);
    if (!lines) {
        return NULL;
    }
    lines->rules = *rules;
    list_init(&lines->clients);
    lines->listener = listener_new(rules->loop, fd, on_caller, lines);
    if (!lines->listener) {
        free(lines);
        return NULL;
    }
    listener_keep_spare(lines->listener);
    return lines;
}

void lines_free(struct lines *lines)
{
    if (!lines) {
        return;
    }
    while (!list_is_empty(&lines->clients)) {
        drop(list_owner(lines->clients.next, struct lines_client, home));
    }
    listener_free(lines->listener);
    free(lines);
}
