#include "ctl/show_totp.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "ctl/field.h"
#include "ctl/qr.h"

/* ---- enrolling ------------------------------------------------------------------- */

/* In groups of four, as people type it. */
static void print_groups(const char *letters)
{
    for (size_t i = 0; letters[i]; i++) {
        printf(i > 0 && i % 4 == 0 ? " %c" : "%c", letters[i]);
    }
    putchar('\n');
}

void show_totp_secret(const json_t *reply)
{
    const char *person = field_text(reply, "person");
    putchar('\n');
    if (qr_draw(field_text(reply, "uri"), qr_form_for(stdout), stdout) < 0) {
        puts("(The QR code cannot be drawn.)");
    }
    printf("\n%s scans this with an authenticator app, or types in the key:\n    ", person);
    print_groups(field_text(reply, "secret"));
    if (json_is_true(json_object_get(reply, "replaces"))) {
        printf("%s has a second factor already: it is good until the new one is confirmed.\n",
               person);
    }
    fflush(stdout);
}

void show_totp_enrolled(const json_t *reply)
{
    printf("%s has a second factor now. Clear this screen: whoever sees it has it, too.\n",
           field_text(reply, "person"));
}

/* ---- the others ------------------------------------------------------------------- */

static void show_factor(const json_t *entry, int width)
{
    char when[CLOCK_TEXT_MAX], span[64];
    const char *person = field_text(entry, "person");
    json_int_t locked_s = json_integer_value(json_object_get(entry, "locked_for"));
    if (!json_is_true(json_object_get(entry, "enrolled"))) {
        printf("%-*s  none\n", width, person);
        return;
    }
    printf("%-*s  since %s", width, person,
           clock_text(json_integer_value(json_object_get(entry, "since")), when));
    if (json_is_true(json_object_get(entry, "needs_unlock"))) {
        printf("; locked, too many codes were wrong: pamctl totp unlock %s", person);
    } else if (locked_s > 0) {
        struct text text = text_over(span, sizeof span);
        text_add_seconds(&text, (uint64_t)(locked_s + 59) / 60 * 60);
        printf("; locked for %s, too many codes were wrong", span);
    }
    putchar('\n');
}

void show_totp_list(const json_t *reply)
{
    const json_t *entry, *people = json_object_get(reply, "people");
    size_t index;
    int width = 0;
    json_array_foreach(people, index, entry)
    {
        int len = (int)strlen(field_text(entry, "person"));
        width = len > width ? len : width;
    }
    json_array_foreach(people, index, entry)
    {
        show_factor(entry, width);
    }
    if (json_array_size(people) == 0) {
        puts("Nobody has a second factor: pamctl totp NAME gives somebody one.");
    }
}

void show_totp_removed(const json_t *reply)
{
    printf("%s has no second factor any more.\n", field_text(reply, "person"));
}

void show_totp_unlocked(const json_t *reply)
{
    printf("%s may try again.\n", field_text(reply, "person"));
}
