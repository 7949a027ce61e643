/*
 * readers: in which language people want to be spoken to, as their apps said it last. It is kept
 * in memory: whoever has not written since the start is spoken to in English.
 */
#ifndef PAMTUNNEL_VPS_CHAT_READERS_H
#define PAMTUNNEL_VPS_CHAT_READERS_H

#include <stdint.h>

#include "vps/chat/language.h"

/* Of those who do not read English; more than that make room for each other. */
enum { READERS_MAX = 256 };

/* Zero-initialised is ready for use. */
struct readers {
    struct reader {
        int64_t person; /* 0: the place is free */
        enum language language;
    } others[READERS_MAX];
    unsigned next; /* the place to take when none is free */
};

/* This person's app says that. Of NULL all read English. */
void readers_learn(struct readers *readers, int64_t person, enum language language);
enum language readers_language(const struct readers *readers, int64_t person);
/* As text_over(): what this person will read. */
struct text readers_text(const struct readers *readers, int64_t person, char *buffer, size_t size);

#endif
