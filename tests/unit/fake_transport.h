/* A transport in the hands of a test: it delivers at once what it is given, and keeps it. */
#ifndef PAMTUNNEL_TESTS_UNIT_FAKE_TRANSPORT_H
#define PAMTUNNEL_TESTS_UNIT_FAKE_TRANSPORT_H

#include <stdarg.h>
#include <stddef.h>

#include "vps/transport/transport.h"

enum { FAKE_POSTS_MAX = 64, FAKE_HTML_SIZE = 8192, FAKE_BUTTONS_MAX = 8 };

struct fake_post {
    int64_t person;
    char html[FAKE_HTML_SIZE];
    unsigned set; /* how often */
    unsigned buttons;
    char data[FAKE_BUTTONS_MAX][BUTTON_DATA_MAX + 1];
    bool is_file, to_stranger, released, deleted;
};

/* Forgets everything. There is one at a time. */
struct transport *fake_transport(void);
/* As if it came from the service, which is online. */
void fake_transport_hear(const struct incoming *incoming);
void fake_transport_goes_online(const char *bot_name);
void fake_transport_is_refused(void);

/* In the order in which they were made. */
unsigned fake_transport_posts(void);
/* The test fails if there is none of that number. */
const struct fake_post *fake_transport_post(unsigned number);
/* The text of the latest answer to a press; "" if there is none. It is forgotten then. */
const char *fake_transport_answer(void);
/* Of the message whose buttons were taken off last; 0: of none. */
int64_t fake_transport_stripped(void);
/* The message of a person's that was taken away last; 0: none, since this was asked. */
int64_t fake_transport_removed(void);
/* The latest introduction; NULL at first. */
const struct transport_profile *fake_transport_profile(void);

#endif
