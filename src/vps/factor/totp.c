#include "vps/factor/totp.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include <mbedtls/md.h>

#include "base/crypto.h"
#include "base/text.h"

enum { MAC_SIZE = 20 };

uint64_t totp_step(int64_t unix_s)
{
    return unix_s > 0 ? (uint64_t)unix_s / TOTP_STEP_S : 0;
}

/* RFC 4226, 5.3: four bytes of the MAC, from where its last four bits say. */
static uint32_t truncated(const uint8_t mac[MAC_SIZE])
{
    const uint8_t *at = mac + (mac[MAC_SIZE - 1] & 0x0f);
    uint32_t number = (uint32_t)(at[0] & 0x7f) << 24 | (uint32_t)at[1] << 16 |
                      (uint32_t)at[2] << 8 | at[3];
    return number % 1000000;
}

int totp_code(const uint8_t secret[TOTP_SECRET_SIZE], uint64_t step, uint32_t *ret_code)
{
    uint8_t counter[8], mac[MAC_SIZE];
    for (unsigned i = 0; i < sizeof counter; i++) {
        counter[i] = (uint8_t)(step >> (8 * (7 - i)));
    }
    int failed = mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA1), secret,
                                 TOTP_SECRET_SIZE, counter, sizeof counter, mac);
    if (failed) {
        return -EIO;
    }
    *ret_code = truncated(mac);
    crypto_wipe(mac, sizeof mac);
    return 0;
}

int totp_find(const uint8_t secret[TOTP_SECRET_SIZE], uint32_t code, uint64_t now,
              uint64_t *ret_step)
{
    uint64_t found = UINT64_MAX;
    for (uint64_t step = now > TOTP_WINDOW ? now - TOTP_WINDOW : 0; step <= now + TOTP_WINDOW;
         step++) {
        uint32_t wanted;
        int err = totp_code(secret, step, &wanted);
        if (err < 0) {
            return err;
        }
        found = crypto_equal(&wanted, &code, sizeof code) ? step : found;
    }
    if (found == UINT64_MAX) {
        return -ENOENT;
    }
    *ret_step = found;
    return 0;
}

/* ASCII's white space, and the no-break space that phones type. */
static size_t blank_len(const char *text)
{
    if (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r')) {
        return 1;
    }
    return strncmp(text, "\u00a0", 2) == 0 ? 2 : 0;
}

bool totp_parse(const char *text, uint32_t *ret_code)
{
    uint32_t code = 0;
    unsigned digits = 0;
    for (size_t blank; *text; text += blank ? blank : 1) {
        blank = blank_len(text);
        if (!blank && (*text < '0' || *text > '9' || digits++ == TOTP_DIGITS)) {
            return false;
        }
        code = blank ? code : code * 10 + (uint32_t)(*text - '0');
    }
    *ret_code = code;
    return digits == TOTP_DIGITS;
}

char *totp_secret_text(const uint8_t secret[TOTP_SECRET_SIZE], char dst[TOTP_SECRET_TEXT_MAX])
{
    static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    for (unsigned i = 0; i < TOTP_SECRET_TEXT_MAX - 1; i++) {
        unsigned bit = i * 5, at = bit / 8; /* 160 bits are 32 letters, without a rest */
        unsigned two = (unsigned)secret[at] << 8;
        two |= at + 1 < TOTP_SECRET_SIZE ? secret[at + 1] : 0;
        dst[i] = ALPHABET[two >> (11 - bit % 8) & 31];
    }
    dst[TOTP_SECRET_TEXT_MAX - 1] = '\0';
    return dst;
}

char *totp_uri(const uint8_t secret[TOTP_SECRET_SIZE], const char *label, char dst[TOTP_URI_MAX])
{
    char letters[TOTP_SECRET_TEXT_MAX];
    struct text text = text_over(dst, TOTP_URI_MAX);
    text_add(&text, "otpauth://totp/pamtunnel:");
    for (unsigned i = 0; label[i] && i < TOTP_LABEL_MAX; i++) {
        bool plain = isalnum((unsigned char)label[i]) || strchr("-._~", label[i]);
        text_add(&text, plain ? "%c" : "%%%02X", (unsigned char)label[i]);
    }
    text_add(&text, "?secret=%s&issuer=pamtunnel", totp_secret_text(secret, letters));
    crypto_wipe(letters, sizeof letters);
    return dst;
}
