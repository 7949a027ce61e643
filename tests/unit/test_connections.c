/*
 * A session's connections: several at once, one after the other, those that are turned
 * away, and data channels that do not come, or lead nowhere.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/net.h"
#include "control/tls.h"
#include "data/relay.h"
#include "vps/session/permission.h"
#include "vps/session/session_run.h"
#include "vps_world.h"

static const struct owner ANNAS_HANDS = {OWNER_TELEGRAM, 42};
static const char ANNA[] = "127.0.0.2", BERT[] = "127.0.0.3";
enum { MANY = 10 };

/* ---- what the kernel and the relay are made to say -------------------------- */

static bool nobody_acknowledges;
static int relay_refuses; /* -errno */
static bool gateways_speak_version_1;
static struct permission_end policy_end; /* what the policy's clock is about to end */

struct permission_end __wrap_permission_ends(const struct vps_settings *settings,
                                             const struct people *people,
                                             const struct terms *terms);

struct permission_end __wrap_permission_ends(const struct vps_settings *settings,
                                             const struct people *people, const struct terms *terms)
{
    (void)settings;
    (void)people;
    (void)terms;
    return policy_end;
}

/* With 64 bits of time on machines of 32, glibc has another name for it. */
#if defined __GLIBC__ && defined __USE_TIME_BITS64 && __TIMESIZE == 32
#define IOCTL "__ioctl_time64"
#else
#define IOCTL "ioctl"
#endif

int __real_ioctl(int fd, unsigned long request, ...) __asm__("__real_" IOCTL);
int __wrap_ioctl(int fd, unsigned long request, ...) __asm__("__wrap_" IOCTL);
int __real_relay_join(struct relay *relay, int a, int b, const void *prefix, size_t prefix_len,
                      void *arg, struct link **ret_link);
int __wrap_relay_join(struct relay *relay, int a, int b, const void *prefix, size_t prefix_len,
                      void *arg, struct link **ret_link);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    va_start(args, request);
    int *value = va_arg(args, int *);
    va_end(args);
    int result = __real_ioctl(fd, request, value);
    if (request == SIOCOUTQ && nobody_acknowledges) {
        *value = 1;
    }
    return result;
}

int __wrap_relay_join(struct relay *relay, int a, int b, const void *prefix, size_t prefix_len,
                      void *arg, struct link **ret_link)
{
    return relay_refuses < 0 ? relay_refuses
                             : __real_relay_join(relay, a, b, prefix, prefix_len, arg, ret_link);
}

unsigned __real_channel_version(const struct channel *channel);
unsigned __wrap_channel_version(const struct channel *channel);

unsigned __wrap_channel_version(const struct channel *channel)
{
    return gateways_speak_version_1 ? 1 : __real_channel_version(channel);
}

/* ---- a session and its connections ------------------------------------------ */

static struct world *new_world(void)
{
    static struct world world;
    nobody_acknowledges = false;
    relay_refuses = 0;
    gateways_speak_version_1 = false;
    world_init(&world);
    return &world;
}

struct pair {
    int client, data;
    struct message_open_tunnel open; /* what the gateway was asked */
};

static void pass_time(struct world *world, unsigned ms)
{
    for (uint64_t end = stage_ms() + ms; stage_ms() < end;) {
        stage_turn(&world->stage);
    }
}

static const void *hello_of(enum kind kind, size_t *ret_len)
{
    *ret_len = kind == KIND_SSH ? strlen(SSH_ID) : sizeof RDP_REQUEST;
    return kind == KIND_SSH ? (const void *)SSH_ID : RDP_REQUEST;
}

static int come(const struct session *session, const char *from)
{
    struct session_view view;
    session_view(session, &view);
    return view.kind == KIND_SSH ? come_with_ssh(session, from) : come_with_rdp(session, from);
}

static void expect_hello(struct world *world, const struct session *session, int data)
{
    struct session_view view;
    size_t len;
    session_view(session, &view);
    const void *hello = hello_of(view.kind, &len);
    world_hear(world, data, hello, len);
}

static void talk(struct world *world, const struct pair *pair)
{
    static unsigned number;
    char word[16];
    snprintf(word, sizeof word, "SSH-word %u", ++number); /* no last words: lastwords.h */
    client_say(pair->client, word, strlen(word));
    world_hear(world, pair->data, word, strlen(word));
    client_say(pair->data, word, strlen(word));
    world_hear(world, pair->client, word, strlen(word));
}

/* More than an identification string may have. */
static void begin_login(struct world *world, const struct pair *pair)
{
    char flight[256] = "SSH-2.0-waits\r\n";
    client_say(pair->client, flight, sizeof flight);
    world_hear(world, pair->data, flight, sizeof flight);
}

/* A session with its first connection. */
static struct session *begin(struct world *world, enum kind kind, struct pair *ret_pair)
{
    struct session *session = world_ask_until_waiting(world, kind, &ret_pair->data);
    ret_pair->client = come(session, ANNA);
    expect_hello(world, session, ret_pair->data);
    talk(world, ret_pair);
    assert_int_equal(state_of(session), SESSION_CONNECTED);
    return session;
}

/* One more client, up to where the gateway was asked for its channel. */
static void ask_more(struct world *world, const struct session *session, struct pair *ret_pair)
{
    unsigned before = world->peers[0].opens;
    ret_pair->client = come(session, ANNA);
    WAIT_FOR(&world->stage, world->peers[0].opens == before + 1);
    ret_pair->open = world->peers[0].last;
}

static void attach(struct world *world, const struct session *session, struct pair *pair)
{
    world->peers[0].last = pair->open;
    pair->data = peer_attach(world, &world->peers[0]);
    expect_hello(world, session, pair->data);
}

static void one_more(struct world *world, const struct session *session, struct pair *ret_pair)
{
    ask_more(world, session, ret_pair);
    attach(world, session, ret_pair);
    talk(world, ret_pair);
}

/* More than a server says that turns somebody away. */
static void work(struct world *world, const struct pair *pair)
{
    char screen[1000];
    memset(screen, 'x', sizeof screen);
    client_say(pair->data, screen, sizeof screen);
    world_hear(world, pair->client, screen, sizeof screen);
}

static void close_pair(struct pair *pair)
{
    close(pair->client);
    close(pair->data);
}

static struct session_view view_of(const struct session *session)
{
    struct session_view view;
    session_view(session, &view);
    return view;
}

/* ---- side by side, one after the other -------------------------------------- */

