/*
 * Its states: nobody is in; somebody is in who has not claimed the session (ADMIT=auto let it
 * in without a word, and it may be a scanner); the user is in. From then on the party that is
 * in may come again, and nobody else.
 *
 * Door and port stay open while somebody is in: clients come again, RDP's within the second
 * (it negotiates on one connection and works on the next), and an SSH user copies a file beside
 * the editor. Where one connection is all there may be, the first client closes the door.
 *
 * Everything here runs inside an event of the door or a call of the session. The door may go
 * in any of them, so that `door` is looked at anew after each report.
 */
#include "vps/session/front.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "vps/session/explain.h"
#include "vps/session/front_core.h"

enum { CLAIM_BYTES = 256 }; /* see front_is_unclaimed() */

static const struct vps_settings *settings_of(const struct front *front)
{
    return front->terms->services->settings;
}

void front_note(struct front *front, bool passes, const char *format, ...)
{
    char clause[SESSION_NOTE_MAX + 1];
    struct text text = text_over(clause, sizeof clause);
    va_list args;
    va_start(args, format);
    text_add_v(&text, format, args);
    va_end(args);
    front->events->noted(front->arg, passes, clause);
}

/* ---- who is in ------------------------------------------------------------- */

const struct insider *front_insider(const struct front *front)
{
    return &front->in;
}

bool front_is_unclaimed(const struct front *front)
{
    return front->in.is_silent &&
           front->events->bytes_to_target(front->arg) - front->in.silent_from < CLAIM_BYTES;
}

void front_forget_client(struct front *front)
{
    insider_forget(&front->in);
}

/* ---- who comes in ---------------------------------------------------------- */

/* Nothing but ADMIT=auto speaks for it. */
static bool is_doubtful(const struct front *front, const struct addr *from)
{
    return settings_of(front)->admit == ADMIT_AUTO && !front_knows(front, from) &&
           !front_is_linked(front, from);
}

/* What is said of strangers last has their numbers, though the door is gone by then. */
static void close_door(struct front *front)
{
    struct knocking knocking;
    if (front->door) {
        door_knocking(front->door, &knocking);
        knocking.unasked = 0;
        front->knocked = knocking.worth_telling ? malloc(sizeof knocking) : NULL;
        if (front->knocked) {
            *front->knocked = knocking;
        }
    }
    door_free(front->door);
    front->door = NULL;
}

static void first_client(struct front *front, bool has_secret, bool silent)
{
    front->in.is_silent = silent && is_doubtful(front, &front->in.client);
    front->in.silent_from = front->events->bytes_to_target(front->arg);
    bool is_linked = !has_secret && front_is_linked(front, &front->in.client);
    if (is_linked && front->in.way_in != WAY_PERSON) {
        front->in.way_in = WAY_LINK;
        front->in.admitted_by = front->terms->owner;
    }
    insider_enter(&front->in, has_secret, settings_of(front)->admit);
    if (!front->in.is_silent) {
        lately_add(front->terms->services->lately, &front->terms->owner, &front->in.client,
                   front->in.since_unix);
    }
    if (terms_are_strict(front->terms)) { /* no port outlives its one connection */
        close_door(front);
    } else {
        door_send_off_parked(front->door);
    }
}

static void log_in(const struct front *front, bool silent)
{
    char host[ADDR_HOST_MAX], buffer[96];
    struct text way = text_over(buffer, sizeof buffer);
    insider_add_way_in(&front->in, &way);
    log_info(log_of(front->terms), "session %s: %s is in (%s)%s", front->terms->id,
             addr_host_text(&front->in.client, host), buffer,
             silent ? "; it has said nothing, and waits for the server's first word" : "");
}

/* The descriptors that are left are for sessions whose user is yet to come. */
static bool has_descriptors(struct front *front, int fd)
{
    if (!front->in.is_in || !net_descriptors_are_short(fd)) {
        return true;
    }
    front_note(front, true,
               "one more connection was turned away: the server has most of its file "
               "descriptors in use");
    return false;
}

/*
 * Nothing but a person's word makes an address known: what was forgotten meanwhile does not
 * become known again by a connection that belongs to the same session.
 */
