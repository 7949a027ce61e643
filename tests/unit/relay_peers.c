#include "relay_peers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* --- what is counted and moved under the relay's feet --- */

static atomic_long allocations; /* blocks in use */
static _Atomic uint64_t clock_skew_ms;
static atomic_long looks_at_clock;

/* With 64 bits of time on machines of 32, glibc has another name for it. */
#if defined __GLIBC__ && defined __USE_TIME_BITS64 && __TIMESIZE == 32
#define SETTIME "__timerfd_settime64"
#else
#define SETTIME "timerfd_settime"
#endif

void *__real_malloc(size_t size);
void __real_free(void *block);
uint64_t __real_clock_ms(void);
int __real_timerfd_settime(int fd, int flags, const struct itimerspec *set,
                           struct itimerspec *was) __asm__("__real_" SETTIME);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *block);
uint64_t __wrap_clock_ms(void);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *set,
                           struct itimerspec *was) __asm__("__wrap_" SETTIME);

void *__wrap_malloc(size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    /*
     * Not the real one: a C library that is linked statically comes to
     * __wrap_malloc() from there.
     */
    size_t len;
    void *block = __builtin_mul_overflow(count, size, &len) ? NULL : __wrap_malloc(len);
    return block ? memset(block, 0, len) : NULL;
}

void __wrap_free(void *block)
{
    if (block) {
        atomic_fetch_sub(&allocations, 1);
    }
    __real_free(block);
}

uint64_t __wrap_clock_ms(void)
{
    atomic_fetch_add(&looks_at_clock, 1);
    return __real_clock_ms() + atomic_load(&clock_skew_ms);
}

/* Workers sweep a thousand times as often, so that no test has to wait for it. */
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *set, struct itimerspec *was)
{
    struct itimerspec often = {
        .it_interval.tv_nsec = (long)set->it_interval.tv_sec * 1000 * 1000,
        .it_value.tv_nsec = (long)set->it_value.tv_sec * 1000 * 1000,
    };
    return __real_timerfd_settime(fd, flags, &often, was);
}

void wait_for_sweeps(void)
{
    long before = atomic_load(&looks_at_clock);
    for (int i = 0; i < PATIENCE_MS && atomic_load(&looks_at_clock) < before + 6; i++) {
        usleep(1000); /* nothing else tells */
    }
    assert_true(atomic_load(&looks_at_clock) >= before + 6);
}

long blocks_in_use(void)
{
    return atomic_load(&allocations);
}

void skip_time(uint64_t ms)
{
    atomic_fetch_add(&clock_skew_ms, ms);
}

static int count_descriptors(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir)) {
        count++;
    }
    closedir(dir);
    return count;
}

/* --- random numbers and noise --- */

static uint64_t random_state;
uint8_t noise[NOISE_SIZE];

size_t random_below(size_t bound)
{
    random_state ^= random_state << 13; /* xorshift64 */
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state % bound);
}

bool chance(unsigned percent)
{
    return random_below(100) < percent;
}

int start_randomness(void **state)
{
    (void)state;
    const char *given = getenv("PAMTUNNEL_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : 0;
    if (seed == 0 && getrandom(&seed, sizeof seed, 0) < 0) {
        return -1;
    }
    printf("# PAMTUNNEL_TEST_SEED=%llu, mode %u\n", (unsigned long long)seed, mode);
    random_state = seed | 1;
    for (size_t i = 0; i < NOISE_SIZE; i++) {
        noise[i] = (uint8_t)random_below(256);
    }
    return 0;
}

/* --- peers --- */

static int tcp_socket(int buffer)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (buffer > 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    }
    return fd;
}

