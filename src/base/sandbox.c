/*
 * Enters once, before there are threads, and never leaves; sandbox.h says why each list is what
 * it is. The parts are independent: what a kernel lacks is named, and the rest is entered all
 * the same. Their order matters in one way only: seccomp comes last, since it forbids the calls
 * that the others need.
 *
 * Landlock's numbers are copied, not included, and its calls made by number: the headers that a
 * release is built with are often older than the kernel it meets.
 */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <resolv.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/congestion.h"
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

    LINKS_MAX = 8, /* one after the other */

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

/* Resolver, certificates, time zones, libraries; sizes of pipes, congestion controls. */
static const char *const READABLE[] = {"/etc", "/usr",         "/lib",           "/lib64",
                                       "/run", "/proc/sys/fs", CONGESTION_FOLDER};
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
    /* Landlock refuses (EINVAL) a rule that gives a file the rights of a folder. */
    if (fstat(rule.parent_fd, &file) == 0 && !S_ISDIR(file.st_mode)) {
        rule.allowed &= OF_FILES;
    }
    long done = syscall(SYS_landlock_add_rule, ruleset, PATH_BENEATH, &rule, 0);
    int err = done < 0 ? -errno : 0;
    close(rule.parent_fd);
    return err;
}

/* Cuts the last part of a path off. */
static void cut_to_folder(char *path)
{
    char *slash = strrchr(path, '/');
    slash[slash == path] = '\0';
}

/* A file, wherever it really is, and what may take its place: its folder. */
static int allow_file(int ruleset, const char *path)
{
    char real[PATH_MAX];
    if (!path || !realpath(path, real)) {
        return 0;
    }
    cut_to_folder(real);
    return allow_path(ruleset, real, READS);
}

/* Where a link leads to. False if it is none, or leads nowhere in particular. */
static bool follow(const char *link, char target[PATH_MAX])
{
    char text[PATH_MAX], folder[PATH_MAX];
    ssize_t len = readlink(link, text, sizeof text - 1);
    if (len <= 0) {
        return false;
    }
    text[len] = '\0';
    snprintf(folder, sizeof folder, "%s", link);
    cut_to_folder(folder);
    int wanted = text[0] == '/' ? snprintf(target, PATH_MAX, "%s", text)
                                : snprintf(target, PATH_MAX, "%s/%s", folder, text);
    return wanted < PATH_MAX;
}

/*
 * The folder a path is in, as it really is, or the nearest one above that is there. -EACCES:
 * that is "/", or one in it, which hold too much to be given away for one file.
 */
static int find_folder(const char *path, char real[PATH_MAX])
{
    char folder[PATH_MAX];
    bool direct = true;
    snprintf(folder, sizeof folder, "%s", path);
    for (cut_to_folder(folder); !realpath(folder, real); cut_to_folder(folder)) {
        direct = false;
    }
    /* "/home" for a link into a home folder that is not mounted yet, for example. */
    bool holds_much = !real[1] || (!direct && !strchr(real + 1, '/'));
    for (size_t i = 0; i < sizeof READABLE / sizeof *READABLE; i++) {
        size_t len = strlen(READABLE[i]);
        if (strncmp(real, READABLE[i], len) == 0 && (!real[len] || real[len] == '/')) {
            holds_much = false; /* it is given anyway */
        }
    }
    return holds_much ? -EACCES : 0;
}

/*
 * A file that may be a link, which may be a link: the folder of each step, also where
 * nothing is yet, since DHCP or a VPN makes it later. With a ruleset of -1 it only looks.
 * -EACCES: `step` is in no folder that can be given.
 */
static int allow_way(int ruleset, const char *path, char step[PATH_MAX])
{
    char real[PATH_MAX], next[PATH_MAX];
    snprintf(step, PATH_MAX, "%s", path);
    for (int links = 0; links < LINKS_MAX; links++) {
        int err = find_folder(step, real);
        if (err == 0 && ruleset >= 0) {
            err = allow_path(ruleset, real, READS);
        }
        if (err < 0 || !follow(step, next)) {
            return err;
        }
        memcpy(step, next, sizeof next);
    }
    return 0;
}

