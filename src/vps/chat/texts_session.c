/*
 * What the live message of a session says: one function for each of its states, and the parts that
 * several of them share. Names of machines and users, and whatever a peer said, go through html.h.
 */
#include "base/clock.h"
#include "vps/chat/language.h"
#include "vps/chat/texts.h"
#include "vps/transport/html.h"

enum { PUBLISHER_SHOWN_MAX = 40 };

/* ---- parts of phrases --------------------------------------------------------- */

char *texts_target(const struct text *html, const struct session_view *view, char *dst)
{
    struct text text = text_for_reader_of(html, dst, TEXTS_PART_SIZE);
    char with_port[TARGET_TEXT_MAX];
    if (view->name && view->name[0]) {
        html_add(&text, view->name);
        return dst;
    }
    if (view->names_gateway) {
        html_add(&text, view->gateway);
        text_add(&text, "/");
    }
    if (view->port == kind_row(view->kind)->port) {
        html_add(&text, view->host);
    } else {
        target_format(view->host, view->port, with_port);
        html_add(&text, with_port);
    }
    return dst;
}

char *texts_what(const struct text *html, const struct session_view *view, char *dst)
{
    struct text text = text_for_reader_of(html, dst, TEXTS_PART_SIZE);
    char target[TEXTS_PART_SIZE];
    text_add(&text, "%s to %s", kind_row(view->kind)->label, texts_target(html, view, target));
    return dst;
}

char *texts_title(const struct text *html, const struct session_view *view, char *dst)
{
    struct text text = text_for_reader_of(html, dst, TEXTS_PART_SIZE);
    char what[TEXTS_PART_SIZE];
    text_add(&text, "<b>%s</b>", texts_what(html, view, what));
    return dst;
}

char *texts_client(const struct text *html, const struct addr *client, char *dst)
{
    struct text text = text_for_reader_of(html, dst, TEXTS_PART_SIZE);
    char host[ADDR_HOST_MAX];
    html_add_in_tag(&text, "code", addr_host_text(client, host));
    return dst;
}

char *texts_in_tag(const struct text *html, const char *tag, const char *plain, char *dst)
{
    struct text text = text_for_reader_of(html, dst, TEXTS_PART_SIZE);
    html_add_in_tag(&text, tag, plain);
    return dst;
}

char *texts_span(const struct text *html, uint64_t seconds, char *dst)
{
    struct text text = text_for_reader_of(html, dst, TEXTS_PART_SIZE);
    text_add_seconds(&text, seconds);
    return dst;
}

char *texts_about(const struct text *html, uint64_t seconds, char *dst)
{
    return texts_span(html, (seconds + 4) / 5 * 5, dst);
}

static char *bytes_text(const struct text *html, uint64_t bytes, char *dst)
{
    struct text text = text_for_reader_of(html, dst, TEXTS_PART_SIZE);
    text_add_bytes(&text, bytes);
    return dst;
}

/* ---- the states ---------------------------------------------------------------- */

/*
 * A line "2 connections, 1.2 MB received, 35 kB sent", from the user's side. The number of
 * connections is left out if there was only one.
 */
static void add_traffic(struct text *html, const struct session_view *view)
{
    unsigned count = view->state == SESSION_CONNECTED ? view->connections : view->connections_total;
    bool counts = view->connections_total > 1;
    char received[TEXTS_PART_SIZE], sent[TEXTS_PART_SIZE];
    if (counts) {
        text_add(html, count == 1 ? "\n%u connection" : "\n%u connections", count);
    }
    if (view->bytes_to_client > 0 || view->bytes_to_target > 0) {
        text_add(html, counts ? ", %s received, %s sent" : "\n%s received, %s sent",
                 bytes_text(html, view->bytes_to_client, received),
                 bytes_text(html, view->bytes_to_target, sent));
    }
}

/* What did not go well last, and does not end the session. */
static void add_note(struct text *html, const struct session_view *view)
{
    if (view->note) {
        text_add(html, "\n⚠️ ");
        char said[SESSION_NOTE_MAX + 1];
        html_add_sentence(html, language_sentence(html, view->note, said, sizeof said));
    }
}

/* Who may come by the word of whoever has the link, not by Admit. */
static void add_linked(struct text *html, const struct session_view *view)
{
    char address[TEXTS_PART_SIZE];
    if (view->is_by_link) {
        text_add(html, "\nLet in by the link from %s", texts_client(html, &view->client, address));
        return;
    }
    for (unsigned i = 0; !view->has_client && i < view->linked_count; i++) {
        text_add(html, i == 0 ? "\nLet in by the link from %s" : ", %s",
                 texts_client(html, &view->linked[i], address));
    }
}

