/*
 * guests: the list of the clients that wait in a lobby, the oldest one first, and questions
 * about it. Who gets into the list, and what becomes of them, is up to the lobby.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_GUESTS_H
#define PAMTUNNEL_VPS_ADMISSION_GUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/list.h"
#include "base/net.h"
#include "base/resolve.h"
#include "base/watch.h"
#include "vps/admission/newcomer.h"
#include "vps/admission/places.h"
#include "vps/grant/parked.h"

struct lobby;

struct guest {
    struct list home; /* in the lobby's list */
    struct lobby *lobby;
    int fd;
    struct addr from;
    struct place place;
    unsigned number;
    bool expected;
    bool has_secret;
    bool asked;        /* the user was asked about it */
    bool put_off;      /* was asked about, until others took their turn */
    uint64_t asked_ms; /* when */
    struct watch *watch;
    struct resolve *look_up; /* of its name */
    char words[PARKED_WORDS_SIZE];
    char name[PARKED_NAME_SIZE];
    size_t len; /* of its first packet */
    uint8_t bytes[];
};

/*
 * Takes over the newcomer's descriptor, unless it fails (NULL: out of memory). fn hears that it has
 * hung up, and of one that has said nothing that it does.
 */
struct guest *guest_new(uv_loop_t *loop, const struct newcomer *newcomer, watch_fn fn);
/* It must not be in a list any more. */
void guest_free(struct guest *guest);

/* ---- of a lobby's list ---- */

/* By number, or NULL. */
struct guest *guests_find(const struct list *guests, unsigned number);
/* The user was asked about one of that party. */
bool guests_are_asked_about(const struct list *guests, const struct addr *party);
/* The first one of each party that the user is asked about: at most PARKED_MAX. How many. */
unsigned guests_find_questions(const struct list *guests, struct guest **ret_guests);
/* Those that have stayed for ASKING_STAY_MS and were not asked about. */
unsigned guests_count_unasked(const struct list *guests);
unsigned guests_count_party(const struct list *guests, const struct addr *party);
/* One more of a party that the user is being asked about, that stays; or NULL. */
struct guest *guests_find_joining(const struct list *guests);
/* In how many ms the next one that was not asked about has stayed; UINT64_MAX: there is none. */
uint64_t guests_until_stayed(const struct list *guests);
/* As others see them, without after_s. How many. */
unsigned guests_view(const struct list *guests, struct parked_view ret_views[PARKED_MAX]);

#endif
