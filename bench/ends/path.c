/*
 * path NAME-A NAME-B DELAY-MS MBIT LOSS-PERCENT QUEUE-MS: a line between two TUN devices, the same
 * either way. Bytes leave at MBIT and arrive DELAY-MS later; what would wait longer than QUEUE-MS in
 * front of that is dropped, and LOSS-PERCENT of the packets at random. Prints "ready" when both
 * devices are there, to be moved to where they belong, and runs until it is killed.
 *
 * The kernel hands over TCP's packets before it cuts them into segments, up to 64 KiB at once, and
 * takes them the same way, so a thread for each direction carries gigabits. Rate, loss and queue are
 * those of the segments: what is left of such a packet goes on as one or several.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "way.h"

enum {
    RING_SIZE = 256 << 20,
    PACKET_MAX = 66 * 1024,
    RUN_NS = 1000000, /* what goes on at once: no more than the line carries in this time */
    READS_MAX = 64,   /* before what is due goes out */
};

struct line {
    int64_t delay_ns, queue_ns;
    double ns_per_byte;
    uint32_t loss; /* of 2^32 */
};

/* What is on its way. */
struct entry {
    int64_t due;
    uint32_t len;
    uint8_t bytes[];
};

struct direction {
    const struct line *line;
    int from, to;
    int64_t free_at; /* when the line has sent what it took */
    uint64_t head, tail;
    uint8_t *ring;
    uint64_t random;
};

/* A packet as the kernel hands it over. */
struct packet {
    struct virtio_net_hdr head;
    uint8_t bytes[PACKET_MAX];
};

static int open_tun(const char *name)
{
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 ||
        ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) < 0) {
        die(name);
    }
    return fd;
}

/* No entry begins where the longest would not fit any more. */
static struct entry *entry_at(const struct direction *d, uint64_t *at)
{
    if (*at % RING_SIZE > RING_SIZE - sizeof(struct entry) - sizeof(struct packet)) {
        *at += RING_SIZE - *at % RING_SIZE;
    }
    return (struct entry *)(d->ring + *at % RING_SIZE);
}

static uint64_t entry_size(const struct entry *entry)
{
    return (sizeof *entry + entry->len + 7) & ~7UL;
}

static bool is_full(const struct direction *d)
{
    return d->head - d->tail > RING_SIZE - 3 * sizeof(struct packet);
}

static bool is_lost(struct direction *d)
{
    d->random ^= d->random << 13;
    d->random ^= d->random >> 7;
    d->random ^= d->random << 17;
    return (uint32_t)(d->random >> 32) < d->line->loss;
}

/* Whether the queue takes so many bytes; if so, they are on the line until free_at. */
static bool is_taken(struct direction *d, int64_t now, size_t len)
{
    int64_t start = d->free_at > now ? d->free_at : now;
    if (start - now > d->line->queue_ns) {
        return false;
    }
    d->free_at = start + (int64_t)((double)len * d->line->ns_per_byte);
    return true;
}

static struct entry *append(struct direction *d, size_t len)
{
    struct entry *entry = entry_at(d, &d->head);
    entry->due = d->free_at + d->line->delay_ns;
    entry->len = (uint32_t)len;
    d->head += entry_size(entry);
    return entry;
}

static uint32_t sum_words(const void *data, size_t len)
{
    const uint8_t *bytes = data;
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < len; i += 2) {
        sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
    }
    return sum;
}

static uint16_t fold(uint32_t sum)
{
    sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t)(sum + (sum >> 16));
}

/* A TCP packet that stands for several segments. */
struct super {
    const struct packet *packet;
    size_t ip_len, headers, payload, segment, count;
};

static struct super super_of(const struct packet *packet, size_t len)
{
    const struct iphdr *ip = (const struct iphdr *)packet->bytes;
    size_t ip_len = ip->ihl * 4UL;
    const struct tcphdr *tcp = (const struct tcphdr *)(packet->bytes + ip_len);
    size_t headers = ip_len + tcp->doff * 4UL;
    size_t segment = packet->head.gso_size;
    return (struct super){packet,        ip_len,  headers,
                          len - headers, segment, (len - headers + segment - 1) / segment};
}

static size_t super_len(const struct super *s, size_t from, size_t to)
{
    size_t end = to * s->segment < s->payload ? to * s->segment : s->payload;
    return end - from * s->segment;
}

