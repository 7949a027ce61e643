#include "vps/factor/factor.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/text.h"

/* Times and steps beyond are of another hand than ours. */
static const int64_t FARTHEST = INT64_C(1) << 53;

static const char LOAD[] =
    "SELECT person, secret, since, step, in_a_row, of_day, day, until FROM factor";
static const char KEEP[] =
    "INSERT OR REPLACE INTO factor(person, secret, since, step, in_a_row, of_day, day, until) "
    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
static const char DROP[] = "DELETE FROM factor WHERE person=?1";

struct factor *factor_new(const char *person)
{
    struct factor *factor = calloc(1, sizeof *factor);
    if (factor) {
        struct text name = text_over(factor->person, sizeof factor->person);
        list_init(&factor->home);
        text_add(&name, "%s", person);
    }
    return factor;
}

void factor_free(struct factor *factor)
{
    if (factor) {
        list_remove(&factor->home);
        crypto_wipe(factor, sizeof *factor);
        free(factor);
    }
}

/* ---- the file ------------------------------------------------------------------ */

struct reading {
    void (*fn)(void *arg, struct factor *factor);
    void *arg;
};

static bool is_sane(const struct row *row)
{
    for (size_t column = 2; column < 8; column++) {
        if (row_number(row, column) < 0 || row_number(row, column) > FARTHEST) {
            return false;
        }
    }
    const char *person = row_text(row, 0);
    return person[0] && strlen(person) < PEOPLE_NAME_MAX && row_number(row, 4) < TRIES_IN_A_ROW &&
           row_number(row, 5) <= TRIES_A_DAY;
}

static void read_row(void *arg, const struct row *row)
{
    const struct reading *reading = arg;
    size_t len;
    const void *secret = row_blob(row, 1, &len);
    struct factor *factor = is_sane(row) && len == TOTP_SECRET_SIZE ? factor_new(row_text(row, 0))
                                                                    : NULL;
    if (factor) {
        memcpy(factor->secret, secret, len);
        factor->since = row_number(row, 2);
        factor->step = row_number(row, 3);
        factor->tries = (struct tries){.in_a_row = (unsigned)row_number(row, 4),
                                       .of_day = (unsigned)row_number(row, 5),
                                       .day = row_number(row, 6),
                                       .until = row_number(row, 7)};
        reading->fn(reading->arg, factor);
    }
}

void factor_read_all(struct store *store, void (*fn)(void *arg, struct factor *factor), void *arg)
{
    struct reading reading = {fn, arg};
    store_read(store, &(struct statement){LOAD, {{0}}}, read_row, &reading);
}

int factor_keep(const struct factor *factor, struct store *store, statement_done_fn done, void *arg)
{
    const struct tries *tries = &factor->tries;
    const struct statement statement = {
        KEEP,
        {value_text(factor->person), value_blob(factor->secret, sizeof factor->secret),
         value_number(factor->since), value_number(factor->step), value_number(tries->in_a_row),
         value_number(tries->of_day), value_number(tries->day), value_number(tries->until)}};
    return store_write(store, &statement, done, arg);
}

int factor_drop(const struct factor *factor, struct store *store)
{
    const struct statement statement = {DROP, {value_text(factor->person)}};
    return store_write(store, &statement, NULL, NULL);
}

/* ---- looking --------------------------------------------------------------------- */

bool factor_is_locked(const struct factor *factor)
{
    return tries_are_used_up(&factor->tries) || tries_locked_s(&factor->tries, clock_unix()) > 0;
}
