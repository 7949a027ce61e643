/*
 * Each line is written out at once: a check that follows may take seconds, and the person is to see
 * what it waits for. Look-ups run on a loop of their own until they are over.
 */
#include "shared/checkup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/text.h"
#include "shared/multipath.h"

enum { RESOLVE_MS = 8000, LINE_SIZE = 1024, YEAR_2025 = 1735689600 };

void checkup_say(struct checkup *checkup, enum checkup_mark mark, const char *what,
                 const char *format, ...)
{
    static const char *const MARKS[] = {"ok", "!!", "--"};
    char line[LINE_SIZE];
    struct text text = text_over(line, sizeof line);
    va_list args;
    va_start(args, format);
    text_add_v(&text, format, args);
    va_end(args);
    /* Answers of name servers and of the other side are in here. */
    text_make_visible(line);
    printf("%s  %s: %s\n", MARKS[mark], what, line);
    fflush(stdout);
    checkup->bad += mark == CHECKUP_BAD;
}

/* Nobody else may read it. path may be NULL. A pipe or a device (docker's, /dev/stdin) may. */
static void check_secret_file(struct checkup *checkup, const char *path)
{
    struct stat file;
    if (!path) {
        return;
    }
    if (stat(path, &file) < 0) {
        checkup_say(checkup, CHECKUP_BAD, "permissions", "%s: %s", path, strerror(errno));
    } else if (S_ISREG(file.st_mode) && file.st_mode & 07) {
        checkup_say(checkup, CHECKUP_BAD, "permissions",
                    "everybody on this machine can read the secrets in %s (mode %04o): chmod "
                    "o-rwx %s",
                    path, (unsigned)file.st_mode & 07777, path);
    } else {
        checkup_say(checkup, CHECKUP_OK, "permissions", "%s is closed to others (mode %04o)", path,
                    (unsigned)file.st_mode & 07777);
    }
}

static void check_secret_files(struct checkup *checkup, const struct vocabulary *vocabulary,
                               const char *env_file)
{
    struct settings_source *source;
    const struct setting *row;
    check_secret_file(checkup, env_file);
    if (settings_open(env_file, &source, NULL) < 0) {
        return;
    }
    for (size_t i = 0; (row = settings_row(vocabulary->tables, i, NULL)); i++) {
        if (row->secret) {
            check_secret_file(checkup, settings_file_of(source, row->name));
        }
    }
    settings_close(source);
}

void checkup_settings(struct checkup *checkup, const struct vocabulary *vocabulary,
                      const char *env_file)
{
    struct why why;
    checkup_say(checkup, CHECKUP_OK, "settings", "complete, from %s",
                env_file ? env_file : "the environment");
    if (vocabulary_doubts(vocabulary, env_file, &why)) {
        checkup_say(checkup, CHECKUP_BAD, "settings", "%s", why.text);
    }
    check_secret_files(checkup, vocabulary, env_file);
}

void checkup_descriptors(struct checkup *checkup, unsigned long needed)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        checkup_say(checkup, CHECKUP_SKIPPED, "limits", "%s", strerror(errno));
    } else if (limit.rlim_max < needed) { /* the agent raises its own limit up to there */
        checkup_say(
            checkup, CHECKUP_BAD, "limits",
            "%lu open files are allowed, but %lu may be needed: raise the limit (ulimit -Hn "
            "%lu, or LimitNOFILE=%lu in the service)",
            (unsigned long)limit.rlim_max, needed, needed, needed);
    } else {
        checkup_say(checkup, CHECKUP_OK, "limits", "%lu open files are allowed, and %lu are enough",
                    (unsigned long)limit.rlim_max, needed);
    }
}

/* With a number 1 there are no other processes to be seen, and no service manager. */
void checkup_no_agent(struct checkup *checkup, const char *program, const char *start)
{
    if (getpid() == 1) {
        checkup_say(checkup, CHECKUP_SKIPPED, program,
                    "cannot tell from another container whether it is running: ask in its own "
                    "(docker compose exec %s /%s --doctor)",
                    program, program);
        return;
    }
    checkup_say(checkup, CHECKUP_BAD, program, "not running with these settings; start it: %s",
                start);
}

void checkup_clock(struct checkup *checkup)
{
    time_t now = (time_t)clock_unix();
    struct tm utc;
    char text[32];
    gmtime_r(&now, &utc);
    strftime(text, sizeof text, "%F %T", &utc);
    /*
     * Only a date that cannot be, as of a machine without a battery behind its clock: what the time
     * really is, nobody here knows.
     */
    if (now < YEAR_2025) {
        checkup_say(checkup, CHECKUP_BAD, "clock",
                    "it says %s UTC: turn on time synchronisation (timedatectl set-ntp true)",
                    text);
    } else {
        checkup_say(checkup, CHECKUP_OK, "clock", "it says %s UTC", text);
    }
}

/* ---- congestion control ---------------------------------------------------- */

static const char CONGESTION[] = "congestion control";

/*
 * What it is worth was measured over lines with delay and loss: from 5 ms there and back bbr wins
 * or costs nothing; nearer, it costs half of the throughput and three times the processor time. So
 * this is advice, and no fault.
 */
static void advise_bbr(struct checkup *checkup, const struct congestion_system *system,
                       const char *ways, const char *folder)
{
    char command[400];
    struct text text = text_over(command, sizeof command);
    congestion_add_cure(&text, "bbr", system, folder);
    checkup_say(
        checkup, CHECKUP_SKIPPED, CONGESTION,
        "%s, the system's default; bbr carries many times more over lines that lose packets, and "
        "is used on long %s once this system allows it: %s; then reload this agent",
        system->usual, ways, command);
}

