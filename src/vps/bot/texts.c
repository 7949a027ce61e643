#include "vps/bot/texts.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SENTENCE_MAX = 640 }; /* and no word is longer */

void html_add(struct text *html, const char *plain)
{
    while (*plain) {
        size_t len = strcspn(plain, "&<>\"");
        text_add(html, "%.*s", (int)len, plain);
        plain += len;
        switch (*plain) {
        case '&':
            text_add(html, "&amp;");
            break;
        case '<':
            text_add(html, "&lt;");
            break;
        case '>':
            text_add(html, "&gt;");
            break;
        case '"':
            text_add(html, "&quot;");
            break;
        default:
            return;
        }
        plain++;
    }
}

static void add_in_tag(struct text *html, const char *tag, const char *plain)
{
    text_add(html, "<%s>", tag);
    html_add(html, plain);
    text_add(html, "</%s>", tag);
}

/*
 * Telegram turns words that look like it into links, mentions, hashtags and commands, and
 * the reader cannot tell them from ours.
 */
static bool is_telling(const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool inside = i + 1 < len;
        if (strchr("/@#$\\", word[i]) || (unsigned char)word[i] >= 0x80 ||
            (inside && strchr(".:", word[i]))) {
            return true;
        }
    }
    return false;
}

static void add_code(struct text *html, const char *plain, size_t len)
{
    char word[SENTENCE_MAX];
    snprintf(word, sizeof word, "%.*s", (int)len, plain);
    add_in_tag(html, "code", word);
}

/* The end of a word, without the punctuation behind it. */
static size_t word_len(const char *at)
{
    size_t len = strcspn(at, " \n");
    while (len > 0 && strchr(",;.:!?", at[len - 1])) {
        len--;
    }
    return len;
}

/*
 * A sentence with names and words of others in it. Those between “ and ” go into <code>,
 * where Telegram leaves everything as it is, and so does whatever looks like a link.
 */
static void add_words(struct text *html, const char *plain)
{
    const size_t quote = strlen("“");
    while (*plain) {
        size_t len = word_len(plain);
        if (strncmp(plain, "“", quote) == 0) {
            plain += quote;
            const char *end = strstr(plain, "”");
            len = end ? (size_t)(end - plain) : strlen(plain);
            add_code(html, plain, len);
            plain += end ? len + quote : len;
        } else if (is_telling(plain, len)) {
            add_code(html, plain, len);
            plain += len;
        } else {
            char word[SENTENCE_MAX];
            len += strspn(plain + len, " \n,;.:!?");
            snprintf(word, sizeof word, "%.*s", (int)len, plain);
            html_add(html, word);
            plain += len;
        }
    }
}

/* The same as a sentence of its own: with a capital letter and a full stop. */
static void add_sentence(struct text *html, const char *plain)
{
    char words[SENTENCE_MAX];
    snprintf(words, sizeof words, "%s", plain);
    size_t len = strlen(words);
    if (words[0] >= 'a' && words[0] <= 'z') {
        words[0] = (char)(words[0] - 'a' + 'A');
    }
    add_words(html, words);
    if (len > 0 && !strchr(".!?", words[len - 1])) {
        text_add(html, ".");
    }
}

/* --- to those who write --- */

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
            add_in_tag(html, "code", row->example);
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
    add_words(html, why->text);
    text_add(html, "\nUse: /%s ", row->name);
    html_add(html, row->takes);
    text_add(html, ", for example ");
    add_in_tag(html, "code", row->example);
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
    add_sentence(html, why->text);
}

/* --- a session's message --- */

static void add_target(struct text *html, const struct session_view *view)
{
    static const uint16_t DEFAULT_PORTS[] = {[SESSION_SSH] = 22, [SESSION_RDP] = 3389};
    char with_port[TARGET_TEXT_MAX];
    if (view->names_gateway) {
        html_add(html, view->gateway);
        text_add(html, "/");
    }
    if (view->port == DEFAULT_PORTS[view->kind]) {
        html_add(html, view->host);
    } else {
        target_format(view->host, view->port, with_port);
        html_add(html, with_port);
    }
}

/* "RDP to HOME-PC". */
static void add_title(struct text *html, const struct session_view *view)
{
    text_add(html, "<b>%s to ", view->kind == SESSION_SSH ? "SSH" : "RDP");
    add_target(html, view);
    text_add(html, "</b>");
}

static void add_client(struct text *html, const struct addr *client)
{
    char host[ADDR_HOST_MAX];
    add_in_tag(html, "code", addr_host_text(client, host));
}

/*
 * A line "2 connections, 1.2 MB received, 35 kB sent", from the user's side. The number of
 * connections is left out if there was only one.
 */
