#include "vps/chat/language.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define PHRASE(english, other)   {english, other, false},
#define SENTENCE(english, other) {english, other, true},
static const struct phrase GERMAN[] = {
#include "vps/chat/german.def"
};
#undef SENTENCE
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

/* ---- sentences from below ---------------------------------------------------- */

/* NESTED_MAX: a reason in a sentence, and what the system says in that reason; or a list. */
enum { FACTS_MAX = 9, FACT_SIZE = 512, NESTED_MAX = 4 };

/* What stands in the place of the placeholders. */
struct facts {
    struct fact {
        const char *start;
        size_t len;
    } list[FACTS_MAX];
    unsigned count;
};

/* Behind a placeholder: "%.64s", "%2$u". *number (may be NULL): which one it is, from 0. */
static const char *skip_placeholder(const char *at, unsigned *number)
{
    at++;
    if (at[0] >= '1' && at[0] <= '9' && at[1] == '$') {
        if (number) {
            *number = (unsigned)(at[0] - '1');
        }
        at += 2;
    }
    at += strspn(at, "0123456789.lhz");
    return *at ? at + 1 : at;
}

/* The words of a form up to its next placeholder stand here. Returns how many, or SIZE_MAX. */
static size_t match_words(const char *form, const char *at)
{
    size_t len = strcspn(form, "%");
    return strncmp(form, at, len) == 0 ? len : SIZE_MAX;
}

/*
 * Where these words begin at the earliest; the last ones of a form end the sentence, in which an
 * address has full stops as well. NULL: nowhere.
 */
static const char *find_words(const char *form, const char *at)
{
    size_t len = strcspn(form, "%"), left = strlen(at);
    if (!form[len]) {
        return left >= len && strcmp(at + left - len, form) == 0 ? at + left - len : NULL;
    }
    while (*at && (len == 0 || strncmp(form, at, len) != 0)) {
        at++;
    }
    return len == 0 || strncmp(form, at, len) == 0 ? at : NULL;
}

/* The shortest that fits, from left to right: names and numbers hold no words of ours. */
static bool match(const char *form, const char *sentence, struct facts *ret_facts)
{
    size_t len = match_words(form, sentence);
    ret_facts->count = 0;
    while (len != SIZE_MAX) {
        form += len;
        sentence += len;
        if (!*form) {
            return !*sentence;
        }
        form = skip_placeholder(form, NULL);
        const char *end = find_words(form, sentence);
        if (!end || end == sentence || ret_facts->count == FACTS_MAX) {
            return false;
        }
        ret_facts->list[ret_facts->count++] = (struct fact){sentence, (size_t)(end - sentence)};
        sentence = end;
        len = match_words(form, sentence);
    }
    return false;
}

static void add_sentence(const struct text *reader, const char *sentence, unsigned depth,
                         struct text *text);

/* A name is no sentence, whatever it is; several words may be one of ours within another. */
static void add_fact(const struct text *reader, const struct fact *fact, unsigned depth,
                     struct text *text)
{
    char words[FACT_SIZE];
    struct text copy = text_over(words, sizeof words);
    text_add(&copy, "%.*s", (int)fact->len, fact->start);
    if (depth == 0 || copy.cut || !strchr(words, ' ')) {
        text_add(text, "%.*s", (int)fact->len, fact->start);
    } else {
        add_sentence(reader, words, depth - 1, text);
    }
}

/* What stands in quotes is somebody else's words, and stays. */
static bool is_quoted(const char *start, const char *at)
{
    static const char MARK[] = "“";
    size_t len = sizeof MARK - 1;
    return (size_t)(at - start) >= len && memcmp(at - len, MARK, len) == 0;
}

static void fill_in(const struct text *reader, const char *form, const struct facts *facts,
                    unsigned depth, struct text *text)
{
    const char *start = form;
    unsigned next = 0;
    while (*form) {
        size_t len = strcspn(form, "%");
        text_add(text, "%.*s", (int)len, form);
        form += len;
        if (*form) {
            unsigned number = next++;
            bool quoted = is_quoted(start, form);
            form = skip_placeholder(form, &number);
            add_fact(reader, &facts->list[number < facts->count ? number : 0], quoted ? 0 : depth,
                     text);
        }
    }
}

/* Which row it is of, and what stands in its placeholders. NULL: none. */
static const struct phrase *find_form(enum language language, const char *sentence,
                                      struct facts *ret_facts)
{
    for (unsigned i = 0; i < LANGUAGES[language].count; i++) {
        const struct phrase *row = &LANGUAGES[language].phrases[i];
        if (row->is_sentence && match(row->english, sentence, ret_facts)) {
            return row;
        }
    }
    return NULL;
}

static void add_sentence(const struct text *reader, const char *sentence, unsigned depth,
                         struct text *text)
{
    enum language language = reader->translate == in_german ? LANGUAGE_GERMAN : LANGUAGE_ENGLISH;
    struct facts facts;
    const struct phrase *row = find_form(language, sentence, &facts);
    if (row) {
        fill_in(reader, row->other, &facts, depth, text);
    } else {
        text_add(text, "%s", text_phrase(reader, sentence));
    }
}

const char *language_sentence(const struct text *reader, const char *sentence, char *dst,
                              size_t size)
{
    struct text text = text_over(dst, size);
    if (!reader->translate) {
        return sentence;
    }
    add_sentence(reader, sentence, NESTED_MAX, &text);
    return dst;
}
