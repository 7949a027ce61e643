/* The rules of a policy file: policy_sections.h. */
#include "vps/policy/policy_sections.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"

enum { LONGEST_MAX_S = 7 * 86400, CONNECTIONS_MAX = 64 };

static int refuse_who(struct reader *reader, const struct node *node)
{
    struct nearest nearest = nearest_to(node->text);
    for (unsigned i = 0; i < reader->policy->user_count; i++) {
        nearest_try(&nearest, reader->policy->users[i].name);
    }
    if (nearest.word) {
        return schema_refuse(reader, node,
                             "\"%.60s\" is no user of this file: did you mean \"%s\"?", node->text,
                             nearest.word);
    }
    return schema_refuse(
        reader, node,
        "\"%.60s\" is no user of this file; who takes names, group:NAME, role:NAME or "
        "\"*\"",
        node->text);
}

static int take_who(struct reader *reader, const struct node *node, void *into)
{
    struct policy_rule *rule = into;
    struct policy_who who = {.form = WHO_NAMED, .name = node->text};
    if (strcmp(node->text, "*") == 0) {
        who.form = WHO_EVERYBODY;
    } else if (strncmp(node->text, "group:", 6) == 0) {
        who.form = WHO_GROUP;
        who.name += 6;
    } else if (strncmp(node->text, "role:", 5) == 0) {
        who.role = schema_role(reader, node, node->text + 5);
        if (!who.role) {
            return -EINVAL;
        }
        who.form = WHO_ROLE;
    } else if (!policy_user_named(reader->policy, node->text)) {
        return refuse_who(reader, node);
    }
    rule->who[rule->who_count++] = who;
    return 0;
}

static int read_who(struct reader *reader, const struct node *node, void *into)
{
    struct policy_rule *rule = into;
    rule->who = calloc(schema_room(node), sizeof *rule->who);
    return rule->who
               ? schema_texts(reader, node, "names, group:NAME, role:NAME or \"*\"", take_who, into)
               : schema_no_memory(reader);
}

/* "192.168.1.0/24" or an address, whose network has all of its bits. */
static bool read_network(const char *text, struct policy_place *place)
{
    char address[64];
    size_t len = strcspn(text, "/");
    char *end = NULL;
    if (len >= sizeof address) {
        return false;
    }
    memcpy(address, text, len);
    address[len] = '\0';
    if (addr_parse(address, 0, &place->network) < 0) {
        return false;
    }
    unsigned long most = place->network.sa.sa_family == AF_INET6 ? 128 : 32;
    unsigned long bits = most;
    if (text[len]) {
        bits = isdigit((unsigned char)text[len + 1]) ? strtoul(text + len + 1, &end, 10) : most + 1;
    }
    place->bits = (unsigned)bits;
    place->form = PLACE_NETWORK;
    return bits <= most && (!end || !*end);
}

static int refuse_place(struct reader *reader, const struct node *node, const char *text)
{
    struct nearest nearest = nearest_to(text);
    for (unsigned i = 0; i < reader->policy->target_count; i++) {
        nearest_try(&nearest, reader->policy->targets[i].name);
    }
    if (nearest.word) {
        return schema_refuse(reader, node,
                             "\"%.60s\" is no target of this file: did you mean \"%s\"?",
                             node->text, nearest.word);
    }
    return schema_refuse(
        reader, node,
        "\"%.60s\" is no target of this file; targets takes names, host:NAME, addresses "
        "like 192.168.1.0/24 or \"*\"",
        node->text);
}

/* GATEWAY/ in front of anything but a named target, which knows its own; a network has one, too. */
static int read_place(struct reader *reader, const struct node *node, struct policy_place *place)
{
    const char *text = node->text, *slash = strchr(text, '/');
    if (slash && (size_t)(slash - text) <= GATEWAY_NAME_MAX && !read_network(text, place)) {
        memcpy(place->gateway, text, (size_t)(slash - text));
        text = slash + 1;
    }
    if (place->gateway[0] && !gateway_name_is_valid(place->gateway)) {
        return refuse_place(reader, node, text);
    }
    if (strcmp(text, "*") == 0) {
        place->form = PLACE_ANY;
    } else if (strncmp(text, "host:", 5) == 0 && host_kind(text + 5) == HOST_NAME) {
        place->form = PLACE_HOST;
        place->host = text + 5;
    } else if (!read_network(text, place)) {
        place->form = PLACE_TARGET;
        place->target = place->gateway[0] ? NULL : policy_target_named(reader->policy, text);
        return place->target ? 0 : refuse_place(reader, node, text);
    }
    return 0;
}

static int take_place(struct reader *reader, const struct node *node, void *into)
{
    struct policy_rule *rule = into;
    struct policy_place place = {0};
    int err = read_place(reader, node, &place);
    if (err == 0) {
        rule->places[rule->place_count++] = place;
    }
    return err;
}

static int read_places(struct reader *reader, const struct node *node, void *into)
{
    struct policy_rule *rule = into;
    rule->places = calloc(schema_room(node), sizeof *rule->places);
    return rule->places ? schema_texts(reader, node, "names, host:NAME, addresses or \"*\"",
                                       take_place, into)
                        : schema_no_memory(reader);
}

