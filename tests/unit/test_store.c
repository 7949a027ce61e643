/* The state file: what is in it after every kind of end, and what a sick disk does to the rest. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/backoff.h"
#include "disk.h"
#include "small_disk.h"
#include "vps/store/database.h"
#include "vps/store/lock.h"
#include "vps/store/store.h"

/* Attempts follow each other without a pause. */
uint32_t __wrap_backoff_next(struct backoff *backoff);
uint32_t __wrap_backoff_next(struct backoff *backoff)
{
    (void)backoff;
    return 1;
}

static const char *const MIGRATIONS[] = {
    "CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT",
    ("ALTER TABLE note ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue';"
     "CREATE TABLE more(id INTEGER PRIMARY KEY) STRICT"),
    "SELECT nonsense",
};
static const char INSERT[] = "INSERT INTO note(id, text) VALUES(?1, ?2)";

struct fixture {
    char folder[64];
    char path[96];
    char *said;
    size_t said_len;
    struct log log;
    uv_loop_t loop;
    struct store_options options;
    struct store *store;
    int64_t sum;   /* of the ids that were read */
    unsigned rows; /* how many */
    unsigned told;
    int err; /* the last that was told */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/test_store.XXXXXX");
    if (!mkdtemp(f->folder)) {
        return -1;
    }
    snprintf(f->path, sizeof f->path, "%s/state.db", f->folder);
    f->log = (struct log){.stream = open_memstream(&f->said, &f->said_len), .level = LOG_INFO};
    f->options = (struct store_options){
        .path = f->path, .log = &f->log, .migrations = MIGRATIONS, .schema = 1};
    *state = f;
    return uv_loop_init(&f->loop);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    store_stop(f->store);
    loop_end(&f->loop);
    store_free(f->store);
    folder_clear(f->folder);
    rmdir(f->folder);
    fclose(f->log.stream);
    free(f->said);
    free(f);
    return 0;
}

static void open_store(struct fixture *f)
{
    struct why why;
    assert_int_equal(store_open(&f->options, &f->store, &why), 0);
}

static void start_store(struct fixture *f)
{
    open_store(f);
    assert_int_equal(store_start(f->store, &f->loop), 0);
}

static void close_store(struct fixture *f)
{
    store_stop(f->store);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    store_free(f->store);
    f->store = NULL;
}

static void count_row(void *arg, const struct row *row)
{
    struct fixture *f = arg;
    f->rows++;
    f->sum += row_number(row, 0);
}

static void count_rows(struct fixture *f)
{
    f->rows = 0;
    f->sum = 0;
    assert_int_equal(
        store_read(f->store, &(struct statement){"SELECT id FROM note", {{0}}}, count_row, f), 0);
}

/* In a store of its own, as after a restart. */
static unsigned rows_in_file(struct fixture *f)
{
    open_store(f);
    count_rows(f);
    close_store(f);
    return f->rows;
}

static void on_done(void *arg, int err)
{
    struct fixture *f = arg;
    f->told++;
    f->err = err;
}

static void insert_text(struct fixture *f, int64_t id, const char *text)
{
    struct statement insertion = {INSERT, {value_number(id), value_text(text)}};
    assert_int_equal(store_write(f->store, &insertion, on_done, f), 0);
}

static void insert(struct fixture *f, int64_t id)
{
    insert_text(f, id, "x");
}

static bool log_has(struct fixture *f, const char *words)
{
    fflush(f->log.stream);
    return f->said && strstr(f->said, words);
}

static unsigned log_lines(struct fixture *f)
{
    unsigned lines = 0;
    fflush(f->log.stream);
    for (const char *at = f->said; at && (at = strchr(at, '\n')); at++) {
        lines++;
    }
    return lines;
}

static bool is_there(const struct fixture *f, const char *suffix)
{
    char path[128];
    snprintf(path, sizeof path, "%s%s", f->path, suffix);
    return access(path, F_OK) == 0;
}

/* ---- what is kept ----------------------------------------------------------- */

static void what_was_written_is_there_after_a_restart(void **state)
{
    struct fixture *f = *state;
    start_store(f);
    insert(f, 3);
    insert(f, 4);
    WAIT_FOR(&f->loop, f->told == 2);
    assert_int_equal(f->err, 0);
    close_store(f);
    assert_int_equal(rows_in_file(f), 2);
    assert_int_equal(f->sum, 7);
    assert_int_equal(log_lines(f), 0);
}

