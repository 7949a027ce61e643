#include "base/journal.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct journal {
    int fd;
    struct sockaddr_un addr;
};

static int journal_connect(const struct journal *journal)
{
    return connect(journal->fd, (const struct sockaddr *)&journal->addr, sizeof journal->addr) < 0
               ? -errno
               : 0;
}

struct journal *journal_open(const char *path)
{
    struct journal *journal = calloc(1, sizeof *journal);
    if (!journal) {
        return NULL;
    }
    journal->addr.sun_family = AF_UNIX;
    snprintf(journal->addr.sun_path, sizeof journal->addr.sun_path, "%s", path);
    journal->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (journal->fd < 0 || journal_connect(journal) < 0) {
        journal_close(journal);
        return NULL;
    }
    return journal;
}

void journal_close(struct journal *journal)
{
    if (journal) {
        if (journal->fd >= 0) {
            close(journal->fd);
        }
        free(journal);
    }
}

/* ---- records --------------------------------------------------------------- */

struct record {
    size_t len;
    bool cut;
    char bytes[JOURNAL_RECORD_MAX];
};

static void put(struct record *record, const void *bytes, size_t len)
{
    record->cut |= len > sizeof record->bytes - record->len;
    if (!record->cut) {
        memcpy(record->bytes + record->len, bytes, len);
        record->len += len;
    }
}

/* NAME=value, or where that has lines NAME, its length as 64 bits little-endian, and the bytes. */
static void put_field(struct record *record, const struct journal_field *field)
{
    size_t len = strlen(field->value);
    put(record, field->name, strlen(field->name));
    if (strchr(field->value, '\n')) {
        uint8_t size[8];
        for (unsigned i = 0; i < sizeof size; i++) {
            size[i] = (uint8_t)((uint64_t)len >> (8 * i));
        }
        put(record, "\n", 1);
        put(record, size, sizeof size);
    } else {
        put(record, "=", 1);
    }
    put(record, field->value, len);
    put(record, "\n", 1);
}

void journal_send(struct journal *journal, const struct journal_field *fields, size_t count)
{
    struct record record;
    record.len = 0;
    record.cut = false;
    for (size_t i = 0; i < count; i++) {
        if (fields[i].value && fields[i].value[0]) {
            put_field(&record, &fields[i]);
        }
    }
    if (!journal || record.cut) {
        return;
    }
    /* A journal that was started anew has a new socket under the old name. */
    if (send(journal->fd, record.bytes, record.len, MSG_NOSIGNAL) < 0 && errno != EAGAIN &&
        journal_connect(journal) == 0) {
        send(journal->fd, record.bytes, record.len, MSG_NOSIGNAL);
    }
}
