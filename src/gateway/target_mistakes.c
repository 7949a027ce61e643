#include "gateway/target_mistakes.h"

#include <errno.h>
#include <string.h>

static const char SEPARATORS[] = " \t\r\n|,";

/* What stands behind a port and is none: the next machine. */
static bool is_machine(const char *text, char mark)
{
    static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    size_t len = strcspn(text, SEPARATORS);
    return strcspn(text, ":./[") < len || (mark != ',' && strcspn(text, LETTERS) < len);
}

/* Where something else stands in the place of a ;. NULL: nowhere. */
static const char *find_separator(const char *text)
{
    /* Behind the ports a comma may still be one between ports: it depends on what follows. */
    const char *colon = strchr(text + strcspn(text, *text == '[' ? "]" : ":"), ':');
    for (const char *at = strpbrk(text, SEPARATORS); at; at = strpbrk(at + 1, SEPARATORS)) {
        bool behind_ports = colon && colon < at;
        if (behind_ports ? is_machine(at + strspn(at, SEPARATORS), *at) : !strchr(" \t", *at)) {
            return at;
        }
    }
    return NULL;
}

int target_mistakes_check(const char *text, const char *whole, struct why *why)
{
    const char *at = find_separator(text);
    if (strstr(text, "://")) {
        return why_set(why, -EINVAL,
                       "\"%s\" is a URL: an entry is a machine and its ports, like HOME-PC:22",
                       whole);
    }
    if (!at) {
        return 0;
    }
    return why_set(
        why, -EINVAL,
        "\"%s\": there is %s where a ; belongs: each machine is an entry with its own ports, "
        "10.0.0.1:22;10.0.0.2:22",
        whole,
        *at == ','   ? "a comma"
        : *at == '|' ? "a |"
        : *at == ' ' ? "a space"
                     : "a line break or tab");
}

bool target_mistakes_is_range(const char *host)
{
    unsigned dots = 0;
    for (const char *at = host; *at; at++) {
        dots += *at == '.';
    }
    return dots >= 2 && strpbrk(host, "-*") && strspn(host, "0123456789.-*") == strlen(host);
}
