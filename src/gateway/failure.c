#include "gateway/failure.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/text.h"

static const struct {
    int err;
    enum tunnel_failure reason;
    const char *clause; /* follows the target */
} meanings[] = {
    {ENOENT, TUNNEL_UNKNOWN_NAME, "is not known to the gateway's name servers"},
    {EAGAIN, TUNNEL_NAME_SERVERS,
     "could not be looked up: the gateway's name servers do not answer"},
    {EBUSY, TUNNEL_NAME_SERVERS,
     "could not be looked up: too many other names are waiting for the gateway's name servers"},
    {ECONNREFUSED, TUNNEL_REFUSED, "refuses the connection: nothing listens on that port"},
    {ECONNRESET, TUNNEL_REFUSED, "closes the connection at once"},
    {EHOSTUNREACH, TUNNEL_NO_ROUTE,
     "is not there: is it switched on and in the gateway's network?"},
    {EHOSTDOWN, TUNNEL_NO_ROUTE, "is not there: is it switched on and in the gateway's network?"},
    {ENETUNREACH, TUNNEL_NO_ROUTE, "is in a network that the gateway has no route to"},
    {EADDRNOTAVAIL, TUNNEL_NO_ROUTE, "cannot be reached from any address of the gateway"},
    {EACCES, TUNNEL_NO_ROUTE, "is closed off by a firewall on the gateway"},
    {EPERM, TUNNEL_NO_ROUTE, "is closed off by a firewall on the gateway"},
    {ETIMEDOUT, TUNNEL_TIMED_OUT,
     "does not answer: is it switched on, and does its firewall let us in?"},
    {EMFILE, TUNNEL_BUSY, "cannot be dialled: the gateway has no file descriptor left"},
    {ENFILE, TUNNEL_BUSY, "cannot be dialled: the gateway has no file descriptor left"},
    {ENOBUFS, TUNNEL_BUSY, "cannot be dialled: the gateway is out of memory"},
    {ENOMEM, TUNNEL_BUSY, "cannot be dialled: the gateway is out of memory"},
};

struct failure failure_make(enum tunnel_failure reason, const char *format, ...)
{
    struct failure failure = {.reason = reason};
    struct text text = text_over(failure.detail, sizeof failure.detail);
    va_list args;
    va_start(args, format);
    text_add_v(&text, format, args);
    va_end(args);
    return failure;
}

struct failure failure_of_target(int err, const char *what)
{
    /* 100 bytes of the name: the clause must survive in the 200 that the message carries. */
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (meanings[i].err == -err) {
            return failure_make(meanings[i].reason, "%.100s %s", what, meanings[i].clause);
        }
    }
    return failure_make(TUNNEL_ERROR, "%.100s cannot be dialled: %s", what, strerror(-err));
}
