#include "vps/chat/cards.h"

#include <errno.h>
#include <stdlib.h>

struct entry {
    struct entry *next;
    struct card *card;
};

int cards_add(struct cards *cards, const struct card_options *options, struct session *session)
{
    struct entry *entry = malloc(sizeof *entry);
    struct card_options with = *options;
    with.farewells = &cards->farewells;
    struct card *card = card_new(&with, session);
    if (!entry || !card) {
        free(entry);
        card_free(card);
        return -ENOMEM;
    }
    *entry = (struct entry){.next = cards->first, .card = card};
    cards->first = entry;
    return 0;
}

/* One by one: there are never more of them than there are public ports. */
struct card *cards_find(const struct cards *cards, const struct session *session)
{
    const struct entry *entry = cards->first;
    while (entry && card_session(entry->card) != session) {
        entry = entry->next;
    }
    return entry ? entry->card : NULL;
}

static void drop(struct entry **link)
{
    struct entry *entry = *link;
    *link = entry->next;
    card_free(entry->card);
    free(entry);
}

/* A session's end is the last that is heard of it: its card goes with it. */
void cards_update(struct cards *cards, const struct session *session)
{
    struct entry **link = &cards->first;
    while (*link && card_session((*link)->card) != session) {
        link = &(*link)->next;
    }
    if (!*link) {
        return; /* of a local user, or one that is not opened yet */
    }
    card_update((*link)->card);
    struct session_view view;
    session_view(session, &view);
    if (view.state == SESSION_ENDED) {
        drop(link);
    }
}

void cards_end(struct cards *cards)
{
    farewells_end(&cards->farewells);
}

void cards_free(struct cards *cards)
{
    farewells_end(&cards->farewells);
    while (cards->first) {
        drop(&cards->first);
    }
}
