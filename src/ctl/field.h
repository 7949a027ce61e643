/*
 * field: what an answer of vps-agent says, read leniently: a field that is missing, as from an
 * older agent, is empty, 0 or false.
 */
#ifndef PAMTUNNEL_CTL_FIELD_H
#define PAMTUNNEL_CTL_FIELD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Never NULL; it lives as long as the object. */
const char *field_text(const json_t *object, const char *key);
int64_t field_number(const json_t *object, const char *key);
bool field_is(const json_t *object, const char *key);

#endif
