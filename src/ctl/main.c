/*
 * pamctl: the commands of the bot for administrators and scripts, over the admin
 * socket of vps-agent.
 *
 *     commands    the table of them              invocation  what somebody typed
 *     ask         one question over the socket   show        answers for people
 *     save        the .rdp file                  drain       waiting for the last session
 *     enrol       a second factor                qr          QR codes
 *     help        --help                         complete    for shells
 *     backup      a copy of the state file
 *     audit       its records, page by page      record      each of them, in its formats
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/net.h"
#include "base/text.h"
#include "base/wipe.h"
#include "ctl/approval.h"
#include "ctl/ask.h"
#include "ctl/audit.h"
#include "ctl/backup.h"
#include "ctl/complete.h"
#include "ctl/drain.h"
#include "ctl/enrol.h"
#include "ctl/field.h"
#include "ctl/help.h"
#include "ctl/invocation.h"
#include "ctl/report_make.h"
#include "ctl/save.h"
#include "ctl/show.h"
#include "ctl/show_totp.h"
#include "shared/kind.h"

enum { EXIT_USAGE = 2 };

/* One run of the program. */
struct run {
    const struct invocation *invocation;
    char path[256]; /* of the socket */
    int signal;     /* that ended the waiting, or 0 */
};

static bool has(const struct run *run, enum option_bit bit)
{
    return run->invocation->options & bit;
}

static bool is_ok(const json_t *reply)
{
    return field_is(reply, "ok");
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* ---- questions ------------------------------------------------------------ */

static json_t *make_request(const struct invocation *invocation)
{
    const struct command *command = invocation->command;
    json_t *request = json_pack("{s:s}", "command", command->name);
    for (int i = 0; request && i < invocation->count; i++) {
        /* Text that is not UTF-8 cannot be asked for; the agent says what it takes. */
        json_t *value = json_string(invocation->args[i]);
        json_object_set_new(request, command->args[i].key, value ? value : json_string("?"));
    }
    if (request && (invocation->options & OPTION_OFF)) {
        json_object_set_new(request, "off", json_true());
    }
    if (request && (invocation->options & OPTION_ENTRANCE)) {
        json_object_set_new(request, "entrance", json_true());
    }
    if (request && (invocation->options & OPTION_WHY)) {
        json_t *why = json_string(invocation->why);
        json_object_set_new(request, "why", why ? why : json_string("?"));
    }
    if (request && (invocation->options & OPTION_VALID)) {
        json_object_set_new(request, "valid", json_integer(invocation->valid_s));
    }
    return request;
}

/* ---- what comes as a file -------------------------------------------------------- */

/* Nobody has the file, so its session must not wait for a client. */
static json_t *take_back(const char *path, const json_t *reply, const struct why *why)
{
    const char *id = text_of(json_object_get(reply, "session"), "id");
    /* Its outcome does not matter: the session would end by itself after SESSION_TIMEOUT. */
    json_t *request = json_pack("{s:s, s:s}", "command", "close", "session", id ? id : "");
    json_decref(ask_anyhow(path, request));
    json_decref(request);
    return ask_failure("not_written", why->text);
}

/* A file goes where the user wants it, and out of the answer. Takes over the reply. */
static json_t *take_file(const struct run *run, json_t *reply)
{
    const char *content = text_of(reply, run->invocation->command->name);
    struct save_as as = {run->invocation->out, text_of(reply, "file"), has(run, OPTION_FORCE),
                         true};
    struct why why;
    if (!content || !as.name) {
        return reply;
    }
    if (save(&as, content, &why) < 0) {
        json_t *instead = take_back(run->path, reply, &why);
        json_decref(reply);
        return instead;
    }
    /* The secret is in the file now; scripts that log the answer should not log it. */
    json_object_set_new(reply, "file", json_string(save_path(&as)));
    json_object_del(reply, run->invocation->command->name);
    return reply;
}

/* What the file will be called is vps-agent's to say. Takes over the request. */
static json_t *ask_for_name(const struct run *run, json_t *request)
{
    /* "look": vps-agent says what it would call the file, and opens nothing. */
    json_object_set_new(request, "look", json_true());
    json_t *reply = ask_anyhow(run->path, request);
    json_object_del(request, "look");
    return reply;
}

/* First whether the file can be written: only then is it worth a session. */
static json_t *open_with_file(const struct run *run, json_t *request)
{
    /* Without --out the name is vps-agent's to choose, so it is asked first. */
    struct save_as as = {run->invocation->out, NULL, has(run, OPTION_FORCE), true};
    struct why why;
    json_t *look = as.out ? NULL : ask_for_name(run, request);
    as.name = text_of(look, "file");
    if (look && (!is_ok(look) || !as.name || text_of(look, run->invocation->command->name))) {
        return take_file(run, look); /* refused; or opened, by an older vps-agent */
    }
    json_t *reply = save_check(&as, &why) < 0 ? ask_failure("not_written", why.text)
                                              : take_file(run, approval_ask(run->path, request));
    json_decref(look);
    return reply;
}

/* ---- answers -------------------------------------------------------------- */

static void print_json(const json_t *reply)
{
    json_dumpf(reply, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15));
    putchar('\n');
}