void connection(int buffer, int *ret_outer, int *ret_inner)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    int listener = tcp_socket(buffer);
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    *ret_outer = tcp_socket(buffer);
    assert_int_equal(connect(*ret_outer, (struct sockaddr *)&addr, len), 0);
    *ret_inner = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(*ret_inner >= 0);
    assert_int_equal(fcntl(*ret_outer, F_SETFL, O_NONBLOCK), 0);
    int on = 1;
    setsockopt(*ret_inner, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(*ret_outer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    close(listener);
}

void peer_send(struct peer *peer)
{
    size_t at = (peer->out_at + peer->sent) % NOISE_SIZE;
    size_t len = 1 + random_below(CHUNK_MAX);
    len = len < NOISE_SIZE - at ? len : NOISE_SIZE - at;
    len = len < peer->to_send - peer->sent ? len : peer->to_send - peer->sent;
    ssize_t sent = send(peer->fd, noise + at, len, MSG_NOSIGNAL);
    if (sent >= 0) {
        peer->sent += (size_t)sent;
    } else if (errno != EAGAIN) {
        peer->error = errno;
    }
}

static void peer_end_sending(struct peer *peer)
{
    if (peer->fin && !peer->fin_sent && peer->sent == peer->to_send && peer->error == 0) {
        shutdown(peer->fd, SHUT_WR);
        peer->fin_sent = true;
    }
}

void peer_recv(struct peer *peer)
{
    static uint8_t buffer[CHUNK_MAX];
    ssize_t got = recv(peer->fd, buffer, 1 + random_below(CHUNK_MAX), 0);
    if (got < 0) {
        peer->error = errno == EAGAIN ? peer->error : errno;
        return;
    }
    peer->eof = got == 0;
    for (size_t done = 0; done < (size_t)got;) {
        size_t at = (peer->in_at + peer->got) % NOISE_SIZE;
        size_t len = (size_t)got - done < NOISE_SIZE - at ? (size_t)got - done : NOISE_SIZE - at;
        assert_memory_equal(buffer + done, noise + at, len);
        done += len;
        peer->got += len;
    }
}

static short peer_wants(const struct peer *peer)
{
    bool over = peer->fd < 0 || peer->error != 0;
    short events = 0;
    if (!over && !peer->deaf && !peer->eof) {
        events |= POLLIN;
    }
    if (!over && peer->sent < peer->to_send) {
        events |= POLLOUT;
    }
    return events;
}

bool pump(struct peer *peers, size_t count, int quiet_ms)
{
    struct pollfd polls[512];
    assert_true(count <= sizeof polls / sizeof polls[0]);
    uint64_t last_news = __real_clock_ms();
    for (;;) {
        bool wanted = false, left_out = false;
        for (size_t i = 0; i < count; i++) {
            peer_end_sending(&peers[i]);
            short wants = peer_wants(&peers[i]);
            bool skip = wants && chance(20);
            wanted |= wants != 0;
            left_out |= skip;
            polls[i] = (struct pollfd){.fd = wants && !skip ? peers[i].fd : -1, .events = wants};
        }
        if (!wanted) {
            return true;
        }
        if (poll(polls, count, left_out ? 1 : quiet_ms) > 0) {
            last_news = __real_clock_ms();
        } else if (__real_clock_ms() - last_news >= (uint64_t)quiet_ms) {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            short got = polls[i].fd >= 0 ? polls[i].revents : 0;
            bool news = got & (POLLIN | POLLERR | POLLHUP) && !peers[i].deaf && !peers[i].eof;
            if (got & POLLOUT && peers[i].sent < peers[i].to_send) {
                peer_send(&peers[i]);
            }
            if (news && peers[i].error == 0) {
                peer_recv(&peers[i]);
            }
        }
    }
}

void settle(struct peer *peers, size_t count)
{
    assert_true(pump(peers, count, PATIENCE_MS));
}

bool kernel_tells_of_tcp(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && len > sizeof(int);
}

void peer_close(struct peer *peer)
{
    if (peer->fd >= 0) {
        close(peer->fd);
        peer->fd = -1;
    }
}

void peer_reset(struct peer *peer)
{
    struct linger linger = {.l_onoff = 1};
    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    peer_close(peer);
}

void peer_read_up_to(struct peer *peer, size_t len)
{
    while (peer->got < len && peer->error == 0 && !peer->eof) {
        struct pollfd wait = {.fd = peer->fd, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
        peer_recv(peer);
    }
    assert_int_equal(peer->got, len);
}

/* --- links --- */

enum mode mode;

int new_relay(unsigned workers, struct relay **ret_relay)
{
    static const struct relay_tuning tunings[] = {
        [COPIED] = {.bulk_step = SIZE_MAX},
        [SPLICED] = {.bulk_step = 1, .pipe_size = 16 * 1024, .pipes = 500},
        [SCARCE] = {.bulk_step = 1, .pipe_size = 4096, .pipes = 1},
    };
    return mode == USUAL ? relay_new(workers, ret_relay)
                         : relay_new_tuned(workers, &tunings[mode], ret_relay);
}

int set_up(void **state)
{
    static struct fixture fixture;
    fixture.descriptors = count_descriptors();
    fixture.allocations = blocks_in_use();
    atomic_store(&clock_skew_ms, 0);
    assert_int_equal(new_relay(2, &fixture.relay), 0);
    *state = &fixture;
    return 0;
}

int tear_down(void **state)
{
    struct fixture *fixture = *state;
    relay_free(fixture->relay);
    assert_int_equal(count_descriptors(), fixture->descriptors);
    assert_int_equal(blocks_in_use(), fixture->allocations);
    return 0;
}

struct link *join(struct relay *relay, struct peer peers[2], int buffer, size_t prefix_len)
{
    int inner[2];
    struct link *link;
    for (int i = 0; i < 2; i++) {
        peers[i] = (struct peer){.out_at = random_below(NOISE_SIZE - RELAY_PREFIX_MAX)};
        connection(buffer, &peers[i].fd, &inner[i]);
    }
    peers[0].in_at = peers[1].out_at;
    peers[1].in_at = peers[0].out_at;
    assert_int_equal(
        relay_join(relay, inner[0], inner[1], noise + peers[0].out_at, prefix_len, peers, &link),
        0);
    peers[0].sent = prefix_len; /* a sent it before it was a link */
    peers[0].to_send = prefix_len;
    return link;
}

struct link *wait_for_end(struct relay *relay)
{
    struct pollfd wait = {.fd = relay_events_fd(relay), .events = POLLIN};
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    struct link *link = relay_take_ended(relay);
    assert_non_null(link);
    return link;
}

void expect_end(struct relay *relay, struct link *expected, enum link_end end)
{
    struct link *link = wait_for_end(relay);
    assert_ptr_equal(link, expected);
    assert_int_equal(link_end(link), end);
    assert_int_equal(link_error(link) != 0, end != LINK_FINISHED && end != LINK_CUT);
    assert_null(relay_take_ended(relay));
    assert_int_equal(relay_running(relay), 0);
    link_free(link);
}

void close_both(struct peer peers[2])
{
    peer_close(&peers[0]);
    peer_close(&peers[1]);
}

void ping(struct peer peers[2])
{
    for (int i = 0; i < 2; i++) {
        peers[i].to_send = peers[i].sent + 1;
        /* What went before may be read and not yet acknowledged, and the buffer is a small one. */
        struct pollfd room = {.fd = peers[i].fd, .events = POLLOUT};
        assert_int_equal(poll(&room, 1, PATIENCE_MS), 1);
        peer_send(&peers[i]);
        assert_int_equal(peers[i].error, 0);
        assert_int_equal(peers[i].sent, peers[i].to_send);
        peer_read_up_to(&peers[1 - i], peers[i].sent);
    }
}

void bring_about(enum before before, struct peer *victim, struct peer *killer)
{
    if (before == MOVED) {
        killer->to_send = 100 * 1000;
        while (killer->sent < killer->to_send) {
            peer_send(killer);
            pump(victim, 1, 1);
        }
        peer_read_up_to(victim, killer->to_send);
    } else if (before == STALLED) {
        struct peer *both[] = {victim, killer};
        for (int i = 0; i < 2; i++) {
            both[i]->deaf = true;
            both[i]->to_send = 64 * MIB;
            assert_false(pump(both[i], 1, QUIET_MS));
        }
    } else if (before == OWN_FIN) {
        shutdown(killer->fd, SHUT_WR);
        while (!victim->eof) {
            pump(victim, 1, QUIET_MS);
        }
    } else if (before == OTHERS_FIN) {
        shutdown(victim->fd, SHUT_WR);
        while (!killer->eof) {
            pump(killer, 1, QUIET_MS);
        }
    }
}

static int drop_all(int fd)
{
    struct sock_filter drop = {.code = BPF_RET | BPF_K};
    struct sock_fprog program = {.len = 1, .filter = &drop};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

bool may_go_dead(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    bool may = drop_all(fd) == 0;
    close(fd);
    return may;
}

void go_dead(int fd)
{
    assert_int_equal(drop_all(fd), 0);
}

void expect_reset(struct peer *peer)
{
    struct pollfd wait = {.fd = peer->fd};
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    int error;
    socklen_t len = sizeof error;
    assert_int_equal(getsockopt(peer->fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    /* Linux says EPIPE if a FIN had come before. */
    assert_int_equal(error, peer->eof ? EPIPE : ECONNRESET);
}
