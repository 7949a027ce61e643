/* Whom HTTPS trusts: which certificates count, and that those built in can be used. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ca_certificates.h>
#include <cmocka.h>

#include "vps/telegram/trust.h"

/* A folder with: empty.pem, some.pem, empty/, some/one.pem */
struct fixture {
    char folder[64];
    char paths[5][128];
};

enum { EMPTY_FILE, SOME_FILE, EMPTY_FOLDER, SOME_FOLDER, FILE_IN_FOLDER };

static const char *const NAMES[] = {"empty.pem", "some.pem", "empty", "some", "some/one.pem"};

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    static struct fixture f;
    strcpy(f.folder, "/tmp/pamtunnel-trust.XXXXXX");
    assert_non_null(mkdtemp(f.folder));
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        snprintf(f.paths[i], sizeof f.paths[i], "%s/%s", f.folder, NAMES[i]);
    }
    assert_int_equal(mkdir(f.paths[EMPTY_FOLDER], 0700), 0);
    assert_int_equal(mkdir(f.paths[SOME_FOLDER], 0700), 0);
    write_file(f.paths[EMPTY_FILE], "");
    write_file(f.paths[SOME_FILE], "a certificate\n");
    write_file(f.paths[FILE_IN_FOLDER], "a certificate\n");
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    for (size_t i = sizeof NAMES / sizeof *NAMES; i > 0; i--) {
        remove(f->paths[i - 1]);
    }
    return rmdir(f->folder);
}

/* The path that is decided for; "" for the built-in ones. */
static void assert_path(const char *named, const char *const *files, const char *const *folders,
                        const char *path)
{
    struct trust_places places = trust_usual_places();
    places.named = named;
    places.files = files;
    places.folders = folders;
    struct trust *trust;
    assert_int_equal(trust_new(&places, &trust), 0);
    assert_string_equal(trust_path(trust), path);
    assert_int_equal(trust_builtin_count(trust) > 0, path[0] == '\0');
    trust_free(trust);
}

static void the_first_place_that_holds_certificates_counts(void **state)
{
    const struct fixture *f = *state;
    const char *empty = f->paths[EMPTY_FILE], *some = f->paths[SOME_FILE];
    const char *const none[] = {NULL}, *const files[] = {"/no/such/file", empty, some, NULL};
    const char *const empties[] = {"/no/such/file", empty, f->paths[EMPTY_FOLDER], NULL};
    const char *const folders[] = {"/no/such/folder", f->paths[EMPTY_FOLDER], f->paths[SOME_FOLDER],
                                   NULL};
    assert_path("/named/by/SSL_CERT_FILE", files, folders, "/named/by/SSL_CERT_FILE");
    assert_path("", files, folders, some);
    assert_path(NULL, files, folders, some);
    assert_path(NULL, empties, folders, f->paths[SOME_FOLDER]);
    assert_path(NULL, empties, empties, "");
    assert_path(NULL, none, none, "");
}

static void a_name_that_is_too_long_is_refused(void **state)
{
    (void)state;
    static char name[8192];
    memset(name, 'n', sizeof name - 1);
    struct trust_places places = trust_usual_places();
    places.named = name;
    struct trust *trust;
    assert_int_equal(trust_new(&places, &trust), -ENAMETOOLONG);
}

static unsigned count_of(const unsigned char *der, size_t len)
{
    const char *const none[] = {NULL};
    struct trust_places places = {
        .files = none, .folders = none, .builtin = der, .builtin_len = len};
    struct trust *trust;
    assert_int_equal(trust_new(&places, &trust), 0);
    unsigned count = trust_builtin_count(trust);
    trust_free(trust);
    return count;
}

/* All of them are SEQUENCEs with a length of two bytes. */
static unsigned elements(const unsigned char *der, size_t len)
{
    unsigned count = 0;
    while (len > 4 && der[0] == 0x30 && der[1] == 0x82) {
        size_t element = 4 + (size_t)der[2] * 256 + der[3];
        assert_true(element <= len);
        der += element;
        len -= element;
        count++;
    }
    assert_int_equal(len, 0);
    return count;
}

static void every_certificate_that_is_built_in_can_be_read(void **state)
{
    (void)state;
    unsigned all = elements(ca_certificates, ca_certificates_len);
    assert_in_range(all, 100, 300);
    assert_int_equal(count_of(ca_certificates, ca_certificates_len), all);
    /* The one that vouches for api.telegram.org. */
    static const char NAME[] = "Go Daddy Root Certificate Authority - G2";
    assert_non_null(memmem(ca_certificates, ca_certificates_len, NAME, sizeof NAME - 1));
}

static void what_is_no_certificate_is_passed_over(void **state)
{
    (void)state;
    size_t first = 4 + (size_t)ca_certificates[2] * 256 + ca_certificates[3];
    static unsigned char der[65536];
    memcpy(der, "\x04\x02??", 4);
    memcpy(der + 4, ca_certificates, first);
    memcpy(der + 4 + first, "\x04\x01?", 3);
    assert_int_equal(count_of(der, 4 + first + 3), 1);
    assert_int_equal(count_of(der, 4 + first - 1), 0); /* cut off */
    assert_int_equal(count_of(der, 4), 0);
    assert_int_equal(count_of(der, 1), 0);
    assert_int_equal(count_of(der, 0), 0);
    assert_int_equal(count_of((const unsigned char *)"\x30\x84\xff\xff\xff\xff?", 7), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_place_that_holds_certificates_counts, set_up,
                                        tear_down),
        cmocka_unit_test(a_name_that_is_too_long_is_refused),
        cmocka_unit_test(every_certificate_that_is_built_in_can_be_read),
        cmocka_unit_test(what_is_no_certificate_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
