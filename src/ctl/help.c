#include "ctl/help.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/help.h"
#include "base/text.h"

enum { COLUMN = 29 }; /* of what a word is for */

/* "--help, -h    print this": the commands that it goes with in front, if they matter. */
static void print_option(const struct command_option *option, bool whose)
{
    char name[64], buffer[256];
    struct text words = text_over(buffer, sizeof buffer);
    const struct command *command = NULL;
    snprintf(name, sizeof name, "%s%s%s%s%s", option->name, option->brief ? ", " : "",
             option->brief ? option->brief : "", option->takes ? " " : "",
             option->takes ? option->takes : "");
    /* In the list of all options, each says which commands it goes with. */
    while (whose && (command = commands_next(command))) {
        if (command->options & option->bit) {
            text_add(&words, "%s: ", command->name);
        }
    }
    text_add(&words, "%s", option->help);
    help_row(COLUMN, name, buffer);
}

static void print_options(unsigned bits, bool whose)
{
    const struct command_option *option = NULL;
    puts("\nOptions:");
    while ((option = options_next(option))) {
        if (option->bit & bits) {
            print_option(option, whose);
        }
    }
}

static void print_command(const struct command *command)
{
    char usage[COMMAND_USAGE_MAX];
    command_usage(command, false, usage);
    help_row(COLUMN, usage, command->help);
}

void help_all(void)
{
    const struct command *command = NULL;
    puts("Usage: pamctl [OPTION]... COMMAND [ARGUMENT]...\n"
         "Opens and ends pamtunnel sessions through the vps-agent on this machine.\n\n"
         "Commands:");
    while ((command = commands_next(command))) {
        print_command(command);
    }
    print_options(~0U, true);
    puts("\nThe admin socket is STATE_DIR/pamtunnel.sock, with STATE_DIR from the environment, "
         "from\n"
         "/etc/pamtunnel/vps-agent.env, or /var/lib/pamtunnel. Usually only root may use it.\n\n"
         "Exit status: 0: it worked; 1: it was refused, or vps-agent cannot be reached;\n"
         "2: wrong usage.");
}

static void print_group(const char *group)
{
    const struct command *command = NULL;
    while ((command = commands_next_of(group, command))) {
        print_command(command);
    }
}

bool help_group(const char *group)
{
    if (!commands_next_of(group, NULL)) {
        return false;
    }
    printf("Usage: pamctl %s COMMAND [ARGUMENT]...\n\nCommands:\n", group);
    print_group(group);
    return true;
}

/* In lines of 100 columns, broken in front of a bracket. */
static void print_usage(const struct command *command)
{
    static const char BEGINNING[] = "Usage: pamctl ";
    char usage[COMMAND_USAGE_MAX];
    command_usage(command, true, usage);
    size_t column = sizeof BEGINNING - 1;
    printf("%s", BEGINNING);
    for (const char *at = usage; *at;) {
        const char *next = strstr(at + 1, " [");
        size_t len = next ? (size_t)(next - at) : strlen(at);
        if (column + len > 100) {
            printf("\n%*s", (int)sizeof BEGINNING - 2, "");
            column = sizeof BEGINNING - 2;
        }
        printf("%.*s", (int)len, at);
        column += len;
        at += len;
    }
    puts("");
}

void help_command(const struct command *command)
{
    print_usage(command);
    /* The table's help is a clause; here it stands alone, as a sentence. */
    printf("\n%c%s.\n", toupper((unsigned char)command->help[0]), command->help + 1);
    /* What an argument looks like, once for each kind that needs words. */
    for (int i = 0; i < command_most(command); i++) {
        if (command->args[i].kind == ARGUMENT_TARGET) {
            puts("\nHOST is a name that the gateway can look up, an IPv4 address, or an IPv6 "
                 "address, in\n"
                 "brackets if a port follows; with several gateways it is GATEWAY/HOST.");
        } else if (command->args[i].kind == ARGUMENT_ID) {
            puts("\nThe ID is the one that pamctl sessions shows.");
        }
    }
    print_options(command->options | OPTIONS_COMMON, false);
    if (commands_next_of(command->name, NULL)) {
        puts("\nMore commands:");
        print_group(command->name);
    }
}
