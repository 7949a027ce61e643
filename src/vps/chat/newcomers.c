/*
 * A link is opened by sending "/start TOKEN": the chat's app does that by itself when the link is
 * followed. The token says which invitation it is; from then on a request goes by an ID of its own,
 * which is in the buttons, so that no token ever stands in a message of ours.
 *
 *     knock ─► waits ─┬─ Let in ─► people_let_in()      each ends the request: every card says what
 *                     ├─ No ─────► people_turn_away()   came of it, the newcomer is told, and the
 *                     └─ time ───► people_turn_away()   place is free
 *
 * Requests are in memory. The invitation is not: after a restart its link can be opened again, by
 * the same account, and administrators are asked anew.
 *
 * Nothing here is freed from inside a press but the request itself, at the end of it.
 */
#include "vps/chat/newcomers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cooldown.h"
#include "base/crypto.h"
#include "base/timer.h"
#include "vps/chat/button.h"
#include "vps/chat/newcomer_texts.h"
#include "vps/chat/readers.h"
#include "vps/chat/texts.h"

enum { CALLED_MAX = 64, TOLD_EVERY_MS = 10 * 1000 };

/* A message to one administrator. */
struct asked {
    int64_t person;
    struct post *post;
};

struct newcomer {
    struct newcomers *newcomers;
    char id[SESSION_ID_SIZE + 1]; /* "": the place is free */
    int64_t person;
    enum language language;
    char called[CALLED_MAX + 1]; /* what they call themselves; "": nothing */
    char name[MEMBER_NAME_MAX + 1];
    struct timer *deadline;
    struct asked asked[NEWCOMERS_ADMINISTRATORS_MAX];
    unsigned asked_count;
};

struct newcomers {
    struct conversation *conversation;
    struct people *people;
    struct newcomer *waiting[NEWCOMERS_MAX]; /* NULL: a free place */
    /* The latest decisions, in a ring: a late press is told so. */
    struct {
        char id[SESSION_ID_SIZE + 1];
        enum newcomer_outcome outcome;
    } decided[NEWCOMERS_DECIDED_MAX];
    unsigned next_decided;
    struct cooldown told; /* who was told that they wait, by person: a link makes nobody a user */
};

static struct transport *transport_of(const struct newcomer *newcomer)
{
    return newcomer->newcomers->conversation->transport;
}

/* ---- what is said --------------------------------------------------------- */

static struct newcomer_who who_of(const struct newcomer *newcomer)
{
    const struct policy *policy = people_policy(newcomer->newcomers->people);
    const struct policy_user *user = policy ? policy_user_named(policy, newcomer->name) : NULL;
    return (struct newcomer_who){.person = newcomer->person,
                                 .called = newcomer->called,
                                 .name = newcomer->name,
                                 .roles = user ? user->roles : 0};
}

static void tell_newcomer(const struct newcomer *newcomer, enum newcomer_outcome outcome)
{
    char buffer[TEXTS_SIZE];
    struct text html = language_text(newcomer->language, buffer, sizeof buffer);
    newcomer_texts_told(&html, outcome);
    transport_say(transport_of(newcomer), newcomer->person, buffer);
}

/* ---- cards ---------------------------------------------------------------- */

static void ask(struct newcomer *newcomer, struct asked *asked)
{
    const struct conversation *conversation = newcomer->newcomers->conversation;
    const struct newcomer_who who = who_of(newcomer);
    char buffer[TEXTS_SIZE], yes[BUTTON_DATA_SIZE], no[BUTTON_DATA_SIZE];
    struct text html = conversation_text(conversation, asked->person, buffer, sizeof buffer);
    const struct button buttons[] = {
        {.label = text_phrase(&html, BUTTONS[BUTTON_LET_IN].label),
         .data = button_format(BUTTON_LET_IN, newcomer->id, 0, yes)},
        {.label = text_phrase(&html, BUTTONS[BUTTON_TURN_AWAY].label),
         .data = button_format(BUTTON_TURN_AWAY, newcomer->id, 0, no)},
    };
    asked->post = transport_post(conversation->transport, asked->person);
    newcomer_texts_question(&html, &who);
    transport_set(conversation->transport, asked->post, buffer, buttons, 2);
    html = conversation_text(conversation, asked->person, buffer, sizeof buffer);
    newcomer_texts_restarted(&html, &who);
    transport_keep(conversation->transport, asked->post, buffer);
}

