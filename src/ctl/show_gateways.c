#include "ctl/show_gateways.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "ctl/field.h"
#include "shared/invite_paper.h"

enum { SPAN_MAX = 64 };

/* ---- list -------------------------------------------------------------------------- */

/* "online from 203.0.113.7 for 3 h" */
static void add_presence(struct text *text, const json_t *gateway)
{
    const char *state = field_text(gateway, "state"), *address = field_text(gateway, "address");
    if (strcmp(state, "online") == 0) {
        text_add(text, "online from %s for ", address);
        text_add_seconds(text, (uint64_t)field_number(gateway, "age"));
    } else if (strcmp(state, "away") == 0) {
        text_add(text, "away for ");
        text_add_seconds(text, (uint64_t)field_number(gateway, "seconds"));
        if (address[0]) {
            text_add(text, " (was at %s)", address);
        }
    } else if (field_is(gateway, "idle")) {
        text_add(text, "not used: the key in TUNNEL_KEY is");
    } else if (!field_text(gateway, "name")[0]) {
        text_add(text, "for gateways that have no key of their own");
    } else {
        text_add(text, "has not joined yet");
    }
}

/* "key added 2026-11-26 18:04 UTC" */
static void add_key(struct text *text, const json_t *gateway)
{
    const char *key = field_text(gateway, "key");
    char when[CLOCK_TEXT_MAX];
    if (strcmp(key, "settings") == 0) {
        text_add(text, "key in TUNNEL_KEY");
    } else if (strcmp(key, "shared") == 0) {
        text_add(text, "the key without a name");
    } else {
        text_add(text, "key %s %s", key, clock_text(field_number(gateway, "since"), when));
    }
}

/* What a person has to do, or may wait for: a line of its own. */
static void show_waiting(const json_t *gateway, const char *name)
{
    const json_t *next = json_object_get(gateway, "next");
    const json_t *waits = next ? next : gateway;
    int64_t until = field_number(waits, "until");
    bool is_kept = strcmp(field_text(gateway, "key"), "settings") != 0;
    char when[CLOCK_TEXT_MAX];
    if (field_is(waits, "expired")) {
        printf("    its%s join string expired at %s; make a new one: %s %s%s\n", next ? " new" : "",
               clock_text(until, when), is_kept ? "pamctl gateway rotate" : "vps-agent --invite",
               name, is_kept ? "" : " --new-key");
    } else if (until) {
        printf("    its%s join string is good until %s\n", next ? " new" : "",
               clock_text(until, when));
    } else if (next) {
        puts("    its new join string waits to be used");
    }
}

static int widest_name(const json_t *gateways)
{
    size_t index;
    const json_t *gateway;
    int width = 0;
    json_array_foreach(gateways, index, gateway)
    {
        int len = (int)strlen(field_text(gateway, "name"));
        width = len > width ? len : width;
    }
    return width;
}

static void show_one(const json_t *gateway, int width)
{
    char buffer[400];
    struct text text = text_over(buffer, sizeof buffer);
    const char *name = field_text(gateway, "name");
    add_presence(&text, gateway);
    text_add(&text, "; ");
    add_key(&text, gateway);
    printf("%-*s  %s\n", width, name[0] ? name : "-", buffer);
    show_waiting(gateway, name);
}

void show_gateway_list(const json_t *reply)
{
    const json_t *gateway, *gateways = json_object_get(reply, "gateways");
    size_t index;
    bool of_settings = false;
    int width = widest_name(gateways);
    json_array_foreach(gateways, index, gateway)
    {
        show_one(gateway, width);
        of_settings = of_settings || strcmp(field_text(gateway, "key"), "settings") == 0;
    }
    if (json_array_size(gateways) == 0) {
        puts("No gateway can log in yet: pamctl gateway pair hears one that asks to be paired, "
             "pamctl "
             "gateway add NAME prints a join string for one.");
    } else if (of_settings) {
        puts("Keys in TUNNEL_KEY are changed in the env file: vps-agent --invite NAME --new-key.");
    }
}

/* ---- add, rotate, remove ------------------------------------------------------------ */

static void show_invite(const json_t *reply)
{
    invite_print(field_text(reply, "gateway"), field_number(reply, "until"),
                 field_text(reply, "join"));
}

void show_gateway_added(const json_t *reply)
{
    show_invite(reply);
    if (field_is(reply, "shared")) {
        fprintf(stderr,
                "\nOnce %s has joined, it cannot log in with the key that has no name any more.\n",
                field_text(reply, "gateway"));
    }
}

void show_gateway_rotated(const json_t *reply)
{
    show_invite(reply);
    if (field_is(reply, "replaces")) {
        fprintf(stderr,
                "\n%s goes on with the key that it has until it has joined with this string; then "
                "that key is good for nothing any more.\n",
                field_text(reply, "gateway"));
    }
}

void show_gateway_removed(const json_t *reply)
{
    int64_t sessions = field_number(reply, "sessions");
    const char *name = field_text(reply, "gateway");
    if (field_is(reply, "still")) {
        printf("The key of %s is gone. It can still log in with a key in TUNNEL_KEY.\n", name);
        return;
    }
    printf("Gateway %s is removed: its key is gone", name);
    if (sessions > 0) {
        printf(", and so %s %d session%s", sessions == 1 ? "is" : "are", (int)sessions,
               sessions == 1 ? "" : "s");
    }
    puts(".");
}

/* ---- discover ------------------------------------------------------------------------ */

static const char *spoken(const char *found_by)
{
    return strcmp(found_by, "mdns") == 0      ? "mDNS"
           : strcmp(found_by, "netbios") == 0 ? "NetBIOS"
                                              : found_by;
}

void show_discovered(const json_t *reply)
{
    const json_t *machine, *machines = json_object_get(reply, "machines");
    size_t index;
    int width = widest_name(machines);
    json_array_foreach(machines, index, machine)
    {
        printf("%-*s  %-15s  %s\n", width, field_text(machine, "name"),
               field_text(machine, "address"), spoken(field_text(machine, "found_by")));
    }
    if (json_array_size(machines) == 0) {
        printf("No machine in the network of gateway %s says its name. You may reach them all the "
               "same, by their addresses.\n",
               field_text(reply, "gateway"));
    }
}
