/*
 * A request is its first line and the empty one that ends it; what stands between them is passed
 * over. It is answered only then: to hang up on somebody who is still sending would reset the
 * connection, and take the answer with it.
 *
 * What a caller wants is kept in a list of our own, since base/lines knows lines only: it has as
 * many places as there can be callers.
 */
#include "shared/monitor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/lines.h"
#include "base/local_address.h"

enum {
    PATIENCE_MS = 10000,
    HEADERS_MAX = 64, /* lines: a caller that sends more is none that we know */
    COMPLAINTS_MAX = 1024,
    HEAD_MAX = 256,
};

enum page { PAGE_NONE, PAGE_METRICS, PAGE_HEALTH };

struct request {
    struct lines_client *client; /* NULL: a free place */
    enum page page;
    unsigned lines;
};

struct monitor {
    struct lines *lines;
    struct usage usage;
    struct monitor_subject subject;
    struct request requests[LINES_CLIENTS_MAX];
};

/* ---- answers -------------------------------------------------------------- */

/* body ends with a newline, which lines_say() sends. */
static void say(struct lines_client *client, const char *status, const char *type, const char *body)
{
    char head[HEAD_MAX];
    size_t len = strlen(body);
    snprintf(head, sizeof head,
             "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
             "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
             status, type, len);
    char *answer;
    if (asprintf(&answer, "%s%.*s", head, (int)len - 1, body) < 0) {
        answer = NULL;
    }
    if (answer) {
        lines_say(client, answer);
    }
    free(answer);
    lines_hang_up(client);
}

static void say_text(struct lines_client *client, const char *status, const char *body)
{
    say(client, status, "text/plain; charset=utf-8", body);
}

static void say_metrics(struct monitor *monitor, struct lines_client *client)
{
    struct metrics metrics = {0};
    metrics_family(&metrics, METRICS_INFO, "pamtunnel_build", "The program that answers.");
    metrics_add(&metrics, 1, "program", monitor->subject.program, "version", PAMTUNNEL_VERSION,
                NULL);
    usage_measure(&monitor->usage, &metrics);
    monitor->subject.measure(monitor->subject.arg, &metrics);
    char *page = metrics_end(&metrics);
    if (page) {
        say(client, "200 OK", METRICS_TYPE, page);
    } else {
        say_text(client, "503 Service Unavailable", "out of memory\n");
    }
    free(page);
}

static void say_health(struct monitor *monitor, struct lines_client *client)
{
    char buffer[COMPLAINTS_MAX];
    struct text text = text_over(buffer, sizeof buffer - 1);
    monitor->subject.complain(monitor->subject.arg, &text);
    if (text.cut) { /* it ends with a newline all the same */
        strcpy(buffer + text.len, "\n");
    }
    say_text(client, text.len ? "503 Service Unavailable" : "200 OK", text.len ? buffer : "ok\n");
}

static void answer(struct monitor *monitor, struct lines_client *client, enum page page)
{
    switch (page) {
    case PAGE_METRICS:
        say_metrics(monitor, client);
        break;
    case PAGE_HEALTH:
        say_health(monitor, client);
        break;
    case PAGE_NONE:
        say_text(client, "404 Not Found", "there is /metrics, and there is /healthz\n");
        break;
    }
}

/* ---- requests ------------------------------------------------------------- */

/* client: NULL for a free place, of which there is one for each client. */
static struct request *request_of(struct monitor *monitor, const struct lines_client *client)
{
    struct request *request = monitor->requests;
    while (request->client != client) {
        request++;
    }
    return request;
}

static bool begins_with(const char *line, size_t len, const char *words)
{
    size_t size = strlen(words);
    return len > size && memcmp(line, words, size) == 0 && (line[size] == ' ' || line[size] == '?');
}

/* "GET /metrics HTTP/1.1"; a query changes nothing. */
static enum page page_of(const char *line, size_t len)
{
    return begins_with(line, len, "GET /metrics")   ? PAGE_METRICS
           : begins_with(line, len, "GET /healthz") ? PAGE_HEALTH
                                                    : PAGE_NONE;
}

static bool is_http(const char *line, size_t len)
{
    const char *version = memmem(line, len, " HTTP/1.", 8);
    return version != NULL;
}

static void on_called(void *arg, struct lines_client *client)
{
    *request_of(arg, NULL) = (struct request){.client = client};
}

static void on_gone(void *arg, struct lines_client *client)
{
    request_of(arg, client)->client = NULL;
}

static void on_line(void *arg, struct lines_client *client, const char *line, size_t len)
{
    struct monitor *monitor = arg;
    struct request *request = request_of(monitor, client);
    bool is_first = request->lines++ == 0;
    len -= len > 0 && line[len - 1] == '\r';
    if (is_first) {
        request->page = page_of(line, len);
    }
    if (request->lines > HEADERS_MAX || (is_first && !is_http(line, len))) {
        lines_hang_up(client);
    } else if (len > 0) {
        lines_read_on(client);
    } else {
        answer(monitor, client, request->page);
    }
}

/* ---- life ----------------------------------------------------------------- */

static const struct monitor_place NOWHERE = {.socket = -1, .usage = {.memory = -1}};

struct monitor_place monitor_open(const char *address, const struct log *log)
{
    struct monitor_place place = NOWHERE;
    struct why why;
    if (!address[0]) {
        return place;
    }
    int fd = local_address_listen(address, &why);
    if (fd < 0) {
        log_error(log, "METRICS_LISTEN: %s; the agent runs on, and nobody can watch it there",
                  why.text);
        return place;
    }
    return (struct monitor_place){.socket = fd, .usage = usage_open()};
}

struct monitor *monitor_new(uv_loop_t *loop, struct monitor_place *place,
                            const struct monitor_subject *subject)
{
    struct monitor *monitor = calloc(1, sizeof *monitor);
    if (!monitor) {
        return NULL;
    }
    const struct lines_rules rules = {.loop = loop,
                                      .called = on_called,
                                      .line = on_line,
                                      .gone = on_gone,
                                      .arg = monitor,
                                      .idle_ms = PATIENCE_MS};
    monitor->subject = *subject;
    monitor->usage = place->usage;
    monitor->lines = lines_new(place->socket, &rules);
    if (!monitor->lines) {
        free(monitor);
        return NULL;
    }
    *place = NOWHERE;
    return monitor;
}

void monitor_free(struct monitor *monitor)
{
    if (monitor) {
        lines_free(monitor->lines);
        usage_close(&monitor->usage);
        free(monitor);
    }
}

void monitor_close(struct monitor_place *place)
{
    if (place->socket >= 0) {
        close(place->socket);
    }
    usage_close(&place->usage);
    *place = NOWHERE;
}
