#include "vps/chat/newcomer_texts.h"

#include <inttypes.h>

#include "vps/policy/policy.h"
#include "vps/transport/html.h"

enum { PERSON_SIZE = 1024, NAME_SIZE = 1024 };

/* Who they are and whom the link was for, as HTML, for phrases of a whole sentence. */
struct words {
    char person[PERSON_SIZE], name[NAME_SIZE];
};

/* Others may have taken that name, nobody the number. */
static void take_words(struct words *words, const struct text *html, const struct newcomer_who *who)
{
    char called[PERSON_SIZE / 2];
    struct text text = text_for_reader_of(html, called, sizeof called);
    html_add_in_tag(&text, "code", who->called);
    text = text_for_reader_of(html, words->person, sizeof words->person);
    if (who->called[0]) {
        text_add(&text, "%s (number %" PRId64 ")", called, who->person);
    } else {
        text_add(&text, "Somebody without a name (number %" PRId64 ")", who->person);
    }
    text = text_for_reader_of(html, words->name, sizeof words->name);
    html_add_in_tag(&text, "b", who->name);
}

void newcomer_texts_question(struct text *html, const struct newcomer_who *who)
{
    struct words words;
    take_words(&words, html, who);
    text_add(html, "🔑 %s wants in as %s.", words.person, words.name);
    if (who->roles & POLICY_ADMINISTRATOR) { /* what they could do who come in may be much */
        text_add(html, "\n⚠️ That user is an administrator.");
    } else if (who->roles & POLICY_APPROVER) {
        text_add(html, "\nThat user is an approver.");
    }
    text_add(html, "\nThey have opened the link that was made for that name. Let them in only if "
                   "you know that it is them: ask them, some other way.");
}

void newcomer_texts_outcome(struct text *html, const struct newcomer_who *who,
                            enum newcomer_outcome outcome, const char *by)
{
    char said_by[NAME_SIZE];
    struct words words;
    struct text text = text_for_reader_of(html, said_by, sizeof said_by);
    take_words(&words, html, who);
    html_add(&text, by);
    switch (outcome) {
    case NEWCOMER_LET_IN:
        text_add(html, "✅ %s was let in as %s, by %s.", words.person, words.name, said_by);
        break;
    case NEWCOMER_TURNED_AWAY:
        text_add(html, "❌ %s was not let in as %s: %s said no.", words.person, words.name, said_by);
        break;
    case NEWCOMER_EXPIRED:
        text_add(html, "❌ %s waited in vain to be let in as %s: the link has expired.",
                 words.person, words.name);
        break;
    case NEWCOMER_NOT_IN_POLICY:
        text_add(html, "❌ %s cannot come in as %s: the policy has no such user any more.",
                 words.person, words.name);
        break;
    case NEWCOMER_LINK_IS_GONE:
        text_add(html,
                 "❌ %s cannot come in as %s: the link was taken back, or there is a newer one.",
                 words.person, words.name);
        break;
    }
}

void newcomer_texts_restarted(struct text *html, const struct newcomer_who *who)
{
    struct words words;
    take_words(&words, html, who);
    text_add(html,
             "%s wanted in as %s, and the server was restarted meanwhile: they can open their link "
             "once more.",
             words.person, words.name);
}

void newcomer_texts_told(struct text *html, enum newcomer_outcome outcome)
{
    if (outcome == NEWCOMER_LET_IN) {
        text_add(html, "✅ You are in. /help shows what I can do for you.");
    } else if (outcome == NEWCOMER_EXPIRED) {
        text_add(html, "Nobody has answered in time. Ask for another link.");
    } else {
        text_add(html, "You were not let in.");
    }
}
