/* show_keys: what pamctl key prints. */
#ifndef PAMTUNNEL_CTL_SHOW_KEYS_H
#define PAMTUNNEL_CTL_SHOW_KEYS_H

#include <jansson.h>

void show_key_list(const json_t *reply);
void show_key_accepted(const json_t *reply);
void show_key_left(const json_t *reply);
void show_key_forgotten(const json_t *reply);

#endif
