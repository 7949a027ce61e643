/*
 * A file holds one line, "NAME KEY\n", the key as 64 hex digits. It is written beside its place and
 * renamed there, and both it and the folder are on the disk before anybody is told: a key that the
 * VPS has and this gateway has lost would leave its name taken.
 *
 * All of it happens on the loop's thread, and waits for the disk: two small files in the life of a
 * gateway, at moments when it has no session.
 */
#include "gateway/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret_file.h"
#include "control/accord.h"

static const char KEY_FILE[] = "key";
static const char TRIAL_FILE[] = "key.new";
static const char UNFINISHED_FILE[] = "key.tmp";

enum { KEY_LINE_MAX = GATEWAY_NAME_MAX + 1 + 2 * CRYPTO_KEY_SIZE + 2 };

static char *path_of(const struct credentials *credentials, const char *file,
                     char dst[CREDENTIALS_PATH_MAX])
{
    snprintf(dst, CREDENTIALS_PATH_MAX, "%s/%s", credentials->folder, file);
    return dst;
}

char *credentials_path(const struct credentials *credentials, char dst[CREDENTIALS_PATH_MAX])
{
    return path_of(credentials, KEY_FILE, dst);
}

/* ---- reading ----------------------------------------------------------------- */

static int parse(char *line, struct credentials *credentials)
{
    char *blank = strchr(line, ' ');
    if (!blank) {
        return -EINVAL;
    }
    *blank = '\0';
    blank[1 + strcspn(blank + 1, "\n")] = '\0';
    if (!gateway_name_is_valid(line) ||
        crypto_unhex(blank + 1, credentials->key, CRYPTO_KEY_SIZE) < 0) {
        return -EINVAL;
    }
    strcpy(credentials->name, line);
    return 0;
}

