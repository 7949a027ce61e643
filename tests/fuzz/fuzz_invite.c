/* Join strings: what is taken is exactly what would be written for it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shared/invite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), again[INVITE_TEXT_MAX];
    struct invite invite;
    struct why why = {""};
    check(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    if (invite_decode(text, &invite, &why) == 0) {
        check(invite_encode(&invite, again) == 0);
        check(strncmp(text + strspn(text, " \t\n\v\f\r"), again, strlen(again)) == 0);
    } else {
        check(why.text[0] != '\0');
    }
    /* What is taken out of a paste is never longer, and taking it out again changes nothing. */
    size_t before = strlen(text);
    invite_goes_on(text);
    invite_extract(text);
    size_t after = strlen(text);
    check(after <= before);
    invite_extract(text);
    check(strlen(text) == after);
    free(text);
    return 0;
}
