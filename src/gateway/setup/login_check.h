/*
 * login_check: one try to reach the VPS with a key, without logging in: what --join and
 * --doctor check before a gateway-agent runs, and beside one that does. Without a key it asks
 * whether the VPS would pair a gateway.
 */
#ifndef PAMTUNNEL_GATEWAY_SETUP_LOGIN_CHECK_H
#define PAMTUNNEL_GATEWAY_SETUP_LOGIN_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"
#include "base/proxy.h"
#include "base/why.h"

struct login_check_request {
    const char *vps_host;
    uint16_t control_port;
    const struct proxy *proxy; /* on the way there; NULL or without a host: none */
    const char *gateway_name;
    const uint8_t *key; /* CRYPTO_KEY_SIZE bytes; NULL: there is none yet */
    int family;         /* AF_INET or AF_INET6 alone; AF_UNSPEC: whichever answers first */
};

struct login_check_result {
    struct addr vps;  /* the address that answered: the proxy's, if there is one */
    char program[64]; /* "vps-agent 0.1.0" */
    bool taken;       /* a gateway of this name is online */
    /* Without a key: why the VPS pairs nobody now, and what to do; "": it does. */
    char unpaired[200 + 1];
};

/*
 * Looks up, connects, shakes hands; takes up to half a minute. 0, or with a sentence in why
 * that says what to do: -ENOENT the name, -EHOSTUNREACH no connection, -EACCES the key or
 * the gateway's name, -EKEYEXPIRED the key was not used in time, -EDQUOT one gateway too
 * many, -EPROTONOSUPPORT the versions, -EPROTO no vps-agent.
 */
int login_check(const struct login_check_request *request, struct login_check_result *ret_result,
                struct why *why);

#endif
