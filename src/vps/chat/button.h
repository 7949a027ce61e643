/* button: what the bot's buttons send back, and what it does: one table (button.def). */
#ifndef PAMTUNNEL_VPS_CHAT_BUTTON_H
#define PAMTUNNEL_VPS_CHAT_BUTTON_H

#include "vps/chat/answer.h"
#include "vps/chat/conversation.h"

struct button_press;
typedef enum answer button_fn(struct conversation *conversation, const struct incoming *incoming,
                              const struct button_press *press);

enum button_verb {
#define BUTTON(NAME, ...) BUTTON_##NAME,
#include "vps/chat/button.def"
#undef BUTTON
    BUTTON_COUNT,
};

#define BUTTON(NAME, word, label, takes, who, over, run) button_fn run;
#include "vps/chat/button.def"
#undef BUTTON

struct button_row {
    const char *word;
    const char *label; /* plain; "" if it is the command that it runs */
    enum {
        BUTTON_TAKES_SESSION,
        BUTTON_TAKES_CLIENT,
        BUTTON_TAKES_HOLD,
        BUTTON_TAKES_WAKING,
        BUTTON_TAKES_COMMAND,
        BUTTON_TAKES_NEWCOMER,
        BUTTON_TAKES_APPLICANT,
        BUTTON_TAKES_DOUBT,
        BUTTON_TAKES_NOTHING,
    } takes;
    enum who who;
    enum answer over;
    button_fn *run;
};
extern const struct button_row BUTTONS[BUTTON_COUNT];

struct button_press {
    enum button_verb verb;
    char id[SESSION_ID_SIZE + 1];
    struct session *session; /* whose ID that is, for the handler: it has not ended */
    struct hold *hold;       /* the same of a request on hold */
    struct waking *waking;   /* ... and of one that waits for its machine */
    unsigned number;         /* of the parked client; 0 for the others */
    const char *command;     /* "/ssh HOST", a part of what was parsed; else NULL */
};

enum { BUTTON_DATA_SIZE = BUTTON_DATA_MAX + 1 };

/* dst: BUTTON_DATA_SIZE. id and number count only where they are taken. Returns dst. */
char *button_format(enum button_verb verb, const char *id, unsigned number, char *dst);
/* The same of one that takes a command. -EMSGSIZE if that is too long for a button. */
int button_format_of_command(enum button_verb verb, const char *command, char *dst);
/* ... of BUTTON_RUN. */
int button_format_command(const char *command, char *dst);
/* -EINVAL if it is anything else. */
int button_parse(const char *data, struct button_press *ret_press);
/* Does what the button is for, if this person may press it. Returns the answer. */
enum answer button_run(struct conversation *conversation, const struct incoming *incoming);

#endif
