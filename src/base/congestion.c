/*
 * Three questions that are easily mixed up: what the kernel has, what it lets this process choose,
 * and what the setting asks for. Whoever looks from outside (--check, --doctor) may be root, and
 * so goes by the kernel's lists; the agent itself simply tries on a socket of its own.
 *
 * No state: an agent keeps what was chosen (struct congestion), and chooses again when it reloads.
 */
#include "base/congestion.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Ways through the loopback device: whichever of its own addresses a machine talks to. */
enum { LOOPBACK_MTU = 65535 };

static const char BEST[] = "bbr";

/* ---- the setting ------------------------------------------------------------ */

static int parse(const struct setting *setting, const char *text, void *field, struct why *why)
{
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    (void)setting;
    size_t len = strlen(text);
    if (strspn(text, LETTERS) != len) {
        return why_set(why, -EINVAL, "a name only has lower-case letters, digits, _ and -");
    }
    if (len > CONGESTION_NAME_MAX) {
        return why_set(why, -EINVAL, "longer than %d characters", CONGESTION_NAME_MAX);
    }
    memcpy(field, text, len + 1);
    return 0;
}

const struct setting_type SETTING_CONGESTION = {parse, 0, NULL, NULL};

/* ---- what there is ---------------------------------------------------------- */

static void read_line(const char *folder, const char *name, char *ret_line, size_t size)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    /* A container may have no /proc/sys/net: empty then, which callers take for "does not say". */
    FILE *file = fopen(path, "re");
    ret_line[0] = '\0';
    if (file) {
        if (!fgets(ret_line, (int)size, file)) {
            ret_line[0] = '\0';
        }
        fclose(file);
    }
    ret_line[strcspn(ret_line, "\n")] = '\0';
}

struct congestion_system congestion_look(const char *folder)
{
    struct congestion_system system;
    read_line(folder, "tcp_congestion_control", system.usual, sizeof system.usual);
    read_line(folder, "tcp_available_congestion_control", system.available,
              sizeof system.available);
    read_line(folder, "tcp_allowed_congestion_control", system.allowed, sizeof system.allowed);
    return system;
}

bool congestion_is_in(const char *list, const char *name)
{
    size_t len = strlen(name);
    while (*list) {
        size_t word = strcspn(list, " ");
        if (word == len && word > 0 && memcmp(list, name, len) == 0) {
            return true;
        }
        list += word + strspn(list + word, " ");
    }
    return false;
}

/* ---- deciding --------------------------------------------------------------- */

static int give(int fd, const char *name)
{
    int done = setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name));
    return done < 0 ? -errno : 0;
}

/* The administrator may choose what is not on the list, too. */
static int try(const char *name)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    }
    if (fd < 0) {
        return -errno;
    }
    int err = give(fd, name);
    close(fd);
    return err;
}

static int refuse(int err, const char *name, const struct congestion_system *system,
                  struct why *why)
{
    const char *usual = system->usual[0] ? system->usual : "the system's";
    if (err == -EPERM) {
        return why_set(why, err, "this system lets only root choose %s; connections get %s", name,
                       usual);
    }
    return why_set(
        why, err, "this system has no %s (it has %s), or has not loaded it; connections get %s",
        name, system->available[0] ? system->available : "others that it does not list", usual);
}

/* Nothing is to be chosen. */
static bool is_usual(const char *setting, const struct congestion_system *system)
{
    const char *name = strcmp(setting, "auto") == 0 ? BEST : setting;
    return strcmp(setting, "system") == 0 || strcmp(name, system->usual) == 0;
}

int congestion_choose(const char *setting, const struct congestion_system *system,
                      struct congestion *ret_congestion, struct why *why)
{
    /* auto never complains: whoever set nothing is told by --doctor, not by each start. */
    bool automatic = strcmp(setting, "auto") == 0;
    const char *name = automatic ? BEST : setting;
    int err = 0;
    *ret_congestion = (struct congestion){0};
    if (is_usual(setting, system)) {
        return 0;
    }
    if (!congestion_is_in(system->allowed, name)) {
        err = automatic && system->allowed[0] ? -EPERM : try(name);
    }
    if (err < 0) {
        return automatic ? 0 : refuse(err, name, system, why);
    }
    snprintf(ret_congestion->name, sizeof ret_congestion->name, "%s", name);
    ret_congestion->from_us = automatic ? CONGESTION_FAR_US : 0;
    return 0;
}

int congestion_doubt(const char *setting, const struct congestion_system *system, struct why *why)
{
    /* By the list alone, not by trying: whoever checks may be root, and the agent is not. */
    bool named = strcmp(setting, "auto") != 0 && !is_usual(setting, system);
    if (!named || !system->allowed[0] || congestion_is_in(system->allowed, setting)) {
        return 0;
    }
    bool there = congestion_is_in(system->available, setting);
    return refuse(there ? -EPERM : -ENOENT, setting, system, why);
}

void congestion_add_cure(struct text *text, const char *name,
                         const struct congestion_system *system, const char *folder)
{
    bool loaded = congestion_is_in(system->available, name);
    text_add(text, "sudo sh -c '");
    if (!loaded) {
        text_add(text, "modprobe tcp_%s && ", name);
    }
    if (strcmp(name, BEST) == 0 && access(folder, R_OK) == 0) {
        text_add(text, "cp -r %s/. /etc/ && sysctl -p /etc/sysctl.d/90-pamtunnel-bbr.conf'",
                 folder);
    } else {
        text_add(text,
                 "sysctl \"net.ipv4.tcp_allowed_congestion_control=%s %s\"' (until the next boot)",
                 system->allowed, name);
    }
}

void congestion_update(struct congestion *congestion, const char *setting, const struct log *log)
{
    struct congestion_system system = congestion_look(CONGESTION_FOLDER);
    struct congestion before = *congestion;
    struct why why;
    if (congestion_choose(setting, &system, congestion, &why) < 0) {
        log_warn(log, "CONGESTION_CONTROL is \"%s\", but %s: --doctor says how to allow it",
                 setting, why.text);
    } else if (strcmp(congestion->name, before.name) != 0) {
        log_info(log, "connections to other machines get %s as their congestion control%s",
                 congestion->name[0] ? congestion->name : "the system's",
                 congestion->from_us > 0 ? " where the round trip is long" : "");
    }
}

/* ---- applying --------------------------------------------------------------- */

void congestion_apply(const struct congestion *congestion, int fd)
{
    struct tcp_info way;
    socklen_t len = sizeof way;
    if (congestion->name[0] == '\0') {
        return;
    }
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &way, &len) < 0 || len < sizeof way) {
        return;
    }
    /* 0: not measured, since packets of its handshake were lost. */
    bool is_far = way.tcpi_rtt >= congestion->from_us || way.tcpi_rtt == 0;
    if (way.tcpi_pmtu < LOOPBACK_MTU && is_far) {
        (void)give(fd, congestion->name); /* taken back meanwhile: it keeps the system's */
    }
}
