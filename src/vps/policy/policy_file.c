/*
 * Each map of the file has a table of its keys, in the order in which they are read: rules speak of
 * users and targets, wherever these stand in the file. A key's reader fills the struct that the
 * table is for. Whatever is not in a table is refused: a mistake in a word must not open, nor
 * close, anything by itself.
 *
 * What was read so far belongs to the policy at any moment, so that policy_free() is all there is
 * to do after an error.
 */
#include "vps/policy/policy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret_file.h"
#include "vps/policy/policy_doubts.h"
#include "vps/policy/policy_sections.h"

/* ---- the whole file ----------------------------------------------------------------- */

static int read_timezone(struct reader *reader, const struct node *node, void *into)
{
    struct why why;
    (void)into;
    int err = schema_expect(reader, node, NODE_TEXT, "timezone", "a zone like Europe/Berlin");
    if (err == 0 && zone_new(reader->zones, node->text, &reader->policy->zone, &why) < 0) {
        err = schema_refuse(reader, node, "timezone is \"%.40s\": %s", node->text, why.text);
    }
    return err;
}

static const struct key FILE_KEYS[] = {
    {"timezone", read_timezone, NULL},
    {"users", policy_read_users, "names, each with its keys below"},
    {"targets", policy_read_targets, NULL},
    {"rules", policy_read_rules, NULL},
};

int policy_parse(const char *name, const char *text, size_t len, const char *zones,
                 struct policy **ret_policy, struct why *why)
{
    struct policy *policy = calloc(1, sizeof *policy);
    if (!policy) {
        return why_set(why, -ENOMEM, "%.120s: out of memory", name);
    }
    struct reader reader = {.policy = policy, .zones = zones, .why = why};
    int err = document_parse(name, text, len, &policy->document, why);
    if (err == 0) {
        err = SCHEMA_MAP(&reader, document_root(policy->document), "a policy", FILE_KEYS, policy);
    }
    err = err < 0 ? err : policy_find_doubts(policy, name);
    if (err < 0) {
        policy_free(policy);
        return err;
    }
    *ret_policy = policy;
    return 0;
}

/* ---- reading it ----------------------------------------------------------------------- */

/* Of the bytes that are read, and not of a name that could be turned to another file meanwhile. */
static int check_rights(int fd, const char *path, struct why *why)
{
    struct stat file;
    struct why closer;
    if (fstat(fd, &file) < 0) {
        return why_set(why, -errno, "cannot read %.120s: %s", path, strerror(errno));
    }
    if (!S_ISREG(file.st_mode)) {
        return why_set(why, -EINVAL, "%.120s is not a file", path);
    }
    if ((file.st_mode & S_IWOTH) ||
        ((file.st_mode & S_IWGRP) && file.st_gid != 0 && file.st_gid != getegid())) {
        return why_set(why, -EPERM, "others may write to %.120s: chmod go-w mends that", path);
    }
    return secret_file_is_safe(path, &closer) < 0
               ? why_set(why, -EPERM, "others can change the policy: %.200s", closer.text)
               : 0;
}

static int read_whole(int fd, char *buffer, size_t size, size_t *ret_len)
{
    size_t len = 0;
    ssize_t got;
    while (len < size && (got = read(fd, buffer + len, size - len)) > 0) {
        len += (size_t)got;
    }
    *ret_len = len;
    return len < size && got < 0 ? -errno : 0;
}

int policy_load(const char *path, struct policy **ret_policy, struct why *why)
{
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would hold us up */
    if (fd < 0) {
        return why_set(why, -errno, "cannot read %.120s: %s", path, strerror(errno));
    }
    char *buffer = malloc(DOCUMENT_SIZE_MAX + 1);
    int err = buffer ? check_rights(fd, path, why) : why_set(why, -ENOMEM, "out of memory");
    if (err == 0 && (err = read_whole(fd, buffer, DOCUMENT_SIZE_MAX + 1, &len)) < 0) {
        err = why_set(why, err, "cannot read %.120s: %s", path, strerror(-err));
    }
    close(fd);
    err = err < 0 ? err : policy_parse(path, buffer, len, ZONE_FOLDER, ret_policy, why);
    free(buffer);
    return err;
}
