#include "vps/telegram/leftovers.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* One that the last vps-agent left. */
struct leftover {
    struct leftover *next;
    int64_t chat_id, message_id;
    char correction[]; /* what it is to say, HTML; "": nothing, it is to go */
};

/*
 * What is kept is the finished text and not what happened: the process that reads it knows neither
 * the session nor, after an update, how this one would have put it.
 */
struct leftovers {
    struct store *store;
    struct outbox *outbox;
    int64_t bot_id; /* another bot's messages have the same numbers */
    struct leftover *first;
};

static const char LOAD[] = "SELECT chat, message, correction FROM message WHERE bot=?1 "
                           "ORDER BY at DESC, message DESC";
static const char KEEP[] = "INSERT OR REPLACE INTO message(bot, chat, message, correction, at) "
                           "VALUES(?1, ?2, ?3, ?4, ?5)";
static const char DROP[] = "DELETE FROM message WHERE bot=?1 AND chat=?2 AND message=?3";

/* Without memory it stays in the file, for the next start. The oldest becomes the first. */
static void load(void *arg, const struct row *row)
{
    struct leftovers *leftovers = arg;
    const char *correction = row_text(row, 2);
    size_t size = strlen(correction) + 1;
    struct leftover *leftover = malloc(sizeof *leftover + size);
    if (leftover) {
        *leftover = (struct leftover){.next = leftovers->first,
                                      .chat_id = row_number(row, 0),
                                      .message_id = row_number(row, 1)};
        memcpy(leftover->correction, correction, size);
        leftovers->first = leftover;
    }
}

/* ---- what the outbox tells ------------------------------------------------- */

static void on_sent(void *arg, int64_t chat_id, int64_t message_id, const char *correction)
{
    struct leftovers *leftovers = arg;
    const struct statement statement = {KEEP,
                                        {value_number(leftovers->bot_id), value_number(chat_id),
                                         value_number(message_id), value_text(correction),
                                         value_number(clock_unix())}};
    store_write(leftovers->store, &statement, NULL, NULL);
}

static void on_settled(void *arg, int64_t chat_id, int64_t message_id)
{
    struct leftovers *leftovers = arg;
    const struct statement statement = {
        DROP, {value_number(leftovers->bot_id), value_number(chat_id), value_number(message_id)}};
    store_write(leftovers->store, &statement, NULL, NULL);
}

/* ---- life ------------------------------------------------------------------ */

struct leftovers *leftovers_new(struct store *store, struct outbox *outbox, int64_t bot_id)
{
    struct leftovers *leftovers = malloc(sizeof *leftovers);
    if (leftovers) {
        const struct statement statement = {LOAD, {value_number(bot_id)}};
        *leftovers = (struct leftovers){.store = store, .outbox = outbox, .bot_id = bot_id};
        store_read(store, &statement, load, leftovers);
        outbox_on_kept(outbox, (struct outbox_keeper){on_sent, on_settled, leftovers});
    }
    return leftovers;
}

static struct leftover *take(struct leftovers *leftovers)
{
    struct leftover *leftover = leftovers->first;
    if (leftover) {
        leftovers->first = leftover->next;
    }
    return leftover;
}

unsigned leftovers_put_right(struct leftovers *leftovers)
{
    struct leftover *leftover;
    unsigned count = 0;
    for (; (leftover = take(leftovers)); count++) {
        struct post *post = post_adopt(leftovers->outbox, leftover->chat_id, leftover->message_id);
        if (leftover->correction[0]) {
            post_set(post, leftover->correction, NULL, 0);
            post_release(post);
        } else {
            post_delete(post);
        }
        free(leftover);
    }
    return count;
}

void leftovers_free(struct leftovers *leftovers)
{
    if (leftovers) {
        outbox_on_kept(leftovers->outbox, (struct outbox_keeper){0});
        for (struct leftover *leftover; (leftover = take(leftovers));) {
            free(leftover);
        }
        free(leftovers);
    }
}
