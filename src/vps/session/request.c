#include "vps/session/request.h"

#include "base/text.h"

/* With room for the mark of what was cut. */
void request_take_reason(struct session_request *request, const char *typed)
{
    static const char CUT[] = "…";
    char line[REASON_MAX + 2 - sizeof CUT];
    struct text cut = text_over(line, sizeof line);
    text_add(&cut, "%s", typed);
    for (char *at = line; *at; at++) { /* lines become one, rather than question marks */
        *at = *at >= '\t' && *at <= '\r' ? ' ' : *at;
    }
    text_make_visible(line);
    struct text reason = text_over(request->reason, sizeof request->reason);
    text_add(&reason, "%s%s", text_trim(line), cut.cut ? CUT : "");
}
