/*
 * ALLOWED_TARGETS as somebody might write it: whatever it holds, it is read or
 * refused, and what is read never opens the gateway itself by accident.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/targets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool allows(const struct targets *targets, const char *address, uint16_t port)
{
    struct addr addr;
    return addr_parse(address, port, &addr) == 0 && targets_allow_addr(targets, &addr);
}

/* A list in which nobody wrote an address of loopback does not allow loopback. */
static void check(const struct targets *targets, const char *text)
{
    targets_allow_name(targets, "HOME-PC", 3389);
    if (allows(targets, "10.0.0.1", 0) || allows(targets, "fd00::1", 0)) {
        abort();
    }
    bool written = strstr(text, "127.") || strcasestr(text, "ffff:7f"); /* IPv4 in IPv6 */
    if (!written && allows(targets, "127.0.0.1", 22)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct targets *targets = NULL;
    struct why why = {""};
    if (!text) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    if (targets_parse(text, &targets, &why) == 0) {
        check(targets, text);
    } else if (targets || !why.text[0]) {
        abort();
    }
    targets_free(targets);
    free(text);
    return 0;
}
