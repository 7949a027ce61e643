/*
 * gateway_name: what a gateway calls itself, and what people write in front of the slash in
 * GATEWAY/HOST. Upper and lower case do not matter.
 */
#ifndef PAMTUNNEL_SHARED_GATEWAY_NAME_H
#define PAMTUNNEL_SHARED_GATEWAY_NAME_H

#include <stdbool.h>

/* 1 to 63 letters, digits, '.', '_' or '-', the first one a letter or a digit. */
enum { GATEWAY_NAME_MAX = 63 };
bool gateway_name_is_valid(const char *text);
/* Two spellings of one gateway's name. */
bool gateway_name_equal(const char *a, const char *b);

#endif
