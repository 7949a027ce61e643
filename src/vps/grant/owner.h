/* owner: whose session it is. */
#ifndef PAMTUNNEL_VPS_GRANT_OWNER_H
#define PAMTUNNEL_VPS_GRANT_OWNER_H

#include <stdbool.h>
#include <stdint.h>

/* Who asked: a Telegram user, or a user of the VPS through pamctl. */
struct owner {
    enum owner_kind { OWNER_TELEGRAM, OWNER_LOCAL } kind;
    int64_t id; /* Telegram's from.id, or the uid */
};
bool owner_equal(const struct owner *a, const struct owner *b);
/* "telegram:42"; dst takes OWNER_TEXT_MAX. Returns dst. */
char *owner_text(const struct owner *owner, char *dst);
/* Reads that. 0 or -EINVAL. */
int owner_parse(const char *text, struct owner *ret_owner);
enum { OWNER_TEXT_MAX = 32 };

#endif
