/* show_totp: answers to pamctl totp, for people; see show.h. */
#ifndef PAMTUNNEL_CTL_SHOW_TOTP_H
#define PAMTUNNEL_CTL_SHOW_TOTP_H

#include <jansson.h>

/* The secret of one who is to be enrolled, as a QR code and as text. */
void show_totp_secret(const json_t *reply);
void show_totp_enrolled(const json_t *reply);
void show_totp_list(const json_t *reply);
void show_totp_removed(const json_t *reply);
void show_totp_unlocked(const json_t *reply);

#endif
