#include "data/pulse.h"

#include <linux/sockios.h>
#include <linux/tcp.h> /* the C library's <netinet/tcp.h> lacks the younger members */
#include <netinet/in.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/net.h"

/* From linux/mptcp.h; that of the kernel a release is built with may be an older one. */
enum { PULSE_SOL_MPTCP = 284, PULSE_MPTCP_TCPINFO = 2, PULSE_PATHS_MAX = 8 };

struct pulse_paths {
    uint32_t size_head, count; /* count: as many as there are, whatever fits */
    uint32_t size_kernel, size_one;
    struct tcp_info paths[PULSE_PATHS_MAX];
};

/*
 * Of a connection that takes several paths: the sum of them. TCP_INFO tells of the first alone,
 * which may be the one that has died. Linux 5.16; for any other connection it fails.
 */
static bool pulse_read_paths(int fd, struct tcp_info *info)
{
    struct pulse_paths all = {.size_head = offsetof(struct pulse_paths, paths),
                              .size_one = sizeof all.paths[0]};
    socklen_t len = sizeof all;
    if (getsockopt(fd, PULSE_SOL_MPTCP, PULSE_MPTCP_TCPINFO, &all, &len) < 0 || all.count == 0) {
        return false;
    }
    for (uint32_t i = 0; i < all.count && i < PULSE_PATHS_MAX; i++) {
        info->tcpi_segs_in += all.paths[i].tcpi_segs_in;
        info->tcpi_total_retrans += all.paths[i].tcpi_total_retrans;
        info->tcpi_probes = (uint8_t)(info->tcpi_probes + all.paths[i].tcpi_probes);
    }
    return true;
}

static bool pulse_read(int fd, struct tcp_info *ret_info)
{
    *ret_info = (struct tcp_info){0};
    socklen_t len = sizeof *ret_info;
    return pulse_read_paths(fd, ret_info) ||
           getsockopt(fd, IPPROTO_TCP, TCP_INFO, ret_info, &len) == 0;
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
