/*
 * lately: where each user came from last, for comparison in a question about a client.
 * Kept in memory, and learnt from the known addresses after a start; when there are
 * LATELY_MAX the oldest is forgotten.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_LATELY_H
#define PAMTUNNEL_VPS_ADMISSION_LATELY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"
#include "vps/admission/known.h"
#include "vps/grant/owner.h"

enum { LATELY_MAX = 64 };

struct lately;

/* NULL when out of memory. */
struct lately *lately_new(void);
/* What is known from before the start: see known.h. */
void lately_learn(struct lately *lately, const struct known *known);
/* Accepts NULL. */
void lately_free(struct lately *lately);
void lately_add(struct lately *lately, const struct owner *owner, const struct addr *from,
                int64_t unix_s);
/* False if the user has not come yet, or long ago. */
bool lately_find(const struct lately *lately, const struct owner *owner, struct addr *ret_from,
                 int64_t *ret_unix_s);

#endif