static void several_connections_run_side_by_side(void **state)
{
    (void)state;
    for (enum kind kind = KIND_SSH; kind <= KIND_RDP; kind++) {
        struct world *world = new_world();
        struct pair pairs[3];
        world_start(world);
        struct session *session = begin(world, kind, &pairs[0]);
        ask_more(world, session, &pairs[1]); /* both are on their way at once */
        ask_more(world, session, &pairs[2]);
        assert_int_equal(pairs[1].open.channel, 1);
        assert_int_equal(pairs[2].open.channel, 2);
        attach(world, session, &pairs[2]);
        attach(world, session, &pairs[1]);
        for (unsigned i = 0; i < 3; i++) {
            talk(world, &pairs[i]);
        }
        assert_true(port_is_closed(data_port(session)));
        assert_int_equal(view_of(session).connections, 3);
        close_pair(&pairs[0]); /* the first one goes, the others stay */
        WAIT_FOR(&world->stage, view_of(session).connections == 2);
        talk(world, &pairs[1]);
        assert_int_equal(state_of(session), SESSION_CONNECTED);
        close_pair(&pairs[1]);
        close_pair(&pairs[2]);
        WAIT_FOR(&world->stage, state_of(session) == SESSION_RECONNECTING);
        world_expect(world, "waiting, connected, reconnecting");
        assert_int_equal(view_of(session).connections_total, 3);
        world_stop(world);
    }
}

static void after_a_mistyped_login_comes_the_next(void **state)
{
    struct world *world = new_world();
    struct pair pair;
    (void)state;
    world_start(world);
    struct session *session = begin(world, KIND_SSH, &pair);
    for (unsigned i = 1; i < 4; i++) {
        close_pair(&pair);
        WAIT_FOR(&world->stage, state_of(session) == SESSION_RECONNECTING);
        one_more(world, session, &pair);
        assert_int_equal(state_of(session), SESSION_CONNECTED);
    }
    stage_hurry(100);
    close_pair(&pair);
    WAIT_FOR(&world->stage, world->ended == 1);
    assert_int_equal(world->last.end, SESSION_END_DISCONNECTED);
    assert_int_equal(world->last.connections_total, 4);
    assert_true(world_logged(world, ", 4 connections, "));
    /* The wait for another one is no time of being connected. */
    assert_true(world->last.seconds_connected + 29 <= world->last.seconds_open);
    world_stop(world);
}

static void the_ninth_ssh_connection_is_turned_away_and_that_is_said(void **state)
{
    struct world *world = new_world();
    struct pair pairs[8];
    (void)state;
    world_start(world);
    struct session *session = begin(world, KIND_SSH, &pairs[0]);
    for (unsigned i = 1; i < 8; i++) {
        ask_more(world, session, &pairs[i]);
    }
    unsigned opens = world->peers[0].opens;
    for (unsigned i = 0; i < 3; i++) {
        world_lose(world, come(session, ANNA));
    }
    assert_int_equal(world->peers[0].opens, opens);
    world_expect(world, "waiting, connected, noted"); /* once */
    assert_non_null(strstr(view_of(session).note, "8 at once is the limit (MAX_CONNECTIONS)"));
    assert_int_equal(view_of(session).connections, 8);
    for (unsigned i = 1; i < 8; i++) {
        attach(world, session, &pairs[i]);
        talk(world, &pairs[i]);
    }
    close_pair(&pairs[3]);
    WAIT_FOR(&world->stage, view_of(session).connections == 7);
    one_more(world, session, &pairs[3]); /* there is a place again */
    for (unsigned i = 0; i < 8; i++) {
        close_pair(&pairs[i]);
    }
    world_stop(world);
}

static void of_four_rdp_connections_the_oldest_makes_room(void **state)
{
    struct world *world = new_world();
    struct pair pairs[MANY];
    (void)state;
    world_start(world);
    struct session *session = begin(world, KIND_RDP, &pairs[0]);
    for (unsigned i = 1; i < 3; i++) {
        one_more(world, session, &pairs[i]);
    }
    for (unsigned i = 3; i < 6; i++) {
        ask_more(world, session, &pairs[i]);
        world_lose(world, pairs[i - 3].client);
        world_lose(world, pairs[i - 3].data);
        assert_int_equal(view_of(session).connections, 3);
    }
    ask_more(world, session, &pairs[6]); /* the oldest is one that waits for its channel */
    world_lose(world, pairs[3].client);
    attach(world, session, &pairs[6]);
    talk(world, &pairs[6]);
    for (unsigned i = 4; i < 6; i++) {
        attach(world, session, &pairs[i]);
        close_pair(&pairs[i]);
    }
    close_pair(&pairs[6]);
    world_stop(world);
}

static void the_strict_session_is_one_connection(void **state)
{
    (void)state;
    for (enum kind kind = KIND_SSH; kind <= KIND_RDP; kind++) {
        struct world *world = new_world();
        struct pair pair;
        world->settings.reconnect_grace = 0;
        world->settings.max_connections = 1;
        world_start(world);
        struct session *session = begin(world, kind, &pair);
        assert_true(port_is_closed(public_port(session)));
        assert_true(port_is_closed(data_port(session)));
        talk(world, &pair);
        close_pair(&pair);
        WAIT_FOR(&world->stage, world->ended == 1);
        world_expect(world, "waiting, connected, ended");
        world_stop(world);
    }
}

static void without_a_grace_it_ends_with_its_last_connection(void **state)
{
    struct world *world = new_world();
    struct pair pairs[2];
    (void)state;
    world->settings.reconnect_grace = 0;
    world_start(world);
    struct session *session = begin(world, KIND_SSH, &pairs[0]);
    one_more(world, session, &pairs[1]);
    close_pair(&pairs[0]);
    WAIT_FOR(&world->stage, view_of(session).connections == 1);
    talk(world, &pairs[1]);
    uint16_t public = public_port(session);
    close_pair(&pairs[1]);
    WAIT_FOR(&world->stage, world->ended == 1);
    assert_true(port_is_closed(public));
    world_stop(world);
}

static void the_longest_time_holds_for_short_connections_too(void **state)
{
    struct world *world = new_world();
    struct pair pair;
    (void)state;
    world->settings.max_session_time = 40;
    world_start(world);
    struct session *session = begin(world, KIND_SSH, &pair);
    stage_hurry(20);
    uint64_t since = stage_ms();
    while (stage_ms() - since < 1000) { /* the half: none of them is cut off by the end */
        close_pair(&pair);
        WAIT_FOR(&world->stage, state_of(session) == SESSION_RECONNECTING);
        one_more(world, session, &pair);
        pass_time(world, 100);
    }
    WAIT_FOR(&world->stage, world->ended == 1);
    assert_int_equal(world->last.end, SESSION_END_MAX_TIME);
    assert_in_range(stage_ms() - since, 1900, 4000);
    close_pair(&pair);
    world_stop(world);
}

