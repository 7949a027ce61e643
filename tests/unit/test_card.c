/* The live message of a session, its .rdp file, and the questions about unknown clients. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/resolve.h"
#include "bot_fakes.h"
#include "vps/chat/button.h"
#include "vps/chat/card.h"
#include "vps/chat/questions.h"
#include "vps/chat/readers.h"
#include "vps/chat/texts.h"

enum { ANNA = 42 };

/* A session that is what the test says it is. */
struct session {
    struct session_view view;
    struct target target;
    struct parked_view parked[PARKED_MAX];
    unsigned admitted, blocked;
    struct card *card; /* told about what the verbs did */
};

static const struct vps_settings SETTINGS = {.vps_host = "2001:db8::1", .admit = ADMIT_KNOWN};
static struct transport *transport;
static struct session session;
static unsigned answered; /* calls up to this one were looked at */

void __wrap_session_view(const struct session *s, struct session_view *ret_view);
void __wrap_session_line(const struct session *s, struct text *text);
void __wrap_session_link(const struct session *s, struct text *text);
const struct rdp_certificate_view *__wrap_session_rdp_file(const struct session *s,
                                                           struct text *text);
void __wrap_session_rdp_file_name(const struct session *s, char *dst);
void __wrap_session_end_text(const struct session *s, struct text *text);
unsigned __wrap_session_parked(const struct session *s, struct parked_view ret_views[PARKED_MAX]);
int __wrap_session_admit(struct session *s, unsigned number, const struct owner *by);
void __wrap_session_scp_command(const struct session *s, struct text *text);
void __wrap_session_ssh_config(const struct session *s, struct text *text);
const char *__wrap_session_vps_host(const struct session *s);
const char *__wrap_session_user(const struct session *s);
int __wrap_session_block(struct session *s, unsigned number, const struct owner *by);

void __wrap_session_view(const struct session *s, struct session_view *ret_view)
{
    *ret_view = s->view;
    ret_view->host = s->target.host;
    ret_view->port = s->target.port;
}

void __wrap_session_line(const struct session *s, struct text *text)
{
    text_add(text, "ssh -p %u vps", s->view.public_port);
}

void __wrap_session_link(const struct session *s, struct text *text)
{
    text_add(text, "http://vps:%u/key", s->view.public_port);
}

const struct rdp_certificate_view *__wrap_session_rdp_file(const struct session *s,
                                                           struct text *text)
{
    (void)s;
    text_add(text, "secret:s:x\r\n");
    return NULL;
}

void __wrap_session_rdp_file_name(const struct session *s, char *dst)
{
    sprintf(dst, "%s.rdp", s->target.host);
}

void __wrap_session_end_text(const struct session *s, struct text *text)
{
    (void)s;
    text_add(text, "it is <over>");
}

unsigned __wrap_session_parked(const struct session *s, struct parked_view ret_views[PARKED_MAX])
{
    memcpy(ret_views, s->parked, s->view.parked_count * sizeof s->parked[0]);
    return s->view.parked_count;
}

static void take_out(struct session *s, unsigned i)
{
    s->view.parked_count--;
    memmove(&s->parked[i], &s->parked[i + 1], (s->view.parked_count - i) * sizeof s->parked[0]);
}

static void unpark(struct session *s, unsigned number)
{
    for (unsigned i = 0; i < s->view.parked_count; i++) {
        if (s->parked[i].number == number) {
            take_out(s, i);
        }
    }
    card_update(s->card);
}

void __wrap_session_scp_command(const struct session *s, struct text *text)
{
    text_add(text, "scp -P %u FILE vps:", s->view.public_port);
}

void __wrap_session_ssh_config(const struct session *s, struct text *text)
{
    text_add(text, "Host pam-x\n    Port %u\n", s->view.public_port);
}

const char *__wrap_session_vps_host(const struct session *s)
{
    (void)s;
    return "vps.example.com";
}

const char *__wrap_session_user(const struct session *s)
{
    return s->target.user;
}

int __wrap_session_admit(struct session *s, unsigned number, const struct owner *by)
{
    (void)by;
    s->admitted = number;
    unpark(s, number);
    return 0;
}

