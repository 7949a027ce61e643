/*
 * A card goes through its session's states (card_follow), and in between only its numbers change
 * (on_timer): the time left, the bytes. Each edit costs the chat a part of its rate at the
 * service and wakes nobody, so the older a connection, the more rarely it is counted, and one that
 * is quiet hardly ever.
 *
 * Until a session is ready there is nothing worth a message: if it is ready, or has failed, within
 * OPENING_AFTER_MS, its first message says just that.
 *
 * Re-entrancy: card_update() is called from inside the session's events, card_decide() from a
 * press. The latter calls the session, which calls card_update() before it returns, and frees the
 * card with the session's end: nothing here touches the card after questions_decide().
 */
#include "vps/chat/card.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/timer.h"
#include "vps/chat/button.h"
#include "vps/chat/card_core.h"
#include "vps/chat/farewell.h"
#include "vps/chat/readers.h"

enum {
    OPENING_AFTER_MS = 400, /* most sessions are ready by then, and one message is enough */
    WAITING_EVERY_S = 15,
    STILL_EVERY_S = 600, /* when connected and no bytes flow */
};

static uint64_t bytes_of(const struct session_view *view)
{
    return view->bytes_to_client + view->bytes_to_target;
}

/* --- saying it --- */

/* The last that is shown; the message is the farewell's then. */
static void say_farewell(struct card *card, const struct session_view *view, const char *html)
{
    char again[BUTTON_DATA_SIZE];
    const struct farewell_options options = {.audit = card->options.audit,
                                             .transport = card->options.transport,
                                             .readers = card->options.readers,
                                             .person = card->options.person,
                                             .post = card->post,
                                             .html = html,
                                             .again = again};
    card_format_again(card, view, again);
    card->post = NULL;
    farewell_say(card->options.farewells, &options);
}

/* The live message. After a crash it says that the session is over. */
static struct post *live_post(const struct card *card, const struct session_view *view)
{
    char buffer[TEXTS_SIZE];
    struct text html = card_text(card, buffer, sizeof buffer);
    struct post *post = card->options.post
                            ? card->options.post
                            : transport_post(card->options.transport, card->options.person);
    texts_restarted(&html, view);
    transport_keep(card->options.transport, post, buffer);
    return post;
}

/* Sets the live message to what the session is now. */
static void card_show(struct card *card, const struct session_view *view)
{
    char buffer[TEXTS_SIZE], command[SESSION_LINE_MAX] = "";
    struct text html = card_text(card, buffer, sizeof buffer);
    if (card->is_handed_over) {
        return;
    }
    card_text_state(card, view, &html, command);
    if (card->more && card_has_more(view)) {
        card_text_more(card, view, &html);
    }
    if (!card->post) {
        card->post = live_post(card, view);
    }
    if (view->state == SESSION_ENDED) {
        say_farewell(card, view, buffer);
    } else {
        card_set(card, view, buffer, command);
    }
    card->shown_connections = view->connections;
    card->shown_notes = view->notes;
    card->shown_links = view->links;
    card->shown_away = view->gateway_is_away;
    card->shown_bytes = bytes_of(view);
    card->shown_ms = clock_ms();
}

static void card_send_file(struct card *card, const struct session_view *view)
{
    char content[SESSION_RDP_FILE_MAX], name[SESSION_FILE_NAME_SIZE], address[TARGET_TEXT_MAX];
    char buffer[TEXTS_SIZE];
    struct text file = text_over(content, sizeof content);
    const struct rdp_certificate_view *signer = session_rdp_file(card->session, &file);
    session_rdp_file_name(card->session, name);
    target_format(card->options.settings->vps_host,
                  view->at_entrance ? view->entrance_port : view->public_port, address);
    struct text caption = card_text(card, buffer, sizeof buffer);
    const struct texts_rdp rdp = {
        .address = address, .signer = signer, .clipboard = card->options.settings->rdp_clipboard};
    texts_rdp_caption(&caption, view, &rdp);
    const struct transport_file document = {.name = name,
                                            .type = "application/x-rdp",
                                            .data = content,
                                            .len = file.len,
                                            .caption = buffer};
    card->file = transport_post_file(card->options.transport, card->options.person, &document);
    transport_keep(card->options.transport, card->file, NULL);
    crypto_wipe(content, sizeof content);
}

/* --- when to say it --- */

/* How often the numbers of a connection are renewed: ever more rarely. */
static unsigned connected_interval_s(const struct session_view *view)
{
    static const struct {
        unsigned age_s, interval_s;
    } STEPS[] = {{5, 5}, {600, 30}, {3600, 120}};
    for (unsigned i = 0; i < sizeof STEPS / sizeof *STEPS; i++) {
        if (view->seconds_connected < STEPS[i].age_s) {
            return STEPS[i].interval_s;
        }
    }
    return 600;
}

static void set_timer(struct card *card, const struct session_view *view)
{
    switch (view->state) {
    case SESSION_OPENING:
    case SESSION_WAITING:
    case SESSION_RECONNECTING:
        timer_set(card->timer, WAITING_EVERY_S * 1000);
        break;
    case SESSION_CONNECTED:
        timer_set(card->timer, (uint64_t)connected_interval_s(view) * 1000);
        break;
    case SESSION_ENDED:
        timer_stop(card->timer);
        break;
    }
}