/* ---- the end is near ---------------------------------------------------------- */

struct ear {
    unsigned ending, spared, extended;
    enum session_end end;
    unsigned seconds;
};

static void on_news(void *arg, const struct session_event *event)
{
    struct ear *ear = arg;
    if (event->kind == SESSION_ENDING) {
        ear->ending++;
        ear->end = event->end;
        ear->seconds = event->number;
    }
    ear->spared += event->kind == SESSION_SPARED && !event->by;
    ear->extended += event->kind == SESSION_SPARED && event->by;
}

static void who_does_nothing_is_warned_and_spared_when_used(void **state)
{
    const struct owner anna = {OWNER_TELEGRAM, 42};
    struct world *world = new_world();
    struct ear ear = {0};
    struct pair pair;
    (void)state;
    world->settings.idle_timeout = 40;
    world_start(world);
    stage_hurry(20);
    struct session *session = begin(world, KIND_SSH, &pair);
    sessions_watch(world->sessions, (struct session_watcher){.event = on_news, .arg = &ear});
    WAIT_FOR(&world->stage, ear.ending == 1);
    assert_int_equal(ear.end, SESSION_END_IDLE);
    assert_in_range(ear.seconds, 6, 10);
    assert_in_range(view_of(session).idle_left_s, 1, 10);
    talk(world, &pair);
    assert_int_equal(view_of(session).idle_left_s, 40);
    WAIT_FOR(&world->stage, ear.spared == 1);
    WAIT_FOR(&world->stage, ear.ending == 2); /* and again, as it is quiet again */
    assert_int_equal(session_extend(session, &anna), 0);
    assert_int_equal(ear.extended, 1);
    assert_in_range(view_of(session).idle_left_s, 38, 40);
    WAIT_FOR(&world->stage, ear.ending == 3);
    WAIT_FOR(&world->stage, world->ended == 1);
    assert_int_equal(world->last.end, SESSION_END_IDLE);
    assert_int_equal(ear.spared, 1);
    sessions_unwatch(world->sessions, &ear);
    close_pair(&pair);
    world_stop(world);
}

/* What a rule has fixed stays. */
static void the_longest_time_is_extended_unless_a_rule_says_it(void **state)
{
    const struct owner anna = {OWNER_TELEGRAM, 42};
    (void)state;
    for (int fixed = 0; fixed < 2; fixed++) {
        struct world *world = new_world();
        struct ear ear = {0};
        struct pair pair;
        world->settings.max_session_time = 40;
        world->settings.idle_timeout = 0;
        world_start(world);
        stage_hurry(20);
        struct session *session = begin(world, KIND_SSH, &pair);
        ((struct terms *)session_terms(session))->limits.time_is_fixed = fixed;
        sessions_watch(world->sessions, (struct session_watcher){.event = on_news, .arg = &ear});
        uint64_t since = stage_ms();
        WAIT_FOR(&world->stage, ear.ending == 1);
        assert_int_equal(ear.end, SESSION_END_MAX_TIME);
        assert_in_range(ear.seconds, 6, 10);
        assert_int_equal(session_extend(session, &anna), fixed ? -ENODATA : 0);
        assert_int_equal(ear.extended, !fixed);
        WAIT_FOR(&world->stage, world->ended == 1);
        assert_int_equal(world->last.end, SESSION_END_MAX_TIME);
        assert_int_equal(ear.ending, fixed ? 1 : 2);
        assert_in_range(stage_ms() - since, fixed ? 1900 : 3300, fixed ? 3300 : 6000);
        sessions_unwatch(world->sessions, &ear);
        close_pair(&pair);
        world_stop(world);
    }
}

static void the_end_of_its_hours_is_announced_once_and_comes(void **state)
{
    struct world *world = new_world();
    struct ear ear = {0};
    struct pair pair;
    (void)state;
    world->settings.max_session_time = 0;
    world->settings.idle_timeout = 0;
    world_start(world);
    stage_hurry(20);
    struct session *session = begin(world, KIND_SSH, &pair);
    sessions_watch(world->sessions, (struct session_watcher){.event = on_news, .arg = &ear});
    policy_end = (struct permission_end){SESSION_END_HOURS, 90};
    WAIT_FOR(&world->stage, ear.ending == 1);
    assert_int_equal(ear.end, SESSION_END_HOURS);
    assert_int_equal(ear.seconds, 90);
    pass_time(world, 200);
    policy_end = (struct permission_end){SESSION_END_NONE, 0}; /* another policy */
    pass_time(world, 4000);
    policy_end = (struct permission_end){SESSION_END_EXPIRED, 50};
    WAIT_FOR(&world->stage, ear.ending == 2);
    assert_int_equal(ear.end, SESSION_END_EXPIRED);
    talk(world, &pair);
    policy_end.seconds = 0;
    WAIT_FOR(&world->stage, world->ended == 1);
    assert_int_equal(world->last.end, SESSION_END_EXPIRED);
    assert_string_equal(world->end_text, "the time of its user's access is over");
    assert_int_equal(ear.ending, 2);
    assert_int_equal(ear.spared, 0);
    (void)session;
    policy_end = (struct permission_end){SESSION_END_NONE, 0};
    sessions_unwatch(world->sessions, &ear);
    close_pair(&pair);
    world_stop(world);
}

static void there_is_nothing_to_extend_before_somebody_is_in(void **state)
{
    const struct owner anna = {OWNER_TELEGRAM, 42};
    struct world *world = new_world();
    int data;
    (void)state;
    world_start(world);
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &data);
    assert_int_equal(session_extend(session, &anna), -ENODATA);
    session_close(session);
    assert_int_equal(session_extend(session, &anna), -ENODATA);
    world_lose(world, data);
    world_stop(world);
}

/* ---- strangers --------------------------------------------------------------- */

static void strangers_stay_out_and_leave_a_line_in_the_log(void **state)
{
    struct world *world = new_world();
    struct pair pair;
    (void)state;
    world_start(world);
    struct session *session = begin(world, KIND_SSH, &pair);
    world_lose(world, come(session, BERT));
    assert_true(world_logged(world, "127.0.0.3 is turned away: somebody else is in"));
    world_expect(world, "waiting, connected"); /* no concern of the user's */
    close_pair(&pair);
    WAIT_FOR(&world->stage, state_of(session) == SESSION_RECONNECTING);
    world_lose(world, come(session, BERT));
    assert_int_equal(world->peers[0].opens, 1);
    assert_int_equal(state_of(session), SESSION_RECONNECTING);
    world_stop(world);
}

