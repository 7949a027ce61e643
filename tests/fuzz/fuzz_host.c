/*
 * What a user types behind /ssh: whatever it is, what is taken from it is safe
 * in a command line, in HTML and in a log, and reads the same when written out.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/net.h"
#include "shared/gateway_name.h"
#include "shared/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ALNUM "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_host(const char *host)
{
    enum host_kind kind = host_kind(host);
    struct addr addr;
    require(kind != HOST_INVALID && host[0] != '-');
    require(strspn(host, kind == HOST_IPV6 ? ALNUM ".:" : ALNUM ".-_") == strlen(host));
    require((kind == HOST_NAME) == (addr_parse(host, 1, &addr) < 0));
}

/* Safe between double quotes in every shell, and taken by OpenSSH. */
static void check_user(const char *user)
{
    size_t len = strlen(user);
    require(strspn(user, ALNUM "._-+\\@ ") == len);
    require(len == 0 || strchr(ALNUM "_", user[0]));
    require(len == 0 || !strchr("\\@ ", user[len - 1]));
    require(!strstr(user, " -") && !strstr(user, "\\\\"));
    require(!user_name_is_plain(user) || !strpbrk(user, "\\@+ "));
}

static void check(const struct target *target)
{
    char text[TARGET_TEXT_MAX];
    struct target again;
    check_host(target->host);
    require(target->port > 0);
    check_user(target->user);
    require(!target->gateway[0] || gateway_name_is_valid(target->gateway));
    target_format(target->host, target->port, text);
    require(target_parse(text, 1, &again, NULL) == 0);
    require(strcmp(target->host, again.host) == 0 && target->port == again.port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct target target;
    struct why why = {""};
    if (!text) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    if (target_parse(text, 22, &target, &why) == 0) {
        check(&target);
    } else {
        require(why.text[0]);
    }
    free(text);
    return 0;
}
