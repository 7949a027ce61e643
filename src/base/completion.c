#include "base/completion.h"

#include <stdio.h>
#include <string.h>

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

bool completion_is_asked(int argc, char *const *argv, struct completion *ret_completion)
{
    if (argc < 2 || strcmp(argv[1], COMPLETION_OPTION) != 0) {
        return false;
    }
    /* A shell with an empty word still passes it as the last argument. */
    *ret_completion = (struct completion){.words = argv + 2,
                                          .count = argc > 2 ? argc - 3 : 0,
                                          .typed = argc > 2 ? argv[argc - 1] : ""};
    return true;
}

void completion_offer(const struct completion *completion, const char *word, const char *help)
{
    if (begins(word, completion->typed)) {
        printf("%s\t%s\n", word, help ? help : "");
    }
}

bool completion_offer_value(const struct completion *completion,
                            const struct completion_option *option)
{
    size_t len = strlen(option->name);
    const char *last = completion->count > 0 ? completion->words[completion->count - 1] : "";
    /* Both forms of a value: "--out FILE" and "--out=FILE". */
    bool joined = begins(completion->typed, option->name) && completion->typed[len] == '=';
    if (!option->takes || (!joined && strcmp(last, option->name) != 0)) {
        return false;
    }
    if (strcmp(option->takes, "FILE") == 0 || strcmp(option->takes, "PATH") == 0) {
        puts("/");
    }
    return true;
}

/* "--option" or "--option=VALUE". */
static bool was_given(const struct completion *completion, const char *name)
{
    size_t len = strlen(name);
    for (int i = 0; i < completion->count; i++) {
        const char *word = completion->words[i];
        if (begins(word, name) && (word[len] == '\0' || word[len] == '=')) {
            return true;
        }
    }
    return false;
}

void completion_offer_option(const struct completion *completion,
                             const struct completion_option *option)
{
    if (!was_given(completion, option->name)) {
        completion_offer(completion, option->name, option->help);
    }
}
