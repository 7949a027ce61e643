#include "vps/chat/farewell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vps/chat/button.h"
#include "vps/chat/texts.h"

struct farewell {
    struct farewell *next;
    struct farewells *all;
    struct farewell_options options;
    char again[BUTTON_DATA_SIZE];
    char html[];
};

static void show(const struct farewell_options *options)
{
    char buffer[TEXTS_SIZE], head[AUDIT_HEAD_TEXT_MAX];
    struct text html = readers_text(options->readers, options->person, buffer, sizeof buffer);
    const struct button again = {
        .label = language_phrase(readers_language(options->readers, options->person),
                                 BUTTONS[BUTTON_AGAIN].label),
        .data = options->again};
    text_add(&html, "%s", options->html);
    texts_audit_head(&html, audit_head_text(options->audit, head));
    transport_set(options->transport, options->post, buffer, &again, options->again[0] != '\0');
    transport_release(options->transport, options->post);
}

static void take_out(struct farewell *farewell)
{
    struct farewell **link = &farewell->all->first;
    while (*link != farewell) {
        link = &(*link)->next;
    }
    *link = farewell->next;
}

static void on_recorded(void *arg, int err)
{
    struct farewell *farewell = arg;
    (void)err; /* what could not be recorded is over nevertheless */
    take_out(farewell);
    show(&farewell->options);
    free(farewell);
}

static struct farewell *keep(struct farewells *all, const struct farewell_options *options)
{
    size_t size = strlen(options->html) + 1;
    struct farewell *farewell = all ? malloc(sizeof *farewell + size) : NULL;
    if (!farewell) {
        return NULL;
    }
    farewell->next = all->first;
    farewell->all = all;
    farewell->options = *options;
    farewell->options.html = memcpy(farewell->html, options->html, size);
    snprintf(farewell->again, sizeof farewell->again, "%s", options->again);
    farewell->options.again = farewell->again;
    all->first = farewell;
    return farewell;
}

void farewell_say(struct farewells *all, const struct farewell_options *options)
{
    struct farewell *farewell = keep(all, options);
    if (!farewell) {
        show(options);
    } else if (audit_barrier(options->audit, on_recorded, farewell)) {
        on_recorded(farewell, 0);
    }
}

void farewells_end(struct farewells *all)
{
    while (all->first) {
        audit_detach(all->first->options.audit, all->first);
        on_recorded(all->first, 0);
    }
}
