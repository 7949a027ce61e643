/* One question to an agent, whatever it does with it. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/lines_ask.h"

struct agent {
    int listener;
    const char *answer; /* NULL: none, and the connection stays open */
    char asked[64];
    struct sockaddr_un addr;
    socklen_t addr_len;
    pthread_t thread;
};

static void agent_listen(struct agent *agent)
{
    memset(&agent->addr, 0, sizeof agent->addr);
    agent->addr.sun_family = AF_UNIX;
    int len = snprintf(agent->addr.sun_path + 1, sizeof agent->addr.sun_path - 1,
                       "pamtunnel-test-lines-ask-%d", (int)getpid());
    agent->addr_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
    agent->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(agent->listener, (struct sockaddr *)&agent->addr, agent->addr_len), 0);
    assert_int_equal(listen(agent->listener, 1), 0);
}

static void *agent_main(void *arg)
{
    struct agent *agent = arg;
    int fd = accept(agent->listener, NULL, NULL);
    ssize_t got = recv(fd, agent->asked, sizeof agent->asked - 1, 0);
    if (agent->answer && got > 0) {
        send(fd, agent->answer, strlen(agent->answer), MSG_NOSIGNAL);
    } else if (!agent->answer) {
        char end;
        recv(fd, &end, 1, 0); /* until the other hangs up */
    }
    close(fd);
    return NULL;
}

static int ask(const char *answer, char *dst, size_t size)
{
    struct agent agent = {.answer = answer};
    struct why why;
    agent_listen(&agent);
    pthread_create(&agent.thread, NULL, agent_main, &agent);
    int err = lines_ask(&agent.addr, agent.addr_len, "how?\n", dst, size, &why);
    pthread_join(agent.thread, NULL);
    close(agent.listener);
    assert_string_equal(agent.asked, "how?\n");
    return err;
}

static void a_line_is_the_answer(void **state)
{
    char answer[16] = "";
    (void)state;
    assert_int_equal(ask("fine\nand more", answer, sizeof answer), 0);
    assert_string_equal(answer, "fine");
}

static void no_line_is_no_answer(void **state)
{
    char answer[16];
    (void)state;
    assert_int_equal(ask("fine", answer, sizeof answer), -EPROTO);
    assert_int_equal(ask("", answer, sizeof answer), -EPROTO);
    assert_int_equal(ask("sixteen and more of them\n", answer, sizeof answer), -EPROTO);
}

static void silence_ends_in_time(void **state)
{
    char answer[16];
    (void)state;
    uint64_t since = clock_ms();
    assert_int_equal(ask(NULL, answer, sizeof answer), -ETIMEDOUT);
    assert_in_range(clock_ms() - since, LINES_ASK_MS, LINES_ASK_MS + 1000);
}

static void nobody_there_is_said(void **state)
{
    struct agent agent = {0};
    struct why why;
    char answer[16];
    (void)state;
    agent_listen(&agent);
    close(agent.listener);
    assert_int_equal(lines_ask(&agent.addr, agent.addr_len, "", answer, sizeof answer, &why),
                     -ECONNREFUSED);
    assert_string_equal(why.text, "no agent is running with these settings");
}

/* It takes no connections any more, and its queue is full. */
static void an_agent_that_hangs_is_said(void **state)
{
    struct agent agent = {0};
    struct why why;
    char answer[16];
    int waiting[2];
    (void)state;
    agent_listen(&agent);
    for (unsigned i = 0; i < 2; i++) {
        waiting[i] = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(connect(waiting[i], (struct sockaddr *)&agent.addr, agent.addr_len), 0);
    }
    assert_int_equal(lines_ask(&agent.addr, agent.addr_len, "", answer, sizeof answer, &why),
                     -EAGAIN);
    assert_string_equal(why.text, "the agent does not answer");
    close(waiting[0]);
    close(waiting[1]);
    close(agent.listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_the_answer),        cmocka_unit_test(no_line_is_no_answer),
        cmocka_unit_test(silence_ends_in_time),        cmocka_unit_test(nobody_there_is_said),
        cmocka_unit_test(an_agent_that_hangs_is_said),
    };
    return cmocka_run_group_tests_name("lines_ask", tests, NULL, NULL);
}