static void what_is_queued_is_written_before_it_closes(void **state)
{
    struct fixture *f = *state;
    start_store(f);
    for (int64_t i = 1; i <= 100; i++) {
        insert(f, i);
    }
    close_store(f);
    assert_int_equal(rows_in_file(f), 100);
}

static void it_is_in_the_file_when_its_owner_is_told(void **state)
{
    struct fixture *f = *state;
    struct store *writer;
    start_store(f);
    insert(f, 1);
    WAIT_FOR(&f->loop, f->told == 1);
    writer = f->store;
    assert_int_equal(rows_in_file(f), 1); /* by a second connection, the first still open */
    f->store = writer;
    close_store(f);
}

static void a_change_that_is_wrong_fails_alone(void **state)
{
    struct fixture *f = *state;
    start_store(f);
    insert(f, 1);
    insert(f, 1); /* there is one already */
    WAIT_FOR(&f->loop, f->told == 2);
    assert_int_equal(f->err, -EINVAL);
    insert(f, 2);
    WAIT_FOR(&f->loop, f->told == 3);
    assert_int_equal(f->err, 0);
    close_store(f);
    assert_int_equal(rows_in_file(f), 2);
    assert_int_equal(log_lines(f), 0);
}

static void an_owner_that_is_gone_is_not_told(void **state)
{
    struct fixture *f = *state;
    struct fixture other = *f;
    start_store(f);
    insert(f, 1);
    store_detach(f->store, f);
    other.store = f->store;
    insert(&other, 2);
    WAIT_FOR(&f->loop, other.told == 1);
    assert_int_equal(f->told, 0);
    close_store(f);
    assert_int_equal(rows_in_file(f), 2);
}

static void write_again(void *arg, int err)
{
    struct fixture *f = arg;
    assert_int_equal(err, 0);
    insert(f, 2);
}

static void an_owner_may_write_when_it_is_told(void **state)
{
    struct fixture *f = *state;
    start_store(f);
    store_write(f->store, &(struct statement){INSERT, {value_number(1), value_text("")}},
                write_again, f);
    WAIT_FOR(&f->loop, f->told == 1);
    close_store(f);
    assert_int_equal(rows_in_file(f), 2);
}

static void without_a_store_nothing_is_kept(void **state)
{
    struct fixture *f = *state;
    struct statement insertion = {INSERT, {value_number(1), value_text("")}};
    assert_int_equal(store_write(NULL, &insertion, on_done, f), -ENODEV);
    assert_int_equal(store_read(NULL, &insertion, count_row, f), 0);
    store_detach(NULL, f);
    store_stop(NULL);
    store_free(NULL);
    assert_int_equal(f->told + f->rows, 0);
}

/* The child writes as fast as it is told, and tells us; then it is killed. */
static void write_until_killed(struct fixture *f, int pipe_fd, int64_t first)
{
    start_store(f);
    for (int64_t id = first;; id++) {
        f->told = 0;
        insert(f, id);
        while (f->told == 0) {
            uv_run(&f->loop, UV_RUN_ONCE);
        }
        if (write(pipe_fd, &id, sizeof id) != sizeof id) {
            _exit(1);
        }
    }
}