int __wrap_session_block(struct session *s, unsigned number, const struct owner *by)
{
    (void)by;
    s->blocked = number;
    unpark(s, number);
    return 0;
}

static struct parked_view *come(unsigned number, const char *address)
{
    struct parked_view *parked = &session.parked[session.view.parked_count++];
    *parked = (struct parked_view){.number = number, .words = "SSH-2.0-x"};
    assert_int_equal(addr_parse(address, 50000, &parked->from), 0);
    return parked;
}

/* One whom the user is to be asked about. */
static void park(unsigned number, const char *address)
{
    come(number, address)->asked = true;
    card_update(session.card);
}

static void become(enum session_state state)
{
    session.view.state = state;
    card_update(session.card);
    if (state == SESSION_ENDED) {
        card_free(session.card);
        session.card = NULL;
    }
}

/* The number of the next call, which the bot has made by now. */
static unsigned next_call(const char *method)
{
    if (answered == fake_calls()) {
        fail_msg("no %s was called", method);
    }
    assert_string_equal(fake_method(answered), method);
    return answered++;
}

/* The next message, which says these words; answered. */
static unsigned sent(const char *words)
{
    unsigned call = next_call("sendMessage");
    if (!strstr(fake_string(call, "text"), words)) {
        fail_msg("\"%s\" does not say \"%s\"", fake_string(call, "text"), words);
    }
    fake_message(call, 100 + call);
    return call;
}

static unsigned edited(const char *words)
{
    unsigned call = next_call("editMessageText");
    if (!strstr(fake_string(call, "text"), words)) {
        fail_msg("\"%s\" does not say \"%s\"", fake_string(call, "text"), words);
    }
    fake_done(call, "true");
    return call;
}

static void nothing_more_is_said(void)
{
    assert_int_equal(fake_calls(), answered);
}

static const struct readers READERS;
static struct resolver *names;

static void open_session(enum kind kind)
{
    session = (struct session){
        .view = {.id = "abcdefgh", .kind = kind, .public_port = 20001, .seconds_left = 120},
        .target = {.host = "HOME-PC", .port = kind == KIND_SSH ? 22 : 3389},
    };
    assert_int_equal(addr_parse("203.0.113.7", 1, &session.view.client), 0);
    const struct card_options options = {.transport = transport,
                                         .settings = &SETTINGS,
                                         .readers = &READERS,
                                         .names = names,
                                         .person = ANNA};
    session.card = card_new(&options, &session);
    assert_non_null(session.card);
}

static void connect_client(void)
{
    session.view.connected_unix = 1;
    session.view.seconds_left = 0;
    become(SESSION_CONNECTED);
}

/* ---- names of addresses ---- */

static struct {
    struct addr addr;
    resolve_name_fn fn;
    void *arg;
    unsigned count, cancelled;
} look_up;

struct resolve *__wrap_resolve_name_start(struct resolver *resolver, const struct addr *addr,
                                          uint64_t timeout_ms, resolve_name_fn fn, void *arg);
void __wrap_resolve_cancel(struct resolve *resolve);

struct resolve *__wrap_resolve_name_start(struct resolver *resolver, const struct addr *addr,
                                          uint64_t timeout_ms, resolve_name_fn fn, void *arg)
{
    (void)resolver;
    assert_in_range(timeout_ms, 1, 10000);
    look_up.addr = *addr;
    look_up.fn = fn;
    look_up.arg = arg;
    look_up.count++;
    return (struct resolve *)&look_up;
}

void __wrap_resolve_cancel(struct resolve *resolve)
{
    look_up.cancelled += resolve != NULL;
}

