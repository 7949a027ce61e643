#include "vps/chat/texts_waking.h"

#include "vps/chat/language.h"
#include "vps/chat/texts.h"
#include "vps/transport/html.h"

/* ---- parts --------------------------------------------------------------------- */

/* What stands for the machine where sessions have a view. */
static struct session_view shown(const struct texts_waking *waking)
{
    const struct session_request *request = waking->view->request;
    return (struct session_view){.kind = request->kind,
                                 .name = request->name,
                                 .host = request->target.host,
                                 .port = request->target.port,
                                 .gateway = request->target.gateway,
                                 .names_gateway = waking->names_gateway};
}

/* "<b>RDP to office-pc</b>", or of a machine that wakes for its own sake "<b>office-pc</b>". */
static char *title(const struct text *html, const struct texts_waking *waking, char *dst)
{
    struct session_view view = shown(waking);
    char target[TEXTS_PART_SIZE];
    struct text text = text_for_reader_of(html, dst, TEXTS_PART_SIZE);
    if (waking->view->opens) {
        return texts_title(html, &view, dst);
    }
    view.port = kind_row(view.kind)->port; /* by which port it is tried is nobody's matter */
    text_add(&text, "<b>%s</b>", texts_target(html, &view, target));
    return dst;
}

static void add_reason(struct text *html, const char *reason)
{
    char said[TEXTS_PART_SIZE];
    if (reason[0]) {
        text_add(html, "\n");
        html_add_sentence(html, language_sentence(html, reason, said, sizeof said));
    }
}

/* ---- texts --------------------------------------------------------------------- */

void texts_waking_offer(struct text *html)
{
    text_add(html, "\nIt may be asleep: I can wake it.");
}

void texts_waking_asleep(struct text *html, const struct texts_waking *waking)
{
    char what[TEXTS_PART_SIZE], span[TEXTS_PART_SIZE];
    texts_span(html, waking->view->seconds, span);
    if (waking->view->opens) {
        text_add(html, "⏳ %s\nWaking the machine… %s\nThis opens by itself when it answers.",
                 title(html, waking, what), span);
    } else {
        text_add(html, "⏳ Waking %s… %s", title(html, waking, what), span);
    }
}

void texts_waking_awake(struct text *html, const struct texts_waking *waking, bool waits)
{
    char what[TEXTS_PART_SIZE], span[TEXTS_PART_SIZE];
    title(html, waking, what);
    if (!waking->view->opens) {
        text_add(html, "🟢 %s is awake: it answered after %s.", what,
                 texts_span(html, waking->view->seconds, span));
    } else if (waits) {
        text_add(html, "🟢 %s: the machine is awake. What else this waits for stands below.",
                 what);
    } else {
        text_add(html, "🔴 %s could not be opened, although the machine is awake", what);
        add_reason(html, waking->view->reason);
    }
}

/* Of a machine that has had its time; the most frequent one first. */
static void add_causes(struct text *html)
{
    text_add(
        html,
        "\nWhat may be wrong:\n"
        "• Windows was shut down with Fast Startup on, which leaves the network card deaf: let it "
        "sleep instead, or run <code>powercfg /h off</code> there once.\n"
        "• “Wake on Magic Packet” is off, for the network card or in the firmware.\n"
        "• It is on Wi-Fi, which hardly ever wakes.\n"
        "• It is off altogether, or without power.\n"
        "• It is behind another router than the gateway: the packet does not get there.");
}

void texts_waking_silent(struct text *html, const struct texts_waking *waking)
{
    char what[TEXTS_PART_SIZE], span[TEXTS_PART_SIZE], gateway[TEXTS_PART_SIZE];
    const struct target *target = &waking->view->request->target;
    title(html, waking, what);
    texts_in_tag(html, "b", target->gateway, gateway);
    switch (waking->view->silence) {
    case WAKING_REFUSES:
        text_add(html, "🔴 %s: the machine is awake, but nothing listens on port %u.", what,
                 target->port);
        break;
    case WAKING_NOT_ALLOWED:
        text_add(html, "🔴 %s: gateway %s does not allow it; see ALLOWED_TARGETS there.", what,
                 gateway);
        break;
    case WAKING_BUSY:
        text_add(html, "🔴 %s: gateway %s is waking too many machines. Try again in a moment.", what,
                 gateway);
        break;
    case WAKING_NO_ANSWER:
        text_add(html, "🔴 %s did not answer within %s.", what,
                 texts_about(html, waking->view->seconds, span));
        add_causes(html);
    }
}

void texts_waking_ended(struct text *html, const struct texts_waking *waking)
{
    char what[TEXTS_PART_SIZE];
    text_add(html, "⚪ %s is not being woken any more.", title(html, waking, what));
    add_reason(html, waking->view->reason);
}

void texts_waking_restarted(struct text *html, const struct texts_waking *waking)
{
    char what[TEXTS_PART_SIZE];
    text_add(html, "⚪ %s\nThe server was restarted. Please send the command again.",
             title(html, waking, what));
}

void texts_waking_refused(struct text *html, const struct why *why)
{
    char said[TEXTS_PART_SIZE];
    text_add(html, "🔴 ");
    html_add_sentence(html, language_sentence(html, why->text, said, sizeof said));
}
