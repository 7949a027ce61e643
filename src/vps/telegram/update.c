/*
 * Reads what Telegram, or whoever answers in its place, sent: any field may be missing, be of
 * another type, or hold a number that no clock or account has, and reads as not there then. Only
 * an update without a usable number is an error, since it could not be acknowledged.
 */
#include "vps/telegram/update.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define ID_MAX (INT64_C(1) << 53)

/* Telegram's ids and times are below 2^53, of either sign; 0 is nobody. */
static int64_t integer_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    int64_t number = json_is_integer(value) ? json_integer_value(value) : 0;
    return number >= -ID_MAX && number <= ID_MAX ? number : 0;
}

/* A string without NULs in it, or NULL. */
static const char *string_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    const char *text = json_string_value(value);
    return text && strlen(text) == json_string_length(value) ? text : NULL;
}

static void read_from(struct update *update, const json_t *object)
{
    const json_t *from = json_object_get(object, "from");
    update->from_id = integer_at(from, "id");
    update->from_is_bot = json_is_true(json_object_get(from, "is_bot"));
    update->first_name = string_at(from, "first_name");
    update->language = string_at(from, "language_code");
}

static void read_place(struct update *update, const json_t *message)
{
    const json_t *chat = json_object_get(message, "chat");
    const char *type = string_at(chat, "type");
    update->chat_id = integer_at(chat, "id");
    update->chat_is_private = type && strcmp(type, "private") == 0;
    update->message_id = integer_at(message, "message_id");
    update->date = integer_at(message, "date");
}

/* The fields that only forwarded messages have: today's, and those before Bot API 7.0. */
static bool is_forwarded(const json_t *message)
{
    static const char *const KEYS[] = {"forward_origin", "forward_date", "forward_from",
                                       "forward_from_chat", "is_automatic_forward"};
    for (unsigned i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        if (json_object_get(message, KEYS[i])) {
            return true;
        }
    }
    return false;
}

/* What people send besides text. Not so the messages that the chat itself makes: pins, calls. */
static const char *attached_to(const json_t *message)
{
    static const char *const KEYS[] = {
        "photo", "voice",    "video",     "video_note", "animation", "sticker",
        "audio", "document", "checklist", "location",   "venue",     "contact",
        "poll",  "dice",     "story",     "game",       "paid_media"};
    for (unsigned i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        if (json_object_get(message, KEYS[i])) {
            return KEYS[i];
        }
    }
    return NULL;
}

static void read_message(struct update *update, const json_t *message)
{
    read_from(update, message);
    read_place(update, message);
    update->forwarded = is_forwarded(message);
    update->via_bot = json_object_get(message, "via_bot") != NULL;
    update->sender_chat = json_object_get(message, "sender_chat") != NULL;
    update->by_business = json_object_get(message, "sender_business_bot") != NULL;
    update->text = string_at(message, "text");
    update->attached = attached_to(message);
    update->caption = string_at(message, "caption");
}

static void read_callback(struct update *update, const json_t *callback)
{
    read_from(update, callback);
    read_place(update, json_object_get(callback, "message"));
    update->callback_id = string_at(callback, "id");
    update->data = string_at(callback, "data");
}

/* The one field besides update_id names the kind of the update. */
static const char *other_name(const json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        if (strcmp(key, "update_id") != 0) {
            return key;
        }
    }
    return "nothing";
}

int update_read(const json_t *result, size_t index, struct update *ret_update)
{
    const json_t *object = json_array_get(result, index);
    const json_t *id = json_object_get(object, "update_id");
    if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > ID_MAX) {
        return -EINVAL;
    }
    struct update update = {.id = json_integer_value(id)};
    const json_t *message = json_object_get(object, "message");
    const json_t *callback = json_object_get(object, "callback_query");
    if (json_is_object(message)) {
        update.kind = UPDATE_MESSAGE;
        update.what = "message";
        read_message(&update, message);
    } else if (json_is_object(callback)) {
        update.kind = UPDATE_CALLBACK;
        update.what = "button";
        read_callback(&update, callback);
    } else {
        update.kind = UPDATE_OTHER;
        update.what = other_name(object);
        read_from(&update, json_object_get(object, update.what));
    }
    *ret_update = update;
    return 0;
}

/* What rules it out whoever sent it, or NULL. */
static const char *unfit(const struct update *update)
{
    if (update->kind == UPDATE_OTHER) {
        return "not a new message";
    }
    if (update->from_id <= 0) {
        return "without a sender";
    }
    if (update->from_is_bot) {
        return "from a bot";
    }
    if (update->sender_chat) {
        return "on behalf of a chat";
    }
    if (!update->chat_is_private || update->chat_id != update->from_id) {
        return "not in a private chat";
    }
    if (update->via_bot) {
        return "written by an inline bot";
    }
    if (update->by_business) {
        return "written by a business account's bot";
    }
    return NULL;
}

void update_as_incoming(const struct update *update, struct incoming *ret_incoming)
{
    static const enum incoming_kind KINDS[] = {[UPDATE_MESSAGE] = INCOMING_MESSAGE,
                                               [UPDATE_CALLBACK] = INCOMING_PRESS,
                                               [UPDATE_OTHER] = INCOMING_OTHER};
    *ret_incoming = (struct incoming){
        .kind = KINDS[update->kind],
        .what = update->what,
        .person = update->from_id,
        .name = update->first_name,
        .language = update->language,
        .unfit = unfit(update),
        .forwarded = update->forwarded,
        .age_s = update->arrived - update->date,
        .text = update->text,
        .attached = update->attached != NULL,
        .caption = update->caption,
        .data = update->data,
        .press = update->callback_id,
        .message_id = update->message_id,
    };
}

/* at: behind a quote. Returns the place of the one that ends the string, or len. */
static size_t string_end(const char *body, size_t len, size_t at)
{
    while (at < len && body[at] != '"') {
        at += body[at] == '\\' ? 2 : 1;
    }
    return at < len ? at : len;
}

/* at: behind the name of a member. */
static int64_t scan_number(const char *body, size_t len, size_t at)
{
    int64_t number = -1;
    while (at < len && body[at] && strchr(" \t\r\n:", body[at])) {
        at++;
    }
    for (; at < len && isdigit((unsigned char)body[at]) && number <= ID_MAX; at++) {
        number = (number < 0 ? 0 : 10 * number) + (body[at] - '0');
    }
    return at < len && number <= ID_MAX ? number : -1; /* if it is there to its end */
}

int64_t update_scan_id(const char *body, size_t len)
{
    enum { UPDATE_DEPTH = 3 }; /* {"ok":true,"result":[{"update_id": */
    static const char NAME[] = "update_id";
    unsigned depth = 0;
    for (size_t at = 0; at < len; at++) {
        if (body[at] == '{' || body[at] == '[') {
            depth++;
        } else if (body[at] == '}' || body[at] == ']') {
            depth -= depth > 0;
        } else if (body[at] == '"') {
            size_t end = string_end(body, len, at + 1);
            if (depth == UPDATE_DEPTH && end < len && end - at - 1 == sizeof NAME - 1 &&
                memcmp(body + at + 1, NAME, sizeof NAME - 1) == 0) {
                return scan_number(body, len, end + 1);
            }
            at = end;
        }
    }
    return -1;
}