static void the_name_of_the_address_stands_beside_it(void **state)
{
    (void)state;
    memset(&look_up, 0, sizeof look_up);
    names = (struct resolver *)&look_up;
    open_session(KIND_SSH);
    names = NULL;
    become(SESSION_WAITING);
    sent("ssh");
    assert_int_equal(look_up.count, 0); /* nobody is there yet */
    session.view.has_client = true;
    connect_client();
    edited("Connected from <code>203.0.113.7</code>");
    assert_int_equal(look_up.count, 1);
    card_update(session.card);
    assert_int_equal(look_up.count, 1);
    look_up.fn(look_up.arg, "host.example");
    fakes_advance(2000);
    edited("Connected from <code>203.0.113.7</code> (<code>host.example</code>)");
    /* Another one of the same party: its name is not that of the first. */
    assert_int_equal(addr_parse("203.0.113.9", 1, &session.view.client), 0);
    card_update(session.card);
    assert_int_equal(look_up.count, 2);
    session.view.seconds_connected = 60;
    become(SESSION_ENDED);
    assert_int_equal(look_up.cancelled, 1);
    assert_null(
        strstr(fake_string(edited("Connected from <code>203.0.113.9</code>"), "text"), "host"));
    nothing_more_is_said();
}

static int set_up(void **state)
{
    (void)state;
    fakes_start();
    answered = 0;
    transport = fakes_telegram();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    card_free(session.card);
    transport_free(transport);
    fakes_end();
    return 0;
}

static void a_quick_ssh_session_is_one_message(void **state)
{
    (void)state;
    open_session(KIND_SSH);
    fakes_advance(200);
    nothing_more_is_said();
    become(SESSION_WAITING);
    unsigned call = sent("<code>ssh -p 20001 vps</code>");
    assert_non_null(strstr(fake_string(call, "text"), "2 min"));
    assert_string_equal(fake_button(call, 0, "text"), "Copy");
    assert_string_equal(fake_button(call, 2, "callback_data"), "close:abcdefgh");
    fakes_advance(1000);
    nothing_more_is_said();

    connect_client();
    call = edited("Connected from <code>203.0.113.7</code>");
    assert_null(strstr(fake_string(call, "text"), "ssh -p"));
    assert_string_equal(fake_button(call, 1, "text"), "Close");
    session.view.seconds_connected = 90;
    session.view.bytes_to_client = 1200000;
    session.view.bytes_to_target = 35;
    become(SESSION_ENDED);
    call = edited("It is &lt;over&gt;.");
    assert_non_null(strstr(fake_string(call, "text"), "for 1 min 30 s"));
    assert_non_null(strstr(fake_string(call, "text"), "1.2 MB received, 35 B sent"));
    assert_string_equal(fake_button(call, 0, "callback_data"), "again:/ssh HOME-PC");
    assert_null(fake_button(call, 1, "text"));
    nothing_more_is_said();
    assert_true(transport_is_idle(transport));
}

static void a_slow_one_says_that_it_is_opening(void **state)
{
    (void)state;
    open_session(KIND_SSH);
    fakes_advance(500);
    unsigned call = sent("Opening");
    assert_string_equal(fake_button(call, 0, "callback_data"), "close:abcdefgh");
    become(SESSION_WAITING);
    edited("ssh -p 20001 vps");
}

static void one_that_fails_at_once_says_only_that(void **state)
{
    (void)state;
    open_session(KIND_SSH);
    session.view.end = SESSION_END_REFUSED;
    become(SESSION_ENDED);
    sent("could not be opened\nIt is &lt;over&gt;.");
    nothing_more_is_said();
}

static void an_rdp_session_is_a_file_and_a_message(void **state)
{
    (void)state;
    open_session(KIND_RDP);
    become(SESSION_WAITING);
    unsigned file = next_call("sendDocument");
    assert_string_equal(fake_file(file), "secret:s:x\r\n");
    assert_non_null(strstr(fake_string(file, "caption"), "<code>[2001:db8::1]:20001</code>"));
    assert_non_null(strstr(fake_string(file, "caption"), "Unknown remote connection"));
    fake_message(file, 5);
    unsigned call = sent("HOME-PC.rdp");
    assert_null(strstr(fake_string(call, "text"), "secret"));

    connect_client();
    edited("Connected");
    session.view.seconds_left = 30;
    become(SESSION_RECONNECTING);
    edited("30 s");
    connect_client();
    edited("Connected");
    nothing_more_is_said();

    become(SESSION_ENDED);
    call = next_call("deleteMessage");
    assert_int_equal(fake_integer(call, "message_id"), 5);
    fake_done(call, "true");
    edited("has ended");
    nothing_more_is_said();
}

