#include "shared/gateway_name.h"

#include <string.h>
#include <strings.h>

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

bool gateway_name_is_valid(const char *text)
{
    size_t len = strlen(text);
    if (len < 1 || len > GATEWAY_NAME_MAX || !is_alnum(text[0])) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_alnum(text[i]) && !strchr("._-", text[i])) {
            return false;
        }
    }
    return true;
}

/*
 * People write names as they like, and a gateway that logs in as Office takes the place of office:
 * two that differ in case alone would be one to some parts and two to others.
 */
bool gateway_name_equal(const char *a, const char *b)
{
    return strcasecmp(a, b) == 0;
}
