/* The buttons of a session's messages; button.def has their rows, button.h their declarations. */
#include <errno.h>

#include "vps/chat/button.h"
#include "vps/chat/cards.h"

enum { MORE_QUESTIONS = 4 }; /* that one press of "Who waits?" brings: as many as fit on a phone */

enum answer session_button_close(struct conversation *conversation, const struct incoming *incoming,
                                 const struct button_press *press)
{
    const struct owner by = transport_owner(conversation->transport, incoming->person);
    struct session_view view;
    session_view(press->session, &view);
    bool is_own = owner_equal(&view.owner, &by);
    session_close_by(press->session, &by);
    return is_own ? ANSWER_CLOSED : ANSWER_CLOSED_OF_OTHER;
}

enum answer session_button_extend(struct conversation *conversation,
                                  const struct incoming *incoming, const struct button_press *press)
{
    const struct owner by = transport_owner(conversation->transport, incoming->person);
    struct session_view view;
    session_view(press->session, &view);
    int err = session_extend(press->session, &by);
    return err == -EACCES                                ? ANSWER_MAY_NOT_EXTEND
           : err < 0                                     ? ANSWER_NOT_EXTENDED
           : view.time_is_fixed && view.time_limit_s > 0 ? ANSWER_EXTENDED_IDLE
                                                         : ANSWER_EXTENDED;
}

enum answer session_button_more(struct conversation *conversation, const struct incoming *incoming,
                                const struct button_press *press)
{
    (void)incoming;
    /* Without one if memory ran out when it opened: it is ending. */
    struct card *card = cards_find(conversation->cards, press->session);
    return card ? card_show_more(card) : ANSWER_SESSION_OVER;
}

enum answer session_button_strict(struct conversation *conversation,
                                  const struct incoming *incoming, const struct button_press *press)
{
    (void)incoming;
    struct card *card = cards_find(conversation->cards, press->session);
    return card ? card_switch_port(card) : ANSWER_SESSION_OVER;
}

enum answer session_button_who_waits(struct conversation *conversation,
                                     const struct incoming *incoming,
                                     const struct button_press *press)
{
    (void)conversation;
    (void)incoming;
    return session_ask_more(press->session, MORE_QUESTIONS) ? ANSWER_ASKED : ANSWER_ALL_ASKED;
}

static enum answer decide(struct conversation *conversation, const struct button_press *press,
                          bool admit)
{
    struct card *card = cards_find(conversation->cards, press->session);
    return card ? card_decide(card, press->number, admit) : ANSWER_SESSION_OVER;
}

enum answer session_button_admit(struct conversation *conversation, const struct incoming *incoming,
                                 const struct button_press *press)
{
    (void)incoming;
    return decide(conversation, press, true);
}

enum answer session_button_block(struct conversation *conversation, const struct incoming *incoming,
                                 const struct button_press *press)
{
    (void)incoming;
    return decide(conversation, press, false);
}
