/* The files of RDP_SIGN_CERT and RDP_SIGN_KEY over time: renewed, expired, gone, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/timer.h"
#include "rdp_keys.h"
#include "vps/grant/publisher.h"

enum { OCTOBER_2026 = 1790000000, IN_2030 = 1900000000 };

static int64_t now;
static uint64_t now_ms, timer_ms;
static timer_fn look;
static void *look_arg;
static unsigned changes;
static char folder[] = "/tmp/publisher.XXXXXX";
static struct publisher_files files;

int64_t __wrap_clock_unix(void);
int64_t __wrap_clock_unix(void)
{
    return now;
}

uint64_t __wrap_clock_ms(void);
uint64_t __wrap_clock_ms(void)
{
    return now_ms;
}

struct timer *__wrap_timer_new(uv_loop_t *loop, timer_fn fn, void *arg);
struct timer *__wrap_timer_new(uv_loop_t *loop, timer_fn fn, void *arg)
{
    (void)loop;
    look = fn;
    look_arg = arg;
    return (struct timer *)&look;
}

void __wrap_timer_set(struct timer *timer, uint64_t ms);
void __wrap_timer_set(struct timer *timer, uint64_t ms)
{
    (void)timer;
    timer_ms = ms;
}

void __wrap_timer_free(struct timer *timer);
void __wrap_timer_free(struct timer *timer)
{
    (void)timer;
}

static void on_changed(void *arg)
{
    (void)arg;
    changes++;
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(files.certificate, sizeof files.certificate, "%s/cert.pem", folder);
    snprintf(files.key, sizeof files.key, "%s/key.pem", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(files.certificate);
    unlink(files.key);
    return rmdir(folder);
}

/* As certbot does: another file in the place of the old one. */
static void put(const char *path, const char *content)
{
    char other[PUBLISHER_PATH_MAX + 8];
    snprintf(other, sizeof other, "%s.new", path);
    FILE *file = fopen(other, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
    chmod(other, 0600);
    rename(other, path);
}

static struct publisher *publisher_at(int64_t when, const char *chain, const char *key)
{
    static struct log log = {.level = LOG_ERROR};
    const struct publisher_options options = {.log = &log, .changed = on_changed};
    now = when;
    changes = 0;
    put(files.certificate, chain);
    put(files.key, key);
    struct publisher *publisher = publisher_new(&options);
    publisher_use(publisher, &files);
    return publisher;
}

static const char *signs_as(struct publisher *publisher)
{
    const struct rdp_certificate *certificate = publisher_certificate(publisher);
    return !certificate ? NULL : rdp_certificate_view(certificate)->is_rsa ? "rsa" : "ec";
}

/* What was read before serves for 5 s; then somebody should know. */
static void settle(void)
{
    assert_int_equal(timer_ms, 5000);
    now_ms += timer_ms;
    look(look_arg);
    assert_int_equal(timer_ms, 60000);
}

static void a_certificate_that_is_renewed_signs_from_then_on(void **state)
{
    struct publisher *publisher = publisher_at(IN_2030, RSA_CHAIN, RSA_KEY);
    (void)state;
    assert_string_equal(signs_as(publisher), "rsa");
    assert_null(publisher_trouble(publisher));
    assert_int_equal(changes, 1);
    put(files.certificate, EC_CHAIN); /* between the two */
    now_ms += 4999;
    assert_string_equal(signs_as(publisher), "rsa");
    now_ms += 4999;
    assert_string_equal(signs_as(publisher), "rsa");
    assert_null(publisher_trouble(publisher));
    put(files.key, EC_KEY);
    assert_string_equal(signs_as(publisher), "ec");
    assert_null(publisher_trouble(publisher));
    assert_int_equal(changes, 2);
    look(look_arg);
    assert_int_equal(changes, 2);
    publisher_free(publisher);
}

static void a_renewal_that_stays_half_done_is_trouble(void **state)
{
    struct publisher *publisher = publisher_at(IN_2030, RSA_CHAIN, RSA_KEY);
    (void)state;
    put(files.certificate, "-----BEGIN CERTIFICATE-----\nMII");
    assert_string_equal(signs_as(publisher), "rsa");
    settle();
    assert_null(signs_as(publisher));
    assert_non_null(strstr(publisher_trouble(publisher), "holds no certificates"));
    assert_int_equal(changes, 2);
    put(files.certificate, EC_CHAIN); /* nothing serves any more: at once */
    assert_null(signs_as(publisher));
    assert_non_null(strstr(publisher_trouble(publisher), "does not belong"));
    put(files.key, EC_KEY);
    assert_string_equal(signs_as(publisher), "ec");
    assert_int_equal(changes, 4);
    unlink(files.key);
    assert_string_equal(signs_as(publisher), "ec");
    publisher_use(publisher, &files); /* somebody says: now */
    assert_null(signs_as(publisher));
    publisher_free(publisher);
}

static void rights_that_change_are_noticed(void **state)
{
    struct publisher *publisher = publisher_at(IN_2030, RSA_CHAIN, RSA_KEY);
    (void)state;
    assert_string_equal(rdp_certificate_view(publisher_certificate(publisher))->doubt.text, "");
    chmod(files.key, 0644);
    assert_non_null(strstr(rdp_certificate_view(publisher_certificate(publisher))->doubt.text,
                           "others can read"));
    chmod(files.key, 0600);
    assert_string_equal(rdp_certificate_view(publisher_certificate(publisher))->doubt.text, "");
    publisher_free(publisher);
}

/* For browsers it need not be one that signs, but it has to be this server's. */
static void what_signs_nothing_may_serve_all_the_same(void **state)
{
    static const char HOST[] = "vps.example.org";
    static const struct {
        const char *host;
        bool is_its;
    } ROWS[] = {
        {HOST, true},
        {"VPS.example.ORG", true},
        {"example.org", false},
        {"x.example.net", true},
        {"example.net", false},
        {"x.y.example.net", false},
        {"xexample.net", false},
        {"203.0.113.7", true},
        {"203.0.113.8", false},
        {"2001:db8::7", true},
        {"2001:DB8:0::7", true},
        {"2001:db8::8", false},
    };
    struct publisher *publisher = publisher_at(IN_2030, SERVER_CHAIN, SERVER_KEY);
    struct publisher_files by_default = files;
    (void)state;
    by_default.by_default = true;
    publisher_use(publisher, &by_default);
    assert_null(signs_as(publisher));
    struct rdp_certificate *first = publisher_server_certificate(publisher, HOST);
    assert_non_null(first);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        if (ROWS[i].is_its != (publisher_server_certificate(publisher, ROWS[i].host) != NULL)) {
            fail_msg("%s", ROWS[i].host);
        }
    }
    rdp_certificate_hold(first);
    put(files.certificate, RSA_CHAIN);
    put(files.key, RSA_KEY);
    assert_string_equal(signs_as(publisher), "rsa");
    assert_ptr_not_equal(publisher_server_certificate(publisher, HOST), NULL);
    assert_false(rdp_certificate_view(first)->is_rsa); /* it is held */
    rdp_certificate_free(first);
    now = INT64_C(2500000000);
    assert_null(publisher_server_certificate(publisher, HOST));
    now = IN_2030;
    put(files.certificate, EC_CHAIN); /* for code alone */
    put(files.key, EC_KEY);
    publisher_use(publisher, &files);
    assert_string_equal(signs_as(publisher), "ec");
    assert_null(publisher_server_certificate(publisher, HOST));
    assert_null(publisher_server_certificate(NULL, HOST));
    publisher_free(publisher);
}

