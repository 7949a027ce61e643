#include "vps/admission/http_request.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/crypto.h"

static const struct {
    const char *begin;
    enum http_method method;
} METHODS[] = {
    {"GET /", HTTP_GET},
    {"HEAD /", HTTP_HEAD},
    {"POST /", HTTP_POST},
    {"OPTIONS /", HTTP_OTHER},
};
enum { METHODS_COUNT = sizeof METHODS / sizeof *METHODS };

static bool is_of_key(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Which method these bytes begin, as far as they go; METHODS_COUNT: none. */
static unsigned find_method(const uint8_t *data, size_t len)
{
    for (unsigned i = 0; i < METHODS_COUNT; i++) {
        size_t begin_len = strlen(METHODS[i].begin);
        if (memcmp(data, METHODS[i].begin, len < begin_len ? len : begin_len) == 0) {
            return i;
        }
    }
    return METHODS_COUNT;
}

long http_request_missing(const uint8_t *data, size_t len, const char *key, size_t key_len)
{
    unsigned method = find_method(data, len);
    if (method == METHODS_COUNT) {
        return -EBADMSG;
    }
    size_t begin_len = strlen(METHODS[method].begin);
    size_t whole = begin_len + key_len + 1;
    for (size_t i = begin_len; i < len && i < whole - 1; i++) {
        if (!is_of_key(data[i])) {
            return -EBADMSG;
        }
    }
    if (len < whole) {
        return (long)(whole - len);
    }
    return data[whole - 1] == ' ' && crypto_equal(data + begin_len, key, key_len) ? 0 : -EBADMSG;
}

/* ---- the head ---------------------------------------------------------------- */

/* The line at `at`, and where the next one is; NULL: it has no end yet. */
static const uint8_t *line_end(const uint8_t *at, const uint8_t *end, const uint8_t **ret_next)
{
    const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
    if (!newline) {
        return NULL;
    }
    *ret_next = newline + 1;
    return newline > at && newline[-1] == '\r' ? newline - 1 : newline;
}

/* METHOD TARGET HTTP/1.x */
static int parse_first_line(const uint8_t *at, const uint8_t *end, struct http_request *request)
{
    static const char VERSION[] = " HTTP/1.";
    size_t len = (size_t)(end - at), version_len = sizeof VERSION - 1;
    unsigned method = find_method(at, len);
    if (method == METHODS_COUNT || len < strlen(METHODS[method].begin) + version_len + 1 ||
        memcmp(end - 1 - version_len, VERSION, version_len) != 0 ||
        (end[-1] != '0' && end[-1] != '1')) {
        return -EBADMSG;
    }
    request->method = METHODS[method].method;
    return 0;
}

/*
 * "de-DE,de;q=0.9,en;q=0.8": browsers put them in their reader's order, so that weights need
 * not be read.
 */
static bool prefers_german(const char *at, const char *end)
{
    while (at < end) {
        while (at < end && (*at == ' ' || *at == ',' || *at == '\t')) {
            at++;
        }
        if (end - at >= 2 && strncasecmp(at, "de", 2) == 0) {
            return true;
        }
        if (end - at >= 2 && strncasecmp(at, "en", 2) == 0) {
            return false;
        }
        const char *comma = memchr(at, ',', (size_t)(end - at));
        at = comma ? comma : end;
    }
    return false;
}

static void parse_field(const uint8_t *at, const uint8_t *end, struct http_request *request)
{
    static const char LANGUAGE[] = "accept-language:";
    size_t name_len = sizeof LANGUAGE - 1;
    if ((size_t)(end - at) > name_len && strncasecmp((const char *)at, LANGUAGE, name_len) == 0) {
        request->wants_german = prefers_german((const char *)at + name_len, (const char *)end);
    }
}

int http_request_parse(const uint8_t *data, size_t len, struct http_request *ret_request)
{
    struct http_request request = {0};
    const uint8_t *next = NULL, *end = data + (len < HTTP_REQUEST_MAX ? len : HTTP_REQUEST_MAX);
    const uint8_t *first = line_end(data, end, &next);
    int more = len < HTTP_REQUEST_MAX ? -EAGAIN : -EBADMSG;
    if (!first) {
        return more;
    }
    if (parse_first_line(data, first, &request) < 0) {
        return -EBADMSG;
    }
    for (const uint8_t *at = next, *stop; (stop = line_end(at, end, &next)) != NULL; at = next) {
        if (stop == at) {
            *ret_request = request;
            return 0;
        }
        parse_field(at, stop, &request);
    }
    return more;
}
