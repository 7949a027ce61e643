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

/* The machines that this person can have woken, as lines to press. */
static void add_machine(const struct conversation *conversation, int64_t person,
                        const char *machine, unsigned *count, struct text *html)
{
    struct session_request request = {.owner = transport_owner(conversation->transport, person)};
    struct why why;
    char line[LINE_SIZE];
    struct text text = text_over(line, sizeof line);
    text_add(&text, "/%s %s", COMMANDS[COMMAND_OF_wake].name, machine);
    if (*count < LISTED_MAX && !text.cut && target_parse(machine, 0, &request.target, &why) == 0 &&
        wakings_can_wake(conversation->wakings, &request, &why) == 0) {
        char tagged[TEXTS_PART_SIZE];
        text_add(html, "\n%s", texts_in_tag(html, "code", line, tagged));
        (*count)++;
    }
}

static void list_machines(const struct conversation *conversation, int64_t person,
                          struct text *html)
{
    const struct policy *policy = people_policy(conversation->people);
    const struct macs *macs = wakings_macs(conversation->wakings);
    const struct mac_entry *entry;
    unsigned count = 0;
    for (unsigned i = 0; policy && i < policy->target_count; i++) {
        add_machine(conversation, person, policy->targets[i].name, &count, html);
    }
    for (unsigned i = 0; (entry = macs_at(macs, i)); i++) {
        char machine[GATEWAY_NAME_MAX + 1 + HOST_MAX + 1];
        struct text text = text_over(machine, sizeof machine);
        text_add(&text, "%s/%s", entry->gateway, entry->host);
        if (!policy || !policy_target_of(policy, entry->gateway, entry->host)) {
            add_machine(conversation, person, machine, &count, html);
        }
    }
}

static void say_usage(const struct conversation *conversation, int64_t person)
{
    char buffer[TEXTS_SIZE];
    struct text html = conversation_text(conversation, person, buffer, sizeof buffer);
    text_add(&html, "Which machine? As in <code>/wake HOME-PC</code>");
    list_machines(conversation, person, &html);
    transport_say(conversation->transport, person, buffer);
}

void wake_run(struct conversation *conversation, const struct incoming *incoming,
              const struct command *command)
{
    struct session_request request = {
        .owner = transport_owner(conversation->transport, incoming->person)};
    char buffer[TARGET_ARGUMENT_MAX];
    struct waking *waking;
    struct why why = {""};
    const char *machine = read_machine(command->rest, buffer, sizeof buffer);
    if (!machine[0]) {
        say_usage(conversation, incoming->person);
        return;
    }
    if (target_parse(machine, 0, &request.target, &why) < 0 ||
        wakings_wake(conversation->wakings, &request, &waking, &why) < 0) {
        say_refused(conversation, incoming->person, &why);
    } /* else on_waking() has a message for it */
}
