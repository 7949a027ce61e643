/*
 * totp: codes that change every 30 seconds, of a secret that a phone has, too (RFC 6238, RFC 4226):
 * SHA-1, six digits, steps of 30 s. Several apps take nothing else, whatever a URI says. A code
 * proves that somebody has the secret; HMAC-SHA-1 is as good for that as it ever was.
 *
 * Nothing here has a state or looks at a clock.
 */
#ifndef PAMTUNNEL_VPS_FACTOR_TOTP_H
#define PAMTUNNEL_VPS_FACTOR_TOTP_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TOTP_SECRET_SIZE = 20, /* as long as the hash, as RFC 4226 would have it */
    TOTP_SECRET_TEXT_MAX = TOTP_SECRET_SIZE * 8 / 5 + 1,
    TOTP_DIGITS = 6,
    TOTP_STEP_S = 30,
    TOTP_WINDOW = 1, /* steps that a clock may be off, to either side */
    TOTP_LABEL_MAX = 63,
    TOTP_URI_MAX = 3 * TOTP_LABEL_MAX + TOTP_SECRET_TEXT_MAX + 80,
};

/* The step that the time is in. A time before 1970 is in none, and gets the first. */
uint64_t totp_step(int64_t unix_s);
/* The code of a step: below 1,000,000. 0 or -errno. */
int totp_code(const uint8_t secret[TOTP_SECRET_SIZE], uint64_t step, uint32_t *ret_code);
/* Six digits, with blanks anywhere: many apps show "482 913". */
bool totp_parse(const char *text, uint32_t *ret_code);
/*
 * Whose step this code is: one of the window around `now`, the latest if there are several. 0;
 * -ENOENT if it is none of them, or -EIO. How long it takes does not depend on the code.
 */
int totp_find(const uint8_t secret[TOTP_SECRET_SIZE], uint32_t code, uint64_t now,
              uint64_t *ret_step);

/* As people type it into an app: base32 (RFC 4648) without padding. Returns dst. */
char *totp_secret_text(const uint8_t secret[TOTP_SECRET_SIZE], char dst[TOTP_SECRET_TEXT_MAX]);
/*
 * What a QR code says to an app: "otpauth://totp/pamtunnel:LABEL?secret=…&issuer=pamtunnel". Of the
 * label, whatever is not plain is escaped. Returns dst.
 */
char *totp_uri(const uint8_t secret[TOTP_SECRET_SIZE], const char *label, char dst[TOTP_URI_MAX]);

#endif
