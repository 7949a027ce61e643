/*
 * An env file as somebody might write it: it is read or refused with a line, a
 * value that was read is one that the table takes, and a secret is never said.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/host.h"
#include "base/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct values {
    char text[21], host[HOST_MAX + 1], secret[9];
    long number;
    uint16_t port;
};

/* Takes only what begins with a sign that is nowhere in a message. */
static int parse_secret(const struct setting *setting, const char *text, void *field,
                        struct why *why)
{
    return text[0] == '^' ? setting_text(setting, text, field, why) : -EINVAL;
}

#define FIELD(name) .offset = offsetof(struct values, name)

static const struct setting_type SECRET = {parse_secret, 0, NULL, NULL};

static const struct setting ROWS[] = {
    {"A", "a", "some text", &SETTING_TEXT, FIELD(text), .max = 20},
    {"B", "b", "a host", &SETTING_HOST, FIELD(host), .max = HOST_MAX},
    {"C", "7", "a number", &SETTING_NUMBER, FIELD(number), .min = 1, .max = 99},
    {"D", "1", "a port", &SETTING_PORT, FIELD(port), .min = 1, .max = 65535},
    {"E", "^", "a secret", &SECRET, FIELD(secret), .max = 8, .secret = true},
};

static const struct settings_table TABLES[] = {{ROWS, sizeof ROWS / sizeof *ROWS, 0}, {NULL, 0, 0}};

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check(const struct settings_source *source)
{
    struct values values = {0};
    struct why why = {""};
    if (settings_load(source, TABLES, &values, &why) == 0) {
        require(values.number >= 1 && values.number <= 99 && values.port >= 1);
        require(host_kind(values.host) != HOST_INVALID && values.secret[0] == '^');
        require(strlen(values.text) <= 20 && strlen(values.secret) <= 8);
    } else {
        require(why.text[0]);
        require(strncmp(why.text, "E is ", 5) != 0 || strstr(why.text, "not shown)"));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int file = -1; /* the content of the env file */
    char path[32];
    struct settings_source *source = NULL;
    struct why why = {""};
    if (memmem(data, size, "_FILE", 5)) {
        return 0; /* it would read any file of this machine */
    }
    if (file < 0) {
        file = memfd_create("env", MFD_CLOEXEC);
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    require(file >= 0 && ftruncate(file, 0) == 0);
    require(pwrite(file, data, size, 0) == (ssize_t)size);
    if (settings_open(path, &source, &why) == 0) {
        check(source);
    } else {
        require(!source && why.text[0]);
    }
    settings_close(source);
    return 0;
}
