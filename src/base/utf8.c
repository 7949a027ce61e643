#include "base/utf8.h"

/* The second byte rules out overlong forms, surrogates and what is above U+10FFFF. */
static bool second_is_right(uint8_t lead, uint8_t second)
{
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    return second >= low && second <= high;
}

size_t utf8_decode(const void *at, size_t left, uint32_t *ret_character)
{
    static const uint8_t OF_LEAD[] = {0, 0x7f, 0x1f, 0x0f, 0x07}; /* by length */
    const uint8_t *bytes = at;
    if (left == 0) {
        return 0;
    }
    /* C0 and C1 begin overlong forms only, and above F4 is nothing. */
    uint8_t lead = bytes[0];
    size_t len = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead > 0xf4 || len == 0 || len > left || (len > 1 && !second_is_right(lead, bytes[1]))) {
        return 0;
    }
    uint32_t character = lead & OF_LEAD[len];
    for (size_t i = 1; i < len; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
        character = character << 6 | (bytes[i] & 0x3f);
    }
    *ret_character = character;
    return len;
}

bool utf8_is_hidden(uint32_t character)
{
    /* Unicode's Cc, Cf but for the visible ones, Zl, Zp, and letters without a shape. */
    static const struct {
        uint32_t first, last;
    } RANGES[] = {
        {0x00, 0x1f},       {0x7f, 0x9f},       {0xad, 0xad},     {0x34f, 0x34f},
        {0x61c, 0x61c},     {0x115f, 0x1160},   {0x17b4, 0x17b5}, {0x180b, 0x180f},
        {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f}, {0x3164, 0x3164},
        {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3},
        {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
    };
    for (size_t i = 0; i < sizeof RANGES / sizeof *RANGES; i++) {
        if (character >= RANGES[i].first && character <= RANGES[i].last) {
            return true;
        }
    }
    return false;
}
