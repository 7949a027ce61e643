#include "ctl/commands.h"

#include <string.h>

#include "base/text.h"
#include "ctl/show.h"
#include "ctl/show_applicants.h"
#include "ctl/show_approvals.h"
#include "ctl/show_gateways.h"
#include "ctl/show_keys.h"
#include "ctl/show_totp.h"
#include "ctl/show_users.h"
#include "ctl/show_waking.h"
#include "shared/kind.h"

#define PERSON                                   \
    {                                            \
        "NAME", "person", ARGUMENT_PERSON, false \
    }
#define ID                                  \
    {                                       \
        "ID", "session", ARGUMENT_ID, false \
    }

/* "482913", "482 913" in quotes, or as two words. */
#define CODE                                 \
    {                                        \
        "CODE", "code", ARGUMENT_CODE, false \
    }
#define CODE_REST                           \
    {                                       \
        "REST", "rest", ARGUMENT_NAME, true \
    }

/* Of a command that opens a session, by what that gives its user. */
enum {
    OPTIONS_OF_line = OPTION_WHY | OPTION_ENTRANCE,
    OPTIONS_OF_file = OPTIONS_OF_line | OPTION_OUT | OPTION_FORCE
};

/* clang-format off */
static const struct command COMMANDS[] = {
#define KIND(NAME, number, word, greeting, gives, port, takes, example, help, pamctl, ...) \
    [number] = {#word, (pamctl), {{(takes), "target", ARGUMENT_TARGET, false}},            \
                OPTIONS_OF_##gives, show_##gives},
#include "shared/kinds.def"
#undef KIND
    [KIND_COUNT] =
    {"status", "the agent, Telegram, and the gateways that are online", {{0}}, 0, show_status},
    {"sessions", "the open sessions, and who waits to be let in", {{0}}, 0, show_sessions},
    {"close", "end a session", {ID}, 0, show_closed},
    {"extend", "let a session go on for longer", {ID}, 0, show_extended},
    {"admit", "let in the client that waits there",
     {ID, {"ADDRESS[#NUMBER]", "address", ARGUMENT_WAITING, false}}, 0, show_decided},
    {"block", "send that address away, for as long as the session lasts",
     {ID, {"ADDRESS", "address", ARGUMENT_WAITING, false}}, 0, show_decided},
    {"approvals", "the sessions that wait until others approve them", {{0}}, 0, show_approvals},
    {"approve", "agree to a session that somebody asks for",
     {{"ID", "request", ARGUMENT_REQUEST, false}}, 0, show_approved},
    {"deny", "say no to it", {{"ID", "request", ARGUMENT_REQUEST, false}}, 0, show_denied},
    {"known", "the addresses that are let in without asking", {{0}}, 0, show_known},
    {"forget", "ask again about clients from there",
     {{"ADDRESS", "address", ARGUMENT_KNOWN, false}}, 0, show_forgotten},
    {"discover", "the machines that say their names in a gateway's network",
     {{"GATEWAY", "gateway", ARGUMENT_GATEWAY, true}}, 0, show_discovered},
    {"gateway pair", "hear gateways without a key that ask to be paired, for ten minutes", {{0}}, 0,
     show_gateway_pending},
    {"gateway pending", "the gateway that asks to be paired, and the code it shows", {{0}}, 0,
     show_gateway_pending},
    {"gateway accept", "let in the gateway whose own log shows this code", {CODE, CODE_REST}, 0,
     show_gateway_accepted},
    {"gateway deny", "refuse the gateway that shows this code", {CODE, CODE_REST}, 0,
     show_gateway_denied},
    {"gateway list", "the gateways that may log in, and their keys", {{0}}, 0, show_gateway_list},
    {"gateway add", "let a new gateway log in, and print its join string",
     {{"NAME", "gateway", ARGUMENT_NAME, false}}, OPTION_VALID, show_gateway_added},
    {"gateway rotate", "give a gateway another key, and print its join string",
     {{"NAME", "gateway", ARGUMENT_GATEWAY, false}}, OPTION_VALID, show_gateway_rotated},
    {"gateway remove", "cut a gateway off: its key and its sessions end",
     {{"NAME", "gateway", ARGUMENT_GATEWAY, false}}, 0, show_gateway_removed},
    {"totp", "give somebody a second factor: a QR code for an authenticator app", {PERSON}, 0,
     show_totp_enrolled},
    {"totp list", "who has a second factor, and whose is locked", {{0}}, 0, show_totp_list},
    {"totp remove", "take somebody's second factor away", {PERSON}, 0, show_totp_removed},
    {"totp unlock", "let somebody try again who gave too many wrong codes", {PERSON}, 0,
     show_totp_unlocked},
    {"user list", "who is let in through the chat, and who is invited", {{0}}, 0, show_user_list},
    {"user invite", "print a link, and a QR code, for one person to come in by",
     {{"NAME", "user", ARGUMENT_USER, false}}, 0, show_user_invited},
    {"user remove", "take away what an invitation gave: their sessions end",
     {{"NAME", "user", ARGUMENT_USER, false}}, 0, show_user_removed},
    {"reload", "read the settings again, and say what changed; ends no session", {{0}}, 0,
     show_reloaded},
    {"drain", "before a restart: open no new sessions, and wait for the rest", {{0}},
     OPTION_WAIT | OPTION_TIMEOUT | OPTION_OFF, show_drain},
    {"audit", "what happened: who was where, when, and how it ended", {{0}},
     OPTION_USER | OPTION_TARGET | OPTION_GATEWAY | OPTION_SINCE | OPTION_UNTIL | OPTION_FOLLOW |
     OPTION_CSV | OPTION_CEF, show_nothing},
    {"audit verify", "whether the audit is as it was written, up to what was noted elsewhere",
     {{"SEQ", "seq", ARGUMENT_NAME, true}, {"HASH", "hash", ARGUMENT_NAME, true}}, 0,
     show_verdict},
    {"backup", "copy the state file: the audit, keys, known addresses; - is standard output",
     {{"FILE", "file", ARGUMENT_NAME, false}}, OPTION_FORCE, show_backup},
    {"report", "the audit of the last 30 days, or since --since, as one page of HTML", {{0}},
     OPTION_OUT | OPTION_FORCE | OPTION_SINCE | OPTION_UNTIL, show_report},
    {"panic", "end every session, and open none until unlock, also after a restart", {{0}}, 0,
     show_locked},
    {"unlock", "open sessions again after panic", {{0}}, 0, show_locked},
    {"key list", "which key or certificate each machine has shown", {{0}}, 0, show_key_list},
    {"key accept", "what a machine shows now is right: it was reinstalled",
     {{"ID", "doubt", ARGUMENT_NAME, false}}, 0, show_key_accepted},
    {"key leave", "what a machine shows now is not right: nothing is opened",
     {{"ID", "doubt", ARGUMENT_NAME, false}}, 0, show_key_left},
    {"key forget", "take what a machine shows next for right",
     {{"GATEWAY/HOST:PORT", "target", ARGUMENT_TARGET, false}}, 0, show_key_forgotten},
    {"wake", "wake a machine that sleeps, and wait until it answers",
     {{"HOST[:PORT]", "target", ARGUMENT_TARGET, false}}, 0, show_woken},
    {"wake list", "the machines whose MAC address is known", {{0}}, 0, show_wake_list},
    {"help", "all commands, or what one of them takes",
     {{"COMMAND", NULL, ARGUMENT_COMMAND, true}, {"WORD", NULL, ARGUMENT_COMMAND, true}}, 0, NULL},
    {"version", "print the version", {{0}}, 0, NULL},
};

static const struct command_option OPTIONS[] = {
    {"--out", NULL, "FILE", "where to write the file; - is standard output", OPTION_OUT},
    {"--force", NULL, NULL, "replace the file if there is one of that name", OPTION_FORCE},
    {"--why", NULL, "TEXT", "what it is for, for those who have to approve it", OPTION_WHY},
    {"--entrance", NULL, NULL, "for a network that lets out little: by ENTRANCE_PORT",
     OPTION_ENTRANCE},
    {"--wait", NULL, NULL, "return when no session is left", OPTION_WAIT},
    {"--timeout", NULL, "SECONDS", "stop waiting then, list what is left, and exit with 1",
     OPTION_TIMEOUT},
    {"--off", NULL, NULL, "open sessions again", OPTION_OFF},
    {"--user", NULL, "WHO", "records of this person: a name of the policy, or telegram:NUMBER",
     OPTION_USER},
    {"--target", NULL, "HOST[:PORT]", "records of this machine", OPTION_TARGET},
    {"--gateway", NULL, "NAME", "records of this gateway", OPTION_GATEWAY},
    {"--since", NULL, "WHEN", "from then on: 2026-11-26, \"2026-11-26 14:00\", 7d, 12h; UTC",
     OPTION_SINCE},
    {"--until", NULL, "WHEN", "until then; a day counts to its end", OPTION_UNTIL},
    {"--follow", NULL, NULL, "go on with what happens from now on", OPTION_FOLLOW},
    {"--csv", NULL, NULL, "for spreadsheets", OPTION_CSV},
    {"--cef", NULL, NULL, "Common Event Format, for log servers", OPTION_CEF},
    {"--valid", NULL, "TIME", "how long the join string may wait to be used: 24h, 30m, 7d; 0: forever",
     OPTION_VALID},
    {"--json", NULL, NULL, "print the answer as one line of JSON", OPTION_JSON},
    {"--socket", NULL, "PATH", "the admin socket of vps-agent", OPTION_SOCKET},
    {"--help", "-h", NULL, "print this, or what the command takes, and exit", OPTION_HELP},
    {"--version", "-V", NULL, "print the version and exit", OPTION_VERSION},
};
/* clang-format on */

enum {
    COMMANDS_SIZE = sizeof COMMANDS / sizeof *COMMANDS,
    OPTIONS_SIZE = sizeof OPTIONS / sizeof *OPTIONS,
};

const struct command *commands_next(const struct command *after)
{
    /* A walk rather than the table itself: nobody depends on its size or order. */
    const struct command *next = after ? after + 1 : COMMANDS;
    return next < COMMANDS + COMMANDS_SIZE ? next : NULL;
}

const struct command_option *options_next(const struct command_option *after)
{
    const struct command_option *next = after ? after + 1 : OPTIONS;
    return next < OPTIONS + OPTIONS_SIZE ? next : NULL;
}

const struct command *command_find(const char *name)
{
    const struct command *command = NULL;
    while ((command = commands_next(command)) && strcmp(command->name, name) != 0) {
    }
    return command;
}

const char *command_second_word(const struct command *command)
{
    const char *blank = strchr(command->name, ' ');
    return blank ? blank + 1 : NULL;
}

const struct command *commands_next_of(const char *group, const struct command *after)
{
    size_t len = strlen(group);
    const struct command *command = after;
    while ((command = commands_next(command)) &&
           (strncmp(command->name, group, len) != 0 || command->name[len] != ' ')) {
    }
    return command;
}

int command_most(const struct command *command)
{
    int most = 0;
    while (most < ARGS_MAX && command->args[most].name) {
        most++;
    }
    return most;
}

int command_least(const struct command *command)
{
    /* Optional arguments only ever come last. */
    int least = 0;
    while (least < command_most(command) && !command->args[least].optional) {
        least++;
    }
    return least;
}

void command_usage(const struct command *command, bool options, char dst[COMMAND_USAGE_MAX])
{
    struct text text = text_over(dst, COMMAND_USAGE_MAX);
    text_add(&text, "%s", command->name);
    for (int i = 0; i < command_most(command); i++) {
        const struct argument *argument = &command->args[i];
        text_add(&text, argument->optional ? " [%s]" : " %s", argument->name);
    }
    const struct command_option *option = NULL;
    while (options && (option = options_next(option))) {
        if (option->bit & command->options) {
            text_add(&text, " [%s%s%s]", option->name, option->takes ? " " : "",
                     option->takes ? option->takes : "");
        }
    }
}
