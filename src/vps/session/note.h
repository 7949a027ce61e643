/*
 * note: what did not go well last in a session, and was not its end: a clause for its user.
 * It is past once a connection works that came later.
 */
#ifndef PAMTUNNEL_VPS_SESSION_NOTE_H
#define PAMTUNNEL_VPS_SESSION_NOTE_H

#include <stdbool.h>

/* Zero-initialised is ready for use. */
struct note {
    char *text;     /* NULL: none */
    unsigned count; /* how many there were */
    unsigned after; /* so many connections had come when it was made; UINT_MAX: never past */
};

/*
 * Replaces the one before. False if that one says the same. passes: false if a connection that
 * works says nothing about it.
 */
bool note_set(struct note *note, bool passes, const char *text, unsigned connections);
/* The connection of this number, counted from 1, works. Forgets the note if it is past then. */
void note_review(struct note *note, unsigned working);
/* The note, unless it is past while the connection of this number (0: none) works. */
const char *note_text(const struct note *note, unsigned working);
void note_done(struct note *note);

#endif