static void a_noisy_network_does_not_keep_another_out_of_the_log(void **state)
{
    enum { TIMES = 20 };
    struct world *world = new_world();
    struct pair pair;
    (void)state;
    world_start(world);
    struct session *session = begin(world, KIND_SSH, &pair);
    for (unsigned i = 0; i < TIMES; i++) {
        world_lose(world, come(session, BERT));
    }
    world_lose(world, come(session, "127.0.9.9"));
    assert_true(world_logged(world, "127.0.9.9 is turned away: somebody else is in"));
    close_pair(&pair);
    world_stop(world);
}

static void the_secret_from_elsewhere_is_told_to_the_user_once(void **state)
{
    struct world *world = new_world();
    struct pair pair, others;
    (void)state;
    world_start(world);
    struct session *session = begin(world, KIND_RDP, &pair);
    world_lose(world, come(session, BERT));
    world_lose(world, come(session, "127.0.0.4"));
    WAIT_FOR(&world->stage, strstr(world->events, "noted"));
    world_expect(world, "waiting, connected, noted");
    assert_non_null(
        strstr(view_of(session).note, "a client at 127.0.0.3 came with the right file"));
    assert_true(world_logged(world, "127.0.0.4 is turned away: the right secret, but another"));
    one_more(world, session, &others);
    work(world, &others);
    close_pair(&others);
    assert_non_null(view_of(session).note); /* what works does not make it past */
    close_pair(&pair);
    world_stop(world);
}

static bool is_known(struct world *world, const char *from)
{
    unsigned parked = 0;
    int data;
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &data);
    int client = come(session, from);
    WAIT_FOR(&world->stage, (parked = view_of(session).parked_count) > 0 ||
                                state_of(session) == SESSION_CONNECTED);
    sessions_end_all(world->sessions); /* nobody takes anything back */
    close(client);
    close(data);
    return parked == 0;
}

/* Parks a client and admits it. */
static struct session *admit(struct world *world, enum kind kind, struct pair *ret_pair)
{
    struct session *session = world_ask_until_waiting(world, kind, &ret_pair->data);
    ret_pair->client = client_connect(ANNA, public_port(session));
    if (kind == KIND_SSH) {
        client_say(ret_pair->client, SSH_ID, strlen(SSH_ID));
    } else {
        client_say(ret_pair->client, RDP_REQUEST, sizeof RDP_REQUEST);
    }
    WAIT_FOR(&world->stage, view_of(session).parked_count == 1);
    struct parked_view parked[PARKED_MAX];
    assert_int_equal(session_parked(session, parked), 1);
    assert_int_equal(session_admit(session, parked[0].number, &ANNAS_HANDS), 0);
    expect_hello(world, session, ret_pair->data);
    return session;
}

static void only_a_persons_word_makes_an_address_known(void **state)
{
    struct world *world = new_world();
    struct pair pair;
    (void)state;
    world->settings.admit = ADMIT_KNOWN;
    world_start(world);
    begin(world, KIND_RDP, &pair); /* with the secret */
    close_pair(&pair);
    assert_false(is_known(world, ANNA));
    world->settings.admit = ADMIT_AUTO;
    begin(world, KIND_SSH, &pair);
    close_pair(&pair);
    world->settings.admit = ADMIT_KNOWN;
    assert_false(is_known(world, ANNA));
    for (enum kind kind = KIND_SSH; kind <= KIND_RDP; kind++) {
        admit(world, kind, &pair);
        assert_true(world_logged(world, "127.0.0.2 is in (admitted by telegram:42)"));
        close_pair(&pair);
        assert_true(is_known(world, ANNA));
        assert_false(is_known(world, BERT));
        struct session *other = world_ask_until_waiting(world, KIND_RDP, &pair.data);
        pair.client = client_connect(ANNA, public_port(other));
        client_say(pair.client, RDP_REQUEST,
                   sizeof RDP_REQUEST); /* a neighbour, without the file */
        WAIT_FOR(&world->stage, view_of(other).parked_count == 1);
        session_block(other, 1, &ANNAS_HANDS);
        close_pair(&pair);
        assert_false(is_known(world, ANNA));
    }
    world_stop(world);
}

static void a_close_soon_after_admit_takes_it_back(void **state)
{
    (void)state;
    for (unsigned late = 0; late < 2; late++) {
        struct world *world = new_world();
        struct pair pair;
        world->settings.admit = ADMIT_KNOWN;
        world_start(world);
        struct session *session = admit(world, KIND_SSH, &pair);
        stage_hurry(1000);
        pass_time(world, late ? 70 : 20); /* of 60 s */
        session_close(session);
        const char *note = view_of(session).note; /* the loop takes the session away */
        assert_int_equal(note && strstr(note, "is forgotten again"), !late);
        stage_hurry(1);
        assert_int_equal(is_known(world, ANNA), late);
        close_pair(&pair);
        world_stop(world);
    }
}

/* Each further connection of the session said so once more. */
static void what_was_forgotten_is_not_known_again_by_the_next_connection(void **state)
{
    struct world *world = new_world();
    struct pair pair;
    struct addr anna;
    (void)state;
    world->settings.admit = ADMIT_KNOWN;
    world_start(world);
    struct known *known = sessions_known(world->sessions);
    struct session *session = admit(world, KIND_SSH, &pair);
    assert_int_equal(addr_parse(ANNA, 0, &anna), 0);
    assert_true(known_has(known, &ANNAS_HANDS, &anna));
    assert_int_equal(known_forget(known, NULL, &anna), 1);
    close_pair(&pair);
    one_more(world, session, &pair);
    assert_false(known_has(known, &ANNAS_HANDS, &anna));
    close_pair(&pair);
    world_stop(world);
}

/* ---- channels that do not come ------------------------------------------------ */

