#include "vps/chat/source.h"

#include <stdio.h>

enum { NAME_MS = 5000 };

static void on_name(void *arg, const char *name)
{
    struct source *source = arg;
    source->look_up = NULL;
    if (name) {
        snprintf(source->name, sizeof source->name, "%s", name);
        source->found(source->arg);
    }
}

void source_set(struct source *source, const struct addr *client)
{
    if (!source->names || (source->has_client && addr_same_host(&source->client, client))) {
        return;
    }
    resolve_cancel(source->look_up);
    source->client = *client;
    source->has_client = true;
    source->name[0] = '\0';
    source->look_up = resolve_name_start(source->names, client, NAME_MS, on_name, source);
}

void source_done(struct source *source)
{
    resolve_cancel(source->look_up);
    source->look_up = NULL;
}
