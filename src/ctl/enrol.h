/* enrol: pamctl totp NAME: a secret is shown, and a code asked for until one is right. */
#ifndef PAMTUNNEL_CTL_ENROL_H
#define PAMTUNNEL_CTL_ENROL_H

#include <jansson.h>

/*
 * Asks for the secret, and hands the answer to `show`, which shows it; then asks for codes on
 * standard input. Returns the last answer, a new reference: without a right code, a failure.
 */
json_t *enrol(const char *socket_path, const json_t *request, void (*show)(const json_t *reply));

#endif
