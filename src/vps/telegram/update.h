/*
 * update: what getUpdates returns, read into plain structs. It says what is the case
 * with a message or a pressed button; what to do about it is for the conversation.
 */
#ifndef PAMTUNNEL_VPS_TELEGRAM_UPDATE_H
#define PAMTUNNEL_VPS_TELEGRAM_UPDATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "vps/transport/transport.h"

enum update_kind {
    UPDATE_MESSAGE,  /* somebody wrote something */
    UPDATE_CALLBACK, /* somebody pressed a button */
    UPDATE_OTHER,    /* none of the bot's business: `what` names it */
};

struct update {
    int64_t id;
    enum update_kind kind;
    const char *what; /* "message", "edited_message", …: for the log */

    /* Who: 0 if it does not say. */
    int64_t from_id;
    bool from_is_bot;
    const char *first_name; /* their own word; NULL: none */
    const char *language;   /* of their app: "de"; NULL: it does not say */
    /* Where: of the message, or of the message whose button was pressed. */
    int64_t chat_id;
    bool chat_is_private;
    int64_t message_id;

    /* Of a message. */
    int64_t date;         /* Unix time of Telegram's clock */
    int64_t arrived;      /* by the same clock, when it came here: set by the poller */
    bool forwarded;       /* somebody else wrote it */
    bool via_bot;         /* an inline bot wrote it */
    bool sender_chat;     /* sent on behalf of a chat: `from` is made up */
    bool by_business;     /* sent by a bot in the name of a business account */
    const char *text;     /* NULL: it has none */
    const char *attached; /* "photo", "voice", "location", …; NULL: nothing is */
    const char *caption;  /* below that; NULL: none */

    /* Of a callback; `date` is then that of the message whose button was pressed. */
    const char *callback_id; /* NULL: nothing to answer to */
    const char *data;        /* NULL: none */
};

/*
 * Reads the element at index of the array `result`. -EINVAL if it has no update_id (of
 * at most 2^53): nothing of it can be used then, not even its number. What is missing or of a wrong
 * type inside of it reads as not there. Strings live as long as result.
 */
int update_read(const json_t *result, size_t index, struct update *ret_update);
/*
 * The same for the conversation, without what only Telegram has. Whose words it is, is decided
 * here: only the numeric id of the sender counts, in a private chat with the bot, since in
 * groups and channels `from` can be made up. Strings live as long as update's.
 */
void update_as_incoming(const struct update *update, struct incoming *ret_incoming);
/*
 * The update_id of the first update in an answer to getUpdates that is not JSON as our
 * parser wants it (a number beyond 64 bits, half a surrogate pair). -1: there is none.
 */
int64_t update_scan_id(const char *body, size_t len);

#endif
