/* Which congestion control is chosen, by setting and system, and which sockets get it. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/congestion.h"
#include "shared/checkup.h"

/* ---- the kernel ------------------------------------------------------------- */

static int refusal;          /* of setsockopt(TCP_CONGESTION), or 0 */
static unsigned info_len;    /* what the kernel knows of a connection */
static struct tcp_info info; /* of each */
static char given[CONGESTION_NAME_MAX + 1];
static unsigned gifts;

int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t len);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *len);

int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
    (void)fd;
    assert_int_equal(level, IPPROTO_TCP);
    assert_int_equal(option, TCP_CONGESTION);
    assert_in_range(len, 1, CONGESTION_NAME_MAX);
    gifts++;
    if (refusal) {
        errno = refusal;
        return -1;
    }
    memcpy(given, value, len);
    given[len] = '\0';
    return 0;
}

int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
    (void)fd;
    assert_int_equal(level, IPPROTO_TCP);
    assert_int_equal(option, TCP_INFO);
    *len = *len < info_len ? *len : info_len;
    memcpy(value, &info, *len);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    refusal = 0;
    gifts = 0;
    given[0] = '\0';
    info_len = sizeof info;
    info = (struct tcp_info){.tcpi_pmtu = 1500, .tcpi_rtt = 40000};
    return 0;
}

/* ---- deciding --------------------------------------------------------------- */

static const struct congestion_system USUAL = {"cubic", "reno cubic bbr", "reno cubic"};
static const struct congestion_system OPEN = {"cubic", "reno cubic bbr", "reno cubic bbr"};
static const struct congestion_system BARE = {"cubic", "reno cubic", "reno cubic"};
static const struct congestion_system ALL_BBR = {"bbr", "reno bbr", "reno bbr"};
static const struct congestion_system SILENT = {"", "", ""};

static void what_is_chosen(void **state)
{
    static const struct {
        const char *setting;
        const struct congestion_system *system;
        int refusal; /* by the kernel */
        const char *chosen;
        uint32_t from_us;
        int err;
        const char *said;
        unsigned tries;
    } ROWS[] = {
        {"auto", &OPEN, 0, "bbr", CONGESTION_FAR_US, 0, "", 0},
        {"auto", &USUAL, 0, "", 0, 0, "", 0}, /* root could, and is not asked to */
        {"auto", &BARE, 0, "", 0, 0, "", 0},
        {"auto", &ALL_BBR, 0, "", 0, 0, "", 0}, /* is there without us, loopback included */
        {"auto", &SILENT, 0, "bbr", CONGESTION_FAR_US, 0, "", 1},
        {"auto", &SILENT, EPERM, "", 0, 0, "", 1},
        {"system", &OPEN, 0, "", 0, 0, "", 0},
        {"bbr", &OPEN, 0, "bbr", 0, 0, "", 0},
        {"cubic", &OPEN, 0, "", 0, 0, "", 0},
        {"cubic", &ALL_BBR, 0, "cubic", 0, 0, "", 1}, /* as root */
        {"cubic", &ALL_BBR, EPERM, "", 0, -EPERM,
         "lets only root choose cubic; connections get bbr", 1},
        {"bbr", &USUAL, EPERM, "", 0, -EPERM, "connections get cubic", 1},
        {"bbr3", &OPEN, ENOENT, "", 0, -ENOENT, "no bbr3 (it has reno cubic bbr)", 1},
        {"bbr", &BARE, ENOENT, "", 0, -ENOENT, "or has not loaded it", 1},
        {"bbr", &SILENT, ENOENT, "", 0, -ENOENT, "no bbr (it has others that it does not list)", 1},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct congestion chosen = {.name = "before"};
        struct why why = {""};
        set_up(state);
        refusal = ROWS[i].refusal;
        print_message("%s, %s\n", ROWS[i].setting, ROWS[i].system->allowed);
        assert_int_equal(congestion_choose(ROWS[i].setting, ROWS[i].system, &chosen, &why),
                         ROWS[i].err);
        assert_string_equal(chosen.name, ROWS[i].chosen);
        assert_int_equal(chosen.from_us, ROWS[i].from_us);
        assert_int_equal(gifts, ROWS[i].tries);
        if (!strstr(why.text, ROWS[i].said)) {
            fail_msg("no word of '%s' in: %s", ROWS[i].said, why.text);
        }
    }
}