static void one_whose_time_is_over_or_not_come_signs_nothing(void **state)
{
    struct publisher *publisher = publisher_at(OCTOBER_2026, RSA_CHAIN, RSA_KEY);
    (void)state;
    assert_null(signs_as(publisher));
    assert_non_null(strstr(publisher_trouble(publisher), "not valid before"));
    now = IN_2030;
    assert_string_equal(signs_as(publisher), "rsa");
    now = INT64_C(2500000000);
    look(look_arg); /* nobody needs to ask for a file */
    assert_int_equal(changes, 3);
    assert_non_null(strstr(publisher_trouble(publisher), "expired"));
    assert_null(signs_as(publisher));
    for (int i = 0; i < 5; i++) {
        look(look_arg);
    }
    assert_int_equal(changes, 3);
    publisher_free(publisher);
}

static void files_that_go_and_come_back_are_noticed(void **state)
{
    struct publisher *publisher = publisher_at(IN_2030, RSA_CHAIN, RSA_KEY);
    (void)state;
    unlink(files.key);
    look(look_arg);
    settle();
    assert_non_null(strstr(publisher_trouble(publisher), "cannot be read"));
    assert_null(signs_as(publisher));
    put(files.key, RSA_KEY);
    look(look_arg);
    assert_null(publisher_trouble(publisher));
    assert_int_equal(changes, 3);
    publisher_free(publisher);
}

