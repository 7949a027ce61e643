/*
 * pamctl: the commands of the bot for administrators and scripts, over the admin
 * socket of vps-agent.
 *
 *     ask    one question over the socket        show    answers for people
 *     save   the .rdp file
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ask.h"
#include "ctl/save.h"
#include "ctl/show.h"

enum { EXIT_USAGE = 2, ARGS_MAX = 2 };

struct options {
    const char *socket_path;
    const char *out;
    bool json;
    bool wait, off;                 /* of drain */
    const char *args[1 + ARGS_MAX]; /* the command and its arguments */
    int count;
};

/* One command: what its arguments are called in the request, and what shows the answer. */
static const struct command {
    const char *name;
    const char *args[ARGS_MAX];
    int least;
    bool takes_out;
    void (*show)(const json_t *reply);
    const char *usage;
    const char *help;
} COMMANDS[] = {
    {"ssh", {"target"}, 1, false, show_ssh, "ssh [USER@]HOST[:PORT]", "open an SSH session"},
    {"rdp",
     {"target"},
     1,
     true,
     show_rdp,
     "rdp [USER@]HOST[:PORT] [--out FILE]",
     "open an RDP session; writes the .rdp file"},
    {"status", {0}, 0, false, show_status, "status", "the agent and its gateways"},
    {"sessions", {0}, 0, false, show_sessions, "sessions", "the open sessions"},
    {"close", {"session"}, 1, false, show_closed, "close ID", "end a session"},
    {"admit",
     {"session", "address"},
     2,
     false,
     show_decided,
     "admit ID ADDRESS",
     "let in the client that waits there"},
    {"block",
     {"session", "address"},
     2,
     false,
     show_decided,
     "block ID ADDRESS",
     "send that address away for this session"},
    {"known", {0}, 0, false, show_known, "known", "addresses that are let in without a question"},
    {"forget",
     {"address"},
     1,
     false,
     show_forgotten,
     "forget ADDRESS",
     "ask again about clients from there"},
    {"drain",
     {0},
     0,
     false,
     show_drain,
     "drain [--wait | --off]",
     "before a restart: open no new sessions; wait for the rest"},
};

enum { COMMANDS_SIZE = sizeof COMMANDS / sizeof *COMMANDS };

/* ---- the command line ----------------------------------------------------- */

static void print_usage(FILE *stream)
{
    fputs("Usage: pamctl [--json] [--socket PATH] COMMAND\n\nCommands:\n", stream);
    for (int i = 0; i < COMMANDS_SIZE; i++) {
        fprintf(stream, "  %-30s %s\n", COMMANDS[i].usage, COMMANDS[i].help);
    }
    fputs("\nOptions:\n"
          "  --json                         print the answer as one line of JSON\n"
          "  --socket PATH                  default: $STATE_DIR/pamtunnel.sock, and\n"
          "                                 /var/lib/pamtunnel/pamtunnel.sock without STATE_DIR\n"
          "  --out FILE                     where to write the .rdp file; - is standard output\n"
          "  --version, --help\n",
          stream);
}

static int usage_error(const char *text, const char *what)
{
    fprintf(stderr, "pamctl: %s%s; see pamctl --help\n", text, what);
    return EXIT_USAGE;
}

/* 0, or -EINVAL after it said why. */
static int parse_options(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        const char **value = strcmp(arg, "--socket") == 0 ? &options->socket_path
                             : strcmp(arg, "--out") == 0  ? &options->out
                                                          : NULL;
        if (value && i + 1 < argc) {
            *value = argv[++i];
        } else if (value) {
            usage_error("a value is missing after ", arg);
            return -EINVAL;
        } else if (strcmp(arg, "--json") == 0) {
            options->json = true;
        } else if (strcmp(arg, "--wait") == 0) {
            options->wait = true;
        } else if (strcmp(arg, "--off") == 0) {
            options->off = true;
        } else if (arg[0] == '-') {
            usage_error("unknown option ", arg);
            return -EINVAL;
        } else if (options->count > ARGS_MAX) {
            usage_error("too many arguments", "");
            return -EINVAL;
        } else {
            options->args[options->count++] = arg;
        }
    }
    return 0;
}

static const struct command *find_command(const struct options *options)
{
    for (int i = 0; i < COMMANDS_SIZE && options->count > 0; i++) {
        const struct command *command = &COMMANDS[i];
        int most = !command->args[0] ? 0 : !command->args[1] ? 1 : 2;
        if (strcmp(command->name, options->args[0]) == 0) {
            bool fits = options->count - 1 >= command->least && options->count - 1 <= most;
            bool drains = strcmp(command->name, "drain") == 0;
            if (!fits || (options->out && !command->takes_out) ||
                (drains ? options->wait && options->off : options->wait || options->off)) {
                fprintf(stderr, "pamctl: usage: pamctl %s\n", command->usage);
                return NULL;
            }
            return command;
        }
    }
    usage_error(options->count ? "unknown command " : "no command is given",
                options->count ? options->args[0] : "");
    return NULL;
}

