/* What is pasted into a shell, and the names under which host keys are kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shared/gateway_name.h"
#include "vps/grant/hostkey.h"
#include "vps/session/session_parts.h"

static struct vps_settings settings = {.vps_host = "vps.example.com"};
static struct services services = {.settings = &settings};

/* As far as lines look into it. */
struct session {
    union {
        struct terms terms;
        char room[sizeof(struct terms) + HOST_MAX]; /* its host is its end */
    };
};

const struct terms *__wrap_session_terms(const struct session *session);
struct front *__wrap_session_front(const struct session *session);
uint16_t __wrap_front_shown_port(const struct front *front);
const struct identity *__wrap_session_identity(const struct session *session);

static struct identity shown;

const struct identity *__wrap_session_identity(const struct session *session)
{
    (void)session;
    return &shown;
}

const struct terms *__wrap_session_terms(const struct session *session)
{
    return &session->terms;
}

struct front *__wrap_session_front(const struct session *session)
{
    (void)session;
    return NULL;
}

uint16_t __wrap_front_shown_port(const struct front *front)
{
    (void)front;
    return 20123;
}

static struct session session_to(char *user, const char *host, uint16_t port)
{
    struct session session = {.room = ""};
    struct terms *terms = &session.terms;
    terms->services = &services;
    terms->user = user;
    terms->port = port;
    terms->gateway = (char *)"Office";
    snprintf(terms->host, HOST_MAX, "%s", host);
    return session;
}

static void check(void (*write)(const struct session *session, struct text *text),
                  const struct session *session, const char *expected)
{
    char buffer[SESSION_LINE_MAX];
    struct text text = text_over(buffer, sizeof buffer);
    write(session, &text);
    assert_false(text.cut);
    assert_string_equal(buffer, expected);
}

static void an_alias_is_one_machines(void **state)
{
    static const struct {
        const char *gateway, *host;
        uint16_t port;
        const char *alias;
    } ROWS[] = {
        {"", "192.168.1.22", 22, "192.168.1.22"},
        {"", "192.168.1.22", 2222, "192.168.1.22+2222"},
        {"home", "192.168.1.22", 22, "home/192.168.1.22"},
        {"office", "192.168.1.22", 22, "office/192.168.1.22"},
        {"office", "192.168.1.22", 2222, "office/192.168.1.22+2222"},
        {"Office", "NAS", 22, "office/nas"},
        {"", "fd00::22", 22, "fd00::22"},
        {"", "FD00:0:0::22", 2222, "fd00::22+2222"},
        {"", "fd00::22:2222", 22, "fd00::22:2222"},
        {"a-b", "c", 22, "a-b/c"},
        {"a", "b-c", 22, "a/b-c"},
        {"192.168.1.22", "a", 22, "192.168.1.22/a"},
    };
    char alias[HOSTKEY_ALIAS_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        hostkey_alias(ROWS[i].gateway, ROWS[i].host, ROWS[i].port, alias);
        assert_string_equal(alias, ROWS[i].alias);
        /* Nothing for a shell, and nothing that known_hosts reads as a pattern. */
        assert_int_equal(strspn(alias, "abcdefghijklmnopqrstuvwxyz0123456789._-:/+"),
                         strlen(alias));
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(ROWS[k].alias, alias);
        }
    }
}

static void the_longest_alias_fits(void **state)
{
    char gateway[GATEWAY_NAME_MAX + 1] = "", host[HOST_MAX + 1] = "", alias[HOSTKEY_ALIAS_SIZE];
    (void)state;
    memset(gateway, 'g', GATEWAY_NAME_MAX);
    memset(host, 'h', HOST_MAX);
    hostkey_alias(gateway, host, 65535, alias);
    assert_int_equal(strlen(alias), HOSTKEY_ALIAS_SIZE - 1);
}

