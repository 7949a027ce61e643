/*
 * Two versions of one format (invite.h). Reading is strict, since a join string is copied by hand
 * and by chat programs: after the check it is encoded again and compared, so there is exactly
 * one text for one invite. Reading what was pasted is lenient, and comes first
 * (invite_extract()): it only takes away what cannot be part of a string.
 *
 * -ENODATA is told apart inside: a text that is right so far and ends too early is how a prompt
 * knows that the rest of a paste is still to come (invite_goes_on()).
 *
 * No state. Every buffer held a key, and is wiped on all paths.
 */
#include "shared/invite.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/base64.h>

#include "base/bytes.h"
#include "shared/gateway_name.h"

static const char NAME[] = "pamtunnel";
enum { NAME_SIZE = sizeof NAME - 1 };
static const char *const PREFIXES[] = {"pamtunnel1.", "pamtunnel2."};
static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Of the form; the second one has a time. */
enum version { PLAIN, TIMED };

enum {
    CHECK_SIZE = 4,
    FIXED_SIZE = 2 + 2 + CRYPTO_KEY_SIZE + 2 + 2 + CHECK_SIZE,
    TIME_SIZE = 8,
    BYTES_MAX = FIXED_SIZE + TIME_SIZE + GATEWAY_NAME_MAX + HOST_MAX,
    PREFIX_SIZE = sizeof "pamtunnel1." - 1,
};

/* The second form's check is of its prefix, too: one is not taken for the other. */
static int check_of(enum version version, const uint8_t *data, size_t len,
                    uint8_t ret_check[CHECK_SIZE])
{
    /* Against typing errors only: there is no secret that both ends share yet. */
    static const uint8_t NO_KEY[CRYPTO_KEY_SIZE];
    const struct crypto_piece pieces[] = {{PREFIXES[version], version == TIMED ? PREFIX_SIZE : 0},
                                          {data, len}};
    uint8_t mac[CRYPTO_MAC_SIZE];
    int err = crypto_mac(NO_KEY, pieces, 2, mac);
    if (err == 0) {
        memcpy(ret_check, mac, CHECK_SIZE);
    }
    crypto_wipe(mac, sizeof mac);
    return err;
}

static bool is_valid(const struct invite *invite)
{
    return invite->port > 0 && invite->until >= 0 && host_kind(invite->host) != HOST_INVALID &&
           gateway_name_is_valid(invite->gateway);
}

/* ---- writing -------------------------------------------------------------- */

/* The URL-safe alphabet, and no padding. */
static void make_url_safe(char *text)
{
    for (char *c = text; *c; c++) {
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
        if (*c == '=') {
            *c = '\0';
            break;
        }
    }
}

int invite_encode(const struct invite *invite, char *dst)
{
    uint8_t bytes[BYTES_MAX];
    enum version version = invite->until ? TIMED : PLAIN;
    size_t len = FIXED_SIZE + strlen(invite->gateway) + strlen(invite->host), out;
    len += version == TIMED ? TIME_SIZE : 0;
    if (!is_valid(invite)) {
        return -EINVAL;
    }
    struct writer w = writer_over(bytes, sizeof bytes);
    write_u16(&w, (uint16_t)len);
    write_u16(&w, invite->port);
    write_bytes(&w, invite->key, sizeof invite->key);
    if (version == TIMED) {
        write_u64(&w, (uint64_t)invite->until);
    }
    write_string(&w, invite->gateway);
    write_string(&w, invite->host);
    int err = check_of(version, bytes, len - CHECK_SIZE, bytes + len - CHECK_SIZE);
    memcpy(dst, PREFIXES[version], PREFIX_SIZE);
    if (err == 0 && mbedtls_base64_encode((unsigned char *)dst + PREFIX_SIZE,
                                          INVITE_TEXT_MAX - PREFIX_SIZE, &out, bytes, len) != 0) {
        err = -EINVAL;
    }
    if (err == 0) {
        make_url_safe(dst + PREFIX_SIZE);
    }
    crypto_wipe(bytes, sizeof bytes);
    return err;
}

/* ---- reading -------------------------------------------------------------- */

