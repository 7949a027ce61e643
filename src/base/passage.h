/*
 * passage: the way through an HTTP proxy to a server: CONNECT HOST:PORT (RFC 9110, 9.3.6) on a
 * connection to the proxy, with basic authentication (RFC 7617) if there is a login. It is the
 * proxy that looks the host up. What comes behind its answer is the server's, and is not read.
 */
#ifndef PAMTUNNEL_BASE_PASSAGE_H
#define PAMTUNNEL_BASE_PASSAGE_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/proxy.h"
#include "base/why.h"

enum { PASSAGE_REPLY_MAX = 16 * 1024 }; /* some add pages of cookies and policies */

struct passage;

/*
 * fd is the connection, which leads to the server now, the callee's. Or it is -errno, with a
 * sentence for a person in why: -EACCES the login, -ECONNREFUSED the proxy lets nobody through to
 * there, -EHOSTUNREACH it cannot reach the server, -ETIMEDOUT, -EPROTO it is no HTTP proxy, or
 * another one. Called once, from the loop, never from inside passage_start(); the passage is gone
 * by then.
 */
typedef void (*passage_fn)(void *arg, int fd, const struct why *why);

/* Takes over a connected socket; NULL when out of memory: it stays the caller's. */
struct passage *passage_start(uv_loop_t *loop, int fd, const struct proxy *proxy, const char *host,
                              uint16_t port, uint64_t timeout_ms, passage_fn fn, void *arg);
/* The callback will not run; the connection is closed. Accepts NULL. */
void passage_cancel(struct passage *passage);

/*
 * A proxy's answer up to its empty line: how long it is, with its status; 0: more has to come;
 * -EBADMSG: it is no answer of HTTP/1.0 or 1.1.
 */
long passage_read_reply(const char *bytes, size_t len, unsigned *ret_status);

#endif
