#include "vps/chat/language.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define PHRASE(english, other) {english, other},
static const struct phrase GERMAN[] = {
#include "vps/chat/german.def"
};
#undef PHRASE

static const struct {
    const char *code;
    const struct phrase *phrases;
    unsigned count;
} LANGUAGES[LANGUAGE_COUNT] = {
    [LANGUAGE_ENGLISH] = {"en", NULL, 0},
    [LANGUAGE_GERMAN] = {"de", GERMAN, sizeof GERMAN / sizeof *GERMAN},
};

enum language language_of(const char *code)
{
    size_t len = code ? strcspn(code, "-_") : 0;
    for (unsigned i = 0; i < LANGUAGE_COUNT; i++) {
        if (strlen(LANGUAGES[i].code) == len && strncasecmp(LANGUAGES[i].code, code, len) == 0) {
            return (enum language)i;
        }
    }
    return LANGUAGE_ENGLISH;
}

const char *language_code(enum language language)
{
    return LANGUAGES[language].code;
}

bool language_row(enum language language, unsigned number, struct phrase *ret_phrase)
{
    if (number >= LANGUAGES[language].count) {
        return false;
    }
    *ret_phrase = LANGUAGES[language].phrases[number];
    return true;
}

/* One by one: some hundred, of which mostly the first letter is compared, a few times a message. */
const char *language_phrase(enum language language, const char *phrase)
{
    for (unsigned i = 0; i < LANGUAGES[language].count; i++) {
        if (strcmp(LANGUAGES[language].phrases[i].english, phrase) == 0) {
            return LANGUAGES[language].phrases[i].other;
        }
    }
    return phrase;
}

static const char *in_german(const char *phrase)
{
    return language_phrase(LANGUAGE_GERMAN, phrase);
}

struct text language_text(enum language language, char *buffer, size_t size)
{
    struct text text = text_over(buffer, size);
    text.translate = language == LANGUAGE_GERMAN ? in_german : NULL;
    return text;
}
