/*
 * turns: which of the guests of a lobby its user is asked about next, and who is put off for that.
 * Questions about a list of guests; asking.h has the order, places.h who is crowded.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_TURNS_H
#define PAMTUNNEL_VPS_ADMISSION_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/net.h"
#include "vps/admission/asking.h"

enum { TURNS_MAX = 16 /* questions that are open at once */ };

struct guest;

/* So many questions are open that another one has to wait, or puts one off. */
bool turns_are_full(const struct list *guests);
/* How many guests a question of their own could be about. */
unsigned turns_count(const struct list *guests);
/*
 * Whom to ask about now; or NULL, and in how many ms to look again (UINT64_MAX: never). at_once:
 * the user wants to know, and has not to be spared.
 */
struct guest *turns_next(const struct list *guests, const struct asking *asking, bool at_once,
                         uint64_t *ret_wait_ms);
/*
 * With all questions open, which one is put off for another: of those that its user had time
 * for, the oldest of the most crowded. NULL if there is none yet, and when there will be.
 */
struct guest *turns_find_ripe(const struct list *guests, uint64_t *ret_wait_ms);
/* That party waits on, and its user can ask who they are. */
void turns_put_off(const struct list *guests, const struct addr *party);

#endif
