/*
 * An answer to getUpdates, as a server or somebody on the way to it might send it: it is
 * read or refused, and only what an allowed user wrote or pressed in private is heard.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vps/chat/button.h"
#include "vps/chat/command.h"
#include "vps/chat/reception.h"
#include "vps/chat/suggest.h"
#include "vps/telegram/api.h"
#include "vps/telegram/update.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is offered would work as it stands. */
static void check_suggestions(const char *text)
{
    struct suggestions suggestions;
    suggest_for(text, "pam_bot", &suggestions);
    for (unsigned i = 0; i < suggestions.count; i++) {
        struct command command;
        struct why why;
        if (command_parse(suggestions.commands[i], "pam_bot", &command, &why) != COMMAND_OK) {
            abort();
        }
    }
}

static void check_command(const char *text)
{
    struct command command = {0};
    struct why why = {""};
    enum command_result result = command_parse(text, "pam_bot", &command, &why);
    if (result == COMMAND_OK && command.row->opens &&
        (host_kind(command.target.host) == HOST_INVALID || command.target.port == 0)) {
        abort();
    }
    if (result == COMMAND_BAD && (!command.row || !why.text[0])) {
        abort();
    }
    if (result == COMMAND_NOT || result == COMMAND_UNKNOWN) {
        check_suggestions(text);
    }
}

static void check_press(const char *data)
{
    struct button_press press;
    char again[BUTTON_DATA_SIZE];
    struct button_press same;
    bool is_read = button_parse(data, &press) == 0;
    if (is_read && press.command) {
        check_command(press.command);
        if (button_format_command(press.command, again) == 0 && strcmp(again, data) != 0) {
            abort();
        }
    } else if (is_read) {
        button_format(press.verb, press.id, press.number, again);
        if (button_parse(again, &same) < 0 || same.verb != press.verb ||
            same.number != press.number || strcmp(same.id, press.id) != 0) {
            abort();
        }
    }
}

static void check_update(struct update *update)
{
    const char *reason = NULL;
    struct incoming incoming;
    update_as_incoming(update, &incoming);
    enum reception reception = reception_judge(&incoming, incoming.person == 42, &reason);
    if (update->id < 0 || !update->what || (reception != RECEPTION_USER && !reason)) {
        abort();
    }
    if (reception != RECEPTION_USER) {
        return;
    }
    if (update->from_id != 42 || update->chat_id != 42 || !update->chat_is_private ||
        update->forwarded || update->sender_chat || update->kind == UPDATE_OTHER ||
        incoming.person != 42 || incoming.age_s != update->arrived - update->date) {
        abort();
    }
    if (update->text) {
        check_command(update->text);
    }
    if (update->data) {
        check_press(update->data);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct api_reply reply;
    json_t *root;
    api_read_reply(200, 0, (const char *)data, size, &reply, &root);
    if ((reply.outcome == API_DONE) != (reply.result != NULL) ||
        (reply.outcome != API_DONE && !reply.trouble)) {
        abort();
    }
    for (size_t i = 0; i < json_array_size(reply.result); i++) {
        struct update update;
        if (update_read(reply.result, i, &update) == 0) {
            update.arrived = INT64_C(1795300000);
            check_update(&update);
        }
    }
    if (reply.unreadable && update_scan_id(reply.unreadable, reply.unreadable_len) < -1) {
        abort();
    }
    json_decref(root);
    return 0;
}
