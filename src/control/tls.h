/*
 * tls: TLS 1.3 (RFC 8446) with an external PSK and nothing else: psk_dhe_ke,
 * SHA-256 cipher suites, no certificates, no tickets. The PSK identity is the
 * gateway's name.
 *
 * A tls_config is made once per agent, a tls once per connection. They work on a
 * non-blocking socket that stays the caller's.
 */
#ifndef PAMTUNNEL_CONTROL_TLS_H
#define PAMTUNNEL_CONTROL_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/why.h"

struct tls_config;
struct tls;

enum { TLS_KEYS_PER_NAME = 2 }; /* while one replaces the other, either is right */

/*
 * The identity of a gateway that has no key yet and wants to be paired, and the key that goes
 * with it. Everybody has that: it keeps out who only listens, and proves nothing. No gateway can
 * be called so.
 */
#define TLS_STRANGER "pamtunnel pairing"
extern const uint8_t TLS_STRANGER_KEY[CRYPTO_KEY_SIZE];

/*
 * Looks up the keys of a gateway: the first, or the second (nth is 1). 0, or -ENOENT if there is no
 * such key: a gateway that is not known fails as one with a wrong key does. identity is a valid
 * gateway name, or TLS_STRANGER, which has one key. fd is the connection of whoever shows it.
 */
typedef int (*tls_key_fn)(void *arg, int fd, const char *identity, unsigned nth,
                          uint8_t ret_key[CRYPTO_KEY_SIZE]);

int tls_config_server(tls_key_fn key_of, void *arg, struct tls_config **ret_config);
int tls_config_client(const char *identity, const uint8_t key[CRYPTO_KEY_SIZE],
                      struct tls_config **ret_config);
/* Accepts NULL. Every tls made from it must be gone. */
void tls_config_free(struct tls_config *config);

/* At the very end of the program: gives back what the library keeps for all. */
void tls_library_free(void);

int tls_new(struct tls_config *config, int fd, struct tls **ret_tls);
/* Accepts NULL. Does not close the socket. */
void tls_free(struct tls *tls);

/* What tls_* return besides 0, a length or -errno: call again when the socket is ready. */
enum { TLS_WANT_READ = -100001, TLS_WANT_WRITE = -100002 };

/* 0 when done; TLS_WANT_*; -EACCES if the peer does not hold the key, or another -errno. */
int tls_handshake(struct tls *tls, struct why *why);
/*
 * On a server: the peer has shown a right PSK binder, with its first message. It holds
 * the key, or plays back what one that does has said. Of a stranger it is always false.
 */
bool tls_peer_is_proven(const struct tls *tls);
/* On a server: it has begun as TLS_STRANGER. */
bool tls_peer_is_stranger(const struct tls *tls);
/* The peer's PSK identity, on a server after the handshake. */
const char *tls_identity(const struct tls *tls);
/* And which of its keys it holds: nth of tls_key_fn. */
unsigned tls_key_number(const struct tls *tls);
/* Bytes read (> 0), 0 at a clean end, TLS_WANT_* or -errno. */
long tls_read(struct tls *tls, void *buf, size_t len);
/*
 * Bytes written, TLS_WANT_* or -errno. After TLS_WANT_* the same bytes have to
 * be given again.
 */
long tls_write(struct tls *tls, const void *buf, size_t len);
/*
 * There are bytes that the socket does not show any more: it need not become readable
 * before tls_handshake() or tls_read() would go on.
 */
bool tls_holds_bytes(const struct tls *tls);
/* Says goodbye in TLS's terms (close_notify), if the socket takes it at once. */
void tls_close_notify(struct tls *tls);

#endif
