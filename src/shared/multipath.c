#include "shared/multipath.h"

#include <errno.h>
#include <string.h>

#include "base/net.h"

static const char *cure(int err)
{
    switch (err) {
    case -ENOPROTOOPT:
        return "it is switched off there, and sudo sysctl net.mptcp.enabled=1 switches it on (with "
               "a line net.mptcp.enabled=1 in a file of /etc/sysctl.d it stays on)";
    case -EPROTONOSUPPORT:
    case -EINVAL:
        return "its kernel is built without; Linux has it since 5.6, and all that it takes here "
               "since 5.16";
    default:
        return "something forbids it, as containers may";
    }
}

int multipath_check(struct why *why)
{
    int err = net_check_multipath();
    return err == 0 ? 0
                    : why_set(why, err,
                              "this system has no MPTCP (%s), so connections take one path: %s",
                              strerror(-err), cure(err));
}
