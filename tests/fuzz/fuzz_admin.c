/*
 * What somebody says at the admin socket: whatever the lines hold, each is answered with one JSON
 * object that says whether it was done and, if not, why; or it is kept waiting, or hung up on. And
 * nothing opens, since no gateway is there. As in vps-agent: the socket, all commands, a policy.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/state_dir.h"
#include "vps/admin/admin.h"
#include "vps/people/people_run.h"
#include "vps/policy/policy_file.h"
#include "vps/session/sessions_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TURNS = 40, IDLE_TURNS = 2, ANSWERS_MAX = 1 << 20 };

static const char POLICY[] = "users:\n"
                             "  alice: {telegram: 42, uid: 0, roles: [administrator]}\n"
                             "  bob: {telegram: 43, groups: [office], second_factor: required}\n"
                             "targets:\n"
                             "  nas: {address: nas.lan, gateway: home}\n"
                             "rules:\n"
                             "  - {who: alice, targets: nas, kinds: ssh}\n"
                             "  - {who: \"*\", targets: 10.0.0.0/8, kinds: \"*\", approvals: 1}\n";

static struct office {
    uv_loop_t loop;
    struct log log;
    struct vps_settings settings;
    struct people *people;
    struct sessions *sessions;
    struct gateways *gateways;
    struct holds *holds;
    struct wakings *wakings;
    struct factors *factors;
    struct admin *admin;
    struct sockaddr_un at;
    char answers[ANSWERS_MAX];
} office;

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

static int on_reload(void *arg, struct changes *ret_changes, struct why *why)
{
    (void)arg;
    (void)ret_changes;
    return why_set(why, -1, "nothing is read here");
}

static void leave(void)
{
    unlink(office.at.sun_path);
    rmdir(office.settings.state_dir);
}

static void set_up(void)
{
    struct vps_settings *settings = &office.settings;
    settings->local = true;
    settings->known_days = 30;
    strcpy(settings->vps_host, "vps.example.com");
    strcpy(settings->bind_address, "127.0.0.1"); /* port 0: any that is free */
    settings->max_sessions = settings->max_sessions_per_user = 8;
    settings->common.relay_workers = 1;
    strcpy(settings->state_dir, "/tmp/pamtunnel-fuzz-XXXXXX");
    require(mkdtemp(settings->state_dir) != NULL);
    office.at.sun_family = AF_UNIX;
    snprintf(office.at.sun_path, sizeof office.at.sun_path, "%s" STATE_DIR_SOCKET,
             settings->state_dir);
    atexit(leave);
}

/* In the order in which vps-agent starts. */
static void start(void)
{
    struct why why = {""};
    set_up();
    require(uv_loop_init(&office.loop) == 0);
    office.log.stream = fopen("/dev/null", "w");
    office.log.level = LOG_TRACE;
    require(office.log.stream && policy_parse("policy.yaml", POLICY, strlen(POLICY), "/nonexistent",
                                              &office.settings.policy_file.policy, &why) == 0);
    office.people = people_new(&office.settings);
    const struct sessions_options of_sessions = {.loop = &office.loop,
                                                 .log = &office.log,
                                                 .settings = &office.settings,
                                                 .people = office.people};
    require(office.people && sessions_new(&of_sessions, &office.sessions, &why) == 0);
    people_begin(office.people, &(struct people_options){.log = &office.log});
    const struct gateways_options of_gateways = {
        .loop = &office.loop,
        .log = &office.log,
        .settings = &office.settings,
        .events = sessions_gateway_events(office.sessions)};
    require(gateways_new(&of_gateways, &office.gateways, &why) == 0);
    sessions_use_gateways(office.sessions, office.gateways);
    const struct holds_options of_holds = {.loop = &office.loop,
                                           .log = &office.log,
                                           .settings = &office.settings,
                                           .people = office.people,
                                           .sessions = office.sessions};
    office.factors = factors_new(&(struct factors_options){
        .log = &office.log, .settings = &office.settings, .people = office.people});
    require(office.factors && holds_new(&of_holds, &office.holds) == 0);
    const struct wakings_options of_wakings = {.loop = &office.loop,
                                               .log = &office.log,
                                               .people = office.people,
                                               .sessions = office.sessions,
                                               .holds = office.holds};
    require(wakings_new(&of_wakings, &office.wakings) == 0);
    const struct admin_options of_admin = {.loop = &office.loop,
                                           .log = &office.log,
                                           .settings = &office.settings,
                                           .people = office.people,
                                           .sessions = office.sessions,
                                           .holds = office.holds,
                                           .wakings = office.wakings,
                                           .factors = office.factors,
                                           .gateways = office.gateways,
                                           .reload = on_reload};
    require(admin_new(&of_admin, &office.admin, &why) == 0);
}

static void check_answer(const char *line, size_t len)
{
    json_t *answer = json_loadb(line, len, 0, NULL);
    const json_t *ok = json_object_get(answer, "ok");
    require(json_is_boolean(ok) || json_object_get(answer, "state"));
    if (json_is_false(ok)) {
        const char *word = json_string_value(json_object_get(answer, "error"));
        const char *sentence = json_string_value(json_object_get(answer, "message"));
        require(word && word[0] && sentence && sentence[0]);
    }
    json_decref(answer);
}

/* Until it has been hung up on, or nothing more comes. Returns how much there is. */
static size_t hear(int fd)
{
    size_t have = 0;
    for (int turn = 0, idle = 0; turn < TURNS && idle < IDLE_TURNS; turn++) {
        uv_run(&office.loop, UV_RUN_NOWAIT);
        ssize_t len = recv(fd, office.answers + have, ANSWERS_MAX - have, MSG_DONTWAIT);
        if (len == 0) {
            break;
        }
        have += len > 0 ? (size_t)len : 0;
        idle = len > 0 ? 0 : idle + 1;
    }
    return have;
}

static void check_answers(size_t have)
{
    const char *at = office.answers, *end;
    for (; (end = memchr(at, '\n', have)); at = end + 1) {
        check_answer(at, (size_t)(end - at));
        have -= (size_t)(end + 1 - at);
    }
    require(sessions_count(office.sessions) == 0);
}

/* So that one input changes nothing for the next. */
static void calm_down(void)
{
    const struct owner root = {OWNER_LOCAL, 0};
    sessions_drain(office.sessions, false);
    sessions_unlock(office.sessions, &root);
    for (int turn = 0; turn < IDLE_TURNS; turn++) {
        uv_run(&office.loop, UV_RUN_NOWAIT);
    }
}

/* Lines, each sent when the one before was answered: who sends two at once is hung up on. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!office.admin) {
        start();
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(fd >= 0 && connect(fd, (struct sockaddr *)&office.at, sizeof office.at) == 0);
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t len = end ? (size_t)(end + 1 - data) : size;
        if (send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len) {
            break;
        }
        check_answers(hear(fd));
        data += len;
        size -= len;
    }
    close(fd);
    calm_down();
    return 0;
}
