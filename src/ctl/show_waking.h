/* show_waking: what pamctl prints of machines that can be woken. */
#ifndef PAMTUNNEL_CTL_SHOW_WAKING_H
#define PAMTUNNEL_CTL_SHOW_WAKING_H

#include <jansson.h>

void show_woken(const json_t *reply);
void show_wake_list(const json_t *reply);

#endif
