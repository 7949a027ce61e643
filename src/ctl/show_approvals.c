#include "ctl/show_approvals.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ctl/field.h"

/* "1 of 2 (bert)" */
static void print_progress(const json_t *request)
{
    const json_t *names = json_object_get(request, "approved_by"), *name;
    size_t index;
    printf("%zu of %" PRId64, json_array_size(names), field_number(request, "needed"));
    json_array_foreach(names, index, name)
    {
        printf("%s%s", index == 0 ? " (" : ", ", json_string_value(name));
    }
    printf("%s", json_array_size(names) > 0 ? ")" : "");
}

/* "SSH" is the chat's; here kinds are commands. */
static void print_what(const json_t *request)
{
    printf("%s %s for %s", field_text(request, "kind"), field_text(request, "said"),
           field_text(request, "name"));
}

static void print_state(const json_t *request)
{
    const char *state = field_text(request, "state"), *id = field_text(request, "id");
    if (strcmp(state, "asking_approval") == 0) {
        printf("          pamctl approve %s, or pamctl deny %s\n", id, id);
    } else if (strcmp(state, "asking_factor") == 0) {
        printf("          waits for the second factor of who asks\n");
    } else {
        printf("          is approved, and waits for gateway %s\n", field_text(request, "gateway"));
    }
}

static void show_request(const json_t *request)
{
    char buffer[64];
    struct text left = text_over(buffer, sizeof buffer);
    text_add_seconds(&left, (uint64_t)field_number(request, "expires_in"));
    printf("%s  ", field_text(request, "id"));
    print_what(request);
    printf(" (%s through %s): approved by ", field_text(request, "target"),
           field_text(request, "gateway"));
    print_progress(request);
    printf(", expires in %s\n", buffer);
    if (json_is_string(json_object_get(request, "why"))) {
        printf("          why: %s\n", field_text(request, "why"));
    }
    print_state(request);
}

void show_approvals(const json_t *reply)
{
    size_t index;
    json_t *request, *list = json_object_get(reply, "approvals");
    json_array_foreach(list, index, request)
    {
        show_request(request);
    }
    if (json_array_size(list) == 0) {
        puts("Nothing waits for approval.");
    }
}

void show_approved(const json_t *reply)
{
    const json_t *request = json_object_get(reply, "request");
    const char *state = field_text(request, "state");
    print_what(request);
    if (strcmp(state, "granted") == 0) {
        puts(" is approved, and is being opened.");
    } else if (strcmp(state, "ready") == 0) {
        printf(" is approved, and waits for gateway %s.\n", field_text(request, "gateway"));
    } else if (strcmp(state, "asking_approval") == 0) {
        printf(" is approved by ");
        print_progress(request);
        puts(".");
    } else { /* others allowed less meanwhile */
        puts(" is approved, but could not be opened.");
    }
}

void show_denied(const json_t *reply)
{
    print_what(json_object_get(reply, "request"));
    puts(" is not approved.");
}
