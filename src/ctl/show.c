/*
 * Answers of vps-agent as text for people. What scripts may rely on is --json; here only the first
 * line of ssh and rdp is fixed (the command, the name of the file).
 *
 * Fields are read leniently: one that is missing, as from an older vps-agent, reads as
 * "-" or 0, or its line is left out. No state.
 */
#include "ctl/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "-";
}

/* By its name in the policy; or with the gateway if there are several. An older agent says less. */
static const char *target_of(const json_t *session)
{
    return text_of(session, json_is_string(json_object_get(session, "name")) ? "name"
                            : json_object_get(session, "shown")              ? "shown"
                                                                             : "target");
}

/* An older agent does not know what people are called. */
static const char *person_of(const json_t *object)
{
    return text_of(object, json_object_get(object, "person") ? "person" : "owner");
}

static json_int_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* Counted by the agent: the wall clock may have been set since. */
static uint64_t age_of(const json_t *object)
{
    /* An older vps-agent gives a time instead. */
    if (json_object_get(object, "age")) {
        return (uint64_t)number_of(object, "age");
    }
    json_int_t since = number_of(object, "since");
    time_t now = time(NULL);
    return now > since ? (uint64_t)(now - since) : 0;
}

static const char *span(char *buffer, size_t cap, uint64_t seconds)
{
    struct text text = text_over(buffer, cap);
    text_add_seconds(&text, seconds);
    return buffer;
}

static const char *amount(char *buffer, size_t cap, json_int_t bytes)
{
    struct text text = text_over(buffer, cap);
    text_add_bytes(&text, (uint64_t)bytes);
    return buffer;
}

static void show_telegram(const json_t *reply)
{
    char buffer[64];
    json_int_t deaf = number_of(reply, "telegram_deaf");
    printf("telegram:  %s", text_of(reply, "telegram"));
    if (deaf > 0) {
        printf(" for %s", span(buffer, sizeof buffer, (uint64_t)deaf));
    }
    if (json_is_string(json_object_get(reply, "telegram_trouble"))) {
        printf(": %s", text_of(reply, "telegram_trouble"));
    }
    puts("");
}

/* "since 2026-11-26 12:03 UTC, by telegram:42" */
static void show_lock(const json_t *lock)
{
    time_t since = (time_t)number_of(lock, "since");
    char when[32];
    struct tm utc;
    strftime(when, sizeof when, "%Y-%m-%d %H:%M", gmtime_r(&since, &utc));
    if (strcmp(text_of(lock, "by"), "state_file") == 0) {
        printf("locked:    since %s UTC, as the state file could not be read: nothing is opened "
               "(pamctl unlock ends that)\n",
               when);
    } else {
        printf("locked:    since %s UTC, by %s: nothing is opened (pamctl unlock ends that)\n",
               when, text_of(lock, "by"));
    }
}

static void show_away(const json_t *away)
{
    char buffer[64];
    const char *name = text_of(away, "name");
    span(buffer, sizeof buffer, (uint64_t)number_of(away, "seconds"));
    if (json_is_string(json_object_get(away, "address"))) {
        printf("gateway:   %s: away for %s (was at %s)\n", name, buffer, text_of(away, "address"));
    } else {
        printf("gateway:   %s: has not logged in since vps-agent started %s ago\n", name, buffer);
    }
}

/* Nothing of an older vps-agent. */
static void show_audit(const json_t *audit)
{
    const char *trouble = json_string_value(json_object_get(audit, "trouble"));
    if (trouble) {
        printf("audit:     cannot be written: %s%s\n", trouble,
               json_is_true(json_object_get(audit, "refuses"))
                   ? "; no new sessions are opened until it can"
                   : "; sessions are opened all the same (AUDIT_FULL)");
    } else if (text_of(audit, "head")[0] == '#') {
        printf("audit:     %s\n", text_of(audit, "head"));
    }
}

/* Nothing where files are not to be signed, or of an older vps-agent. */
static void show_signing(const json_t *signing)
{
    char when[32];
    struct tm utc;
    const char *doubt = json_string_value(json_object_get(signing, "doubt"));
    if (json_is_string(json_object_get(signing, "trouble"))) {
        printf("rdp files: not signed: %s\n", text_of(signing, "trouble"));
    } else if (json_is_object(signing)) {
        time_t until = (time_t)number_of(signing, "until");
        strftime(when, sizeof when, "%Y-%m-%d %H:%M", gmtime_r(&until, &utc));
        printf("rdp files: signed as %s, until %s UTC%s%s\n", text_of(signing, "publisher"), when,
               doubt ? "; but " : "", doubt ? doubt : "");
    }
}

