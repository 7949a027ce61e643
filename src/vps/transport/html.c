#include "vps/transport/html.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/entity.h"

enum { SENTENCE_MAX = 640 }; /* and no word is longer */

void html_add(struct text *html, const char *plain)
{
    entity_add(html, plain);
}

void html_add_in_tag(struct text *html, const char *tag, const char *plain)
{
    text_add(html, "<%s>", tag);
    html_add(html, plain);
    text_add(html, "</%s>", tag);
}

/*
 * Telegram turns words that look like it into links, mentions, hashtags and commands, and
 * the reader cannot tell them from ours.
 */
static bool is_telling(const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool inside = i + 1 < len;
        if (strchr("/@#$\\", word[i]) || (unsigned char)word[i] >= 0x80 ||
            (inside && strchr(".:", word[i]))) {
            return true;
        }
    }
    return false;
}

static void add_code(struct text *html, const char *plain, size_t len)
{
    char word[SENTENCE_MAX];
    snprintf(word, sizeof word, "%.*s", (int)len, plain);
    html_add_in_tag(html, "code", word);
}

/* The end of a word, without the punctuation behind it. */
static size_t word_len(const char *at)
{
    size_t len = strcspn(at, " \n");
    while (len > 0 && strchr(",;.:!?", at[len - 1])) {
        len--;
    }
    return len;
}

/*
 * A word at a time: its length is what decides whether it looks like a link, and a tag must not
 * take in the full stop behind it, which would be copied with the address.
 */
void html_add_words(struct text *html, const char *plain)
{
    const size_t quote = strlen("“");
    while (*plain) {
        size_t len = word_len(plain);
        if (strncmp(plain, "“", quote) == 0) {
            plain += quote;
            const char *end = strstr(plain, "”");
            len = end ? (size_t)(end - plain) : strlen(plain);
            add_code(html, plain, len);
            plain += end ? len + quote : len;
        } else if (is_telling(plain, len)) {
            add_code(html, plain, len);
            plain += len;
        } else {
            char word[SENTENCE_MAX];
            len += strspn(plain + len, " \n,;.:!?");
            snprintf(word, sizeof word, "%.*s", (int)len, plain);
            html_add(html, word);
            plain += len;
        }
    }
}

void html_add_sentence(struct text *html, const char *plain)
{
    char words[SENTENCE_MAX];
    snprintf(words, sizeof words, "%s", plain);
    size_t len = strlen(words);
    if (words[0] >= 'a' && words[0] <= 'z') {
        words[0] = (char)(words[0] - 'a' + 'A');
    }
    html_add_words(html, words);
    if (len > 0 && !strchr(".!?", words[len - 1])) {
        text_add(html, ".");
    }
}
