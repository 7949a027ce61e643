/*
 * What a process can do no more, tried by one. Each test is a child of its own,
 * since there is no way out of a sandbox.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/seccomp.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <uv.h>

#include "base/net.h"
#include "base/sandbox.h"

static char folder[64]; /* holds state/ and a file `secret` */
static char state_dir[96];

/* In a child: a line on stderr and an exit status that the parent takes for a failure. */
#define CHECK(condition)                                                                 \
    if (!(condition)) {                                                                  \
        fprintf(stderr, "%d: not so: %s (%s)\n", __LINE__, #condition, strerror(errno)); \
        _exit(1);                                                                        \
    }

static int in_folder(const char *name, int flags)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return open(path, flags | O_CLOEXEC, 0600);
}

/* By Landlock, or by seccomp before it. */
static bool is_refused(int result)
{
    return result < 0 && (errno == EACCES || errno == ENOSYS);
}

static int errno_of(long result)
{
    return result < 0 ? errno : 0;
}

/* Runs fn in a sandbox of its own; returns its status as waitpid(2) has it. */
static int inside(const struct sandbox_rules *rules, void (*fn)(void))
{
    pid_t child = fork();
    if (child == 0) {
        struct why why = {""};
        int err = sandbox_enter(rules, &why);
        if (err < 0) {
            fprintf(stderr, "%s\n", why.text);
            _exit(77);
        }
        fn();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        skip();
    }
    return status;
}

static const struct sandbox_rules SERVER = {.state_dir = state_dir, .listens = true};
static const struct sandbox_rules CLIENT = {0};

/* ---- files ----------------------------------------------------------------- */

static void touch_files(void)
{
    CHECK(in_folder("secret", O_RDONLY) < 0 && errno == EACCES);
    CHECK(is_refused(in_folder("new", O_WRONLY | O_CREAT)));
    CHECK(!opendir(folder) && errno == EACCES);
    CHECK(open("/root", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
    CHECK(open("/proc/self/mem", O_RDWR | O_CLOEXEC) < 0);
    CHECK(is_refused(open("/etc/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)));
    CHECK(open("/etc/nsswitch.conf", O_RDONLY | O_CLOEXEC) >= 0 || errno == ENOENT);
}

static void use_state(void)
{
    char from[160], to[160];
    touch_files();
    int fd = in_folder("state/new", O_WRONLY | O_CREAT | O_TRUNC);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1 && ftruncate(fd, 0) == 0 && fsync(fd) == 0);
    snprintf(from, sizeof from, "%s/state/new", folder);
    snprintf(to, sizeof to, "%s/state/old", folder);
    CHECK(rename(from, to) == 0 && in_folder("state/old", O_RDONLY) >= 0);
    snprintf(from, sizeof from, "%s/moved", folder);
    CHECK(rename(to, from) < 0 && (errno == EACCES || errno == EXDEV));
    CHECK(unlink(to) == 0);
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s/state/socket", folder);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0 && listen(fd, 1) == 0);
    CHECK(unlink(addr.sun_path) == 0);
}

static void the_state_dir_is_all_that_can_be_written(void **state)
{
    (void)state;
    assert_int_equal(inside(&SERVER, use_state), 0);
}

static void write_nothing(void)
{
    touch_files();
    CHECK(errno_of(in_folder("state/new", O_WRONLY | O_CREAT)) == ENOSYS);
    CHECK(errno_of(mkdir("/tmp/x", 0700)) == ENOSYS);
    CHECK(errno_of(unlink("/etc/passwd")) == ENOSYS);
    /* seccomp forbids it too, where there is no Landlock */
    CHECK(errno_of(open("/dev/null", O_RDWR | O_CLOEXEC)) == ENOSYS);
}

static void without_a_state_dir_nothing_can(void **state)
{
    (void)state;
    assert_int_equal(inside(&CLIENT, write_nothing), 0);
}

static void read_certificates(void)
{
    CHECK(in_folder("secret", O_RDONLY) >= 0);
    CHECK(in_folder("secret", O_WRONLY) < 0 && errno == EACCES);
}

static void a_file_of_certificates_and_its_successor_can_be_read(void **state)
{
    char path[160];
    snprintf(path, sizeof path, "%s/secret", folder);
    struct sandbox_rules rules = {.ca_file = path, .state_dir = state_dir, .listens = true};
    (void)state;
    assert_int_equal(inside(&rules, read_certificates), 0);
    rules.ca_file = "/absent/file";
    assert_int_equal(inside(&rules, touch_files), 0);
}

/* ---- sockets ---------------------------------------------------------------- */

static int try_listen(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int err = errno_of(bind(fd, (struct sockaddr *)&addr, sizeof addr));
    return err ? err : errno_of(listen(fd, 1));
}

static void listen_to_all(void)
{
    CHECK(try_listen() == 0);
}

static void listen_to_none(void)
{
    CHECK(try_listen() == EACCES || try_listen() == ENOSYS);
}

static void only_who_listens_can_listen(void **state)
{
    (void)state;
    assert_int_equal(inside(&SERVER, listen_to_all), 0);
    assert_int_equal(inside(&CLIENT, listen_to_none), 0);
}

static void open_odd_sockets(void)
{
    CHECK(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP) >= 0 || errno == EAFNOSUPPORT);
    CHECK(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) >= 0);
    CHECK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0) >= 0);
    CHECK(socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == ENOSYS);
    CHECK(socket(AF_VSOCK, SOCK_STREAM, 0) < 0 && errno == ENOSYS);
    CHECK(socket(AF_NETLINK, SOCK_RAW, 12 /* NETFILTER */) < 0 && errno == ENOSYS);
    CHECK(socket(AF_INET, SOCK_STREAM, 132 /* SCTP */) < 0 && errno == ENOSYS);
}

