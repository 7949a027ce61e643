/*
 * Only the terminal shows the code, so whoever sends it sees the terminal. Six digits are enough
 * for five minutes and five wrong codes: all guesses together are right five times in a million.
 * vps-agent must not run meanwhile, since Telegram lets one program at a time receive the messages
 * to a bot.
 */
#include "vps/setup/pairing.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "shared/service.h"

enum {
    ANSWERS_MAX = 5,
    POLL_S = 50,
    POLL_MARGIN_MS = 15000,
    CALL_MS = 15000,
    UPDATES_AT_ONCE = 20
};

struct pairing {
    struct sync_api *sync_api;
    char code[PAIRING_CODE_LEN + 1];
    uint64_t until_ms;
    int64_t next; /* update_id */
    unsigned wrong, answered;
    int64_t user;
};

/* Somebody wrote it in person, here and now, to the bot alone. */
static bool is_in_person(const struct update *update)
{
    return update->kind == UPDATE_MESSAGE && update->text && update->chat_is_private &&
           update->from_id > 0 && !update->from_is_bot && !update->forwarded && !update->via_bot &&
           !update->sender_chat;
}

/*
 * The link t.me/BOT?start=CODE has the client send "/start CODE"; whoever types it may leave the
 * command out. A bare /start is what the Start button of a new chat sends.
 */
enum pairing_verdict pairing_judge(const struct update *update, const char *code)
{
    static const char COMMAND[] = "/start";
    if (!is_in_person(update)) {
        return PAIRING_NOTHING;
    }
    const char *word = strrchr(update->text, ' ');
    word = word ? word + 1 : update->text;
    bool is_code = strlen(word) == PAIRING_CODE_LEN &&
                   strspn(word, "0123456789") == PAIRING_CODE_LEN &&
                   (word == update->text ||
                    strncmp(update->text, COMMAND, sizeof COMMAND - 1) == 0);
    if (!is_code) {
        return strcmp(update->text, COMMAND) == 0 ? PAIRING_BARE : PAIRING_NOTHING;
    }
    /* In constant time, though five tries are all there are. */
    return crypto_equal(word, code, PAIRING_CODE_LEN) ? PAIRING_RIGHT : PAIRING_WRONG;
}

static int make_code(char code[PAIRING_CODE_LEN + 1])
{
    uint32_t number = 0;
    int err = crypto_random_below(1000000, &number);
    snprintf(code, PAIRING_CODE_LEN + 1, "%06u", (unsigned)(number % 1000000));
    return err;
}

/* ---- receiving ------------------------------------------------------------ */

/* Each call confirms what the last one brought: `next` is the first that Telegram still keeps. */
static void get_updates(struct pairing *pairing, int timeout_s, struct sync_api_answer *ret_answer)
{
    json_t *params = json_pack("{s:I,s:i,s:i,s:[s]}", "offset", (json_int_t)pairing->next, "limit",
                               UPDATES_AT_ONCE, "timeout", timeout_s, "allowed_updates", "message");
    sync_api_call(pairing->sync_api, "getUpdates", params,
                  (uint32_t)timeout_s * 1000 + POLL_MARGIN_MS, ret_answer);
}

static void tell(struct pairing *pairing, int64_t chat, const char *text)
{
    struct sync_api_answer answer;
    json_t *params = json_pack("{s:I,s:s}", "chat_id", (json_int_t)chat, "text", text);
    sync_api_call(pairing->sync_api, "sendMessage", params, CALL_MS, &answer);
    json_decref(answer.result);
}

/* Whoever opens the bot presses Start first. Strangers may, too: so often, and no more. */
static void ask_for_code(struct pairing *pairing, int64_t chat)
{
    if (pairing->answered++ < ANSWERS_MAX) {
        tell(pairing, chat,
             "This bot is being set up. Send /start and the code that the terminal shows.");
    }
}