static void a_gateway_without_room_costs_one_connection_and_says_so(void **state)
{
    struct world *world = new_world();
    struct pair pairs[2];
    (void)state;
    world_start(world);
    struct session *session = begin(world, KIND_SSH, &pairs[0]);
    for (unsigned alone = 0; alone < 2; alone++) {
        if (alone) {
            close_pair(&pairs[0]);
            WAIT_FOR(&world->stage, state_of(session) == SESSION_RECONNECTING);
        }
        ask_more(world, session, &pairs[1]);
        peer_say_failed(&world->peers[0], TUNNEL_BUSY, "");
        world_lose(world, pairs[1].client);
        WAIT_FOR(&world->stage, strstr(world->events, "noted"));
        assert_non_null(strstr(view_of(session).note, "gateway home has too many tunnels open"));
        assert_true(port_is_closed(data_port(session)));
        assert_int_equal(state_of(session), alone ? SESSION_RECONNECTING : SESSION_CONNECTED);
    }
    one_more(world, session, &pairs[0]); /* it has room again */
    assert_non_null(view_of(session).note);
    work(world, &pairs[0]);
    assert_null(view_of(session).note); /* which is past */
    close_pair(&pairs[0]);
    world_stop(world);
}

static void a_target_that_fails_one_connection_does_not_end_the_others(void **state)
{
    struct world *world = new_world();
    struct pair pairs[2];
    (void)state;
    world_start(world);
    struct session *session = begin(world, KIND_SSH, &pairs[0]);
    ask_more(world, session, &pairs[1]);
    attach(world, session, &pairs[1]);
    peer_say_failed(&world->peers[0], TUNNEL_REFUSED, "");
    net_reset(pairs[1].data);
    world_lose(world, pairs[1].client);
    WAIT_FOR(&world->stage, strstr(world->events, "noted"));
    assert_non_null(strstr(view_of(session).note, "refused: HOME-PC"));
    talk(world, &pairs[0]);
    assert_int_equal(state_of(session), SESSION_CONNECTED);
    close_pair(&pairs[0]);
    world_stop(world);
}

/* The next client would fare no better, and a user who waits is told nothing by "connected". */
static void a_relay_that_takes_nothing_ends_the_session_at_once(void **state)
{
    enum { FRESH, ON_TRIAL, WAYS };
    static const char *const EVENTS[WAYS] = {"waiting, ended", "waiting, connected, ended"};
    (void)state;
    for (unsigned way = FRESH; way < WAYS; way++) {
        struct world *world = new_world();
        struct pair pair;
        char refusal[96];
        world_start(world);
        struct session *session = world_ask_until_waiting(world, KIND_SSH, &pair.data);
        snprintf(refusal, sizeof refusal, "the server could not take the connection over: %s",
                 strerror(ENOMEM));
        if (way == ON_TRIAL) {
            pass_time(world, 1100);
        }
        relay_refuses = -ENOMEM;
        pair.client = come(session, ANNA);
        WAIT_FOR(&world->stage, world->ended == 1);
        world_lose(world, pair.client);
        world_lose(world, pair.data);
        world_expect(world, EVENTS[way]);
        assert_int_equal(world->last.end, SESSION_END_RELAY);
        assert_string_equal(world->end_text, refusal);
        assert_true(port_is_closed(world->last.public_port));
        world_stop(world);
    }
}

static void a_relay_that_takes_no_more_ends_that_connection_at_once(void **state)
{
    struct world *world = new_world();
    struct pair pair, late;
    char refusal[96];
    (void)state;
    world_start(world);
    struct session *session = begin(world, KIND_SSH, &pair);
    snprintf(refusal, sizeof refusal, "could not be opened: %s", strerror(EMFILE));
    relay_refuses = -EMFILE;
    ask_more(world, session, &late);
    world->peers[0].last = late.open;
    int data = peer_attach(world, &world->peers[0]);
    world_lose(world, late.client);
    world_lose(world, data);
    WAIT_FOR(&world->stage, strstr(world->events, "noted"));
    world_expect(world, "waiting, connected, noted");
    assert_non_null(strstr(view_of(session).note, refusal));
    assert_int_equal(state_of(session), SESSION_CONNECTED);
    talk(world, &pair);
    relay_refuses = 0;
    one_more(world, session, &late);
    close_pair(&late);
    close_pair(&pair);
    world_stop(world);
}

static void what_is_left_of_descriptors_is_not_for_further_connections(void **state)
{
    struct world *world = new_world();
    struct pair pair;
    struct rlimit before, few;
    (void)state;
    world_start(world);
    struct session *session = begin(world, KIND_SSH, &pair);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = (rlim_t)pair.client + 8; /* the next ones have numbers of the last third */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int client = come(session, ANNA);
    world_lose(world, client);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    WAIT_FOR(&world->stage, strstr(world->events, "noted"));
    assert_non_null(strstr(view_of(session).note, "most of its file descriptors in use"));
    talk(world, &pair);
    close_pair(&pair);
    world_stop(world);
}

/* ---- a gateway that comes back ------------------------------------------------ */

static void who_waits_for_the_user_gets_a_new_channel_when_the_gateway_logs_in_anew(void **state)
{
    (void)state;
    for (unsigned gone = 0; gone < 2; gone++) { /* gone first, or replaced */
        struct world *world = new_world();
        struct peer *old = &world->peers[0], *new = &world->peers[1];
        struct pair pair;
        int stale;
        world_start(world);
        struct session *session = world_ask_until_waiting(world, KIND_SSH, &stale);
        if (gone) {
            peer_vanish(world, old);
        }
        peer_log_in(world, new, "home");
        WAIT_FOR(&world->stage, new->opens == 1);
        assert_int_equal(new->last.channel, 1);
        pair.data = peer_attach(world, new);
        world_lose(world, stale);
        pair.client = come(session, ANNA);
        expect_hello(world, session, pair.data);
        talk(world, &pair);
        world_expect(world, "waiting, connected");
        close_pair(&pair);
        world_stop(world);
    }
}

static void a_channel_that_cannot_be_renewed_ends_the_wait_with_a_reason(void **state)
{
    struct world *world = new_world();
    struct peer *new = &world->peers[1];
    int stale;
    (void)state;
    world_start(world);
    world_ask_until_waiting(world, KIND_SSH, &stale);
    peer_log_in(world, new, "home");
    WAIT_FOR(&world->stage, new->opens == 1);
    peer_say_failed(new, TUNNEL_BUSY, "");
    WAIT_FOR(&world->stage, world->ended == 1);
    assert_non_null(strstr(world->end_text, "gateway home has too many tunnels open"));
    world_lose(world, stale);
    world_stop(world);
}

