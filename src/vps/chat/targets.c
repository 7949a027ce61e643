/*
 * /targets: what its user may reach, by name; command.def has its row, command.h the declaration.
 */
#include <stdio.h>

#include "vps/chat/button.h"
#include "vps/chat/command.h"
#include "vps/chat/reachable.h"
#include "vps/chat/texts.h"
#include "vps/transport/html.h"

enum { BUTTONS_MAX = 24, LABEL_SIZE = 80 };

struct list {
    const struct conversation *conversation;
    int64_t person;
    struct text *html;
    char labels[BUTTONS_MAX][LABEL_SIZE], data[BUTTONS_MAX][BUTTON_DATA_SIZE];
    struct button buttons[BUTTONS_MAX];
    unsigned count, others;
};

/* A button; or, where there are too many, the line to type. */
static void add_open(struct list *list, const char *command)
{
    unsigned i = list->count;
    if (i == BUTTONS_MAX || button_format_command(command, list->data[i]) < 0) {
        text_add(list->html, "\n");
        html_add_in_tag(list->html, "code", command);
        list->others++;
        return;
    }
    snprintf(list->labels[i], LABEL_SIZE, "%s", command);
    list->buttons[i] = (struct button){
        .label = list->labels[i], .data = list->data[i], .wide = true};
    list->count++;
}

static void add(struct list *list, const struct policy_target *target, enum kind kind)
{
    const struct policy_answer answer = reachable_named(list->conversation, list->person, kind,
                                                        target);
    char command[LABEL_SIZE];
    snprintf(command, sizeof command, "/%s %s", kind_name(kind), target->name);
    if (answer.verdict == POLICY_ALLOWED) {
        add_open(list, command);
    } else if (answer.verdict == POLICY_NOT_NOW) {
        text_add(list->html, "\n");
        html_add_in_tag(list->html, "code", command);
        text_add(list->html, ": ");
        policy_add_hours(answer.rule, list->html);
        list->others++;
    }
}

static void say_list(const struct policy *policy, struct list *list)
{
    text_add(list->html, "Your machines:");
    for (unsigned i = 0; i < policy->target_count; i++) {
        for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
            add(list, &policy->targets[i], (enum kind)kind);
        }
    }
    if (list->count + list->others == 0) {
        text_add(list->html, " none that have a name here. Your administrator's rules may still "
                             "allow some by their address.");
    }
    transport_say_with(list->conversation->transport, list->person, list->html->start,
                       list->buttons, list->count);
}

void targets_run(struct conversation *conversation, const struct incoming *incoming,
                 const struct command *command)
{
    char buffer[TEXTS_SIZE];
    const struct policy *policy = conversation->settings->policy_file.policy;
    struct text html = conversation_text(conversation, incoming->person, buffer, sizeof buffer);
    (void)command;
    struct list list = {.conversation = conversation, .person = incoming->person, .html = &html};
    if (policy) {
        say_list(policy, &list);
        return;
    }
    text_add(&html, "This server has no list of machines: you may open any that its gateway "
                    "reaches, by name or address, as in <code>/ssh 192.168.1.22</code>");
    transport_say(conversation->transport, incoming->person, buffer);
}
