#include "ctl/show_users.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "ctl/field.h"
#include "ctl/qr.h"

/* ---- list ----------------------------------------------------------------- */

/* "telegram:42 (invited 2026-11-26 18:04 UTC)" */
static void add_account(struct text *text, const json_t *account)
{
    char when[CLOCK_TEXT_MAX];
    text_add(text, "%s", field_text(account, "account"));
    if (json_object_get(account, "since")) {
        text_add(text, " (invited %s)", clock_text(field_number(account, "since"), when));
    }
}

static void add_accounts(struct text *text, const json_t *accounts)
{
    size_t index;
    const json_t *account;
    json_array_foreach(accounts, index, account)
    {
        text_add(text, index ? ", " : "");
        add_account(text, account);
    }
    if (json_array_size(accounts) == 0) {
        text_add(text, "no account yet");
    }
}

static void add_role(struct text *text, const json_t *user)
{
    const char *role = json_string_value(json_array_get(json_object_get(user, "roles"), 0));
    if (role) {
        text_add(text, "; %s", role);
    }
}

static void add_source(struct text *text, const json_t *user)
{
    const char *from = field_text(user, "from");
    if (strcmp(from, "policy") == 0) {
        text_add(text, "; policy, line %d", (int)field_number(user, "line"));
        text_add(text, field_is(user, "expired") ? "; expired" : "");
    } else if (strcmp(from, "settings") == 0) {
        text_add(text, "; ALLOWED_USERS");
    } else if (field_is(user, "expired")) {
        text_add(text, "; not in the policy: has no access");
    }
}

static int widest_name(const json_t *users)
{
    size_t index;
    const json_t *user;
    int width = 0;
    json_array_foreach(users, index, user)
    {
        int len = (int)strlen(field_text(user, "name"));
        width = len > width ? len : width;
    }
    return width;
}

static void show_invitations(const json_t *invitations)
{
    size_t index;
    const json_t *invitation;
    json_array_foreach(invitations, index, invitation)
    {
        char when[CLOCK_TEXT_MAX];
        printf("invited: %s, until %s%s\n", field_text(invitation, "name"),
               clock_text(field_number(invitation, "until"), when),
               field_is(invitation, "opened")
                   ? "; the link was opened, an administrator has to say yes"
                   : "");
    }
}

void show_user_list(const json_t *reply)
{
    const json_t *user, *users = json_object_get(reply, "users");
    int width = widest_name(users);
    size_t index;
    json_array_foreach(users, index, user)
    {
        char buffer[512];
        struct text text = text_over(buffer, sizeof buffer);
        add_accounts(&text, json_object_get(user, "accounts"));
        add_role(&text, user);
        add_source(&text, user);
        printf("%-*s  %s\n", width, field_text(user, "name"), buffer);
    }
    if (json_array_size(users) == 0) {
        puts("Nobody is let in through the chat.");
    }
    show_invitations(json_object_get(reply, "invitations"));
}

/* ---- invite, remove ------------------------------------------------------- */

void show_user_invited(const json_t *reply)
{
    char when[CLOCK_TEXT_MAX];
    const char *link = field_text(reply, "link");
    printf("%s\n\n", link);
    qr_draw(link, qr_form_for(stdout), stdout);
    printf("\nGive the link to %s, or have the code scanned. It works once, until %s.\n"
           "Who opens it is let in when an administrator says so in the chat.\n",
           field_text(reply, "user"), clock_text(field_number(reply, "until"), when));
}

void show_user_removed(const json_t *reply)
{
    const char *name = field_text(reply, "user");
    int sessions = (int)field_number(reply, "sessions");
    if (field_number(reply, "accounts") == 0) {
        printf("The invitation of %s is good for nothing any more.\n", name);
    } else {
        printf("%s is removed", name);
        if (sessions > 0) {
            printf(", and so %s %d session%s", sessions == 1 ? "is" : "are", sessions,
                   sessions == 1 ? "" : "s");
        }
        puts(".");
    }
    if (field_is(reply, "still")) {
        printf("The policy still lets %s in, by the accounts that stand there.\n", name);
    }
}
