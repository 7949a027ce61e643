/*
 * What is said about unknown clients at a session's port. It helps its reader to decide, so it
 * tells apart what is known (the address, when it came, where the user was last) and what is only
 * claimed by the client itself: that is set as code, and introduced as its own words.
 */
#include <string.h>
#include <time.h>

#include "vps/chat/texts.h"
#include "vps/transport/html.h"

static void add_after(struct text *html, const struct parked_view *client)
{
    text_add_seconds(html, client->after_s);
    text_add(html, " after your command");
}

/* How it came, and what it says of itself. */
static void add_how(struct text *html, const struct session_view *view,
                    const struct parked_view *client)
{
    const struct kind_row *kind = kind_row(view->kind);
    bool has_words = client->words[0];
    text_add(html, "It ");
    if (has_words && !kind->words_are_user) {
        text_add(html, "calls itself ");
        html_add_in_tag(html, "code", client->words);
        text_add(html, " and ");
    }
    text_add(html, "came ");
    add_after(html, client);
    if (kind->has_secret) {
        text_add(html, " without the secret of the .rdp file, as if somebody had typed in the "
                       "address");
    }
    if (has_words && kind->words_are_user) {
        text_add(html, ", and gives the user name ");
        html_add_in_tag(html, "code", client->words);
    }
    text_add(html, ".");
    if (client->name[0]) {
        text_add(html, "\nThe host name of its address is ");
        html_add_in_tag(html, "code", client->name);
        text_add(html, ".");
    }
}

/* Where the user came from last, to compare with. */
static void add_last(struct text *html, const struct session_view *view, const struct addr *from,
                     bool asks_always)
{
    char when[32];
    struct tm utc;
    time_t last = (time_t)view->last_unix;
    if (!view->has_last) {
        text_add(html, asks_always ? "" : "\nYou have not been let in from there before.");
        return;
    }
    strftime(when, sizeof when, "%d %b, %H:%M UTC", gmtime_r(&last, &utc));
    text_add(html, "\nYour last session came from ");
    if (addr_same_party(&view->last_from, from)) {
        text_add(html, "the same address");
    } else {
        texts_add_client(html, &view->last_from);
    }
    text_add(html, " (%s).", when);
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
    if (ms < 1000) {
        text_add(html, "less than a second");
    } else {
        text_add_seconds(html, ms / 1000);
    }
    text_add(html, " after the first, from port %u", addr_port(&client->from));
}

static void add_each(struct text *html, const struct session_view *view,
                     const struct parked_view *const clients[], unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        text_add(html, "\n%u. ", i + 1);
        if (!addr_same_host(&clients[i]->from, &clients[0]->from)) {
            texts_add_client(html, &clients[i]->from);
            text_add(html, ", ");
        }
        if (clients[i]->words[0]) {
            html_add_in_tag(html, "code", clients[i]->words);
            text_add(html, ", ");
        } else if (kind_row(view->kind)->words_are_user) {
            text_add(html, "without a user name, ");
        }
        if (is_alike(clients, i)) {
            add_after_the_first(html, clients[i], clients[0]);
        } else {
            add_after(html, clients[i]);
        }
    }
}

/* "SSH to nas". */
static void add_what(struct text *html, const struct session_view *view)
{
    text_add(html, "%s to ", kind_row(view->kind)->label);
    texts_add_target(html, view);
}

void texts_question(struct text *html, const struct session_view *view,
                    const struct parked_view *const clients[], unsigned count, bool asks_always)
{
    text_add(html, "❓ ");
    texts_add_client(html, &clients[0]->from);
    text_add(html, " wants in: ");
    add_what(html, view);
    text_add(html, ".\n");
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
    text_add(html, "%u unknown client%s from %s%u network%s", knocking->clients,
             knocking->clients == 1 ? "" : "s", knocking->more_networks ? "more than " : "",
             knocking->networks, knocking->networks == 1 ? "" : "s");
    for (unsigned i = 0; i < knocking->busiest_count; i++) {
        text_add(html, i == 0 ? ", most from " : ", ");
        html_add_in_tag(html, "code", knocking->busiest[i].network);
        text_add(html, " (%u)", knocking->busiest[i].clients);
    }
    text_add(html, ".");
}

void texts_knocking(struct text *html, const struct session_view *view, bool is_open)
{
    text_add(html, is_open ? "🚪 Strangers are knocking at " : "🚪 Strangers knocked at ");
    texts_add_target(html, view);
    text_add(html, ": ");
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
    static const struct {
        const char *before, *between, *after;
        bool names_kind;
    } FATES[] = {
        [TEXTS_ADMITTED] = {"✅ ", " was admitted to ", ".", false},
        [TEXTS_BLOCKED] = {"⛔ ", " was blocked from ", " for this session.", false},
        [TEXTS_PUT_OFF] =
            {"⏳ ", " wants in: ",
             ". I am asking about others first; press <b>Who waits?</b> to bring it back.", true},
        [TEXTS_GONE] = {"⚪ ", " wanted in: ", ". It is not waiting any more.", true},
    };
    text_add(html, "%s", FATES[fate].before);
    texts_add_client(html, from);
    text_add(html, "%s", FATES[fate].between);
    if (FATES[fate].names_kind) {
        add_what(html, view);
    } else {
        texts_add_target(html, view);
    }
    text_add(html, "%s", FATES[fate].after);
}