static void a_plain_name_stands_as_it_is_and_others_in_double_quotes(void **state)
{
    static const struct {
        const char *user, *ssh, *scp, *config;
    } ROWS[] = {
        {"", "vps.example.com", "FILE vps.example.com:", ""},
        {"anna", "anna@vps.example.com", "FILE anna@vps.example.com:", "    User anna\n"},
        {"CORP\\mxu", "-l \"CORP\\mxu\" vps.example.com",
         "-o \"User=CORP\\mxu\" FILE vps.example.com:", "    User \"CORP\\mxu\"\n"},
        {"mxu@corp.local", "-l \"mxu@corp.local\" vps.example.com",
         "-o \"User=mxu@corp.local\" FILE vps.example.com:", "    User \"mxu@corp.local\"\n"},
        {"First Last", "-l \"First Last\" vps.example.com", "FILE \"First Last@vps.example.com:\"",
         "    User \"First Last\"\n"},
    };
    char user[USER_MAX + 1], host[] = "NAS", expected[512];
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        strcpy(user, ROWS[i].user);
        struct session session = session_to(user, host, 22);
        snprintf(expected, sizeof expected, "ssh -p 20123 -o HostKeyAlias=nas %s", ROWS[i].ssh);
        check(session_line, &session, expected);
        snprintf(expected, sizeof expected, "scp -P 20123 -o HostKeyAlias=nas %s", ROWS[i].scp);
        check(session_scp_command, &session, expected);
        snprintf(expected, sizeof expected,
                 "Host pam-nas\n    HostName vps.example.com\n    Port 20123\n"
                 "    HostKeyAlias nas\n%s",
                 ROWS[i].config);
        check(session_ssh_config, &session, expected);
    }
}

static void with_several_gateways_each_name_says_which(void **state)
{
    char user[] = "", host[] = "NAS", name[SESSION_FILE_NAME_SIZE], target[SESSION_TARGET_SIZE];
    struct session session = session_to(user, host, 2222);
    (void)state;
    session_rdp_file_name(&session, name);
    session_target_text(&session, target);
    assert_string_equal(name, "NAS.rdp");
    assert_string_equal(target, "NAS:2222");
    session.terms.names_gateway = true;
    session_rdp_file_name(&session, name);
    session_target_text(&session, target);
    assert_string_equal(name, "Office-NAS.rdp");
    assert_string_equal(target, "Office/NAS:2222");
    check(session_line, &session, "ssh -p 20123 -o HostKeyAlias=office/nas+2222 vps.example.com");
    check(session_ssh_config, &session,
          "Host pam-office+nas+2222\n    HostName vps.example.com\n    Port 20123\n"
          "    HostKeyAlias office/nas+2222\n");
}

static const char *name_in_config(const char *gateway, const char *host, uint16_t port)
{
    static char lines[SESSION_SSH_CONFIG_MAX];
    char user[] = "", machine[HOST_MAX + 1], before[GATEWAY_NAME_MAX + 1];
    strcpy(machine, host);
    strcpy(before, gateway);
    struct session session = session_to(user, machine, port);
    struct text text = text_over(lines, sizeof lines);
    session.terms.gateway = before;
    session.terms.names_gateway = gateway[0];
    session_ssh_config(&session, &text);
    lines[strcspn(lines, "\n")] = '\0';
    return lines + strlen("Host ");
}

/* The first block of a name is the one that ssh takes. */
static void no_two_machines_have_one_name_in_the_config(void **state)
{
    static const struct {
        const char *gateway, *host, *name;
        uint16_t port;
    } ROWS[] = {
        {"", "nas", "pam-nas", 22},
        {"", "nas", "pam-nas+2222", 2222},
        {"", "nas-2222", "pam-nas-2222", 22},
        {"", "my_pc", "pam-my_pc", 22},
        {"", "my-pc", "pam-my-pc", 22},
        {"a-b", "c", "pam-a-b+c", 22},
        {"a", "b-c", "pam-a+b-c", 22},
        {"", "fd00::22", "pam-fd00--22+2222", 2222},
        {"", "fd00::22:2222", "pam-fd00--22-2222", 22},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        assert_string_equal(name_in_config(ROWS[i].gateway, ROWS[i].host, ROWS[i].port),
                            ROWS[i].name);
    }
}