/* The segments from..to as a packet of their own; the receiving kernel fills in the checksum. */
static void append_run(struct direction *d, const struct super *s, size_t from, size_t to)
{
    size_t payload = super_len(s, from, to);
    size_t len = s->headers + payload;
    struct entry *entry = append(d, sizeof s->packet->head + len);
    struct packet *packet = (struct packet *)entry->bytes;
    struct iphdr *ip = (struct iphdr *)packet->bytes;
    struct tcphdr *tcp = (struct tcphdr *)(packet->bytes + s->ip_len);
    packet->head = s->packet->head;
    memcpy(packet->bytes, s->packet->bytes, s->headers);
    memcpy(packet->bytes + s->headers, s->packet->bytes + s->headers + from * s->segment, payload);
    if (to - from == 1) {
        packet->head.gso_type = VIRTIO_NET_HDR_GSO_NONE;
        packet->head.gso_size = 0;
    }
    ip->tot_len = htons((uint16_t)len);
    ip->id = htons((uint16_t)(ntohs(ip->id) + from));
    ip->check = 0;
    ip->check = htons((uint16_t)~fold(sum_words(ip, s->ip_len)));
    tcp->seq = htonl(ntohl(tcp->seq) + (uint32_t)(from * s->segment));
    if (to < s->count) {
        tcp->fin = tcp->psh = 0;
    }
    packet->head.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    packet->head.csum_start = (uint16_t)s->ip_len;
    packet->head.csum_offset = offsetof(struct tcphdr, check);
    tcp->check = htons(fold(sum_words(&ip->saddr, 8) + IPPROTO_TCP + (uint32_t)(len - s->ip_len)));
}

/* What of it gets through, in runs without a gap. */
static void take_super(struct direction *d, const struct super *s, int64_t now)
{
    size_t most = (size_t)(RUN_NS / d->line->ns_per_byte / (double)(s->headers + s->segment)) + 1;
    size_t from = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (!is_taken(d, now, s->headers + super_len(s, i, i + 1)) || is_lost(d)) {
            if (from < i) {
                append_run(d, s, from, i);
            }
            from = i + 1;
        } else if (i + 1 - from == most || i + 1 == s->count) {
            append_run(d, s, from, i + 1);
            from = i + 1;
        }
    }
}

static void take(struct direction *d)
{
    static _Thread_local struct packet packet;
    for (int i = 0; i < READS_MAX && !is_full(d); i++) {
        ssize_t got = read(d->from, &packet, sizeof packet);
        if (got <= (ssize_t)sizeof packet.head) {
            return;
        }
        size_t len = (size_t)got - sizeof packet.head;
        if (packet.head.gso_type == VIRTIO_NET_HDR_GSO_TCPV4) {
            struct super super = super_of(&packet, len);
            take_super(d, &super, now_ns());
        } else if (is_taken(d, now_ns(), len) && !is_lost(d)) {
            memcpy(append(d, (size_t)got)->bytes, &packet, (size_t)got);
        }
    }
}

/* Hands over what is due; when the next will be, in ns from now. */
static int64_t give(struct direction *d)
{
    while (d->tail != d->head) {
        const struct entry *entry = entry_at(d, &d->tail);
        int64_t left = entry->due - now_ns();
        if (left > 0) {
            return left;
        }
        if (write(d->to, entry->bytes, entry->len) < 0 && errno == EAGAIN) {
            return 100000;
        }
        d->tail += entry_size(entry);
    }
    return INT64_MAX;
}

static void *run(void *arg)
{
    struct direction *d = arg;
    prctl(PR_SET_TIMERSLACK, 1);
    for (;;) {
        int64_t left = give(d);
        struct timespec until = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
        struct pollfd ready = {.fd = d->from, .events = is_full(d) ? 0 : POLLIN};
        ppoll(&ready, 1, left == INT64_MAX ? NULL : &until, NULL);
        take(d);
    }
    return NULL;
}

static void start(struct direction *d)
{
    pthread_t thread;
    d->ring = mmap(NULL, RING_SIZE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (d->ring == MAP_FAILED || pthread_create(&thread, NULL, run, d) != 0) {
        die("path");
    }
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: path NAME-A NAME-B DELAY-MS MBIT LOSS-PERCENT QUEUE-MS\n");
        return 2;
    }
    static struct line line;
    line = (struct line){.delay_ns = (int64_t)(atof(argv[3]) * 1e6),
                         .queue_ns = (int64_t)(atof(argv[6]) * 1e6),
                         .ns_per_byte = 8e3 / atof(argv[4]),
                         .loss = (uint32_t)(atof(argv[5]) / 100 * UINT32_MAX)};
    int a = open_tun(argv[1]);
    int b = open_tun(argv[2]);
    static struct direction there, back;
    there = (struct direction){.line = &line, .from = a, .to = b, .random = 0x9e3779b97f4a7c15};
    back = (struct direction){.line = &line, .from = b, .to = a, .random = 0xbf58476d1ce4e5b9};
    start(&there);
    start(&back);
    puts("ready");
    fflush(stdout);
    pause();
    return 0;
}