/* The other way round: the common alphabet, padded. dst takes INVITE_TEXT_MAX + 4. */
static size_t make_common(const char *text, size_t len, char *dst)
{
    for (size_t i = 0; i < len; i++) {
        dst[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
    }
    while (len % 4) {
        dst[len++] = '=';
    }
    return len;
}

/* How many digits the version has in a text that begins as a join string does; else 0. */
static int version_digits(const char *text)
{
    if (strncmp(text, NAME, NAME_SIZE) != 0) {
        return 0;
    }
    size_t digits = strspn(text + NAME_SIZE, "0123456789");
    return digits < 4 && text[NAME_SIZE + digits] == '.' ? (int)digits : 0;
}

static int read_prefix(const char *text, enum version *ret_version, struct why *why)
{
    for (enum version version = PLAIN; version <= TIMED; version++) {
        if (strncmp(text, PREFIXES[version], PREFIX_SIZE) == 0) {
            *ret_version = version;
            return 0;
        }
    }
    int digits = version_digits(text);
    if (digits > 0) {
        return why_set(
            why, -EINVAL,
            "this join string is version %.*s, and this program knows versions 1 and 2: upgrade it",
            digits, text + NAME_SIZE);
    }
    return why_set(why, -EINVAL,
                   "that is not a join string: one begins with pamtunnel and a number, and "
                   "vps-agent --invite NAME prints it");
}

static int check_length(size_t bytes, size_t wanted, struct why *why)
{
    if (bytes < 2 || (bytes < wanted && wanted <= BYTES_MAX)) {
        return why_set(why, -ENODATA,
                       "the end of the join string is missing: copy the whole line again");
    }
    if (wanted < FIXED_SIZE || wanted > BYTES_MAX) {
        return why_set(why, -EINVAL, "a character of the join string is wrong: copy it again");
    }
    if (bytes > wanted) {
        return why_set(why, -EINVAL, "something follows the end of the join string: leave it out");
    }
    return 0;
}

static int read_fields(enum version version, const uint8_t *bytes, size_t len,
                       struct invite *invite)
{
    uint8_t check[CHECK_SIZE];
    if (check_of(version, bytes, len - CHECK_SIZE, check) < 0 ||
        memcmp(check, bytes + len - CHECK_SIZE, CHECK_SIZE) != 0) {
        return -EINVAL;
    }
    struct reader r = reader_over(bytes + 2, len - 2 - CHECK_SIZE);
    invite->port = read_u16(&r);
    read_copy(&r, invite->key, sizeof invite->key);
    invite->until = version == TIMED ? (int64_t)read_u64(&r) : 0;
    read_string(&r, invite->gateway, sizeof invite->gateway);
    read_string(&r, invite->host, sizeof invite->host);
    return reader_is_done(&r) && is_valid(invite) ? 0 : -EINVAL;
}

/* Of several texts with the same meaning only the one that invite_encode() makes is right. */
static bool is_canonical(const struct invite *invite, const char *text, size_t len)
{
    char again[INVITE_TEXT_MAX];
    bool same = invite_encode(invite, again) == 0 && strlen(again) == len &&
                memcmp(again, text, len) == 0;
    crypto_wipe(again, sizeof again);
    return same;
}

static int decode(enum version version, const char *text, size_t len, struct invite *invite,
                  struct why *why)
{
    char common[INVITE_TEXT_MAX + 4];
    uint8_t bytes[INVITE_TEXT_MAX];
    size_t count = 0;
    /* Each four characters are three bytes, so one left over can only be a cut. */
    size_t body = (len - PREFIX_SIZE) - ((len - PREFIX_SIZE) % 4 == 1);
    /* mbedTLS reads the padded alphabet of RFC 4648, section 4; ours is section 5's, unpadded. */
    size_t padded = make_common(text + PREFIX_SIZE, body, common);
    int err = mbedtls_base64_decode(bytes, sizeof bytes, &count, (unsigned char *)common, padded);
    if (err != 0) {
        err = why_set(why, -EINVAL, "a character of the join string is wrong: copy it again");
    } else {
        err = check_length(count, count < 2 ? 0 : (size_t)bytes[0] << 8 | bytes[1], why);
    }
    if (err == 0 &&
        (read_fields(version, bytes, count, invite) < 0 || !is_canonical(invite, text, len))) {
        err = why_set(why, -EINVAL, "a character of the join string is wrong: copy it again");
    }
    crypto_wipe(common, sizeof common);
    crypto_wipe(bytes, sizeof bytes);
    return err;
}

/* As invite_decode(), but -ENODATA if only the end is missing. */
static int read_invite(const char *text, struct invite *ret_invite, struct why *why)
{
    enum version version = PLAIN;
    while (isspace((unsigned char)*text)) {
        text++;
    }
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1])) {
        len--;
    }
    int err = read_prefix(text, &version, why);
    if (err < 0) {
        return err;
    }
    if (len < PREFIX_SIZE || PREFIX_SIZE + strspn(text + PREFIX_SIZE, ALPHABET) < len) {
        return why_set(why, -EINVAL,
                       "the join string contains a character that does not belong in it: copy just "
                       "the string");
    }
    if (len >= INVITE_TEXT_MAX) {
        return why_set(why, -EINVAL, "something follows the end of the join string: leave it out");
    }
    struct invite invite = {0};
    err = decode(version, text, len, &invite, why);
    if (err == 0) {
        *ret_invite = invite;
    }
    crypto_wipe(&invite, sizeof invite);
    return err;
}

