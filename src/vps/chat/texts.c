#include "vps/chat/texts.h"

#include <inttypes.h>

#include "vps/chat/language.h"
#include "vps/transport/html.h"

enum { CAPTION_SHOWN_MAX = 400 };

void texts_unknown(struct text *html)
{
    text_add(html, "I did not understand that. /help shows what I can do.");
}

/* It takes a machine, and none was said. */
static void add_example(struct text *html, const struct command_row *row)
{
    char example[TEXTS_PART_SIZE];
    if (row->opens) {
        text_add(html, " Say which machine, for example %s",
                 texts_in_tag(html, "code", row->example, example));
    }
}

/* Of a word that could be a greeting as well as a machine's name, nothing is made a button. */
void texts_did_you_mean(struct text *html, const struct suggestions *suggestions)
{
    text_add(html, "I did not understand that. ");
    if (suggestions->may_be_a_word) {
        text_add(html, suggestions->count == 1
                           ? "/help shows what I can do. If that is the name of a machine, send "
                             "this:"
                           : "/help shows what I can do. If that is the name of a machine, send "
                             "one of these:");
    } else if (suggestions->count > 0) {
        text_add(html,
                 suggestions->count == 1 ? "Did you mean this?" : "Did you mean one of these?");
    } else {
        text_add(html, "Did you mean /%s?", suggestions->nearest->name);
        add_example(html, suggestions->nearest);
    }
}

/* why may quote what was typed, which is not to become a link. */
void texts_usage(struct text *html, const struct command_row *row, const struct why *why,
                 bool several)
{
    char takes[TEXTS_PART_SIZE], example[TEXTS_PART_SIZE];
    struct text text = text_over(takes, sizeof takes);
    html_add(&text, row->takes);
    char said[sizeof why->text];
    html_add_words(html, language_sentence(html, why->text, said, sizeof said));
    text_add(html, "\nUse: /%s %s, for example %s", row->name, takes,
             texts_in_tag(html, "code", row->example, example));
    if (several) {
        text_add(html,
                 "\nSeveral gateways are online: put the name of one in front, <code>/%s "
                 "GATEWAY/HOST</code>.",
                 row->name);
    }
}

/* A command below a photo is not run, but shown, so that it can be copied and sent. */
void texts_only_text(struct text *html, const char *caption)
{
    char command[CAPTION_SHOWN_MAX];
    if (!caption || caption[0] != '/') {
        text_add(html, "I can only read text messages. /help shows what I can do.");
        return;
    }
    struct text shown = text_over(command, sizeof command);
    text_add(&shown, "%s", caption);
    text_add(html,
             "I do not run captions of photos or files. Please send it as a message of its own:\n");
    html_add_in_tag(html, "code", command);
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
    char age[TEXTS_PART_SIZE];
    text_add(html, "That was sent %s ago and has expired. Please send it again.",
             texts_span(html, age_s > 0 ? (uint64_t)age_s : 0, age));
}

/*
 * Nothing of what the bot is for, whose it is, or what it can reach: anybody can write to it. The
 * number is theirs, and what its owner needs to let them in.
 */
void texts_private(struct text *html, int64_t user_id)
{
    text_add(html,
             "This bot is private. Your number is %" PRId64
             ". To be let in, give it to the owner of the bot.",
             user_id);
}

/* Such a file is needed now, and there is another way to it. */
void texts_file_stuck(struct text *html, const char *file_name)
{
    char name[TEXTS_PART_SIZE];
    struct text text = text_over(name, sizeof name);
    html_add(&text, file_name);
    text_add(html,
             "%s cannot be sent yet: Telegram is not accepting it. I will keep trying. You can "
             "also make such a file on the server, with <code>pamctl rdp</code>.",
             name);
}

void texts_administrators_only(struct text *html)
{
    text_add(html, "Only an administrator can do that.");
}

void texts_forwarded(struct text *html)
{
    text_add(html, "I do not run forwarded commands. Please send the command yourself.");
}

void texts_not_opened(struct text *html, const struct why *why)
{
    char said[sizeof why->text];
    html_add_sentence(html, language_sentence(html, why->text, said, sizeof said));
}
