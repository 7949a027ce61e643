#include "gateway/applicant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/timer.h"
#include "control/accord.h"

/* A person has ten minutes on the VPS, which is the one to end it. */
enum { PATIENCE_MS = 11 * 60 * 1000 };

struct applicant {
    struct applicant_options options;
    struct accord accord;
    struct channel *channel;
    struct timer *patience;
    bool shown;
};

static void fail(struct applicant *applicant, const char *why)
{
    applicant->options.failed(applicant->options.arg, why);
}

static void on_patience_over(void *arg)
{
    fail(arg, "nobody has let this gateway in");
}

/* ---- steps ------------------------------------------------------------------- */

static void say_code(const struct applicant *applicant, const char *code)
{
    log_warn(applicant->options.log,
             "this gateway is not paired yet: its code is %s. Let gateway %s in where %s shows the "
             "same code (in the chat, or pamctl gateway pending there), within 10 minutes. Another "
             "code there means that somebody is in between",
             code, applicant->accord.name, applicant->options.where);
}

static void on_pair_answer(struct applicant *applicant, const struct message_pair_answer *answer)
{
    char code[ACCORD_CODE_MAX];
    struct message open;
    if (accord_open(&applicant->accord, answer, &open) < 0 ||
        channel_send(applicant->channel, &open) < 0) {
        fail(applicant, "what it answers makes no sense");
        return;
    }
    applicant->shown = true;
    accord_code(&applicant->accord, code);
    say_code(applicant, code);
    applicant->options.shown(applicant->options.arg, code);
}

static int keep(struct applicant *applicant, struct why *why)
{
    uint8_t key[CRYPTO_KEY_SIZE];
    int err = accord_key(&applicant->accord, key);
    err = err < 0 ? why_set(why, err, "there is no key")
                  : credentials_keep(applicant->options.credentials, key, why);
    crypto_wipe(key, sizeof key);
    return err;
}

/* The key is on the disk before the VPS hears that it is. */
static void on_pair_accept(struct applicant *applicant, const struct message_pair_accept *accept)
{
    struct message confirm;
    struct why why;
    if (accord_accepted(&applicant->accord, accept) < 0) {
        fail(applicant, "it was let in by somebody else than who has answered: somebody is in "
                        "between");
    } else if (keep(applicant, &why) < 0) {
        fail(applicant, why.text);
    } else if (accord_confirm(&applicant->accord, &confirm) < 0 ||
               channel_send(applicant->channel, &confirm) < 0) {
        fail(applicant, "the connection broke when it had been let in");
    }
}

/* Without an on_NAME() for each message that the VPS may send, this does not compile. */
void applicant_take(struct applicant *applicant, const struct message *message)
{
    switch (message->type) {
#define MESSAGE_OF_VPS_PAIRING(NAME, name)    \
    case MESSAGE_##NAME:                      \
        on_##name(applicant, &message->name); \
        break;
#include "control/messages.def"
    default: /* no other comes while pairing */
        break;
    }
}

bool applicant_has_shown(const struct applicant *applicant)
{
    return applicant && applicant->shown;
}

/* ---- life -------------------------------------------------------------------- */

struct applicant *applicant_new(uv_loop_t *loop, struct channel *channel,
                                const struct applicant_options *options)
{
    struct applicant *applicant = calloc(1, sizeof *applicant);
    struct message commit;
    if (!applicant) {
        return NULL;
    }
    applicant->options = *options;
    applicant->channel = channel;
    applicant->patience = timer_new(loop, on_patience_over, applicant);
    if (!applicant->patience ||
        accord_commit(&applicant->accord, options->credentials->name, &commit) < 0 ||
        channel_send(channel, &commit) < 0) {
        applicant_free(applicant);
        return NULL;
    }
    timer_set(applicant->patience, PATIENCE_MS);
    return applicant;
}

void applicant_free(struct applicant *applicant)
{
    if (applicant) {
        timer_free(applicant->patience);
        accord_wipe(&applicant->accord);
        free(applicant);
    }
}