static int take_kind(struct reader *reader, const struct node *node, void *into)
{
    struct policy_rule *rule = into;
    unsigned bits = strcmp(node->text, "*") == 0 ? (1U << KIND_COUNT) - 1
                                                 : schema_kind(reader, node, node->text);
    rule->kinds |= bits;
    return bits ? 0 : -EINVAL;
}

static int read_kinds(struct reader *reader, const struct node *node, void *into)
{
    return schema_texts(reader, node, "kinds of sessions, or \"*\"", take_kind, into);
}

static int take_hours(struct reader *reader, const struct node *node, void *into)
{
    struct policy_rule *rule = into;
    struct why why;
    if (hours_parse(node->text, &rule->hours[rule->hours_count], &why) < 0) {
        return schema_refuse(reader, node, "hours is \"%.40s\": %s", node->text, why.text);
    }
    rule->hours_count++;
    return 0;
}

static int read_hours(struct reader *reader, const struct node *node, void *into)
{
    struct policy_rule *rule = into;
    rule->hours = calloc(schema_room(node), sizeof *rule->hours);
    return rule->hours
               ? schema_texts(reader, node, "hours, as in mon-fri 08:00-18:00", take_hours, into)
               : schema_no_memory(reader);
}

/* "4h", "30m", "90s", "2d" */
static int read_longest(struct reader *reader, const struct node *node, void *into)
{
    static const char UNITS[] = "smhd";
    static const long SECONDS[] = {1, 60, 3600, 86400};
    struct policy_rule *rule = into;
    const char *text = node->kind == NODE_TEXT ? node->text : "";
    char *end = NULL;
    unsigned long number = isdigit((unsigned char)*text) && strlen(text) < 10
                               ? strtoul(text, &end, 10)
                               : 0;
    const char *unit = end && *end && !end[1] ? strchr(UNITS, *end) : NULL;
    if (number == 0 || !unit || number > (unsigned long)(LONGEST_MAX_S / SECONDS[unit - UNITS])) {
        return schema_refuse(
            reader, node,
            "longest is \"%.40s\"; it takes a time with its unit, at most 7d: 90s, 30m, "
            "4h, 2d",
            node->kind == NODE_TEXT ? node->text : node_word(node));
    }
    rule->longest_s = (long)number * SECONDS[unit - UNITS];
    return 0;
}

static int read_approvals(struct reader *reader, const struct node *node, void *into)
{
    int64_t number;
    int err = schema_number(reader, node, 0, POLICY_APPROVALS_MAX, &number);
    if (err == 0) {
        ((struct policy_rule *)into)->approvals = (unsigned)number;
    }
    return err;
}

static int read_second_factor(struct reader *reader, const struct node *node, void *into)
{
    static const char *const WORDS[] = {"none", "totp"};
    int err = schema_expect(reader, node, NODE_TEXT, "second_factor", "totp or none");
    int word = err < 0 ? err : schema_word(reader, node, "second factor", WORDS, 2);
    ((struct policy_rule *)into)->second_factor = word == 1;
    return word < 0 ? -EINVAL : 0;
}

static int read_end_of_hours(struct reader *reader, const struct node *node, void *into)
{
    static const char *const WORDS[] = {"keep", "close"};
    int err = schema_expect(reader, node, NODE_TEXT, "at_end_of_hours", "close or keep");
    int word = err < 0 ? err : schema_word(reader, node, "end of hours", WORDS, 2);
    ((struct policy_rule *)into)->ends_with_hours = word == 1;
    return word < 0 ? -EINVAL : 0;
}

static int read_connections(struct reader *reader, const struct node *node, void *into)
{
    int64_t number;
    int err = schema_number(reader, node, 1, CONNECTIONS_MAX, &number);
    if (err == 0) {
        ((struct policy_rule *)into)->connections = (long)number;
    }
    return err;
}

static const struct key RULE_KEYS[] = {
    {"who", read_who, "names, group:NAME, role:NAME or \"*\""},
    {"targets", read_places, "names of targets, addresses or \"*\""},
    {"kinds", read_kinds, "kinds of sessions, or \"*\""},
    {"hours", read_hours, NULL},
    {"at_end_of_hours", read_end_of_hours, NULL},
    {"longest", read_longest, NULL},
    {"approvals", read_approvals, NULL},
    {"second_factor", read_second_factor, NULL},
    {"connections", read_connections, NULL},
};

int policy_read_rules(struct reader *reader, const struct node *node, void *into)
{
    (void)into;
    struct policy *policy = reader->policy;
    int err = schema_expect(reader, node, NODE_LIST, "rules",
                            "a list, each beginning with \"- who:\"");
    policy->rules = calloc(schema_count(node) + 1, sizeof *policy->rules);
    if (!policy->rules) {
        return schema_no_memory(reader);
    }
    for (const struct node *child = node->first; err == 0 && child; child = child->next) {
        struct policy_rule *rule = &policy->rules[policy->rule_count++];
        rule->line = child->line;
        err = SCHEMA_MAP(reader, child, "a rule", RULE_KEYS, rule);
    }
    return err;
}
