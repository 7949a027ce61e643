/* What there is to see of one. */
#include <string.h>

#include "base/clock.h"
#include "vps/waking/wakings_core.h"

const char *waking_state_name(enum waking_state state)
{
    static const char *const NAMES[] = {"offered", "asleep", "awake", "silent", "ended", "expired"};
    return NAMES[state];
}

bool waking_state_is_end(enum waking_state state)
{
    return state > WAKING_ASLEEP;
}

static enum waking_silence silence_of(unsigned failed)
{
    return failed == TUNNEL_REFUSED       ? WAKING_REFUSES
           : failed == TUNNEL_NOT_ALLOWED ? WAKING_NOT_ALLOWED
           : failed == TUNNEL_BUSY        ? WAKING_BUSY
                                          : WAKING_NO_ANSWER;
}

void waking_view(const struct waking *waking, struct waking_view *ret_view)
{
    uint64_t since_ms = waking->began_ms ? waking->began_ms : clock_ms();
    *ret_view = (struct waking_view){.id = waking->request.id,
                                     .state = waking->state,
                                     .request = &waking->request,
                                     .opens = waking->opens,
                                     .seconds = (unsigned)((clock_ms() - since_ms) / 1000),
                                     .silence = silence_of(waking->failed),
                                     .reason = waking->reason};
    memcpy(ret_view->mac, waking->mac, MAC_SIZE);
}
