/*
 * What a browser, or whoever has a session's link, says: "not yet" until it is whole or cannot
 * become it, and the same answer whatever follows. Nobody is taken for one who has the link
 * without its key.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vps/admission/http_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char KEY[] = "abcdefghijkmnpqrstuvwxyz23456789";
enum { KEY_LEN = sizeof KEY - 1 };

static void check(int holds)
{
    if (!holds) {
        abort();
    }
}

/* As the door reads it: no more than is missing. */
static void check_key(const uint8_t *data, size_t size)
{
    size_t have = size > 0;
    long missing = -EBADMSG;
    while (have > 0 && (missing = http_request_missing(data, have, KEY, KEY_LEN)) > 0 &&
           have + (size_t)missing <= size) {
        have += (size_t)missing;
    }
    check(missing >= -EBADMSG && missing < 64);
    if (have > 0 && missing == 0) {
        const uint8_t *slash = memchr(data, '/', have);
        check(slash && (size_t)(data + have - slash) > KEY_LEN &&
              memcmp(slash + 1, KEY, KEY_LEN) == 0);
    }
}

/* Two ways to read it agree. */
static void check_whole_key(const uint8_t *data, size_t size)
{
    char key[KEY_LEN + 1];
    bool has = http_request_key(data, size, KEY_LEN, key);
    check(!has || strlen(key) == KEY_LEN);
    bool is_it = has && memcmp(key, KEY, KEY_LEN) == 0;
    check(is_it == (size > 0 && http_request_missing(data, size, KEY, KEY_LEN) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_request request = {0}, again = {0};
    check_key(data, size);
    check_whole_key(data, size);
    int whole = http_request_parse(data, size, &request);
    check(whole == 0 || whole == -EBADMSG || (whole == -EAGAIN && size < HTTP_REQUEST_MAX));
    size_t len = 0;
    while (len < size && http_request_parse(data, len, &again) == -EAGAIN) {
        len++;
    }
    check(http_request_parse(data, len, &again) == whole);
    check(whole != 0 ||
          (again.method == request.method && again.wants_german == request.wants_german));
    return 0;
}
