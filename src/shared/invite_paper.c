#include "shared/invite_paper.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { SPAN_DIGITS = 4 };

/* Each with nothing around it: both are there to be copied. */
void invite_print(const char *gateway, int64_t until, const char *string)
{
    char when[CLOCK_TEXT_MAX], before[CLOCK_TEXT_MAX + 32] = "";
    if (until) {
        snprintf(before, sizeof before, ", and use it before %s", clock_text(until, when));
    }
    fprintf(stderr,
            "On the gateway, run this command, and paste the string when it asks for it.\n"
            "The string holds the key of %s: show it to nobody%s.\n\n",
            gateway, before);
    printf("sudo gateway-agent --join -\n\n%s\n", string);
    fflush(stdout);
}

int invite_read_span(const char *text, int64_t *ret_seconds, struct why *why)
{
    static const struct {
        char unit;
        int seconds;
    } UNITS[] = {{'m', 60}, {'h', 3600}, {'d', 86400}};
    size_t digits = strspn(text, "0123456789");
    if (strcmp(text, "0") == 0) {
        *ret_seconds = 0;
        return 0;
    }
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        if (digits > 0 && digits <= SPAN_DIGITS && text[digits] == UNITS[i].unit &&
            !text[digits + 1]) {
            *ret_seconds = strtoll(text, NULL, 10) * UNITS[i].seconds;
            return *ret_seconds > 0 ? 0 : why_set(why, -EINVAL, "--valid 0 means forever");
        }
    }
    return why_set(why, -EINVAL, "--valid takes a time like 30m, 24h or 7d, or 0 for forever");
}