static void a_gateway_that_goes_is_not_a_client_that_did(void **state)
{
    struct world *world = new_world();
    struct pair pair;
    (void)state;
    world_start(world);
    struct session *session = begin(world, KIND_SSH, &pair);
    close_pair(&pair);
    WAIT_FOR(&world->stage, state_of(session) == SESSION_RECONNECTING);
    assert_false(view_of(session).gateway_is_away);
    peer_vanish(world, &world->peers[0]);
    WAIT_FOR(&world->stage, strstr(world->events, "noted"));
    assert_true(view_of(session).gateway_is_away);
    world_expect(world, "waiting, connected, reconnecting, noted");

    peer_log_in(world, &world->peers[0], "home");
    WAIT_FOR(&world->stage, strstr(world->events, "noted"));
    assert_false(view_of(session).gateway_is_away);
    one_more(world, session, &pair);
    stage_hurry(100);
    close_pair(&pair);
    peer_vanish(world, &world->peers[0]);
    WAIT_FOR(&world->stage, world->ended == 1);
    assert_int_equal(world->last.end, SESSION_END_GATEWAY);
    assert_true(world->last.was_ready);
    world_stop(world);
}

static void a_client_that_waits_for_its_channel_gets_it_from_the_new_login(void **state)
{
    struct world *world = new_world();
    struct peer *new = &world->peers[1];
    struct pair pairs[2];
    (void)state;
    world_start(world);
    struct session *session = begin(world, KIND_SSH, &pairs[0]);
    ask_more(world, session, &pairs[1]);
    peer_log_in(world, new, "home");
    WAIT_FOR(&world->stage, new->opens == 1);
    assert_int_equal(new->last.channel, 2);
    pairs[1].data = peer_attach(world, new);
    expect_hello(world, session, pairs[1].data);
    talk(world, &pairs[1]);
    talk(world, &pairs[0]);
    close_pair(&pairs[0]);
    close_pair(&pairs[1]);
    world_stop(world);
}

/* ---- a reserve that leads nowhere --------------------------------------------- */

static struct session *wait_for_long(struct world *world, int *ret_data)
{
    struct session *session = world_ask_until_waiting(world, KIND_SSH, ret_data);
    stage_hurry(100);
    pass_time(world, 30); /* 3 s */
    stage_hurry(1);
    return session;
}

static void a_channel_that_acknowledges_or_answers_is_used(void **state)
{
    (void)state;
    for (unsigned answers = 0; answers < 2; answers++) {
        struct world *world = new_world();
        struct pair pair;
        world_start(world);
        struct session *session = wait_for_long(world, &pair.data);
        nobody_acknowledges = answers;
        uint64_t since = stage_ms();
        pair.client = come(session, ANNA);
        expect_hello(world, session, pair.data);
        if (answers) {
            client_say(pair.data, SSH_ID, strlen(SSH_ID));
            world_hear(world, pair.client, SSH_ID, strlen(SSH_ID));
        }
        talk(world, &pair);
        assert_in_range(stage_ms() - since, 0, 1000);
        assert_int_equal(world->peers[0].opens, 1);
        close_pair(&pair);
        world_stop(world);
    }
}

static void a_channel_that_swallows_the_first_bytes_is_replaced(void **state)
{
    struct world *world = new_world();
    struct peer *peer = &world->peers[0];
    struct pair pair;
    int dead;
    (void)state;
    world_start(world);
    struct session *session = wait_for_long(world, &dead);
    nobody_acknowledges = true;
    stage_hurry(20);
    uint64_t since = stage_ms();
    pair.client = come(session, ANNA);
    WAIT_FOR(&world->stage, peer->opens == 2);
    assert_in_range(stage_ms() - since, 180, 1000); /* 4 s */
    assert_int_equal(peer->last.channel, 1);
    stage_hurry(1);
    pair.data = peer_attach(world, peer);
    expect_hello(world, session, pair.data); /* once more, from the start */
    talk(world, &pair);
    expect_hello(world, session, dead);
    world_lose(world, dead);
    assert_true(world_logged(world, "channel 0 does not answer, another one is taken"));
    world_expect(world, "waiting, connected");
    close_pair(&pair);
    world_stop(world);
}

/* However young: the gateway may have come from another address, and the user with it. */
static void a_channel_from_before_a_login_is_tried(void **state)
{
    struct world *world = new_world();
    struct peer *new = &world->peers[1];
    struct pair pair;
    int dead;
    (void)state;
    world_start(world);
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &dead);
    peer_vanish(world, &world->peers[0]);
    peer_log_in(world, new, "home");
    WAIT_FOR(&world->stage, new->opens == 1);
    nobody_acknowledges = true;
    pair.client = come(session, ANNA);
    pass_time(world, 30);
    pair.data = peer_attach(world, new);
    stage_hurry(20);
    WAIT_FOR(&world->stage, world_logged(world, "channel 0 does not answer, another one is taken"));
    stage_hurry(1);
    nobody_acknowledges = false;
    expect_hello(world, session, pair.data);
    talk(world, &pair);
    expect_hello(world, session, dead);
    world_lose(world, dead);
    close_pair(&pair);
    world_stop(world);
}

static void a_client_on_trial_that_is_closed_leaves_nothing(void **state)
{
    struct world *world = new_world();
    int data;
    (void)state;
    world_start(world);
    struct session *session = wait_for_long(world, &data);
    nobody_acknowledges = true;
    int client = come(session, ANNA);
    expect_hello(world, session, data);
    session_close(session);
    world_lose(world, client);
    world_lose(world, data);
    world_stop(world);
}

/* ---- last words -------------------------------------------------------------- */

static void what_the_target_said_instead_of_a_login_is_told_to_the_user(void **state)
{
    static const char WORDS[] = "Not allowed at this time\r\n";
    struct world *world = new_world();
    struct pair pair;
    (void)state;
    world_start(world);
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &pair.data);
    pair.client = come(session, ANNA);
    expect_hello(world, session, pair.data);
    client_say(pair.data, WORDS, strlen(WORDS));
    close(pair.data);
    world_hear(world, pair.client, WORDS, strlen(WORDS));
    WAIT_FOR(&world->stage, client_was_sent_off(pair.client));
    close(pair.client);
    WAIT_FOR(&world->stage, state_of(session) == SESSION_RECONNECTING);
    assert_non_null(strstr(view_of(session).note, "said: “Not allowed at this time”; its SSH"));
    WAIT_FOR(&world->stage, strstr(world->events, "noted"));
    world_stop(world);
}