static json_t *make_request(const struct command *command, const struct options *options)
{
    json_t *request = json_pack("{s:s}", "command", command->name);
    for (int i = 1; request && i < options->count; i++) {
        /* Text that is not UTF-8 cannot be asked for; the agent says what it takes. */
        json_t *value = json_string(options->args[i]);
        json_object_set_new(request, command->args[i - 1], value ? value : json_string("?"));
    }
    if (request && options->off) {
        json_object_set_new(request, "off", json_true());
    }
    return request;
}

/* ---- answers -------------------------------------------------------------- */

static json_t *failure(const char *word, const char *sentence)
{
    return json_pack("{s:b, s:s, s:s}", "ok", 0, "error", word, "message", sentence);
}

/* For a request whose answer says enough, or matters little. NULL only when out of memory. */
static json_t *ask_or_say_why(const char *path, const json_t *request)
{
    struct why why;
    json_t *reply;
    return ask(path, request, &reply, &why) < 0 ? failure("unreachable", why.text) : reply;
}

/* Nobody has the file, so its session must not wait for a client. */
static json_t *take_back(const char *path, const json_t *reply, const struct why *why)
{
    const char *id = json_string_value(json_object_get(json_object_get(reply, "session"), "id"));
    json_t *request = json_pack("{s:s, s:s}", "command", "close", "session", id ? id : "");
    json_decref(ask_or_say_why(path, request));
    json_decref(request);
    return failure("not_written", why->text);
}

/* An .rdp file goes where the user wants it, and out of the answer. Takes over the reply. */
static json_t *take_file(const struct options *options, const char *path, json_t *reply)
{
    const char *content = json_string_value(json_object_get(reply, "rdp"));
    const char *name = json_string_value(json_object_get(reply, "file"));
    struct why why;
    if (!content || !name) {
        return reply;
    }
    if (save(options->out, name, content, &why) < 0) {
        json_t *instead = take_back(path, reply, &why);
        json_decref(reply);
        return instead;
    }
    if (options->out) {
        json_object_set_new(reply, "file", json_string(options->out));
    }
    json_object_del(reply, "rdp");
    return reply;
}

static int show_reply(const struct command *command, const struct options *options,
                      const json_t *reply)
{
    bool ok = json_is_true(json_object_get(reply, "ok"));
    bool file_on_stdout = ok && options->out && strcmp(options->out, "-") == 0;
    if (options->json && !file_on_stdout) {
        json_dumpf(reply, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
        putchar('\n');
    } else if (!ok) {
        const char *message = json_string_value(json_object_get(reply, "message"));
        fprintf(stderr, "pamctl: %s\n", message ? message : "vps-agent's answer makes no sense");
    } else if (!file_on_stdout) {
        command->show(reply);
    }
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Says what there is to wait for, and then waits for it. */
static json_t *wait_for_the_rest(const struct command *command, const struct options *options,
                                 const char *path, json_t *request, json_t *reply)
{
    if (!options->wait || !json_is_true(json_object_get(reply, "ok")) ||
        json_integer_value(json_object_get(reply, "sessions")) == 0) {
        return reply;
    }
    if (!options->json) {
        command->show(reply);
    }
    json_decref(reply);
    json_object_set_new(request, "wait", json_true());
    return ask_or_say_why(path, request);
}

static int run(const struct command *command, const struct options *options)
{
    char path[256];
    const char *state_dir = getenv("STATE_DIR");
    if (options->socket_path) {
        snprintf(path, sizeof path, "%s", options->socket_path);
    } else {
        snprintf(path, sizeof path, "%s/pamtunnel.sock",
                 state_dir && state_dir[0] ? state_dir : "/var/lib/pamtunnel");
    }
    json_t *request = make_request(command, options);
    json_t *reply = take_file(options, path, ask_or_say_why(path, request));
    reply = wait_for_the_rest(command, options, path, request, reply);
    int status = show_reply(command, options, reply);
    if (options->wait && !json_is_true(json_object_get(reply, "draining"))) {
        status = EXIT_FAILURE; /* somebody called it off */
    }
    json_decref(request);
    json_decref(reply);
    return status;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_usage(stdout);
            return EXIT_SUCCESS;
        }
        if (strcmp(argv[i], "--version") == 0) {
            puts("pamctl " PAMTUNNEL_VERSION);
            return EXIT_SUCCESS;
        }
    }
    struct options options = {0};
    if (parse_options(argc, argv, &options) < 0) {
        return EXIT_USAGE;
    }
    const struct command *command = find_command(&options);
    return command ? run(command, &options) : EXIT_USAGE;
}
