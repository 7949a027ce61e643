/* answer: what is said to somebody who pressed a button: one of a table (answer.def). */
#ifndef PAMTUNNEL_VPS_CHAT_ANSWER_H
#define PAMTUNNEL_VPS_CHAT_ANSWER_H

#include <stdbool.h>

enum answer {
#define ANSWER(NAME, ...) ANSWER_##NAME,
#include "vps/chat/answer.def"
#undef ANSWER
    ANSWER_COUNT,
};

struct answer_row {
    const char *text;
    bool is_alert;
};
extern const struct answer_row ANSWERS[ANSWER_COUNT];

#endif
