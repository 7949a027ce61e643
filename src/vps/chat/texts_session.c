/*
 * What the live message of a session says: one function for each of its states, and the parts that
 * several of them share. Names of machines and users, and whatever a peer said, go through html.h.
 */
#include <stdio.h>

#include "vps/chat/texts.h"
#include "vps/transport/html.h"

void texts_add_target(struct text *html, const struct session_view *view)
{
    char with_port[TARGET_TEXT_MAX];
    if (view->names_gateway) {
        html_add(html, view->gateway);
        text_add(html, "/");
    }
    if (view->port == kind_row(view->kind)->port) {
        html_add(html, view->host);
    } else {
        target_format(view->host, view->port, with_port);
        html_add(html, with_port);
    }
}

void texts_add_title(struct text *html, const struct session_view *view)
{
    text_add(html, "<b>%s to ", kind_row(view->kind)->label);
    texts_add_target(html, view);
    text_add(html, "</b>");
}

void texts_add_client(struct text *html, const struct addr *client)
{
    char host[ADDR_HOST_MAX];
    html_add_in_tag(html, "code", addr_host_text(client, host));
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
        html_add_sentence(html, view->note);
    }
}

static void add_duration(struct text *html, const struct session_view *view)
{
    if (view->seconds_connected > 0) {
        text_add(html, " for ");
        text_add_seconds(html, view->seconds_connected);
    }
}

void texts_add_time_left(struct text *html, const struct session_view *view)
{
    text_add_seconds(html, ((uint64_t)view->seconds_left + 4) / 5 * 5);
}

void texts_opening(struct text *html, const struct session_view *view)
{
    text_add(html, "🟡 ");
    texts_add_title(html, view);
    text_add(html, "\nOpening…");
}

/* Where a client waits in silence until the user answers. */
static void add_admit_hint(struct text *html, const struct session_view *view, enum admit admit)
{
    if (admit != ADMIT_AUTO) {
        text_add(html, "\n%s%s waits until you press <b>Admit</b> here.",
                 admit == ADMIT_ASK ? "" : "From a new address, ", kind_name(view->kind));
    }
}

void texts_waiting_line(struct text *html, const struct session_view *view, const char *command,
                        enum admit admit)
{
    text_add(html, "🟡 ");
    texts_add_title(html, view);
    text_add(html, " is ready:\n");
    html_add_in_tag(html, "code", command);
    add_admit_hint(html, view, admit);
    text_add(html, "\nTime left to connect: ");
    texts_add_time_left(html, view);
    add_note(html, view);
}

void texts_waiting_file(struct text *html, const struct session_view *view, const char *file_name)
{
    text_add(html, "🟡 ");
    texts_add_title(html, view);
    text_add(html, " is ready: open ");
    html_add_in_tag(html, "b", file_name);
    text_add(html, "\nTime left to connect: ");
    texts_add_time_left(html, view);
    add_note(html, view);
}

/*
 * The warnings are quoted as Windows shows them, so that their reader knows them again, and says
 * what to check first: a user who is told to ignore warnings ignores the next one, too.
 */
void texts_rdp_caption(struct text *html, const struct session_view *view, const char *address,
                       bool clipboard)
{
    text_add(html, "Open this file within ");
    texts_add_time_left(html, view);
    text_add(html, " to reach ");
    texts_add_target(html, view);
    text_add(html,
             ".\n\nWindows warns “Caution: Unknown remote connection” because the file is not "
             "signed. Check that the address is ");
    html_add_in_tag(html, "code", address);
    text_add(html,
             " and press <b>Connect</b>. A second warning, about the name in the certificate, "
             "is normal: the machine made that certificate itself.");
    if (clipboard) {
        text_add(html, "\n\nThe clipboard is shared: what you copy on either side can be pasted, "
                       "and read, on the other.");
    }
}

void texts_connected(struct text *html, const struct session_view *view)
{
    text_add(html, "🟢 ");
    texts_add_title(html, view);
    text_add(html, "\nConnected from ");
    texts_add_client(html, &view->client);
    add_duration(html, view);
    add_traffic(html, view);
    add_note(html, view);
}