static void add_time_to_connect(struct text *html, const struct session_view *view)
{
    char left[TEXTS_PART_SIZE];
    text_add(html, "\nTime left to connect: %s", texts_about(html, view->seconds_left, left));
}

void texts_opening(struct text *html, const struct session_view *view)
{
    char title[TEXTS_PART_SIZE];
    text_add(html, "🟡 %s\nOpening…", texts_title(html, view, title));
}

/* Where a client waits in silence until the user answers, and where nobody is asked. */
static void add_admit_hint(struct text *html, const struct session_view *view, enum admit admit)
{
    if (view->at_entrance) {
        text_add(html,
                 "\nAt port %u you are not asked: it lets in only from an address that you were "
                 "admitted from before.",
                 view->entrance_port);
    } else if (admit != ADMIT_AUTO) {
        text_add(html,
                 admit == ADMIT_ASK
                     ? "\nUntil you press <b>Admit</b> here, %s waits."
                     : "\nFrom a new address, %s waits until you press <b>Admit</b> here.",
                 text_phrase(html, kind_row(view->kind)->client));
    }
}

/* By what it can be told from others: a client may show the same. */
void texts_host_key(struct text *html, const struct session_view *view)
{
    char text[IDENTITY_TEXT_MAX], since[CLOCK_TEXT_MAX], fingerprint[TEXTS_PART_SIZE];
    const struct identity *identity = view->identity;
    if (!identity || !identity->key) {
        return;
    }
    texts_in_tag(html, "code", identity_text(identity, text), fingerprint);
    if (view->identity_is_new) {
        text_add(html, "\nHost key, seen for the first time: %s %s", identity_algorithm(identity),
                 fingerprint);
    } else {
        text_add(html, "\nHost key, known since %s: %s %s", clock_day(view->identity_since, since),
                 identity_algorithm(identity), fingerprint);
    }
}

void texts_waiting_line(struct text *html, const struct session_view *view, const char *command)
{
    char title[TEXTS_PART_SIZE];
    text_add(html, "🟡 %s is ready:\n", texts_title(html, view, title));
    html_add_in_tag(html, "code", command);
}

void texts_waiting_rules(struct text *html, const struct session_view *view, enum admit admit)
{
    text_add(html, "\n");
    add_linked(html, view);
    add_time_to_connect(html, view);
    add_note(html, view);
    add_admit_hint(html, view, admit);
}

void texts_waiting_file(struct text *html, const struct session_view *view, const char *file_name)
{
    char title[TEXTS_PART_SIZE], file[TEXTS_PART_SIZE];
    text_add(html, "🟡 %s is ready: open %s", texts_title(html, view, title),
             texts_in_tag(html, "b", file_name, file));
    if (view->at_entrance) {
        text_add(html, "\nIt is for port %u, which strict networks let out.", view->entrance_port);
    }
    add_linked(html, view);
    add_time_to_connect(html, view);
    add_note(html, view);
}

/* The person at the computer need not reach for the phone; and a phone may not take the file. */
void texts_link(struct text *html, const struct session_view *view, const char *link)
{
    text_add(html, kind_row(view->kind)->has_secret
                       ? "\nWithout the file, as on a phone: open this page there, and press its "
                         "button:\n"
                       : "\nOr open this page on that computer, and press its button:\n");
    html_add(html, link);
}

/* As Windows shows it ("View certificate", Thumbprint), and as others do. */
static void add_certificate(struct text *html, const struct session_view *view)
{
    char hex[2 * IDENTITY_SHA1_SIZE + 1], sha1[TEXTS_PART_SIZE], sha256[TEXTS_PART_SIZE];
    char text[IDENTITY_TEXT_MAX], since[CLOCK_TEXT_MAX];
    const struct identity *identity = view->identity;
    if (!identity || identity->key) {
        return;
    }
    crypto_hex(identity->sha1, sizeof identity->sha1, hex);
    texts_in_tag(html, "code", hex, sha1);
    texts_in_tag(html, "code", identity_text(identity, text), sha256);
    clock_day(view->identity_since, since);
    if (view->identity_is_renewed) {
        text_add(html, "\n\nThe machine has a new certificate, as was to be expected: the time of "
                       "the old one is over.");
    } else if (view->identity_is_new) {
        text_add(html, "\n\nThe machine's certificate, seen for the first time.");
    } else {
        text_add(html, "\n\nThe machine's certificate, known since %s.", since);
    }
    text_add(html, "\nThumbprint %s\nSHA-256 %s", sha1, sha256);
}

