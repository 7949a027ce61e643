/*
 * known: the addresses from which users were admitted before. In memory; the
 * oldest is forgotten when KNOWN_MAX are there.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_KNOWN_H
#define PAMTUNNEL_VPS_ADMISSION_KNOWN_H

#include <stdbool.h>

#include "base/net.h"
#include "vps/session/session.h"

enum { KNOWN_MAX = 512 };

struct known;

/* NULL when out of memory. */
struct known *known_new(void);
void known_free(struct known *known);
void known_add(struct known *known, const struct owner *owner, const struct addr *addr);
/* Its whole party, of one owner or (NULL) of all. Returns how many entries went. */
unsigned known_forget(struct known *known, const struct owner *owner, const struct addr *addr);
bool known_has(const struct known *known, const struct owner *owner, const struct addr *addr);

#endif
