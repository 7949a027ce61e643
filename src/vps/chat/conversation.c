#include "vps/chat/conversation.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/sieve.h"
#include "vps/audit/audit.h"
#include "vps/chat/readers.h"

/*
 * Looked up each time: settings may have changed since a button was sent or a command began to
 * wait.
 */
bool conversation_may(const struct conversation *conversation, enum who who, int64_t person,
                      const struct owner *owner)
{
    const struct owner asking = transport_owner(conversation->transport, person);
    switch (who) {
    case WHO_ALLOWED:
        return people_has(conversation->people, &asking);
    case WHO_OWNER:
        return owner && owner_equal(owner, &asking);
    case WHO_OWNER_OR_ADMINISTRATOR:
        return (owner && owner_equal(owner, &asking)) ||
               people_may(conversation->people, &asking, POLICY_ADMINISTRATOR);
    case WHO_ADMINISTRATOR:
        return people_may(conversation->people, &asking, POLICY_ADMINISTRATOR);
    }
    return false;
}

bool conversation_is_locked(const struct conversation *conversation)
{
    return lockdown_view(sessions_lockdown(conversation->sessions), NULL);
}

struct text conversation_text(const struct conversation *conversation, int64_t person, char *buffer,
                              size_t size)
{
    return readers_text(conversation->readers, person, buffer, size);
}

void conversation_refuse(const struct conversation *conversation, int64_t person, const char *what)
{
    const char *service = transport_name(conversation->transport);
    char cause[64], shown[BUTTON_DATA_MAX + 1];
    struct text text = text_over(shown, sizeof shown);
    text_add(&text, "%s", what);
    text_quote(shown);
    snprintf(cause, sizeof cause, "%.16s: user %" PRId64 " refused", service, person);
    const struct owner asking = transport_owner(conversation->transport, person);
    const struct policy_user *user = people_user(conversation->people, &asking);
    const struct audit_entry entry = {.what = AUDIT_BUTTON_REFUSED,
                                      .owner = &asking,
                                      .name = user ? user->name : NULL,
                                      .text = shown};
    audit_record(conversation->audit, &entry, NULL, NULL);
    sieve_log(conversation->sieve, cause, LOG_WARN,
              "%s: user %" PRId64 " is not allowed to do this, and was refused: “%s”", service,
              person, shown);
}