static void ask_all(struct newcomer *newcomer)
{
    struct owner administrators[NEWCOMERS_ADMINISTRATORS_MAX];
    newcomer->asked_count = people_in_chat(newcomer->newcomers->people, POLICY_ADMINISTRATOR,
                                           administrators, NEWCOMERS_ADMINISTRATORS_MAX);
    for (unsigned i = 0; i < newcomer->asked_count; i++) {
        newcomer->asked[i].person = administrators[i].id;
        ask(newcomer, &newcomer->asked[i]);
    }
}

static void settle_cards(struct newcomer *newcomer, enum newcomer_outcome outcome,
                         const struct owner *by)
{
    const struct conversation *conversation = newcomer->newcomers->conversation;
    const struct newcomer_who who = who_of(newcomer);
    char buffer[TEXTS_SIZE], name[PEOPLE_NAME_MAX] = "";
    if (by) {
        people_name(conversation->people, by, name);
    }
    for (unsigned i = 0; i < newcomer->asked_count; i++) {
        struct asked *asked = &newcomer->asked[i];
        struct text html = conversation_text(conversation, asked->person, buffer, sizeof buffer);
        newcomer_texts_outcome(&html, &who, outcome, name);
        transport_set(conversation->transport, asked->post, buffer, NULL, 0);
        transport_release(conversation->transport, asked->post);
    }
    newcomer->asked_count = 0;
}

/* ---- the end of a request ------------------------------------------------- */

static void leave(struct newcomer *newcomer)
{
    struct newcomers *newcomers = newcomer->newcomers;
    for (unsigned i = 0; i < NEWCOMERS_MAX; i++) {
        if (newcomers->waiting[i] == newcomer) {
            newcomers->waiting[i] = NULL;
        }
    }
    for (unsigned i = 0; i < newcomer->asked_count; i++) {
        transport_release(transport_of(newcomer), newcomer->asked[i].post);
    }
    timer_free(newcomer->deadline);
    free(newcomer);
}

static void decide(struct newcomer *newcomer, enum newcomer_outcome outcome, const struct owner *by)
{
    struct newcomers *newcomers = newcomer->newcomers;
    unsigned at = newcomers->next_decided++ % NEWCOMERS_DECIDED_MAX;
    memcpy(newcomers->decided[at].id, newcomer->id, sizeof newcomer->id);
    newcomers->decided[at].outcome = outcome;
    settle_cards(newcomer, outcome, by);
    tell_newcomer(newcomer, outcome);
    leave(newcomer);
}

static void on_deadline(void *arg)
{
    struct newcomer *newcomer = arg;
    const struct owner account = transport_owner(transport_of(newcomer), newcomer->person);
    people_turn_away(newcomer->newcomers->people, newcomer->name, &account, NULL);
    decide(newcomer, NEWCOMER_EXPIRED, NULL);
}

/* ---- coming --------------------------------------------------------------- */

/* "/start TOKEN", perhaps with the bot's name. NULL: something else. */
static const char *token_of(const struct newcomers *newcomers, const struct incoming *incoming,
                            char dst[INVITATION_TOKEN_SIZE])
{
    struct command command;
    struct why why;
    if (!incoming->text || command_parse(incoming->text, newcomers->conversation->bot_name,
                                         &command, &why) != COMMAND_OK) {
        return NULL;
    }
    size_t len = strcspn(command.rest, " \t\r\n");
    if (strcmp(command.row->name, "start") != 0 || len != INVITATION_TOKEN_LEN) {
        return NULL;
    }
    memcpy(dst, command.rest, len);
    dst[len] = '\0';
    return dst;
}

static struct newcomer *find(const struct newcomers *newcomers, int64_t person, const char *id)
{
    for (unsigned i = 0; i < NEWCOMERS_MAX; i++) {
        struct newcomer *newcomer = newcomers->waiting[i];
        if (newcomer && (id ? strcmp(newcomer->id, id) == 0 : newcomer->person == person)) {
            return newcomer;
        }
    }
    return NULL;
}

