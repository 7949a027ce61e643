#include "fake_transport.h"

#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

struct post {
    struct fake_post fake;
};

static struct {
    struct transport transport;
    struct transport_events events;
    struct post posts[FAKE_POSTS_MAX];
    unsigned count;
    char answer[256], last_answer[256];
    int64_t stripped, removed;
    struct transport_profile profile;
    bool introduced, stopped;
} here;

static int start(struct transport *transport, const struct transport_events *events)
{
    (void)transport;
    here.events = *events;
    return 0;
}

static void stop(struct transport *transport)
{
    (void)transport;
    here.stopped = true;
}

static void free_it(struct transport *transport)
{
    assert_ptr_equal(transport, &here.transport);
}

static bool yes(const struct transport *transport)
{
    (void)transport;
    return true;
}

static uint64_t no_trouble(const struct transport *transport, struct text *text)
{
    (void)transport;
    (void)text;
    return 0;
}

static void introduce(struct transport *transport, const struct transport_profile *profile)
{
    (void)transport;
    here.profile = *profile;
    here.profile.commands = NULL; /* they may be gone by the time that a test looks */
    here.introduced = true;
}

static struct post *post(struct transport *transport, int64_t person)
{
    (void)transport;
    assert_true(fake_transport_posts() < FAKE_POSTS_MAX);
    struct post *new = &here.posts[here.count++];
    *new = (struct post){.fake = {.person = person}};
    return new;
}

static struct post *post_file(struct transport *transport, int64_t person,
                              const struct transport_file *file)
{
    struct post *new = post(transport, person);
    assert_in_range(strlen(file->caption), 1, FAKE_HTML_SIZE - 1);
    strcpy(new->fake.html, file->caption);
    new->fake.is_file = true;
    return new;
}

static void set(struct post *of, const char *html, const struct button *buttons, unsigned count)
{
    assert_false(of->fake.released || of->fake.deleted);
    assert_in_range(strlen(html), 1, FAKE_HTML_SIZE - 1);
    assert_true(count <= FAKE_BUTTONS_MAX);
    strcpy(of->fake.html, html);
    of->fake.set++;
    of->fake.buttons = count;
    for (unsigned i = 0; i < count; i++) {
        assert_true(!buttons[i].data || strlen(buttons[i].data) <= BUTTON_DATA_MAX);
        strcpy(of->fake.data[i], buttons[i].data ? buttons[i].data : "");
    }
}

static void keep(struct post *of, const char *correction)
{
    (void)of;
    (void)correction;
}

static void release(struct post *of)
{
    assert_false(of->fake.released || of->fake.deleted);
    of->fake.released = true;
}

static void delete (struct post *of)
{
    assert_false(of->fake.released || of->fake.deleted);
    of->fake.deleted = true;
}

static void say_to_stranger(struct transport *transport, int64_t person, const char *html)
{
    struct post *new = post(transport, person);
    set(new, html, NULL, 0);
    new->fake.to_stranger = true;
    release(new);
}

static void answer(struct transport *transport, const char *press, const char *text, bool is_alert)
{
    (void)transport;
    (void)is_alert;
    assert_non_null(press);
    assert_in_range(strlen(text), 1, sizeof here.answer - 1);
    strcpy(here.answer, text);
}

static void strip(struct transport *transport, int64_t person, int64_t message_id)
{
    (void)transport;
    (void)person;
    here.stripped = message_id;
}

static void take_away(struct transport *transport, int64_t person, int64_t message_id)
{
    (void)transport;
    (void)person;
    here.removed = message_id;
}

static void measure(const struct transport *transport, struct metrics *metrics)
{
    (void)transport;
    metrics_one(metrics, METRICS_GAUGE, "fake_posts", "Posts.", here.count);
}

static const struct transport_ops OPS = {
    .name = "fake",
    .people = OWNER_TELEGRAM,
    .start = start,
    .stop = stop,
    .free = free_it,
    .is_online = yes,
    .is_idle = yes,
    .trouble = no_trouble,
    .measure = measure,
    .introduce = introduce,
    .post = post,
    .post_file = post_file,
    .set = set,
    .keep = keep,
    .release = release,
    .delete = delete,
    .say_to_stranger = say_to_stranger,
    .answer = answer,
    .strip = strip,
    .remove = take_away,
};

struct transport *fake_transport(void)
{
    memset(&here, 0, sizeof here);
    here.transport.ops = &OPS;
    return &here.transport;
}

void fake_transport_hear(const struct incoming *incoming)
{
    assert_false(here.stopped);
    here.events.incoming(here.events.arg, incoming);
}

void fake_transport_goes_online(const char *bot_name)
{
    here.events.online(here.events.arg, bot_name);
}

void fake_transport_is_refused(void)
{
    struct why why = {"no"};
    here.events.refused(here.events.arg, &why);
}

unsigned fake_transport_posts(void)
{
    return here.count;
}

const struct fake_post *fake_transport_post(unsigned number)
{
    if (number >= here.count) {
        fail_msg("there is no message number %u", number);
    }
    return &here.posts[number].fake;
}

const char *fake_transport_answer(void)
{
    strcpy(here.last_answer, here.answer);
    here.answer[0] = '\0';
    return here.last_answer;
}

int64_t fake_transport_stripped(void)
{
    return here.stripped;
}

int64_t fake_transport_removed(void)
{
    int64_t removed = here.removed;
    here.removed = 0;
    return removed;
}

const struct transport_profile *fake_transport_profile(void)
{
    return here.introduced ? &here.profile : NULL;
}