/* An edit that only counts the minutes of a quiet connection is not worth one each time. */
static bool worth_showing(const struct card *card, const struct session_view *view)
{
    return view->state != SESSION_CONNECTED || bytes_of(view) != card->shown_bytes ||
           view->connections != card->shown_connections ||
           clock_ms() - card->shown_ms >= STILL_EVERY_S * 1000;
}

static void on_timer(void *arg)
{
    struct card *card = arg;
    struct session_view view;
    session_view(card->session, &view);
    questions_update(&card->questions, &view);
    if (worth_showing(card, &view)) {
        card_show(card, &view);
    }
    set_timer(card, &view);
}

static void card_follow(struct card *card, const struct session_view *view)
{
    card->state = view->state;
    if (view->state == SESSION_WAITING && card_gives_file(view) && !card->file) {
        card_send_file(card, view); /* first the file, then what is said about it */
    }
    if (view->state == SESSION_ENDED) {
        /* Its secret is worth nothing now, and need not stay in the chat. */
        transport_delete(card->options.transport, card->file);
        card->file = NULL;
    }
    card_show(card, view);
    set_timer(card, view);
}

static bool has_news(const struct card *card, const struct session_view *view)
{
    bool away_matters = view->state == SESSION_RECONNECTING;
    return view->notes != card->shown_notes || view->links != card->shown_links ||
           (away_matters && view->gateway_is_away != card->shown_away);
}

/* It is shown with the next change as well, if that comes first. */
static void on_name(void *arg)
{
    struct card *card = arg;
    struct session_view view;
    session_view(card->session, &view);
    if (view.state == SESSION_CONNECTED) {
        card_show(card, &view);
    }
}

void card_update(struct card *card)
{
    struct session_view view;
    session_view(card->session, &view);
    if (view.has_client && view.state != SESSION_ENDED) {
        source_set(&card->source, &view.client);
    }
    if (view.state == SESSION_ENDED) {
        questions_done(&card->questions, &view);
        warning_over(&card->warning, &view);
    } else {
        questions_update(&card->questions, &view);
    }
    if (view.state != card->state) {
        card_follow(card, &view);
    } else if (card->post && has_news(card, &view)) {
        card_show(card, &view);
    }
}

void card_warn(struct card *card, enum session_end end, unsigned seconds)
{
    struct session_view view;
    session_view(card->session, &view);
    warning_say(&card->warning, &view, end, seconds);
}

void card_calm(struct card *card)
{
    struct session_view view;
    session_view(card->session, &view);
    warning_over(&card->warning, &view);
    card_show(card, &view);
}

enum answer card_show_more(struct card *card)
{
    struct session_view view;
    session_view(card->session, &view);
    card->more = !card->more;
    card_show(card, &view);
    return card->more ? ANSWER_MORE : ANSWER_LESS;
}

enum answer card_switch_port(struct card *card)
{
    struct session_view view;
    session_view(card->session, &view);
    if (!card_can_switch_port(&view)) {
        return ANSWER_SESSION_OVER;
    }
    session_use_entrance(card->session, !view.at_entrance);
    session_view(card->session, &view);
    if (card->file) { /* the other one has another port in it */
        transport_delete(card->options.transport, card->file);
        card->file = NULL;
        card_send_file(card, &view);
    }
    card_show(card, &view);
    return view.at_entrance ? ANSWER_STRICT : ANSWER_NOT_STRICT;
}

struct post *card_hand_over(struct card *card, struct text *html, char ret_again[])
{
    struct session_view view;
    session_view(card->session, &view);
    struct post *post = card->post ? card->post : live_post(card, &view);
    card_text_ended(card, &view, html);
    card_format_again(card, &view, ret_again);
    card->post = NULL;
    card->is_handed_over = true;
    return post;
}

enum answer card_decide(struct card *card, unsigned number, bool admit)
{
    return questions_decide(&card->questions, card->session, number, admit);
}

/* --- life --- */

struct card *card_new(const struct card_options *options, struct session *session)
{
    struct card *card = malloc(sizeof *card);
    if (!card) {
        return NULL;
    }
    *card = (struct card){.options = *options, .session = session, .state = SESSION_OPENING};
    card->timer = timer_new(options->loop, on_timer, card);
    if (!card->timer) {
        free(card);
        return NULL;
    }
    questions_init(&card->questions, options->transport, options->readers, options->person, session,
                   options->settings->admit == ADMIT_ASK);
    card->source = (struct source){.names = options->names, .found = on_name, .arg = card};
    card->warning = (struct warning){
        .transport = options->transport, .readers = options->readers, .person = options->person};
    if (options->post) { /* what it said is over */
        struct session_view view;
        session_view(session, &view);
        card_show(card, &view);
    }
    timer_set(card->timer, OPENING_AFTER_MS);
    return card;
}

const struct session *card_session(const struct card *card)
{
    return card->session;
}

void card_free(struct card *card)
{
    if (card) {
        timer_free(card->timer);
        source_done(&card->source);
        transport_release(card->options.transport, card->post);
        transport_release(card->options.transport, card->warning.post);
        transport_release(card->options.transport, card->file);
        free(card);
    }
}
