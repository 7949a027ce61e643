/*
 * failure: why a tunnel cannot be opened, in words that the person who asked for
 * it can act on. It goes to the VPS as TUNNEL_FAILED.
 */
#ifndef PAMTUNNEL_GATEWAY_FAILURE_H
#define PAMTUNNEL_GATEWAY_FAILURE_H

#include "control/message.h"

struct failure {
    enum tunnel_failure reason;
    char detail[200 + 1]; /* a clause without a full stop */
    char note[200 + 1];   /* a line for the gateway's own log alone; may be empty */
};

/* Too long a detail is cut. note is empty. */
struct failure failure_make(enum tunnel_failure reason, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * What the error of a look-up or a dial (-errno, see base/resolve.h and
 * base/dial.h) says about the target `what`, a name or an address with its port.
 */
struct failure failure_of_target(int err, const char *what);

#endif
