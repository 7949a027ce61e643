/* A tunnel's target: whether the list allows it, and what follows when somebody waits for it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "gateway/tunnel_core.h"

enum { DIAL_MS = 5000 /* the user is there */ };

static const char *const LINK_ENDS[] = {
    [LINK_FINISHED] = "finished",
    [LINK_RESET] = "reset by one side",
    [LINK_DEAD] = "one side stopped answering",
    [LINK_FAILED] = "failed",
    [LINK_CUT] = "cut",
};

/* ---- the list of targets --------------------------------------------------- */

/* The host as it was asked for, out of "HOST:PORT" or "[IPV6]:PORT". */
static void write_host(const struct tunnel *tunnel, char dst[TARGET_TEXT_MAX])
{
    const char *start = tunnel->target + (tunnel->target[0] == '[');
    const char *end = strrchr(tunnel->target, ':') - (tunnel->target[0] == '[');
    snprintf(dst, TARGET_TEXT_MAX, "%.*s", (int)(end - start), start);
}

/* Every address that it is connected to, or may yet dial. */
bool tunnel_is_allowed(const struct tunnel *tunnel)
{
    const struct targets *allowed = tunnel->host->allowed;
    const struct addr *addrs = tunnel->addrs ? tunnel->addrs : &tunnel->dialled;
    unsigned count = tunnel->addrs ? tunnel->addr_count : 1;
    char host[TARGET_TEXT_MAX];
    write_host(tunnel, host);
    if (targets_allow_name(allowed, host, tunnel->port)) {
        return true;
    }
    for (unsigned i = 0; i < count; i++) {
        if (!targets_allow_addr(allowed, &addrs[i])) {
            return false;
        }
    }
    return true;
}

struct failure tunnel_not_allowed(const struct tunnel *tunnel)
{
    return failure_make(TUNNEL_NOT_ALLOWED,
                        "%.100s is no longer among the ALLOWED_TARGETS of this gateway",
                        tunnel->target);
}

/* ---- dialling -------------------------------------------------------------- */

/* The user is already there: the RST tells the VPS at once, the message tells it why. */
void tunnel_dialling_failed(struct tunnel *tunnel, const struct failure *failure)
{
    net_reset(tunnel->data);
    tunnel->data = -1;
    tunnel_fail(tunnel, failure);
}

/* The next session's probe may be spared by this, or is due again. */
static void remember_answer(struct tunnel *tunnel, const struct addr *answered)
{
    if (answered) {
        reachable_note(tunnel->host->reachable, answered);
        return;
    }
    for (unsigned i = 0; i < tunnel->addr_count; i++) {
        reachable_forget(tunnel->host->reachable, &tunnel->addrs[i]);
    }
}

static void on_dialled(void *arg, int fd, const struct addr *addr)
{
    struct tunnel *tunnel = arg;
    struct failure failure;
    tunnel->dial = NULL;
    remember_answer(tunnel, fd < 0 ? NULL : addr);
    if (fd < 0) {
        failure = failure_of_target(fd, tunnel->target);
        tunnel_dialling_failed(tunnel, &failure);
        return;
    }
    net_tune(fd);
    /* Not sooner: its round trip is known now, and only now does it carry users' bytes. */
    congestion_apply(tunnel->host->congestion, tunnel->data);
    int err = relay_join(tunnel->host->relay, tunnel->data, fd, NULL, 0, tunnel, &tunnel->link);
    if (err < 0) {
        close(fd);
        failure = failure_make(TUNNEL_BUSY, "the gateway's relay cannot take any more: %s",
                               strerror(-err));
        tunnel_dialling_failed(tunnel, &failure);
        return;
    }
    tunnel->data = -1;
    tunnel->dialled = *addr;
    free(tunnel->addrs);
    tunnel->addrs = NULL;
    char address[ADDR_TEXT_MAX];
    tunnel_set_state(tunnel, STATE_RELAYING, addr_text(addr, address));
}

static void dial_target(struct tunnel *tunnel)
{
    tunnel->dial = dial_start(tunnel->host->loop, tunnel->addrs, tunnel->addr_count, DIAL_MS,
                              DIAL_NARROW, on_dialled, tunnel);
    if (!tunnel->dial) {
        struct failure failure = failure_of_target(-ENOMEM, tunnel->target);
        tunnel_dialling_failed(tunnel, &failure);
    }
}

static void on_probed(void *arg, const struct failure *failure, const struct addr *addr)
{
    struct tunnel *tunnel = arg;
    tunnel->probing = NULL;
    if (failure) {
        tunnel_dialling_failed(tunnel, failure);
        return;
    }
    tunnel->addrs[0] = *addr;
    tunnel->addr_count = 1;
    if (tunnel_is_allowed(tunnel)) {
        dial_target(tunnel);
    } else { /* the list has changed while it was probed */
        struct failure not_allowed = tunnel_not_allowed(tunnel);
        tunnel_dialling_failed(tunnel, &not_allowed);
    }
}

/* Hours may have passed since it was open: who is there now? */
static void probe_target(struct tunnel *tunnel)
{
    char host[TARGET_TEXT_MAX];
    write_host(tunnel, host);
    const struct probe_request request = {.addrs = tunnel->addrs,
                                          .count = tunnel->addr_count,
                                          .host = host,
                                          .port = tunnel->port,
                                          .demand = tunnel->demand,
                                          .lines = tunnel->host->lines};
    tunnel->probing = probe_start(tunnel->host->loop, &request, on_probed, tunnel);
    if (!tunnel->probing) {
        struct failure failure = failure_of_target(-ENOMEM, tunnel->target);
        tunnel_dialling_failed(tunnel, &failure);
    }
}

void tunnel_start_dialling(struct tunnel *tunnel)
{
    /* Bytes and even a FIN may follow meanwhile: they wait in the socket for the relay. */
    watch_free(tunnel->watch);
    tunnel->watch = NULL;
    tunnel_set_state(tunnel, STATE_DIALLING, "");
    unsigned known = demand_sort(&tunnel->demand, tunnel->addrs, tunnel->addr_count);
    if (known == 0) {
        probe_target(tunnel);
    } else {
        tunnel->addr_count = known;
        dial_target(tunnel);
    }
}

/* ---- relaying -------------------------------------------------------------- */

void tunnel_link_ended(struct tunnel *tunnel, struct link *link)
{
    char because[256];
    struct text text = text_over(because, sizeof because);
    text_add(&text, "%s", LINK_ENDS[link_end(link)]);
    if (link_error(link) != 0) {
        text_add(&text, " (%s)", strerror(link_error(link)));
    }
    text_add(&text, ", ");
    text_add_bytes(&text, link_bytes_a_to_b(link));
    text_add(&text, " to the target, ");
    text_add_bytes(&text, link_bytes_b_to_a(link));
    text_add(&text, " back");
    link_free(link);
    tunnel->link = NULL;
    tunnel_end(tunnel, because);
}
