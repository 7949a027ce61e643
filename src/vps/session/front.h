/*
 * front: a session's side to its user: the public port with its door, the secret, who is in
 * and by whose word, who is blocked, who waits. It decides who gets in (admission/judge.h) and
 * hands clients up with their first bytes; it knows nothing of states, of the gateway and of
 * what becomes of a client.
 *
 * Whatever is reported may close the front (front_close()) from inside; none may free it.
 */
#ifndef PAMTUNNEL_VPS_SESSION_FRONT_H
#define PAMTUNNEL_VPS_SESSION_FRONT_H

#include "base/why.h"
#include "vps/admission/whose.h"
#include "vps/session/insider.h"
#include "vps/session/terms.h"

struct front;
struct latch_page;
struct strangers;

struct front_events {
    /* ---- questions ---- */
    /* All bytes that have gone to the target. */
    uint64_t (*bytes_to_target)(void *arg);
    /* As many clients are connected as may be at once. */
    bool (*is_full)(void *arg);
    /* The target's first word can be fetched before a client's. */
    bool (*can_dial_target)(void *arg);
    /* What the page says of the session: all but `state` and the addresses. */
    void (*describe)(void *arg, struct latch_page *page);

    /* ---- reports ---- */
    /* Who was in without a word gives way to another party: its connections are to be cut. */
    void (*displaced)(void *arg);
    /*
     * A client is in: the descriptor is the callee's, and the bytes are what the target has to
     * get first, none from a silent one. is_first: of a session, or of one that nobody had
     * claimed. The front may be closed already, by a watcher that heard of those sent off.
     */
    void (*admitted)(void *arg, int client, bool is_first, const void *bytes, size_t len);
    /* About unknown clients, by their numbers: see lobby.h. */
    void (*parked)(void *arg, unsigned number);
    void (*left)(void *arg, unsigned number);
    void (*knocking)(void *arg);
    /* A person has blocked that one's party; `left` follows if the user had been asked about it. */
    void (*blocked)(void *arg, unsigned number, const struct addr *from, const struct owner *by);
    /* The page's button was pressed at that address, which is let in from now on. */
    void (*linked)(void *arg, const struct addr *from);
    /* Worth telling the user: a clause, which lives no longer than the call. See note.h. */
    void (*noted)(void *arg, bool passes, const char *clause);
};

/*
 * Draws the secrets and listens at a port; nobody is let in before front_open(). 0, or -errno
 * with a sentence for the user in why. events are the caller's, and outlive the front.
 */
int front_new(const struct terms *terms, const struct front_events *events, void *arg,
              struct front **ret_front, struct why *why);
/* 0 or -ENOMEM. */
int front_open(struct front *front);
/* Closes the port for good and wipes the secrets; who was in is still to be seen. */
void front_close(struct front *front);
/* It is closed. Accepts NULL. */
void front_free(struct front *front);

/* ---- who is in ------------------------------------------------------------- */

const struct insider *front_insider(const struct front *front);
/*
 * Who is in was let in by ADMIT=auto, without a word, and has not said more since than an
 * identification string may have (255 bytes, RFC 4253, section 4.2; a key exchange has more):
 * it may be a scanner. The first client that speaks takes its place, and when it goes the
 * session waits for its user again.
 */
bool front_is_unclaimed(const struct front *front);
/* Who was in has said nothing: the user is still to come. */
void front_forget_client(struct front *front);
/*
 * The user closes the session. An address that was admitted less than FRONT_HASTY_MS ago is
 * forgotten: Close takes Admit back.
 */
enum { FRONT_HASTY_MS = 60000 };
void front_forget_hasty_admit(struct front *front);

/* ---- unknown clients ------------------------------------------------------- */

/* A person decides, see session_admit() and session_block(). -ENOENT: that one does not wait. */
int front_admit(struct front *front, unsigned number, const struct owner *by);
int front_block(struct front *front, unsigned number, const struct owner *by);
/* See session_parked() and session_ask_more(). */
unsigned front_parked(const struct front *front, struct parked_view ret_views[PARKED_MAX]);
unsigned front_ask_more(struct front *front, unsigned most);
/* How many were not let in, and why. */
const struct strangers *front_strangers(const struct front *front);
/* The log hears how many there were: before front_close(). */
void front_sum_up(const struct front *front);

/* ---- who came to the entrance, which is no session's (entrance.h) ---------- */

/* Its party is in here, or would not be a stranger. A pure question. */
bool front_knows_party(const struct front *front, const struct addr *from);
/* What this session says of a client that has said these bytes so far; is_over: and no more. */
void front_claim(const struct front *front, const struct addr *from, const void *bytes, size_t len,
                 bool is_over, struct whose_claim *ret_claim);
/*
 * It is this session's: as if it had come to its port, and had said nothing there for silent_ms.
 * The descriptor is taken over.
 */
void front_take(struct front *front, int fd, const struct addr *from, uint64_t silent_ms);

/* ---- what there is to see -------------------------------------------------- */

uint16_t front_port(const struct front *front);
/* For lines and files: that, or ENTRANCE_PORT. */
uint16_t front_shown_port(const struct front *front);
void front_show_entrance(struct front *front, bool on);
/* Of a kind whose file holds one; "" otherwise, and when it is closed. */
const char *front_secret(const struct front *front);
/* The page is there over TLS, now, and no client of this session would begin so. */
bool front_has_tls(const struct front *front);
/* Whether the link has this key; of one that is closed it has none. */
bool front_has_latchkey(const struct front *front, const char *key);
/* Of the link to the page that lets its visitor in (admission/latch.h); "" when it is closed. */
const char *front_latchkey(const struct front *front);
void front_view(const struct front *front, struct session_view *view);

#endif
