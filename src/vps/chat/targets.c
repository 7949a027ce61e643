/*
 * /targets: what its user may reach, by name; command.def has its row, command.h the declaration.
 */
#include <stdio.h>

#include "base/clock.h"
#include "vps/chat/button.h"
#include "vps/chat/command.h"
#include "vps/chat/texts.h"
#include "vps/policy/policy.h"
#include "vps/transport/html.h"

enum { BUTTONS_MAX = 24, LABEL_SIZE = 80 };

struct list {
    const struct policy *policy;
    const struct policy_user *user;
    struct text *html;
    char labels[BUTTONS_MAX][LABEL_SIZE], data[BUTTONS_MAX][BUTTON_DATA_SIZE];
    struct button buttons[BUTTONS_MAX];
    unsigned count, others;
};

static struct policy_answer ask(const struct list *list, const struct policy_target *target,
                                enum kind kind)
{
    struct target wanted = {.port = kind_row(kind)->port};
    struct text host = text_over(wanted.host, sizeof wanted.host);
    struct why why;
    text_add(&host, "%s", target->name);
    if (target->ports[kind] == 0 || policy_resolve(list->policy, kind, &wanted, &why) < 0) {
        return (struct policy_answer){.verdict = POLICY_NO_RULE};
    }
    const struct policy_question question = {
        .user = list->user, .kind = kind, .target = &wanted, .unix_s = clock_unix()};
    return policy_decide(list->policy, &question);
}

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
    const struct policy_answer answer = ask(list, target, kind);
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

static void say_list(const struct conversation *conversation, int64_t person, struct list *list)
{
    const struct owner owner = transport_owner(conversation->transport, person);
    list->user = people_user(conversation->people, &owner);
    text_add(list->html, "Your machines:");
    for (unsigned i = 0; i < list->policy->target_count; i++) {
        for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
            add(list, &list->policy->targets[i], (enum kind)kind);
        }
    }
    if (list->count + list->others == 0) {
        text_add(list->html, " none that have a name here. Your administrator's rules may still "
                             "allow some by their address.");
    }
    transport_say_with(conversation->transport, person, list->html->start, list->buttons,
                       list->count);
}

void targets_run(struct conversation *conversation, const struct incoming *incoming,
                 const struct command *command)
{
    char buffer[TEXTS_SIZE];
    struct text html = text_over(buffer, sizeof buffer);
    (void)command;
    struct list list = {.policy = conversation->settings->policy_file.policy, .html = &html};
    if (list.policy) {
        say_list(conversation, incoming->person, &list);
        return;
    }
    text_add(&html, "This server has no list of machines: you may open any that its gateway "
                    "reaches, by name or address, as in <code>/ssh 192.168.1.22</code>");
    transport_say(conversation->transport, incoming->person, buffer);
}