static void open_multipath(void)
{
    CHECK(socket(AF_INET, SOCK_STREAM, 263) < 0 && errno == ENOSYS);
    CHECK(net_check_multipath() != -ENOSYS); /* the kernel may have none */
}

static void open_no_multipath(void)
{
    CHECK(net_check_multipath() == -ENOSYS);
}

static void several_paths_are_for_who_wants_them(void **state)
{
    struct sandbox_rules rules = SERVER;
    (void)state;
    assert_int_equal(inside(&rules, open_no_multipath), 0);
    rules.multipath = true;
    assert_int_equal(inside(&rules, open_multipath), 0);
}

static void sockets_are_of_the_kinds_that_it_needs(void **state)
{
    (void)state;
    assert_int_equal(inside(&SERVER, open_odd_sockets), 0);
}

/* ---- calls ------------------------------------------------------------------ */

static void *in_thread(void *arg)
{
    (void)arg;
    CHECK(in_folder("secret", O_RDONLY) < 0 && errno == EACCES);
    CHECK(socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == ENOSYS);
    CHECK(prctl(PR_SET_NAME, "worker") == 0);
    return NULL;
}

static void start_threads(void)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, in_thread, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

static void threads_can_be_started_and_are_in_it_too(void **state)
{
    (void)state;
    assert_int_equal(inside(&SERVER, start_threads), 0);
    assert_int_equal(inside(&CLIENT, start_threads), 0);
}

static void be_odd(void)
{
    CHECK(errno_of(fork()) == ENOSYS);
    CHECK(errno_of(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)) == ENOSYS);
    CHECK(errno_of(ioctl(0, TIOCSTI, "x")) == ENOSYS);
    CHECK(errno_of(syscall(SYS_io_uring_setup, 1, NULL)) == ENOSYS);
    CHECK(errno_of(kill(getppid(), 0)) == ENOSYS);
    CHECK(errno_of(prctl(PR_SET_DUMPABLE, 1)) == ENOSYS);
    struct rlimit none;
    CHECK(getrlimit(RLIMIT_CORE, &none) == 0 && none.rlim_max == 0);
}

