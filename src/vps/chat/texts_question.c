/*
 * What is said about unknown clients at a session's port. It helps its reader to decide, so it
 * tells apart what is known (the address, when it came, where the user was last) and what is only
 * claimed by the client itself: that is set as code, and introduced as its own words.
 */
#include <string.h>
#include <time.h>

#include "vps/chat/texts.h"
#include "vps/transport/html.h"

static char *after_text(const struct text *html, const struct parked_view *client, char *dst)
{
    return texts_span(html, client->after_s, dst);
}

/* How it came, and what it says of itself. */
static void add_how(struct text *html, const struct session_view *view,
                    const struct parked_view *client)
{
    const struct kind_row *kind = kind_row(view->kind);
    char words[TEXTS_PART_SIZE], after[TEXTS_PART_SIZE], name[TEXTS_PART_SIZE];
    bool has_words = client->words[0];
    texts_in_tag(html, "code", client->words, words);
    after_text(html, client, after);
    if (has_words && !kind->words_are_user) {
        text_add(html, "It calls itself %s and came %s after your command", words, after);
    } else {
        text_add(html, "It came %s after your command", after);
    }
    if (kind->has_secret) {
        text_add(html, " without the secret of the .rdp file, as if somebody had typed in the "
                       "address");
    }
    if (has_words && kind->words_are_user) {
        text_add(html, ", and gives the user name %s", words);
    }
    text_add(html, ".");
    if (client->name[0]) {
        text_add(html, "\nThe host name of its address is %s.",
                 texts_in_tag(html, "code", client->name, name));
    }
}

