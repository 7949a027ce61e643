#include "vps/admin.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "vps/admin_reply.h"

enum { CLIENTS_MAX = 32, BACKLOG = 16, REQUEST_MAX = 4096, PATH_SIZE = 108 /* sun_path */ };

struct client {
    struct client *next;
    struct admin *admin;
    uv_pipe_t pipe;
    bool closing;
    uid_t uid;
    struct session *opening; /* answered when it is ready or over */
    bool draining;           /* answered when no session is left */
    size_t have;
    char request[REQUEST_MAX];
};

struct admin {
    struct admin_options options;
    char path[PATH_SIZE];
    uint64_t started_ms;
    uv_pipe_t listener;
    bool listening;
    bool freed;
    unsigned handles; /* libuv's, that have to close before the memory goes */
    struct client *clients;
    unsigned count;
};

/* ---- clients -------------------------------------------------------------- */

static void release(struct admin *admin)
{
    if (--admin->handles == 0 && admin->freed) {
        free(admin);
    }
}

static void on_client_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    struct admin *admin = client->admin;
    free(client);
    release(admin);
}

static void hang_up(struct client *client)
{
    if (client->closing) {
        return;
    }
    struct client **at = &client->admin->clients;
    while (*at != client) {
        at = &(*at)->next;
    }
    *at = client->next;
    client->admin->count--;
    client->closing = true;
    uv_close((uv_handle_t *)&client->pipe, on_client_closed);
}

struct answer {
    uv_write_t write;
    size_t len;
    char line[];
};

static void on_written(uv_write_t *write, int status)
{
    struct answer *answer = write->data;
    (void)status;
    crypto_wipe(answer->line, answer->len); /* it may hold an .rdp file's secret */
    free(answer);
}

/* Sends one line and drops the reference. */
static void send_reply(struct client *client, json_t *reply)
{
    char *line = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
    json_decref(reply);
    size_t len = line ? strlen(line) : 0;
    struct answer *answer = line ? malloc(sizeof *answer + len + 1) : NULL;
    if (answer) {
        answer->len = len + 1;
        memcpy(answer->line, line, len);
        answer->line[len] = '\n';
        answer->write.data = answer;
        uv_buf_t buf = uv_buf_init(answer->line, (unsigned)answer->len);
        if (uv_write(&answer->write, (uv_stream_t *)&client->pipe, &buf, 1, on_written) < 0) {
            on_written(&answer->write, -1);
        }
    }
    if (line) {
        crypto_wipe(line, len);
        free(line);
    }
    if (!answer) {
        hang_up(client);
    }
}

/* Those who wait for the last session to end. */
static void answer_drained(struct admin *admin)
{
    for (struct client *client = admin->clients, *next; client; client = next) {
        next = client->next;
        if (client->draining) {
            client->draining = false;
            send_reply(client, reply_drain(admin->options.sessions));
        }
    }
}

/* ---- commands ------------------------------------------------------------- */

static const char *text_of(const json_t *request, const char *key)
{
    const char *text = json_string_value(json_object_get(request, key));
    return text ? text : "";
}

static json_t *open_session(struct client *client, const json_t *request, enum session_kind kind)
{
    struct session_request wanted = {.owner = {OWNER_LOCAL, client->uid}, .kind = kind};
    struct why why = {""};
    uint16_t port = kind == SESSION_SSH ? 22 : 3389;
    int err = target_parse(text_of(request, "target"), port, kind == SESSION_SSH, &wanted.target,
                           &why);
    if (err == 0) {
        err = sessions_open(client->admin->options.sessions, &wanted, &client->opening, &why);
    }
    return err < 0 ? reply_errno(err, why.text) : NULL;
}

static json_t *do_ssh(struct client *client, const json_t *request)
{
    return open_session(client, request, SESSION_SSH);
}

static json_t *do_rdp(struct client *client, const json_t *request)
{
    return open_session(client, request, SESSION_RDP);
}

static int count_connections(struct sessions *sessions)
{
    unsigned count = 0;
    for (struct session *s = sessions_next(sessions, NULL); s; s = sessions_next(sessions, s)) {
        struct session_view view;
        session_view(s, &view);
        count += view.connections;
    }
    return (int)count;
}

static json_t *do_status(struct client *client, const json_t *request)
{
    const struct admin_options *options = &client->admin->options;
    (void)request;
    json_t *gateways = json_array();
    const struct gateway *gateway = NULL;
    while ((gateway = gateways_next(options->gateways, gateway))) {
        json_array_append_new(gateways, reply_gateway(gateway));
    }
    const char *telegram = !options->bot                            ? "off"
                           : bot_status(options->bot) == BOT_ONLINE ? "online"
                                                                    : "connecting";
    return json_pack(
        "{s:b, s:s, s:I, s:s, s:o, s:i, s:i, s:b}", "ok", 1, "version", PAMTUNNEL_VERSION, "uptime",
        (json_int_t)((clock_ms() - client->admin->started_ms) / 1000), "telegram", telegram,
        "gateways", gateways, "sessions", (int)sessions_count(options->sessions), "connections",
        count_connections(options->sessions), "draining", sessions_are_draining(options->sessions));
}