/* Whether a PC knows who vouches for the publisher, only that PC can say. */
static void add_signed(struct text *html, const struct rdp_certificate_view *signer,
                       const char *left, const char *target, const char *address)
{
    char shown[PUBLISHER_SHOWN_MAX + 1], name[TEXTS_PART_SIZE];
    struct text cut = text_over(shown, sizeof shown);
    text_add(&cut, "%s", signer->publisher);
    texts_in_tag(html, "b", shown, name);
    if (signer->is_its_own) {
        text_add(html,
                 "Open this file within %s to reach %s.\n\n"
                 "It is signed by %s. A PC that trusts that certificate asks less; any other warns "
                 "“Caution: Unknown remote connection”. Check that the address is %s and press "
                 "<b>Connect</b>. A second warning, about the name in the certificate, is normal: "
                 "the machine made that one itself.",
                 left, target, name, address);
    } else {
        text_add(html,
                 "Open this file within %s to reach %s.\n\n"
                 "Windows asks “Verify the publisher of this remote connection”. Check that the "
                 "publisher is %s, not unknown, and the address %s, and press <b>Connect</b>. A "
                 "second warning, about the name in the certificate, is normal: the machine made "
                 "that one itself.",
                 left, target, name, address);
    }
}

/*
 * The warnings are quoted as Windows shows them, so that their reader knows them again, and says
 * what to check first: a user who is told to ignore warnings ignores the next one, too.
 */
void texts_rdp_caption(struct text *html, const struct session_view *view,
                       const struct texts_rdp *rdp)
{
    char left[TEXTS_PART_SIZE], target[TEXTS_PART_SIZE], at[TEXTS_PART_SIZE];
    texts_about(html, view->seconds_left, left);
    texts_target(html, view, target);
    texts_in_tag(html, "code", rdp->address, at);
    if (rdp->signer) {
        add_signed(html, rdp->signer, left, target, at);
    } else {
        text_add(html,
                 "Open this file within %s to reach %s.\n\n"
                 "Windows warns “Caution: Unknown remote connection” because the file is not "
                 "signed. Check that the address is %s and press <b>Connect</b>. A second warning, "
                 "about the name in the certificate, is normal: the machine made that certificate "
                 "itself.",
                 left, target, at);
    }
    add_certificate(html, view);
    if (rdp->clipboard) {
        text_add(html, "\n\nThe clipboard is shared: what you copy on either side can be pasted, "
                       "and read, on the other.");
    }
}

/* The name beside the address, never in its place: whoever owns the address has chosen it. */
static void add_source(struct text *html, const struct session_view *view, const char *name)
{
    char address[TEXTS_PART_SIZE], tagged[TEXTS_PART_SIZE], span[TEXTS_PART_SIZE];
    char source_buffer[2 * TEXTS_PART_SIZE];
    struct text source = text_for_reader_of(html, source_buffer, sizeof source_buffer);
    text_add(&source, "%s", texts_client(html, &view->client, address));
    if (name[0]) {
        text_add(&source, " (%s)", texts_in_tag(html, "code", name, tagged));
    }
    if (view->seconds_connected > 0) {
        text_add(html, "\nConnected from %s for %s", source_buffer,
                 texts_span(html, view->seconds_connected, span));
    } else {
        text_add(html, "\nConnected from %s", source_buffer);
    }
    add_linked(html, view);
}

/* Until its longest time is over. That it ends for want of bytes is said in time. */
static void add_end(struct text *html, const struct session_view *view)
{
    char left[TEXTS_PART_SIZE];
    if (view->time_left_s > 0) {
        text_add(html, "\nTime left: %s", texts_about(html, view->time_left_s, left));
    }
}

void texts_connected(struct text *html, const struct session_view *view, const char *name)
{
    char title[TEXTS_PART_SIZE];
    text_add(html, "🟢 %s", texts_title(html, view, title));
    add_source(html, view, name);
    add_traffic(html, view);
    add_end(html, view);
    add_note(html, view);
}