static void what_is_not_on_the_list_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(inside(&SERVER, be_odd), 0);
    assert_int_equal(inside(&CLIENT, be_odd), 0);
}

static void make_code(void)
{
    size_t page = 4096;
    CHECK(mmap(NULL, page, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
               0) == MAP_FAILED);
    CHECK(mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
          MAP_FAILED);
    void *data = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(data != MAP_FAILED && mprotect(data, page, PROT_READ) == 0);
    CHECK(errno_of(mprotect(data, page, PROT_READ | PROT_EXEC)) == ENOSYS);
}

/* What is written to one mapping could be run in the other. */
static void run_a_file(void)
{
    int fd = in_folder("state/code", O_RDWR | O_CREAT | O_TRUNC);
    CHECK(fd >= 0 && ftruncate(fd, 4096) == 0);
    void *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(data != MAP_FAILED);
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0) == MAP_FAILED);
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED);
    CHECK(errno_of(mprotect(data, 4096, PROT_READ | PROT_EXEC)) == ENOSYS);
    close(fd);
    fd = open("/etc/nsswitch.conf", O_RDONLY | O_CLOEXEC);
    CHECK(fd < 0 || mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED);
    char path[160];
    snprintf(path, sizeof path, "%s/state/code", folder);
    CHECK(unlink(path) == 0);
}

static void what_was_written_cannot_be_run(void **state)
{
    (void)state;
    assert_int_equal(inside(&SERVER, make_code), 0);
    assert_int_equal(inside(&SERVER, run_a_file), 0);
}

/* Wrapped: libseccomp's and our own go through it. */
static struct {
    unsigned long flags;
    unsigned loads;
    int refuse; /* this flag, as a kernel that does not know it */
} seen;

long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);
long __real_syscall(long number, ...);

long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    if (number == SYS_seccomp && a == SECCOMP_SET_MODE_FILTER && c) {
        seen.loads++;
        seen.flags = (unsigned long)b;
        if (b & seen.refuse) {
            errno = EINVAL;
            return -1;
        }
    }
    return __real_syscall(number, a, b, c, d, e, f);
}

static void be_as_fast_as_before(void)
{
    CHECK(seen.loads == 1 && (seen.flags & SECCOMP_FILTER_FLAG_SPEC_ALLOW));
}

static void be_on_an_old_kernel(void)
{
    CHECK(seen.loads == 2 && !(seen.flags & SECCOMP_FILTER_FLAG_SPEC_ALLOW));
    CHECK(errno_of(fork()) == ENOSYS);
}

static void a_filter_does_not_slow_it_down(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof seen);
    assert_int_equal(inside(&SERVER, be_as_fast_as_before), 0);
    seen.refuse = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    assert_int_equal(inside(&SERVER, be_on_an_old_kernel), 0);
    seen.refuse = 0;
}

static void start_a_program(void)
{
    execl("/bin/true", "true", NULL);
}

static void *start_in_thread(void *arg)
{
    (void)arg;
    start_a_program();
    return NULL;
}

static void start_a_program_from_a_thread(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, start_in_thread, NULL);
    pthread_join(thread, NULL);
}

static void trace_the_parent(void)
{
    ptrace(PTRACE_ATTACH, getppid(), 0, 0);
}

static void leave_the_namespace(void)
{
    unshare(CLONE_NEWUSER);
}

static void what_only_an_intruder_does_ends_the_process(void **state)
{
    static void (*const DEEDS[])(void) = {start_a_program, start_a_program_from_a_thread,
                                          trace_the_parent, leave_the_namespace};
    (void)state;
    for (size_t i = 0; i < sizeof DEEDS / sizeof *DEEDS; i++) {
        int status = inside(&SERVER, DEEDS[i]);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGSYS);
        assert_false(WCOREDUMP(status));
    }
}