static json_t *wait_for_drain(struct client *client)
{
    struct sessions *sessions = client->admin->options.sessions;
    client->draining = sessions_are_draining(sessions) && sessions_count(sessions) > 0;
    return client->draining ? NULL : reply_drain(sessions);
}

/*
 * {"off":true} opens the server again. {"wait":true} changes nothing: it is answered when
 * no session is left, or when somebody calls it off.
 */
static json_t *do_drain(struct client *client, const json_t *request)
{
    struct admin *admin = client->admin;
    struct sessions *sessions = admin->options.sessions;
    bool on = !json_is_true(json_object_get(request, "off"));
    if (json_is_true(json_object_get(request, "wait"))) {
        return wait_for_drain(client);
    }
    if (on != sessions_are_draining(sessions)) {
        log_info(admin->options.log, on ? "draining: no new sessions are opened"
                                        : "draining is called off: sessions are opened again");
    }
    sessions_drain(sessions, on);
    if (!on) {
        answer_drained(admin);
    }
    return reply_drain(sessions);
}

static json_t *do_sessions(struct client *client, const json_t *request)
{
    struct sessions *sessions = client->admin->options.sessions;
    (void)request;
    json_t *list = json_array();
    struct session *session = NULL;
    while ((session = sessions_next(sessions, session))) {
        json_array_append_new(list, reply_session(session));
    }
    return json_pack("{s:b, s:o}", "ok", 1, "sessions", list);
}

/* NULL with *ret_reply set if there is no such session. */
static struct session *find_session(struct client *client, const json_t *request,
                                    json_t **ret_reply)
{
    struct session *session = sessions_find(client->admin->options.sessions,
                                            text_of(request, "session"));
    if (!session) {
        *ret_reply = reply_error("no_such_session",
                                 "There is no open session of that ID; see pamctl sessions.");
    }
    return session;
}

static json_t *do_close(struct client *client, const json_t *request)
{
    json_t *reply;
    struct session *session = find_session(client, request, &reply);
    if (!session) {
        return reply;
    }
    session_close(session);
    reply = reply_ok();
    json_object_set_new(reply, "session", reply_session(session));
    return reply;
}

/* Which parked client is meant: the one of that address, or the only one. */
static int find_parked(const struct session *session, const char *address, unsigned *ret_number)
{
    struct session_view view;
    session_view(session, &view);
    unsigned found = 0;
    for (unsigned i = 0; i < view.parked_count; i++) {
        char host[ADDR_HOST_MAX];
        if (!address[0] || strcmp(addr_host_text(&view.parked[i].from, host), address) == 0) {
            *ret_number = view.parked[i].number;
            found++;
        }
    }
    return found == 1 ? 0 : found ? -EDESTADDRREQ : -ENOENT;
}

static json_t *decide(struct client *client, const json_t *request,
                      int (*verb)(struct session *session, unsigned number, const struct owner *by))
{
    json_t *reply;
    unsigned number = 0;
    const struct owner by = {OWNER_LOCAL, client->uid};
    struct session *session = find_session(client, request, &reply);
    if (!session) {
        return reply;
    }
    int err = find_parked(session, text_of(request, "address"), &number);
    if (err == -EDESTADDRREQ) {
        return reply_error("which_client",
                           "Several clients are waiting; add the address of the one you mean.");
    }
    if (err < 0 || verb(session, number, &by) < 0) {
        return reply_error("nobody_waits", "No such client is waiting to be admitted.");
    }
    reply = reply_ok();
    json_object_set_new(reply, "session", reply_session(session));
    return reply;
}

static json_t *do_admit(struct client *client, const json_t *request)
{
    return decide(client, request, session_admit);
}

static json_t *do_block(struct client *client, const json_t *request)
{
    return decide(client, request, session_block);
}

/* A NULL reply means: later. */
static const struct {
    const char *name;
    json_t *(*run)(struct client *client, const json_t *request);
} COMMANDS[] = {
    {"ssh", do_ssh},     {"rdp", do_rdp},     {"status", do_status}, {"sessions", do_sessions},
    {"close", do_close}, {"admit", do_admit}, {"block", do_block},   {"drain", do_drain},
};

static json_t *run_command(struct client *client, const json_t *request)
{
    const char *name = text_of(request, "command");
    for (unsigned i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++) {
        if (strcmp(COMMANDS[i].name, name) == 0) {
            return COMMANDS[i].run(client, request);
        }
    }
    return reply_error("unknown_command", "vps-agent does not know this command; are pamctl and "
                                          "vps-agent of the same version?");
}

/* ---- requests ------------------------------------------------------------- */