static void say_congestion(struct checkup *checkup, const struct congestion *congestion,
                           const struct congestion_system *system, const char *ways)
{
    if (congestion->from_us > 0) {
        checkup_say(checkup, CHECKUP_OK, CONGESTION,
                    "%s on %s with a round trip of %u ms or more; otherwise %s", congestion->name,
                    ways, (unsigned)congestion->from_us / 1000, system->usual);
    } else if (congestion->name[0]) {
        checkup_say(checkup, CHECKUP_OK, CONGESTION, "%s on %s; otherwise %s", congestion->name,
                    ways, system->usual);
    } else {
        checkup_say(checkup, CHECKUP_OK, CONGESTION, "%s, the system's default", system->usual);
    }
}

static void say_doubt(struct checkup *checkup, const struct congestion_system *system,
                      const char *setting, const struct why *why, const char *folder)
{
    char command[400];
    struct text text = text_over(command, sizeof command);
    congestion_add_cure(&text, setting, system, folder);
    checkup_say(checkup, CHECKUP_BAD, CONGESTION,
                "CONGESTION_CONTROL is \"%s\", but %s: %s; then reload this agent, or set auto",
                setting, why->text, command);
}

void checkup_congestion(struct checkup *checkup, const struct congestion_system *system,
                        const char *setting, const char *ways, const char *folder)
{
    bool automatic = strcmp(setting, "auto") == 0;
    struct congestion congestion;
    struct why why;
    if (!system->usual[0] || !system->allowed[0]) {
        checkup_say(checkup, CHECKUP_SKIPPED, CONGESTION, "%s does not say what this system allows",
                    CONGESTION_FOLDER);
    } else if (congestion_doubt(setting, system, &why) < 0) {
        say_doubt(checkup, system, setting, &why, folder);
    } else if (automatic && !congestion_is_in(system->allowed, "bbr")) {
        advise_bbr(checkup, system, ways, folder);
    } else {
        congestion_choose(setting, system, &congestion, &why);
        say_congestion(checkup, &congestion, system, ways);
    }
}

/* ---- several paths -------------------------------------------------------- */

void checkup_multipath(struct checkup *checkup, bool is_on)
{
    struct why why;
    if (is_on && multipath_check(&why) < 0) {
        checkup_say(checkup, CHECKUP_BAD, "MULTIPATH", "%s", why.text);
    } else if (is_on) {
        checkup_say(checkup, CHECKUP_OK, "MULTIPATH",
                    "this system has MPTCP; ip mptcp endpoint lists the lines that it may use "
                    "besides the usual one");
    }
}

/* ---- names ---------------------------------------------------------------- */

struct look_up {
    struct resolve *resolve;
    struct addr *addrs;
    unsigned count;
    int err;
};

static void on_resolved(void *arg, int err, const struct addr *addrs, unsigned count)
{
    struct look_up *look_up = arg;
    look_up->resolve = NULL;
    look_up->err = err;
    look_up->count = err < 0 ? 0 : count;
    for (unsigned i = 0; i < look_up->count; i++) {
        look_up->addrs[i] = addrs[i];
    }
}

static int look_name_up(const char *host, struct addr *ret_addrs, unsigned *ret_count)
{
    /* A loop of its own: --doctor does one thing after the other, and has none. */
    uv_loop_t loop;
    struct look_up look_up = {.addrs = ret_addrs, .err = -ENOMEM};
    if (uv_loop_init(&loop) < 0) {
        return -ENOMEM;
    }
    struct resolver *resolver = resolver_new(&loop, 1);
    look_up.resolve = resolver ? resolve_start(resolver, host, 0, RESOLVE_MS, on_resolved, &look_up)
                               : NULL;
    while (look_up.resolve) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    resolver_free(resolver);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    *ret_count = look_up.count;
    return look_up.err;
}

/*
 * All of them: a name with one address too many fails now and then, depending on which a client
 * tries.
 */
static void say_addresses(struct checkup *checkup, const char *what, const char *host,
                          const struct addr *addrs, unsigned count)
{
    char list[512], one[ADDR_HOST_MAX];
    struct text text = text_over(list, sizeof list);
    for (unsigned i = 0; i < count; i++) {
        text_add(&text, "%s%s", i ? ", " : "", addr_host_text(&addrs[i], one));
    }
    if (count == 1 && strcmp(list, host) == 0) {
        checkup_say(checkup, CHECKUP_OK, what, "%s is an address", host);
    } else {
        checkup_say(checkup, CHECKUP_OK, what, "%s is %s", host, list);
    }
}

unsigned checkup_name(struct checkup *checkup, const char *what, const char *host,
                      struct addr ret_addrs[RESOLVE_MAX])
{
    unsigned count = 0;
    int err = look_name_up(host, ret_addrs, &count);
    if (err == 0) {
        say_addresses(checkup, what, host, ret_addrs, count);
    } else if (err == -ENOENT) {
        checkup_say(
            checkup, CHECKUP_BAD, what,
            "the name %s does not exist: is it spelled right, and does it have an address record?",
            host);
    } else {
        checkup_say(checkup, CHECKUP_BAD, what,
                    "cannot look up %s: %s; check /etc/resolv.conf, and that DNS queries get out",
                    host, err == -EAGAIN ? "no name server answers" : strerror(-err));
    }
    return count;
}
