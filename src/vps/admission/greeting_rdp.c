/* The Connection Request of an RDP client, whose line may carry the secret of the .rdp file. */
#include <string.h>

#include "base/crypto.h"
#include "vps/admission/greeting.h"
#include "vps/admission/x224.h"
#include "vps/grant/rdpfile.h"

enum { PREFIX_LEN = sizeof RDPFILE_COOKIE - 1 };
/* Longer than user names are, and what a secret with a letter cut off still is. */
enum { SECRET_LIKE_LEN = RDPFILE_SECRET_LEN - 3 };

_Static_assert((int)X224_MAX <= (int)GREETING_MAX, "a request fits");
_Static_assert((int)RDPFILE_SECRET_LEN <= (int)GREETING_SECRET_MAX, "a secret fits");

static long missing(const uint8_t *data, size_t len)
{
    struct x224_request request;
    long more = x224_missing(data, len);
    return more == 0 ? x224_parse(data, len, &request) : more;
}

/* What follows "Cookie: mstshash=" in the line; NULL: the line, if there is one, is another. */
static const uint8_t *find_cookie(const uint8_t *data, size_t len, size_t *ret_len)
{
    struct x224_request request;
    if (x224_parse(data, len, &request) < 0 || !request.line || request.line_len < PREFIX_LEN ||
        memcmp(request.line, RDPFILE_COOKIE, PREFIX_LEN) != 0) {
        return NULL;
    }
    *ret_len = request.line_len - PREFIX_LEN;
    return request.line + PREFIX_LEN;
}

/* The user name, but not what looks like the secret of another .rdp file. */
static void words(const uint8_t *data, size_t len, char dst[WORDS_SIZE])
{
    size_t cookie_len;
    const uint8_t *cookie = find_cookie(data, len, &cookie_len);
    bool is_name = cookie && cookie_len < SECRET_LIKE_LEN;
    words_clean(cookie, is_name ? cookie_len : 0, dst);
}

static bool has_secret(const uint8_t *data, size_t len, const char *secret)
{
    size_t cookie_len;
    const uint8_t *cookie = find_cookie(data, len, &cookie_len);
    return cookie && cookie_len == RDPFILE_SECRET_LEN && strlen(secret) == RDPFILE_SECRET_LEN &&
           crypto_equal(cookie, secret, RDPFILE_SECRET_LEN);
}

const struct greeting_reader greeting_rdp = {
    .missing = missing,
    .words = words,
    .has_secret = has_secret,
    .cut_secret = x224_cut_line,
};
