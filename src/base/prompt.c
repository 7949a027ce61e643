#include "base/prompt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/text.h"

bool prompt_is_possible(void)
{
    return isatty(STDIN_FILENO) == 1;
}

/*
 * Byte by byte: nothing stays in a buffer of stdio, and what follows is left for others. A line
 * that is too long is taken to its end: what is left of it would go to the shell, and it may be
 * a secret.
 */
static int read_line(char *dst, size_t cap)
{
    size_t len = 0;
    bool too_long = false;
    for (;;) {
        char c;
        ssize_t got = read(STDIN_FILENO, &c, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 || (got == 0 && len == 0)) {
            return -ENODATA;
        }
        if (got == 0 || c == '\n') {
            break;
        }
        if (len + 1 >= cap) {
            too_long = true;
        } else {
            dst[len++] = c;
        }
    }
    dst[len] = '\0';
    if (too_long) {
        crypto_wipe(dst, len);
        return -EMSGSIZE;
    }
    char *trimmed = text_trim(dst);
    memmove(dst, trimmed, strlen(trimmed) + 1);
    return 0;
}

void prompt_forget(void)
{
    tcflush(STDIN_FILENO, TCIFLUSH);
}

int prompt_line(const char *question, const char *proposal, char *dst, size_t cap)
{
    bool proposed = proposal && proposal[0];
    fprintf(stderr, proposed ? "%s [%s]: " : "%s: ", question, proposal);
    fflush(stderr);
    int err = read_line(dst, cap);
    if (err == 0 && dst[0] == '\0' && proposed) {
        snprintf(dst, cap, "%s", proposal);
    }
    return err;
}

/* What is neither yes nor no was meant for something else. */
bool prompt_yes(const char *question)
{
    static const char *const WORDS[] = {"y", "yes", "", "n", "no"};
    enum { YES = 2, ALL = sizeof WORDS / sizeof *WORDS };
    unsigned which = ALL;
    while (which == ALL) {
        char answer[16] = "";
        fprintf(stderr, "%s [y/N]: ", question);
        fflush(stderr);
        int err = read_line(answer, sizeof answer);
        if (err == -ENODATA) {
            return false;
        }
        for (which = err < 0 ? ALL : 0; which < ALL && strcasecmp(answer, WORDS[which]) != 0;) {
            which++;
        }
        crypto_wipe(answer, sizeof answer);
    }
    return which < YES;
}

/* ---- secrets -------------------------------------------------------------- */

/*
 * Waits for a line, or for a signal that ends the program: those are held back until the
 * terminal shows again what is typed.
 */
static int wait_for_line(const sigset_t *signals)
{
    int fd = signalfd(-1, signals, SFD_CLOEXEC);
    struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    int ready;
    do {
        ready = poll(fds, fd < 0 ? 1 : 2, -1);
    } while (ready < 0 && errno == EINTR);
    if (fd >= 0) {
        close(fd);
    }
    return fds[0].revents && !fds[1].revents ? 0 : -ENODATA;
}

/* What was pasted is there at once; a person takes longer. */
static bool more_is_at_hand(bool terminal)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return !terminal || poll(&input, 1, 0) > 0;
}

static int read_secret(const sigset_t *signals, bool (*goes_on)(const char *text), bool terminal,
                       char *dst, size_t cap)
{
    size_t len = 0;
    for (;;) {
        int err = wait_for_line(signals);
        err = err < 0 ? err : read_line(dst + len, cap - len);
        bool is_end = err == -ENODATA && len > 0;
        if (is_end) {
            dst[len] = '\0';
        }
        if (err < 0 || !goes_on) {
            return is_end ? 0 : err;
        }
        bool at_hand = more_is_at_hand(terminal), is_empty = dst[len] == '\0';
        if (is_empty ? !at_hand : !goes_on(dst)) {
            return 0;
        }
        if (!at_hand) {
            fputs("\nand the rest of it, or Enter: ", stderr);
        }
        len += strlen(dst + len);
        if (len + 2 >= cap) {
            return -EMSGSIZE;
        }
        dst[len++] = '\n';
        dst[len] = '\0';
    }
}

int prompt_secret(const char *question, char *dst, size_t cap)
{
    return prompt_secret_lines(question, NULL, dst, cap);
}

int prompt_secret_lines(const char *question, bool (*goes_on)(const char *text), char *dst,
                        size_t cap)
{
    /* A program that ends here with echo off would leave a terminal that shows nothing. */
    sigset_t signals, before;
    struct termios shown, hidden;
    bool terminal = tcgetattr(STDIN_FILENO, &shown) == 0;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGQUIT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, &before);
    if (terminal) {
        hidden = shown;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        /* FLUSH: what was typed ahead was shown, and is no answer to this question. */
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    }
    fprintf(stderr, "%s: ", question);
    fflush(stderr);
    int err = read_secret(&signals, goes_on, terminal, dst, cap);
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSANOW, &shown);
        fputc('\n', stderr);
    }
    sigprocmask(SIG_SETMASK, &before, NULL); /* from here on they arrive */
    if (err < 0) {
        crypto_wipe(dst, cap);
    }
    return err;
}
