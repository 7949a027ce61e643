/*
 * https: TLS (1.2 or 1.3) around a browser's connection to a session's page, with the certificate
 * that there is for this server. Whoever comes is a stranger: how many there are at once and how
 * many handshakes somebody gets is bounded, since each costs this server a signature.
 *
 * One https for the agent, a line for each connection, on a non-blocking socket that stays the
 * caller's.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_HTTPS_H
#define PAMTUNNEL_VPS_ADMISSION_HTTPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net.h"
#include "vps/grant/publisher.h"
#include "vps/settings/settings.h"

enum {
    HTTPS_LINES_MAX = 64,       /* of all sessions; each takes 40 KiB */
    HTTPS_SIGNED_MOST = 32,     /* handshakes at once, of all; then one each ... */
    HTTPS_SIGNED_EACH_MS = 100, /* ... which is 3 % of a processor with RSA of 2048 bits */
    HTTPS_NETWORK_MOST = 16,    /* of one network; then one each ... */
    HTTPS_NETWORK_EACH_MS = 1000,
    HTTPS_AHEAD_MAX = 512,         /* bytes that were read before it is known to be TLS */
    HTTPS_RECEIVED_MAX = 32 * 1024 /* by one line */
};

struct https;
struct https_line;

/* publisher (may be NULL) and settings outlive it. NULL: no memory. */
struct https *https_new(struct publisher *publisher, const struct vps_settings *settings);
/* All its lines must be gone. Accepts NULL. */
void https_free(struct https *https);
/* There is a certificate now that browsers may take for the one of VPS_HOST. Accepts NULL: none. */
bool https_is_offered(struct https *https);

/*
 * How many more bytes may be read behind these before it is clear whether they begin a client's
 * TLS; 0: they do; -EBADMSG: they do not.
 */
long https_missing(const uint8_t *data, size_t len);

/*
 * Somebody begins with these bytes, at most HTTPS_AHEAD_MAX. -EPROTONOSUPPORT: there is no
 * certificate; -EBUSY: too many, or too often; -ENOMEM.
 */
int https_begin(struct https *https, int fd, const struct addr *from, const uint8_t *bytes,
                size_t len, struct https_line **ret_line);
/*
 * Bytes read (> 0), 0 at the end, -EAGAIN when the socket has to be waited for, or another -errno.
 * It shakes hands first.
 */
long https_read(struct https_line *line, void *buffer, size_t size);
/* What is waited for is that the socket takes bytes. */
bool https_wants_to_write(const struct https_line *line);
/* All of it, and that no more follows; what the socket does not take at once is lost. */
void https_write_last(struct https_line *line, const void *data, size_t len);
/* Does not close the socket. Accepts NULL. */
void https_line_free(struct https_line *line);

#endif