/* Nothing of an older vps-agent. */
static void show_doubts(json_int_t doubts)
{
    if (doubts > 0) {
        printf("targets:   %" JSON_INTEGER_FORMAT
               " show%s another key than before, and %s not opened: "
               "pamctl key list\n",
               doubts, doubts == 1 ? "s" : "", doubts == 1 ? "is" : "are");
    }
}

void show_status(const json_t *reply)
{
    char buffer[64];
    size_t index;
    json_t *gateway, *gateways = json_object_get(reply, "gateways");
    printf("vps-agent %s, up for %s\n", text_of(reply, "version"),
           span(buffer, sizeof buffer, (uint64_t)number_of(reply, "uptime")));
    show_telegram(reply);
    printf("sessions:  %" JSON_INTEGER_FORMAT ", connections: %" JSON_INTEGER_FORMAT "%s\n",
           number_of(reply, "sessions"), number_of(reply, "connections"),
           json_is_true(json_object_get(reply, "draining"))
               ? ", and no new ones are opened (pamctl drain --off ends that)"
               : "");
    show_audit(json_object_get(reply, "audit"));
    show_signing(json_object_get(reply, "signing"));
    show_doubts(number_of(reply, "doubts"));
    if (json_is_object(json_object_get(reply, "locked"))) {
        show_lock(json_object_get(reply, "locked"));
    }
    json_array_foreach(gateways, index, gateway)
    {
        /* On one machine it is some microseconds, which would print as 0.0. */
        double rtt_ms = json_real_value(json_object_get(gateway, "rtt_ms"));
        printf("gateway:   %s from %s for %s, %s, round trip %s%.1f ms\n", text_of(gateway, "name"),
               text_of(gateway, "address"), span(buffer, sizeof buffer, age_of(gateway)),
               text_of(gateway, "version"), rtt_ms < 0.1 ? "under " : "",
               rtt_ms < 0.1 ? 0.1 : rtt_ms);
    }
    /* One line in any case: an empty list would read like an output that was cut. */
    if (json_array_size(gateways) == 0) {
        const json_t *keys = json_object_get(reply, "keys"); /* not of an older vps-agent */
        puts(keys && json_integer_value(keys) == 0
                 ? "gateway:   none can log in yet: pamctl gateway pending, or gateway add NAME"
                 : "gateway:   none is online");
    }
    json_array_foreach(json_object_get(reply, "away"), index, gateway)
    {
        show_away(gateway);
    }
}

/* "203.0.113.7 wants in (SSH-2.0-PuTTY, for 12 s): pamctl admit k3f9q2wx 203.0.113.7" */
static void show_waiting(const json_t *session, const json_t *client)
{
    char age[64];
    const char *address = text_of(client, "address"), *words = text_of(client, "words");
    /* text_of() gives "-" where there is none. */
    const char *name = text_of(client, "name");
    printf("          %s wants in (%s%s", address, words, words[0] ? ", " : "");
    if (name[0] && name[0] != '-') {
        printf("%s, ", name);
    }
    printf("for %s): pamctl admit %s %s",
           span(age, sizeof age, (uint64_t)number_of(client, "waits")), text_of(session, "id"),
           address);
    /* The number is only needed, and only shown, where the address alone says too little. */
    if (number_of(client, "of_its_address") > 1) {
        printf("#%" JSON_INTEGER_FORMAT, number_of(client, "number"));
    }
    putchar('\n');
}

static void show_parked(const json_t *session)
{
    size_t index;
    json_t *client;
    const json_t *knocking = json_object_get(session, "knocking");
    json_array_foreach(json_object_get(session, "waiting"), index, client)
    {
        show_waiting(session, client);
    }
    if (json_is_object(knocking)) {
        printf("          strangers are knocking: %" JSON_INTEGER_FORMAT
               " unknown clients from %" JSON_INTEGER_FORMAT " networks so far\n",
               number_of(knocking, "clients"), number_of(knocking, "networks"));
    }
}

