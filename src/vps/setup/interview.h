/*
 * interview: settings, one after the other, from the person at the terminal; from the command line
 * and the environment alone if there is none. What is settled is in the draft, and in `settings`.
 */
#ifndef PAMTUNNEL_VPS_SETUP_INTERVIEW_H
#define PAMTUNNEL_VPS_SETUP_INTERVIEW_H

#include <stdbool.h>

#include "base/why.h"
#include "shared/draft.h"
#include "vps/settings/settings.h"

struct interview {
    struct draft *draft;
    bool ask;                     /* somebody is at the terminal */
    struct vps_settings settings; /* what was settled so far */
};

struct question {
    const char *name; /* of the setting */
    const char *text;
    const char *option;   /* its value on the command line, or NULL */
    const char *proposal; /* if it is not set yet; NULL: none */
    bool secret;          /* what is typed is not shown */
};

/*
 * Asks until the answer is one that the setting takes, and puts it into the draft; but an empty one
 * is left to the caller. 0, or -errno with why.
 */
int interview_settle(struct interview *interview, const struct question *question,
                     char ret_answer[SETTING_VALUE_MAX], struct why *why);
/* True if it makes sense to ask again. */
bool interview_can_ask_again(const struct interview *interview, const struct question *question);
/* -EINVAL with why: it is nowhere, and nobody is there. option: " or --host HOST", or "". */
int interview_say_missing(const char *name, const char *option, struct why *why);

#endif