/* Where the list of name servers will be, if that stays out of reach. */
static bool resolver_is_outside(char step[PATH_MAX])
{
    return allow_way(-1, FOLLOWED[0], step) < 0 && access(FOLLOWED[0], R_OK) < 0;
}

/* A file, and what may take its place. A folder that holds too much is not given away for it. */
static int allow_reading(int ruleset, const char *path)
{
    char folder[PATH_MAX];
    return allow_path(ruleset, find_folder(path, folder) < 0 ? path : folder, FS_READ_FILE);
}

/* A file that is not there yet may come, into a folder that is. */
static bool has_folder(const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    cut_to_folder(folder);
    return access(folder, F_OK) == 0;
}

/* What is read anew: where it stands, and where it really is, if that is a link. */
static int allow_files(int ruleset, const char *const *files)
{
    char real[PATH_MAX];
    int err = 0;
    for (; files && *files && err == 0; files++) {
        char absolute[PATH_MAX] = "";
        bool relative = (*files)[0] != '/' && getcwd(absolute, sizeof absolute - NAME_MAX);
        size_t len = strlen(absolute);
        snprintf(absolute + len, sizeof absolute - len, "%s%s", relative ? "/" : "", *files);
        err = has_folder(absolute) ? allow_reading(ruleset, absolute) : 0;
        if (err == 0 && realpath(*files, real)) {
            err = allow_reading(ruleset, real);
        }
    }
    return err;
}

static int allow_paths(int ruleset, uint64_t handled, const struct sandbox_rules *rules)
{
    char step[PATH_MAX];
    int err = allow_file(ruleset, rules->ca_file);
    err = err < 0 ? err : allow_file(ruleset, rules->rules_file);
    for (size_t i = 0; i < sizeof READABLE / sizeof *READABLE && err == 0; i++) {
        err = allow_path(ruleset, READABLE[i], READS);
    }
    for (size_t i = 0; i < sizeof FOLLOWED / sizeof *FOLLOWED && err == 0; i++) {
        err = allow_way(ruleset, FOLLOWED[i], step);
        if (err == -EACCES) { /* the file itself, if it is there */
            err = allow_path(ruleset, FOLLOWED[i], READS);
        }
    }
    err = err < 0 ? err : allow_files(ruleset, rules->files);
    err = err < 0 ? err : allow_files(ruleset, rules->other_files);
    if (err == 0 && rules->state_dir) {
        err = allow_path(ruleset, rules->state_dir, (READS | WRITES) & handled);
    }
    return err;
}

static int restrict_files(const struct sandbox_rules *rules)
{
    /* Handling a right that the kernel does not know is an error, so ask what it knows. */
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
    /* Both: a dump goes to a pipe (core_pattern) whatever the limit, but not if undumpable. */
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

/*
 * glibc's resolver loads modules at the first look-up (nsswitch.conf), and inside that is
 * over. This one asks nobody: the thread has no name servers.
 */
static void load_resolver(void)
{
#ifdef __GLIBC__
    struct addrinfo *list;
    if (res_init() == 0) {
        _res.nscount = 0;
        if (getaddrinfo("absent.invalid", NULL, NULL, &list) == 0) {
            freeaddrinfo(list);
        }
        res_init();
    }
#endif
}

int sandbox_enter(const struct sandbox_rules *rules, struct why *why)
{
    if (SANITIZED) {
        return why_set(why, -ENOTSUP, "a program built with sanitizers runs without a sandbox");
    }
    /* Looked for before anything is restricted: afterwards all of it would be out of sight. */
    int first = 0;
    char step[PATH_MAX];
    bool is_outside = resolver_is_outside(step);
    load_resolver();
    char missing[sizeof why->text / 2];
    struct text text = text_over(missing, sizeof missing);
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++) {
        int err = PARTS[i].enter(rules);
        if (err < 0) {
            text_add(&text, "%s%s (%s)", first < 0 ? ", " : "", PARTS[i].name, strerror(-err));
            first = first < 0 ? first : err;
        }
    }
    if (first < 0) {
        return why_set(why, first, "the sandbox is not complete: this kernel does not have: %s",
                       missing);
    }
    if (is_outside) {
        return why_set(why, -ENOENT,
                       "look-ups may fail: %s leads to %.200s, which does not exist yet and is "
                       "outside the sandbox",
                       FOLLOWED[0], step);
    }
    return 0;
}
