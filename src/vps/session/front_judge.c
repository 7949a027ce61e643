/*
 * Who may come in: the facts about a client, what admission/judge makes of them, and what is said
 * of who is turned away.
 */
#include <errno.h>
#include <unistd.h>

#include "vps/admission/greeting.h"
#include "vps/admission/http_request.h"
#include "vps/admission/judge.h"
#include "vps/session/front_core.h"

bool front_knows(const struct front *front, const struct addr *from)
{
    return known_has(front->terms->services->known, &front->terms->owner, from);
}

/* ---- who is turned away ---------------------------------------------------- */

static void turn_away(struct front *front, const struct visit *visit, const struct addr *from)
{
    char host[ADDR_HOST_MAX];
    if (visit->blocked) {
        strangers_turned_away(&front->strangers, front->terms, from, STRANGER_BLOCKED);
    } else if (visit->from_that_party && visit->is_full) {
        strangers_count(&front->strangers, STRANGER_TOO_MANY);
        front_note(front, true,
                   "one more connection from %s was turned away: %u at once is the limit "
                   "(MAX_CONNECTIONS)",
                   addr_host_text(from, host), front->terms->limits.connections);
    } else if (!visit->has_secret) {
        strangers_turned_away(&front->strangers, front->terms, from, STRANGER_TOO_LATE);
    } else if (front->told_of_other) {
        strangers_turned_away(&front->strangers, front->terms, from, STRANGER_ELSEWHERE);
    } else {
        front->told_of_other = true;
        strangers_count(&front->strangers, STRANGER_ELSEWHERE);
        front_note(front, false,
                   "a client at %s came with the right file, but from another address, and was "
                   "turned away",
                   addr_host_text(from, host));
    }
}

/* A client that the owner may miss is worth a note; the others are strangers. */
static void drop_silent(struct front *front, const struct visit *visit, const struct addr *from)
{
    struct addr last;
    int64_t when;
    char host[ADDR_HOST_MAX];
    bool is_missed = !front->in.is_in && !visit->blocked &&
                     (visit->known || (lately_find(front->terms->services->lately,
                                                   &front->terms->owner, &last, &when) &&
                                       addr_same_party(&last, from)));
    if (is_missed) {
        strangers_count(&front->strangers, STRANGER_SILENT);
        front_note(front, true,
                   "a client at %s said nothing and was dropped: one that waits for the "
                   "server's first word is let in only from an address that needs no Admit",
                   addr_host_text(from, host));
    } else {
        strangers_silent(&front->strangers, front->terms, from);
    }
}

/* ---- what the door asks ------------------------------------------------------ */

/*
 * Who is in comes again without a secret, unless it came with one and is known by nothing else:
 * what the link has let in is let in.
 */
static bool needs_no_secret(const struct front *front, const struct addr *from)
{
    return front->in.way_in != WAY_SECRET || front_is_linked(front, from);
}

static struct visit visit_of(const struct front *front, const struct addr *from, bool has_secret)
{
    return (struct visit){
        .kind = kind_row(front->terms->kind),
        .admit = front->terms->services->settings->admit,
        .has_secret = has_secret,
        .known = front_knows(front, from),
        .linked = front_is_linked(front, from),
        .blocked = blocklist_has(&front->blocked, from),
        .somebody_is_in = front->in.is_in,
        .from_that_party = insider_is(&front->in, from),
        .that_had_no_secret = needs_no_secret(front, from),
        .is_full = front->events->is_full(front->arg),
        .is_the_only_one = terms_are_strict(front->terms),
    };
}

bool front_has_in(void *arg, const struct addr *from)
{
    return insider_is(&((const struct front *)arg)->in, from);
}

bool front_expects(void *arg, const struct addr *from)
{
    const struct front *front = arg;
    return insider_is(&front->in, from) || front_knows(front, from) || front_is_linked(front, from);
}

/* An old gateway dials at a client's first byte alone. False: said, and it is turned away. */
static bool can_be_silent(struct front *front, const struct addr *from)
{
    char host[ADDR_HOST_MAX];
    if (front->events->can_dial_target(front->arg)) {
        return true;
    }
    front_note(front, true,
               "a client at %s waited for the server to speak first, which gateway %s does "
               "not support: upgrade gateway-agent there",
               addr_host_text(from, host), front->terms->gateway);
    return false;
}

