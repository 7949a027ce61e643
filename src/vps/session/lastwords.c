#include "vps/session/lastwords.h"

#include <stdint.h>
#include <string.h>

/* The words of a target can mislead whoever reads them, so they are few, and in quotes. */
enum { WORDS_MAX = 200 };

/* ---- SSH ------------------------------------------------------------------ */

/* Words that people meet, and what is to be done about them. */
static const struct {
    const char *words, *hint;
} HINTS[] = {
    {"Not allowed at this time",
     "its SSH server holds failed logins of all users against the gateway, and lets nobody in "
     "for a while: PerSourcePenaltyExemptList there exempts the gateway"},
    {"Exceeded MaxStartups", "too many logins are under way there: try again in a moment"},
};

/*
 * Where the server's identification begins (RFC 4253, 4.2: at the start of a line), or `len`
 * if it never came to that.
 */
static size_t find_identification(const char *said, size_t len)
{
    static const char PREFIX[] = "SSH-";
    for (size_t i = 0; i + sizeof PREFIX - 1 <= len; i++) {
        bool line_begins = i == 0 || said[i - 1] == '\n';
        if (line_begins && memcmp(said + i, PREFIX, sizeof PREFIX - 1) == 0) {
            return i;
        }
    }
    return len;
}

/*
 * Key exchange is binary (RFC 4253, section 6): whoever came that far was not turned away, and its
 * bytes are no words.
 */
static bool is_text(const char *said, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)said[i];
        if ((c < 0x20 && !strchr("\t\r\n", c)) || c == 0) {
            return false;
        }
    }
    return true;
}

/* As one line, without white space at its ends. */
static char *one_line(char words[WORDS_MAX + 1], const char *said, size_t len)
{
    size_t to = 0;
    for (size_t i = 0; i < len && to < WORDS_MAX; i++) {
        bool blank = strchr(" \t\r\n", said[i]) != NULL;
        if (!blank) {
            words[to++] = said[i];
        } else if (to > 0 && words[to - 1] != ' ') {
            words[to++] = ' ';
        }
    }
    words[to] = '\0';
    return text_trim(words);
}

static bool add_ssh(struct text *text, const void *bytes, size_t len)
{
    char words[WORDS_MAX + 1];
    const char *said = bytes;
    size_t before = find_identification(said, len);
    if (!is_text(said, len)) { /* it came as far as the exchange of keys, or is no SSH server */
        return false;
    }
    char *line = one_line(words, said, before);
    if (!line[0]) {
        return false;
    }
    text_quote(line);
    text_add(text, "the machine said: “%s”", line);
    for (size_t i = 0; i < sizeof HINTS / sizeof *HINTS; i++) {
        if (strcmp(line, HINTS[i].words) == 0) {
            text_add(text, "; %s", HINTS[i].hint);
        }
    }
    return true;
}

/* ---- RDP ------------------------------------------------------------------ */

/* MS-RDPBCGR 2.2.1.2.2, RDP_NEG_FAILURE; by failureCode. A server may say more behind it. */
static const char *const REFUSALS[] = {
    [1] = "asks for TLS, which this client does not offer",
    [2] = "takes only RDP without TLS, which this client does not offer",
    [3] = "has no certificate for TLS",
    [4] = "does not understand what this client offers",
    [5] = "asks for Network Level Authentication, which this client does not offer",
    [6] = "asks for TLS with a user certificate, which this client does not offer",
};

/* 03 00 LEN16 | LI D0 DST16 SRC16 CLASS | 03 FLAGS LEN16le CODE32le. 0: it is none. */
static unsigned refusal_code(const uint8_t *said, size_t len)
{
    enum { SIZE = 19, CONFIRM = 0xd0, FAILURE = 3 };
    bool is_refusal = len >= SIZE && said[0] == 3 && said[2] == 0 && said[3] == SIZE &&
                      said[5] == CONFIRM && said[11] == FAILURE;
    bool is_known = is_refusal && said[15] < sizeof REFUSALS / sizeof *REFUSALS &&
                    (said[16] | said[17] | said[18]) == 0;
    return is_known ? said[15] : 0;
}

static bool add_rdp(struct text *text, const void *said, size_t len)
{
    unsigned code = refusal_code(said, len);
    if (code) {
        text_add(text, "the machine %s", REFUSALS[code]);
    }
    return code != 0;
}

bool lastwords_add(struct text *text, enum kind kind, const void *said, size_t len)
{
    /* NULL for a kind whose servers hang up without a word. */
    static bool (*const READERS[KIND_COUNT])(struct text * text, const void *said, size_t len) = {
        [KIND_SSH] = add_ssh,
        [KIND_RDP] = add_rdp,
    };
    if (len == 0) {
        return false;
    }
    return READERS[kind] && READERS[kind](text, said, len);
}
