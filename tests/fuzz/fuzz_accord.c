/*
 * The messages of an accord, as somebody would send them who wants a key without a person:
 * whatever they hold and in whichever order they come, neither side gives one.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/accord.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

/* One of the bodies, filled with what there is. */
static void fill(void *body, size_t cap, const uint8_t *data, size_t size)
{
    memset(body, 0, cap);
    memcpy(body, data, size < cap ? size : cap);
}

static void step_of_vps(struct accord *it, unsigned step, const uint8_t *data, size_t size)
{
    struct message out;
    struct message_pair_commit commit;
    struct message_pair_open open;
    struct message_pair_confirm confirm;
    switch (step % 3) {
    case 0:
        fill(&commit, sizeof commit - 1, data, size);
        commit.name[sizeof commit.name - 1] = '\0';
        accord_answer(it, &commit, &out);
        break;
    case 1:
        fill(&open, sizeof open, data, size);
        accord_opened(it, &open);
        break;
    default:
        fill(&confirm, sizeof confirm, data, size);
        require(accord_confirmed(it, &confirm) < 0);
    }
}

static void step_of_gateway(struct accord *it, unsigned step, const uint8_t *data, size_t size)
{
    struct message out;
    struct message_pair_answer answer;
    struct message_pair_accept accept;
    if (step % 2 == 0) {
        fill(&answer, sizeof answer, data, size);
        accord_open(it, &answer, &out);
    } else {
        fill(&accept, sizeof accept, data, size);
        require(accord_accepted(it, &accept) < 0);
    }
}

/* Chunks: one byte that says which step, one how long. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct accord vps = {0}, gateway = {0};
    struct message out;
    uint8_t key[CRYPTO_KEY_SIZE];
    require(accord_commit(&gateway, "office", &out) == 0);
    while (size >= 2) {
        size_t len = data[1] < size - 2 ? data[1] : size - 2;
        step_of_vps(&vps, data[0], data + 2, len);
        step_of_gateway(&gateway, data[0], data + 2, len);
        require(accord_key(&vps, key) == -EPROTO);
        require(accord_key(&gateway, key) == -EPROTO);
        data += 2 + len;
        size -= 2 + len;
    }
    accord_wipe(&vps);
    accord_wipe(&gateway);
    return 0;
}