static void a_gateway_that_goes_is_said_and_that_it_is_back(void **state)
{
    (void)state;
    open_session(KIND_SSH);
    session.view.gateway = "<lan>";
    become(SESSION_WAITING);
    sent("is ready");
    connect_client();
    edited("Connected");
    session.view.seconds_left = 30;
    become(SESSION_RECONNECTING);
    edited("203.0.113.7</code> disconnected and can come back within 30 s");
    session.view.gateway_is_away = true;
    card_update(session.card);
    unsigned call = edited("Gateway &lt;lan&gt; is offline. If it comes back, you can connect");
    assert_null(strstr(fake_string(call, "text"), "disconnected"));
    session.view.gateway_is_away = false;
    card_update(session.card);
    edited("disconnected and can come back");
    connect_client();
    edited("Connected");
    session.view.gateway_is_away = true; /* what is connected does not mind */
    card_update(session.card);
    nothing_more_is_said();
}

static void the_time_left_is_kept_fresh(void **state)
{
    (void)state;
    open_session(KIND_SSH);
    become(SESSION_WAITING);
    sent("2 min");
    session.view.seconds_left = 105;
    fakes_advance(15000);
    edited("1 min 45 s");
    session.view.seconds_left = 90;
    fakes_advance(15000);
    edited("1 min 30 s");
}

static void bytes_are_shown_while_they_flow(void **state)
{
    (void)state;
    open_session(KIND_SSH);
    become(SESSION_WAITING);
    sent("ssh");
    connect_client();
    edited("Connected");
    session.view.seconds_connected = 5;
    session.view.bytes_to_client = 1000;
    fakes_advance(5000);
    edited("1.0 kB received");
    session.view.seconds_connected = 35;
    session.view.bytes_to_client = 2000;
    fakes_advance(30000);
    edited("2.0 kB received");
    session.view.seconds_connected = 300;
    fakes_advance(300000);
    nothing_more_is_said(); /* no bytes, no edits */
    session.view.seconds_connected = 660;
    fakes_advance(420000);
    edited("11 min"); /* but once in a while */
}

static void connections_add_up(void **state)
{
    (void)state;
    open_session(KIND_SSH);
    become(SESSION_WAITING);
    sent("ssh");
    session.view.connections = session.view.connections_total = 1;
    connect_client();
    unsigned call = edited("Connected");
    assert_null(strstr(fake_string(call, "text"), "connection"));
    session.view.connections = session.view.connections_total = 2;
    session.view.bytes_to_client = 1200000;
    fakes_advance(5000);
    edited("\n2 connections, 1.2 MB received, 0 B sent");
    session.view.connections = 1;
    fakes_advance(30000);
    edited("\n1 connection, 1.2 MB");
    session.view.connections = 0;
    become(SESSION_RECONNECTING);
    edited("\n2 connections, 1.2 MB");
    become(SESSION_ENDED);
    edited("\n2 connections, 1.2 MB");
}

static void what_did_not_go_well_is_said_once(void **state)
{
    (void)state;
    open_session(KIND_SSH);
    become(SESSION_WAITING);
    sent("ssh");
    connect_client();
    edited("Connected");
    session.view.note = "a client at <x> was turned away";
    session.view.notes = 1;
    card_update(session.card);
    edited("A client at &lt;x&gt; was turned away.");
    card_update(session.card);
    nothing_more_is_said();
    become(SESSION_ENDED);
    edited("has ended");
}

/* Of clients that were not let in, for example. */
static void it_is_said_before_anybody_is_in_too(void **state)
{
    (void)state;
    open_session(KIND_SSH);
    become(SESSION_WAITING);
    sent("ssh");
    session.view.note = "a client was dropped";
    session.view.notes = 1;
    card_update(session.card);
    edited("Time left to connect: 2 min\n⚠️ A client was dropped.");
    become(SESSION_ENDED);
    edited("\n⚠️ A client was dropped.");
}

