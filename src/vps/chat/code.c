#include "vps/chat/code.h"

#include <errno.h>

#include "vps/chat/administrators.h"
#include "vps/chat/texts.h"
#include "vps/chat/texts_factor.h"
#include "vps/factor/factors.h"

static void say(const struct conversation *conversation, int64_t person,
                void (*write)(struct text *html))
{
    char buffer[TEXTS_SIZE];
    struct text html = conversation_text(conversation, person, buffer, sizeof buffer);
    write(&html);
    transport_say(conversation->transport, person, buffer);
}

static bool is_asked(const struct conversation *conversation, const struct owner *account)
{
    struct hold *hold = NULL;
    while ((hold = holds_next(conversation->holds, hold))) {
        struct hold_view view;
        hold_view(hold, &view);
        if (view.state == HOLD_ASKING_FACTOR && owner_equal(&view.request->owner, account)) {
            return true;
        }
    }
    return false;
}

/* What is left to them; the view: of now. */
static void say_wrong(const struct conversation *conversation, int64_t person,
                      const struct factor_view *view)
{
    char buffer[TEXTS_SIZE];
    struct text html = conversation_text(conversation, person, buffer, sizeof buffer);
    texts_factor_wrong(&html, view);
    transport_say(conversation->transport, person, buffer);
}

static void write_locked(const struct conversation *conversation, struct text *html,
                         const void *about)
{
    (void)conversation;
    texts_factor_locked(html, about);
}

/* The card says what came of it, unless nothing can. */
static void on_kept(void *arg, const struct owner *owner, int err)
{
    struct conversation *conversation = arg;
    if (err < 0) {
        say(conversation, owner->id, texts_factor_not_kept);
    } else {
        holds_take_factor(conversation->holds, owner);
    }
}

static void say_result(struct conversation *conversation, int64_t person,
                       const struct owner *account, enum factor_result result)
{
    char name[PEOPLE_NAME_MAX];
    struct factor_view view = {0};
    factors_view(conversation->factors, people_name(conversation->people, account, name), &view);
    switch (result) {
    case FACTOR_RIGHT: /* on_kept() */
    case FACTOR_NONE:  /* somebody took it away, and is_asked() was true: the card expires */
        break;
    case FACTOR_USED:
        say(conversation, person, texts_factor_used);
        break;
    case FACTOR_WRONG:
    case FACTOR_LOCKED:
        say_wrong(conversation, person, &view);
        if (result == FACTOR_WRONG && (view.locked_s > 0 || view.used_up)) {
            /* It may be somebody who has their account: others have to know, too. */
            administrators_tell(conversation, person, write_locked, &view);
        }
        break;
    case FACTOR_FAILED:
        say(conversation, person, texts_factor_not_kept);
        break;
    }
}

bool code_take(struct conversation *conversation, const struct incoming *incoming, bool too_old)
{
    const struct owner account = transport_owner(conversation->transport, incoming->person);
    char name[PEOPLE_NAME_MAX];
    struct factor_view view;
    uint32_t code;
    if (!conversation->factors || !totp_parse(incoming->text, &code)) {
        return false;
    }
    bool asked = is_asked(conversation, &account);
    people_name(conversation->people, &account, name);
    if (!asked && !factors_view(conversation->factors, name, &view)) {
        return false;
    }
    transport_remove(conversation->transport, incoming->person, incoming->message_id);
    if (too_old) {
        say(conversation, incoming->person, texts_factor_late);
    } else if (!asked) {
        say(conversation, incoming->person, texts_factor_not_asked);
    } else {
        say_result(conversation, incoming->person, &account,
                   factors_try(conversation->factors, &account, code, on_kept, conversation));
    }
    return true;
}
