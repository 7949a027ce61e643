#include "vps/reload.h"

#include <errno.h>
#include <string.h>

#include "base/crypto.h"

/* The ports are first, since they take memory: after that nothing fails. */
static int apply(const struct reload *reload, struct vps_settings *after, struct why *why)
{
    struct vps_settings before = *reload->settings;
    int err = sessions_use_ports(reload->sessions, after->port_range_start, after->port_range_end);
    if (err == 0) {
        *reload->settings = *after;
        after->policy_file.policy = NULL; /* it has moved */
        reload->log->level = after->common.log_level;
        sessions_settings_changed(reload->sessions);
        gateways_settings_changed(reload->gateways, &before);
        holds_settings_changed(reload->holds);
        wakings_settings_changed(reload->wakings);
    } else {
        why_set(why, err, "out of memory");
    }
    if (err < 0) {
        before.policy_file.policy = NULL; /* it stays in force */
    }
    vps_settings_wipe(&before);
    return err;
}

int reload_run(const struct reload *reload, struct changes *ret_changes, struct why *why)
{
    struct vps_settings after;
    int err = vps_settings_renew(reload->env_file, reload->settings, &after, ret_changes, why);
    if (err < 0) {
        return err;
    }
    if (changes_in_force(ret_changes)) {
        err = apply(reload, &after, why);
    }
    if (err == 0) {
        sessions_choose_congestion(reload->sessions); /* the system may allow others now */
    }
    vps_settings_wipe(&after);
    return err;
}

void reload_record_policy(struct audit *audit, const struct vps_settings *settings)
{
    const struct policy *policy = settings->policy_file.policy;
    uint8_t hash[CRYPTO_HASH_SIZE];
    char hex[2 * CRYPTO_HASH_SIZE + 1];
    size_t len;
    if (policy) {
        const char *source = document_source(policy->document, &len);
        crypto_hash(&(struct crypto_piece){source, len}, 1, hash);
        crypto_hex(hash, sizeof hash, hex);
        const struct audit_entry entry = {.what = AUDIT_POLICY_LOADED, .text = hex};
        audit_record(audit, &entry, NULL, NULL);
    }
}

void reload_record(struct audit *audit, const struct vps_settings *settings,
                   const struct changes *changes)
{
    static const char *const POLICY[] = {"POLICY_FILE", NULL};
    char sentence[512];
    struct text text = text_over(sentence, sizeof sentence);
    changes_say(changes, &text);
    const struct audit_entry entry = {.what = AUDIT_SETTINGS_RELOADED, .text = sentence};
    audit_record(audit, &entry, NULL, NULL);
    if (changes_have(changes, POLICY)) {
        reload_record_policy(audit, settings);
    }
}
