/*
 * A policy file as somebody might write it: whatever it holds, it is read or refused with a
 * sentence; and what is read lets in nobody whom no rule names.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vps/policy/policy_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct policy *policy)
{
    const struct target target = {.host = "office-pc", .port = 22};
    for (unsigned i = 0; i <= policy->user_count; i++) {
        struct target resolved = target;
        struct why why;
        policy_resolve(policy, KIND_SSH, &resolved, &why);
        const struct policy_question question = {
            .user = i < policy->user_count ? &policy->users[i] : NULL,
            .kind = KIND_SSH,
            .target = &resolved,
            .unix_s = (int64_t)i * 7919 * 3600,
        };
        const struct policy_answer answer = policy_decide(policy, &question);
        char words[512];
        struct text text = text_over(words, sizeof words);
        policy_say(policy, &question, &answer, &text);
        if (answer.verdict == POLICY_ALLOWED && (!answer.rule || answer.rule->who_count == 0 ||
                                                 answer.rule->place_count == 0 || !question.user)) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy *policy = NULL;
    struct why why = {""};
    if (policy_parse("policy.yaml", (const char *)data, size, "/nonexistent", &policy, &why) == 0) {
        check(policy);
    } else if (policy || !why.text[0]) {
        abort();
    }
    policy_free(policy);
    return 0;
}
