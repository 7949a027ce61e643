/*
 * A session's dealings with the clients at its public port: who is let in, and
 * what becomes of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "vps/session/session_core.h"

static bool is_blocked(const struct session *session, const struct addr *from)
{
    unsigned i = 0;
    while (i < session->blocked_count && !addr_same_party(&session->blocked[i], from)) {
        i++;
    }
    return i < session->blocked_count;
}

static bool is_known(const struct session *session, const struct addr *from)
{
    return known_has(session->services->known, &session->owner, from);
}

/* ---- who is turned away ---------------------------------------------------- */

/* Strangers cause these lines, so they go through a sieve. */
static void log_turned_away(const struct session *session, const struct addr *from,
                            const char *because)
{
    char host[ADDR_HOST_MAX], cause[SESSION_CAUSE_MAX];
    sieve_log(session->services->sieve, session_cause(session, from, cause), LOG_INFO,
              "session %s: %s is turned away: %s", session->id, addr_host_text(from, host),
              because);
}

static void turn_away(struct session *session, const struct visit *visit, const struct addr *from)
{
    char host[ADDR_HOST_MAX];
    if (visit->blocked) {
        log_turned_away(session, from, "blocked");
    } else if (visit->from_that_party && visit->is_full) {
        session_note(session,
                     "one more connection from %s was turned away: %u at once is the limit "
                     "(MAX_CONNECTIONS)",
                     addr_host_text(from, host), session_most_connections(session));
    } else if (!visit->has_secret) {
        log_turned_away(session, from, "somebody else is in");
    } else if (session->told_of_other) {
        log_turned_away(session, from, "the right secret, but another address");
    } else {
        session->told_of_other = true;
        session_note_for_good(
            session,
            "a client at %s came with the right file, but from another address, and was "
            "turned away",
            addr_host_text(from, host));
    }
}

static struct visit visit_of(const struct session *session, const struct addr *from,
                             bool has_secret)
{
    return (struct visit){
        .kind = kind_row(session->kind),
        .admit = session->services->settings->admit,
        .has_secret = has_secret,
        .known = is_known(session, from),
        .blocked = is_blocked(session, from),
        .somebody_is_in = session->somebody_is_in,
        .from_that_party = session->somebody_is_in && addr_same_party(from, &session->client),
        .that_had_no_secret = session->way_in != WAY_SECRET,
        .is_full = session_count_connections(session) >= session_most_connections(session),
        .is_the_only_one = session_is_strict(session),
    };
}

static enum verdict on_judge(void *arg, const struct addr *from, bool has_secret)
{
    struct session *session = arg;
    struct visit visit = visit_of(session, from, has_secret);
    visit.somebody_is_in &= !session_is_unclaimed(session);
    enum verdict verdict = judge_visit(&visit);
    if (verdict == VERDICT_DROP) {
        turn_away(session, &visit, from);
    }
    return verdict;
}

static bool on_silent(void *arg, const struct addr *from)
{
    struct session *session = arg;
    struct visit visit = visit_of(session, from, false);
    char host[ADDR_HOST_MAX];
    if (judge_silent(&visit) != VERDICT_ADMIT) {
        session_on_silent(session, &visit, from);
        return false;
    }
    if (!session_can_dial_target(session)) {
        session_note(session,
                     "a client at %s waited for the server's first word, which gateway %s cannot "
                     "fetch before the client's: upgrade gateway-agent there",
                     addr_host_text(from, host), session->gateway);
        return false;
    }
    return true;
}

/* ---- who comes in ---------------------------------------------------------- */

static void find_way_in(struct session *session, bool has_secret)
{
    if (session->way_in == WAY_PERSON) {
        session->admitted_ms = clock_ms();
    } else if (has_secret) {
        session->way_in = WAY_SECRET;
    } else {
        session->way_in = session->services->settings->admit == ADMIT_AUTO ? WAY_AUTO : WAY_KNOWN;
    }
}

/* Nothing but ADMIT=auto speaks for it. */
static bool is_doubtful(const struct session *session, const struct addr *from)
{
    return session->services->settings->admit == ADMIT_AUTO && !is_known(session, from);
}

static void first_client(struct session *session, bool has_secret)
{
    session->somebody_is_in = true;
    session->connected_ms = clock_ms();
    session->connected_unix = clock_unix();
    if (!session->silent_is_in) {
        lately_add(session->services->lately, &session->owner, &session->client,
                   session->connected_unix);
    }
    find_way_in(session, has_secret);
    if (session_is_strict(session)) {
        door_free(session->door);
        session->door = NULL;
    } else {
        door_send_off_parked(session->door);
    }
}

static void log_in(const struct session *session, const struct addr *from, bool silent)
{
    char host[ADDR_HOST_MAX], buffer[96];
    struct text way = text_over(buffer, sizeof buffer);
    session_way_in_text(session, &way);
    log_info(log_of(session), "session %s: %s is in (%s)%s", session->id,
             addr_host_text(from, host), buffer,
             silent ? "; it has said nothing, and waits for the server's first word" : "");
}

/* The descriptors that are left are for sessions whose user is yet to come. */
static bool has_descriptors(struct session *session, int fd)
{
    if (!session->somebody_is_in || !net_descriptors_are_short(fd)) {
        return true;
    }
    session_note(session, "one more connection was turned away: the server has most of its file "
                          "descriptors in use");
    return false;
}

