/*
 * x224: the first packet of an RDP client, the X.224 Connection Request in a
 * TPKT (MS-RDPBCGR 2.2.1.1, ITU-T X.224 13.3):
 *
 *     03 00 LEN16 | LI E0 00 00 00 00 00 | [line CRLF] | [negotiation request]
 *
 * The line is a routing token or a cookie; ours carries the session's secret.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_X224_H
#define PAMTUNNEL_VPS_ADMISSION_X224_H

#include <stddef.h>
#include <stdint.h>

enum {
    X224_MAX = 259, /* 4 bytes of TPKT and LI, one byte, at most 254, and itself */
};

struct x224_request {
    const uint8_t *line; /* without CRLF; NULL if there is none. Points into data */
    size_t line_len;
};

/*
 * How many more bytes belong to the packet that starts with these len bytes, as
 * far as they tell: read no more than that. 0: it is complete. -EBADMSG if it
 * cannot be a Connection Request.
 */
long x224_missing(const uint8_t *data, size_t len);
/* Reads a complete packet. 0 or -EBADMSG. */
int x224_parse(const uint8_t *data, size_t len, struct x224_request *ret_request);
/* Takes the line out of a packet that x224_parse() accepted, in place. Returns the new length. */
size_t x224_cut_line(uint8_t *data, size_t len);

#endif
