#include "ctl/qr.h"

#include <errno.h>
#include <qrencode.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The standard wants 4 modules. Phones are content with 2, and a terminal may have 24 lines. */
enum { QUIET = 2 };

/* Bright white on black; white and black behind blanks; what there was before. */
#define WHITE_ON_BLACK "\033[97;40m"
#define ON_WHITE       "\033[107m"
#define ON_BLACK       "\033[40m"
#define COLOURS_BEFORE "\033[0m"

/* The quiet zone is light, as all that is not dark. */
static bool is_light(const QRcode *code, int x, int y)
{
    bool inside = x >= 0 && y >= 0 && x < code->width && y < code->width;
    return !inside || (code->data[y * code->width + x] & 1) == 0;
}

static void add_half_blocks(const QRcode *code, bool coloured, FILE *out)
{
    static const char *const BLOCKS[2][2] = {{" ", "▄"}, {"▀", "█"}};
    for (int y = -QUIET; y < code->width + QUIET; y += 2) {
        fputs(coloured ? WHITE_ON_BLACK : "", out);
        for (int x = -QUIET; x < code->width + QUIET; x++) {
            /* The number of rows is odd: below the last one there is nothing. */
            bool below = y + 1 < code->width + QUIET && is_light(code, x, y + 1);
            fputs(BLOCKS[is_light(code, x, y)][below], out);
        }
        fputs(coloured ? COLOURS_BEFORE "\n" : "\n", out);
    }
}

static void add_spaces(const QRcode *code, FILE *out)
{
    for (int y = -QUIET; y < code->width + QUIET; y++) {
        for (int x = -QUIET; x < code->width + QUIET; x++) {
            fputs(is_light(code, x, y) ? ON_WHITE "  " : ON_BLACK "  ", out);
        }
        fputs(COLOURS_BEFORE "\n", out);
    }
}

int qr_draw(const char *text, enum qr_form form, FILE *out)
{
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
    if (!code) {
        return errno == ENOMEM ? -ENOMEM : -E2BIG;
    }
    if (form == QR_SPACES) {
        add_spaces(code, out);
    } else {
        add_half_blocks(code, form == QR_COLOURED, out);
    }
    QRcode_free(code);
    return 0;
}

/* As setlocale(3) looks for it; a static program has no locales to ask. */
static bool speaks_utf8(void)
{
    static const char *const NAMES[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (unsigned i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        const char *value = getenv(NAMES[i]);
        if (value && value[0]) {
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
        }
    }
    return false;
}

enum qr_form qr_form_for(FILE *out)
{
    bool terminal = isatty(fileno(out));
    return !terminal ? QR_BLOCKS : speaks_utf8() ? QR_COLOURED : QR_SPACES;
}
