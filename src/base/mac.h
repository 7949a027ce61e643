/* mac: the address of a network card, as people write it: 00:11:22:aa:bb:cc. */
#ifndef PAMTUNNEL_BASE_MAC_H
#define PAMTUNNEL_BASE_MAC_H

#include <stdbool.h>
#include <stdint.h>

enum { MAC_SIZE = 6, MAC_TEXT_SIZE = 3 * MAC_SIZE };

/* Two digits each, with colons or with dashes between all of them. -EINVAL for anything else. */
int mac_parse(const char *text, uint8_t ret_mac[MAC_SIZE]);
/* With colons and small letters. dst takes MAC_TEXT_SIZE. Returns dst. */
char *mac_text(const uint8_t mac[MAC_SIZE], char *dst);
/* One card's own: not a group's, which the lowest bit of the first byte says, and not all zeros. */
bool mac_is_one(const uint8_t mac[MAC_SIZE]);

#endif
