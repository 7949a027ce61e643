#include "base/why.h"

#include <stdarg.h>

#include "base/text.h"

int why_set(struct why *why, int err, const char *format, ...)
{
    if (why) {
        va_list args;
        va_start(args, format);
        struct text text = text_over(why->text, sizeof why->text);
        text_add_v(&text, format, args);
        va_end(args);
        text_make_visible(why->text); /* it may quote a setting or a peer */
    }
    return err;
}
