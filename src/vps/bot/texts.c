#include "vps/bot/texts.h"

#include "vps/bot/html.h"

void texts_help(struct text *html)
{
    text_add(html, "I connect you to your machines. Nothing is open until you ask, and nothing "
                   "stays open afterwards.\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command_row *row = &COMMANDS[i];
        if (row->kind == COMMAND_OPEN) {
            text_add(html, "\n/%s ", row->name);
            html_add(html, row->takes);
            text_add(html, "\n%s, for example ", row->help);
            html_add_in_tag(html, "code", row->example);
            text_add(html, "\n");
        }
    }
    text_add(html, "\nWith several gateways, put the name of one in front: "
                   "<code>/ssh office/192.168.1.22</code>");
}

void texts_unknown(struct text *html)
{
    text_add(html, "I did not understand that. /help shows what I can do.");
}

void texts_usage(struct text *html, const struct command_row *row, const struct why *why)
{
    html_add_words(html, why->text);
    text_add(html, "\nUse: /%s ", row->name);
    html_add(html, row->takes);
    text_add(html, ", for example ");
    html_add_in_tag(html, "code", row->example);
}

void texts_expired(struct text *html, unsigned count, int64_t age_s)
{
    if (count > 1) {
        text_add(html,
                 "%u commands that were sent while I could not be reached have expired. Please "
                 "send the ones you still need again.",
                 count);
        return;
    }
    text_add(html, "That was sent ");
    text_add_seconds(html, age_s > 0 ? (uint64_t)age_s : 0);
    text_add(html, " ago and has expired. Please send it again.");
}

void texts_private(struct text *html)
{
    text_add(html, "This bot is private.");
}

void texts_file_stuck(struct text *html, const char *file_name)
{
    html_add(html, file_name);
    text_add(html, " cannot be sent yet: Telegram has trouble with it. I will keep trying. You can "
                   "also get such a file on the server, with <code>pamctl rdp</code>.");
}

void texts_forwarded(struct text *html)
{
    text_add(html, "I do not run forwarded commands. Please send it yourself.");
}

void texts_not_opened(struct text *html, const struct why *why)
{
    html_add_sentence(html, why->text);
}