/* ---- what has to keep working ------------------------------------------------ */

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    *(int *)request->data = status;
    uv_freeaddrinfo(list);
}

/* Through /etc/hosts, and then through everything that nsswitch.conf names. */
static void look_up(void)
{
    uv_loop_t loop;
    uv_getaddrinfo_t request;
    int status = 1;
    CHECK(uv_loop_init(&loop) == 0);
    request.data = &status;
    CHECK(uv_getaddrinfo(&loop, &request, on_resolved, "localhost", "22", NULL) == 0);
    CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0 && status == 0);
    CHECK(uv_getaddrinfo(&loop, &request, on_resolved, "absent.invalid", NULL, NULL) == 0);
    CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0 && status < 0 && status != UV_EAI_MEMORY);
    CHECK(uv_loop_close(&loop) == 0);
}

static void the_loop_and_the_resolver_work(void **state)
{
    (void)state;
    assert_int_equal(inside(&SERVER, look_up), 0);
    assert_int_equal(inside(&CLIENT, look_up), 0);
}

static void run_sql(sqlite3 *database, const char *sql)
{
    char *error = NULL;
    if (sqlite3_exec(database, sql, NULL, NULL, &error) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", sql, error);
        _exit(1);
    }
}

/* Of two connections in a thread each, as a reader beside a writer. */
static void *read_beside(void *arg)
{
    sqlite3 *database;
    CHECK(sqlite3_open_v2(arg, &database, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK);
    run_sql(database, "SELECT count(*) FROM t");
    CHECK(sqlite3_close(database) == SQLITE_OK);
    return NULL;
}

/* With a log that is written ahead: locks, a shared mapping, and files that come and go. */
static void keep_a_database(void)
{
    sqlite3 *database;
    pthread_t thread;
    char path[160], wal[170];
    snprintf(path, sizeof path, "%s/state/test.db", folder);
    snprintf(wal, sizeof wal, "%s-wal", path);
    CHECK(sqlite3_open(path, &database) == SQLITE_OK);
    run_sql(database, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA "
                      "temp_store=MEMORY; CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)");
    CHECK(access(wal, F_OK) == 0); /* it took that mode */
    run_sql(database, "BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                      "WHERE i < 2000) INSERT INTO t SELECT i, randomblob(2000) FROM n; COMMIT");
    CHECK(pthread_create(&thread, NULL, read_beside, path) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    run_sql(database, "UPDATE t SET b = randomblob(10); PRAGMA wal_checkpoint(TRUNCATE); DELETE "
                      "FROM t WHERE a > 10; VACUUM; PRAGMA integrity_check");
    CHECK(sqlite3_close(database) == SQLITE_OK && access(wal, F_OK) < 0);
    CHECK(unlink(path) == 0);
}

static void a_database_can_be_kept(void **state)
{
    (void)state;
    assert_int_equal(inside(&SERVER, keep_a_database), 0);
}

/* ---- a list of name servers that comes later --------------------------------- */

/* An /etc of its own with links: name, target. False if this machine does not let us. */
static bool make_etc(const char *const (*links)[2], size_t count)
{
    char etc[96], path[200];
    snprintf(etc, sizeof etc, "%s/etc", folder);
    bool ok = unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) == 0 &&
              mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
              mount("tmpfs", etc, "tmpfs", 0, NULL) == 0;
    for (size_t i = 0; ok && i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", etc, links[i][0]);
        CHECK(symlink(links[i][1], path) == 0);
    }
    return ok && mount(etc, "/etc", NULL, MS_BIND, NULL) == 0;
}

/* DHCP, outside: makes the file when it is told to through the pipe, and says so. */
static int start_dhcp(const char *file)
{
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    if (fork() == 0) {
        char byte, path[160];
        snprintf(path, sizeof path, "%s", file);
        close(pair[0]);
        CHECK(read(pair[1], &byte, 1) == 1);
        *strrchr(path, '/') = '\0';
        CHECK(mkdir(path, 0755) == 0 || errno == EEXIST);
        int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        CHECK(fd >= 0 && write(fd, "nameserver 192.0.2.1\n", 21) == 21);
        CHECK(write(pair[1], "x", 1) == 1);
        _exit(0);
    }
    close(pair[1]);
    return pair[0];
}

struct way {
    const char *links[3][2];
    size_t count;
    const char *file; /* in the folder */
    const char *said; /* NULL: it can be read once it is there */
};

static void come_later(const struct way *way)
{
    struct why why = {""};
    char file[160], byte;
    if (!make_etc(way->links, way->count)) {
        _exit(77);
    }
    snprintf(file, sizeof file, "%s/%s", folder, way->file ? way->file : "unused");
    int dhcp = start_dhcp(file);
    CHECK(open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC) < 0);
    int err = sandbox_enter(&CLIENT, &why);
    if (err < 0 && err != -ENOENT) {
        fprintf(stderr, "%s\n", why.text);
        _exit(77);
    }
    CHECK(write(dhcp, "x", 1) == 1 && read(dhcp, &byte, 1) == 1);
    CHECK(in_folder("secret", O_RDONLY) < 0 && errno == EACCES);
    if (way->said) {
        CHECK(err == -ENOENT && strstr(why.text, way->said));
    } else {
        CHECK(err == 0 && open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC) >= 0);
    }
    _exit(0);
}

