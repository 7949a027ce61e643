/*
 * What people ask for and press about waking: /wake, [Wake it], [Let it sleep]. What comes of it
 * the message of awakenings shows.
 */
#include <errno.h>

#include "vps/chat/button.h"
#include "vps/chat/command.h"
#include "vps/chat/conversation.h"
#include "vps/chat/texts.h"
#include "vps/chat/texts_waking.h"

enum { LISTED_MAX = 16, LINE_SIZE = 80 };

static void say_refused(const struct conversation *conversation, int64_t person,
                        const struct why *why)
{
    char buffer[TEXTS_SIZE];
    struct text html = conversation_text(conversation, person, buffer, sizeof buffer);
    texts_waking_refused(&html, why);
    transport_say(conversation->transport, person, buffer);
}

enum answer wake_button(struct conversation *conversation, const struct incoming *incoming,
                        const struct button_press *press)
{
    struct why why = {""};
    int err = wakings_take_offer(conversation->wakings, press->waking, &why);
    if (err == -EALREADY) {
        return ANSWER_WAKING_ALREADY;
    }
    if (err < 0) {
        say_refused(conversation, incoming->person, &why);
    }
    return err < 0 ? ANSWER_NOT_WOKEN : ANSWER_WAKING;
}

enum answer wake_button_let_sleep(struct conversation *conversation,
                                  const struct incoming *incoming, const struct button_press *press)
{
    (void)incoming;
    wakings_cancel(conversation->wakings, press->waking);
    return ANSWER_LET_SLEEP;
}

/* "HOME-PC", without the blanks behind it. */
static char *read_machine(const char *rest, char *buffer, size_t size)
{
    struct text text = text_over(buffer, size);
    text_add(&text, "%s", rest);
    return text_trim(buffer);
}

/* ---- /wake alone: the machines that this person can have woken, as buttons ----------- */

struct list {
    const struct conversation *conversation;
    int64_t person;
    char labels[LISTED_MAX][LINE_SIZE], data[LISTED_MAX][BUTTON_DATA_SIZE];
    struct button buttons[LISTED_MAX];
    unsigned count;
};

static void add_machine(struct list *list, const char *machine)
{
    const struct conversation *conversation = list->conversation;
    struct session_request request = {
        .owner = transport_owner(conversation->transport, list->person)};
    unsigned i = list->count;
    struct why why;
    if (i == LISTED_MAX || target_parse(machine, 0, &request.target, &why) < 0 ||
        wakings_can_wake(conversation->wakings, &request, &why) < 0) {
        return;
    }
    struct text label = text_over(list->labels[i], LINE_SIZE);
    text_add(&label, "/%s %s", COMMANDS[COMMAND_OF_wake].name, machine);
    if (!label.cut &&
        button_format_of_command(BUTTON_WAKE_UP, list->labels[i], list->data[i]) == 0) {
        list->buttons[list->count++] = (struct button){
            .label = list->labels[i], .data = list->data[i], .wide = true};
    }
}

static void list_machines(struct list *list)
{
    const struct conversation *conversation = list->conversation;
    const struct policy *policy = people_policy(conversation->people);
    const struct macs *macs = wakings_macs(conversation->wakings);
    const struct mac_entry *entry;
    const char *none[1];
    bool several = sessions_gateways(conversation->sessions, none, 0) > 1;
    for (unsigned i = 0; policy && i < policy->target_count; i++) {
        add_machine(list, policy->targets[i].name);
    }
    for (unsigned i = 0; (entry = macs_at(macs, i)); i++) {
        char machine[GATEWAY_NAME_MAX + 1 + HOST_MAX + 1];
        struct text text = text_over(machine, sizeof machine);
        text_add(&text, "%s%s%s", several ? entry->gateway : "", several ? "/" : "", entry->host);
        if (!policy || !policy_target_of(policy, entry->gateway, entry->host)) {
            add_machine(list, machine);
        }
    }
}

static void say_usage(const struct conversation *conversation, int64_t person)
{
    char buffer[TEXTS_SIZE];
    struct text html = conversation_text(conversation, person, buffer, sizeof buffer);
    struct list list = {.conversation = conversation, .person = person};
    text_add(&html, "Which machine? As in <code>/wake HOME-PC</code>");
    list_machines(&list);
    transport_say_with(conversation->transport, person, buffer, list.buttons, list.count);
}

/* ---- waking one ------------------------------------------------------------------ */

/* 0; or an error, of which the person has been told. */
static int wake(const struct conversation *conversation, int64_t person, const char *machine)
{
    struct session_request request = {.owner = transport_owner(conversation->transport, person)};
    struct waking *waking;
    struct why why = {""};
    int err = target_parse(machine, 0, &request.target, &why);
    if (err == 0) {
        err = wakings_wake(conversation->wakings, &request, &waking, &why);
    }
    if (err < 0) {
        say_refused(conversation, person, &why);
    } /* else on_waking() has a message for it */
    return err;
}

void wake_run(struct conversation *conversation, const struct incoming *incoming,
              const struct command *command)
{
    char buffer[TARGET_ARGUMENT_MAX];
    const char *machine = read_machine(command->rest, buffer, sizeof buffer);
    if (machine[0]) {
        wake(conversation, incoming->person, machine);
    } else {
        say_usage(conversation, incoming->person);
    }
}

enum answer wake_button_up(struct conversation *conversation, const struct incoming *incoming,
                           const struct button_press *press)
{
    char buffer[TARGET_ARGUMENT_MAX];
    struct command command;
    struct why why;
    if (command_parse(press->command, conversation->bot_name, &command, &why) != COMMAND_OK ||
        command.row != &COMMANDS[COMMAND_OF_wake]) {
        return ANSWER_NO_BUTTON;
    }
    int err = wake(conversation, incoming->person,
                   read_machine(command.rest, buffer, sizeof buffer));
    return err < 0 ? ANSWER_NOT_WOKEN : ANSWER_WAKING;
}