static int64_t run_and_kill(struct fixture *f, int64_t first, unsigned after)
{
    int fds[2];
    int64_t id, last = 0;
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        uv_loop_fork(&f->loop);
        write_until_killed(f, fds[1], first);
    }
    close(fds[1]);
    for (unsigned i = 0; i < after && read(fds[0], &id, sizeof id) == sizeof id; i++) {
        last = id;
    }
    kill(child, SIGKILL);
    while (read(fds[0], &id, sizeof id) == sizeof id) {
        last = id;
    }
    close(fds[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    return last;
}

static void nothing_that_was_told_is_lost_by_kill_9(void **state)
{
    struct fixture *f = *state;
    int64_t last = 0;
    for (unsigned round = 1; round <= 30; round++) {
        int64_t told = run_and_kill(f, last + 1, 1 + round * 7 % 40);
        assert_true(told > last);
        unsigned rows = rows_in_file(f);
        /* The one under way may be there, too. */
        assert_true(rows == told || rows == told + 1);
        last = rows;
    }
    assert_int_equal(f->sum, last * (last + 1) / 2);
    assert_int_equal(log_lines(f), 0);
}

/* The log does not grow for ever, and shrinks while nobody waits for it. */
static void much_is_moved_into_the_file_itself(void **state)
{
    struct fixture *f = *state;
    struct stat file;
    char log[128], much[3000];
    snprintf(log, sizeof log, "%s-wal", f->path);
    snprintf(much, sizeof much, "%*s", (int)sizeof much - 1, "");
    start_store(f);
    for (unsigned i = 1; i <= 6000; i++) {
        insert_text(f, i, much);
        if (i % 500 == 0) {
            WAIT_FOR(&f->loop, f->told == i);
        }
    }
    assert_int_equal(stat(log, &file), 0);
    assert_in_range(file.st_size, 0, 16 * 1024 * 1024); /* of 24 MB */
    close_store(f);
    assert_int_equal(stat(log, &file), 0);
    assert_int_equal(file.st_size, 0);
    assert_int_equal(rows_in_file(f), 6000);
}

/* ---- its schema -------------------------------------------------------------- */

static void an_older_schema_is_brought_up_to_date(void **state)
{
    struct fixture *f = *state;
    unsigned schema = 0;
    start_store(f);
    insert(f, 5);
    close_store(f);
    assert_int_equal(database_peek(f->path, &schema), 0);
    assert_int_equal(schema, 1);
    f->options.schema = 2;
    assert_int_equal(rows_in_file(f), 1);
    open_store(f);
    assert_int_equal(
        store_read(f->store, &(struct statement){"SELECT id FROM note WHERE colour='blue'", {{0}}},
                   count_row, f),
        0);
    close_store(f);
    assert_int_equal(f->rows, 2);
    assert_int_equal(database_peek(f->path, &schema), 0);
    assert_int_equal(schema, 2);
}

static void a_newer_schema_is_refused_and_left_alone(void **state)
{
    struct fixture *f = *state;
    struct why why;
    f->options.schema = 2;
    start_store(f);
    insert(f, 1);
    close_store(f);
    f->options.schema = 1;
    assert_int_equal(store_open(&f->options, &f->store, &why), -EPROTONOSUPPORT);
    assert_non_null(strstr(why.text, f->path));
    assert_non_null(strstr(why.text, "its schema is 2, this one knows 1"));
    f->options.schema = 2;
    assert_int_equal(rows_in_file(f), 1);
}

static void a_change_of_schema_that_fails_changes_nothing(void **state)
{
    struct fixture *f = *state;
    unsigned schema = 0;
    start_store(f);
    insert(f, 1);
    close_store(f);
    f->options.schema = 3;
    open_store(f);
    assert_true(log_has(f, "cannot open"));
    close_store(f);
    assert_int_equal(database_peek(f->path, &schema), 0);
    assert_int_equal(schema, 1);
    f->options.schema = 1;
    assert_int_equal(rows_in_file(f), 1);
}

/* ---- files that are not as they should be ------------------------------------- */

static void check_modes(struct fixture *f)
{
    static const char *const SUFFIXES[] = {"", "-wal", "-shm"};
    for (unsigned i = 0; i < 3; i++) {
        char path[128];
        struct stat file;
        snprintf(path, sizeof path, "%s%s", f->path, SUFFIXES[i]);
        assert_int_equal(stat(path, &file), 0);
        assert_int_equal(file.st_mode & 07777, 0600);
    }
}

static void only_its_owner_may_read_it(void **state)
{
    static const mode_t UMASKS[] = {0, 077, 0277};
    struct fixture *f = *state;
    for (unsigned i = 0; i < 3; i++) {
        mode_t before = umask(UMASKS[i]);
        start_store(f);
        insert(f, 1);
        WAIT_FOR(&f->loop, f->told == i + 1);
        check_modes(f);
        close_store(f);
        umask(before);
        assert_int_equal(database_put_aside(f->path), 0); /* the next one begins anew */
    }
}

static void damage(struct fixture *f, off_t at, size_t len)
{
    uint8_t *junk = malloc(len);
    memset(junk, 0xa5, len);
    int fd = open(f->path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, junk, len, at), len);
    close(fd);
    free(junk);
}

static void check_it_was_put_aside(struct fixture *f)
{
    start_store(f);
    assert_true(log_has(f, "is damaged"));
    assert_true(is_there(f, ".damaged"));
    assert_int_equal(log_lines(f), 1);
    insert(f, 9);
    close_store(f);
    assert_int_equal(rows_in_file(f), 1);
    assert_int_equal(log_lines(f), 1);
}