static void note_address(struct front *front, bool is_first)
{
    struct known *known = front->terms->services->known;
    const struct owner *owner = &front->terms->owner;
    if (front->in.way_in == WAY_PERSON && is_first) {
        known_add(known, owner, &front->in.admitted_by, &front->in.client);
    } else if (front->in.way_in == WAY_PERSON || front->in.way_in == WAY_KNOWN) {
        known_use(known, owner, &front->in.client);
    }
}

static void on_admitted(void *arg, int fd, const struct addr *from, bool has_secret,
                        const void *bytes, size_t len)
{
    struct front *front = arg;
    if (!has_descriptors(front, fd)) {
        net_reset(fd);
        return;
    }
    bool is_first = !front->in.is_in || (len > 0 && front_is_unclaimed(front));
    if (is_first && front->in.is_in && !insider_is(&front->in, from)) {
        front->events->displaced(front->arg);
    }
    front->in.client = *from;
    if (is_first) {
        first_client(front, has_secret, len == 0);
    }
    note_address(front, is_first);
    log_in(front, len == 0);
    front->events->admitted(front->arg, fd, is_first, bytes, len);
}

/* ---- who waits ------------------------------------------------------------- */

static void on_parked(void *arg, unsigned number)
{
    struct front *front = arg;
    front->events->parked(front->arg, number);
}

static void on_left(void *arg, unsigned number)
{
    struct front *front = arg;
    front->events->left(front->arg, number);
}

static void on_knocking(void *arg)
{
    struct front *front = arg;
    if (front->door) {
        strangers_knocking(&front->strangers, front->terms, front->door);
        front->events->knocking(front->arg);
    }
}

static void on_departed(void *arg, const struct addr *from, const char *words,
                        enum departure departure)
{
    struct front *front = arg;
    strangers_departed(&front->strangers, front->terms, from, words, departure);
}

static void on_unfit(void *arg)
{
    struct front *front = arg;
    strangers_count(&front->strangers, STRANGER_UNFIT);
}

int front_admit(struct front *front, unsigned number, const struct owner *by)
{
    if (!front->door || (front->in.is_in && !front_is_unclaimed(front))) {
        return -ENOENT;
    }
    uint8_t before = front->in.way_in; /* the door lets it in at once: on_admitted() reads this */
    front->in.way_in = WAY_PERSON;
    front->in.admitted_by = *by;
    int err = door_admit(front->door, number);
    if (err < 0) {
        front->in.way_in = before;
    }
    return err;
}

void front_forget_hasty_admit(struct front *front)
{
    bool hasty = front->in.is_admitted && clock_ms() - front->in.since_ms < FRONT_HASTY_MS;
    char host[ADDR_HOST_MAX];
    if (hasty &&
        known_forget(front->terms->services->known, &front->terms->owner, &front->in.client) > 0) {
        front_note(front, false,
                   "%s was admitted less than a minute ago, and is forgotten again: it will be "
                   "asked about the next time",
                   addr_host_text(&front->in.client, host));
    }
}

int front_block(struct front *front, unsigned number, const struct owner *by)
{
    const struct terms *terms = front->terms;
    struct parked_view parked[PARKED_MAX];
    unsigned count = front_parked(front, parked), i = 0;
    char host[ADDR_HOST_MAX], person[OWNER_TEXT_MAX];
    while (i < count && parked[i].number != number) {
        i++;
    }
    if (i == count) {
        return -ENOENT;
    }
    const struct addr *from = &parked[i].from;
    log_info(log_of(terms), "session %s: %s is blocked by %s", terms->id,
             addr_host_text(from, host), owner_text(by, person));
    blocklist_add(&front->blocked, from);
    if (known_forget(terms->services->known, &terms->owner, from) > 0) {
        log_info(log_of(terms), "session %s: %s is no longer a known address", terms->id, host);
    }
    front->events->blocked(front->arg, number, from, by);
    return front->door ? door_block(front->door, number) : 0;
}

unsigned front_parked(const struct front *front, struct parked_view ret_views[PARKED_MAX])
{
    unsigned count = front->door ? door_parked(front->door, ret_views) : 0;
    for (unsigned i = 0; i < count; i++) {
        ret_views[i].after_s = (unsigned)((ret_views[i].came_ms - front->terms->opened_ms) / 1000);
    }
    return count;
}

unsigned front_ask_more(struct front *front, unsigned most)
{
    return front->door ? door_ask_more(front->door, most) : 0;
}

const struct strangers *front_strangers(const struct front *front)
{
    return &front->strangers;
}

