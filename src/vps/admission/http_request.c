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

bool http_request_key(const uint8_t *data, size_t len, size_t key_len, char *ret_key)
{
    unsigned method = find_method(data, len);
    size_t begin_len = method < METHODS_COUNT ? strlen(METHODS[method].begin) : len;
    if (len < begin_len + key_len + 1 || data[begin_len + key_len] != ' ') {
        return false;
    }
    for (size_t i = 0; i < key_len; i++) {
        if (!is_of_key(data[begin_len + i])) {
            return false;
        }
    }
    memcpy(ret_key, data + begin_len, key_len);
    ret_key[key_len] = '\0';
    return true;
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

struct value {
    const char *start; /* NULL: there is no such field */
    size_t len;
};

static bool is_value(const struct value *value, const char *word)
{
    return value->len == strlen(word) && strncasecmp(value->start, word, value->len) == 0;
}

/* The fields that matter, by their numbers. */
enum { FIELD_LANGUAGE, FIELD_HOST, FIELD_ORIGIN, FIELD_SITE, FIELDS };

static void parse_field(const char *at, const char *end, struct value values[FIELDS])
{
    static const char *const NAMES[FIELDS] = {
        "accept-language:", "host:", "origin:", "sec-fetch-site:"};
    for (unsigned i = 0; i < FIELDS; i++) {
        size_t name_len = strlen(NAMES[i]);
        if ((size_t)(end - at) >= name_len && strncasecmp(at, NAMES[i], name_len) == 0) {
            for (at += name_len; at < end && (*at == ' ' || *at == '\t');) {
                at++;
            }
            while (end > at && (end[-1] == ' ' || end[-1] == '\t')) {
                end--;
            }
            values[i] = (struct value){at, (size_t)(end - at)};
            return;
        }
    }
}

/*
 * Newer browsers say so themselves, where TLS is; others name the page's origin. "null" is anybody,
 * and our own page, which has no referrer.
 */
static bool is_foreign(const struct value *host, const struct value *origin,
                       const struct value *site)
{
    static const char SCHEME_END[] = "://";
    if (site->start) {
        return !is_value(site, "same-origin") && !is_value(site, "none");
    }
    if (!origin->start || is_value(origin, "null")) {
        return false;
    }
    size_t scheme = 0, end_len = sizeof SCHEME_END - 1;
    while (scheme + end_len < origin->len &&
           memcmp(origin->start + scheme, SCHEME_END, end_len) != 0) {
        scheme++;
    }
    struct value authority = {origin->start + scheme + end_len, origin->len - scheme - end_len};
    return scheme + end_len >= origin->len || authority.len != host->len ||
           strncasecmp(authority.start, host->start, host->len) != 0;
}

int http_request_parse(const uint8_t *data, size_t len, struct http_request *ret_request)
{
    struct http_request request = {0};
    const uint8_t *next = NULL, *end = data + (len < HTTP_REQUEST_MAX ? len : HTTP_REQUEST_MAX);
    const uint8_t *first = line_end(data, end, &next);
    struct value values[FIELDS] = {0};
    int more = len < HTTP_REQUEST_MAX ? -EAGAIN : -EBADMSG;
    if (!first) {
        return more;
    }
    if (parse_first_line(data, first, &request) < 0) {
        return -EBADMSG;
    }
    for (const uint8_t *at = next, *stop; (stop = line_end(at, end, &next)) != NULL; at = next) {
        if (stop == at) {
            const struct value *language = &values[FIELD_LANGUAGE];
            request.wants_german = language->start &&
                                   prefers_german(language->start, language->start + language->len);
            request.is_foreign = is_foreign(&values[FIELD_HOST], &values[FIELD_ORIGIN],
                                            &values[FIELD_SITE]);
            *ret_request = request;
            return 0;
        }
        parse_field((const char *)at, (const char *)stop, values);
    }
    return more;
}
