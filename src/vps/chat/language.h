/*
 * language: what people read in their own language. The program speaks English, where its words
 * are needed; a table for each other language has what its phrases are there (german.def). Texts
 * that know their reader (base/text, translate) look their formats up by themselves, and what no
 * table has stays English.
 */
#ifndef PAMTUNNEL_VPS_CHAT_LANGUAGE_H
#define PAMTUNNEL_VPS_CHAT_LANGUAGE_H

#include "base/text.h"

enum language { LANGUAGE_ENGLISH, LANGUAGE_GERMAN, LANGUAGE_COUNT };

/* By the code that a person's app gives: "de", "de-AT"; NULL, or none of ours: English. */
enum language language_of(const char *code);
/* "de" */
const char *language_code(enum language language);
/* What this phrase of the program is there; the phrase itself, if nobody has translated it. */
const char *language_phrase(enum language language, const char *phrase)
    __attribute__((format_arg(2)));
/*
 * The same of a sentence that was put together below the chat, about why something failed: rows
 * SENTENCE of a table are what it may look like, and what is put into one may be another. Returns
 * dst, or the sentence itself.
 */
const char *language_sentence(const struct text *reader, const char *sentence, char *dst,
                              size_t size);
/* As text_over(), for somebody who reads it in this language. */
struct text language_text(enum language language, char *buffer, size_t size);

/* For tests: the rows of a table, one after the other. False at the end. */
struct phrase {
    const char *english, *other;
    bool is_sentence;
};
bool language_row(enum language language, unsigned number, struct phrase *ret_phrase);

#endif