/*
 * Nothing but a person's word makes an address known: what was forgotten meanwhile does not
 * become known again by a connection that belongs to the same session.
 */
static void note_address(struct session *session, const struct addr *from, bool is_first)
{
    struct known *known = session->services->known;
    if (session->way_in == WAY_PERSON && is_first) {
        known_add(known, &session->owner, &session->admitted_by, from);
    } else if (session->way_in == WAY_PERSON || session->way_in == WAY_KNOWN) {
        known_use(known, &session->owner, from);
    }
}

static void on_admitted(void *arg, int fd, const struct addr *from, bool has_secret,
                        const void *bytes, size_t len)
{
    struct session *session = arg;
    if (!has_descriptors(session, fd)) {
        net_reset(fd);
        return;
    }
    bool is_first = !session->somebody_is_in || (len > 0 && session_is_unclaimed(session));
    if (is_first && session->somebody_is_in && !addr_same_party(from, &session->client)) {
        session_cut_all(session);
    }
    session->client = *from;
    session->active_ms = clock_ms();
    if (is_first) {
        uint64_t to_client;
        session->silent_is_in = len == 0 && is_doubtful(session, from);
        session_count_bytes(session, &session->silent_from, &to_client);
        first_client(session, has_secret);
    } else if (session_count_connections(session) >= session_most_connections(session)) {
        session_cut_oldest(session);
    }
    note_address(session, from, is_first);
    log_in(session, from, len == 0);
    if (session->state == SESSION_ENDED) { /* by a watcher that was told about those who wait */
        net_reset(fd);
        return;
    }
    bool came = session_connect(session, fd, bytes, len) == 0;
    if ((came || session->state == SESSION_WAITING) && session->state != SESSION_CONNECTED &&
        session->state != SESSION_ENDED) {
        session_set_state(session, SESSION_CONNECTED);
    }
    session_on_nothing_carried(session, false);
}

static void on_parked(void *arg, unsigned number)
{
    struct session *session = arg;
    if (session->state != SESSION_ENDED) {
        session->services->notify(session->services->arg, session, SESSION_PARKED, number);
    }
}

static void on_left(void *arg, unsigned number)
{
    struct session *session = arg;
    if (session->state != SESSION_ENDED) {
        session->services->notify(session->services->arg, session, SESSION_UNPARKED, number);
    }
}

static const struct door_events DOOR_EVENTS = {
    .expects = session_expects,
    .judge = on_judge,
    .admits_silent = on_silent,
    .admitted = on_admitted,
    .parked = on_parked,
    .left = on_left,
    .knocking = session_on_knocking,
    .departed = session_on_departed,
};

int session_open_door(struct session *session)
{
    struct door_events events = DOOR_EVENTS;
    events.arg = session;
    session->door = door_new(session->services->loop, session->public_listener,
                             kind_row(session->kind), session->secret,
                             &session->services->door_total, &events);
    if (!session->door) {
        return -ENOMEM;
    }
    session->public_listener = -1;
    return 0;
}

int session_admit(struct session *session, unsigned number, const struct owner *by)
{
    if (!session->door || (session->somebody_is_in && !session_is_unclaimed(session))) {
        return -ENOENT;
    }
    uint8_t before = session->way_in;
    session->way_in = WAY_PERSON;
    session->admitted_by = *by;
    int err = door_admit(session->door, number);
    if (err == 0) {
        on_left(session, number);
    } else {
        session->way_in = before;
    }
    return err;
}

static void add_blocked(struct session *session, const struct addr *address)
{
    if (!session->blocked) {
        session->blocked = calloc(SESSION_BLOCKED_MAX, sizeof *session->blocked);
    }
    if (session->blocked) {
        bool full = session->blocked_count == SESSION_BLOCKED_MAX;
        session->blocked[full ? SESSION_BLOCKED_MAX - 1 : session->blocked_count++] = *address;
    }
}

void session_forget_hasty_admit(struct session *session)
{
    bool hasty = session->way_in == WAY_PERSON && session->somebody_is_in &&
                 clock_ms() - session->admitted_ms < SESSION_HASTY_MS;
    char host[ADDR_HOST_MAX];
    if (hasty && known_forget(session->services->known, &session->owner, &session->client) > 0) {
        session_note_for_good(
            session,
            "%s was admitted less than a minute ago, and is forgotten again: it will be "
            "asked about the next time",
            addr_host_text(&session->client, host));
    }
}

int session_block(struct session *session, unsigned number, const struct owner *by)
{
    struct parked_view parked[PARKED_MAX];
    unsigned count = session->door ? door_parked(session->door, parked) : 0, i = 0;
    char host[ADDR_HOST_MAX], person[OWNER_TEXT_MAX];
    while (i < count && parked[i].number != number) {
        i++;
    }
    if (i == count) {
        return -ENOENT;
    }
    log_info(log_of(session), "session %s: %s is blocked by %s", session->id,
             addr_host_text(&parked[i].from, host), owner_text(by, person));
    add_blocked(session, &parked[i].from);
    if (known_forget(session->services->known, &session->owner, &parked[i].from) > 0) {
        log_info(log_of(session), "session %s: %s is not a known address any more", session->id,
                 host);
    }
    return door_block(session->door, number); /* on_left() tells the watchers */
}
