/* The targets of a policy file: policy_sections.h. */
#include "vps/policy/policy_sections.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mac.h"
#include "vps/grant/identity.h"

static int read_gateway(struct reader *reader, const struct node *node, void *into)
{
    if (node->kind != NODE_TEXT || !gateway_name_is_valid(node->text)) {
        return schema_refuse(reader, node, "gateway is \"%.60s\"; it takes the name of a gateway",
                             node->kind == NODE_TEXT ? node->text : node_word(node));
    }
    ((struct policy_target *)into)->gateway = node->text;
    return 0;
}

static int read_address(struct reader *reader, const struct node *node, void *into)
{
    if (node->kind != NODE_TEXT || host_kind(node->text) == HOST_INVALID) {
        return schema_refuse(reader, node,
                             "address is \"%.60s\"; it takes a host's name or IP address",
                             node->kind == NODE_TEXT ? node->text : node_word(node));
    }
    ((struct policy_target *)into)->address = node->text;
    return 0;
}

static int read_ports(struct reader *reader, const struct node *node, void *into)
{
    struct policy_target *target = into;
    int err = schema_expect(reader, node, NODE_MAP, "ports", "kinds with ports, as in {rdp: 3389}");
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        target->ports[i] = 0;
    }
    if (err == 0 && !node->first) {
        return schema_refuse(reader, node,
                             "ports is empty; it takes kinds with ports, as in {rdp: 3389}");
    }
    for (const struct node *child = node->first; err == 0 && child; child = child->next) {
        int64_t port = 0;
        unsigned bit = schema_kind(reader, child, child->key);
        err = bit ? schema_number(reader, child, 1, UINT16_MAX, &port) : -EINVAL;
        if (err == 0) {
            target->ports[__builtin_ctz(bit)] = (uint16_t)port;
        }
    }
    return err;
}

static int read_mac(struct reader *reader, const struct node *node, void *into)
{
    uint8_t mac[MAC_SIZE];
    if (node->kind != NODE_TEXT || mac_parse(node->text, mac) < 0 || !mac_is_one(mac)) {
        return schema_refuse(reader, node, "mac is \"%.40s\"; it takes one like 00:11:22:33:44:55",
                             node->kind == NODE_TEXT ? node->text : node_word(node));
    }
    ((struct policy_target *)into)->mac = node->text;
    return 0;
}

static int read_wake(struct reader *reader, const struct node *node, void *into)
{
    static const char *const WORDS[] = {
        [POLICY_WAKE_ASK] = "ask", [POLICY_WAKE_AUTO] = "auto", [POLICY_WAKE_OFF] = "off"};
    int err = schema_expect(reader, node, NODE_TEXT, "wake", "ask, auto or off");
    int word = err < 0 ? err : schema_word(reader, node, "way to wake", WORDS, 3);
    if (word >= 0) {
        ((struct policy_target *)into)->wake = (enum policy_wake)word;
    }
    return word < 0 ? -EINVAL : 0;
}

static int read_ssh_host_key(struct reader *reader, const struct node *node, void *into)
{
    struct policy_target *target = into;
    if (node->kind != NODE_TEXT ||
        identity_parse_host_key(node->text, target->shown[KIND_SSH]) < 0) {
        return schema_refuse(reader, node,
                             "ssh_host_key is \"%.60s\"; it takes SHA256:…, as ssh-keygen -l tells "
                             "it, or the key itself",
                             node->kind == NODE_TEXT ? node->text : node_word(node));
    }
    target->shows[KIND_SSH] = true;
    return 0;
}

static int read_rdp_certificate(struct reader *reader, const struct node *node, void *into)
{
    struct policy_target *target = into;
    if (node->kind != NODE_TEXT ||
        identity_parse_certificate(node->text, target->shown[KIND_RDP]) < 0) {
        return schema_refuse(
            reader, node,
            "rdp_certificate is \"%.70s\"; it takes a SHA-256 of 64 hex digits, as "
            "the card shows it (the thumbprint of 40 is a SHA-1)",
            node->kind == NODE_TEXT ? node->text : node_word(node));
    }
    target->shows[KIND_RDP] = true;
    return 0;
}

/* A key that is never asked for protects nobody. */
static int check_shown(struct reader *reader, const struct node *node,
                       const struct policy_target *target)
{
    static const char *const KEYS[KIND_COUNT] = {
        [KIND_SSH] = "ssh_host_key", [KIND_RDP] = "rdp_certificate"};
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        if (target->shows[i] && target->ports[i] == 0) {
            return schema_refuse(reader, node, "target %.*s has %s, but no port for %s",
                                 SCHEMA_NAME_MAX, node->key, KEYS[i], kind_name((enum kind)i));
        }
    }
    return 0;
}

static const struct key TARGET_KEYS[] = {
    {"gateway", read_gateway, NULL},
    {"address", read_address, "a host's name or IP address"},
    {"ports", read_ports, NULL},
    {"mac", read_mac, NULL},
    {"wake", read_wake, NULL},
    {"ssh_host_key", read_ssh_host_key, NULL},
    {"rdp_certificate", read_rdp_certificate, NULL},
};

static int read_target(struct reader *reader, const struct node *node)
{
    struct policy *policy = reader->policy;
    const struct policy_target *other = policy_target_named(policy, node->key);
    struct policy_target *target = &policy->targets[policy->target_count];
    char what[SCHEMA_NAME_MAX + 8];
    *target = (struct policy_target){.name = node->key, .line = node->line, .gateway = ""};
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        target->ports[i] = kind_row((enum kind)i)->port;
    }
    if (!schema_is_name(node->key) || host_kind(node->key) != HOST_NAME) {
        return schema_refuse(
            reader, node,
            "\"%.60s\" is no name of a target: it is typed like a host's, as office-pc", node->key);
    }
    if (other) { /* the same but for upper and lower case */
        return schema_refuse(reader, node, "\"%s\" is there already: %s, in line %u", node->key,
                             other->name, other->line);
    }
    snprintf(what, sizeof what, "target %.*s", SCHEMA_NAME_MAX, node->key);
    int err = SCHEMA_MAP(reader, node, what, TARGET_KEYS, target);
    err = err < 0 ? err : check_shown(reader, node, target);
    policy->target_count += err == 0;
    return err;
}

int policy_read_targets(struct reader *reader, const struct node *node, void *into)
{
    (void)into;
    int err = schema_expect(reader, node, NODE_MAP, "targets", "names, each with its keys below");
    reader->policy->targets = calloc(schema_count(node) + 1, sizeof *reader->policy->targets);
    if (!reader->policy->targets) {
        return schema_no_memory(reader);
    }
    for (const struct node *child = node->first; err == 0 && child; child = child->next) {
        err = read_target(reader, child);
    }
    return err;
}
