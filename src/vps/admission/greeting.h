/*
 * greeting: the first packet of a client at a public port, by the kind of its session. The
 * door reads it with one of these readers, and knows no protocol itself. Each is a constant;
 * kinds.def says whose it is.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_GREETING_H
#define PAMTUNNEL_VPS_ADMISSION_GREETING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/kind.h"
#include "vps/admission/words.h"

enum { GREETING_MAX = 512, GREETING_SECRET_MAX = 31 };

struct greeting_reader {
    /*
     * How many more bytes may be read behind these `len` ones, at most GREETING_MAX in all;
     * 0: they are a whole greeting; -EBADMSG: no client of this kind begins like that. Never
     * -EAGAIN, and not 0 for no bytes: whether silence is a greeting is its row's to say
     * (may_be_silent, server_may_begin).
     */
    long (*missing)(const uint8_t *data, size_t len);
    /* Of a whole greeting: what the client says about itself, cleaned for people; or "". */
    void (*words)(const uint8_t *data, size_t len, char dst[WORDS_SIZE]);
    /* Whether a whole greeting carries this secret. NULL: clients of this kind have none. */
    bool (*has_secret)(const uint8_t *data, size_t len, const char *secret);
    /*
     * Takes the secret out of a greeting that carries it, in place, since the target must not
     * see it. Returns the new length. NULL as above.
     */
    size_t (*cut_secret)(uint8_t *data, size_t len);
};

/* greeting_ssh and so on, each in its greeting_NAME.c. */
#define KIND(NAME, number, word, greeting, ...) \
    extern const struct greeting_reader greeting_##greeting;
#include "shared/kinds.def"
#undef KIND

const struct greeting_reader *greeting_reader(enum kind kind);

#endif
