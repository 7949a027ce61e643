#include "ctl/show_waking.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "ctl/field.h"

enum { MACHINE_SIZE = 512 };

void show_woken(const json_t *reply)
{
    const json_t *waking = json_object_get(reply, "waking");
    printf("%s is awake, after %d s.\n", field_text(waking, "target"),
           (int)field_number(waking, "seconds"));
}

/* "office/192.168.1.22 (office-pc)" */
static struct text describe(const json_t *machine, char buffer[MACHINE_SIZE])
{
    struct text text = text_over(buffer, MACHINE_SIZE);
    const char *gateway = field_text(machine, "gateway"), *name = field_text(machine, "name");
    text_add(&text, "%s%s%s", gateway, gateway[0] ? "/" : "", field_text(machine, "host"));
    if (name[0]) {
        text_add(&text, " (%s)", name);
    }
    return text;
}

void show_wake_list(const json_t *reply)
{
    const json_t *machine, *machines = json_object_get(reply, "machines");
    char buffer[MACHINE_SIZE], when[CLOCK_TEXT_MAX];
    size_t index, width = 0;
    json_array_foreach(machines, index, machine)
    {
        struct text text = describe(machine, buffer);
        width = text.len > width ? text.len : width;
    }
    json_array_foreach(machines, index, machine)
    {
        describe(machine, buffer);
        bool is_learnt = strcmp(field_text(machine, "from"), "learnt") == 0;
        printf("%-*s  %s  %s%s\n", (int)width, buffer, field_text(machine, "mac"),
               is_learnt ? "since " : "by the policy",
               is_learnt ? clock_text(field_number(machine, "since"), when) : "");
    }
    if (json_array_size(machines) == 0) {
        puts("No MAC address is known: one is learnt whenever a machine answers that is in its "
             "gateway's own network.");
    }
}
