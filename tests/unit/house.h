/*
 * house: a session's public port with a judge who says what the test wants, and real TCP
 * clients of 127/8 at it.
 */
#ifndef PAMTUNNEL_TESTS_HOUSE_H
#define PAMTUNNEL_TESTS_HOUSE_H

#include "stage.h"
#include "vps/admission/door.h"
#include "vps/admission/x224.h"

enum { EVENTS_MAX = 200, HURRY = 20 };

extern const char SECRET[28], LATCHKEY[33], SSH_ID[], ANNA[], BERT[];

struct house {
    struct stage stage;
    struct door_total total;
    struct door *door;
    uint16_t port;

    enum verdict with_secret, without;
    const char *expected; /* the user came from here before; may be NULL */
    unsigned judged, judged_with_secret, judged_silent;
    bool silent_are_in; /* the judge's word about clients that say nothing */
    unsigned silent;    /* how often it was asked for */

    /* Who is in. */
    unsigned admitted;
    int fd;
    struct addr from;
    bool has_secret;
    uint8_t bytes[1024];
    size_t len;

    unsigned pages, pressed, opened, unfit; /* of those with the link; and of no client */
    bool close_when_opened;

    unsigned parked[EVENTS_MAX], parked_count;
    unsigned left[EVENTS_MAX], left_count;
    unsigned knocked;
    unsigned departed[DEPARTURE_UNASKED + 1];
    char words[64]; /* of the last who departed */
    bool close_when_admitted, close_when_parked, close_when_left, close_when_knocked;
};

void house_open(struct house *house, enum kind kind);
/* The same on a stage that stands. https may be NULL. */
void house_open_at(struct house *house, enum kind kind, struct https *https);
void house_close(struct house *house);
void house_close_door(struct house *house);

/* A connection request with this line, or none. */
size_t rdp_request(const char *line, uint8_t data[X224_MAX]);
size_t with_cookie(const char *secret, uint8_t data[X224_MAX]);
int come(struct house *house, const char *from, const void *bytes, size_t len);
int come_by_ssh(struct house *house, const char *from);
/* Another client of the protocol, which waits and is asked about. */
int park(struct house *house, const char *from);
/* Waits until the door has seen everything that was sent so far. */
void let_it_work(struct house *house);
/* Lets time pass, as the door sees it after stage_hurry(). */
void let_pass(struct house *house, uint64_t ms);
unsigned count_sent_off(const int *fds, unsigned count);
void close_all(const int *fds, unsigned count);

#endif
