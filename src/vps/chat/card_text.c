/* The words of a card, and the lines to use, by what its session is now. */
#include "base/crypto.h"
#include "vps/chat/card_core.h"
#include "vps/chat/readers.h"

struct text card_text(const struct card *card, char *buffer, size_t size)
{
    return readers_text(card->options.readers, card->options.person, buffer, size);
}

const char *card_label(const struct card *card, const char *label)
{
    return language_phrase(readers_language(card->options.readers, card->options.person), label);
}

bool card_gives_file(const struct session_view *view)
{
    return kind_row(view->kind)->gives == KIND_GIVES_file;
}

/* What the address is for. */
static void add_hints(const struct card *card, const struct session_view *view, struct text *html)
{
    const struct kind_row *kind = kind_row(view->kind);
    for (const struct kind_hint *hint = kind->hints; hint->what; hint++) {
        char buffer[SESSION_LINE_MAX];
        struct text line = text_over(buffer, sizeof buffer);
        if (kind_hint_serves(kind, hint, view->port)) {
            session_hint(card->session, hint, &line);
            texts_hint(html, hint->what, buffer);
        }
    }
}

/* For who may be asked about otherwise: a phone has no use for the file, and knows no ssh. */
static void add_link(const struct card *card, const struct session_view *view, struct text *html)
{
    char buffer[SESSION_LINE_MAX];
    struct text link = text_over(buffer, sizeof buffer);
    session_link(card->session, &link);
    texts_link(html, view, buffer);
    crypto_wipe(buffer, sizeof buffer);
}

static void add_waiting(const struct card *card, const struct session_view *view, struct text *html,
                        char *command)
{
    enum admit admit = card->options.settings->admit;
    if (card_gives_file(view)) {
        char name[SESSION_FILE_NAME_SIZE];
        session_rdp_file_name(card->session, name);
        texts_waiting_file(html, view, name);
        add_link(card, view, html);
    } else {
        struct text line = text_over(command, SESSION_LINE_MAX);
        session_line(card->session, &line);
        texts_waiting_line(html, view, command);
        add_hints(card, view, html);
        texts_waiting_rules(html, view, admit);
        if (admit != ADMIT_AUTO) {
            add_link(card, view, html);
        }
        texts_host_key(html, view);
        texts_kind_warning(html, kind_row(view->kind)->warning);
    }
}

/* The address again, for one more connection. */
static void add_address(const struct card *card, const struct session_view *view, struct text *html)
{
    char buffer[SESSION_LINE_MAX];
    struct text line = text_over(buffer, sizeof buffer);
    session_line(card->session, &line);
    texts_hint(html, "To connect again:", buffer);
    add_hints(card, view, html);
    texts_kind_warning(html, kind_row(view->kind)->warning);
}

/* What else can be done with the port, if the user asked for that. */
static void add_more_of_ssh(const struct card *card, const struct session_view *view,
                            struct text *html)
{
    char buffers[4][SESSION_LINE_MAX] = {"", "", "", ""}, fingerprint[IDENTITY_TEXT_MAX] = "";
    struct text ssh = text_over(buffers[0], sizeof buffers[0]);
    struct text scp = text_over(buffers[1], sizeof buffers[1]);
    struct text config = text_over(buffers[2], sizeof buffers[2]);
    if (view->state != SESSION_WAITING) { /* there it stands above */
        session_line(card->session, &ssh);
    }
    session_scp_command(card->session, &scp);
    session_ssh_config(card->session, &config);
    struct text known = text_over(buffers[3], sizeof buffers[3]);
    if (session_known_hosts(card->session, &known)) {
        identity_text(view->identity, fingerprint);
    }
    const struct texts_more more = {
        .ssh = buffers[0],
        .scp = buffers[1],
        .config = text_trim(buffers[2]),
        .known_hosts = buffers[3],
        .fingerprint = fingerprint,
        .host = session_vps_host(card->session),
        .port = view->at_entrance ? view->entrance_port : view->public_port,
        .user = session_user(card->session),
    };
    texts_more(html, &more);
}

void card_text_more(const struct card *card, const struct session_view *view, struct text *html)
{
    if (kind_row(view->kind)->has_more_lines) {
        add_more_of_ssh(card, view, html);
    } else {
        add_address(card, view, html);
    }
}

/* While waiting, hints stand there anyway. */
bool card_has_more(const struct session_view *view)
{
    const struct kind_row *kind = kind_row(view->kind);
    return (view->state == SESSION_WAITING && kind->has_more_lines) ||
           ((view->state == SESSION_CONNECTED || view->state == SESSION_RECONNECTING) &&
            (kind->has_more_lines || kind->hints[0].what));
}

void card_text_ended(const struct card *card, const struct session_view *view, struct text *html)
{
    char buffer[512];
    struct text how = text_for_reader_of(html, buffer, sizeof buffer);
    session_end_text(card->session, &how);
    texts_ended(html, view, buffer, card->source.name);
}

void card_text_state(const struct card *card, const struct session_view *view, struct text *html,
                     char *command)
{
    switch (view->state) {
    case SESSION_OPENING:
        texts_opening(html, view);
        break;
    case SESSION_WAITING:
        add_waiting(card, view, html, command);
        break;
    case SESSION_CONNECTED:
        texts_connected(html, view, card->source.name);
        break;
    case SESSION_RECONNECTING:
        texts_reconnecting(html, view);
        break;
    case SESSION_ENDED:
        card_text_ended(card, view, html);
        break;
    }
}