static void further_lines_are_shown_to_who_asks(void **state)
{
    (void)state;
    open_session(KIND_SSH);
    strcpy(session.target.user, "CORP\\mxu");
    become(SESSION_WAITING);
    unsigned call = sent("<code>ssh -p 20001 vps</code>");
    assert_null(strstr(fake_string(call, "text"), "scp"));
    assert_string_equal(fake_button(call, 1, "text"), BUTTONS[BUTTON_MORE].label);
    assert_string_equal(fake_button(call, 1, "callback_data"), "more:abcdefgh");
    assert_int_equal(card_show_more(session.card), ANSWER_MORE);
    call = edited("<code>scp -P 20001 FILE vps:</code>");
    assert_non_null(strstr(fake_string(call, "text"), "<pre>Host pam-x\n    Port 20001</pre>"));
    /* each by itself, since PuTTY and FileZilla have a field for each */
    assert_non_null(strstr(fake_string(call, "text"), "\nHost <code>vps.example.com</code>\n"
                                                      "Port <code>20001</code>\n"
                                                      "User <code>CORP\\mxu</code>"));
    assert_string_equal(fake_button(call, 1, "text"), LABEL_LESS);
    connect_client();
    call = edited("Connected from");
    assert_non_null(strstr(fake_string(call, "text"), "<code>ssh -p 20001 vps</code>"));
    assert_int_equal(card_show_more(session.card), ANSWER_LESS);
    call = edited("Connected from");
    assert_null(strstr(fake_string(call, "text"), "ssh -p"));
    become(SESSION_ENDED);
    call = edited("has ended");
    assert_string_equal(fake_button(call, 0, "callback_data"), "again:/ssh CORP\\mxu@HOME-PC");
}

static void who_is_about_to_be_cut_off_is_warned_and_may_extend(void **state)
{
    (void)state;
    open_session(KIND_SSH);
    become(SESSION_WAITING);
    sent("ssh");
    session.view.idle_limit_s = 3600;
    connect_client();
    unsigned call = edited("Connected from");
    assert_string_equal(fake_button(call, 1, "callback_data"), "extend:abcdefgh");
    fakes_advance(2000);
    while (answered < fake_calls()) {
        edited("Connected");
    }
    card_warn(session.card, SESSION_END_IDLE, 298);
    call = sent(
        "⏳ <b>SSH to HOME-PC</b> ends in 5 min, unless it is used: nothing was sent or received "
        "for 55 min 5 s.");
    assert_string_equal(fake_button(call, 0, "callback_data"), "extend:abcdefgh");
    assert_string_equal(fake_button(call, 1, "callback_data"), "close:abcdefgh");
    session.view.seconds_connected = 3600;
    card_calm(session.card);
    edited("🟢 <b>SSH to HOME-PC</b> goes on.");
    edited("Connected from");
    session.view.time_limit_s = 43200;
    session.view.time_is_fixed = true;
    fakes_advance(2000);
    card_warn(session.card, SESSION_END_MAX_TIME, 300);
    call = sent("ends in 5 min, when its time is over: 12 h. More is not allowed at a time");
    assert_string_equal(fake_button(call, 0, "callback_data"), "close:abcdefgh");
    become(SESSION_ENDED);
    edited("⚪ <b>SSH to HOME-PC</b> has ended.");
    edited("has ended");
    nothing_more_is_said();
}

static void what_was_taken_away_is_not_offered_again(void **state)
{
    static const enum session_end ENDS[] = {SESSION_END_USER_REMOVED, SESSION_END_RULE_REMOVED,
                                            SESSION_END_GATEWAY_REMOVED, SESSION_END_LOCKED};
    (void)state;
    for (unsigned i = 0; i < sizeof ENDS / sizeof *ENDS; i++) {
        open_session(KIND_SSH);
        become(SESSION_WAITING);
        fakes_advance(2000); /* a chat has a rate */
        sent("ssh");
        session.view.end = ENDS[i];
        become(SESSION_ENDED);
        assert_null(fake_button(edited("has ended"), 0, "text"));
    }
}