/* A gateway that is gone is named: its reader may be the one who can turn it on again. */
void texts_reconnecting(struct text *html, const struct session_view *view)
{
    char title[TEXTS_PART_SIZE], who[TEXTS_PART_SIZE], left[TEXTS_PART_SIZE];
    struct text gateway = text_over(who, sizeof who);
    text_add(html, "🟠 %s\n", texts_title(html, view, title));
    texts_about(html, view->seconds_left, left);
    if (view->gateway_is_away) {
        html_add(&gateway, view->gateway);
        text_add(html,
                 "Gateway %s is offline. If it comes back, you can connect again; time left: %s",
                 who, left);
    } else {
        text_add(html, "%s disconnected and can come back within %s",
                 texts_client(html, &view->client, who), left);
    }
    add_traffic(html, view);
    add_note(html, view);
}

void texts_hint(struct text *html, const char *what, const char *line)
{
    text_add(html, "\n\n%s\n", text_phrase(html, what));
    html_add_in_tag(html, "code", line);
}

void texts_kind_warning(struct text *html, const char *warning)
{
    if (warning) {
        text_add(html, "\n\n⚠️ %s", text_phrase(html, warning));
    }
}

/* For clients with a window, where each goes into a field of its own. */
static void add_parts(struct text *html, const struct texts_more *more)
{
    char host[TEXTS_PART_SIZE], user[TEXTS_PART_SIZE];
    text_add(html, "\n\nPuTTY, FileZilla (SFTP) and apps:\nHost %s\nPort <code>%u</code>",
             texts_in_tag(html, "code", more->host, host), more->port);
    if (more->user[0]) {
        text_add(html, "\nUser %s", texts_in_tag(html, "code", more->user, user));
    }
    if (more->fingerprint[0]) { /* base64: nothing in it means anything in HTML */
        text_add(html, "\nPuTTY: <code>-hostkey %s</code>", more->fingerprint);
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
    if (more->known_hosts[0]) {
        text_add(html, "\n\nThe machine's host key, for ~/.ssh/known_hosts:\n");
        html_add_in_tag(html, "code", more->known_hosts);
    }
}

/* It never came to be what the user asked for. */
static bool never_opened(const struct session_view *view)
{
    return !view->was_ready &&
           (view->end == SESSION_END_REFUSED || view->end == SESSION_END_IDENTITY ||
            view->end == SESSION_END_GATEWAY);
}

/* Red is for what needs its reader: that a session ends is no trouble, that it never began is. */
void texts_ended(struct text *html, const struct session_view *view, const char *how,
                 const char *name)
{
    char title[TEXTS_PART_SIZE], said[TEXTS_PART_SIZE];
    text_add(html, never_opened(view) ? "🔴 %s could not be opened\n" : "⚪ %s has ended\n",
             texts_title(html, view, title));
    html_add_sentence(html, language_sentence(html, how, said, sizeof said));
    if (view->connected_unix != 0) {
        add_source(html, view, name);
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
    char title[TEXTS_PART_SIZE];
    text_add(html, "⚪ %s has ended\nThe server was restarted. Please send the command again.",
             texts_title(html, view, title));
}

/* ---- an end that is near -------------------------------------------------------- */

void texts_ending(struct text *html, const struct session_view *view, enum session_end end,
                  unsigned seconds, bool can_extend)
{
    char title[TEXTS_PART_SIZE], left[TEXTS_PART_SIZE], span[TEXTS_PART_SIZE];
    texts_title(html, view, title);
    texts_about(html, seconds, left);
    if (end == SESSION_END_IDLE) {
        text_add(html, "⏳ %s ends in %s, unless it is used: nothing was sent or received for %s.",
                 title, left, texts_about(html, view->idle_limit_s - seconds, span));
    } else if (end == SESSION_END_HOURS) {
        text_add(html, "⏳ %s ends in %s, with the hours in which it is allowed. Save your work.",
                 title, left);
    } else if (end == SESSION_END_EXPIRED) {
        text_add(html, "⏳ %s ends in %s, with your access to this server. Save your work.", title,
                 left);
    } else {
        text_add(html, "⏳ %s ends in %s, when its time is over: %s.", title, left,
                 texts_span(html, view->time_limit_s, span));
    }
    if (!can_extend && end == SESSION_END_MAX_TIME) {
        text_add(html, " More is not allowed at a time; save your work. Afterwards you can open it "
                       "again.");
    }
}

void texts_warning_over(struct text *html, const struct session_view *view)
{
    char title[TEXTS_PART_SIZE];
    text_add(html, view->state == SESSION_ENDED ? "⚪ %s has ended." : "🟢 %s goes on.",
             texts_title(html, view, title));
}