static void read_updates(struct pairing *pairing, const json_t *result)
{
    for (size_t i = 0; i < json_array_size(result) && pairing->user == 0; i++) {
        struct update update;
        if (update_read(result, i, &update) < 0) {
            continue;
        }
        pairing->next = update.id + 1;
        enum pairing_verdict verdict = pairing_judge(&update, pairing->code);
        pairing->wrong += verdict == PAIRING_WRONG;
        if (verdict == PAIRING_BARE) {
            ask_for_code(pairing, update.chat_id);
        }
        /* Up to twenty come at once: a right code behind the fifth wrong one is one more guess. */
        if (verdict == PAIRING_RIGHT && pairing->wrong < PAIRING_WRONG_MAX) {
            pairing->user = update.from_id;
        }
    }
}

/* What to do about a failed getUpdates: 0 to go on. */
static int on_trouble(struct pairing *pairing, const struct sync_api_answer *answer,
                      struct why *why)
{
    struct sync_api_answer removed;
    /* 409 is for both, a webhook and another program; only the words tell them apart. */
    if (answer->code == 409 && strstr(answer->trouble, "webhook")) {
        sync_api_call(pairing->sync_api, "deleteWebhook", NULL, CALL_MS, &removed);
        json_decref(removed.result);
        return removed.done ? 0
                            : why_set(why, -EBUSY, "this bot has a webhook that cannot be removed");
    }
    if (answer->code == 409) {
        char command[128];
        struct text text = text_over(command, sizeof command);
        service_stop_command(&text, &SERVICE_VPS);
        return why_set(why, -EBUSY,
                       "another program receives this bot's messages: stop vps-agent (%s) and try "
                       "again, or enter the user ID yourself",
                       command);
    }
    return why_set(why, -EIO, "Telegram does not deliver messages: %s", answer->trouble);
}

static int wait_for_code(struct pairing *pairing, struct why *why)
{
    while (pairing->user == 0) {
        struct sync_api_answer answer;
        uint64_t now = clock_ms();
        if (pairing->wrong >= PAIRING_WRONG_MAX) {
            return why_set(why, -EACCES,
                           "%d wrong codes came: somebody else is writing to your bot; enter the "
                           "user ID yourself, @userinfobot tells you yours",
                           PAIRING_WRONG_MAX);
        }
        if (now >= pairing->until_ms) {
            return why_set(why, -ETIMEDOUT, "the code did not come within %d minutes",
                           PAIRING_S / 60);
        }
        /* Rounded up: a poll of 0 s returns at once, and the last second would be a busy loop. */
        uint64_t left_s = (pairing->until_ms - now) / 1000 + 1;
        get_updates(pairing, left_s < POLL_S ? (int)left_s : POLL_S, &answer);
        int err = answer.done ? 0 : on_trouble(pairing, &answer, why);
        if (err == 0) {
            read_updates(pairing, answer.result);
        }
        json_decref(answer.result);
        if (err < 0) {
            return err;
        }
    }
    return 0;
}

/* Tells Telegram what was read, so that vps-agent does not get it again; and the person. */
static void confirm(struct pairing *pairing)
{
    struct sync_api_answer answer;
    get_updates(pairing, 0, &answer);
    json_decref(answer.result);
    tell(pairing, pairing->user,
         "Hello! This bot will take commands from you. It is not running yet; the terminal says "
         "how to start it. Then send /help.");
}

int pairing_wait(struct sync_api *sync_api, const char *bot_name, int64_t *ret_user,
                 struct why *why)
{
    struct pairing pairing = {.sync_api = sync_api,
                              .until_ms = clock_ms() + (uint64_t)PAIRING_S * 1000};
    int err = make_code(pairing.code);
    if (err < 0) {
        return why_set(why, err, "the kernel has no random numbers");
    }
    fprintf(stderr,
            "Send this to @%s in Telegram, within %d minutes:\n\n    /start %s\n\n"
            "or open https://t.me/%s?start=%s and press Start. Waiting...\n",
            bot_name, PAIRING_S / 60, pairing.code, bot_name, pairing.code);
    err = wait_for_code(&pairing, why);
    if (err == 0) {
        confirm(&pairing);
        fprintf(stderr, "That was you: user ID %" PRId64 ".\n", pairing.user);
        *ret_user = pairing.user;
    }
    crypto_wipe(pairing.code, sizeof pairing.code);
    return err;
}
