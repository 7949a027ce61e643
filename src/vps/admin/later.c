#include "vps/admin/later.h"

#include <stdlib.h>

struct later {
    struct list home;
    struct laters *laters;
    struct lines_client *client;
    void (*gone)(void *arg);
    void *arg;
};

struct later *later_new(struct laters *laters, struct lines_client *client, void (*gone)(void *arg),
                        void *arg)
{
    struct later *later = malloc(sizeof *later);
    if (later) {
        *later = (struct later){.laters = laters, .client = client, .gone = gone, .arg = arg};
        list_append(&laters->list, &later->home);
    }
    return later;
}

/* Gone first of all: to speak to a client may end in laters_end(). */
static void say(struct later *later, json_t *reply, bool at_once)
{
    const struct laters *laters = later->laters;
    struct lines_client *client = later->client;
    list_remove(&later->home);
    free(later);
    laters->say(laters->arg, client, reply, at_once);
}

void later_say(struct later *later, json_t *reply)
{
    say(later, reply, false);
}

void later_say_at_once(struct later *later, json_t *reply)
{
    say(later, reply, true);
}

void laters_end(struct laters *laters, const struct lines_client *client)
{
    list_each (struct later, later, &laters->list, home) {
        if (!client || later->client == client) {
            void (*gone)(void *arg) = later->gone;
            void *arg = later->arg;
            list_remove(&later->home);
            free(later);
            gone(arg);
        }
    }
}
