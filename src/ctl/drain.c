#include "ctl/drain.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/ask.h"

/* Those that would end a waiting program; a shell's background job ignores SIGINT. */
static void ending_signals(sigset_t *set)
{
    static const int SIGNALS[] = {SIGINT, SIGTERM};
    sigemptyset(set);
    for (unsigned i = 0; i < sizeof SIGNALS / sizeof *SIGNALS; i++) {
        struct sigaction action;
        if (sigaction(SIGNALS[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN) {
            sigaddset(set, SIGNALS[i]);
        }
    }
}

void drain_hold_signals(void)
{
    /* Held back from the start: a Ctrl-C between two requests must not go unanswered. */
    sigset_t set;
    ending_signals(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

void drain_end_by(int signal)
{
    /* By the signal itself and not by a status: a shell script stops at Ctrl-C only then. */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    raise(signal);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* True if the answer is there; false if time is up, or with *ret_signal a signal came. */
static bool wait_for_answer(int fd, int timeout_s, int *ret_signal)
{
    /* The same set that drain_hold_signals() blocked: signalfd(2) only sees blocked ones. */
    sigset_t set;
    ending_signals(&set);
    struct signalfd_siginfo info = {0};
    /* signalfd(2) rather than handlers: nothing can slip in between the test and the wait. */
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
                           {.fd = signalfd(-1, &set, SFD_CLOEXEC), .events = POLLIN}};
    int found = 0;
    /* poll(2) is called again after a stop (Ctrl-Z), and must not start from the beginning. */
    uint64_t end_ms = clock_ms() + (uint64_t)(timeout_s < 0 ? 0 : timeout_s) * 1000, now_ms;
    do {
        now_ms = clock_ms();
        found = poll(fds, 2, timeout_s < 0 ? -1 : now_ms < end_ms ? (int)(end_ms - now_ms) : 0);
    } while (found < 0 && errno == EINTR); /* stopped, and continued */
    if (found > 0 && fds[1].revents && read(fds[1].fd, &info, sizeof info) == sizeof info) {
        *ret_signal = (int)info.ssi_signo;
    }
    close(fds[1].fd);
    return found > 0 && *ret_signal == 0;
}

/* What vps-agent goes on doing, although nobody waits for it any more. */
static json_t *give_up(const char *socket_path, int timeout_s, int signal)
{
    char why[64] = "interrupted", text[320];
    /* The server keeps draining; whoever gives up has to know that, and how to end it. */
    json_t *request = json_pack("{s:s}", "command", "sessions");
    json_t *reply = ask_anyhow(socket_path, request);
    json_t *left = json_object_get(reply, "sessions");
    json_decref(request);
    if (!json_is_array(left)) {
        return reply;
    }
    if (!signal) {
        snprintf(why, sizeof why, "waited for %d s", timeout_s);
    }
    size_t count = json_array_size(left);
    /* The failure lists what is left, so that a script can decide whether to restart anyway. */
    snprintf(text, sizeof text,
             "%s: %zu session%s open, and vps-agent still opens no new ones; "
             "`pamctl drain --off` lets it open them again",
             why, count, count == 1 ? " is" : "s are");
    json_t *failure = ask_failure(signal ? "interrupted" : "timeout", text);
    json_object_set_new(failure, "draining", json_true());
    json_object_set_new(failure, "sessions", json_integer((json_int_t)count));
    json_object_set(failure, "left", left);
    json_decref(reply);
    return failure;
}

json_t *drain_wait(const char *socket_path, int timeout_s, int *ret_signal)
{
    struct why why;
    json_t *reply = NULL, *request = json_pack("{s:s, s:b}", "command", "drain", "wait", 1);
    int fd = ask_send(socket_path, request, &why);
    json_decref(request);
    if (fd >= 0 && !wait_for_answer(fd, timeout_s, ret_signal)) {
        close(fd);
        return give_up(socket_path, timeout_s, *ret_signal);
    }
    if (fd < 0 || ask_receive(fd, &reply, &why) < 0) {
        return ask_failure("unreachable", why.text);
    }
    return reply;
}