static void a_target_that_is_not_reached_any_more_is_told_as_that(void **state)
{
    struct world *world = new_world();
    struct pair pair;
    (void)state;
    world_start(world);
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &pair.data);
    pair.client = come(session, ANNA);
    expect_hello(world, session, pair.data);
    net_reset(pair.data); /* what gateway-agent does when the real dial fails */
    world_lose(world, pair.client);
    peer_say_failed(&world->peers[0], TUNNEL_REFUSED, "HOME-PC:22 refuses");
    WAIT_FOR(&world->stage, world->ended == 1);
    assert_non_null(strstr(world->end_text, "refused: HOME-PC is there"));
    assert_false(world_logged(world, "without a word"));
    world_stop(world);
}

static void a_target_that_hangs_up_without_a_word_is_told_from_a_client_that_goes(void **state)
{
    enum who { TARGET_FIN, TARGET_RST, CLIENT_FIN, CLIENT_RST, TARGET_AFTER_A_WORD, WHO_COUNT };
    (void)state;
    for (enum who who = 0; who < WHO_COUNT; who++) {
        struct world *world = new_world();
        struct pair pair;
        world_start(world);
        struct session *session = world_ask_until_waiting(world, KIND_SSH, &pair.data);
        pair.client = come(session, ANNA);
        expect_hello(world, session, pair.data);
        bool target_first = who == TARGET_FIN || who == TARGET_RST || who == TARGET_AFTER_A_WORD;
        int *first = target_first ? &pair.data : &pair.client;
        int *other = target_first ? &pair.client : &pair.data;
        if (who == TARGET_AFTER_A_WORD) {
            talk(world, &pair);
        }
        if (who == TARGET_RST || who == CLIENT_RST) {
            net_reset(*first);
        } else {
            close(*first);
        }
        WAIT_FOR(&world->stage, client_was_sent_off(*other));
        close(*other);
        WAIT_FOR(&world->stage, state_of(session) == SESSION_RECONNECTING);
        const char *note = view_of(session).note;
        bool hung_up = who == TARGET_FIN || who == TARGET_RST;
        assert_int_equal(note && strstr(note, "the machine hung up without a word"), hung_up);
        world_stop(world);
    }
}

/* ---- clients that wait for the server's first word --------------------------- */

enum { FASTER = 50 };

/* One that says nothing is in, and the gateway was asked to dial for it. */
static void come_silently(struct world *world, const struct session *session, const char *from,
                          struct pair *ret_pair)
{
    struct peer *gateway = &world->peers[0];
    unsigned opens = gateway->opens, dials = gateway->dials;
    stage_hurry(FASTER);
    ret_pair->client = client_connect(from, public_port(session));
    WAIT_FOR(&world->stage, gateway->opens == opens + 1 && gateway->dials == dials + 1);
    stage_hurry(1);
    ret_pair->open = gateway->last;
    assert_int_equal(gateway->dialled.session, ret_pair->open.session);
    assert_int_equal(gateway->dialled.channel, ret_pair->open.channel);
    ret_pair->data = peer_attach(world, gateway);
    client_say(ret_pair->data, SSH_ID, strlen(SSH_ID)); /* the target speaks first */
    world_hear(world, ret_pair->client, SSH_ID, strlen(SSH_ID));
}

static void make_known(struct world *world, const char *from)
{
    struct addr addr;
    assert_int_equal(addr_parse(from, 1, &addr), 0);
    known_add(sessions_known(world->sessions), &ANNAS_HANDS, &ANNAS_HANDS, &addr);
}

static void a_silent_client_from_a_known_address_hears_the_target_first(void **state)
{
    struct world *world = new_world();
    struct pair pairs[2], spare;
    (void)state;
    world->settings.admit = ADMIT_KNOWN;
    world_start(world);
    make_known(world, ANNA);
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &spare.data);
    for (unsigned i = 0; i < 2; i++) { /* and once more, as any client may */
        come_silently(world, session, ANNA, &pairs[i]);
        talk(world, &pairs[i]);
    }
    assert_true(world_logged(world, "127.0.0.2 is in (known address); it has said nothing"));
    assert_int_equal(view_of(session).connections, 2);
    int speaking = come(session, ANNA); /* gets the channel that was in reserve */
    expect_hello(world, session, spare.data);
    close(speaking);
    close(spare.data);
    close_pair(&pairs[0]);
    close_pair(&pairs[1]);
    WAIT_FOR(&world->stage, state_of(session) == SESSION_RECONNECTING);
    assert_null(view_of(session).note);
    world_stop(world);
}

/* Drops it, and nothing was asked of the gateway. */
static void expect_dropped(struct world *world, const struct session *session, const char *from)
{
    unsigned opens = world->peers[0].opens;
    stage_hurry(FASTER);
    int client = client_connect(from, public_port(session));
    WAIT_FOR(&world->stage, client_was_sent_off(client));
    stage_hurry(1);
    close(client);
    assert_int_equal(world->peers[0].opens, opens);
    assert_int_equal(state_of(session), SESSION_WAITING);
}

static void other_silent_clients_are_dropped_with_a_line(void **state)
{
    struct world *world = new_world();
    int data;
    (void)state;
    world->settings.admit = ADMIT_KNOWN;
    world_start(world);
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &data);
    expect_dropped(world, session, BERT);
    assert_true(world_logged(world, "127.0.0.3 has said nothing for 5 s and is dropped"));
    assert_null(view_of(session).note);
    world->settings.admit = ADMIT_ASK; /* now the address that it comes from says nothing */
    make_known(world, ANNA);
    expect_dropped(world, session, ANNA);
    assert_non_null(strstr(view_of(session).note, "a client at 127.0.0.2 said nothing and was "
                                                  "dropped"));
    close(data);
    world_stop(world);
}

static void a_silent_client_of_an_older_gateway_is_dropped_with_a_reason(void **state)
{
    struct world *world = new_world();
    int data;
    (void)state;
    world_start(world);
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &data);
    gateways_speak_version_1 = true;
    expect_dropped(world, session, ANNA);
    gateways_speak_version_1 = false;
    assert_non_null(strstr(view_of(session).note, "upgrade gateway-agent there"));
    close(data);
    world_stop(world);
}