static void a_client_is_asked_about_once(void **state)
{
    (void)state;
    open_session(KIND_SSH);
    become(SESSION_WAITING);
    sent("ssh");
    come(1, "198.51.100.9");
    card_update(session.card);
    nothing_more_is_said(); /* the door has not decided so */
    session.parked[0].asked = true;
    card_update(session.card);
    unsigned call = sent("<code>198.51.100.9</code> wants in: SSH to HOME-PC");
    assert_string_equal(fake_button(call, 0, "text"), "Admit");
    assert_string_equal(fake_button(call, 0, "callback_data"), "admit:abcdefgh:1");
    assert_string_equal(fake_button(call, 1, "callback_data"), "block:abcdefgh:1");
    card_update(session.card);
    nothing_more_is_said();
    park(3, "2001:db8::9");
    sent("<code>2001:db8::9</code> wants in");

    assert_int_equal(card_decide(session.card, 1, true), ANSWER_ADMITTED);
    assert_int_equal(session.admitted, 1);
    call = edited("was admitted");
    assert_null(fake_button(call, 0, "text"));
    assert_int_equal(card_decide(session.card, 3, false), ANSWER_BLOCKED);
    assert_int_equal(session.blocked, 3);
    edited("was blocked");

    /* A second press is not silent, and changes nothing. */
    assert_int_equal(card_decide(session.card, 3, true), ANSWER_ALREADY_BLOCKED);
    assert_int_equal(card_decide(session.card, 1, false), ANSWER_ALREADY_ADMITTED);
    assert_int_equal(session.blocked, 3);
    assert_int_equal(card_decide(session.card, 99, true), ANSWER_CLIENT_GONE);
    assert_int_equal(card_decide(session.card, 0, true), ANSWER_CLIENT_GONE);
    assert_int_equal(session.admitted, 1);
    nothing_more_is_said();
}

/* The user pressed Admit about their own client, and the neighbour got in. */
static void two_of_one_party_are_one_question_about_two(void **state)
{
    (void)state;
    open_session(KIND_SSH);
    become(SESSION_WAITING);
    sent("ssh");
    park(1, "2001:db8::9");
    sent("Is it you?");
    park(2, "2001:db8::a");
    unsigned call = edited("<b>2 clients</b>");
    assert_string_equal(fake_button(call, 0, "text"), "Admit 1");
    assert_string_equal(fake_button(call, 0, "callback_data"), "admit:abcdefgh:1");
    assert_string_equal(fake_button(call, 1, "text"), "Admit 2");
    assert_string_equal(fake_button(call, 1, "callback_data"), "admit:abcdefgh:2");
    assert_string_equal(fake_button(call, 2, "callback_data"), "block:abcdefgh:1");

    unpark(&session, 1);
    call = edited("Is it you?"); /* one is left */
    assert_string_equal(fake_button(call, 0, "callback_data"), "admit:abcdefgh:2");
    /* A press that was on its way was about the first. */
    assert_int_equal(card_decide(session.card, 1, true), ANSWER_CLIENT_GONE);
    assert_int_equal(session.admitted, 0);
    assert_int_equal(card_decide(session.card, 2, true), ANSWER_ADMITTED);
    edited("was admitted");
}

static void a_name_that_comes_late_is_added(void **state)
{
    (void)state;
    open_session(KIND_SSH);
    become(SESSION_WAITING);
    sent("ssh");
    park(1, "198.51.100.9");
    sent("Is it you?");
    strcpy(session.parked[0].name, "host.example.net");
    card_update(session.card);
    edited("host.example.net");
    card_update(session.card);
    nothing_more_is_said();
}