/* Of the columns, so that several sessions stand in them. */
struct widths {
    int target, state;
};

/* As its user sees it: "from 203.0.113.7  2 connections now, 5 in all  1.4 MB received, ..." */
static void show_client(const json_t *session)
{
    char received[32], sent[32];
    json_int_t now = number_of(session, "connections");
    if (!json_is_string(json_object_get(session, "client"))) {
        return;
    }
    printf("          from %s  %" JSON_INTEGER_FORMAT " connection%s now, %" JSON_INTEGER_FORMAT
           " in all  %s received, %s sent\n",
           text_of(session, "client"), now, now == 1 ? "" : "s",
           number_of(session, "connections_total"),
           amount(received, sizeof received, number_of(session, "bytes_to_client")),
           amount(sent, sizeof sent, number_of(session, "bytes_to_target")));
}

static void show_session(const json_t *session, const struct widths *widths)
{
    char age[64];
    printf("%s  %s %-*s  %-*s  port %" JSON_INTEGER_FORMAT "  for %s", text_of(session, "id"),
           text_of(session, "kind"), widths->target, target_of(session), widths->state,
           text_of(session, "state"), number_of(session, "public_port"),
           span(age, sizeof age, age_of(session)));
    if (json_is_integer(json_object_get(session, "expires_in"))) {
        printf("  %" JSON_INTEGER_FORMAT " s left", number_of(session, "expires_in"));
    }
    printf("  (%s)\n", person_of(session));
    show_client(session);
    if (json_is_string(json_object_get(session, "note"))) {
        printf("          %s\n", text_of(session, "note"));
    }
    show_parked(session);
}

static void widen(int *width, const char *text)
{
    int len = (int)strlen(text);
    *width = len > *width ? len : *width;
}

static void show_each(const json_t *sessions)
{
    size_t index;
    json_t *session;
    /* Twice over the list: columns are as wide as their widest cell, and no wider. */
    struct widths widths = {0};
    json_array_foreach(sessions, index, session)
    {
        widen(&widths.target, target_of(session));
        widen(&widths.state, text_of(session, "state"));
    }
    json_array_foreach(sessions, index, session)
    {
        show_session(session, &widths);
    }
}

void show_report(const json_t *reply)
{
    printf("%s\n", text_of(reply, "file"));
    printf("Open it in a browser: it holds %" JSON_INTEGER_FORMAT
           " records, and nothing outside.\n",
           number_of(reply, "records"));
}

void show_nothing(const json_t *reply)
{
    (void)reply;
}

void show_left(const json_t *reply)
{
    show_each(json_object_get(reply, "left"));
}

void show_sessions(const json_t *reply)
{
    const json_t *sessions = json_object_get(reply, "sessions");
    show_each(sessions);
    if (json_array_size(sessions) == 0) {
        puts("No session is open.");
    }
}

static void show_what_next(const json_t *session)
{
    printf("Session %s to %s, %" JSON_INTEGER_FORMAT
           " s to connect. If the client seems to hang, it "
           "is waiting to be admitted: pamctl sessions shows the command that lets it in.\n",
           text_of(session, "id"), target_of(session), number_of(session, "expires_in"));
    show_parked(session);
}

/* What else the address is for; an older agent says nothing of it. */
static void show_hints(const json_t *reply)
{
    size_t i;
    json_t *hint;
    json_array_foreach(json_object_get(reply, "hints"), i, hint)
    {
        printf("%s %s\n", text_of(hint, "for"), text_of(hint, "line"));
    }
    if (json_is_string(json_object_get(reply, "warning"))) {
        printf("%s\n", text_of(reply, "warning"));
    }
}

/* An older agent has none. how: with words before it. */
static void show_link(const json_t *reply, const char *how)
{
    if (json_is_string(json_object_get(reply, "link"))) {
        printf("%s, and press its button:\n%s\n", how, text_of(reply, "link"));
    }
}

void show_line(const json_t *reply)
{
    puts(text_of(reply, "command"));
    show_hints(reply);
    show_what_next(json_object_get(reply, "session"));
    show_link(reply, "Or open this page on the computer with the client");
}

void show_file(const json_t *reply)
{
    const json_t *session = json_object_get(reply, "session");
    printf("%s\nSession %s to %s, %" JSON_INTEGER_FORMAT " s to open the file. Whoever has it can "
           "use the session: keep it to yourself.\n",
           text_of(reply, "file"), text_of(session, "id"), target_of(session),
           number_of(session, "expires_in"));
    show_link(reply, "Without the file, as on a phone: open this page there");
}

