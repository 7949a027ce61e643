/*
 * What the bot's modules stand on, in the hands of a test: calls of the Bot API, which
 * the test answers, and the time. Link with --wrap for api_call, api_cancel,
 * api_free, api_new, timer_new, timer_set, timer_stop, timer_free, clock_ms and clock_unix.
 */
#ifndef PAMTUNNEL_TESTS_UNIT_BOT_FAKES_H
#define PAMTUNNEL_TESTS_UNIT_BOT_FAKES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vps/telegram/api.h"
#include "vps/transport/transport.h"

/* Forgets all calls, and checks that no timer is left. */
void fakes_start(void);
void fakes_end(void);

/* Telegram over that API, which is not started. It is given back with transport_free(). */
struct transport *fakes_telegram(void);

/* Lets time pass, and timers fire in order. */
void fakes_advance(uint64_t ms);
/* Sets this machine's wall clock to be off by so much; it is right at first. */
void fakes_set_clock(int64_t off_s);
/* The right time, which is also Telegram's. */
int64_t fakes_true_unix(void);

/* Calls are numbered from 0 in the order in which they were made. */
unsigned fake_calls(void);
const char *fake_method(unsigned call);
/* All parameters. */
const json_t *fake_params(unsigned call);
/* A parameter; the test fails if it is not there. */
const char *fake_string(unsigned call, const char *name);
int64_t fake_integer(unsigned call, const char *name);
/* The n-th button's `key`, or NULL. */
const char *fake_button(unsigned call, size_t n, const char *key);
/* How long it may take. */
uint32_t fake_timeout_ms(unsigned call);
/* The file that went along, or NULL. */
const char *fake_file(unsigned call);

/* The answers. A call can be answered once. */
void fake_done(unsigned call, const char *result_json);
void fake_message(unsigned call, int64_t message_id);
void fake_later(unsigned call, int code, uint32_t retry_after_s);
void fake_refuse(unsigned call, int code, const char *description);
void fake_reply(unsigned call, const struct api_reply *reply);
bool fake_is_open(unsigned call);

#endif
