#include "vps/admission/x224.h"

#include <errno.h>
#include <string.h>

enum {
    TPKT_VERSION = 3,
    TPKT_SIZE = 4,
    HEADER_SIZE = 11, /* TPKT, LI, and the fixed part */
    CONNECTION_REQUEST = 0xe0,
    NEGOTIATION_REQUEST = 1,
    NEGOTIATION_SIZE = 8,
};

static size_t packet_len(const uint8_t *data)
{
    return (size_t)data[2] << 8 | data[3];
}

long x224_missing(const uint8_t *data, size_t len)
{
    /* As soon as a byte is wrong: a scanner need not send a whole packet to be dropped. */
    if ((len > 0 && data[0] != TPKT_VERSION) || (len > 1 && data[1] != 0) ||
        (len > 5 && data[5] != CONNECTION_REQUEST)) {
        return -EBADMSG;
    }
    if (len < TPKT_SIZE) {
        return (long)(TPKT_SIZE - len);
    }
    size_t whole = packet_len(data);
    if (whole < HEADER_SIZE || whole > X224_MAX || len > whole) {
        return -EBADMSG;
    }
    return (long)(whole - len);
}

/* Where the line ends, CRLF included, counted from the start of the packet; 0: there is none. */
static size_t line_end(const uint8_t *data, size_t len)
{
    for (size_t i = HEADER_SIZE; i + 1 < len; i++) {
        if (data[i] == '\r' && data[i + 1] == '\n') {
            return i + 2;
        }
    }
    return 0;
}

int x224_parse(const uint8_t *data, size_t len, struct x224_request *ret_request)
{
    /* LI (X.224, 13.2.1) counts what follows it, so it repeats TPKT's length: both must agree. */
    if (len < HEADER_SIZE || x224_missing(data, len) != 0 || data[4] != len - TPKT_SIZE - 1) {
        return -EBADMSG;
    }
    struct x224_request request = {0};
    size_t rest = HEADER_SIZE;
    if (len > rest && data[rest] != NEGOTIATION_REQUEST) {
        rest = line_end(data, len);
        if (rest == 0) {
            return -EBADMSG;
        }
        request.line = data + HEADER_SIZE;
        request.line_len = rest - HEADER_SIZE - 2;
    }
    if (len > rest && (len - rest < NEGOTIATION_SIZE || data[rest] != NEGOTIATION_REQUEST)) {
        return -EBADMSG;
    }
    *ret_request = request;
    return 0;
}

size_t x224_cut_line(uint8_t *data, size_t len)
{
    struct x224_request request;
    if (x224_parse(data, len, &request) < 0 || !request.line) {
        return len;
    }
    /* The target gets a request without the line, with TPKT's length and LI set to match. */
    size_t end = HEADER_SIZE + request.line_len + 2;
    size_t shorter = HEADER_SIZE + (len - end);
    memmove(data + HEADER_SIZE, data + end, len - end);
    data[2] = (uint8_t)(shorter >> 8);
    data[3] = (uint8_t)shorter;
    data[4] = (uint8_t)(shorter - TPKT_SIZE - 1);
    return shorter;
}
