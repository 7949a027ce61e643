#include "vps/setup/users.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/prompt.h"
#include "base/text.h"
#include "vps/setup/pairing.h"

/* The list stays as it is written, so that nobody finds their own order changed. */
int users_add(const char *now, const char *more, char ret_list[SETTING_VALUE_MAX], struct why *why)
{
    static const struct vps_settings NONE;
    struct vps_settings there = NONE, added = NONE;
    struct text list = text_over(ret_list, SETTING_VALUE_MAX);
    int err = vps_settings_take("ALLOWED_USERS", now, &there, why);
    err = err < 0 ? err : vps_settings_take("ALLOWED_USERS", more, &added, why);
    text_add(&list, "%s", now);
    for (unsigned i = 0; err == 0 && i < added.allowed_users.count; i++) {
        int64_t id = added.allowed_users.ids[i];
        if (!user_list_has(&there.allowed_users, id)) {
            text_add(&list, ",%" PRId64, id);
        }
    }
    /* Once more as a whole: two lists that fit may be too long together. */
    return err < 0 ? err : vps_settings_take("ALLOWED_USERS", ret_list, &there, why);
}

/* Whoever sees the terminal shows it in the chat: nothing else tells the owner from a stranger. */
static int pair(const struct users_request *request, char answer[SETTING_VALUE_MAX],
                struct why *why)
{
    int64_t user;
    int err = pairing_wait(request->sync_api, request->bot_name, &user, why);
    if (err == 0) {
        snprintf(answer, SETTING_VALUE_MAX, "%" PRId64, user);
    }
    return err;
}

/* A vps-agent that runs gets the messages; the bot tells everybody who is not let in. */
static int pair_another(const struct users_request *request, char answer[SETTING_VALUE_MAX],
                        struct why *why)
{
    if (request->agent_runs) {
        return why_set(why, -EBUSY,
                       "vps-agent is running and gets the bot's messages: have them write to the "
                       "bot, which answers with their number, and enter that");
    }
    return pair(request, answer, why);
}

/* Somebody may use the bot already: that stays, whoever comes. */
static int add_more(const struct users_request *request, const char *now, struct why *why)
{
    char answer[SETTING_VALUE_MAX], list[SETTING_VALUE_MAX];
    const char *question = request->agent_runs ? "Another user: their numeric Telegram ID, which "
                                                 "the bot tells anyone who writes to it, or "
                                                 "Enter for nobody else"
                                               : "Another user: their numeric Telegram ID, + to "
                                                 "learn it from a message to the bot, or "
                                                 "Enter for nobody else";
    for (;;) {
        int err = prompt_line(question, now, answer, sizeof answer);
        if (err < 0) {
            return why_set(why, err, "nothing was written");
        }
        err = strcmp(answer, "+") == 0 ? pair_another(request, answer, why) : 0;
        err = err < 0 ? err : users_add(now, answer, list, why);
        if (err == 0) {
            return draft_put(request->interview->draft, "ALLOWED_USERS", list, why);
        }
        log_complain("vps-agent", why->text);
    }
}

int users_settle(const struct users_request *request, struct why *why)
{
    const struct question question = {
        .name = "ALLOWED_USERS",
        .text = "Your numeric Telegram user ID, or Enter to learn it from a message to the bot",
        .option = request->option};
    char answer[SETTING_VALUE_MAX];
    int err = draft_get(request->interview->draft, "ALLOWED_USERS", answer, why);
    if (err == 0 && answer[0] && interview_can_ask_again(request->interview, &question)) {
        return add_more(request, answer, why);
    }
    err = err < 0 ? err : interview_settle(request->interview, &question, answer, why);
    if (err == 0 && !answer[0]) {
        err = request->interview->ask
                  ? pair(request, answer, why)
                  : interview_say_missing("ALLOWED_USERS", " or --user ID", why);
        err = err < 0 ? err : draft_put(request->interview->draft, "ALLOWED_USERS", answer, why);
    }
    return err;
}
