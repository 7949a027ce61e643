/*
 * The first bytes at a control port where data channels come in, in pieces of any size: a login
 * finds all of its bytes, a data channel all that are behind HELLO, and nobody is kept waiting who
 * has said enough.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vps/gateways/arrival.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool is_so)
{
    if (!is_so) {
        abort();
    }
}

/* How many bytes are there, in spite of what was said. */
static size_t left(int fd, const uint8_t *expected, size_t size)
{
    uint8_t bytes[512];
    ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    size_t count = got < 0 ? 0 : (size_t)got;
    expect(count <= size && memcmp(bytes, expected + size - count, count) == 0);
    return count;
}

static void check(enum arrival_verdict verdict, const struct arrival *arrival, int fd,
                  const uint8_t *said, size_t size)
{
    uint64_t session;
    uint16_t channel;
    switch (verdict) {
    case ARRIVAL_UNDECIDED:
        expect(size == 0 || (said[0] == 'P' && size < PROOF_HELLO_SIZE));
        break;
    case ARRIVAL_LOGIN:
        expect(said[0] != 'P' && left(fd, said, size) == size);
        break;
    case ARRIVAL_DATA:
        expect(memcmp(arrival->hello, said, PROOF_HELLO_SIZE) == 0 &&
               proof_peek(said, &session, &channel) == 0 &&
               left(fd, said, size) == size - PROOF_HELLO_SIZE);
        break;
    case ARRIVAL_GONE:
        expect(said[0] == 'P' && size >= PROOF_HELLO_SIZE &&
               proof_peek(said, &session, &channel) < 0);
    }
}

/* The first byte is the size of a piece. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int ends[2];
    struct arrival arrival = {0};
    if (size == 0 || size > 400 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) < 0) {
        return 0;
    }
    size_t piece = data[0] ? data[0] : 1, sent = 0;
    enum arrival_verdict verdict = arrival_hear(&arrival, ends[0]);
    data++;
    size--;
    expect(verdict == ARRIVAL_UNDECIDED);
    while (sent < size && verdict == ARRIVAL_UNDECIDED) {
        size_t len = size - sent < piece ? size - sent : piece;
        expect(send(ends[1], data + sent, len, 0) == (ssize_t)len);
        sent += len;
        verdict = arrival_hear(&arrival, ends[0]);
    }
    check(verdict, &arrival, ends[0], data, sent);
    close(ends[0]);
    close(ends[1]);
    return 0;
}
