/* The identification string of an SSH client, and whatever came in with it. */
#include <errno.h>

#include "vps/admission/greeting.h"
#include "vps/admission/sshid.h"

_Static_assert((int)SSHID_MAX < (int)GREETING_MAX, "there is room to see that it is too long");

/* A line has no length in front: more may come with it, and goes to the target as it is. */
static long missing(const uint8_t *data, size_t len)
{
    long line = sshid_parse(data, len);
    if (line == -EAGAIN) {
        return (long)(GREETING_MAX - len);
    }
    return line > 0 ? 0 : line;
}

static void words(const uint8_t *data, size_t len, char dst[WORDS_SIZE])
{
    size_t line = 0;
    while (line < len && data[line] != '\r' && data[line] != '\n') {
        line++;
    }
    words_clean(data, line, dst);
}

const struct greeting_reader greeting_ssh = {.missing = missing, .words = words};
