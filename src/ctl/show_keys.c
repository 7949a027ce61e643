#include "ctl/show_keys.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"
#include "ctl/field.h"
#include "shared/target.h"

/* "office/192.168.1.22:22 (ssh)" */
static void print_target(const json_t *pin)
{
    char target[TARGET_TEXT_MAX];
    target_format(field_text(pin, "host"), (uint16_t)field_number(pin, "port"), target);
    printf("%s/%s (%s)", field_text(pin, "gateway"), target, field_text(pin, "kind"));
}

static void print_identity(const json_t *identity)
{
    const char *algorithm = field_text(identity, "algorithm");
    printf("%s%s%s", algorithm, algorithm[0] ? " " : "", field_text(identity, "fingerprint"));
}

static void print_key(const json_t *pin)
{
    char since[CLOCK_TEXT_MAX];
    print_target(pin);
    printf("\n    ");
    print_identity(pin);
    printf(", known since %s%s\n", clock_day(field_number(pin, "since"), since),
           json_is_true(json_object_get(pin, "by_policy")) ? "; the policy says what it has to show"
                                                           : "");
}

static void print_doubt(const json_t *doubt)
{
    const char *id = field_text(doubt, "id");
    print_target(doubt);
    printf(" shows another one now, and is not opened:\n    then ");
    print_identity(doubt);
    printf("\n    now  ");
    print_identity(json_object_get(doubt, "shown"));
    printf("\n    if that is right: pamctl key accept %s; if not: pamctl key leave %s\n", id, id);
}

void show_key_list(const json_t *reply)
{
    const json_t *keys = json_object_get(reply, "keys"), *doubts = json_object_get(reply, "doubts");
    const json_t *each;
    size_t index;
    json_array_foreach(doubts, index, each)
    {
        print_doubt(each);
    }
    json_array_foreach(keys, index, each)
    {
        print_key(each);
    }
    if (json_array_size(keys) == 0) {
        puts("No machine has shown a key yet: the first session to one has its gateway look.");
    }
}

void show_key_accepted(const json_t *reply)
{
    (void)reply;
    puts("Noted: it can be opened again.");
}

void show_key_left(const json_t *reply)
{
    (void)reply;
    puts("Left as it was: nothing is opened while the machine shows that.");
}

void show_key_forgotten(const json_t *reply)
{
    (void)reply;
    puts("Forgotten: what the machine shows next is taken for right.");
}