/* "26 Nov, 08:15 UTC", since Telegram does not say in which time zone its users are. */
static void add_moment(struct text *html, int64_t unix_s)
{
    static const char *const MONTHS[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t moment = (time_t)unix_s;
    struct tm utc;
    gmtime_r(&moment, &utc);
    text_add(html, "%02d %s, %02d:%02d UTC", utc.tm_mday, text_phrase(html, MONTHS[utc.tm_mon]),
             utc.tm_hour, utc.tm_min);
}

/* Where the user came from last, to compare with. */
static void add_last(struct text *html, const struct session_view *view, const struct addr *from,
                     bool asks_always)
{
    char when_buffer[64], last[TEXTS_PART_SIZE];
    struct text when = text_for_reader_of(html, when_buffer, sizeof when_buffer);
    if (!view->has_last) {
        if (!asks_always) {
            text_add(html, "\nYou have not been let in from there before.");
        }
        return;
    }
    add_moment(&when, view->last_unix);
    if (addr_same_party(&view->last_from, from)) {
        text_add(html, "\nYour last session came from the same address (%s).", when_buffer);
    } else {
        text_add(html, "\nYour last session came from %s (%s).",
                 texts_client(html, &view->last_from, last), when_buffer);
    }
}

/* One that says the same as an earlier one: only when it came, and its port, differ. */
static bool is_alike(const struct parked_view *const clients[], unsigned number)
{
    for (unsigned i = 0; i < number; i++) {
        if (addr_same_host(&clients[i]->from, &clients[number]->from) &&
            strcmp(clients[i]->words, clients[number]->words) == 0) {
            return true;
        }
    }
    return false;
}

static void add_after_the_first(struct text *html, const struct parked_view *client,
                                const struct parked_view *first)
{
    uint64_t ms = client->came_ms > first->came_ms ? client->came_ms - first->came_ms : 0;
    unsigned port = addr_port(&client->from);
    char span[TEXTS_PART_SIZE];
    if (ms < 1000) {
        text_add(html, "less than a second after the first, from port %u", port);
    } else {
        text_add(html, "%s after the first, from port %u", texts_span(html, ms / 1000, span), port);
    }
}

static void add_each(struct text *html, const struct session_view *view,
                     const struct parked_view *const clients[], unsigned count)
{
    char part[TEXTS_PART_SIZE];
    for (unsigned i = 0; i < count; i++) {
        text_add(html, "\n%u. ", i + 1);
        if (!addr_same_host(&clients[i]->from, &clients[0]->from)) {
            text_add(html, "%s, ", texts_client(html, &clients[i]->from, part));
        }
        if (clients[i]->words[0]) {
            text_add(html, "%s, ", texts_in_tag(html, "code", clients[i]->words, part));
        } else if (kind_row(view->kind)->words_are_user) {
            text_add(html, "without a user name, ");
        }
        if (is_alike(clients, i)) {
            add_after_the_first(html, clients[i], clients[0]);
        } else {
            text_add(html, "%s after your command", after_text(html, clients[i], part));
        }
    }
}

void texts_question(struct text *html, const struct session_view *view,
                    const struct parked_view *const clients[], unsigned count, bool asks_always)
{
    char from[TEXTS_PART_SIZE], what[TEXTS_PART_SIZE];
    text_add(html, "❓ %s wants in: %s.\n", texts_client(html, &clients[0]->from, from),
             texts_what(html, view, what));
    if (count == 1) {
        add_how(html, view, clients[0]);
    } else {
        text_add(html,
                 "<b>%u clients</b> are waiting there, perhaps behind a shared connection:", count);
        add_each(html, view, clients, count);
    }
    add_last(html, view, &clients[0]->from, asks_always);
    text_add(html, count == 1 ? "\nIs it you?" : "\nWhich one are you?");
}

static void add_networks(struct text *html, const struct knocking *knocking)
{
    char clients_buffer[64], networks_buffer[64], part[TEXTS_PART_SIZE];
    struct text clients = text_for_reader_of(html, clients_buffer, sizeof clients_buffer);
    struct text networks = text_for_reader_of(html, networks_buffer, sizeof networks_buffer);
    text_add(&clients, knocking->clients == 1 ? "%u unknown client" : "%u unknown clients",
             knocking->clients);
    if (knocking->more_networks) {
        text_add(&networks,
                 knocking->networks == 1 ? "more than %u network" : "more than %u networks",
                 knocking->networks);
    } else {
        text_add(&networks, knocking->networks == 1 ? "%u network" : "%u networks",
                 knocking->networks);
    }
    text_add(html, "%s from %s", clients_buffer, networks_buffer);
    for (unsigned i = 0; i < knocking->busiest_count; i++) {
        text_add(html, i == 0 ? ", most from %s (%u)" : ", %s (%u)",
                 texts_in_tag(html, "code", knocking->busiest[i].network, part),
                 knocking->busiest[i].clients);
    }
    text_add(html, ".");
}

void texts_knocking(struct text *html, const struct session_view *view, bool is_open)
{
    char target[TEXTS_PART_SIZE];
    text_add(html, is_open ? "🚪 Strangers are knocking at %s: " : "🚪 Strangers knocked at %s: ",
             texts_target(html, view, target));
    add_networks(html, &view->knocking);
    if (is_open) {
        text_add(html,
                 "\nThey cannot get in, and I will ask you about only a few of them. If you are "
                 "waiting there and I have not asked about you, press the button.");
    }
}

void texts_answered(struct text *html, const struct session_view *view, const struct addr *from,
                    enum texts_fate fate)
{
    char who[TEXTS_PART_SIZE], target[TEXTS_PART_SIZE], what[TEXTS_PART_SIZE];
    texts_client(html, from, who);
    texts_target(html, view, target);
    texts_what(html, view, what);
    switch (fate) {
    case TEXTS_ADMITTED:
        text_add(html, "✅ %s was admitted to %s.", who, target);
        break;
    case TEXTS_LINKED:
        text_add(html, "✅ %s was let in to %s by the session's link.", who, target);
        break;
    case TEXTS_BLOCKED:
        text_add(html, "⛔ %s was blocked from %s for this session.", who, target);
        break;
    case TEXTS_PUT_OFF:
        text_add(html,
                 "⏳ %s wants in: %s. I am asking about others first; press <b>Who waits?</b> to "
                 "bring it back.",
                 who, what);
        break;
    case TEXTS_GONE:
        text_add(html, "⚪ %s wanted in: %s. It is not waiting any more.", who, what);
        break;
    }
}
