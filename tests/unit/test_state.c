/* The state file from version to version: what an older one wrote is there, a newer is refused. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "disk.h"
#include "vps/store/database.h"

/* As the version before the audit wrote it, word for word: this text is never changed. */
static const char SCHEMA_3[] =
    "PRAGMA journal_mode=WAL;"
    "CREATE TABLE known("
    "    owner TEXT NOT NULL, party TEXT NOT NULL, address TEXT NOT NULL,"
    "    admitted_by TEXT NOT NULL, since INTEGER NOT NULL, used INTEGER NOT NULL,"
    "    PRIMARY KEY(owner, party)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE queue("
    "    bot INTEGER NOT NULL, api_url TEXT NOT NULL, next INTEGER NOT NULL, at INTEGER NOT NULL,"
    "    PRIMARY KEY(bot, api_url)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE message("
    "    bot INTEGER NOT NULL, chat INTEGER NOT NULL, message INTEGER NOT NULL,"
    "    correction TEXT NOT NULL, at INTEGER NOT NULL,"
    "    PRIMARY KEY(bot, chat, message)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE joined("
    "    key TEXT NOT NULL PRIMARY KEY, gateway TEXT NOT NULL, at INTEGER NOT NULL)"
    "    STRICT, WITHOUT ROWID;"
    "CREATE TABLE shared("
    "key TEXT NOT NULL PRIMARY KEY, at INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID;"
    "INSERT INTO known VALUES"
    " ('telegram:42', '203.0.113.7', '203.0.113.7', 'telegram:42', 1700000000, 1760000000),"
    " ('telegram:43', '2001:db8::', '2001:db8::1', 'telegram:42', 1700000001, 1760000001);"
    "INSERT INTO queue VALUES(123456, 'https://api.telegram.org', 987654321, 1760000002);"
    "INSERT INTO message VALUES(123456, 42, 17, 'It''s <b>over</b>.', 1760000003),"
    " (123456, 42, 18, '', 1760000004);"
    "INSERT INTO joined VALUES('0123456789abcdef', 'office', 1760000005);"
    "INSERT INTO shared VALUES('fedcba9876543210', 1760000006);"
    "PRAGMA user_version=3;";

/* All that is in those tables. */
static const char CONTENT[] =
    "SELECT group_concat(line, char(10)) FROM ("
    "SELECT 'known ' || owner || ' ' || party || ' ' || address || ' ' || admitted_by || ' ' ||"
    " since || ' ' || used AS line FROM known UNION ALL "
    "SELECT 'queue ' || bot || ' ' || api_url || ' ' || next || ' ' || at FROM queue UNION ALL "
    "SELECT 'message ' || bot || ' ' || chat || ' ' || message || ' ' || correction || ' ' || at"
    " FROM message UNION ALL "
    "SELECT 'joined ' || key || ' ' || gateway || ' ' || at FROM joined UNION ALL "
    "SELECT 'shared ' || key || ' ' || at FROM shared ORDER BY line)";

struct fixture {
    struct disk *disk;
    char path[STATE_PATH_MAX];
    char content[16384];
    unsigned told;
    int err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->disk = disk_set_up();
    state_path(f->disk->settings.state_dir, f->path);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    disk_tear_down(f->disk);
    free(f);
    return 0;
}

static void on_done(void *arg, int err)
{
    struct fixture *f = arg;
    f->told++;
    f->err = err;
}

static void take_content(void *arg, const struct row *row)
{
    struct fixture *f = arg;
    snprintf(f->content, sizeof f->content, "%s", row_text(row, 0));
}

static void take_number(void *arg, const struct row *row)
{
    *(int64_t *)arg = row_number(row, 0);
}

static int64_t number(struct fixture *f, const char *sql)
{
    int64_t found = -1;
    const struct statement statement = {sql, {{0}}};
    assert_int_equal(store_read(f->disk->store, &statement, take_number, &found), 0);
    return found;
}

