/*
 * journal: records with fields in systemd's journal (systemd.journal-fields(7)): datagrams to
 * its socket, in its native protocol. Nobody waits for it: what it does not take is lost there.
 */
#ifndef PAMTUNNEL_BASE_JOURNAL_H
#define PAMTUNNEL_BASE_JOURNAL_H

#include <stddef.h>

enum { JOURNAL_RECORD_MAX = 16 * 1024 };
#define JOURNAL_PATH "/run/systemd/journal/socket"

struct journal;

/* NULL: nobody keeps a journal there. Call it before entering a sandbox. */
struct journal *journal_open(const char *path);
/* Accepts NULL. */
void journal_close(struct journal *journal);

struct journal_field {
    const char *name;  /* capitals, digits and underscores */
    const char *value; /* NULL or empty: it is left out */
};

/* One record of all these; a longer one than JOURNAL_RECORD_MAX is left out. Accepts NULL. */
void journal_send(struct journal *journal, const struct journal_field *fields, size_t count);

#endif
