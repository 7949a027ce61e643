/*
 * sandbox: a process gives up what it does not need, so that whoever takes it over
 * does not have it either. For good, for all its threads, as far as the kernel can:
 *
 *   no new privileges   nothing that is executed gains any
 *   no dumps            no core file, and no tracing or reading of its memory by
 *                       others of the same user: it holds keys
 *   Landlock            (Linux 5.13) files: the resolver's, libraries and certificates
 *                       may be read, one folder may be written. TCP ports cannot be
 *                       bound (6.7) unless the agent listens; no signals and no
 *                       abstract sockets to outside (6.12)
 *   seccomp             system calls: those on a list (sandbox_calls.c)
 *
 * What decides the lists:
 *  - A call that is on neither list fails with ENOSYS. That is what C libraries
 *    expect of a kernel that does not know a call, and have another way for; EPERM
 *    they would take for an answer. clone3(2) is such a call: its flags cannot be
 *    looked at, those of clone(2) can. So a surprise is an error, not a death.
 *  - What no library would call but an intruder has to (execve, ptrace, another
 *    process's memory, mounts, namespaces, modules, io_uring) ends the process:
 *    the service manager starts a new one, and the kernel's log says why.
 *    io_uring would go round every list; libuv does without when it cannot set
 *    one up, which it tries: there ENOSYS is right, too.
 *  - Nothing becomes executable any more, neither memory nor a file: in a folder that
 *    can be written, a file is memory. glibc's resolver loads modules (nsswitch.conf)
 *    at the first look-up, so one is made before, which asks nobody. Where it reaches
 *    daemons (nscd, resolved, avahi) are sockets, which Landlock leaves alone.
 *  - A rule of Landlock is bound to the file, not to its name, and resolv.conf or
 *    the certificates are replaced while we run: rules are for folders. resolv.conf may
 *    be a link to what DHCP makes later: the folder of each step of the way is read,
 *    or the nearest one above that is there. A link that is turned to another folder
 *    later is not followed.
 *  - Settings are read anew (SIGHUP), and an editor puts a new file in the old one's place:
 *    files in its folder can be read then, and not listed. Where the folder is "/", which
 *    holds too much, it is the file alone.
 *
 * Not in it: addresses and ports that may be connected to. A gateway's targets and
 * data ports are any, and so is the proxy or the Bot API server of a vps-agent.
 */
#ifndef PAMTUNNEL_BASE_SANDBOX_H
#define PAMTUNNEL_BASE_SANDBOX_H

#include <stdbool.h>

#include "base/why.h"

struct sandbox_rules {
    const char *state_dir;  /* files in it may be read, written, made and removed. NULL: nowhere */
    const char *rules_file; /* one that is read anew, with its folder. NULL: none */
    const char *ca_file;    /* a file that may be read, with its folder. NULL: the system's only */
    /* Files that are read anew (settings, secrets), with the folder of each; ends with NULL. */
    const char *const *files; /* NULL: none */
    /* More of these, whose own folder may differ from that of what they are links to. */
    const char *const *other_files;
    bool multipath; /* MPTCP sockets, beside those of TCP (net_listen_multipath()) */
    bool listens;   /* TCP ports may be bound and listened on */
};

/*
 * To be called with all settings read, before the first thread and the event loop.
 * 0 if all of it holds; else -errno of the first thing that is missing, with a
 * sentence in why that names all of them; or -ENOENT if the list of name servers will
 * be out of reach. What can be had holds in any case.
 */
int sandbox_enter(const struct sandbox_rules *rules, struct why *why);

#endif
