/* /help and /start; command.def has their rows, command.h the declaration. */
#include "vps/chat/command.h"
#include "vps/chat/gateway_questions.h"
#include "vps/chat/texts.h"
#include "vps/transport/html.h"

/* The handler's own rows are left out: whoever reads this has found them. */
static void add_help(struct text *html, const struct conversation *conversation, int64_t person)
{
    text_add(html, "I connect you to your machines. Nothing is open until you ask, and nothing "
                   "stays open afterwards.\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command_row *row = &COMMANDS[i];
        if (!conversation_may(conversation, row->who, person, NULL)) {
            continue;
        }
        if (row->opens) {
            char example[TEXTS_PART_SIZE];
            text_add(html, "\n/%s ", row->name);
            html_add(html, row->takes);
            text_add(html, "\n%s, for example %s\n", text_phrase(html, row->help),
                     texts_in_tag(html, "code", row->example, example));
        } else if (row->run != help_run) {
            text_add(html, "\n/%s\n%s\n", row->name, text_phrase(html, row->help));
        }
    }
    text_add(html, "\nWith several gateways, put the name of one in front: "
                   "<code>/ssh office/192.168.1.22</code>");
}

void help_run(struct conversation *conversation, const struct incoming *incoming,
              const struct command *command)
{
    (void)command;
    char buffer[TEXTS_SIZE];
    struct text html = conversation_text(conversation, incoming->person, buffer, sizeof buffer);
    add_help(&html, conversation, incoming->person);
    if (people_policy(conversation->people)) { /* that may ask for somebody's approval */
        text_add(&html, "\n\nSay what it is for, if others have to approve it: "
                        "<code>/rdp HOME-PC why: printer</code>");
    }
    transport_say(conversation->transport, incoming->person, buffer);
    gateway_questions_remind(conversation, incoming->person);
}
