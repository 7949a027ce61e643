#include "base/local_address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/lines.h"
#include "base/net.h"

enum { BACKLOG = 16 };

/* ---- reading -------------------------------------------------------------- */

static bool is_path(const char *text)
{
    return text[0] == '/';
}

/* Where the port begins, behind the last colon; NULL: there is none. */
static const char *port_of(const char *text, uint16_t *ret_port)
{
    const char *colon = strrchr(text, ':');
    const char *digits = colon ? colon + 1 : "";
    char *end;
    unsigned long port = strtoul(digits, &end, 10);
    if (digits[0] < '0' || digits[0] > '9' || *end || port < 1 || port > 65535) {
        return NULL;
    }
    *ret_port = (uint16_t)port;
    return digits;
}

/* "127.0.0.1:9477", "[::1]:9477". The address goes to ret_host. -EINVAL: of another form. */
static int read_port(const char *text, char ret_host[ADDR_HOST_MAX], struct addr *ret_addr)
{
    uint16_t port;
    const char *digits = port_of(text, &port);
    size_t len = digits ? (size_t)(digits - text) - 1 : 0;
    bool brackets = len > 2 && text[0] == '[' && text[len - 1] == ']';
    const char *host = text + brackets;
    len -= 2 * (size_t)brackets;
    if (!digits || len == 0 || len >= ADDR_HOST_MAX ||
        brackets != (memchr(host, ':', len) != NULL)) {
        return -EINVAL;
    }
    snprintf(ret_host, ADDR_HOST_MAX, "%.*s", (int)len, host);
    return addr_parse(ret_host, port, ret_addr);
}

static bool is_loopback(const struct addr *addr)
{
    return addr->sa.sa_family == AF_INET ? ntohl(addr->v4.sin_addr.s_addr) >> 24 == 127
                                         : IN6_IS_ADDR_LOOPBACK(&addr->v6.sin6_addr);
}

/* ---- the setting ---------------------------------------------------------- */

static int parse(const struct setting *setting, const char *text, void *field, struct why *why)
{
    char host[ADDR_HOST_MAX];
    struct addr addr;
    if (!is_path(text) && read_port(text, host, &addr) < 0) {
        return -EINVAL;
    }
    if (!is_path(text) && !is_loopback(&addr)) {
        return why_set(why, -EINVAL,
                       "%s is not a loopback address: what is served there is for this machine "
                       "alone",
                       host);
    }
    return setting_text(setting, text, field, why);
}

const struct setting_type SETTING_LOCAL_ADDRESS = {parse, 0, NULL, NULL};

/* ---- listening ------------------------------------------------------------ */

static int listen_at_path(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    return lines_listen(&at, sizeof at);
}

static int listen_at_port(const char *address)
{
    char host[ADDR_HOST_MAX];
    struct addr addr;
    int err = read_port(address, host, &addr);
    return err < 0 ? err : net_listen(host, addr_port(&addr), BACKLOG);
}

int local_address_listen(const char *address, struct why *why)
{
    int fd = is_path(address) ? listen_at_path(address) : listen_at_port(address);
    return fd < 0 ? why_set(why, fd, "cannot listen on %s: %s", address, strerror(-fd)) : fd;
}