/* With ADMIT=auto: a scanner that waits for banners is no user. */
static void who_never_says_a_word_does_not_keep_the_session(void **state)
{
    struct world *world = new_world();
    struct pair scanner, anna;
    (void)state;
    world_start(world);
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &anna.data);
    for (unsigned i = 0; i < 2; i++) {
        come_silently(world, session, BERT, &scanner);
        assert_int_equal(state_of(session), SESSION_CONNECTED);
        close_pair(&scanner);
        WAIT_FOR(&world->stage, state_of(session) == SESSION_WAITING);
        assert_false(view_of(session).has_client);
        assert_int_not_equal(view_of(session).seconds_left, 0);
    }
    anna.client = come(session, ANNA);
    expect_hello(world, session, anna.data);
    talk(world, &anna);
    world_expect(world, "waiting, connected, waiting, connected, waiting, connected");
    assert_true(world_logged(world, "client that was in has gone without a login"));
    close_pair(&anna);
    WAIT_FOR(&world->stage, state_of(session) == SESSION_RECONNECTING); /* hers for good */
    world_stop(world);
}

/* What the scanner has said when she comes does not count if it is no login. */
static void she_takes_the_place_of_one_that_said(const char *something)
{
    struct world *world = new_world();
    struct pair scanner, anna;
    char host[ADDR_HOST_MAX];
    world_start(world);
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &anna.data);
    come_silently(world, session, BERT, &scanner);
    if (something[0]) {
        client_say(scanner.client, something, strlen(something));
        world_hear(world, scanner.data, something, strlen(something));
    }
    anna.client = come(session, ANNA);
    world_lose(world, scanner.client);
    world_lose(world, scanner.data);
    expect_hello(world, session, anna.data);
    talk(world, &anna);
    struct session_view view = view_of(session);
    assert_string_equal(addr_host_text(&view.client, host), ANNA);
    int late = come(session, BERT); /* and it is not Bert's session any more */
    world_lose(world, late);
    close_pair(&anna);
    world_stop(world);
}

static void the_first_who_speaks_takes_the_place_of_one_that_does_not(void **state)
{
    (void)state;
    she_takes_the_place_of_one_that_said("");
}

/* As scanners of other protocols do, who have waited for a banner. */
static void who_says_something_else_does_not_keep_the_session_either(void **state)
{
    (void)state;
    she_takes_the_place_of_one_that_said("GET / HTTP/1.0\r\n\r\n");
}

static void once_it_speaks_a_silent_client_is_in_as_any_other(void **state)
{
    struct world *world = new_world();
    struct pair anna, spare;
    (void)state;
    world_start(world);
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &spare.data);
    come_silently(world, session, ANNA, &anna);
    begin_login(world, &anna);
    int stranger = come(session, BERT);
    world_lose(world, stranger);
    talk(world, &anna);
    close_pair(&anna);
    WAIT_FOR(&world->stage, state_of(session) == SESSION_RECONNECTING);
    close(spare.data);
    world_stop(world);
}

static void a_strict_session_is_not_for_silent_strangers(void **state)
{
    struct world *world = new_world();
    int data;
    (void)state;
    world->settings.reconnect_grace = 0;
    world->settings.max_connections = 1;
    world_start(world);
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &data);
    expect_dropped(world, session, ANNA);
    close(data);
    world_stop(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_connections_run_side_by_side),
        cmocka_unit_test(after_a_mistyped_login_comes_the_next),
        cmocka_unit_test(the_ninth_ssh_connection_is_turned_away_and_that_is_said),
        cmocka_unit_test(of_four_rdp_connections_the_oldest_makes_room),
        cmocka_unit_test(the_strict_session_is_one_connection),
        cmocka_unit_test(without_a_grace_it_ends_with_its_last_connection),
        cmocka_unit_test(the_longest_time_holds_for_short_connections_too),
        cmocka_unit_test(who_does_nothing_is_warned_and_spared_when_used),
        cmocka_unit_test(the_longest_time_is_extended_unless_a_rule_says_it),
        cmocka_unit_test(the_end_of_its_hours_is_announced_once_and_comes),
        cmocka_unit_test(there_is_nothing_to_extend_before_somebody_is_in),
        cmocka_unit_test(strangers_stay_out_and_leave_a_line_in_the_log),
        cmocka_unit_test(a_noisy_network_does_not_keep_another_out_of_the_log),
        cmocka_unit_test(the_secret_from_elsewhere_is_told_to_the_user_once),
        cmocka_unit_test(only_a_persons_word_makes_an_address_known),
        cmocka_unit_test(a_close_soon_after_admit_takes_it_back),
        cmocka_unit_test(what_was_forgotten_is_not_known_again_by_the_next_connection),
        cmocka_unit_test(a_gateway_without_room_costs_one_connection_and_says_so),
        cmocka_unit_test(a_target_that_fails_one_connection_does_not_end_the_others),
        cmocka_unit_test(a_relay_that_takes_nothing_ends_the_session_at_once),
        cmocka_unit_test(a_relay_that_takes_no_more_ends_that_connection_at_once),
        cmocka_unit_test(what_is_left_of_descriptors_is_not_for_further_connections),
        cmocka_unit_test(who_waits_for_the_user_gets_a_new_channel_when_the_gateway_logs_in_anew),
        cmocka_unit_test(a_channel_that_cannot_be_renewed_ends_the_wait_with_a_reason),
        cmocka_unit_test(a_gateway_that_goes_is_not_a_client_that_did),
        cmocka_unit_test(a_client_that_waits_for_its_channel_gets_it_from_the_new_login),
        cmocka_unit_test(a_channel_that_acknowledges_or_answers_is_used),
        cmocka_unit_test(a_channel_that_swallows_the_first_bytes_is_replaced),
        cmocka_unit_test(a_channel_from_before_a_login_is_tried),
        cmocka_unit_test(a_client_on_trial_that_is_closed_leaves_nothing),
        cmocka_unit_test(what_the_target_said_instead_of_a_login_is_told_to_the_user),
        cmocka_unit_test(a_target_that_is_not_reached_any_more_is_told_as_that),
        cmocka_unit_test(a_target_that_hangs_up_without_a_word_is_told_from_a_client_that_goes),
        cmocka_unit_test(a_silent_client_from_a_known_address_hears_the_target_first),
        cmocka_unit_test(other_silent_clients_are_dropped_with_a_line),
        cmocka_unit_test(a_silent_client_of_an_older_gateway_is_dropped_with_a_reason),
        cmocka_unit_test(who_never_says_a_word_does_not_keep_the_session),
        cmocka_unit_test(the_first_who_speaks_takes_the_place_of_one_that_does_not),
        cmocka_unit_test(who_says_something_else_does_not_keep_the_session_either),
        cmocka_unit_test(once_it_speaks_a_silent_client_is_in_as_any_other),
        cmocka_unit_test(a_strict_session_is_not_for_silent_strangers),
    };
    int failed = cmocka_run_group_tests_name("connections", tests, NULL, NULL);
    tls_library_free();
    return failed;
}