/* A gateway that is gone is named: its reader may be the one who can turn it on again. */
void texts_reconnecting(struct text *html, const struct session_view *view)
{
    text_add(html, "🟠 ");
    texts_add_title(html, view);
    text_add(html, "\n");
    if (view->gateway_is_away) {
        text_add(html, "Gateway ");
        html_add(html, view->gateway);
        text_add(html, " is offline. If it comes back, you can connect again; time left: ");
    } else {
        texts_add_client(html, &view->client);
        text_add(html, " disconnected and can come back within ");
    }
    texts_add_time_left(html, view);
    add_traffic(html, view);
    add_note(html, view);
}

/* For clients with a window, where each goes into a field of its own. */
static void add_parts(struct text *html, const struct texts_more *more)
{
    char port[8];
    snprintf(port, sizeof port, "%u", more->port);
    text_add(html, "\n\nPuTTY, FileZilla (SFTP) and apps:\nHost ");
    html_add_in_tag(html, "code", more->host);
    text_add(html, "\nPort ");
    html_add_in_tag(html, "code", port);
    if (more->user[0]) {
        text_add(html, "\nUser ");
        html_add_in_tag(html, "code", more->user);
    }
}

void texts_more(struct text *html, const struct texts_more *more)
{
    if (more->ssh[0]) {
        text_add(html, "\n\nTo connect again:\n");
        html_add_in_tag(html, "code", more->ssh);
    }
    text_add(html, "\n\nTo copy files:\n");
    html_add_in_tag(html, "code", more->scp);
    text_add(html, "\n\nOr, for everything that uses ssh, in ~/.ssh/config:\n");
    html_add_in_tag(html, "pre", more->config);
    add_parts(html, more);
}

/* It never came to be what the user asked for. */
static bool never_opened(const struct session_view *view)
{
    return !view->was_ready &&
           (view->end == SESSION_END_REFUSED || view->end == SESSION_END_GATEWAY);
}

/* Red is for what needs its reader: that a session ends is no trouble, that it never began is. */
void texts_ended(struct text *html, const struct session_view *view, const char *how)
{
    text_add(html, never_opened(view) ? "🔴 " : "⚪ ");
    texts_add_title(html, view);
    text_add(html, never_opened(view) ? " could not be opened\n" : " has ended\n");
    html_add_sentence(html, how);
    if (view->connected_unix != 0) {
        text_add(html, "\nConnected from ");
        texts_add_client(html, &view->client);
        add_duration(html, view);
        add_traffic(html, view);
    }
    add_note(html, view);
}

void texts_audit_head(struct text *html, const char *head)
{
    if (head[0]) {
        text_add(html, "\nAudit <code>%s</code>", head);
    }
}

void texts_restarted(struct text *html, const struct session_view *view)
{
    text_add(html, "⚪ ");
    texts_add_title(html, view);
    text_add(html, " has ended\nThe server was restarted. Please send the command again.");
}

/* In steps of 5 s, up: it was less than that a moment ago. */
static void add_about(struct text *html, unsigned seconds)
{
    text_add_seconds(html, ((uint64_t)seconds + 4) / 5 * 5);
}

void texts_ending(struct text *html, const struct session_view *view, enum session_end end,
                  unsigned seconds, bool can_extend)
{
    text_add(html, "⏳ ");
    texts_add_title(html, view);
    text_add(html, " ends in ");
    add_about(html, seconds);
    if (end == SESSION_END_IDLE) {
        text_add(html, ", unless it is used: nothing was sent or received for ");
        add_about(html, view->idle_limit_s - seconds);
    } else {
        text_add(html, ", when its time is over: ");
        text_add_seconds(html, view->time_limit_s);
    }
    text_add(html, ".");
    if (!can_extend) {
        text_add(html, " More is not allowed at a time; save your work. Afterwards you can open it "
                       "again.");
    }
}

void texts_warning_over(struct text *html, const struct session_view *view)
{
    text_add(html, view->state == SESSION_ENDED ? "⚪ " : "🟢 ");
    texts_add_title(html, view);
    text_add(html, view->state == SESSION_ENDED ? " has ended." : " goes on.");
}
