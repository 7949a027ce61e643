/*
 * health: tells gateway-agent --health whether the agent that runs with the same
 * settings is connected to the VPS, and how many tunnels it has. It answers on an
 * abstract Unix socket, which needs no folder that can be written to. Anybody on the
 * machine may connect to it: they get one line and are hung up on, and nothing that
 * they send is read.
 */
#ifndef PAMTUNNEL_GATEWAY_HEALTH_H
#define PAMTUNNEL_GATEWAY_HEALTH_H

#include <uv.h>

#include "gateway/settings.h"
#include "gateway/tunnels.h"
#include "gateway/uplink.h"

struct health;

/* By the settings, and by the env file: the settings may have changed when somebody asks. */
enum { HEALTH_ADDRESSES = 2, HEALTH_ANSWER_MAX = 64 };

/*
 * The listening sockets; -1: none. env_file may be NULL. 0, or -errno of the first one:
 * -EADDRINUSE: an agent with these settings runs already.
 */
int health_listen(const struct gateway_settings *settings, const char *env_file,
                  int ret_fds[HEALTH_ADDRESSES]);
/* Answers on them, and owns them from now on. NULL when out of memory: they stay the caller's. */
struct health *health_new(uv_loop_t *loop, const int fds[HEALTH_ADDRESSES],
                          const struct uplink *uplink, const struct tunnels *tunnels);
/* Accepts NULL. */
void health_free(struct health *health);

/*
 * The other side: asks, and has the answer: "connected to the VPS, 2 tunnels". -ENOTCONN, with
 * it in why: it runs, and is not connected; else -errno as lines_ask().
 */
int health_ask(const struct gateway_settings *settings, const char *env_file,
               char ret_answer[HEALTH_ANSWER_MAX], struct why *why);
/* Asks and prints one line. 0 if the agent is connected, -errno otherwise. */
int health_check(const struct gateway_settings *settings, const char *env_file);

#endif
