/* kind: what a session is for. What is true of one kind and not of another is in kinds.def. */
#ifndef PAMTUNNEL_SHARED_KIND_H
#define PAMTUNNEL_SHARED_KIND_H

#include <stdbool.h>
#include <stdint.h>

/* Counts them. Of two rows with the same number this does not compile. */
struct kind_numbers {
#define KIND(NAME, number, ...) char is_##number;
#include "shared/kinds.def"
#undef KIND
};

enum kind {
#define KIND(NAME, number, ...) KIND_##NAME = (number),
#include "shared/kinds.def"
#undef KIND
    KIND_COUNT = sizeof(struct kind_numbers)
};

/* What its user gets. */
enum kind_gives { KIND_GIVES_line, KIND_GIVES_file };

/* What to do with a session's address, besides pasting it as it is. */
struct kind_hint {
    const char *what; /* "In a browser:", for people; NULL: no more of them */
    /*
     * {host} is the server's name or address, {port} its public port, {at} both: [fd00::1]:443.
     * {user} is the user's name with an @ behind it, or nothing.
     */
    const char *line;
    uint16_t port; /* of a target, and of no other; 0: of those that have none of their own */
};
enum { KIND_HINTS_MAX = 8 };

struct kind_row {
    enum kind kind;
    const char *name; /* "ssh" */
    enum kind_gives gives;
    uint16_t port; /* of a target, unless its user says another one; 0: it has to be said */

    const char *label;         /* for titles: "SSH" */
    const char *service;       /* what a target has to run, in a sentence: "an SSH server" */
    const char *client;        /* who waits to be let in, within a sentence: "ssh" */
    const char *shows;         /* by what it can be told from others; NULL: by nothing */
    uint16_t most_connections; /* of a session at once, unless MAX_CONNECTIONS says so */
    /*
     * Its file holds a secret, which the client sends back in its first packet. Who comes
     * without it is asked about, even at a known address.
     */
    bool has_secret;
    /* With as many connections as may be, the oldest makes room; or else the newcomer goes. */
    bool newest_wins;
    /* A client may wait for the server's first word. */
    bool may_be_silent;
    /*
     * Its server may speak first, so that a client which says nothing is as good as any: it is
     * judged, and asked about, by its address alone.
     */
    bool server_may_begin;
    /* A smaller "port" is the number of a display, which counts from the usual port. */
    uint16_t displays;
    /* A client's words are a user name, or none; otherwise what it calls itself. */
    bool words_are_user;
    /* There are session_scp_command() and session_ssh_config() besides. */
    bool has_more_lines;
    struct kind_hint hints[KIND_HINTS_MAX + 1];
    const char *uri;     /* opens a client: a line as in its hints; NULL: none does */
    const char *warning; /* what its user should know before using it; NULL: nothing */
};

/* The row of a kind; it is constant. */
const struct kind_row *kind_row(enum kind kind);
const char *kind_name(enum kind kind);
/* Whether a hint of this row is for a target with this port. */
bool kind_hint_serves(const struct kind_row *row, const struct kind_hint *hint, uint16_t port);
/* By its name, in lower case; NULL if there is none. */
const struct kind_row *kind_find(const char *name);

#endif
