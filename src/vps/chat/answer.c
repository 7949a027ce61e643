#include "vps/chat/answer.h"

const struct answer_row ANSWERS[ANSWER_COUNT] = {
#define ANSWER(NAME, alert, words) [ANSWER_##NAME] = {.text = (words), .is_alert = (alert)},
#include "vps/chat/answer.def"
#undef ANSWER
};