static void add_traffic(struct text *html, const struct session_view *view)
{
    const char *comma = "\n";
    if (view->connections_total > 1) {
        unsigned count = view->state == SESSION_CONNECTED ? view->connections
                                                          : view->connections_total;
        text_add(html, "%s%u connection%s", comma, count, count == 1 ? "" : "s");
        comma = ", ";
    }
    if (view->bytes_to_client > 0 || view->bytes_to_target > 0) {
        text_add(html, "%s", comma);
        text_add_bytes(html, view->bytes_to_client);
        text_add(html, " received, ");
        text_add_bytes(html, view->bytes_to_target);
        text_add(html, " sent");
    }
}

/* What did not go well last, and does not end the session. */
static void add_note(struct text *html, const struct session_view *view)
{
    if (view->note) {
        text_add(html, "\n⚠️ ");
        add_sentence(html, view->note);
    }
}

static void add_duration(struct text *html, const struct session_view *view)
{
    if (view->seconds_connected > 0) {
        text_add(html, " for ");
        text_add_seconds(html, view->seconds_connected);
    }
}

/* In steps of 5 s, so that it says "2 min" and not "1 min 59 s" if the answer took a moment. */
static void add_time_left(struct text *html, const struct session_view *view)
{
    text_add_seconds(html, ((uint64_t)view->seconds_left + 4) / 5 * 5);
}

void texts_opening(struct text *html, const struct session_view *view)
{
    text_add(html, "🟡 ");
    add_title(html, view);
    text_add(html, "\nOpening…");
}

void texts_waiting_ssh(struct text *html, const struct session_view *view, const char *command)
{
    text_add(html, "🟡 ");
    add_title(html, view);
    text_add(html, " is ready:\n");
    add_in_tag(html, "code", command);
    text_add(html, "\nTime left to connect: ");
    add_time_left(html, view);
}

void texts_waiting_rdp(struct text *html, const struct session_view *view, const char *file_name)
{
    text_add(html, "🟡 ");
    add_title(html, view);
    text_add(html, " is ready: open ");
    add_in_tag(html, "b", file_name);
    text_add(html, "\nTime left to connect: ");
    add_time_left(html, view);
}

void texts_rdp_caption(struct text *html, const struct session_view *view, const char *address,
                       bool clipboard)
{
    text_add(html, "Open this file within ");
    add_time_left(html, view);
    text_add(html, " to reach ");
    add_target(html, view);
    text_add(html,
             ".\n\nWindows warns “Caution: Unknown remote connection” because the file is not "
             "signed. Check that the address is ");
    add_in_tag(html, "code", address);
    text_add(html,
             " and press <b>Connect</b>. A second warning, about the name in the certificate, "
             "is normal: the machine made that certificate itself.");
    if (clipboard) {
        text_add(html, "\n\nThe clipboard is shared: what you copy on either side can be pasted, "
                       "and read, on the other one.");
    }
}

void texts_connected(struct text *html, const struct session_view *view)
{
    text_add(html, "🟢 ");
    add_title(html, view);
    text_add(html, "\nConnected from ");
    add_client(html, &view->client);
    add_duration(html, view);
    add_traffic(html, view);
    add_note(html, view);
}

void texts_reconnecting(struct text *html, const struct session_view *view)
{
    text_add(html, "🟠 ");
    add_title(html, view);
    text_add(html, "\n");
    add_client(html, &view->client);
    text_add(html, " disconnected and can come back within ");
    add_time_left(html, view);
    add_traffic(html, view);
    add_note(html, view);
}

/* For clients with a window, where each goes into a field of its own. */
static void add_parts(struct text *html, const struct texts_more *more)
{
    char port[8];
    snprintf(port, sizeof port, "%u", more->port);
    text_add(html, "\n\nPuTTY, FileZilla (SFTP) and apps:\nHost ");
    add_in_tag(html, "code", more->host);
    text_add(html, "\nPort ");
    add_in_tag(html, "code", port);
    if (more->user[0]) {
        text_add(html, "\nUser ");
        add_in_tag(html, "code", more->user);
    }
}

void texts_more(struct text *html, const struct texts_more *more)
{
    if (more->ssh[0]) {
        text_add(html, "\n\nTo connect again:\n");
        add_in_tag(html, "code", more->ssh);
    }
    text_add(html, "\n\nTo copy files:\n");
    add_in_tag(html, "code", more->scp);
    text_add(html, "\n\nOr, for everything that uses ssh, in ~/.ssh/config:\n");
    add_in_tag(html, "pre", more->config);
    add_parts(html, more);
}

/* It never came to be what the user asked for. */
static bool never_opened(const struct session_view *view)
{
    return view->connected_unix == 0 &&
           (view->end == SESSION_END_REFUSED || view->end == SESSION_END_GATEWAY ||
            view->end == SESSION_END_TARGET);
}