static void lists_are_of_whole_names(void **state)
{
    (void)state;
    assert_true(congestion_is_in("reno cubic bbr", "reno"));
    assert_true(congestion_is_in("reno cubic bbr", "bbr"));
    assert_true(congestion_is_in("bbr", "bbr"));
    assert_false(congestion_is_in("reno bbr3", "bbr"));
    assert_false(congestion_is_in("reno mybbr", "bbr"));
    assert_false(congestion_is_in("reno bb", "bbr"));
    assert_false(congestion_is_in("reno  bbr", ""));
    assert_false(congestion_is_in("", "bbr"));
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void remove_file(const char *folder, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(unlink(path), 0);
}

static void the_kernels_files_are_read(void **state)
{
    char folder[] = "/tmp/congestion-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(folder));
    write_file(folder, "tcp_congestion_control", "cubic\n");
    write_file(folder, "tcp_allowed_congestion_control", "reno cubic bbr\n");
    struct congestion_system system = congestion_look(folder);
    remove_file(folder, "tcp_congestion_control");
    remove_file(folder, "tcp_allowed_congestion_control");
    rmdir(folder);
    assert_string_equal(system.usual, "cubic");
    assert_string_equal(system.allowed, "reno cubic bbr");
    assert_string_equal(system.available, ""); /* no such file */
}

static void what_is_doubted_from_outside(void **state)
{
    static const struct {
        const char *setting;
        const struct congestion_system *system;
        int err;
        const char *said;
    } ROWS[] = {
        {"auto", &USUAL, 0, ""},
        {"auto", &BARE, 0, ""},
        {"system", &BARE, 0, ""},
        {"bbr", &OPEN, 0, ""},
        {"cubic", &USUAL, 0, ""},
        {"bbr", &ALL_BBR, 0, ""},
        {"bbr", &SILENT, 0, ""},
        {"bbr", &USUAL, -EPERM, "lets only root choose bbr"},
        {"bbr", &BARE, -ENOENT, "has no bbr (it has reno cubic)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct why why = {""};
        assert_int_equal(congestion_doubt(ROWS[i].setting, ROWS[i].system, &why), ROWS[i].err);
        if (!strstr(why.text, ROWS[i].said)) {
            fail_msg("no word of '%s' in: %s", ROWS[i].said, why.text);
        }
    }
    assert_int_equal(gifts, 0); /* who looks may be root, and the agent not */
}

static void the_cure_is_a_command(void **state)
{
    static const struct {
        const char *name;
        const struct congestion_system *system;
        const char *folder;
        const char *command;
    } ROWS[] = {
        {"bbr", &BARE, "/etc",
         "sudo sh -c 'modprobe tcp_bbr && cp -r /etc/. /etc/ && sysctl -p "
         "/etc/sysctl.d/90-pamtunnel-bbr.conf'"},
        {"bbr", &USUAL, "/no/such/folder",
         "sudo sh -c 'sysctl \"net.ipv4.tcp_allowed_congestion_control=reno cubic bbr\"' (until "
         "the next "
         "boot)"},
        {"cubic", &ALL_BBR, "/etc",
         "sudo sh -c 'modprobe tcp_cubic && sysctl "
         "\"net.ipv4.tcp_allowed_congestion_control=reno bbr cubic\"' (until the next boot)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char command[300];
        struct text text = text_over(command, sizeof command);
        congestion_add_cure(&text, ROWS[i].name, ROWS[i].system, ROWS[i].folder);
        assert_string_equal(command, ROWS[i].command);
    }
}

/* The line that --doctor has for it. */
static void examine(const struct congestion_system *system, const char *setting, char *ret_line,
                    int size)
{
    struct checkup checkup = {0};
    FILE *file = tmpfile();
    int terminal = dup(STDOUT_FILENO);
    assert_non_null(file);
    fflush(stdout);
    dup2(fileno(file), STDOUT_FILENO);
    checkup_congestion(&checkup, system, setting, "connections to clients", "/no/such/folder");
    dup2(terminal, STDOUT_FILENO);
    close(terminal);
    rewind(file);
    assert_non_null(fgets(ret_line, size, file));
    fclose(file);
    assert_int_equal(checkup.bad, strncmp(ret_line, "!!", 2) == 0);
}

static void what_the_doctor_says(void **state)
{
    static const struct {
        const char *setting;
        const struct congestion_system *system;
        const char *begins, *says;
    } ROWS[] = {
        {"auto", &OPEN, "ok",
         "bbr on connections to clients with a round trip of 5 ms or more; otherwise cubic"},
        {"auto", &ALL_BBR, "ok", "bbr, the system's"},
        {"auto", &USUAL, "--", "once this system allows it: sudo sh -c 'sysctl "},
        {"auto", &BARE, "--", "once this system allows it: sudo sh -c 'modprobe tcp_bbr && "},
        {"auto", &SILENT, "--", "does not say what this system allows"},
        {"system", &BARE, "ok", "cubic, the system's"},
        {"bbr", &OPEN, "ok", "bbr on connections to clients; otherwise cubic"},
        {"bbr", &USUAL, "!!",
         "lets only root choose bbr; connections get cubic: sudo sh -c 'sysctl"},
        {"bbr3", &OPEN, "!!", "modprobe tcp_bbr3 && "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char line[700];
        examine(ROWS[i].system, ROWS[i].setting, line, sizeof line);
        if (strncmp(line, ROWS[i].begins, 2) != 0 || !strstr(line, ROWS[i].says)) {
            fail_msg("not '%s … %s': %s", ROWS[i].begins, ROWS[i].says, line);
        }
    }
    assert_int_equal(gifts, 0);
}

/* ---- applying --------------------------------------------------------------- */

static void who_gets_it(void **state)
{
    static const struct congestion LONG_WAYS = {"bbr", CONGESTION_FAR_US}, ALL = {"bbr", 0},
                                   NONE = {"", 0};
    static const struct {
        const struct congestion *congestion;
        uint32_t mtu, rtt_us;
        bool gets;
    } ROWS[] = {
        {&LONG_WAYS, 1500, CONGESTION_FAR_US, true},
        {&LONG_WAYS, 1500, CONGESTION_FAR_US - 1, false},
        {&LONG_WAYS, 1280, 250000, true},
        {&LONG_WAYS, 1500, 0, true}, /* its handshake was repeated */
        {&LONG_WAYS, 65535, 0, false},
        {&LONG_WAYS, 65535, 250000, false},
        {&ALL, 1500, 1, true},
        {&ALL, 9000, 90, true},
        {&ALL, 65535, 90000, false}, /* loopback: IPv4 */
        {&ALL, 65536, 90000, false}, /* and IPv6 */
        {&NONE, 1500, 90000, false},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        set_up(state);
        info.tcpi_pmtu = ROWS[i].mtu;
        info.tcpi_rtt = ROWS[i].rtt_us;
        congestion_apply(ROWS[i].congestion, 7);
        assert_string_equal(given, ROWS[i].gets ? "bbr" : "");
    }
}

static void what_is_not_known_keeps_the_systems(void **state)
{
    static const struct congestion ALL = {"bbr", 0};
    (void)state;
    info_len = offsetof(struct tcp_info, tcpi_rtt);
    congestion_apply(&ALL, 7);
    assert_int_equal(gifts, 0);
    info_len = sizeof info;
    refusal = EPERM; /* the system has changed its mind */
    congestion_apply(&ALL, 7);
    assert_int_equal(gifts, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_chosen, set_up),
        cmocka_unit_test_setup(lists_are_of_whole_names, set_up),
        cmocka_unit_test_setup(the_kernels_files_are_read, set_up),
        cmocka_unit_test_setup(what_is_doubted_from_outside, set_up),
        cmocka_unit_test_setup(the_cure_is_a_command, set_up),
        cmocka_unit_test_setup(what_the_doctor_says, set_up),
        cmocka_unit_test_setup(who_gets_it, set_up),
        cmocka_unit_test_setup(what_is_not_known_keeps_the_systems, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
