#include "data/pulse.h"

#include <linux/sockios.h>
#include <linux/tcp.h> /* the C library's <netinet/tcp.h> lacks the younger members */
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/net.h"

static bool pulse_read(int fd, struct tcp_info *ret_info)
{
    *ret_info = (struct tcp_info){0};
    socklen_t len = sizeof *ret_info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, ret_info, &len) == 0;
}

bool pulse_is_gone(struct pulse *pulse, int fd, uint64_t sent, uint64_t now_ms)
{
    if (pulse->since_ms == 0 && pulse->settled == sent) {
        return false;
    }
    int unacknowledged;
    struct tcp_info info;
    if (ioctl(fd, SIOCOUTQ, &unacknowledged) < 0 || unacknowledged == 0 || !pulse_read(fd, &info)) {
        *pulse = (struct pulse){.settled = sent};
        return false;
    }
    if (pulse->since_ms == 0 || pulse->heard != info.tcpi_segs_in) {
        pulse->since_ms = now_ms;
        pulse->heard = info.tcpi_segs_in;
        pulse->asked = info.tcpi_total_retrans;
    }
    return now_ms - pulse->since_ms >= NET_DEAD_AFTER_S * 1000 &&
           info.tcpi_total_retrans - pulse->asked + info.tcpi_probes >= NET_DEAD_PROBES;
}
