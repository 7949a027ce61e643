/*
 * A target goes through one pass from the outside in: characters are made plain, then a scheme, a
 * user, a gateway, a port and brackets are taken off, and what is left has to be a host. Each step
 * gives the sentence for what is wrong with its own part, so nobody reads "invalid target".
 *
 * What people paste decides what is accepted: links, addresses from chats with full-width or
 * invisible characters, user@gateway/host in either order. What is accepted is safe in the
 * ssh command that goes into the chat; nothing is quoted later that was not checked here.
 *
 * No state; pure functions.
 */
#include "shared/target.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "shared/gateway_name.h"
#include "shared/kind.h"

#define LETTERS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

bool user_name_is_plain(const char *text)
{
    return strspn(text, LETTERS "._-") == strlen(text);
}

/*
 * The forms of user names that exist: mxu, mx.u+tag, CORP\mxu, mxu@corp.local, First Last.
 * In "double quotes" all of these are one word, as it stands, to sh, fish, cmd and
 * PowerShell, whatever OpenSSH makes of that (it takes no hyphen behind a blank and no
 * backslash at the end). No $ ` " ' % ! ^ is among them, and nothing but ASCII.
 */
static bool user_is_valid(const char *text)
{
    size_t len = strlen(text);
    unsigned domains = 0;
    if (len < 1 || len > USER_MAX || !strchr(LETTERS "_", text[0]) ||
        strspn(text, LETTERS "._-+\\@ ") != len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        bool joins = strchr("\\@ ", text[i]);
        if (joins && (!text[i + 1] || !strchr(LETTERS "_", text[i + 1]))) {
            return false;
        }
        domains += text[i] == '\\' || text[i] == '@';
    }
    return domains <= 1;
}

/* HOST::PORT, as VNC viewers write it; fd00::5901 is an address. */
static bool has_double_colon(const char *text, const char *colon)
{
    return colon && colon[1] == ':' && colon[2] &&
           colon[2 + strspn(colon + 2, "0123456789")] == '\0' && host_kind(text) == HOST_INVALID;
}

/*
 * HOST, HOST:PORT, HOST::PORT, ADDRESS6 or [ADDRESS6]:PORT. Returns the port's text or NULL.
 */
static const char *split_port(const char *text, char host[TARGET_ARGUMENT_MAX + 1])
{
    size_t len = strlen(text);
    const char *start = text, *port = NULL;
    const char *colon = strchr(text, ':');
    if (text[0] == '[') {
        start = text + 1;
        len = strcspn(start, "]");
        if (start[len] != ']' || (start[len + 1] != ':' && start[len + 1] != '\0')) {
            host[0] = '\0';
            return NULL;
        }
        port = start[len + 1] == ':' ? start + len + 2 : NULL;
    } else if (colon && !strchr(colon + 1, ':')) {
        len = (size_t)(colon - text);
        port = colon + 1;
    } else if (has_double_colon(text, colon)) {
        len = (size_t)(colon - text);
        port = colon + 2;
    }
    snprintf(host, TARGET_ARGUMENT_MAX + 1, "%.*s", (int)len, start);
    return port;
}

/* What keyboards and web pages put in the place of ASCII; 0 for what nobody sees. */
static uint32_t plain_character(uint32_t c)
{
    if (c >= 0xff01 && c <= 0xff5e) { /* full width */
        return c - 0xfee0;
    }
    if (c == 0x3002) { /* the full stop of Chinese and Japanese */
        return '.';
    }
    if ((c >= 0x2010 && c <= 0x2015) || c == 0x2212) { /* hyphens, dashes, minus */
        return '-';
    }
    if (c == 0xa0 || c == 0x202f || c == 0x3000 || c == 0x2028 || c == 0x2029) {
        return ' ';
    }
    return c >= 0xa0 && utf8_is_hidden(c) ? 0 : c;
}

/* Returns false if it does not fit. */
static bool copy_plain(const char *text, char *dst, size_t cap)
{
    size_t at = 0, left = strlen(text);
    while (left > 0) {
        uint32_t c = 0;
        size_t len = utf8_decode(text, left, &c);
        uint32_t plain = len ? plain_character(c) : 0xff;
        if (at + 4 >= cap) {
            return false;
        }
        len = len ? len : 1;
        if (plain != 0 && plain != c && plain < 0x80) {
            dst[at++] = (char)plain;
        } else if (plain != 0) {
            memcpy(dst + at, text, len);
            at += len;
        }
        text += len;
        left -= len;
    }
    dst[at] = '\0';
    return true;
}