/* By SQLite itself; crashes: what is in its log stays there. */
static void write_file(const char *path, const char *sql, bool crashes)
{
    pid_t child = fork();
    if (child == 0) {
        sqlite3 *sqlite;
        if (sqlite3_open(path, &sqlite) || sqlite3_exec(sqlite, sql, NULL, NULL, NULL)) {
            _exit(1);
        }
        if (!crashes) {
            sqlite3_close(sqlite);
        }
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* ---- the tests ------------------------------------------------------------------ */

static void check_upgrade(struct fixture *f)
{
    static const struct statement ALL = {CONTENT, {{0}}};
    unsigned schema = 0;
    disk_open(f->disk);
    assert_int_equal(store_read(f->disk->store, &ALL, take_content, f), 0);
    assert_string_equal(f->content,
                        "joined 0123456789abcdef office 1760000005\n"
                        "known telegram:42 203.0.113.7 203.0.113.7 telegram:42 1700000000 "
                        "1760000000\n"
                        "known telegram:43 2001:db8:: 2001:db8::1 telegram:42 1700000001 "
                        "1760000001\n"
                        "message 123456 42 17 It's <b>over</b>. 1760000003\n"
                        "message 123456 42 18  1760000004\n"
                        "queue 123456 https://api.telegram.org 987654321 1760000002\n"
                        "shared fedcba9876543210 1760000006");
    assert_int_equal(number(f, "SELECT count(*) FROM audit"), 0);
    disk_write(f->disk);
    struct chain_row row = {.what = "agent.started", .body = "{}"};
    assert_int_equal(store_append(f->disk->store, &row, on_done, f), 0);
    WAIT_FOR(&f->disk->loop, f->told == 1);
    assert_int_equal(f->err, 0);
    disk_close(f->disk);
    assert_int_equal(database_peek(f->path, &schema), 0);
    assert_int_equal(schema, state_schema());
    disk_open(f->disk);
    assert_int_equal(number(f, "SELECT count(*) FROM audit"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM known"), 2);
    disk_close(f->disk);
}

static void a_file_of_the_version_before_is_upgraded_with_all_its_rows(void **state)
{
    struct fixture *f = *state;
    write_file(f->path, SCHEMA_3, false);
    check_upgrade(f);
}

static void so_is_one_that_a_crash_left(void **state)
{
    struct fixture *f = *state;
    write_file(f->path, SCHEMA_3, true);
    check_upgrade(f);
}

/* The upgraded file has the tables of one that is begun now. */
static void an_upgraded_file_is_like_a_new_one(void **state)
{
    static const struct statement SCHEMA = {
        "SELECT group_concat(sql, char(10)) FROM (SELECT sql FROM sqlite_schema ORDER BY name)",
        {{0}}};
    struct fixture *f = *state;
    char upgraded[sizeof f->content];
    write_file(f->path, SCHEMA_3, false);
    disk_open(f->disk);
    assert_int_equal(store_read(f->disk->store, &SCHEMA, take_content, f), 0);
    memcpy(upgraded, f->content, sizeof upgraded);
    disk_close(f->disk);
    folder_clear(f->disk->settings.state_dir);
    disk_open(f->disk);
    assert_int_equal(store_read(f->disk->store, &SCHEMA, take_content, f), 0);
    assert_string_equal(upgraded, f->content);
    disk_close(f->disk);
}

/* Each that a row is in is a page more to write and to sync with it. */
static void the_audit_has_the_indexes_that_questions_use(void **state)
{
    static const struct statement INDEXES = {
        "SELECT group_concat(name, ' ') FROM (SELECT name FROM pragma_index_list('audit') "
        "ORDER BY name)",
        {{0}}};
    struct fixture *f = *state;
    disk_open(f->disk);
    assert_int_equal(store_read(f->disk->store, &INDEXES, take_content, f), 0);
    assert_string_equal(f->content, "audit_at audit_person audit_pruned");
    disk_close(f->disk);
}

static void a_newer_file_is_refused_and_left_alone(void **state)
{
    struct fixture *f = *state;
    struct why why;
    char sql[64], before[4096], after[4096];
    disk_open(f->disk);
    disk_close(f->disk);
    snprintf(sql, sizeof sql, "PRAGMA user_version=%u", state_schema() + 1);
    write_file(f->path, sql, false);
    int fd = open(f->path, O_RDONLY);
    ssize_t len = pread(fd, before, sizeof before, 0);
    assert_int_equal(state_open(f->disk->settings.state_dir, &f->disk->log, &f->disk->store, &why),
                     -EPROTONOSUPPORT);
    assert_non_null(strstr(why.text, "was written by a newer version"));
    assert_int_equal(pread(fd, after, sizeof after, 0), len);
    assert_memory_equal(before, after, (size_t)len);
    close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_file_of_the_version_before_is_upgraded_with_all_its_rows),
        TEST(so_is_one_that_a_crash_left),
        TEST(an_upgraded_file_is_like_a_new_one),
        TEST(the_audit_has_the_indexes_that_questions_use),
        TEST(a_newer_file_is_refused_and_left_alone),
    };
    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
