/*
 * With DATA_PORT=control, who comes to the control port is a gateway that logs in, or a data
 * channel of a session:
 *
 *     accepted -> undecided --22, or anything else--> a login, as without DATA_PORT=control
 *                           \--P, HELLO whole-------> its session's dock
 *
 * Mostly it has said enough when it is accepted, and takes no place then. Who has to be waited for
 * is one of those that have not finished, with the bounds of all of these; so a flood of one sort
 * does to the other what a flood of silent connections does, and no more. A false start counts
 * against logins alone: data channels of the same party come in.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/timer.h"
#include "base/watch.h"
#include "vps/gateways/arrival.h"
#include "vps/gateways/gateways_core.h"

struct undecided {
    struct arrival arrival;
    int fd;
    struct watch *watch;
    struct timer *patience;
};

void gateways_undecided_free(struct undecided *undecided)
{
    if (!undecided) {
        return;
    }
    watch_free(undecided->watch);
    timer_free(undecided->patience);
    if (undecided->fd >= 0) {
        close(undecided->fd);
    }
    free(undecided);
}

/* fd is somebody else's from here on. */
static void decide(struct gateways *gateways, enum arrival_verdict verdict, int fd,
                   const struct addr *from, const struct arrival *arrival)
{
    const struct gateways_events *events = &gateways->options.events;
    if (verdict == ARRIVAL_LOGIN) {
        gateways_begin_login(gateways, fd, from);
    } else if (verdict == ARRIVAL_DATA && events->data_channel) {
        events->data_channel(events->arg, fd, from, arrival->hello);
    } else {
        close(fd);
    }
}

/* It leaves the list first: a login that it becomes finds its place there free. */
static void on_bytes(void *arg, int event)
{
    struct gateway *gateway = arg;
    struct gateways *gateways = gateway->gateways;
    struct undecided *undecided = gateway->undecided;
    (void)event;
    enum arrival_verdict verdict = arrival_hear(&undecided->arrival, undecided->fd);
    if (verdict == ARRIVAL_UNDECIDED) {
        return;
    }
    struct arrival arrival = undecided->arrival;
    struct addr from = gateway->from;
    int fd = undecided->fd;
    undecided->fd = -1;
    gateways_remove(gateway);
    if (verdict == ARRIVAL_GONE) {
        gateways_say_failure(gateways, &from, "neither a login nor a data channel");
    }
    decide(gateways, verdict, fd, &from, &arrival);
}

static void on_patience_over(void *arg)
{
    struct gateway *gateway = arg;
    gateways_say_failure(gateway->gateways, &gateway->from, "it took too long to say what it is");
    gateways_remove(gateway);
}

static void wait_for(struct gateways *gateways, int fd, const struct addr *from,
                     const struct arrival *arrival)
{
    uv_loop_t *loop = gateways->options.loop;
    struct gateway *gateway = calloc(1, sizeof *gateway);
    struct undecided *undecided = calloc(1, sizeof *undecided);
    if (!gateway || !undecided) {
        free(gateway);
        free(undecided);
        close(fd);
        return;
    }
    *undecided = (struct undecided){.arrival = *arrival, .fd = fd};
    *gateway = (struct gateway){
        .gateways = gateways, .undecided = undecided, .from = *from, .came_ms = clock_ms()};
    list_prepend(&gateways->list, &gateway->home);
    undecided->watch = watch_start(loop, fd, WATCH_READ, on_bytes, gateway);
    undecided->patience = timer_new(loop, on_patience_over, gateway);
    if (!undecided->watch || !undecided->patience) {
        gateways_remove(gateway);
        return;
    }
    timer_set(undecided->patience, CHANNEL_HANDSHAKE_MS);
}

/* A listener_fn. */
void gateways_on_arrival(void *arg, int fd, const struct addr *from)
{
    struct gateways *gateways = arg;
    struct arrival arrival = {0};
    enum arrival_verdict verdict = arrival_hear(&arrival, fd);
    if (verdict == ARRIVAL_UNDECIDED) {
        gateways_make_room(gateways, from);
        wait_for(gateways, fd, from, &arrival);
        return;
    }
    decide(gateways, verdict, fd, from, &arrival);
}
