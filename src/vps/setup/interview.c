#include "vps/setup/interview.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "base/log.h"
#include "base/prompt.h"

/* Enter takes what is set now, which of a secret is not shown. */
static int ask_once(const struct question *question, const char *now, char *answer, struct why *why)
{
    char text[200];
    int err;
    if (question->secret) {
        snprintf(text, sizeof text, "%s (not shown%s)", question->text,
                 now[0] ? "; Enter keeps the current one" : "");
        err = prompt_secret(text, answer, SETTING_VALUE_MAX);
    } else {
        err = prompt_line(question->text, now[0] ? now : question->proposal, answer,
                          SETTING_VALUE_MAX);
    }
    if (err == 0 && !answer[0]) {
        snprintf(answer, SETTING_VALUE_MAX, "%s", now);
    }
    return err < 0 ? why_set(why, err, "nothing was written") : 0;
}

/*
 * Where an answer comes from: the command line, the environment, the person (who sees what
 * is set now), or, without one, what is set now. Empty if it is nowhere.
 */
static int find_answer(const struct interview *interview, const struct question *question,
                       char *answer, struct why *why)
{
    char now[SETTING_VALUE_MAX];
    if (question->option) {
        snprintf(answer, SETTING_VALUE_MAX, "%s", question->option);
        return 0;
    }
    int err = draft_get(interview->draft, question->name, now, why);
    if (err == 0 && interview->ask && !draft_is_given(question->name)) {
        err = ask_once(question, now, answer, why);
    } else if (err == 0) {
        snprintf(answer, SETTING_VALUE_MAX, "%s", now);
    }
    crypto_wipe(now, sizeof now);
    return err;
}

/* What came from the command line or the environment would be the same the next time. */
bool interview_can_ask_again(const struct interview *interview, const struct question *question)
{
    return interview->ask && !question->option && !draft_is_given(question->name);
}

int interview_settle(struct interview *interview, const struct question *question,
                     char answer[SETTING_VALUE_MAX], struct why *why)
{
    for (;;) {
        int err = find_answer(interview, question, answer, why);
        if (err < 0 || !answer[0]) {
            return err;
        }
        err = vps_settings_take(question->name, answer, &interview->settings, why);
        if (err == 0 || !interview_can_ask_again(interview, question)) {
            return err < 0 ? err : draft_put(interview->draft, question->name, answer, why);
        }
        log_complain("vps-agent", why->text);
    }
}

int interview_say_missing(const char *name, const char *option, struct why *why)
{
    return why_set(why, -EINVAL,
                   "%s is not set, and there is no terminal to ask on: set it in the environment%s",
                   name, option);
}