static void what_nobody_has_named_is_no_trouble(void **state)
{
    files.by_default = true;
    struct publisher *publisher = publisher_at(IN_2030, MAIL, EC_KEY);
    (void)state;
    assert_null(signs_as(publisher));
    assert_null(publisher_trouble(publisher));
    assert_int_equal(changes, 0);
    put(files.certificate, EC_CHAIN); /* nobody knows whether Windows takes that */
    assert_null(signs_as(publisher));
    assert_int_equal(changes, 0);
    put(files.certificate, RSA_CHAIN);
    put(files.key, RSA_KEY);
    assert_string_equal(signs_as(publisher), "rsa");
    now = INT64_C(2500000000); /* but it was of use */
    assert_null(signs_as(publisher));
    assert_non_null(strstr(publisher_trouble(publisher), "expired"));
    now = IN_2030;
    put(files.certificate, EC_CHAIN);
    put(files.key, EC_KEY);
    look(look_arg);
    settle();
    assert_non_null(strstr(publisher_trouble(publisher), "is not RSA"));
    publisher_free(publisher);
    files.by_default = false;
}

static void the_paths_come_from_settings_or_from_certbot(void **state)
{
    (void)state;
    struct publisher_files found = publisher_files_of("", "", "vps.example.org");
    assert_string_equal(found.certificate, "/etc/letsencrypt/live/vps.example.org/fullchain.pem");
    assert_string_equal(found.key, "/etc/letsencrypt/live/vps.example.org/privkey.pem");
    assert_true(found.by_default);
    found = publisher_files_of("/a", "/b", "vps.example.org");
    assert_string_equal(found.certificate, "/a");
    assert_string_equal(found.key, "/b");
    assert_false(found.by_default);
    found = publisher_files_of("off", "", "vps.example.org");
    assert_string_equal(found.certificate, "");
    assert_false(found.by_default);
}

static void without_one_nothing_is_signed(void **state)
{
    (void)state;
    assert_null(publisher_certificate(NULL));
    assert_null(publisher_trouble(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_that_is_renewed_signs_from_then_on),
        cmocka_unit_test(a_renewal_that_stays_half_done_is_trouble),
        cmocka_unit_test(rights_that_change_are_noticed),
        cmocka_unit_test(what_signs_nothing_may_serve_all_the_same),
        cmocka_unit_test(one_whose_time_is_over_or_not_come_signs_nothing),
        cmocka_unit_test(files_that_go_and_come_back_are_noticed),
        cmocka_unit_test(what_nobody_has_named_is_no_trouble),
        cmocka_unit_test(the_paths_come_from_settings_or_from_certbot),
        cmocka_unit_test(without_one_nothing_is_signed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