/* -ENOENT: there is none. */
static int read_file(const char *path, struct credentials *credentials, struct why *why)
{
    char line[KEY_LINE_MAX + 1];
    /* A pipe would keep us waiting for somebody to write to it. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        int err = -errno;
        return err == -ENOENT ? err
                              : why_set(why, err, "cannot read %s, this gateway's key: %s%s", path,
                                        strerror(-err),
                                        err == -EACCES ? "; run gateway-agent as the user that "
                                                         "it belongs to"
                                                       : "");
    }
    ssize_t len = read(fd, line, sizeof line - 1);
    int err = len < 0 ? -errno : 0;
    close(fd);
    line[len < 0 ? 0 : len] = '\0';
    err = err < 0 ? err : parse(line, credentials);
    crypto_wipe(line, sizeof line);
    return err < 0 ? why_set(why, err,
                             "%s does not hold what pairing has left there, this gateway's name "
                             "and key: remove it, and the gateway asks to be paired anew",
                             path)
                   : secret_file_is_safe(path, why);
}

/* The one that was let in before the one that may have been. */
static int read_kept(struct credentials *credentials, struct why *why)
{
    char path[CREDENTIALS_PATH_MAX];
    int err = read_file(path_of(credentials, KEY_FILE, path), credentials, why);
    if (err == 0) {
        credentials->source = CREDENTIALS_PAIRED;
    } else if (err == -ENOENT) {
        err = read_file(path_of(credentials, TRIAL_FILE, path), credentials, why);
        credentials->source = err == 0 ? CREDENTIALS_ON_TRIAL : CREDENTIALS_NONE;
    }
    return err == -ENOENT ? 0 : err;
}

static void take_set(const struct gateway_settings *settings, struct credentials *credentials)
{
    credentials->source = CREDENTIALS_SET;
    memcpy(credentials->key, settings->tunnel_key.bytes, CRYPTO_KEY_SIZE);
}

static struct credentials begin(const struct gateway_settings *settings)
{
    struct credentials credentials = {.source = CREDENTIALS_NONE};
    snprintf(credentials.name, sizeof credentials.name, "%s", settings->gateway_name);
    snprintf(credentials.folder, sizeof credentials.folder, "%s", settings->state_dir);
    return credentials;
}

/* Whoever is in between could be called like the code that the person waits for. */
static int check_name(const struct credentials *credentials, struct why *why)
{
    if (credentials->source != CREDENTIALS_NONE || accord_name_is_plain(credentials->name)) {
        return 0;
    }
    return why_set(why, -EINVAL,
                   "a gateway that is to be paired cannot be called %s, which could be taken for "
                   "the code: give it a GATEWAY_NAME without six digits in a row",
                   credentials->name);
}

int credentials_load(const struct gateway_settings *settings, struct credentials *ret_credentials,
                     struct why *why)
{
    struct credentials credentials = begin(settings);
    int err = 0;
    if (settings->tunnel_key.given) {
        take_set(settings, &credentials);
    } else {
        err = read_kept(&credentials, why);
    }
    err = err < 0 ? err : check_name(&credentials, why);
    if (err == 0) {
        *ret_credentials = credentials;
    }
    credentials_wipe(&credentials);
    return err;
}

int credentials_renew(const struct gateway_settings *settings, const struct credentials *now,
                      struct credentials *ret_after, struct why *why)
{
    if (settings->tunnel_key.given) {
        *ret_after = begin(settings);
        take_set(settings, ret_after);
        return 0;
    }
    if (now->source == CREDENTIALS_SET) {
        return why_set(why, -EINVAL,
                       "TUNNEL_KEY is not set any more: restart gateway-agent, and it goes on with "
                       "the key in STATE_DIR, or asks to be paired");
    }
    *ret_after = now->source == CREDENTIALS_NONE ? begin(settings) : *now;
    return check_name(ret_after, why);
}

/* ---- the folder -------------------------------------------------------------- */

bool credentials_need_folder(const struct credentials *credentials)
{
    return credentials->source == CREDENTIALS_NONE || credentials->source == CREDENTIALS_ON_TRIAL;
}

int credentials_prepare(const struct credentials *credentials, struct why *why)
{
    static const char ADVICE[] = "this gateway has no TUNNEL_KEY, and no place for the key that it "
                                 "gets when it is paired";
    char path[CREDENTIALS_PATH_MAX];
    struct why closer;
    if (!credentials_need_folder(credentials)) {
        return 0;
    }
    int err = state_dir_make("gateway-agent", credentials->folder, &closer);
    err = err < 0 ? err : secret_file_is_safe(path_of(credentials, KEY_FILE, path), &closer);
    return err < 0 ? why_set(why, err, "%s: %s", ADVICE, closer.text) : 0;
}

/* ---- writing ----------------------------------------------------------------- */

static int sync_folder(const struct credentials *credentials)
{
    int fd = open(credentials->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    /* Some file systems have no such thing for folders. */
    int err = fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
    close(fd);
    return err;
}

static int write_file(const char *path, const char *line)
{
    unlink(path); /* of a try that did not come to its end */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    size_t len = strlen(line);
    ssize_t put = write(fd, line, len);
    int err = put < 0 ? -errno : (size_t)put < len ? -ENOSPC : 0;
    if (err == 0 && fsync(fd) < 0) {
        err = -errno;
    }
    if (close(fd) < 0 && err == 0) {
        err = -errno;
    }
    if (err < 0) {
        unlink(path);
    }
    return err;
}

static int move(const struct credentials *credentials, const char *from, const char *to)
{
    char before[CREDENTIALS_PATH_MAX], after[CREDENTIALS_PATH_MAX];
    int err = rename(path_of(credentials, from, before), path_of(credentials, to, after)) < 0
                  ? -errno
                  : 0;
    return err < 0 ? err : sync_folder(credentials);
}

int credentials_keep(struct credentials *credentials, const uint8_t key[CRYPTO_KEY_SIZE],
                     struct why *why)
{
    char path[CREDENTIALS_PATH_MAX], hex[2 * CRYPTO_KEY_SIZE + 1], line[KEY_LINE_MAX + 1];
    crypto_hex(key, CRYPTO_KEY_SIZE, hex);
    snprintf(line, sizeof line, "%s %s\n", credentials->name, hex);
    int err = write_file(path_of(credentials, UNFINISHED_FILE, path), line);
    crypto_wipe(line, sizeof line);
    crypto_wipe(hex, sizeof hex);
    err = err < 0 ? err : move(credentials, UNFINISHED_FILE, TRIAL_FILE);
    if (err < 0) {
        return why_set(why, err, "cannot keep the key in STATE_DIR %s: %s", credentials->folder,
                       strerror(-err));
    }
    credentials->source = CREDENTIALS_ON_TRIAL;
    memcpy(credentials->key, key, CRYPTO_KEY_SIZE);
    return 0;
}

int credentials_prove(struct credentials *credentials)
{
    if (credentials->source != CREDENTIALS_ON_TRIAL) {
        return 0;
    }
    int err = move(credentials, TRIAL_FILE, KEY_FILE);
    if (err == 0) {
        credentials->source = CREDENTIALS_PAIRED;
    }
    return err;
}

void credentials_drop(struct credentials *credentials)
{
    char path[CREDENTIALS_PATH_MAX];
    if (credentials->source == CREDENTIALS_ON_TRIAL) {
        unlink(path_of(credentials, TRIAL_FILE, path));
        credentials->source = CREDENTIALS_NONE;
        credentials_wipe(credentials);
    }
}

void credentials_wipe(struct credentials *credentials)
{
    crypto_wipe(credentials->key, sizeof credentials->key);
}
