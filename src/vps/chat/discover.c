/*
 * /discover: the machines that answer in a gateway's network, each a button; command.def has its
 * row, and button.def that of the button, which offers what opens a session there. Nothing is kept
 * in between: who has asked comes back with the answer.
 */
#include <stdio.h>
#include <string.h>

#include "vps/chat/button.h"
#include "vps/chat/command.h"
#include "vps/chat/language.h"
#include "vps/chat/suggest.h"
#include "vps/chat/texts.h"
#include "vps/gateways/gateways_discovery.h"
#include "vps/transport/html.h"

enum { BUTTONS_MAX = 24, LABEL_SIZE = 64 + 24 };

/* ---- the answer ------------------------------------------------------------- */

struct list {
    const struct conversation *conversation;
    struct text *html;
    bool several; /* gateways: their names go before those of machines */
    const char *gateway;
    char labels[BUTTONS_MAX][LABEL_SIZE], data[BUTTONS_MAX][BUTTON_DATA_SIZE];
    struct button buttons[BUTTONS_MAX];
    unsigned count;
};

/* "/ssh office/HOME-PC": the button's handler takes the machine from it. */
static void write_command(const struct list *list, const char *name, struct text *command)
{
    text_add(command, "/%s %s%s%s", COMMANDS[0].name, list->several ? list->gateway : "",
             list->several ? "/" : "", name);
}

static void add(struct list *list, const struct discovery_machine *machine)
{
    char command_buffer[SUGGESTION_SIZE];
    struct text command = text_over(command_buffer, sizeof command_buffer);
    unsigned i = list->count;
    write_command(list, machine->name, &command);
    if (i == BUTTONS_MAX || command.cut ||
        button_format_of_command(BUTTON_MACHINE, command_buffer, list->data[i]) < 0) {
        text_add(list->html, "\n");
        html_add_in_tag(list->html, "code", machine->name);
        return;
    }
    snprintf(list->labels[i], LABEL_SIZE, "%s (%.20s)", machine->name, machine->address);
    list->buttons[i] = (struct button){
        .label = list->labels[i], .data = list->data[i], .wide = true};
    list->count++;
}

static void add_all(struct list *list, const struct discovery_result *result)
{
    char name[TEXTS_PART_SIZE];
    texts_in_tag(list->html, "b", result->gateway, name);
    if (result->count == 0) {
        text_add(list->html,
                 "No machine in the network of gateway %s says its name. You may reach them all "
                 "the same, by their addresses.",
                 name);
        return;
    }
    text_add(
        list->html,
        "Machines in the network of gateway %s, by the names that they give themselves:", name);
    for (unsigned i = 0; i < result->count; i++) {
        add(list, &result->machines[i]);
    }
}

static void on_discovered(void *arg, const struct discovery_result *result)
{
    const struct conversation *conversation = arg;
    const struct gateways *gateways = sessions_all_gateways(conversation->sessions);
    int64_t person = result->by->id;
    char buffer[TEXTS_SIZE], said[512];
    struct text html = conversation_text(conversation, person, buffer, sizeof buffer);
    struct list list = {.conversation = conversation,
                        .html = &html,
                        .several = gateways && gateways_are_several(gateways),
                        .gateway = result->gateway};
    if (result->failure) {
        html_add(&html, language_sentence(&html, result->failure, said, sizeof said));
    } else {
        add_all(&list, result);
    }
    transport_say_with(conversation->transport, person, buffer, list.buttons, list.count);
}

/* ---- the question ----------------------------------------------------------- */

/* The name behind the command, without what follows it. */
static void take_gateway(const char *rest, char dst[GATEWAY_NAME_MAX + 1])
{
    snprintf(dst, GATEWAY_NAME_MAX + 1, "%.*s", (int)strcspn(rest, " \t\r\n"), rest);
}

void discover_run(struct conversation *conversation, const struct incoming *incoming,
                  const struct command *command)
{
    const struct owner by = transport_owner(conversation->transport, incoming->person);
    char gateway[GATEWAY_NAME_MAX + 1], buffer[TEXTS_SIZE], said[sizeof(struct why)];
    struct text html = conversation_text(conversation, incoming->person, buffer, sizeof buffer);
    struct why why;
    take_gateway(command->rest, gateway);
    int err = sessions_discover(conversation->sessions, gateway, &by, on_discovered, conversation,
                                &why);
    if (err < 0) {
        html_add(&html, language_sentence(&html, why.text, said, sizeof said));
        transport_say(conversation->transport, incoming->person, buffer);
    } /* else the answer follows within seconds */
}

/* ---- a machine was pressed --------------------------------------------------- */

enum answer discover_button_machine(struct conversation *conversation,
                                    const struct incoming *incoming,
                                    const struct button_press *press)
{
    char buffer[TEXTS_SIZE];
    struct text html = conversation_text(conversation, incoming->person, buffer, sizeof buffer);
    struct suggestions suggestions = {0};
    struct command command;
    struct why why;
    if (command_parse(press->command, conversation->bot_name, &command, &why) != COMMAND_OK ||
        !command.row->opens) {
        return ANSWER_NO_BUTTON;
    }
    for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
        char typed[SUGGESTION_SIZE];
        snprintf(typed, sizeof typed, "/%s %s", kind_name((enum kind)kind), command.rest);
        if (kind_row((enum kind)kind)->port != 0) { /* the name alone is nothing for the others */
            suggest_command(&suggestions, conversation->bot_name, typed);
        }
    }
    text_add(&html, "What do you want to open there?");
    suggest_say(&suggestions, conversation->transport, incoming->person, &html);
    return ANSWER_OFFERED;
}
