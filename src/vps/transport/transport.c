/*
 * A table of functions and not one service behind the header, because two services may serve one
 * conversation some day, and a test wears the face today. What the table does not have, messages
 * by themselves and posts that are NULL, is done here once, and not by each service.
 */
#include "vps/transport/transport.h"

/* ---- life ------------------------------------------------------------------ */

int transport_start(struct transport *transport, const struct transport_events *events)
{
    return transport->ops->start(transport, events);
}

void transport_stop(struct transport *transport)
{
    transport->ops->stop(transport);
}

void transport_free(struct transport *transport)
{
    if (transport) {
        transport->ops->free(transport);
    }
}

const char *transport_name(const struct transport *transport)
{
    return transport->ops->name;
}

struct owner transport_owner(const struct transport *transport, int64_t person)
{
    return (struct owner){.kind = transport->ops->people, .id = person};
}

bool transport_is_online(const struct transport *transport)
{
    return transport->ops->is_online(transport);
}

bool transport_is_idle(const struct transport *transport)
{
    return transport->ops->is_idle(transport);
}

uint64_t transport_trouble(const struct transport *transport, struct text *text)
{
    return transport->ops->trouble(transport, text);
}

void transport_measure(const struct transport *transport, struct metrics *metrics)
{
    transport->ops->measure(transport, metrics);
}

void transport_introduce(struct transport *transport, const struct transport_profile *profile)
{
    transport->ops->introduce(transport, profile);
}

/* ---- messages -------------------------------------------------------------- */

void transport_say(struct transport *transport, int64_t person, const char *html)
{
    transport_say_with(transport, person, html, NULL, 0);
}

void transport_say_with(struct transport *transport, int64_t person, const char *html,
                        const struct button *buttons, unsigned count)
{
    struct post *post = transport_post(transport, person);
    transport_set(transport, post, html, buttons, count);
    transport_release(transport, post);
}

void transport_say_to_stranger(struct transport *transport, int64_t person, const char *html)
{
    transport->ops->say_to_stranger(transport, person, html);
}

struct post *transport_post(struct transport *transport, int64_t person)
{
    return transport->ops->post(transport, person);
}

struct post *transport_post_file(struct transport *transport, int64_t person,
                                 const struct transport_file *file)
{
    return transport->ops->post_file(transport, person, file);
}

void transport_set(struct transport *transport, struct post *post, const char *html,
                   const struct button *buttons, unsigned count)
{
    if (post) {
        transport->ops->set(post, html, buttons, count);
    }
}

void transport_keep(struct transport *transport, struct post *post, const char *correction)
{
    if (post) {
        transport->ops->keep(post, correction);
    }
}

void transport_release(struct transport *transport, struct post *post)
{
    if (post) {
        transport->ops->release(post);
    }
}

void transport_delete(struct transport *transport, struct post *post)
{
    if (post) {
        transport->ops->delete (post);
    }
}

/* ---- pressed buttons ------------------------------------------------------- */

void transport_answer(struct transport *transport, const char *press, const char *text,
                      bool is_alert)
{
    transport->ops->answer(transport, press, text, is_alert);
}

void transport_strip(struct transport *transport, int64_t person, int64_t message_id)
{
    transport->ops->strip(transport, person, message_id);
}

/* ---- what people wrote ------------------------------------------------------ */

void transport_remove(struct transport *transport, int64_t person, int64_t message_id)
{
    transport->ops->remove(transport, person, message_id);
}