void texts_ended(struct text *html, const struct session_view *view, const char *how)
{
    text_add(html, never_opened(view) ? "🔴 " : "⚪ ");
    add_title(html, view);
    text_add(html, never_opened(view) ? " did not work out\n" : " has ended\n");
    add_sentence(html, how);
    if (view->connected_unix != 0) {
        text_add(html, "\nConnected from ");
        add_client(html, &view->client);
        add_duration(html, view);
        add_traffic(html, view);
        add_note(html, view);
    }
}

void texts_restarted(struct text *html, const struct session_view *view)
{
    text_add(html, "⚪ ");
    add_title(html, view);
    text_add(html, " has ended\nThe server was restarted.");
}

/* --- about an unknown client --- */

static void add_after(struct text *html, const struct parked_view *client)
{
    text_add_seconds(html, client->after_s);
    text_add(html, " after your command");
}

/* How it came, and what it says of itself. */
static void add_how(struct text *html, const struct session_view *view,
                    const struct parked_view *client)
{
    if (view->kind == SESSION_SSH) {
        text_add(html, "It calls itself ");
        add_in_tag(html, "code", client->words);
        text_add(html, " and came ");
        add_after(html, client);
    } else {
        text_add(html, "It came ");
        add_after(html, client);
        text_add(html, " without the secret of the .rdp file, as if somebody had typed in the "
                       "address");
        if (client->words[0]) {
            text_add(html, ", and gives the user name ");
            add_in_tag(html, "code", client->words);
        }
    }
    text_add(html, ".");
    if (client->name[0]) {
        text_add(html, "\nThe host name of its address is ");
        add_in_tag(html, "code", client->name);
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
        add_client(html, &view->last_from);
    }
    text_add(html, " (%s).", when);
}

static void add_each(struct text *html, const struct session_view *view,
                     const struct parked_view *const clients[], unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        text_add(html, "\n%u. ", i + 1);
        if (!addr_same_host(&clients[i]->from, &clients[0]->from)) {
            add_client(html, &clients[i]->from);
            text_add(html, ", ");
        }
        if (clients[i]->words[0]) {
            add_in_tag(html, "code", clients[i]->words);
            text_add(html, ", ");
        } else if (view->kind == SESSION_RDP) {
            text_add(html, "without a user name, ");
        }
        add_after(html, clients[i]);
    }
}

void texts_question(struct text *html, const struct session_view *view,
                    const struct parked_view *const clients[], unsigned count, bool asks_always)
{
    text_add(html, "❓ ");
    add_client(html, &clients[0]->from);
    text_add(html, " wants in to ");
    add_target(html, view);
    text_add(html, ".\n");
    if (count == 1) {
        add_how(html, view, clients[0]);
    } else {
        text_add(html,
                 "<b>%u clients</b> are waiting there, perhaps behind a shared connection:", count);
        add_each(html, view, clients, count);
    }
    add_last(html, view, &clients[0]->from, asks_always);
    text_add(html, count == 1 ? "\nIs it you?" : "\nWhich one is you?");
}

static void add_networks(struct text *html, const struct knocking *knocking)
{
    text_add(html, "%u unknown client%s from %s%u network%s", knocking->clients,
             knocking->clients == 1 ? "" : "s", knocking->more_networks ? "more than " : "",
             knocking->networks, knocking->networks == 1 ? "" : "s");
    for (unsigned i = 0; i < knocking->busiest_count; i++) {
        text_add(html, i == 0 ? ", most from " : ", ");
        add_in_tag(html, "code", knocking->busiest[i].network);
        text_add(html, " (%u)", knocking->busiest[i].clients);
    }
    text_add(html, ".");
}

void texts_knocking(struct text *html, const struct session_view *view, bool is_open)
{
    text_add(html, is_open ? "🚪 Strangers are knocking at " : "🚪 Strangers knocked at ");
    add_target(html, view);
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
    } FATES[] = {
        [TEXTS_ADMITTED] = {"✅ ", " was admitted to ", "."},
        [TEXTS_BLOCKED] = {"⛔ ", " was blocked from ", "."},
        [TEXTS_PUT_OFF] = {"⏳ ", " wants in to ",
                           ". I am asking about others first; <b>Who waits?</b> brings it back."},
        [TEXTS_GONE] = {"⚪ ", " wanted in to ", ", but is not waiting any more."},
    };
    text_add(html, "%s", FATES[fate].before);
    add_client(html, from);
    text_add(html, "%s", FATES[fate].between);
    add_target(html, view);
    text_add(html, "%s", FATES[fate].after);
}