static void a_list_of_name_servers_may_come_later(void **state)
{
    char direct[96], deep[96], link[96];
    snprintf(direct, sizeof direct, "%s/net/resolv.conf", folder);
    snprintf(deep, sizeof deep, "%s/net/tun0/resolv.conf", folder);
    snprintf(link, sizeof link, "..%s/net/resolv.conf", folder);
    const struct way WAYS[] = {
        {{{"resolv.conf", direct}}, 1, "net/resolv.conf", NULL},
        {{{"resolv.conf", deep}}, 1, "net/tun0/resolv.conf", NULL},
        {{{"resolv.conf", "one"}, {"one", "/etc/two"}, {"two", link}}, 3, "net/resolv.conf", NULL},
        {{{"resolv.conf", "/no-such-folder/resolv.conf"}}, 1, NULL, "/no-such-folder/resolv.conf"},
    };
    char etc[96], net[96], command[300];
    (void)state;
    snprintf(etc, sizeof etc, "%s/etc", folder);
    snprintf(net, sizeof net, "%s/net", folder);
    bool skipped = false;
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
        assert_true(mkdir(etc, 0755) == 0 && mkdir(net, 0755) == 0);
        pid_t child = fork();
        if (child == 0) {
            come_later(&WAYS[i]);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        snprintf(command, sizeof command, "rm -rf %s %s %s/unused", etc, net, folder);
        assert_int_equal(system(command), 0); // NOLINT(cert-env33-c)
        skipped = skipped || (WIFEXITED(status) && WEXITSTATUS(status) == 77);
        assert_true(skipped || status == 0);
    }
    if (skipped) {
        skip();
    }
}

/* A module of glibc's resolver that a look-up inside could not load. */
static const char MODULE[] = "libnss_hesiod.so.2";