static void a_file_that_is_no_database_is_put_aside(void **state)
{
    struct fixture *f = *state;
    damage(f, 0, 8192);
    check_it_was_put_aside(f);
}

static void a_file_with_a_broken_page_is_put_aside(void **state)
{
    struct fixture *f = *state;
    start_store(f);
    for (int64_t i = 1; i <= 1000; i++) {
        insert(f, i);
    }
    WAIT_FOR(&f->loop, f->told == 1000);
    close_store(f);
    damage(f, 2 * 4096, 4096); /* all is in the file itself: it was closed */
    check_it_was_put_aside(f);
}

static void a_file_that_is_taken_away_is_begun_anew(void **state)
{
    struct fixture *f = *state;
    char elsewhere[128];
    start_store(f);
    insert(f, 1);
    WAIT_FOR(&f->loop, f->told == 1);
    snprintf(elsewhere, sizeof elsewhere, "%s.elsewhere", f->path);
    assert_int_equal(rename(f->path, elsewhere), 0);
    insert(f, 2);
    WAIT_FOR(&f->loop, f->told == 2);
    assert_int_equal(f->err, 0);
    WAIT_FOR(&f->loop, log_has(f, "was removed or replaced"));
    close_store(f);
    assert_int_equal(rows_in_file(f), 1);
    assert_int_equal(log_lines(f), 1);
    assert_int_equal(unlink(elsewhere), 0);
}

static void a_link_is_not_followed(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(symlink("/tmp/elsewhere.db", f->path), 0);
    open_store(f);
    assert_true(log_has(f, "cannot open"));
    close_store(f);
    assert_int_not_equal(access("/tmp/elsewhere.db", F_OK), 0);
}

static void a_file_that_cannot_be_opened_is_tried_again(void **state)
{
    struct fixture *f = *state;
    char elsewhere[96];
    snprintf(elsewhere, sizeof elsewhere, "%s.not-yet", f->folder);
    assert_int_equal(rename(f->folder, elsewhere), 0);
    start_store(f);
    assert_int_equal(log_lines(f), 1);
    insert(f, 1);
    WAIT_FOR(&f->loop, f->told == 1);
    assert_int_equal(f->err, -ENOENT);
    assert_int_equal(rename(elsewhere, f->folder), 0);
    WAIT_FOR(&f->loop, log_has(f, "can be written again"));
    close_store(f);
    assert_int_equal(rows_in_file(f), 1);
    assert_int_equal(f->told, 1);
    assert_int_equal(log_lines(f), 2);
}

static void while_nothing_can_be_written_only_the_newest_wait(void **state)
{
    struct fixture *f = *state;
    char elsewhere[96];
    snprintf(elsewhere, sizeof elsewhere, "%s.not-yet", f->folder);
    assert_int_equal(rename(f->folder, elsewhere), 0);
    start_store(f);
    for (int64_t i = 1; i <= 3000; i++) {
        insert(f, i);
    }
    WAIT_FOR(&f->loop, f->told == 3000); /* nobody is left waiting for an answer */
    assert_true(log_has(f, "the oldest are dropped"));
    assert_int_equal(rename(elsewhere, f->folder), 0);
    WAIT_FOR(&f->loop, log_has(f, "can be written again"));
    close_store(f);
    unsigned rows = rows_in_file(f);
    assert_in_range(rows, 1024, 2048); /* those that were under way are not counted */
    assert_int_equal(f->sum, (int64_t)rows * (3000 - rows + 1 + 3000) / 2);
}

/* ---- a full disk -------------------------------------------------------------- */

#define CHILD_CHECK(condition)                               \
    do {                                                     \
        if (!(condition)) {                                  \
            fprintf(stderr, "%s\n", f->said ? f->said : ""); \
            DISK_CHECK(condition);                           \
        }                                                    \
    } while (0)

static void child_wait(struct fixture *f, unsigned told)
{
    for (unsigned i = 0; i < 80 && f->told < told; i++) {
        loop_turn(&f->loop, 100);
    }
    CHILD_CHECK(f->told == told);
}