static void show_reply(const struct run *run, const json_t *reply)
{
    bool ok = is_ok(reply);
    const char *file = text_of(reply, "file"), *message = text_of(reply, "message");
    bool file_on_stdout = ok && file && strcmp(file, "-") == 0;
    if (ok && run->invocation->command->show == show_nothing) {
        return;
    }
    if (has(run, OPTION_JSON) && !file_on_stdout) {
        print_json(reply);
    } else if (!ok) {
        fprintf(stderr, "pamctl: %s\n", message ? message : "vps-agent's answer makes no sense");
        show_left(reply);
    } else if (!file_on_stdout) {
        run->invocation->command->show(reply);
    }
    fflush(stdout);
}

/* Says what there is to wait for, and then waits for it. Takes over the reply. */
static json_t *wait_for_the_rest(struct run *run, json_t *reply)
{
    if (!is_ok(reply) || json_integer_value(json_object_get(reply, "sessions")) == 0) {
        return reply;
    }
    if (!has(run, OPTION_JSON)) {
        show_drain(reply);
    }
    json_decref(reply);
    return drain_wait(run->path, has(run, OPTION_TIMEOUT) ? run->invocation->timeout_s : -1,
                      &run->signal);
}

static json_t *ask_to_drain(struct run *run, json_t *request)
{
    if (!has(run, OPTION_WAIT)) {
        return ask_anyhow(run->path, request);
    }
    drain_hold_signals();
    return wait_for_the_rest(run, ask_anyhow(run->path, request));
}

static int status_of(const struct run *run, const json_t *reply)
{
    const char *error = text_of(reply, "error");
    if (!is_ok(reply)) {
        /* What was typed can never be right, and only vps-agent knows in how far. */
        return error && strcmp(error, "invalid") == 0 ? EXIT_USAGE : EXIT_FAILURE;
    }
    const char *verdict = text_of(reply, "verdict");
    if (verdict && strcmp(verdict, "whole") != 0) {
        return EXIT_FAILURE;
    }
    bool called_off = has(run, OPTION_WAIT) && !json_is_true(json_object_get(reply, "draining"));
    return called_off ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- all of it ------------------------------------------------------------ */

/* ---- ways to an answer ------------------------------------------------------ */

static json_t *ask_plainly(struct run *run, json_t *request)
{
    return ask_anyhow(run->path, request);
}

static json_t *ask_for_session(struct run *run, json_t *request)
{
    return run->invocation->command->options & OPTION_OUT ? open_with_file(run, request)
                                                          : approval_ask(run->path, request);
}

static json_t *ask_to_wake(struct run *run, json_t *request)
{
    return approval_ask(run->path, request);
}

static json_t *ask_to_enrol(struct run *run, json_t *request)
{
    return enrol(run->path, request, has(run, OPTION_JSON) ? print_json : show_totp_secret);
}

static json_t *ask_for_report(struct run *run, json_t *request)
{
    (void)request;
    return report_make(run->invocation, run->path);
}

static json_t *ask_for_audit(struct run *run, json_t *request)
{
    (void)request;
    return audit_print(run->invocation, run->path);
}

static json_t *ask_for_backup(struct run *run, json_t *request)
{
    (void)request;
    return backup(run->invocation, run->path);
}

/* All that take more than one question, or another one; a new reference to the last answer. */
typedef json_t *(*way_fn)(struct run *run, json_t *request);

static way_fn way_of(const char *name)
{
    static const struct {
        const char *name;
        way_fn way;
    } WAYS[] = {
        {"report", ask_for_report}, {"totp", ask_to_enrol},     {"drain", ask_to_drain},
        {"audit", ask_for_audit},   {"backup", ask_for_backup}, {"wake", ask_to_wake},
    };
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
        if (strcmp(WAYS[i].name, name) == 0) {
            return WAYS[i].way;
        }
    }
    return kind_find(name) ? ask_for_session : ask_plainly;
}