/* NULL: there are too many, or there is no memory. */
static struct newcomer *add(struct newcomers *newcomers, const struct incoming *incoming,
                            const struct invitation *invitation)
{
    unsigned at = 0;
    while (at < NEWCOMERS_MAX && newcomers->waiting[at]) {
        at++;
    }
    struct newcomer *newcomer = at < NEWCOMERS_MAX ? calloc(1, sizeof *newcomer) : NULL;
    if (!newcomer) {
        return NULL;
    }
    newcomer->newcomers = newcomers;
    newcomer->person = incoming->person;
    newcomer->language = language_of(incoming->language);
    newcomer->deadline = timer_new(newcomers->conversation->loop, on_deadline, newcomer);
    if (!newcomer->deadline || crypto_random_name(newcomer->id, SESSION_ID_SIZE) < 0) {
        leave(newcomer);
        return NULL;
    }
    struct text called = text_over(newcomer->called, sizeof newcomer->called);
    text_add(&called, "%s", incoming->name ? incoming->name : "");
    text_quote(newcomer->called);
    strcpy(newcomer->name, invitation->name);
    int64_t left = invitation->until - clock_unix();
    timer_set(newcomer->deadline, left > 0 ? (uint64_t)left * 1000 : 0);
    newcomers->waiting[at] = newcomer;
    return newcomer;
}

static void answer(const struct newcomers *newcomers, const struct incoming *incoming,
                   const char *phrase)
{
    char buffer[TEXTS_SIZE];
    struct text html = language_text(language_of(incoming->language), buffer, sizeof buffer);
    text_add(&html, "%s", text_phrase(&html, phrase));
    transport_say(newcomers->conversation->transport, incoming->person, buffer);
}

/* It is seldom: whoever sends a link again and again uses up nothing that users need. */
static void answer_seldom(struct newcomers *newcomers, const struct incoming *incoming,
                          const char *phrase)
{
    if (cooldown_allows(&newcomers->told, incoming->person, TOLD_EVERY_MS, clock_ms())) {
        answer(newcomers, incoming, phrase);
    }
}

/* Who opens it again, or another one beside it, has asked already. */
static void welcome(struct newcomers *newcomers, const struct incoming *incoming,
                    const struct invitation *invitation)
{
    struct newcomer *newcomer = find(newcomers, incoming->person, NULL);
    if (newcomer) {
        answer_seldom(newcomers, incoming, "I have asked already. You will hear from me here.");
        return;
    }
    newcomer = add(newcomers, incoming, invitation);
    if (!newcomer) {
        answer_seldom(
            newcomers, incoming,
            "Too many people are waiting to be let in. Please open the link again later.");
        return;
    }
    log_info(newcomers->conversation->log,
             "people: %s user %" PRId64 " (who goes by “%s”) has opened the link for %s",
             transport_name(newcomers->conversation->transport), newcomer->person, newcomer->called,
             newcomer->name);
    ask_all(newcomer);
    answer(newcomers, incoming,
           "I have asked whether you may come in. You will hear from me here.");
}

bool newcomers_knock(struct newcomers *newcomers, const struct incoming *incoming)
{
    char token[INVITATION_TOKEN_SIZE];
    const struct owner account = transport_owner(newcomers->conversation->transport,
                                                 incoming->person);
    if (!token_of(newcomers, incoming, token)) {
        return false;
    }
    const struct invitation *invitation = people_open(newcomers->people, token, &account);
    crypto_wipe(token, sizeof token);
    if (invitation) {
        welcome(newcomers, incoming, invitation);
    }
    return invitation != NULL;
}

/* The message that did not reach them is lost. */
static void ask_once_more(struct newcomer *newcomer, int64_t person)
{
    for (unsigned i = 0; i < newcomer->asked_count; i++) {
        if (newcomer->asked[i].person == person) {
            transport_release(transport_of(newcomer), newcomer->asked[i].post);
            ask(newcomer, &newcomer->asked[i]);
        }
    }
}

void newcomers_ask(struct newcomers *newcomers, int64_t person)
{
    for (unsigned i = 0; i < NEWCOMERS_MAX; i++) {
        if (newcomers->waiting[i] &&
            conversation_may(newcomers->conversation, WHO_ADMINISTRATOR, person, NULL)) {
            ask_once_more(newcomers->waiting[i], person);
        }
    }
}

/* ---- pressed buttons ------------------------------------------------------ */

