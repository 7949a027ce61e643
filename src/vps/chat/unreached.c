#include "vps/chat/unreached.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/timer.h"
#include "vps/chat/texts.h"
#include "vps/transport/html.h"

enum { UNREACHED_MAX = 64, ADMINISTRATORS_MAX = 64 };

struct unreached {
    struct conversation *conversation;
    struct timer *timer; /* nothing is said from inside of what delivers */
    struct {
        int64_t person;
        bool is_told;
    } list[UNREACHED_MAX];
    unsigned count;
};

/* Anybody else may have left for good. */
static bool decides(const struct conversation *conversation, int64_t person)
{
    const struct owner account = transport_owner(conversation->transport, person);
    return people_may(conversation->people, &account, POLICY_APPROVER);
}

static void tell(const struct conversation *conversation, int64_t to, int64_t person)
{
    const struct owner account = transport_owner(conversation->transport, person);
    char buffer[TEXTS_SIZE], name[PEOPLE_NAME_MAX], name_buffer[2 * PEOPLE_NAME_MAX];
    struct text html = conversation_text(conversation, to, buffer, sizeof buffer);
    struct text text = text_for_reader_of(&html, name_buffer, sizeof name_buffer);
    html_add(&text, people_name(conversation->people, &account, name));
    text_add(
        &html,
        "⚠️ I cannot write to <b>%s</b>, who is to decide about others: nobody asks them until "
        "they have opened this bot in their chat and pressed Start.",
        name_buffer);
    transport_say(conversation->transport, to, buffer);
}

static void tell_administrators(const struct conversation *conversation, int64_t person)
{
    struct owner to[ADMINISTRATORS_MAX];
    unsigned count = people_in_chat(conversation->people, POLICY_ADMINISTRATOR, to,
                                    ADMINISTRATORS_MAX);
    log_warn(conversation->log,
             "%s: user %" PRId64 " cannot be asked about others: they have to press Start in the "
             "chat with the bot",
             transport_name(conversation->transport), person);
    for (unsigned i = 0; i < count; i++) {
        if (to[i].id != person) {
            tell(conversation, to[i].id, person);
        }
    }
}

static void on_timer(void *arg)
{
    struct unreached *unreached = arg;
    for (unsigned i = 0; i < unreached->count; i++) {
        if (!unreached->list[i].is_told) {
            unreached->list[i].is_told = true;
            tell_administrators(unreached->conversation, unreached->list[i].person);
        }
    }
}

static unsigned find(const struct unreached *unreached, int64_t person)
{
    unsigned i = 0;
    while (i < unreached->count && unreached->list[i].person != person) {
        i++;
    }
    return i;
}

void unreached_add(struct unreached *unreached, int64_t person)
{
    unsigned at = find(unreached, person);
    if (at == unreached->count && at < UNREACHED_MAX && decides(unreached->conversation, person)) {
        unreached->list[unreached->count].person = person;
        unreached->list[unreached->count++].is_told = false;
        timer_set(unreached->timer, 0);
    }
}

bool unreached_forget(struct unreached *unreached, int64_t person)
{
    unsigned at = find(unreached, person);
    if (at == unreached->count) {
        return false;
    }
    unreached->list[at] = unreached->list[--unreached->count];
    return true;
}

struct unreached *unreached_new(struct conversation *conversation)
{
    struct unreached *unreached = calloc(1, sizeof *unreached);
    if (!unreached) {
        return NULL;
    }
    unreached->conversation = conversation;
    unreached->timer = timer_new(conversation->loop, on_timer, unreached);
    if (!unreached->timer) {
        free(unreached);
        return NULL;
    }
    return unreached;
}

void unreached_free(struct unreached *unreached)
{
    if (unreached) {
        timer_free(unreached->timer);
        free(unreached);
    }
}