static void on_request(struct client *client, const char *line, size_t len)
{
    json_t *request = json_loadb(line, len, 0, NULL);
    if (!request || client->opening || client->draining) {
        hang_up(client);
    } else {
        json_t *reply = run_command(client, request);
        if (reply) {
            send_reply(client, reply);
        }
    }
    json_decref(request);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct client *client = handle->data;
    (void)suggested;
    *buf = uv_buf_init(client->request + client->have, (unsigned)(REQUEST_MAX - client->have));
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct client *client = stream->data;
    (void)buf;
    if (got < 0) {
        hang_up(client);
        return;
    }
    client->have += (size_t)got;
    char *end;
    while (!client->closing && (end = memchr(client->request, '\n', client->have))) {
        size_t len = (size_t)(end - client->request);
        on_request(client, client->request, len);
        client->have -= len + 1;
        memmove(client->request, end + 1, client->have);
    }
    if (client->have == REQUEST_MAX) {
        hang_up(client);
    }
}

static int check_peer(struct client *client)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    int fd;
    if (uv_fileno((uv_handle_t *)&client->pipe, &fd) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
        return -EACCES;
    }
    client->uid = peer.uid;
    return peer.uid == 0 || peer.uid == geteuid() ? 0 : -EACCES;
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct admin *admin = listener->data;
    struct client *client = status < 0 ? NULL : calloc(1, sizeof *client);
    if (!client) {
        return;
    }
    client->admin = admin;
    uv_pipe_init(admin->options.loop, &client->pipe, 0);
    client->pipe.data = client;
    client->next = admin->clients;
    admin->clients = client;
    admin->count++;
    admin->handles++;
    if (uv_accept(listener, (uv_stream_t *)&client->pipe) < 0 || admin->count > CLIENTS_MAX) {
        hang_up(client);
    } else if (check_peer(client) < 0) {
        log_warn(admin->options.log, "admin socket: uid %d may not use it", (int)client->uid);
        hang_up(client);
    } else {
        uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read);
    }
}

/* Somebody waits for what becomes of a session. */
static void on_session_event(void *arg, struct session *session, enum session_event event,
                             unsigned number)
{
    struct admin *admin = arg;
    (void)number;
    struct session_view view;
    session_view(session, &view);
    if (event != SESSION_CHANGED || admin->freed) {
        return;
    }
    for (struct client *client = admin->clients, *next; client; client = next) {
        next = client->next;
        if (client->opening != session) {
            continue;
        }
        client->opening = NULL;
        if (view.state == SESSION_ENDED) {
            char reason[512];
            struct text text = text_over(reason, sizeof reason);
            session_end_text(session, &text);
            send_reply(client, reply_error("not_opened", reason));
        } else {
            send_reply(client, reply_opened(session));
        }
    }
    if (view.state == SESSION_ENDED && sessions_count(admin->options.sessions) == 0) {
        answer_drained(admin);
    }
}

/* ---- life ----------------------------------------------------------------- */

/* A socket that nobody answers on is left over from an agent that was killed. */
static int remove_stale(const char path[PATH_SIZE])
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct stat file;
    if (lstat(path, &file) < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    if (!S_ISSOCK(file.st_mode)) {
        return -EEXIST;
    }
    memcpy(addr.sun_path, path, PATH_SIZE);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    int err = connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0 ? -errno : 0;
    close(fd);
    if (err == -ECONNREFUSED) {
        return unlink(path) < 0 ? -errno : 0;
    }
    /* Somebody listens, also if he takes no more at the moment. */
    return err == 0 || err == -EAGAIN ? -EADDRINUSE : err;
}

static int start_listening(struct admin *admin)
{
    int err = remove_stale(admin->path);
    if (err < 0) {
        return err;
    }
    mode_t before = umask(0177);
    err = uv_pipe_bind(&admin->listener, admin->path);
    umask(before);
    if (err < 0) {
        return err;
    }
    admin->listening = true;
    return uv_listen((uv_stream_t *)&admin->listener, BACKLOG, on_connection);
}

int admin_new(const struct admin_options *options, struct admin **ret_admin, struct why *why)
{
    struct admin *admin = calloc(1, sizeof *admin);
    if (!admin) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    admin->options = *options;
    admin->started_ms = clock_ms();
    admin->handles = 1;
    snprintf(admin->path, sizeof admin->path, "%s/pamtunnel.sock", options->settings->state_dir);
    uv_pipe_init(options->loop, &admin->listener, 0);
    admin->listener.data = admin;

    int err = start_listening(admin);
    if (err == 0) {
        err = sessions_watch(options->sessions,
                             (struct session_watcher){.event = on_session_event, .arg = admin});
    }
    if (err < 0) {
        why_set(why, err, "cannot open the admin socket %s: %s%s", admin->path, strerror(-err),
                err == -EADDRINUSE ? ". Is another vps-agent running with this STATE_DIR?" : "");
        admin_free(admin);
        return err;
    }
    *ret_admin = admin;
    return 0;
}

static void on_listener_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void admin_free(struct admin *admin)
{
    if (!admin) {
        return;
    }
    while (admin->clients) {
        hang_up(admin->clients);
    }
    if (admin->listening) {
        unlink(admin->path);
    }
    admin->freed = true;
    uv_close((uv_handle_t *)&admin->listener, on_listener_closed);
}
