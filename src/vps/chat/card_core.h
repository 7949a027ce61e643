/*
 * card, inside: what its files share. card follows its session and owns the messages, card_text
 * has the words of each state, card_buttons what can be pressed below them.
 */
#ifndef PAMTUNNEL_VPS_CHAT_CARD_CORE_H
#define PAMTUNNEL_VPS_CHAT_CARD_CORE_H

#include "vps/chat/card.h"
#include "vps/chat/questions.h"
#include "vps/chat/source.h"
#include "vps/chat/warning.h"

struct card {
    struct card_options options;
    struct session *session;
    struct timer *timer;
    enum session_state state; /* as last seen */
    struct post *post;        /* the live message, once there is something to say */
    struct post *file;        /* the .rdp file */
    struct questions questions;
    struct warning warning;
    struct source source;
    bool more;                  /* further lines are shown: scp, ssh_config; or the hints again */
    bool is_handed_over;        /* the live message is somebody else's */
    unsigned shown_connections; /* in the live message */
    unsigned shown_notes, shown_links;
    bool shown_away;
    uint64_t shown_bytes;
    uint64_t shown_ms; /* when it was set */
};

/* In its reader's language: an empty text, and a label. */
struct text card_text(const struct card *card, char *buffer, size_t size);
const char *card_label(const struct card *card, const char *label);
/* A file, and no line. */
bool card_gives_file(const struct session_view *view);
/*
 * Adds what the session's state is; command gets the line that can be copied, if there is one
 * (SESSION_LINE_MAX).
 */
void card_text_state(const struct card *card, const struct session_view *view, struct text *html,
                     char *command);
/* How it ended. */
void card_text_ended(const struct card *card, const struct session_view *view, struct text *html);

/* Whether there are further lines that a press shows, and those. */
bool card_has_more(const struct session_view *view);
void card_text_more(const struct card *card, const struct session_view *view, struct text *html);

/* While there is a line or a file that ENTRANCE_PORT could stand in. */
bool card_can_switch_port(const struct session_view *view);
/* Sets the live message: html, and the buttons that fit; command: what Copy copies, "" for none. */
void card_set(struct card *card, const struct session_view *view, const char *html,
              const char *command);
/* Data of the button Again (BUTTON_DATA_SIZE); "" where there is none. */
void card_format_again(const struct card *card, const struct session_view *view, char *ret_data);

#endif
