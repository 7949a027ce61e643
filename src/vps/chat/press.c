#include "vps/chat/press.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    bool has_number;
} VERBS[] = {
    [PRESS_CLOSE] = {"close", false},   [PRESS_MORE] = {"more", false},
    [PRESS_ADMIT] = {"admit", true},    [PRESS_BLOCK] = {"block", true},
    [PRESS_WHO_WAITS] = {"who", false},
};

char *press_format(enum press_verb verb, const char *id, unsigned number, char *dst)
{
    if (VERBS[verb].has_number) {
        snprintf(dst, PRESS_DATA_SIZE, "%s:%s:%u", VERBS[verb].name, id, number);
    } else {
        snprintf(dst, PRESS_DATA_SIZE, "%s:%s", VERBS[verb].name, id);
    }
    return dst;
}

static const char RUN[] = "run:";

int press_format_run(const char *command, char *dst)
{
    if (strlen(RUN) + strlen(command) > CALLBACK_DATA_MAX) {
        return -EMSGSIZE;
    }
    snprintf(dst, PRESS_DATA_SIZE, "%s%s", RUN, command);
    return 0;
}

/* One to nine digits, and nothing else. */
static int parse_number(const char *text, unsigned *ret_number)
{
    size_t len = strlen(text);
    if (len < 1 || len > 9 || strspn(text, "0123456789") != len) {
        return -EINVAL;
    }
    return sscanf(text, "%u", ret_number) == 1 ? 0 : -EINVAL;
}

int press_parse(const char *data, struct press *ret_press)
{
    if (strncmp(data, RUN, strlen(RUN)) == 0) {
        *ret_press = (struct press){.verb = PRESS_RUN, .command = data + strlen(RUN)};
        return 0;
    }
    for (unsigned i = 0; i < sizeof VERBS / sizeof *VERBS; i++) {
        size_t name_len = strlen(VERBS[i].name);
        if (strncmp(data, VERBS[i].name, name_len) != 0 || data[name_len] != ':') {
            continue;
        }
        struct press press = {.verb = (enum press_verb)i};
        const char *id = data + name_len + 1;
        size_t id_len = strcspn(id, ":");
        const char *rest = id + id_len;
        if (id_len < 1 || id_len > SESSION_ID_SIZE || (*rest == ':') != VERBS[i].has_number ||
            (*rest && parse_number(rest + 1, &press.number) < 0)) {
            return -EINVAL;
        }
        memcpy(press.id, id, id_len);
        *ret_press = press;
        return 0;
    }
    return -EINVAL;
}