static void strangers_who_knock_are_one_message(void **state)
{
    (void)state;
    open_session(KIND_SSH);
    become(SESSION_WAITING);
    sent("ssh");
    session.view.knocking.clients = 5;
    card_update(session.card);
    nothing_more_is_said();
    session.view.knocking.worth_telling = true;
    card_update(session.card);
    unsigned call = sent("Strangers are knocking at HOME-PC: 5 unknown clients");
    assert_string_equal(fake_button(call, 0, "text"), "Who waits?");
    assert_string_equal(fake_button(call, 0, "callback_data"), "who:abcdefgh");
    for (unsigned i = 0; i < 50; i++) {
        session.view.knocking.clients++;
        card_update(session.card);
    }
    nothing_more_is_said();
    fakes_advance(QUESTIONS_KNOCKING_MS);
    edited("55 unknown clients");
    nothing_more_is_said();
    session.view.knocking.clients++;
    session.view.has_client = true;
    connect_client();
    call = edited("Strangers knocked at HOME-PC: 56 unknown clients");
    assert_null(fake_button(call, 0, "text"));
    edited("Connected");
    session.view.knocking.clients++;
    become(SESSION_ENDED);
    edited("57 unknown clients");
    edited("has ended");
    nothing_more_is_said();
}

static void a_client_that_went_is_not_asked_about_any_more(void **state)
{
    (void)state;
    open_session(KIND_RDP);
    become(SESSION_WAITING);
    fake_message(next_call("sendDocument"), 5);
    sent("HOME-PC.rdp");
    park(1, "198.51.100.9");
    sent("without the secret");
    unpark(&session, 1);
    edited("not waiting any more");
    park(2, "198.51.100.9");
    sent("wants in");
    become(SESSION_ENDED);
    edited("not waiting any more");
    fake_done(next_call("deleteMessage"), "true");
    edited("has ended");
    nothing_more_is_said();
}

static void a_question_that_is_put_off_says_that_the_client_still_waits(void **state)
{
    (void)state;
    open_session(KIND_SSH);
    become(SESSION_WAITING);
    sent("ssh");
    park(1, "198.51.100.9");
    sent("wants in");
    session.parked[0].asked = false;
    park(2, "203.0.113.9");
    edited("asking about others first");
    sent("203.0.113.9");
    session.parked[0].asked = true;
    card_update(session.card);
    sent("198.51.100.9");
    nothing_more_is_said();
}

static void there_is_an_end_to_open_questions(void **state)
{
    (void)state;
    open_session(KIND_SSH);
    become(SESSION_WAITING);
    sent("ssh");
    for (unsigned i = 1; i <= QUESTIONS_MAX + 5; i++) {
        char address[32];
        sprintf(address, "198.51.%u.1", i);
        park(i, address);
        if (i <= QUESTIONS_MAX) {
            sent("wants in");
        }
    }
    nothing_more_is_said();
    unpark(&session, 1);
    edited("not waiting any more");
    sent("wants in");
}

static void nothing_is_left_when_it_is_freed_early(void **state)
{
    (void)state;
    open_session(KIND_RDP);
    become(SESSION_WAITING);
    park(1, "198.51.100.9");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_quick_ssh_session_is_one_message),
        TEST(a_slow_one_says_that_it_is_opening),
        TEST(one_that_fails_at_once_says_only_that),
        TEST(an_rdp_session_is_a_file_and_a_message),
        TEST(a_gateway_that_goes_is_said_and_that_it_is_back),
        TEST(the_time_left_is_kept_fresh),
        TEST(bytes_are_shown_while_they_flow),
        TEST(connections_add_up),
        TEST(what_did_not_go_well_is_said_once),
        TEST(it_is_said_before_anybody_is_in_too),
        TEST(further_lines_are_shown_to_who_asks),
        TEST(what_was_taken_away_is_not_offered_again),
        TEST(the_name_of_the_address_stands_beside_it),
        TEST(who_is_about_to_be_cut_off_is_warned_and_may_extend),
        TEST(a_client_is_asked_about_once),
        TEST(a_client_that_went_is_not_asked_about_any_more),
        TEST(two_of_one_party_are_one_question_about_two),
        TEST(a_name_that_comes_late_is_added),
        TEST(strangers_who_knock_are_one_message),
        TEST(a_question_that_is_put_off_says_that_the_client_still_waits),
        TEST(there_is_an_end_to_open_questions),
        TEST(nothing_is_left_when_it_is_freed_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
