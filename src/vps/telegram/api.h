/*
 * api: calls of the Bot API (10.3), one at a time: method and parameters in, what came of it
 * out. Repeating, ordering and waiting are for outbox.h, poller.h and calls.h.
 */
#ifndef PAMTUNNEL_VPS_TELEGRAM_API_H
#define PAMTUNNEL_VPS_TELEGRAM_API_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/metrics.h"

struct api;
struct audit;

/*
 * api_url and token are copied, and proxy, which is empty for what the environment says.
 * -EINVAL if they do not make a URL.
 */
int api_new(uv_loop_t *loop, const char *api_url, const char *token, const char *proxy,
            struct api **ret_api);
/* Cancels the calls under way. Not from inside an api_fn. Accepts NULL. */
void api_free(struct api *api);
/*
 * From now on, what tells people something waits until all that was recorded before is on the
 * disk. The audit outlives the api.
 */
void api_use_audit(struct api *api, struct audit *audit);
/* The file or folder with the authorities' certificates, "" if it is those built in. */
const char *api_ca_file(const struct api *api);

/* Adds the answers so far, by method and code. */
void api_measure(const struct api *api, struct metrics *metrics);

enum api_outcome {
    API_DONE,
    API_LATER,   /* the network, the server or the rate: the same call may work later */
    API_REFUSED, /* the call is wrong or comes too late: it never will */
};

struct api_reply {
    enum api_outcome outcome;
    int code;               /* error_code or the HTTP status; 0: no answer at all */
    bool from_api;          /* the Bot API itself said so, not a proxy on the way */
    uint32_t retry_after_s; /* how long the server wants to be left alone; 0: it did not say */
    int64_t server_unix;    /* the server's clock; 0: unknown */
    const char *trouble;    /* for the log, if not done: holds no URL */
    const json_t *result;   /* if done */
    const char *unreadable; /* an answer that calls itself fine and cannot be parsed; or NULL */
    size_t unreadable_len;
};

/* A file that goes along, as the parameter `field`. */
struct api_file {
    const char *field;
    const char *name;
    const char *type;
    const void *data;
    size_t len;
};

struct api_call;
/* Called once, from the loop; the call is gone afterwards. */
typedef void (*api_fn)(void *arg, const struct api_reply *reply);

/*
 * method is a constant. params is an object, which is not changed from now on. file may be NULL;
 * with one, the request is multipart, and what it points to outlives the call. NULL when out of
 * memory.
 */
struct api_call *api_call(struct api *api, const char *method, const json_t *params,
                          const struct api_file *file, uint32_t timeout_ms, api_fn fn, void *arg);
/* The callback will not run. Accepts NULL. */
void api_cancel(struct api_call *call);

/*
 * What an HTTP answer says; the work of api_call(), apart for tests. *ret_root
 * is to be given back with json_decref(), and holds what ret_reply points to.
 */
void api_read_reply(long status, uint32_t retry_after_s, const char *body, size_t len,
                    struct api_reply *ret_reply, json_t **ret_root);

#endif
