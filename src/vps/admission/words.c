#include "vps/admission/words.h"

#include <string.h>

void words_clean(const uint8_t *data, size_t len, char dst[WORDS_SIZE])
{
    size_t shown = len < WORDS_SIZE - 1 ? len : WORDS_SIZE - 1;
    for (size_t i = 0; i < shown; i++) {
        dst[i] = data[i] >= 0x20 && data[i] < 0x7f ? (char)data[i] : '?';
    }
    dst[shown] = '\0';
    if (len > shown) {
        memcpy(dst + shown - 3, "...", 3);
    }
    while (shown > 0 && dst[shown - 1] == ' ') {
        dst[--shown] = '\0';
    }
}