static void look_up_by_module(void)
{
    static const char CONTENT[] = "hosts: files hesiod dns\n";
    const char *const links[][2] = {{"hosts", "none"}};
    struct addrinfo *list;
    struct why why = {""};
    if (!make_etc(links, 1)) {
        _exit(77);
    }
    int fd = open("/etc/nsswitch.conf", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    CHECK(fd >= 0 && write(fd, CONTENT, sizeof CONTENT - 1) == sizeof CONTENT - 1);
    CHECK(!dlopen(MODULE, RTLD_LAZY | RTLD_NOLOAD));
    if (sandbox_enter(&CLIENT, &why) < 0) {
        _exit(77);
    }
    CHECK(dlopen(MODULE, RTLD_LAZY | RTLD_NOLOAD));
    CHECK(!dlopen("libnss_compat.so.2", RTLD_LAZY)); /* one that nobody named */
    int err = getaddrinfo("absent.invalid", NULL, NULL, &list);
    CHECK(err != 0 && err != EAI_MEMORY && err != EAI_SYSTEM);
    _exit(0);
}

static void what_the_resolver_loads_is_loaded_before(void **state)
{
    char etc[96];
    void *module = dlopen(MODULE, RTLD_LAZY);
    (void)state;
    if (!module || dlclose(module) != 0) {
        skip(); /* no glibc, or one without it */
    }
    snprintf(etc, sizeof etc, "%s/etc", folder);
    assert_int_equal(mkdir(etc, 0755), 0);
    pid_t child = fork();
    if (child == 0) {
        look_up_by_module();
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(rmdir(etc), 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        skip();
    }
    assert_int_equal(status, 0);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/sandbox-XXXXXX");
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(state_dir, sizeof state_dir, "%s/state", folder);
    int fd = in_folder("secret", O_WRONLY | O_CREAT);
    return mkdir(state_dir, 0700) < 0 || fd < 0 || close(fd) < 0;
}

static int remove_folder(void **state)
{
    char path[160];
    (void)state;
    snprintf(path, sizeof path, "%s/secret", folder);
    return rmdir(state_dir) < 0 || unlink(path) < 0 || rmdir(folder) < 0;
}

static void read_again(void)
{
    CHECK(in_folder("secret", O_RDONLY) >= 0);
    CHECK(in_folder("secret", O_WRONLY) < 0);
    CHECK(!opendir(folder) && errno == EACCES);
    /* somebody outside puts another file in its place: here it has another name */
    CHECK(in_folder("successor", O_RDONLY) >= 0);
    CHECK(open("/root", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
}

static void settings_and_their_successors_can_be_read_and_not_listed(void **state)
{
    char path[160];
    snprintf(path, sizeof path, "%s/secret", folder);
    const char *const files[] = {path, NULL};
    struct sandbox_rules rules = {.files = files};
    (void)state;
    int fd = in_folder("successor", O_WRONLY | O_CREAT);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(inside(&rules, read_again), 0);
    rules.listens = true;
    rules.state_dir = state_dir;
    assert_int_equal(inside(&rules, read_again), 0);
    snprintf(path, sizeof path, "%s/successor", folder);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_state_dir_is_all_that_can_be_written),
        cmocka_unit_test(without_a_state_dir_nothing_can),
        cmocka_unit_test(a_file_of_certificates_and_its_successor_can_be_read),
        cmocka_unit_test(only_who_listens_can_listen),
        cmocka_unit_test(sockets_are_of_the_kinds_that_it_needs),
        cmocka_unit_test(several_paths_are_for_who_wants_them),
        cmocka_unit_test(threads_can_be_started_and_are_in_it_too),
        cmocka_unit_test(what_is_not_on_the_list_is_an_error),
        cmocka_unit_test(what_was_written_cannot_be_run),
        cmocka_unit_test(a_filter_does_not_slow_it_down),
        cmocka_unit_test(what_only_an_intruder_does_ends_the_process),
        cmocka_unit_test(the_loop_and_the_resolver_work),
        cmocka_unit_test(what_the_resolver_loads_is_loaded_before),
        cmocka_unit_test(a_database_can_be_kept),
        cmocka_unit_test(a_list_of_name_servers_may_come_later),
        cmocka_unit_test(settings_and_their_successors_can_be_read_and_not_listed),
    };
    return cmocka_run_group_tests_name("sandbox", tests, make_folder, remove_folder);
}