static const char *hint_of(const struct session *session, unsigned i)
{
    static char buffer[SESSION_LINE_MAX];
    struct text text = text_over(buffer, sizeof buffer);
    session_hint(session, &kind_row(session->terms.kind)->hints[i], &text);
    assert_false(text.cut);
    return buffer;
}

static void an_address_is_written_as_each_client_takes_it(void **state)
{
    char user[] = "";
    struct session session = session_to(user, "nas", 5900);
    (void)state;
    strcpy(settings.vps_host, "vps.example.com");
    session.terms.kind = KIND_VNC;
    check(session_line, &session, "vps.example.com::20123");
    assert_string_equal(hint_of(&session, 0), "vnc://vps.example.com:20123");
    session.terms.kind = KIND_TCP;
    check(session_line, &session, "vps.example.com:20123");
    assert_string_equal(hint_of(&session, 0), "psql -h vps.example.com -p 20123");
    strcpy(settings.vps_host, "fd00::1");
    check(session_line, &session, "[fd00::1]:20123");
    assert_string_equal(hint_of(&session, 2), "http://[fd00::1]:20123/");
    assert_string_equal(hint_of(&session, 0), "psql -h fd00::1 -p 20123");
    session.terms.kind = KIND_VNC;
    check(session_line, &session, "[fd00::1]::20123");
    strcpy(settings.vps_host, "vps.example.com");
}

static void the_longest_lines_fit(void **state)
{
    char user[USER_MAX + 1] = "", host[HOST_MAX + 1] = "", gateway[GATEWAY_NAME_MAX + 1] = "";
    static void (*const WRITE[])(const struct session *session, struct text *text) = {
        session_line, session_scp_command, session_ssh_config};
    char buffer[SESSION_LINE_MAX];
    (void)state;
    memset(user, 'u', USER_MAX);
    user[3] = ' ';
    memset(host, 'h', HOST_MAX);
    memset(gateway, 'g', GATEWAY_NAME_MAX);
    memset(settings.vps_host, 'v', HOST_MAX);
    struct session session = session_to(user, host, 65535);
    session.terms.gateway = gateway;
    session.terms.names_gateway = true;
    for (size_t i = 0; i < sizeof WRITE / sizeof *WRITE; i++) {
        struct text text = text_over(buffer, sizeof buffer);
        WRITE[i](&session, &text);
        assert_false(text.cut);
    }
}

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

/* As long as a button can copy the whole line; else it stands among the further ones. */
static void a_key_that_is_known_goes_along(void **state)
{
    char root[] = "root", known[1024];
    struct session session = session_to(root, "HOME-PC", 22);
    struct session far = session_to(
        root, "a-rather-long-name-of-a-machine.in-a-department.of-a-company.example.com", 2222);
    struct text text = text_over(known, sizeof known);
    (void)state;
    assert_false(session_known_hosts(&session, &text));
    assert_int_equal(identity_of_key(KEY, &shown), 0);
    check(session_line, &session,
          "ssh -p 20123 -o HostKeyAlias=home-pc -o \"IgnoreUnknown=*\" "
          "-o KnownHostsCommand=\"/bin/echo home-pc " KEY "\" root@vps.example.com");
    check(session_line, &far,
          "ssh -p 20123 -o "
          "HostKeyAlias=a-rather-long-name-of-a-machine.in-a-department.of-a-company.example.com+"
          "2222 root@vps.example.com");
    assert_true(session_known_hosts(&session, &text));
    assert_string_equal(known, "home-pc " KEY);
    identity_done(&shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alias_is_one_machines),
        cmocka_unit_test(a_key_that_is_known_goes_along),
        cmocka_unit_test(the_longest_alias_fits),
        cmocka_unit_test(a_plain_name_stands_as_it_is_and_others_in_double_quotes),
        cmocka_unit_test(with_several_gateways_each_name_says_which),
        cmocka_unit_test(no_two_machines_have_one_name_in_the_config),
        cmocka_unit_test(an_address_is_written_as_each_client_takes_it),
        cmocka_unit_test(the_longest_lines_fit),
    };
    return cmocka_run_group_tests_name("session_lines", tests, NULL, NULL);
}