static int run_command(const struct invocation *invocation)
{
    struct run run = {.invocation = invocation};
    ask_path(invocation->socket_path, run.path, sizeof run.path);
    json_t *request = make_request(invocation);
    json_t *reply = way_of(invocation->command->name)(&run, request);
    int status = status_of(&run, reply);
    show_reply(&run, reply);
    json_decref(request);
    json_decref(reply);
    if (run.signal) {
        drain_end_by(run.signal);
    }
    return status;
}

static int usage_error(struct why *why, bool json)
{
    /* It may repeat what was typed, and that may hold anything. */
    text_make_visible(why->text);
    if (json) {
        json_t *failure = ask_failure("usage", why->text);
        print_json(failure);
        json_decref(failure);
    } else {
        fprintf(stderr, "pamctl: %s\n", why->text);
    }
    return EXIT_USAGE;
}

static int print_help(const struct invocation *about)
{
    if (about->command) {
        help_command(about->command);
    } else if (!about->group || !help_group(about->group)) {
        help_all();
    }
    return EXIT_SUCCESS;
}

/* "help gateway add" is the same as "gateway add --help". */
static int help_about(const struct invocation *invocation, struct why *why, bool json)
{
    char name[] = "pamctl", help[] = "--help";
    char *argv[ARGS_MAX + 3] = {name};
    int argc = 1;
    struct invocation about;
    for (int i = 0; i < invocation->count; i++) {
        argv[argc++] = (char *)invocation->args[i];
    }
    argv[argc++] = help;
    return invocation_parse(argc, argv, &about, why) < 0 ? usage_error(why, json)
                                                         : print_help(&about);
}

int main(int argc, char **argv)
{
    struct invocation invocation;
    struct completion completion;
    struct why why;
    net_keep_standard_descriptors();
    json_set_alloc_funcs(malloc, wipe_free); /* keys and codes go through it */
    if (completion_is_asked(argc, argv, &completion)) {
        complete(&completion);
        return EXIT_SUCCESS;
    }
    /* Before parsing, which may fail: then the error has to be JSON as well. */
    bool json = invocation_wants_json(argc, argv);
    if (invocation_parse(argc, argv, &invocation, &why) < 0) {
        return usage_error(&why, json);
    }
    const struct command *command = invocation.command;
    if (invocation.options & OPTION_HELP) {
        return print_help(&invocation);
    }
    if (command && strcmp(command->name, "help") == 0) {
        return help_about(&invocation, &why, json);
    }
    if ((invocation.options & OPTION_VERSION) || strcmp(command->name, "version") == 0) {
        puts("pamctl " PAMTUNNEL_VERSION);
        return EXIT_SUCCESS;
    }
    /* Everything else asks vps-agent. */
    return run_command(&invocation);
}
