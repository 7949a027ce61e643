#include "vps/chat/profile.h"

#include "vps/chat/command.h"
#include "vps/chat/language.h"
#include "vps/chat/texts.h"

static void show_in(struct transport *transport, enum language language)
{
    struct transport_command commands[COMMAND_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (COMMANDS[i].who == WHO_ALLOWED) { /* the menu is everybody's */
            commands[count++] = (struct transport_command){
                COMMANDS[i].name, language_phrase(language, COMMANDS[i].help)};
        }
    }
    const struct transport_profile profile = {
        .language = language == LANGUAGE_ENGLISH ? "" : language_code(language),
        .commands = commands,
        .command_count = count,
        .description = language_phrase(language, TEXT_DESCRIPTION),
        .short_description = language_phrase(language, TEXT_SHORT_DESCRIPTION)};
    transport_introduce(transport, &profile);
}

/* English is everybody's who has none of these languages. */
void profile_show(struct transport *transport)
{
    for (unsigned language = 0; language < LANGUAGE_COUNT; language++) {
        show_in(transport, (enum language)language);
    }
}
