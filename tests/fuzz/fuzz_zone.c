/* A file of a time zone, or a rule: it is read or refused, and what is read has an answer for any time. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vps/policy/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(struct zone *zone)
{
    static const int64_t TIMES[] = {0, -86400, 951782400, 1795694400, 4102444800, 253402300799};
    for (size_t i = 0; i < sizeof TIMES / sizeof *TIMES; i++) {
        zone_offset(zone, TIMES[i]);
    }
    zone_free(zone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zone *zone = NULL;
    if (zone_read(data, size, &zone) == 0) {
        ask(zone);
    } else if (zone) {
        abort();
    }
    struct why why = {""};
    char *rule = calloc(1, size + 1);
    zone = NULL;
    if (!rule) {
        abort();
    }
    if (size > 0) {
        memcpy(rule, data, size);
    }
    if (zone_new("/nonexistent", rule, &zone, &why) == 0) {
        ask(zone);
    } else if (zone || !why.text[0]) {
        abort();
    }
    free(rule);
    return 0;
}
