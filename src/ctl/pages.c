#include "ctl/pages.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/ask.h"

struct pages {
    const char *socket_path;
    json_t *request;
    int fd;        /* -1: not connected */
    bool is_asked; /* an answer is on its way */
    bool is_over;
    struct why why;
};

struct pages *pages_new(const char *socket_path, json_t *request)
{
    struct pages *pages = calloc(1, sizeof *pages);
    if (!pages || !request) {
        free(pages);
        json_decref(request);
        return NULL;
    }
    *pages = (struct pages){.socket_path = socket_path, .request = request, .fd = -1};
    return pages;
}

static int ask_for_next(struct pages *pages)
{
    int err = 0;
    if (pages->fd < 0) {
        err = pages->fd = ask_send(pages->socket_path, pages->request, &pages->why);
    } else {
        err = ask_send_on(pages->fd, pages->request, &pages->why);
    }
    pages->is_asked = err >= 0;
    return err < 0 ? err : 0;
}

/* Behind the last record of this page. */
static void turn(struct pages *pages, const json_t *page)
{
    bool follows = json_is_true(json_object_get(pages->request, "follow"));
    bool is_ok = json_is_true(json_object_get(page, "ok"));
    pages->is_over = !is_ok || (!follows && !json_is_true(json_object_get(page, "more")));
    if (!pages->is_over) {
        json_object_set(pages->request, "after_ms", json_object_get(page, "after_ms"));
        json_object_set(pages->request, "after_seq", json_object_get(page, "after_seq"));
        ask_for_next(pages); /* what went wrong is told when it is wanted */
    }
}

json_t *pages_next(struct pages *pages)
{
    json_t *page = NULL;
    if (pages->is_over) {
        return NULL;
    }
    int err = pages->is_asked || pages->fd >= 0 ? 0 : ask_for_next(pages);
    err = err < 0 || !pages->is_asked ? -1 : ask_hear(pages->fd, &page, &pages->why);
    if (err < 0) {
        pages->is_over = true;
        return ask_failure("unreachable", pages->why.text);
    }
    pages->is_asked = false;
    turn(pages, page);
    return page;
}

void pages_free(struct pages *pages)
{
    if (pages) {
        if (pages->fd >= 0) {
            close(pages->fd);
        }
        json_decref(pages->request);
        free(pages);
    }
}
