#include "vps/session/insider.h"

#include <stddef.h>

#include "base/clock.h"

void insider_enter(struct insider *insider, bool has_secret, enum admit admit)
{
    insider->is_in = true;
    insider->since_ms = clock_ms();
    insider->since_unix = clock_unix();
    insider->is_admitted = insider->way_in == WAY_PERSON;
    bool is_said = insider->is_admitted || insider->way_in == WAY_LINK;
    if (has_secret && !is_said) {
        insider->way_in = WAY_SECRET;
    } else if (!is_said) {
        insider->way_in = admit == ADMIT_AUTO ? WAY_AUTO : WAY_KNOWN;
    }
}

void insider_forget(struct insider *insider)
{
    insider->is_in = insider->is_silent = insider->is_admitted = false;
    insider->way_in = WAY_NONE;
    insider->since_ms = 0;
    insider->since_unix = 0;
}

bool insider_is(const struct insider *insider, const struct addr *from)
{
    return insider->is_in && addr_same_party(from, &insider->client);
}

const struct owner *insider_admitted_by(const struct insider *insider)
{
    bool is_said = insider->way_in == WAY_PERSON || insider->way_in == WAY_LINK;
    return is_said ? &insider->admitted_by : NULL;
}

const char *insider_way_word(const struct insider *insider)
{
    static const char *const WORDS[] = {
        [WAY_NONE] = "",     [WAY_SECRET] = "secret", [WAY_KNOWN] = "known",
        [WAY_AUTO] = "auto", [WAY_PERSON] = "person", [WAY_LINK] = "link"};
    return WORDS[insider->way_in];
}

void insider_add_way_in(const struct insider *insider, struct text *text)
{
    static const char *const WAYS[] = {[WAY_NONE] = "not yet",
                                       [WAY_SECRET] = "secret",
                                       [WAY_KNOWN] = "known address",
                                       [WAY_AUTO] = "ADMIT=auto",
                                       [WAY_LINK] = "its link"};
    char person[OWNER_TEXT_MAX];
    if (insider->way_in == WAY_PERSON) {
        text_add(text, "admitted by %s", owner_text(&insider->admitted_by, person));
    } else {
        text_add(text, "%s", WAYS[insider->way_in]);
    }
}