static enum answer too_late(const struct newcomers *newcomers, const char *id)
{
    for (unsigned i = 0; i < NEWCOMERS_DECIDED_MAX; i++) {
        if (newcomers->decided[i].id[0] && strcmp(newcomers->decided[i].id, id) == 0) {
            return newcomers->decided[i].outcome == NEWCOMER_LET_IN ? ANSWER_NEWCOMER_IS_IN
                   : newcomers->decided[i].outcome == NEWCOMER_TURNED_AWAY
                       ? ANSWER_NEWCOMER_WAS_TURNED_AWAY
                       : ANSWER_NEWCOMER_IS_TOO_LATE;
        }
    }
    return ANSWER_NEWCOMER_IS_GONE;
}

static enum answer let_in(struct newcomer *newcomer, const struct owner *account,
                          const struct owner *by)
{
    if (conversation_is_locked(newcomer->newcomers->conversation)) {
        return ANSWER_NOBODY_WHILE_LOCKED;
    }
    int err = people_let_in(newcomer->newcomers->people, newcomer->name, account, by);
    decide(newcomer,
           err == 0         ? NEWCOMER_LET_IN
           : err == -ESTALE ? NEWCOMER_LINK_IS_GONE
                            : NEWCOMER_NOT_IN_POLICY,
           by);
    return err == 0 ? ANSWER_NEWCOMER_LET_IN : ANSWER_NEWCOMER_IS_TOO_LATE;
}

static enum answer turn_away(struct newcomer *newcomer, const struct owner *account,
                             const struct owner *by)
{
    people_turn_away(newcomer->newcomers->people, newcomer->name, account, by);
    decide(newcomer, NEWCOMER_TURNED_AWAY, by);
    return ANSWER_NEWCOMER_TURNED_AWAY;
}

/* What is to be done with the request that the button is of, if it still waits. */
static enum answer pressed(struct conversation *conversation, const struct incoming *incoming,
                           const struct button_press *press,
                           enum answer (*act)(struct newcomer *newcomer,
                                              const struct owner *account, const struct owner *by))
{
    const struct owner by = transport_owner(conversation->transport, incoming->person);
    struct newcomer *newcomer = find(conversation->newcomers, 0, press->id);
    if (!newcomer) {
        transport_strip(conversation->transport, incoming->person, incoming->message_id);
        return too_late(conversation->newcomers, press->id);
    }
    const struct owner account = transport_owner(conversation->transport, newcomer->person);
    return act(newcomer, &account, &by);
}

enum answer newcomers_button_let_in(struct conversation *conversation,
                                    const struct incoming *incoming,
                                    const struct button_press *press)
{
    return pressed(conversation, incoming, press, let_in);
}

enum answer newcomers_button_turn_away(struct conversation *conversation,
                                       const struct incoming *incoming,
                                       const struct button_press *press)
{
    return pressed(conversation, incoming, press, turn_away);
}

/* ---- life ----------------------------------------------------------------- */

struct newcomers *newcomers_new(struct conversation *conversation, struct people *people)
{
    struct newcomers *newcomers = calloc(1, sizeof *newcomers);
    if (newcomers) {
        newcomers->conversation = conversation;
        newcomers->people = people;
    }
    return newcomers;
}

void newcomers_end(struct newcomers *newcomers)
{
    char buffer[TEXTS_SIZE];
    for (unsigned i = 0; i < NEWCOMERS_MAX; i++) {
        struct newcomer *newcomer = newcomers->waiting[i];
        for (unsigned j = 0; newcomer && j < newcomer->asked_count; j++) {
            struct text html = conversation_text(newcomers->conversation, newcomer->asked[j].person,
                                                 buffer, sizeof buffer);
            const struct newcomer_who who = who_of(newcomer);
            newcomer_texts_restarted(&html, &who);
            transport_set(transport_of(newcomer), newcomer->asked[j].post, buffer, NULL, 0);
        }
        if (newcomer) {
            leave(newcomer);
        }
    }
}

void newcomers_free(struct newcomers *newcomers)
{
    if (!newcomers) {
        return;
    }
    for (unsigned i = 0; i < NEWCOMERS_MAX; i++) {
        if (newcomers->waiting[i]) {
            leave(newcomers->waiting[i]);
        }
    }
    free(newcomers);
}
