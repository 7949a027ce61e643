/*
 * front_core: what the files of the front (front*.c) share.
 */
#ifndef PAMTUNNEL_VPS_SESSION_FRONT_CORE_H
#define PAMTUNNEL_VPS_SESSION_FRONT_CORE_H

#include "vps/admission/door.h"
#include "vps/admission/latch.h"
#include "vps/grant/rdpfile.h"
#include "vps/session/blocklist.h"
#include "vps/session/front.h"
#include "vps/session/strangers.h"

struct front {
    const struct terms *terms;
    const struct front_events *events;
    void *arg;
    struct door *door;
    int listener; /* -1 once the door has it */
    uint16_t port;
    char secret[RDPFILE_SECRET_LEN + 1];
    bool shows_entrance; /* what its user gets is for ENTRANCE_PORT */
    bool told_of_other;  /* the user was told that the secret came from elsewhere */
    char latchkey[LATCH_KEY_LEN + 1];
    struct addr linked[SESSION_LINKED_MAX]; /* who pressed the page's button, the latest last */
    unsigned linked_count, links;
    struct insider in;
    struct blocklist blocked;
    struct strangers strangers;
    struct knocking *knocked; /* what there was to tell of strangers when the door went; or NULL */
};

/* What its session is told: see front_events. */
void front_note(struct front *front, bool passes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Its user may come from there without a question. */
bool front_knows(const struct front *front, const struct addr *from);
/* Somebody at that address has pressed the button of the session's page. */
bool front_is_linked(const struct front *front, const struct addr *from);

/* ---- what the door asks: see struct door_events. arg is the front. ---------- */

bool front_expects(void *arg, const struct addr *from);
bool front_has_in(void *arg, const struct addr *from);
enum verdict front_judge(void *arg, const struct addr *from, bool has_secret, bool spoke);
void front_page(void *arg, const struct addr *from, bool pressed, struct latch_page *ret_page);
void front_opened(void *arg, const struct addr *from);
bool front_admits_silent(void *arg, const struct addr *from);

#endif
