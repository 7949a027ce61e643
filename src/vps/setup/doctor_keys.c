#include "vps/setup/doctor_keys.h"

#include "base/clock.h"
#include "base/text.h"
#include "vps/setup/running_agent.h"

static const char ITEM[] = "keys";

/*
 * Only the running agent is asked. The state file knows it, too, but belongs to that agent; so if
 * none is running, a key whose time is over may have expired or long be in use.
 */
static void check_key(struct checkup *checkup, const struct gateway_key *key,
                      const struct running_agent *running)
{
    char when[CLOCK_TEXT_MAX];
    const struct running_agent_key *known = running_agent_find(running, key->key);
    clock_text(key->until, when);
    /* A key that was used in time is good forever. */
    if (known && known->used) {
        return;
    }
    if (clock_unix() < key->until) {
        checkup_say(checkup, CHECKUP_SKIPPED, ITEM,
                    "%s has not used its join string yet, which is valid until %s", key->name,
                    when);
    } else if (running->tells) {
        checkup_say(checkup, CHECKUP_BAD, ITEM,
                    "the join string of %s expired at %s, before it was used: make a new one "
                    "with vps-agent --invite %s --new-key",
                    key->name, when, key->name);
    } else {
        checkup_say(checkup, CHECKUP_SKIPPED, ITEM,
                    "the key of %s had to be used before %s: whether it was can be seen when "
                    "vps-agent is running",
                    key->name, when);
    }
}

/* Keys of settings that the agent has not read yet. */
static void check_unknown(struct checkup *checkup, const struct vps_settings *settings,
                          const struct running_agent *running)
{
    char names[400], command[STATE_DIR_MAX + 64];
    struct text text = text_over(names, sizeof names), reload = text_over(command, sizeof command);
    for (unsigned i = 0; i < settings->tunnel_key.count; i++) {
        const struct gateway_key *key = &settings->tunnel_key.keys[i];
        if (!running_agent_find(running, key->key)) {
            text_add(&text, "%s%s", text.len ? ", " : "",
                     key->name[0] ? key->name : "(the one without a name)");
        }
    }
    if (text.len > 0) {
        running_agent_add_reload(&reload, settings->state_dir);
        checkup_say(checkup, CHECKUP_BAD, ITEM,
                    "the running vps-agent does not know the key of %s: %s", names, command);
    }
}

/* TUNNEL_KEY is not set. */
static void check_kept(struct checkup *checkup, const struct running_agent *running)
{
    if (!running->tells) {
        checkup_say(checkup, CHECKUP_SKIPPED, ITEM,
                    "TUNNEL_KEY is not set: which gateways were added with pamctl can be seen when "
                    "vps-agent is running (pamctl gateway list)");
    } else if (running->kept == 0) {
        checkup_say(
            checkup, CHECKUP_BAD, ITEM,
            "no gateway can log in yet: after pamctl gateway pair, one that has nothing but "
            "VPS_HOST asks to be let in; or pamctl gateway add NAME prints a join string "
            "for one");
    }
}

void doctor_check_keys(struct checkup *checkup, const struct vps_settings *settings)
{
    struct running_agent running;
    running_agent_ask(settings->state_dir, &running);
    if (settings->tunnel_key.count == 0) {
        check_kept(checkup, &running);
    }
    if (running.tells) {
        check_unknown(checkup, settings, &running);
    }
    for (unsigned i = 0; i < settings->tunnel_key.count; i++) {
        if (settings->tunnel_key.keys[i].until) {
            check_key(checkup, &settings->tunnel_key.keys[i], &running);
        }
    }
}
