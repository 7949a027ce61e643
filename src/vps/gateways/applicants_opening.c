/*
 * When gateways without a key are heard: in an opening, and as often as that opening, their network
 * and what was said of others from there allow.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "vps/gateways/applicants_core.h"

enum { NETWORK_REFILL_MS = 2 * 60 * 1000 };

void applicants_shut(struct applicants *applicants, const char *because)
{
    if (applicants->open_until_ms > 0) {
        applicants->open_until_ms = 0;
        timer_stop(applicants->shutting);
        log_info(applicants->options.log,
                 "gateways without a key are not heard any more: %s; pamctl gateway pair hears "
                 "them again",
                 because);
    }
}

static void on_time_over(void *arg)
{
    applicants_shut(arg, "ten minutes are over");
}

void applicants_open(struct applicants *applicants)
{
    applicants->open_until_ms = clock_ms() + APPLICANTS_OPEN_MS;
    applicants->answers = 0;
    applicants->refused = (struct allowance){
        .v4_bits = NETWORK_V4_BITS, .v6_bits = NETWORK_V6_BITS, .most = 1, .refill_ms = UINT32_MAX};
    timer_set(applicants->shutting, APPLICANTS_OPEN_MS);
    log_info(applicants->options.log, "gateways that have no key and ask to be paired are heard "
                                      "for ten minutes");
}

unsigned applicants_open_for(const struct applicants *applicants)
{
    uint64_t now = clock_ms();
    return now < applicants->open_until_ms
               ? (unsigned)((applicants->open_until_ms - now + 999) / 1000)
               : 0;
}

int applicants_would_hear(const struct applicants *applicants, const struct addr *from,
                          struct why *why)
{
    uint64_t now = clock_ms();
    if (applicants_open_for(applicants) == 0) {
        return why_set(why, -EPERM,
                       "no gateways are paired there at the moment: run pamctl "
                       "gateway pair on the VPS, which allows it for ten minutes");
    }
    if (allowance_is_used_up(&applicants->refused, from, now)) {
        return why_set(why, -EACCES,
                       "somebody there has refused a gateway from here: run pamctl "
                       "gateway pair on the VPS to be asked again");
    }
    if (allowance_is_used_up(&applicants->tries, from, now)) {
        return why_set(why, -EAGAIN,
                       "too many have asked to be paired from here: wait two minutes");
    }
    if (applicants->phase != APPLICANT_NOBODY) {
        return why_set(why, -EBUSY, "another gateway is being paired there at the moment");
    }
    return 0;
}

/*
 * With the answer it can work out the code that will be shown here, and hang up if that is not the
 * one that it needs: so this is its try, and not the question that it may never come to.
 */
void applicants_count_answer(struct applicants *applicants)
{
    memcpy(applicants->name, applicants->accord.name, sizeof applicants->name);
    if (++applicants->answers >= APPLICANTS_TRIES) {
        const struct applicant_event event = {.kind = APPLICANT_CROWD};
        applicants_shut(applicants, "too many have asked");
        applicants_tell(applicants, &event);
    }
}

int applicants_begin(struct applicants *applicants)
{
    applicants->tries = (struct allowance){.v4_bits = NETWORK_V4_BITS,
                                           .v6_bits = NETWORK_V6_BITS,
                                           .most = APPLICANTS_PER_NETWORK,
                                           .refill_ms = NETWORK_REFILL_MS};
    applicants->shutting = timer_new(applicants->options.loop, on_time_over, applicants);
    return applicants->shutting ? 0 : -ENOMEM;
}