static void fill_while_it_runs(void *arg)
{
    struct fixture *f = arg;
    start_store(f);
    insert(f, 1);
    child_wait(f, 1);
    struct store_view view = store_view(f->store);
    CHILD_CHECK(view.changes == 0 && view.records == 0 && view.trouble == 0 && view.delay_us > 0);
    small_disk_fill(f->folder);
    char much[2048];
    snprintf(much, sizeof much, "%*s", (int)sizeof much - 1, "");
    for (int64_t i = 2; i <= 200; i++) {
        insert_text(f, i, much);
    }
    child_wait(f, 200);
    CHILD_CHECK(f->err == -ENOSPC);
    loop_run_for(&f->loop, 50); /* attempts follow each other, and say nothing more */
    CHILD_CHECK(log_lines(f) == 1 && log_has(f, "No space left on device"));
    view = store_view(f->store);
    CHILD_CHECK(view.changes > 0 && view.trouble == -ENOSPC && view.delay_us > 50000);
    small_disk_make_room(f->folder);
    for (unsigned i = 0; i < 80 && !log_has(f, "can be written again"); i++) {
        loop_turn(&f->loop, 100);
    }
    view = store_view(f->store);
    CHILD_CHECK(view.changes == 0 && view.trouble == 0);
    close_store(f);
    CHILD_CHECK(rows_in_file(f) == 200 && f->told == 200 && log_lines(f) == 2);
}

static void nothing_is_lost_when_the_disk_is_full_for_a_while(void **state)
{
    struct fixture *f = *state;
    small_disk_run(f->folder, 2, &f->loop, fill_while_it_runs, f);
}

static void restart_when_full(void *arg)
{
    struct fixture *f = arg;
    start_store(f);
    insert(f, 1);
    child_wait(f, 1);
    close_store(f);
    small_disk_fill(f->folder);
    start_store(f);
    count_rows(f);
    CHILD_CHECK(f->rows == 1 && log_lines(f) == 0);
    close_store(f);
}

static void what_is_there_is_read_on_a_full_disk(void **state)
{
    struct fixture *f = *state;
    small_disk_run(f->folder, 2, &f->loop, restart_when_full, f);
}

static void begin_when_full(void *arg)
{
    struct fixture *f = arg;
    small_disk_fill(f->folder);
    start_store(f);
    CHILD_CHECK(log_lines(f) == 1 && log_has(f, "cannot open"));
    insert(f, 1);
    child_wait(f, 1);
    CHILD_CHECK(f->err < 0 && f->err != -EINVAL);
    small_disk_make_room(f->folder);
    for (unsigned i = 0; i < 80 && !log_has(f, "can be written again"); i++) {
        loop_turn(&f->loop, 100);
    }
    close_store(f);
    CHILD_CHECK(rows_in_file(f) == 1);
}

static void a_new_file_waits_for_room(void **state)
{
    struct fixture *f = *state;
    small_disk_run(f->folder, 2, &f->loop, begin_when_full, f);
}

/* ---- one agent for one folder -------------------------------------------------- */

static void a_folder_is_locked_by_one_process_at_a_time(void **state)
{
    struct fixture *f = *state;
    int first = lock_folder(f->folder);
    assert_true(first >= 0);
    assert_int_equal(lock_folder(f->folder), -EWOULDBLOCK);
    close(first);
    int second = lock_folder(f->folder);
    assert_true(second >= 0);
    close(second);
    assert_int_equal(lock_folder("/nonexistent"), -ENOENT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_was_written_is_there_after_a_restart),
        TEST(what_is_queued_is_written_before_it_closes),
        TEST(it_is_in_the_file_when_its_owner_is_told),
        TEST(a_change_that_is_wrong_fails_alone),
        TEST(an_owner_that_is_gone_is_not_told),
        TEST(an_owner_may_write_when_it_is_told),
        TEST(without_a_store_nothing_is_kept),
        TEST(nothing_that_was_told_is_lost_by_kill_9),
        TEST(much_is_moved_into_the_file_itself),
        TEST(an_older_schema_is_brought_up_to_date),
        TEST(a_newer_schema_is_refused_and_left_alone),
        TEST(a_change_of_schema_that_fails_changes_nothing),
        TEST(only_its_owner_may_read_it),
        TEST(a_file_that_is_no_database_is_put_aside),
        TEST(a_file_with_a_broken_page_is_put_aside),
        TEST(a_file_that_is_taken_away_is_begun_anew),
        TEST(a_link_is_not_followed),
        TEST(a_file_that_cannot_be_opened_is_tried_again),
        TEST(while_nothing_can_be_written_only_the_newest_wait),
        TEST(nothing_is_lost_when_the_disk_is_full_for_a_while),
        TEST(what_is_there_is_read_on_a_full_disk),
        TEST(a_new_file_waits_for_room),
        TEST(a_folder_is_locked_by_one_process_at_a_time),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