/*
 * Who has not claimed the session stands in nobody's way who speaks. Two that are silent are
 * equally doubtful, and the first one may be the user.
 */
enum verdict front_judge(void *arg, const struct addr *from, bool has_secret, bool spoke)
{
    struct front *front = arg;
    struct visit visit = visit_of(front, from, has_secret);
    visit.is_silent = !spoke;
    visit.somebody_is_in &= !(spoke && front_is_unclaimed(front));
    enum verdict verdict = judge_visit(&visit);
    if (verdict == VERDICT_DROP) {
        turn_away(front, &visit, from);
    }
    return verdict == VERDICT_DROP || spoke || can_be_silent(front, from) ? verdict : VERDICT_DROP;
}

bool front_admits_silent(void *arg, const struct addr *from)
{
    struct front *front = arg;
    struct visit visit = visit_of(front, from, false);
    if (judge_silent(&visit) != VERDICT_ADMIT) {
        drop_silent(front, &visit, from);
        return false;
    }
    return can_be_silent(front, from);
}

/* ---- who came to the entrance -------------------------------------------------- */

/* By its address alone: nothing but the secret says whose a client of a file is. */
static bool is_in_by_address(const struct front *front, const struct addr *from)
{
    return insider_is(&front->in, from) && needs_no_secret(front, from);
}

static bool would_not_be_strange(const struct front *front, const struct addr *from)
{
    struct visit visit = visit_of(front, from, false);
    bool is_known = visit.known && !visit.kind->has_secret && !visit.blocked;
    visit.somebody_is_in &= !front_is_unclaimed(front);
    return !visit.somebody_is_in && (is_known || judge_visit(&visit) == VERDICT_ADMIT);
}

bool front_knows_party(const struct front *front, const struct addr *from)
{
    return front->door && (is_in_by_address(front, from) || would_not_be_strange(front, from));
}

/* Who has said nothing for a moment may be a client whose server begins, or in the end SSH's. */
static enum whose_fit fit_of(const struct kind_row *kind, const void *bytes, size_t len,
                             bool is_over)
{
    long missing = len > 0 ? greeting_reader(kind->kind)->missing(bytes, len) : 0;
    if (len == 0) {
        bool may_be = kind->server_may_begin || (kind->may_be_silent && is_over);
        return may_be ? WHOSE_FIT_ANY : WHOSE_FIT_NOT;
    }
    return missing < 0              ? WHOSE_FIT_NOT
           : missing > 0            ? WHOSE_FIT_LATER
           : kind->server_may_begin ? WHOSE_FIT_ANY
                                    : WHOSE_FIT_OWN;
}

void front_claim(const struct front *front, const struct addr *from, const void *bytes, size_t len,
                 bool is_over, struct whose_claim *ret_claim)
{
    const struct kind_row *kind = kind_row(front->terms->kind);
    *ret_claim = (struct whose_claim){.fit = WHOSE_FIT_NOT, .owner = front->terms->owner};
    if (!front->door) {
        return;
    }
    ret_claim->is_in = is_in_by_address(front, from);
    ret_claim->expects = would_not_be_strange(front, from);
    long page = len > 0 ? http_request_missing(bytes, len, front->latchkey, LATCH_KEY_LEN)
                        : -EBADMSG;
    if (page >= 0) { /* a browser that has the link, or may have it */
        ret_claim->fit = page > 0 ? WHOSE_FIT_LATER : WHOSE_FIT_OWN;
        ret_claim->has_secret = page == 0;
        return;
    }
    ret_claim->fit = fit_of(kind, bytes, len, is_over);
    ret_claim->has_secret = ret_claim->fit == WHOSE_FIT_OWN && kind->has_secret &&
                            greeting_reader(kind->kind)->has_secret(bytes, len, front->secret);
}

void front_take(struct front *front, int fd, const struct addr *from, uint64_t silent_ms)
{
    if (front->door) {
        door_take(front->door, fd, from, silent_ms);
    } else {
        close(fd);
    }
}
