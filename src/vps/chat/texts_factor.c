#include "vps/chat/texts_factor.h"

#include "vps/factor/tries.h"
#include "vps/transport/html.h"

/* In whole minutes, so that a moment later it is not "14 min 59 s". */
static void add_minutes(struct text *text, unsigned seconds)
{
    text_add_seconds(text, (seconds + 59) / 60 * 60);
}

void texts_factor_wrong(struct text *html, const struct factor_view *view)
{
    char span[64];
    struct text text = text_for_reader_of(html, span, sizeof span);
    add_minutes(&text, view->locked_s);
    if (view->used_up) {
        text_add(html, "🔒 Too many codes were wrong: your second factor is locked. An "
                       "administrator can unlock it on the server.");
    } else if (view->locked_s > 0) {
        text_add(html, "🔒 Too many codes were wrong: your second factor is locked for %s.", span);
    } else if (view->tries_left == 1) {
        text_add(html, "⚠️ That code is wrong. You have one more try.");
    } else {
        text_add(html, "⚠️ That code is wrong. You have %u more tries.", view->tries_left);
    }
}

void texts_factor_locked(struct text *html, const struct factor_view *view)
{
    char span[64], name[512], command[640];
    struct text text = text_for_reader_of(html, span, sizeof span);
    struct text bold = text_over(name, sizeof name), code = text_over(command, sizeof command);
    char unlock[PEOPLE_NAME_MAX + 32];
    struct text words = text_over(unlock, sizeof unlock);
    add_minutes(&text, view->locked_s);
    html_add_in_tag(&bold, "b", view->person);
    text_add(&words, "pamctl totp unlock %s", view->person);
    html_add_in_tag(&code, "code", unlock);
    if (view->used_up) {
        text_add(html,
                 "🔒 %s has given too many wrong codes, and the second factor is locked. Ask them "
                 "whether it was them, by another way than this chat: if not, somebody has their "
                 "account. On the server %s unlocks it.",
                 name, command);
    } else {
        text_add(html,
                 "🔒 %s has given too many wrong codes, and the second factor is locked for %s. Ask "
                 "them whether it was them, by another way than this chat: if not, somebody has "
                 "their account.",
                 name, span);
    }
}

void texts_factor_used(struct text *html)
{
    text_add(html,
             "⚠️ That code has been used already. Wait until your app shows the next one, and "
             "send me that.");
}

void texts_factor_not_asked(struct text *html)
{
    text_add(html, "I have not asked for a code, and took your message away. First say what to "
                   "open, then send me the code.");
}

void texts_factor_late(struct text *html)
{
    text_add(html, "Your code came too late, and I took it away. Send me the one that your app "
                   "shows now.");
}

void texts_factor_not_kept(struct text *html)
{
    text_add(html,
             "⚠️ Your code could not be taken, since this server cannot write anything down "
             "at the moment. Try again in a minute, or tell an administrator.");
}
