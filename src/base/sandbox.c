#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sandbox_calls.h"
#include "base/text.h"

/* Sanitizers trace, read /proc, write files and start a symbolizer: there it stays off. */
#ifndef __has_feature
#define __has_feature(name) 0 /* gcc has macros instead */
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* ---- Landlock -------------------------------------------------------------- */

/* From linux/landlock.h; that of the kernel a release is built with may be an older one. */
enum {
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_FILE = 1 << 5,
    FS_MAKE_REG = 1 << 8,
    FS_MAKE_SOCK = 1 << 9,
    FS_TRUNCATE = 1 << 14,

    FS_OF_ABI_1 = (1 << 13) - 1,
    FS_OF_ABI_2 = (1 << 14) - 1,
    FS_OF_ABI_3 = (1 << 15) - 1,
    FS_OF_ABI_5 = (1 << 16) - 1,
    NET_BIND_TCP = 1 << 0,           /* ABI 4 */
    SCOPE_ABSTRACT_SOCKETS = 1 << 0, /* ABI 6 */
    SCOPE_SIGNALS = 1 << 1,

    READS = FS_READ_FILE | FS_READ_DIR,
    WRITES = FS_WRITE_FILE | FS_REMOVE_FILE | FS_MAKE_REG | FS_MAKE_SOCK | FS_TRUNCATE,
    OF_FILES = FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE, /* that make sense for a file */

    VERSION_FLAG = 1,
    PATH_BENEATH = 1,
};

struct ruleset {
    uint64_t fs;
    uint64_t net;
    uint64_t scoped;
};

struct path_rule {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

/* Resolver, libraries that it loads, certificates; sizes of pipes. */
static const char *const READABLE[] = {"/etc", "/usr", "/lib", "/lib64", "/run", "/proc/sys/fs"};
/* May be links to anywhere, which differs between distributions. */
static const char *const FOLLOWED[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf",
                                       "/etc/ssl/certs/ca-certificates.crt"};

static struct ruleset ruleset_for(int abi, const struct sandbox_rules *rules)
{
    return (struct ruleset){
        .fs = abi >= 5   ? FS_OF_ABI_5
              : abi >= 3 ? FS_OF_ABI_3
              : abi == 2 ? FS_OF_ABI_2
                         : FS_OF_ABI_1,
        .net = abi >= 4 && !rules->listens ? NET_BIND_TCP : 0,
        .scoped = abi >= 6 ? SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS : 0,
    };
}

/* What is not there needs no rule. */
static int allow_path(int ruleset, const char *path, uint64_t allowed)
{
    struct path_rule rule = {.allowed = allowed};
    struct stat file;
    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0) {
        return 0;
    }
    if (fstat(rule.parent_fd, &file) == 0 && !S_ISDIR(file.st_mode)) {
        rule.allowed &= OF_FILES;
    }
    long done = syscall(SYS_landlock_add_rule, ruleset, PATH_BENEATH, &rule, 0);
    int err = done < 0 ? -errno : 0;
    close(rule.parent_fd);
    return err;
}

/* A file, wherever it really is, and what may take its place: its folder. */
static int allow_file(int ruleset, const char *path)
{
    char real[PATH_MAX];
    if (!path || !realpath(path, real)) {
        return 0;
    }
    char *slash = strrchr(real, '/');
    if (slash > real) {
        *slash = '\0';
    }
    return allow_path(ruleset, real, READS);
}

static int allow_paths(int ruleset, uint64_t handled, const struct sandbox_rules *rules)
{
    int err = allow_file(ruleset, rules->ca_file);
    for (size_t i = 0; i < sizeof READABLE / sizeof *READABLE && err == 0; i++) {
        err = allow_path(ruleset, READABLE[i], READS);
    }
    for (size_t i = 0; i < sizeof FOLLOWED / sizeof *FOLLOWED && err == 0; i++) {
        err = allow_file(ruleset, FOLLOWED[i]);
    }
    if (err == 0 && rules->state_dir) {
        err = allow_path(ruleset, rules->state_dir, (READS | WRITES) & handled);
    }
    return err;
}

static int restrict_files(const struct sandbox_rules *rules)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, VERSION_FLAG);
    if (abi < 1) {
        return abi < 0 ? -errno : -ENOSYS;
    }
    struct ruleset attributes = ruleset_for(abi, rules);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    if (ruleset < 0) {
        return -errno;
    }
    int err = allow_paths(ruleset, attributes.fs, rules);
    if (err == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0) {
        err = -errno;
    }
    close(ruleset);
    return err;
}

/* ---- the rest -------------------------------------------------------------- */

static int forbid_dumps(const struct sandbox_rules *rules)
{
    (void)rules;
    struct rlimit none = {0, 0};
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0 ? -errno : 0;
}

static int forbid_privileges(const struct sandbox_rules *rules)
{
    (void)rules;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/* In this order: the last one forbids the others' calls. */
static const struct {
    const char *name;
    int (*enter)(const struct sandbox_rules *rules);
} PARTS[] = {
    {"no new privileges", forbid_privileges},
    {"no core dumps", forbid_dumps},
    {"Landlock", restrict_files},
    {"seccomp", sandbox_restrict_calls},
};

int sandbox_enter(const struct sandbox_rules *rules, struct why *why)
{
    if (SANITIZED) {
        return why_set(why, -ENOTSUP, "a program with sanitizers runs without");
    }
    int first = 0;
    char missing[sizeof why->text / 2];
    struct text text = text_over(missing, sizeof missing);
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++) {
        int err = PARTS[i].enter(rules);
        if (err < 0) {
            text_add(&text, "%s%s (%s)", first < 0 ? ", " : "", PARTS[i].name, strerror(-err));
            first = first < 0 ? first : err;
        }
    }
    return first < 0 ? why_set(why, first, "this kernel does not give: %s", missing) : 0;
}
