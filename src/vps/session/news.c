#include "vps/session/news.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An event that is being told, or waits for its turn, with all that it points at. */
struct item {
    struct item *next;
    struct session_event event;
    struct session_view view;
    struct addr address;
    struct owner by;
    struct session_request request;
    char words[]; /* note, reason and gateway, one after the other */
};

struct news {
    struct item *first; /* is being told */
    struct session_watcher watchers[SESSION_WATCHERS_MAX];
    unsigned watcher_count;
};

struct news *news_new(void)
{
    return calloc(1, sizeof(struct news));
}

void news_free(struct news *news)
{
    free(news);
}

int news_watch(struct news *news, struct session_watcher watcher)
{
    if (news->watcher_count == SESSION_WATCHERS_MAX) {
        return -ENOSPC;
    }
    news->watchers[news->watcher_count++] = watcher;
    return 0;
}

void news_unwatch(struct news *news, const void *arg)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < news->watcher_count; i++) {
        if (news->watchers[i].arg != arg) {
            news->watchers[kept++] = news->watchers[i];
        }
    }
    news->watcher_count = kept;
}

/* ---- copies --------------------------------------------------------------- */

static size_t size_of(const char *words)
{
    return words ? strlen(words) + 1 : 0;
}

/* Has *words point to a copy at *at, which moves on. */
static void keep_words(const char **words, char **at)
{
    if (*words) {
        char *copy = *at;
        *at = stpcpy(copy, *words) + 1;
        *words = copy;
    }
}

/* The session's own names live as long as the session, but a note is replaced by the next. */
static struct item *copy_of(const struct session_event *event)
{
    const char *note = event->view ? event->view->note : NULL;
    size_t words = size_of(note) + size_of(event->reason) + size_of(event->gateway);
    struct item *item = calloc(1, sizeof *item + words);
    if (!item) {
        return NULL;
    }
    struct session_event *copy = &item->event;
    char *at = item->words;
    *copy = *event;
    keep_words(&copy->reason, &at);
    keep_words(&copy->gateway, &at);
    if (event->view) {
        item->view = *event->view;
        keep_words(&item->view.note, &at);
        copy->view = &item->view;
    }
    if (event->address) {
        item->address = *event->address;
        copy->address = &item->address;
    }
    if (event->by) {
        item->by = *event->by;
        copy->by = &item->by;
    }
    if (event->request) {
        item->request = *event->request;
        copy->request = &item->request;
    }
    return item;
}

/* ---- telling -------------------------------------------------------------- */

static void tell_all(struct news *news, const struct session_event *event)
{
    for (unsigned i = 0; i < news->watcher_count; i++) {
        news->watchers[i].event(news->watchers[i].arg, event);
    }
}

/*
 * A watcher may close the session that it is told of. Told at once, that end would reach those
 * behind it before the event that led to it; so it waits at the end of the list until all have
 * heard.
 */
void news_tell(struct news *news, const struct session_event *event)
{
    struct item *item = copy_of(event), **end = &news->first;
    if (!item) {
        tell_all(news, event);
        return;
    }
    bool telling = news->first != NULL;
    while (*end) {
        end = &(*end)->next;
    }
    *end = item;
    while (!telling && news->first) {
        item = news->first;
        tell_all(news, &item->event);
        news->first = item->next;
        free(item);
    }
}
