#include "gateway/newcomer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/timer.h"
#include "control/introduction.h"

/* A person has ten minutes on the VPS, which is the one to end it. */
enum { PATIENCE_MS = 11 * 60 * 1000 };

struct newcomer {
    struct newcomer_options options;
    struct introduction introduction;
    struct channel *channel;
    struct timer *patience;
    bool shown;
};

static void fail(struct newcomer *newcomer, const char *why)
{
    newcomer->options.failed(newcomer->options.arg, why);
}

static void on_patience_over(void *arg)
{
    fail(arg, "nobody has let this gateway in");
}

/* ---- steps ------------------------------------------------------------------- */

static void say_code(const struct newcomer *newcomer, const char *code)
{
    log_warn(newcomer->options.log,
             "this gateway is not paired yet: its code is %s. Let gateway %s in where %s shows the "
             "same code (in the chat, or pamctl gateway pending there), within 10 minutes. Another "
             "code there means that somebody is in between",
             code, newcomer->introduction.name, newcomer->options.where);
}

static void on_pair_answer(struct newcomer *newcomer, const struct message_pair_answer *answer)
{
    char code[INTRODUCTION_CODE_MAX];
    struct message open;
    if (introduction_open(&newcomer->introduction, answer, &open) < 0 ||
        channel_send(newcomer->channel, &open) < 0) {
        fail(newcomer, "what it answers makes no sense");
        return;
    }
    newcomer->shown = true;
    introduction_code(&newcomer->introduction, code);
    say_code(newcomer, code);
    newcomer->options.shown(newcomer->options.arg, code);
}

static int keep(struct newcomer *newcomer, struct why *why)
{
    uint8_t key[CRYPTO_KEY_SIZE];
    int err = introduction_key(&newcomer->introduction, key);
    err = err < 0 ? why_set(why, err, "there is no key")
                  : credentials_keep(newcomer->options.credentials, key, why);
    crypto_wipe(key, sizeof key);
    return err;
}

/* The key is on the disk before the VPS hears that it is. */
static void on_pair_accept(struct newcomer *newcomer, const struct message_pair_accept *accept)
{
    struct message confirm;
    struct why why;
    if (introduction_accepted(&newcomer->introduction, accept) < 0) {
        fail(newcomer, "it was let in by somebody else than who has answered: somebody is in "
                       "between");
    } else if (keep(newcomer, &why) < 0) {
        fail(newcomer, why.text);
    } else if (introduction_confirm(&newcomer->introduction, &confirm) < 0 ||
               channel_send(newcomer->channel, &confirm) < 0) {
        fail(newcomer, "the connection broke when it had been let in");
    }
}

/* Without an on_NAME() for each message that the VPS may send, this does not compile. */
void newcomer_take(struct newcomer *newcomer, const struct message *message)
{
    switch (message->type) {
#define MESSAGE_OF_VPS_PAIRING(NAME, name)   \
    case MESSAGE_##NAME:                     \
        on_##name(newcomer, &message->name); \
        break;
#include "control/messages.def"
    default: /* no other comes while pairing */
        break;
    }
}

bool newcomer_has_shown(const struct newcomer *newcomer)
{
    return newcomer && newcomer->shown;
}

/* ---- life -------------------------------------------------------------------- */

struct newcomer *newcomer_new(uv_loop_t *loop, struct channel *channel,
                              const struct newcomer_options *options)
{
    struct newcomer *newcomer = calloc(1, sizeof *newcomer);
    struct message commit;
    if (!newcomer) {
        return NULL;
    }
    newcomer->options = *options;
    newcomer->channel = channel;
    newcomer->patience = timer_new(loop, on_patience_over, newcomer);
    if (!newcomer->patience ||
        introduction_commit(&newcomer->introduction, options->credentials->name, &commit) < 0 ||
        channel_send(channel, &commit) < 0) {
        newcomer_free(newcomer);
        return NULL;
    }
    timer_set(newcomer->patience, PATIENCE_MS);
    return newcomer;
}

void newcomer_free(struct newcomer *newcomer)
{
    if (newcomer) {
        timer_free(newcomer->patience);
        introduction_wipe(&newcomer->introduction);
        free(newcomer);
    }
}