int invite_decode(const char *text, struct invite *ret_invite, struct why *why)
{
    int err = read_invite(text, ret_invite, why);
    return err == -ENODATA ? -EINVAL : err;
}

/* ---- what was pasted -------------------------------------------------------- */

/* Where it begins: the name, a version and a point; or NULL. */
static const char *find_prefix(const char *text)
{
    const char *at = strstr(text, NAME);
    while (at && version_digits(at) == 0) {
        at = strstr(at + 1, NAME);
    }
    return at;
}

/* The bytes of what is not part of a string though it may stand in and around it; or 0. */
static size_t litter(const char *text)
{
    static const char *const LITTER[] = {"\"",
                                         "'",
                                         "`",
                                         "\xe2\x80\x98",
                                         "\xe2\x80\x99",
                                         "\xe2\x80\x9c",
                                         "\xe2\x80\x9d",
                                         "\xc2\xab",
                                         "\xc2\xbb", /* quotes */
                                         "\xc2\xa0",
                                         "\xc2\xad",
                                         "\xe2\x80\x8b",
                                         "\xef\xbb\xbf"}; /* what nobody sees */
    for (size_t i = 0; i < sizeof LITTER / sizeof *LITTER; i++) {
        if (strncmp(text, LITTER[i], strlen(LITTER[i])) == 0) {
            return strlen(LITTER[i]);
        }
    }
    return isspace((unsigned char)*text) ? 1 : 0;
}

/* True if there was litter. */
static bool leave_out_litter(char *pasted)
{
    const char *from = find_prefix(pasted);
    char *to = pasted;
    bool found = false;
    while (from && *from) {
        size_t skipped = litter(from);
        from += skipped;
        found |= skipped > 0;
        if (skipped == 0) {
            *to++ = *from++;
        }
    }
    if (from) {
        crypto_wipe(to, (size_t)(from - to));
    }
    return found;
}

void invite_extract(char *pasted)
{
    /* Once more, since the halves of a quote may have stood around another one. */
    while (leave_out_litter(pasted)) {
    }
}

bool invite_goes_on(const char *pasted)
{
    char text[2 * INVITE_TEXT_MAX];
    struct invite invite = {0};
    /* --invite prints the command in front of the string, and people copy both. */
    if (!find_prefix(pasted)) {
        return strstr(pasted, "--join") != NULL;
    }
    if (strlen(pasted) >= sizeof text) {
        return false;
    }
    strcpy(text, pasted);
    invite_extract(text);
    bool goes_on = read_invite(text, &invite, NULL) == -ENODATA;
    crypto_wipe(text, sizeof text);
    crypto_wipe(&invite, sizeof invite);
    return goes_on;
}
