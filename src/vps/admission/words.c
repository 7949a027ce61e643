#include "vps/admission/words.h"

#include <string.h>

#include "vps/admission/x224.h"
#include "vps/grant/rdpfile.h"

/* Longer than user names are, and what a secret with a letter cut off still is. */
enum { SECRET_LIKE_LEN = RDPFILE_SECRET_LEN - 3 };

static void clean(const uint8_t *data, size_t len, char dst[WORDS_SIZE])
{
    size_t shown = len < WORDS_SIZE - 1 ? len : WORDS_SIZE - 1;
    for (size_t i = 0; i < shown; i++) {
        /* ASCII alone: what strangers say goes to a chat, a terminal and a log. */
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

void words_of_ssh(const uint8_t *data, size_t len, char dst[WORDS_SIZE])
{
    size_t line = 0;
    while (line < len && data[line] != '\r' && data[line] != '\n') {
        line++;
    }
    clean(data, line, dst);
}

void words_of_rdp(const uint8_t *data, size_t len, char dst[WORDS_SIZE])
{
    static const size_t PREFIX_LEN = sizeof RDPFILE_COOKIE - 1;
    struct x224_request request;
    dst[0] = '\0';
    /* A wrong secret may be the right one mistyped: it must not be shown to whoever reads along. */
    if (x224_parse(data, len, &request) == 0 && request.line && request.line_len > PREFIX_LEN &&
        request.line_len < PREFIX_LEN + SECRET_LIKE_LEN &&
        memcmp(request.line, RDPFILE_COOKIE, PREFIX_LEN) == 0) {
        clean(request.line + PREFIX_LEN, request.line_len - PREFIX_LEN, dst);
    }
}
