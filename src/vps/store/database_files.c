/* The files of a database, without opening it as one. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vps/store/database.h"

enum { SIDE_NAME_MAX = 32, ASIDE_MOST = 9 };

/* What SQLite keeps beside PATH. */
static const char *const SIDES[] = {"", "-wal", "-shm", "-journal"};

/* ".damaged", or where there is one ".damaged.2" and so on: an older one may be the fuller one. */
static void name_aside(const char *path, char name[SIDE_NAME_MAX])
{
    char to[PATH_MAX + SIDE_NAME_MAX];
    snprintf(name, SIDE_NAME_MAX, ".damaged");
    for (unsigned i = 2; i <= ASIDE_MOST; i++) {
        snprintf(to, sizeof to, "%s%s", path, name);
        if (access(to, F_OK) < 0) {
            return;
        }
        snprintf(name, SIDE_NAME_MAX, ".damaged.%u", i);
    }
}

int database_put_aside(const char *path)
{
    char name[SIDE_NAME_MAX];
    int err = 0;
    name_aside(path, name);
    for (size_t i = 0; i < sizeof SIDES / sizeof *SIDES; i++) {
        char from[PATH_MAX], to[PATH_MAX + 2 * SIDE_NAME_MAX];
        snprintf(from, sizeof from, "%s%s", path, SIDES[i]);
        snprintf(to, sizeof to, "%s%s%s", path, name, SIDES[i]);
        unlink(to); /* of an older one, which may have had more files */
        if (rename(from, to) < 0 && errno != ENOENT && err == 0) {
            err = -errno;
        }
    }
    return err;
}

int database_peek(const char *path, unsigned *ret_schema)
{
    static const char MAGIC[16] = "SQLite format 3";
    enum { HEADER_SIZE = 100, USER_VERSION = 60 };
    uint8_t header[HEADER_SIZE];
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    ssize_t got = read(fd, header, sizeof header);
    int err = got < 0 ? -errno : 0;
    close(fd);
    if (err == 0 && got == 0) {
        *ret_schema = 0; /* one that was only just made */
        return 0;
    }
    if (err == 0 && (got < HEADER_SIZE || memcmp(header, MAGIC, sizeof MAGIC) != 0)) {
        err = -EUCLEAN;
    }
    if (err == 0) {
        const uint8_t *at = header + USER_VERSION;
        *ret_schema = (unsigned)at[0] << 24 | (unsigned)at[1] << 16 | (unsigned)at[2] << 8 | at[3];
    }
    return err;
}
