/*
 * target: the machine that a user asks for, as people type and paste it.
 * What is read is safe to show, to send to a gateway, and to put into an ssh command.
 */
#ifndef PAMTUNNEL_SHARED_TARGET_H
#define PAMTUNNEL_SHARED_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/host.h"
#include "base/why.h"
#include "shared/gateway_name.h"

enum { USER_MAX = 64 };
/* The longest text of one: GATEWAY/USER@HOST:PORT, and room for what is taken off. */
enum { TARGET_ARGUMENT_MAX = GATEWAY_NAME_MAX + 1 + USER_MAX + 1 + HOST_MAX + 32 };

struct kind_row;

/* What a user asked for: [GATEWAY/][USER@]HOST[:PORT]. */
struct target {
    char gateway[GATEWAY_NAME_MAX + 1]; /* empty: not said */
    char user[USER_MAX + 1];            /* empty: not said */
    char host[HOST_MAX + 1];
    uint16_t port;
    bool slash; /* "HOST/" was written: perhaps a gateway, and the machine was forgotten */
};

/*
 * Reads the form above; an IPv6 address with a port is in [brackets]. HOST::PORT,
 * USER@GATEWAY/HOST,
 * ssh://, rdp:// or another kind's name in front, and a slash or a dot at the end are taken too;
 * characters that nobody sees are taken off, and full-width ones and dashes read as ASCII's. A user
 * name is safe in a line that people paste into a shell, see user_name_is_plain(). On
 * failure (-EINVAL) why says what is wrong and what to write instead, in plain text.
 */
int target_parse(const char *text, uint16_t default_port, struct target *ret_target,
                 struct why *why);
/*
 * The same for a session of a kind, whose ports it knows: /vnc nas:1 is the display at 5901. Of a
 * kind without a usual port it is 0 if none was said.
 */
int target_parse_for(const struct kind_row *kind, const char *text, struct target *ret_target,
                     struct why *why);

/* Of a user name that was read: true if it needs no "double quotes" in a shell. */
bool user_name_is_plain(const char *text);

#endif
