#include "vps/session/note.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static bool is_past(const struct note *note, unsigned working)
{
    return working > note->after;
}

bool note_set(struct note *note, bool passes, const char *text, unsigned connections)
{
    note->after = passes ? connections : UINT_MAX;
    if (note->text && strcmp(note->text, text) == 0) {
        return false;
    }
    free(note->text);
    note->text = strdup(text); /* without memory it is in the log alone */
    note->count++;
    return true;
}

const char *note_text(const struct note *note, unsigned working)
{
    return is_past(note, working) ? NULL : note->text;
}

void note_review(struct note *note, unsigned working)
{
    if (is_past(note, working)) {
        note_done(note);
    }
}

void note_done(struct note *note)
{
    free(note->text);
    note->text = NULL;
}
