/*
 * The lists hold what the agents and their libraries call, on each target, with glibc and musl.
 * tests/unit/test_sandbox.c tries what is forbidden; all end-to-end tests run inside, and so find
 * what is missing. A call that is added goes under the heading that says what for.
 *
 * A rule looks at numbers only: it cannot follow a pointer, so a path or an address is never
 * checked here. That is Landlock's part, or nobody's.
 */
#include "base/sandbox_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* After the C library's: musl and the kernel define some things twice. */
#include <linux/netlink.h>
#include <linux/sockios.h>

#include "base/net.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* Some have several numbers, for times and offsets of 64 bits; a target has not all of them. */
static const int ALLOWED[] = {
    /* descriptors */
    SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(writev),
    SCMP_SYS(lseek), SCMP_SYS(_llseek), SCMP_SYS(close), SCMP_SYS(dup), SCMP_SYS(fcntl),
    SCMP_SYS(fcntl64), SCMP_SYS(pipe2), SCMP_SYS(splice), SCMP_SYS(eventfd2),
    SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_settime64),
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(ppoll_time64),
    SCMP_SYS(select), SCMP_SYS(_newselect), SCMP_SYS(pselect6), SCMP_SYS(pselect6_time64),
    /* files, to look at */
    SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(stat), SCMP_SYS(stat64),
    SCMP_SYS(lstat), SCMP_SYS(lstat64), SCMP_SYS(fstat), SCMP_SYS(fstat64), SCMP_SYS(newfstatat),
    SCMP_SYS(fstatat64), SCMP_SYS(statx), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
    SCMP_SYS(getdents64), SCMP_SYS(getcwd),
    /* sockets; what kinds, see restrict_sockets() */
    SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(accept4), SCMP_SYS(accept), SCMP_SYS(shutdown),
    SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
    SCMP_SYS(send), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg), SCMP_SYS(recv),
    SCMP_SYS(recvfrom), SCMP_SYS(recvmsg),
    /* memory */
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
    /* threads */
    SCMP_SYS(futex), SCMP_SYS(futex_time64), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
    SCMP_SYS(membarrier), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(gettid),
    SCMP_SYS(getpid), SCMP_SYS(exit), SCMP_SYS(exit_group),
    /* signals */
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigreturn),
    SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall),
    /* time, chance and names */
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_gettime64), SCMP_SYS(clock_getres),
    SCMP_SYS(clock_getres_time64), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_nanosleep_time64), SCMP_SYS(getrandom),
    SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getuid), SCMP_SYS(getuid32), SCMP_SYS(geteuid),
    SCMP_SYS(geteuid32), SCMP_SYS(getgid), SCMP_SYS(getgid32), SCMP_SYS(getegid),
    SCMP_SYS(getegid32), SCMP_SYS(getrlimit), SCMP_SYS(ugetrlimit)};

/* For an agent that has a folder to write to: its state, and a database. */
static const int WRITING[] = {
    SCMP_SYS(open),      SCMP_SYS(openat),   SCMP_SYS(pwrite64),  SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),  SCMP_SYS(rename),   SCMP_SYS(renameat),  SCMP_SYS(renameat2),
    SCMP_SYS(mkdir),     SCMP_SYS(mkdirat),  SCMP_SYS(umask),     SCMP_SYS(chmod),
    SCMP_SYS(fchmod),    SCMP_SYS(fchmodat), SCMP_SYS(ftruncate), SCMP_SYS(ftruncate64),
    SCMP_SYS(fallocate), SCMP_SYS(fsync),    SCMP_SYS(fdatasync)};

/* Never by mistake. */
static const int DEADLY[] = {SCMP_SYS(execve),
                             SCMP_SYS(execveat),
                             SCMP_SYS(ptrace),
                             SCMP_SYS(process_vm_readv),
                             SCMP_SYS(process_vm_writev),
                             SCMP_SYS(kcmp),
                             SCMP_SYS(pidfd_getfd),
                             SCMP_SYS(unshare),
                             SCMP_SYS(setns),
                             SCMP_SYS(mount),
                             SCMP_SYS(umount2),
                             SCMP_SYS(move_mount),
                             SCMP_SYS(open_tree),
                             SCMP_SYS(fsopen),
                             SCMP_SYS(pivot_root),
                             SCMP_SYS(chroot),
                             SCMP_SYS(open_by_handle_at),
                             SCMP_SYS(init_module),
                             SCMP_SYS(finit_module),
                             SCMP_SYS(delete_module),
                             SCMP_SYS(kexec_load),
                             SCMP_SYS(kexec_file_load),
                             SCMP_SYS(bpf),
                             SCMP_SYS(perf_event_open),
                             SCMP_SYS(userfaultfd),
                             SCMP_SYS(add_key),
                             SCMP_SYS(request_key),
                             SCMP_SYS(keyctl),
                             SCMP_SYS(io_uring_enter),
                             SCMP_SYS(io_uring_register),
                             SCMP_SYS(personality),
                             SCMP_SYS(setuid),
                             SCMP_SYS(setgid),
                             SCMP_SYS(setreuid),
                             SCMP_SYS(setresuid),
                             SCMP_SYS(setresgid),
                             SCMP_SYS(setgroups),
                             SCMP_SYS(capset)};

static int add_all(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
    int err = 0;
    for (size_t i = 0; i < count && err == 0; i++) {
        err = seccomp_rule_add_array(filter, action, calls[i], 0, NULL);
    }
    return err;
}

