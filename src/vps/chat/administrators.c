#include "vps/chat/administrators.h"

#include "vps/chat/texts.h"

enum { ADMINISTRATORS_MAX = 256 };

void administrators_tell(const struct conversation *conversation, int64_t but,
                         administrators_write_fn write, const void *about)
{
    struct owner to[ADMINISTRATORS_MAX];
    unsigned count = people_in_chat(conversation->people, POLICY_ADMINISTRATOR, to,
                                    ADMINISTRATORS_MAX);
    for (unsigned i = 0; i < count; i++) {
        char buffer[TEXTS_SIZE];
        struct text html = conversation_text(conversation, to[i].id, buffer, sizeof buffer);
        if (to[i].id != but) {
            write(conversation, &html, about);
            transport_say(conversation->transport, to[i].id, buffer);
        }
    }
}
