/*
 * What a gateway says a target's host key is. What is taken ends up in commands that people paste
 * into a shell and in known_hosts, so nothing is in it but one type, one blank and base64; and it
 * is kept as it came, since ssh compares it with what the target shows.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vps/grant/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds) {
        abort();
    }
}

static void check_key(const char *key)
{
    static const char LETTERS[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-";
    size_t type = strspn(key, LETTERS);
    check(key[type] == ' ' && strncmp(key, "-", 1) != 0);
    check(key[type + 1 + strspn(key + type + 1, LETTERS)] == '\0');
    check(strlen(key) <= IDENTITY_KEY_MAX);
}

static void check_identity(const struct identity *identity)
{
    char text[IDENTITY_TEXT_MAX];
    struct identity again;
    check(strlen(identity_text(identity, text)) == sizeof "SHA256:" - 1 + 43);
    check(identity_algorithm(identity)[0] != '\0');
    if (identity_copy(identity, &again) == 0) {
        check(identity_equal(identity, &again));
        identity_done(&again);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *key = malloc(size + 1);
    struct identity identity;
    if (!key) {
        return 0;
    }
    memcpy(key, data, size);
    key[size] = '\0';
    int err = identity_of_key(key, &identity);
    check(err == 0 || err == -EINVAL || err == -ENOMEM);
    if (err == 0) {
        check(strcmp(identity.key, key) == 0);
        check_key(key);
        check_identity(&identity);
        identity_done(&identity);
    }
    free(key);
    return 0;
}