void show_closed(const json_t *reply)
{
    const json_t *session = json_object_get(reply, "session");
    printf("Closed session %s.\n", text_of(session, "id"));
    const char *note = json_string_value(json_object_get(session, "note"));
    if (note) {
        printf("%s.\n", note);
    }
}

void show_extended(const json_t *reply)
{
    char span_text[64];
    const json_t *session = json_object_get(reply, "session");
    json_int_t idle = number_of(session, "idle_ends_in"), time = number_of(session, "time_ends_in");
    printf("Extended session %s.", text_of(session, "id"));
    if (time > 0) {
        printf(" It ends in %s at the latest.", span(span_text, sizeof span_text, (uint64_t)time));
    }
    if (idle > 0) {
        printf(" Without a byte it ends in %s.", span(span_text, sizeof span_text, (uint64_t)idle));
    }
    putchar('\n');
}

void show_decided(const json_t *reply)
{
    const json_t *session = json_object_get(reply, "session");
    printf("Done: session %s is %s.\n", text_of(session, "id"), text_of(session, "state"));
}

static const char *day(char *buffer, size_t cap, json_int_t unix_s)
{
    time_t at = (time_t)unix_s;
    /* UTC, as the log: the server's own time zone is rarely the reader's. */
    struct tm utc;
    strftime(buffer, cap, "%Y-%m-%d %H:%M", gmtime_r(&at, &utc));
    return buffer;
}

void show_known(const json_t *reply)
{
    size_t index;
    json_t *entry, *list = json_object_get(reply, "known");
    if (json_array_size(list) == 0) {
        puts("No address is known: every client is asked about.");
        return;
    }
    printf("%-24s %-20s %-16s  %s\n", "address", "person", "last used, UTC", "until");
    json_array_foreach(list, index, entry)
    {
        char used[32], until[32];
        printf("%-24s %-20s %s  %s\n", text_of(entry, "address"), person_of(entry),
               day(used, sizeof used, number_of(entry, "used")),
               day(until, sizeof until, number_of(entry, "until")));
    }
}

void show_forgotten(const json_t *reply)
{
    printf("Forgotten: %s. Clients from there will be asked about again; open sessions go on.\n",
           text_of(reply, "address"));
}

void show_reloaded(const json_t *reply)
{
    const json_t *changes = json_object_get(reply, "changes"), *change;
    size_t i;
    json_array_foreach(changes, i, change)
    {
        bool waits = json_is_true(json_object_get(change, "needs_restart"));
        printf("%s: %s%s\n", text_of(change, "setting"), text_of(change, "change"),
               waits ? ", needs a restart" : "");
    }
    if (json_array_size(changes) == 0) {
        puts("Nothing has changed.");
    }
}

void show_drain(const json_t *reply)
{
    json_int_t left = number_of(reply, "sessions");
    if (!json_is_true(json_object_get(reply, "draining"))) {
        puts("Sessions are opened again.");
    } else if (left == 0) {
        puts("No session is open, and no new one is opened: it is safe to restart vps-agent and "
             "gateway-agent.");
    } else {
        printf("No new sessions are opened; %" JSON_INTEGER_FORMAT
               " still run%s. A restart would end %s.\n",
               left, left == 1 ? "s" : "", left == 1 ? "it" : "them");
    }
    /* drain --wait prints this and then waits, perhaps for hours, perhaps into a pipe. */
    fflush(stdout);
}

/* Of panic, and of unlock. */
void show_locked(const json_t *reply)
{
    json_int_t ended = number_of(reply, "ended");
    bool changed = json_is_true(json_object_get(reply, "changed"));
    if (!json_is_object(json_object_get(reply, "locked"))) {
        puts(changed ? "Unlocked: sessions can be opened again." : "It was not locked.");
    } else if (changed) {
        printf("Locked: %" JSON_INTEGER_FORMAT
               " session%s ended, every public port is closed, and nothing is opened until you say "
               "pamctl unlock, also after a restart.\n",
               ended, ended == 1 ? " has" : "s have");
    } else {
        puts("It is locked already; pamctl unlock ends that.");
    }
}