/* ssh://bob@HOST:PORT, with or without a slash behind it: what a link holds. */
static int skip_scheme(char **text, bool *ret_slash, struct why *why)
{
    static const char *const TAKEN[] = {
#define KIND(NAME, number, word, ...) #word,
#include "shared/kinds.def"
#undef KIND
        "sftp",
        "scp",
    };
    char *end = strstr(*text, "://");
    size_t len = end ? (size_t)(end - *text) : 0;
    size_t all = strlen(*text);
    if (all > 1 && (*text)[all - 1] == '/') {
        (*text)[all - 1] = '\0';
        /*
         * nas/ is nas, unless there is a gateway of that name: then the machine was forgotten,
         * which the table of gateways has to say (clearance.c).
         */
        *ret_slash = !end;
    }
    for (size_t i = 0; i < sizeof TAKEN / sizeof *TAKEN; i++) {
        if (len == strlen(TAKEN[i]) && strncasecmp(*text, TAKEN[i], len) == 0) {
            *text = end + 3;
            return 0;
        }
    }
    if (end) {
        return why_set(why, -EINVAL,
                       "Leave out the :// and everything before it, and any path: the name of the "
                       "machine is enough.");
    }
    return 0;
}

/* Cuts "GATEWAY/" off the front of *text. */
static int take_gateway(char **text, char *gateway, struct why *why)
{
    char *slash = *text ? strchr(*text, '/') : NULL;
    if (!slash) {
        return 0;
    }
    *slash = '\0';
    if (gateway[0] || !gateway_name_is_valid(*text)) {
        return why_set(why, -EINVAL,
                       "Put the name of one gateway in front of the /, as in "
                       "office/192.168.1.22.");
    }
    strcpy(gateway, *text);
    *text = slash + 1;
    return 0;
}

static int take_user(const char *text, char *user, struct why *why)
{
    if (text && !user_is_valid(text)) {
        return why_set(why, -EINVAL,
                       "A user name is at most %d letters, digits and . _ + -, as in mxu, "
                       "CORP\\mxu, mxu@corp.local or First Last. Leave out any other one here, and "
                       "type it into the client.",
                       USER_MAX);
    }
    strcpy(user, text ? text : "");
    return 0;
}

static int take_host(const char *text, struct target *target, struct why *why)
{
    char host[TARGET_ARGUMENT_MAX + 1];
    const char *port = split_port(text, host);
    size_t len = strlen(host);
    bool brackets = text[0] == '[';
    if (port && port_parse(port, &target->port) < 0) {
        return why_set(why, -EINVAL, "The port is a number from 1 to 65535.");
    }
    /* A fully qualified name, as dig(1) prints it; the resolver would treat it alike. */
    if (len > 1 && host[len - 1] == '.') {
        host[--len] = '\0';
    }
    /* "192.168.1.0/24": its front reads as a gateway, and "24" as a machine. */
    if (host_kind(target->gateway) != HOST_INVALID && len > 0 &&
        strspn(host, "0123456789") == len) {
        return why_set(why, -EINVAL,
                       "That is not a host name or an IP address: you can reach one machine, not a "
                       "whole network.");
    }
    enum host_kind kind = host_kind(host);
    if (kind == HOST_INVALID || (brackets && kind != HOST_IPV6)) {
        return why_set(why, -EINVAL, "That is not a host name or an IP address: %s.",
                       kind == HOST_INVALID ? host_explain(host)
                                            : "only an IPv6 address goes in brackets");
    }
    strcpy(target->host, host);
    return 0;
}

int target_parse(const char *text, uint16_t default_port, struct target *ret_target,
                 struct why *why)
{
    struct target target = {.port = default_port};
    char plain[TARGET_ARGUMENT_MAX + 1], *host = plain, *user = NULL;

    if (!copy_plain(text, plain, sizeof plain)) {
        return why_set(why, -EINVAL, "That is too long for the name of a machine.");
    }
    int err = skip_scheme(&host, &target.slash, why);
    /* "mxu@corp.local@HOME-PC": domain accounts have an @ of their own. */
    char *at = err == 0 ? strrchr(host, '@') : NULL;
    if (at) { /* the last one: a user name may have one itself */
        *at = '\0';
        user = host;
        host = at + 1;
    }
    /* In front of the machine or of the user, bob@office/nas or office/bob@nas, but not both. */
    err = err < 0 ? err : take_gateway(&host, target.gateway, why);
    err = err < 0 ? err : take_gateway(&user, target.gateway, why);
    err = err < 0 ? err : take_user(user, target.user, why);
    err = err < 0 ? err : take_host(host, &target, why);
    if (err == 0) {
        *ret_target = target;
    }
    return err;
}

int target_parse_for(const struct kind_row *kind, const char *text, struct target *ret_target,
                     struct why *why)
{
    int err = target_parse(text, kind->port, ret_target, why);
    if (err == 0 && ret_target->port < kind->displays) {
        ret_target->port = (uint16_t)(ret_target->port + kind->port);
    }
    return err;
}