/* Allows a call if the bits of `mask` in its argument are `value`. */
static int allow_if(scmp_filter_ctx filter, int call, unsigned argument, uint64_t mask,
                    uint64_t value)
{
    struct scmp_arg_cmp compare = SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, mask, value);
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &compare);
}

static int allow_values(scmp_filter_ctx filter, int call, unsigned argument, const unsigned *values,
                        size_t count)
{
    int err = 0;
    for (size_t i = 0; i < count && err == 0; i++) {
        err = allow_if(filter, call, argument, UINT32_MAX, values[i]);
    }
    return err;
}

/* What is executable by now stays so; nothing else becomes it, files neither. */
static int restrict_mapping(scmp_filter_ctx filter)
{
    static const int CALLS[] = {SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect)};
    int err = 0;
    for (size_t i = 0; i < COUNT(CALLS) && err == 0; i++) {
        err = allow_if(filter, CALLS[i], 2, PROT_EXEC, 0);
    }
    return err;
}

/* Others are modules that the kernel would load for anybody. The last two: if they are wanted. */
static int restrict_sockets(scmp_filter_ctx filter, const struct sandbox_rules *rules)
{
    static const struct {
        unsigned family, protocol;
    } KINDS[] = {{AF_INET, 0},         {AF_INET, IPPROTO_TCP},      {AF_INET, IPPROTO_UDP},
                 {AF_INET6, 0},        {AF_INET6, IPPROTO_TCP},     {AF_INET6, IPPROTO_UDP},
                 {AF_UNIX, 0},         {AF_NETLINK, NETLINK_ROUTE}, {AF_INET, NET_MPTCP},
                 {AF_INET6, NET_MPTCP}};
    const size_t count = rules->multipath ? COUNT(KINDS) : COUNT(KINDS) - 2;
    int err = allow_if(filter, SCMP_SYS(socketpair), 0, UINT32_MAX, AF_UNIX);
    for (size_t i = 0; i < count && err == 0; i++) {
        struct scmp_arg_cmp kind[] = {
            SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, UINT32_MAX, KINDS[i].family),
            SCMP_CMP64(2, SCMP_CMP_MASKED_EQ, UINT32_MAX, KINDS[i].protocol),
        };
        err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, kind);
    }
    return err;
}

static int restrict_arguments(scmp_filter_ctx filter, const struct sandbox_rules *rules)
{
    static const unsigned REQUESTS[] = {FIONBIO,    FIONREAD,     FIOCLEX,     TCGETS,
                                        TIOCGWINSZ, SIOCGIFINDEX, SIOCGIFNAME, SIOCOUTQ};
    static const unsigned OPTIONS[] = {PR_SET_NAME, PR_GET_NAME};
    const uint64_t new_spaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    unsigned self = (unsigned)getpid();

    int err = restrict_sockets(filter, rules);
    err = err < 0 ? err : allow_values(filter, SCMP_SYS(ioctl), 1, REQUESTS, COUNT(REQUESTS));
    err = err < 0 ? err : allow_values(filter, SCMP_SYS(prctl), 0, OPTIONS, COUNT(OPTIONS));
    /* A thread, not a process. */
    err = err < 0 ? err
                  : allow_if(filter, SCMP_SYS(clone), 0, CLONE_THREAD | new_spaces, CLONE_THREAD);
    /* abort() and pthread_kill() signal this process; prlimit64() of 0 is this one as well. */
    err = err < 0 ? err : allow_if(filter, SCMP_SYS(tgkill), 0, UINT32_MAX, self);
    err = err < 0 ? err : allow_if(filter, SCMP_SYS(prlimit64), 0, UINT32_MAX, 0);
    return err < 0 ? err : restrict_mapping(filter);
}

static int restrict_files(scmp_filter_ctx filter, const struct sandbox_rules *rules)
{
    if (rules->state_dir) {
        return add_all(filter, SCMP_ACT_ALLOW, WRITING, COUNT(WRITING));
    }
    /* gateway-agent keeps no file: even if it is taken over, it leaves nothing behind. */
    const uint64_t writes = O_ACCMODE | O_CREAT | O_TRUNC;
    int err = allow_if(filter, SCMP_SYS(open), 1, writes, O_RDONLY);
    return err < 0 ? err : allow_if(filter, SCMP_SYS(openat), 2, writes, O_RDONLY);
}

static int fill(scmp_filter_ctx filter, const struct sandbox_rules *rules)
{
    /* Linux before 4.14 can only kill the thread. */
    uint32_t kill = seccomp_api_get() >= 3 ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_KILL_THREAD;
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree instead of a list */
    seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, kill);
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC,
                     1); /* the kernel's errors, not the library's */
    int err = add_all(filter, SCMP_ACT_ALLOW, ALLOWED, COUNT(ALLOWED));
    err = err < 0 ? err : add_all(filter, kill, DEADLY, COUNT(DEADLY));
    err = err < 0 ? err : restrict_arguments(filter, rules);
    err = err < 0 ? err : restrict_files(filter, rules);
    if (err == 0 && rules->listens) {
        err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(listen), 0, NULL);
    }
    return err;
}

/*
 * Before Linux 5.16 a filter would slow its threads down against Spectre v4, unless it says
 * that it need not: they run no code of others. Before 4.17 that could not be said.
 */
static int load(scmp_filter_ctx filter)
{
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    int err = seccomp_load(filter);
    if (err == -EINVAL) {
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 0);
        err = seccomp_load(filter);
    }
    return err;
}

int sandbox_restrict_calls(const struct sandbox_rules *rules)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!filter) {
        return -ENOMEM;
    }
    int err = fill(filter, rules);
    err = err < 0 ? err : load(filter);
    seccomp_release(filter);
    return err;
}
