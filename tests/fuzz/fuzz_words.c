/*
 * What people type and what gateways say, where the chat looks into it: a code is six digits, a
 * sentence of a gateway's is translated or stays as it is, and nothing of either is a format.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vps/chat/language.h"
#include "vps/factor/totp.h"
#include "vps/people/invitations.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

static void check_code(const char *words)
{
    uint32_t code, same = 0;
    unsigned digits = 0;
    if (!totp_parse(words, &code)) {
        return;
    }
    for (const char *at = words; *at; at++) {
        if (isdigit((unsigned char)*at)) {
            same = same * 10 + (uint32_t)(*at - '0');
            digits++;
        }
    }
    require(digits == TOTP_DIGITS && same == code && code < 1000000);
}

static void check_sentence(const char *words)
{
    for (int i = 0; i < LANGUAGE_COUNT; i++) {
        char text[16], translated[256];
        struct text reader = language_text((enum language)i, text, sizeof text);
        const char *said = language_sentence(&reader, words, translated, sizeof translated);
        require(said == words || said == translated);
        require(said != translated || strlen(translated) < sizeof translated);
    }
}

/* A label goes into a URI, and stays in its place there. */
static void check_uri(const char *words)
{
    static const uint8_t SECRET[TOTP_SECRET_SIZE] = "twenty bytes, yes...";
    char uri[TOTP_URI_MAX], label[TOTP_LABEL_MAX + 1];
    strncpy(label, words, TOTP_LABEL_MAX);
    label[TOTP_LABEL_MAX] = '\0';
    totp_uri(SECRET, label, uri);
    require(strlen(uri) < sizeof uri &&
            strcspn(uri, "?") == strlen(uri) - strlen(strstr(uri, "?secret=")));
    require(strpbrk(uri, " \"<>#\n") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct owner somebody = {OWNER_TELEGRAM, 42};
    char *words = calloc(1, size + 1);
    require(words != NULL);
    if (size > 0) {
        memcpy(words, data, size);
    }
    check_code(words);
    check_sentence(words);
    check_uri(words);
    require(language_of(words) < LANGUAGE_COUNT);
    struct invitations *invitations = invitations_new();
    require(invitations && !invitations_open(invitations, words, &somebody));
    invitations_free(invitations);
    free(words);
    return 0;
}