void front_sum_up(const struct front *front)
{
    strangers_sum_up(&front->strangers, front->terms, front->door);
}

/* ---- what there is to see -------------------------------------------------- */

uint16_t front_port(const struct front *front)
{
    return front->port;
}

uint16_t front_shown_port(const struct front *front)
{
    return front->shows_entrance ? settings_of(front)->entrance_port : front->port;
}

void front_show_entrance(struct front *front, bool on)
{
    front->shows_entrance = on && settings_of(front)->entrance_port > 0;
}

const char *front_secret(const struct front *front)
{
    return front->secret;
}

const char *front_latchkey(const struct front *front)
{
    return front->latchkey;
}

void front_view(const struct front *front, struct session_view *view)
{
    view->public_port = front->port;
    view->entrance_port = settings_of(front)->entrance_port;
    view->at_entrance = front->shows_entrance;
    view->has_client = front->in.is_in;
    view->client = front->in.client;
    view->is_by_link = front->in.is_in && front->in.way_in == WAY_LINK;
    view->is_by_person = front->in.is_in && front->in.way_in == WAY_PERSON;
    view->linked_count = front->linked_count;
    view->links = front->links;
    memcpy(view->linked, front->linked, sizeof view->linked);
    view->connected_unix = front->in.since_unix;
    if (front->door) {
        view->parked_count = door_parked_count(front->door);
        door_knocking(front->door, &view->knocking);
    } else if (front->knocked) {
        view->knocking = *front->knocked;
    }
    view->has_last = lately_find(front->terms->services->lately, &front->terms->owner,
                                 &view->last_from, &view->last_unix);
}

/* ---- life ------------------------------------------------------------------ */

static const struct door_events DOOR_EVENTS = {
    .expects = front_expects,
    .has_in = front_has_in,
    .judge = front_judge,
    .admits_silent = front_admits_silent,
    .admitted = on_admitted,
    .parked = on_parked,
    .left = on_left,
    .knocking = on_knocking,
    .departed = on_departed,
    .page = front_page,
    .opened = front_opened,
    .unfit = on_unfit,
};

int front_open(struct front *front)
{
    const struct terms *terms = front->terms;
    front->door = door_new(terms->services->loop, front->listener, kind_row(terms->kind),
                           front->secret, front->latchkey, terms->services->https,
                           &terms->services->door_total, &DOOR_EVENTS, front);
    if (!front->door) {
        return -ENOMEM;
    }
    front->listener = -1;
    return 0;
}

static int draw_secrets(struct front *front, const struct kind_row *kind)
{
    int err = crypto_random_name(front->latchkey, LATCH_KEY_LEN);
    return err == 0 && kind->has_secret ? crypto_random_name(front->secret, RDPFILE_SECRET_LEN)
                                        : err;
}

int front_new(const struct terms *terms, const struct front_events *events, void *arg,
              struct front **ret_front, struct why *why)
{
    struct front *front = calloc(1, sizeof *front);
    if (!front || draw_secrets(front, kind_row(terms->kind)) < 0) {
        free(front);
        return explain_no_memory(why);
    }
    front->terms = terms;
    front_show_entrance(front, terms->at_entrance);
    front->events = events;
    front->arg = arg;
    front->listener = ports_listen(terms->services->ports, clock_ms(), false, &front->port);
    if (front->listener < 0) {
        int err = front->listener;
        front_free(front);
        return explain_no_port(terms->services, err, why);
    }
    /*
     * What is left belongs to the sessions there are: one that waits has its public port
     * and a data channel, and takes a third descriptor when its user comes.
     */
    if (net_descriptors_are_short(front->listener)) {
        front_close(front);
        front_free(front);
        return explain_no_descriptors(why);
    }
    *ret_front = front;
    return 0;
}

static void wipe_secrets(struct front *front)
{
    crypto_wipe(front->secret, sizeof front->secret);
    crypto_wipe(front->latchkey, sizeof front->latchkey);
}

void front_close(struct front *front)
{
    close_door(front);
    if (front->listener >= 0) {
        close(front->listener);
        front->listener = -1;
    }
    ports_release(front->terms->services->ports, clock_ms(), front->port);
    wipe_secrets(front);
}

void front_free(struct front *front)
{
    if (front) {
        wipe_secrets(front);
        blocklist_done(&front->blocked);
        free(front->knocked);
        free(front);
    }
}
