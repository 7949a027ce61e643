/*
 * pamctl: the commands of the bot for administrators and scripts, over the admin
 * socket of vps-agent.
 *
 *     ask    one question over the socket        show    answers for people
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ask.h"
#include "ctl/show.h"

enum { EXIT_USAGE = 2, ARGS_MAX = 2 };

struct options {
    const char *socket_path;
    const char *out;
    bool json;
    const char *args[1 + ARGS_MAX]; /* the command and its arguments */
    int count;
};

/* One command: what its arguments are called in the request, and who shows the answer. */
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
     "rdp HOST[:PORT] [--out FILE]",
     "open an RDP session; writes the .rdp file"},
    {"status", {0}, 0, false, show_status, "status", "the agent and its gateways"},
    {"sessions", {0}, 0, false, show_sessions, "sessions", "the open sessions"},
    {"close", {"session"}, 1, false, show_closed, "close ID", "end a session"},
    {"admit",
     {"session", "address"},
     1,
     false,
     show_decided,
     "admit ID [ADDRESS]",
     "let a waiting client in"},
    {"block",
     {"session", "address"},
     1,
     false,
     show_decided,
     "block ID [ADDRESS]",
     "send a waiting client away for this session"},
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
            if (!fits || (options->out && !command->takes_out)) {
                fprintf(stderr, "pamctl: usage: pamctl %s\n", command->usage);
                return NULL;
            }
            return command;
        }
    }
    usage_error(options->count ? "unknown command " : "which command?",
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
    return request;
}

/* ---- the .rdp file -------------------------------------------------------- */

static int write_all(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t wrote = write(fd, text, len);
        if (wrote < 0 && errno != EINTR) {
            return -errno;
        }
        text += wrote > 0 ? wrote : 0;
        len -= wrote > 0 ? (size_t)wrote : 0;
    }
    return 0;
}

/* --out overwrites; a name that nobody chose does not. */
static int save_file(const char *out, const char *name, const char *content)
{
    const char *path = out ? out : name;
    if (out && strcmp(out, "-") == 0) {
        return write_all(STDOUT_FILENO, content);
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (out ? O_TRUNC : O_EXCL), 0600);
    int err = fd < 0 ? -errno : write_all(fd, content);
    if (fd >= 0 && close(fd) < 0 && err == 0) {
        err = -errno;
    }
    if (err < 0) {
        fprintf(stderr, "pamctl: cannot write %s: %s%s\n", path, strerror(-err),
                err == -EEXIST ? "; choose a name with --out FILE" : "");
    }
    return err;
}

/* The file goes where the user wants it, and out of the answer. */
static int take_file(const struct options *options, json_t *reply)
{
    const char *content = json_string_value(json_object_get(reply, "rdp"));
    const char *name = json_string_value(json_object_get(reply, "file"));
    if (!content || !name) {
        return 0;
    }
    int err = save_file(options->out, name, content);
    if (err == 0 && options->out) {
        json_object_set_new(reply, "file", json_string(options->out));
    }
    json_object_del(reply, "rdp");
    return err;
}

/* ---- answers -------------------------------------------------------------- */

static int show_reply(const struct command *command, const struct options *options, json_t *reply)
{
    bool ok = json_is_true(json_object_get(reply, "ok"));
    int err = ok ? take_file(options, reply) : 0;
    bool file_on_stdout = options->out && strcmp(options->out, "-") == 0;
    if (options->json && !(ok && file_on_stdout)) {
        json_dumpf(reply, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
        putchar('\n');
    } else if (!ok) {
        const char *message = json_string_value(json_object_get(reply, "message"));
        fprintf(stderr, "pamctl: %s\n", message ? message : "vps-agent's answer makes no sense");
    } else if (err == 0 && !file_on_stdout) {
        command->show(reply);
    }
    return ok && err == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(const struct command *command, const struct options *options)
{
    char path[256];
    const char *state_dir = getenv("STATE_DIR");
    snprintf(path, sizeof path, "%s/pamtunnel.sock",
             state_dir && state_dir[0] ? state_dir : "/var/lib/pamtunnel");

    struct why why;
    json_t *reply;
    json_t *request = make_request(command, options);
    int err = ask(options->socket_path ? options->socket_path : path, request, &reply, &why);
    json_decref(request);
    if (err < 0 && options->json) {
        reply = json_pack("{s:b, s:s, s:s}", "ok", 0, "error", "unreachable", "message", why.text);
    } else if (err < 0) {
        fprintf(stderr, "pamctl: %s\n", why.text);
        return EXIT_FAILURE;
    }
    int status = show_reply(command, options, reply);
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
