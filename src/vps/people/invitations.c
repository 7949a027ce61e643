#include "vps/people/invitations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

enum { HASH_HEX = 2 * CRYPTO_HASH_SIZE };

struct invitations {
    struct store *store;
    unsigned count;
    struct invitation list[INVITATIONS_MAX]; /* the oldest first; those that are too old, too */
};

static const char LOAD[] = "SELECT hash, name, until, by, opened_by FROM invitation ORDER BY until";
static const char PUT[] =
    "INSERT OR REPLACE INTO invitation(hash, name, until, by, opened_by) VALUES(?1, ?2, ?3, ?4, "
    "?5)";
static const char DROP[] = "DELETE FROM invitation WHERE hash=?1";

/* ---- reading -------------------------------------------------------------- */

static void load(void *arg, const struct row *row)
{
    struct invitations *invitations = arg;
    const char *hex = row_text(row, 0), *name = row_text(row, 1);
    struct invitation invitation = {.until = row_number(row, 2)};
    size_t len = strlen(name);
    if (invitations->count == INVITATIONS_MAX || strlen(hex) != HASH_HEX ||
        crypto_unhex(hex, invitation.hash, sizeof invitation.hash) < 0 || len == 0 ||
        len > MEMBER_NAME_MAX || owner_parse(row_text(row, 3), &invitation.by) < 0) {
        return;
    }
    memcpy(invitation.name, name, len + 1);
    invitation.is_opened = owner_parse(row_text(row, 4), &invitation.opened_by) == 0;
    invitations->list[invitations->count++] = invitation;
}

struct invitations *invitations_new(void)
{
    return calloc(1, sizeof(struct invitations));
}

void invitations_load(struct invitations *invitations, struct store *store)
{
    static const struct statement STATEMENT = {LOAD, {{.kind = VALUE_NONE}}};
    invitations->store = store;
    store_read(store, &STATEMENT, load, invitations);
}

void invitations_free(struct invitations *invitations)
{
    free(invitations);
}

const struct invitation *invitations_next(const struct invitations *invitations, unsigned *at)
{
    int64_t now = clock_unix();
    while (*at < invitations->count) {
        const struct invitation *invitation = &invitations->list[(*at)++];
        if (invitation->until > now) {
            return invitation;
        }
    }
    return NULL;
}

/* ---- changing ------------------------------------------------------------- */

static void put(struct invitations *invitations, const struct invitation *invitation)
{
    char hex[HASH_HEX + 1], by[OWNER_TEXT_MAX], opened_by[OWNER_TEXT_MAX] = "";
    crypto_hex(invitation->hash, sizeof invitation->hash, hex);
    if (invitation->is_opened) {
        owner_text(&invitation->opened_by, opened_by);
    }
    const struct statement statement = {
        PUT,
        {value_text(hex), value_text(invitation->name), value_number(invitation->until),
         value_text(owner_text(&invitation->by, by)), value_text(opened_by)}};
    store_write(invitations->store, &statement, NULL, NULL);
}

static void drop_at(struct invitations *invitations, unsigned number)
{
    char hex[HASH_HEX + 1];
    crypto_hex(invitations->list[number].hash, CRYPTO_HASH_SIZE, hex);
    const struct statement statement = {DROP, {value_text(hex)}};
    invitations->count--;
    memmove(&invitations->list[number], &invitations->list[number + 1],
            (invitations->count - number) * sizeof invitations->list[0]);
    store_write(invitations->store, &statement, NULL, NULL);
}

static void drop_old(struct invitations *invitations)
{
    int64_t now = clock_unix();
    for (unsigned i = invitations->count; i-- > 0;) {
        if (invitations->list[i].until <= now) {
            drop_at(invitations, i);
        }
    }
}

unsigned invitations_drop(struct invitations *invitations, const char *name)
{
    unsigned dropped = 0;
    for (unsigned i = invitations->count; i-- > 0;) {
        if (strcasecmp(invitations->list[i].name, name) == 0) {
            drop_at(invitations, i);
            dropped++;
        }
    }
    return dropped;
}

static int hash_of(const char *token, uint8_t ret_hash[CRYPTO_HASH_SIZE])
{
    return crypto_hash(&(struct crypto_piece){token, strlen(token)}, 1, ret_hash);
}

int invitations_make(struct invitations *invitations, const char *name, const struct owner *by,
                     char *ret_token, int64_t *ret_until)
{
    struct invitation invitation = {.until = clock_unix() + INVITATION_VALID_S, .by = *by};
    char token[INVITATION_TOKEN_SIZE];
    drop_old(invitations);
    invitations_drop(invitations, name);
    if (invitations->count == INVITATIONS_MAX) {
        return -ENOSPC;
    }
    int err = crypto_random_name(token, INVITATION_TOKEN_LEN);
    err = err < 0 ? err : hash_of(token, invitation.hash);
    if (err == 0) {
        strncat(invitation.name, name, MEMBER_NAME_MAX);
        invitations->list[invitations->count++] = invitation;
        put(invitations, &invitation);
        memcpy(ret_token, token, sizeof token);
        *ret_until = invitation.until;
    }
    crypto_wipe(token, sizeof token);
    return err;
}

/* All are compared, so that how long it takes says nothing of how close a guess was. */
static struct invitation *find(struct invitations *invitations,
                               const uint8_t hash[CRYPTO_HASH_SIZE])
{
    struct invitation *found = NULL;
    for (unsigned i = 0; i < invitations->count; i++) {
        if (crypto_equal(invitations->list[i].hash, hash, CRYPTO_HASH_SIZE)) {
            found = &invitations->list[i];
        }
    }
    return found;
}

const struct invitation *invitations_open(struct invitations *invitations, const char *token,
                                          const struct owner *account)
{
    uint8_t hash[CRYPTO_HASH_SIZE];
    if (strlen(token) != INVITATION_TOKEN_LEN || hash_of(token, hash) < 0) {
        return NULL;
    }
    drop_old(invitations);
    struct invitation *invitation = find(invitations, hash);
    if (!invitation || (invitation->is_opened && !owner_equal(&invitation->opened_by, account))) {
        return NULL;
    }
    if (!invitation->is_opened) {
        invitation->is_opened = true;
        invitation->opened_by = *account;
        put(invitations, invitation);
    }
    return invitation;
}

bool invitations_are_opened_by(const struct invitations *invitations, const char *name,
                               const struct owner *account)
{
    const struct invitation *invitation;
    unsigned at = 0;
    while ((invitation = invitations_next(invitations, &at))) {
        if (strcasecmp(invitation->name, name) == 0 && invitation->is_opened &&
            owner_equal(&invitation->opened_by, account)) {
            return true;
        }
    }
    return false;
}
