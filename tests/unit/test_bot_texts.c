/* What users read: valid HTML of Telegram's kind and within its limits, whatever comes in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fake_transport.h"
#include "vps/chat/answer.h"
#include "vps/chat/texts.h"
#include "vps/chat/texts_consent.h"
#include "vps/telegram/content.h"
#include "vps/transport/html.h"

static char buffer[TEXTS_SIZE];
static struct text html;

static int start(void **state)
{
    (void)state;
    html = text_over(buffer, sizeof buffer);
    return 0;
}

/* Skips a tag or an entity that Telegram knows; fails on any other. */
static const char *skip_markup(const char *at)
{
    static const char *const KNOWN[] = {"<b>",  "</b>", "<code>", "</code>",
                                        "&lt;", "&gt;", "&amp;",  "&quot;"};
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
        if (strncmp(at, KNOWN[i], strlen(KNOWN[i])) == 0) {
            return at + strlen(KNOWN[i]);
        }
    }
    fail_msg("\"%s\" is not for Telegram", at);
    return NULL;
}

/* The characters that a user sees; fails if the HTML is broken. */
static size_t visible_length(void)
{
    size_t length = 0, open = 0, closed = 0;
    assert_false(html.cut);
    for (const char *at = buffer; *at;) {
        if (*at == '<' || *at == '&') {
            length += *at == '&';
            open += at[0] == '<' && at[1] != '/';
            closed += at[0] == '<' && at[1] == '/';
            at = skip_markup(at);
        } else {
            assert_true(*at != '>');
            length += ((unsigned char)*at & 0xc0) != 0x80;
            at++;
        }
    }
    assert_int_equal(open, closed);
    return length;
}

#define LONGEST_GATEWAY "ggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg"

/* A view with everything as long as it can be. */
static struct session_view longest(enum kind kind, struct target *target)
{
    struct session_view view = {
        .id = "abcdefgh",
        .kind = kind,
        .host = target->host,
        .port = 65535,
        .gateway = LONGEST_GATEWAY,
        .names_gateway = true,
        .public_port = 65535,
        .connected_unix = 1,
        .seconds_left = 86399,
        .seconds_connected = UINT32_MAX,
        .bytes_to_client = UINT64_MAX,
        .bytes_to_target = UINT64_MAX,
    };
    memset(target->host, 'h', HOST_MAX);
    target->host[HOST_MAX] = '\0';
    assert_int_equal(addr_parse("2001:db8:1111:2222:3333:4444:5555:6666", 1, &view.client), 0);
    return view;
}

static struct session_view short_view(enum kind kind, struct target *target)
{
    struct session_view view = {.kind = kind, .host = target->host, .seconds_left = 119};
    *target = (struct target){.host = "HOME-PC"};
    view.port = kind == KIND_SSH ? 22 : 3389;
    assert_int_equal(addr_parse("203.0.113.7", 1, &view.client), 0);
    return view;
}

static void what_comes_from_elsewhere_is_escaped(void **state)
{
    (void)state;
    html_add(&html, "a<b>&\"'</b>&amp;");
    assert_string_equal(buffer, "a&lt;b&gt;&amp;&quot;'&lt;/b&gt;&amp;amp;");
    visible_length();

    start(NULL);
    struct why why = {"<script>&"};
    texts_usage(&html, &COMMANDS[0], &why, false);
    assert_non_null(strstr(buffer, "&lt;script&gt;&amp;\n"));
    visible_length();

    start(NULL);
    texts_not_opened(&html, &why);
    assert_string_equal(buffer, "&lt;script&gt;&amp;.");
}

static struct parked_view longest_client(void)
{
    struct parked_view parked = {.number = 123456789, .after_s = 4000000, .waits_s = 4000000};
    assert_int_equal(addr_parse("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 1, &parked.from), 0);
    memset(parked.words, '&', sizeof parked.words - 1);
    memset(parked.name, 'w', sizeof parked.name - 1);
    return parked;
}

static struct session_view a_view(enum kind kind)
{
    return (struct session_view){.kind = kind, .host = "nas", .port = kind ? 3389 : 22};
}

static struct parked_view a_client(const char *host, const char *words)
{
    struct parked_view parked = {.number = 1, .after_s = 12};
    assert_int_equal(addr_parse(host, 1, &parked.from), 0);
    strcpy(parked.words, words);
    return parked;
}

/* What is the user's own, and what is a stranger's word. */
static void a_question_can_be_answered(void **state)
{
    (void)state;
    struct session_view view = a_view(KIND_SSH);
    struct parked_view parked = a_client("203.0.113.7", "SSH-2.0-<b>&x");
    const struct parked_view *clients[] = {&parked};
    texts_question(&html, &view, clients, 1, false);
    assert_string_equal(buffer, "❓ <code>203.0.113.7</code> wants in: SSH to nas.\n"
                                "It calls itself <code>SSH-2.0-&lt;b&gt;&amp;x</code> and came "
                                "12 s after your command.\n"
                                "You have not been let in from there before.\nIs it you?");
    strcpy(parked.name, "dsl-7.example.net");
    view.has_last = true;
    view.last_unix = 1764100000;
    assert_int_equal(addr_parse("198.51.100.9", 1, &view.last_from), 0);
    start(NULL);
    texts_question(&html, &view, clients, 1, false);
    assert_non_null(
        strstr(buffer, "The host name of its address is <code>dsl-7.example.net</code>."));
    assert_non_null(strstr(buffer, "Your last session came from <code>198.51.100.9</code> "
                                   "(25 Nov, 19:46 UTC).\nIs it you?"));
    view.last_from = parked.from;
    start(NULL);
    texts_question(&html, &view, clients, 1, true);
    assert_non_null(strstr(buffer, "Your last session came from the same address (25 Nov"));
    visible_length();
}

static void a_question_about_rdp_names_what_is_missing(void **state)
{
    (void)state;
    struct session_view view = a_view(KIND_RDP);
    struct parked_view parked = a_client("203.0.113.7", "alice");
    const struct parked_view *clients[] = {&parked};
    texts_question(&html, &view, clients, 1, true);
    assert_string_equal(buffer, "❓ <code>203.0.113.7</code> wants in: RDP to nas.\n"
                                "It came 12 s after your command without the secret of the .rdp "
                                "file, as if somebody had typed in the address, and gives the user "
                                "name <code>alice</code>.\nIs it you?");
    parked.words[0] = '\0';
    start(NULL);
    texts_question(&html, &view, clients, 1, true);
    assert_null(strstr(buffer, "user name"));
}

static void two_from_one_address_are_said_to_be_two(void **state)
{
    (void)state;
    struct session_view view = a_view(KIND_SSH);
    struct parked_view one = a_client("2001:db8::1", "SSH-2.0-a"),
                       other = a_client("2001:db8::2", "SSH-2.0-b");
    const struct parked_view *clients[] = {&one, &other};
    other.after_s = 75;
    texts_question(&html, &view, clients, 2, true);
    assert_string_equal(
        buffer,
        "❓ <code>2001:db8::1</code> wants in: SSH to nas.\n"
        "<b>2 clients</b> are waiting there, perhaps behind a shared connection:\n"
        "1. <code>SSH-2.0-a</code>, 12 s after your command\n"
        "2. <code>2001:db8::2</code>, <code>SSH-2.0-b</code>, 1 min 15 s after your command\n"
        "Which one are you?");
}

/* The same program, the same address, the same second: what differs is said. */
static void two_that_say_the_same_are_told_apart(void **state)
{
    (void)state;
    struct session_view view = a_view(KIND_SSH);
    struct parked_view one = a_client("203.0.113.7", "SSH-2.0-a"),
                       other = a_client("203.0.113.7", "SSH-2.0-a"),
                       third = a_client("203.0.113.7", "SSH-2.0-b");
    const struct parked_view *clients[] = {&one, &other, &third};
    one.came_ms = 1000;
    other.came_ms = 1999;
    addr_set_port(&other.from, 50112);
    texts_question(&html, &view, clients, 3, true);
    assert_non_null(strstr(
        buffer, "\n1. <code>SSH-2.0-a</code>, 12 s after your command\n"
                "2. <code>SSH-2.0-a</code>, less than a second after the first, from port 50112\n"
                "3. <code>SSH-2.0-b</code>, 12 s after your command\n"));
    start(NULL);
    other.came_ms = 4000;
    texts_question(&html, &view, clients, 2, true);
    assert_non_null(strstr(buffer, ", 3 s after the first, from port 50112\n"));
}

static void that_ssh_waits_for_the_user_is_said(void **state)
{
    (void)state;
    struct target target;
    struct session_view view = short_view(KIND_SSH, &target);
    texts_waiting_rules(&html, &view, ADMIT_KNOWN);
    assert_non_null(strstr(buffer, "\nFrom a new address, ssh waits until you press <b>Admit</b>"));
    start(NULL);
    texts_waiting_rules(&html, &view, ADMIT_ASK);
    assert_non_null(strstr(buffer, "\nUntil you press <b>Admit</b> here, ssh waits."));
    start(NULL);
    texts_waiting_rules(&html, &view, ADMIT_AUTO);
    assert_null(strstr(buffer, "Admit"));
}

static void a_caption_is_given_back_as_it_was(void **state)
{
    (void)state;
    texts_only_text(&html, NULL);
    assert_string_equal(buffer, "I can only read text messages. /help shows what I can do.");
    start(NULL);
    texts_only_text(&html, "/ssh <nas>");
    assert_non_null(strstr(buffer, "message of its own:\n<code>/ssh &lt;nas&gt;</code>"));
    char caption[4096 + 1] = "/";
    memset(caption + 1, '<', sizeof caption - 2);
    caption[sizeof caption - 1] = '\0';
    start(NULL);
    texts_only_text(&html, caption);
    assert_in_range(visible_length(), 1, CONTENT_MESSAGE_MAX);
}

static void usage_mentions_gateways_if_there_are_several(void **state)
{
    (void)state;
    struct why why = {"Which machine?"};
    texts_usage(&html, &COMMANDS[1], &why, false);
    assert_null(strstr(buffer, "GATEWAY"));
    start(NULL);
    texts_usage(&html, &COMMANDS[1], &why, true);
    assert_non_null(strstr(buffer, "<code>/ssh GATEWAY/HOST</code>"));
    visible_length();
}

static void strangers_are_counted(void **state)
{
    (void)state;
    struct session_view view = a_view(KIND_SSH);
    view.knocking = (struct knocking){.clients = 37, .networks = 12, .busiest_count = 2};
    strcpy(view.knocking.busiest[0].network, "198.51.100.0/24");
    strcpy(view.knocking.busiest[1].network, "2001:db8:7::/48");
    view.knocking.busiest[0].clients = 20;
    view.knocking.busiest[1].clients = 9;
    texts_knocking(&html, &view, false);
    assert_string_equal(buffer, "🚪 Strangers knocked at nas: 37 unknown clients from 12 networks, "
                                "most from <code>198.51.100.0/24</code> (20), "
                                "<code>2001:db8:7::/48</code> (9).");
    start(NULL);
    view.knocking.clients = 1;
    view.knocking.networks = 1;
    view.knocking.more_networks = true;
    texts_knocking(&html, &view, true);
    assert_non_null(strstr(buffer, "1 unknown client from more than 1 network,"));
    assert_non_null(strstr(buffer, "press the button"));
}

/* Links, mentions, commands and hashtags are made by Telegram, but not in <code>. */
static void words_of_others_are_no_links(void **state)
{
    static const struct {
        const char *words, *shown;
    } ROWS[] = {
        {"gateway evil could not open it: “log in at https://t.example/ now: /start 1 @evil <b>”",
         "Gateway evil could not open it: <code>log in at https://t.example/ now: /start 1 @evil "
         "&lt;b&gt;</code>."},
        {"it says “never ends at x.example", "It says <code>never ends at x.example</code>."},
        {"unknown name: gateway evil.example cannot find www.bank.example; ask",
         "Unknown name: gateway <code>evil.example</code> cannot find "
         "<code>www.bank.example</code>; ask."},
        {"put it in front: office/HOST.", "Put it in front: <code>office/HOST</code>."},
        {"@evil, #tag $CASH, tg:x! ünder a.b", "<code>@evil</code>, <code>#tag</code> "
                                               "<code>$CASH</code>, <code>tg:x</code>! "
                                               "<code>ünder</code> <code>a.b</code>."},
        {"  two  spaces  and 12:30 o'clock...", "  two  spaces  and <code>12:30</code> o'clock..."},
        {"“”", "<code></code>."},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct why why;
        snprintf(why.text, sizeof why.text, "%s", ROWS[i].words);
        start(NULL);
        texts_not_opened(&html, &why);
        assert_string_equal(buffer, ROWS[i].shown);
    }
    struct why why = {"Which machine? Not @evil."};
    start(NULL);
    texts_usage(&html, &COMMANDS[0], &why, false);
    assert_non_null(strstr(buffer, "Not <code>@evil</code>.\n"));
}

/* The longest of everything, and in each state. */
static void requests_on_hold_are_within_the_limits(void **state)
{
    (void)state;
    static void (*const TEXTS[])(struct text * html, const struct texts_hold *hold) = {
        texts_hold_asker,     texts_hold_granted,         texts_hold_approver,
        texts_hold_not_asked, texts_hold_asker_restarted, texts_hold_approver_restarted};
    static const struct vps_settings settings = {0};
    struct people *people = people_new(&settings);
    struct owner approvers[POLICY_APPROVALS_MAX];
    struct session_request request = {.owner = {OWNER_TELEGRAM, INT64_MAX},
                                      .kind = KIND_RDP,
                                      .target.port = 65535,
                                      .longest_s = 359999,
                                      .needed = {POLICY_APPROVALS_MAX, true}};
    struct hold_view view = {.request = &request,
                             .said = request.target.host,
                             .seconds_left = 86399,
                             .approvals = POLICY_APPROVALS_MAX,
                             .approved_by = approvers,
                             .by = &request.owner};
    memset(request.target.host, 'h', sizeof request.target.host - 1);
    memset(request.target.gateway, 'g', sizeof request.target.gateway - 1);
    memset(request.reason, '&', REASON_MAX);
    for (unsigned i = 0; i < POLICY_APPROVALS_MAX; i++) {
        approvers[i] = request.owner;
    }
    const struct texts_hold hold = {.view = &view, .people = people};
    for (view.state = HOLD_ASKING_FACTOR; view.state <= HOLD_REFUSED; view.state++) {
        char reason[sizeof((struct why *)0)->text];
        memset(reason, '<', sizeof reason - 1);
        reason[sizeof reason - 1] = '\0';
        view.reason = view.state >= HOLD_WITHDRAWN ? reason : "";
        for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
            html = text_over(buffer, sizeof buffer);
            TEXTS[i](&html, &hold);
            assert_in_range(visible_length(), 1, CONTENT_MESSAGE_MAX);
        }
    }
    people_free(people);
}

static void every_message_is_within_the_limits(void **state)
{
    (void)state;
    char worst[sizeof(struct why)];
    memset(worst, '&', sizeof worst - 1);
    worst[sizeof worst - 1] = '\0';
    char address[TARGET_TEXT_MAX], command[SESSION_LINE_MAX];
    memset(address, 'a', sizeof address - 1);
    memset(command, '<', sizeof command - 1);
    address[sizeof address - 1] = command[sizeof command - 1] = '\0';
    struct target target = {0};
    struct why why;
    memcpy(why.text, worst, sizeof worst);

    for (int kind = KIND_SSH; kind <= KIND_RDP; kind++) {
        struct session_view view = longest((enum kind)kind, &target);
        start(NULL);
        texts_opening(&html, &view);
        assert_in_range(visible_length(), 1, CONTENT_MESSAGE_MAX);
        start(NULL);
        texts_waiting_line(&html, &view, command);
        texts_waiting_rules(&html, &view, ADMIT_KNOWN);
        assert_in_range(visible_length(), 1, CONTENT_MESSAGE_MAX);
        start(NULL);
        texts_waiting_file(&html, &view, target.host);
        assert_in_range(visible_length(), 1, CONTENT_MESSAGE_MAX);
        start(NULL);
        texts_connected(&html, &view, "");
        assert_in_range(visible_length(), 1, CONTENT_MESSAGE_MAX);
        start(NULL);
        texts_reconnecting(&html, &view);
        assert_in_range(visible_length(), 1, CONTENT_MESSAGE_MAX);
        start(NULL);
        texts_ended(&html, &view, worst, "");
        assert_in_range(visible_length(), 1, CONTENT_MESSAGE_MAX);
        struct parked_view parked = longest_client();
        const struct parked_view *clients[TEXTS_CLIENTS_MAX] = {&parked, &parked, &parked, &parked};
        for (unsigned count = 1; count <= TEXTS_CLIENTS_MAX; count++) {
            start(NULL);
            texts_question(&html, &view, clients, count, false);
            assert_in_range(visible_length(), 1, CONTENT_MESSAGE_MAX);
        }
        start(NULL);
        texts_knocking(&html, &view, true);
        assert_in_range(visible_length(), 1, CONTENT_MESSAGE_MAX);
        for (int fate = TEXTS_ADMITTED; fate <= TEXTS_GONE; fate++) {
            start(NULL);
            texts_answered(&html, &view, &view.client, (enum texts_fate)fate);
            assert_in_range(visible_length(), 1, CONTENT_MESSAGE_MAX);
        }
        for (unsigned signs = 0; signs <= 2; signs++) {
            struct rdp_certificate_view signer = {.is_its_own = signs == 2};
            const struct texts_rdp rdp = {
                .address = address, .signer = signs ? &signer : NULL, .clipboard = true};
            memset(signer.publisher, 'p', RDP_PUBLISHER_MAX - 1);
            start(NULL);
            texts_rdp_caption(&html, &view, &rdp);
            size_t caption = visible_length();
            if (caption > CONTENT_CAPTION_MAX) {
                fail_msg("a caption of %zu characters", caption);
            }
        }
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (COMMANDS[i].opens) {
            start(NULL);
            texts_usage(&html, &COMMANDS[i], &why, true);
            assert_in_range(visible_length(), 1, CONTENT_MESSAGE_MAX);
        }
    }
    start(NULL);
    texts_not_opened(&html, &why);
    assert_in_range(visible_length(), 1, CONTENT_MESSAGE_MAX);
    for (unsigned i = 1; i <= 8; i++) { /* as many as refusal shows */
        struct session_view view = longest(KIND_RDP, &target);
        texts_open_session(&html, i, "alice", &view);
    }
    assert_in_range(visible_length(), 1, CONTENT_MESSAGE_MAX);
}

/* What the handler of /help says. */
static void add_help(struct text *text)
{
    static const struct vps_settings settings = {.allowed_users = {.ids = {42}, .count = 1}};
    struct people *people = people_new(&settings);
    struct conversation conversation = {.transport = fake_transport(), .people = people};
    const struct incoming incoming = {.person = 42};
    const struct command command = {0};
    help_run(&conversation, &incoming, &command);
    assert_int_equal(fake_transport_posts(), 1);
    people_free(people);
    text_add(text, "%s", fake_transport_post(0)->html);
}

static void plain_texts_are_sound(void **state)
{
    (void)state;
    static void (*const TEXTS[])(struct text * html) = {add_help, texts_unknown, texts_forwarded};
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        start(NULL);
        TEXTS[i](&html);
        assert_in_range(visible_length(), 10, 1000);
    }
    for (size_t i = 0; i < ANSWER_COUNT; i++) {
        assert_non_null(ANSWERS[i].text);
        assert_in_range(strlen(ANSWERS[i].text), 5, CONTENT_ANSWER_MAX);
    }
    assert_in_range(strlen(TEXT_DESCRIPTION), 10, CONTENT_DESCRIPTION_MAX);
    assert_in_range(strlen(TEXT_SHORT_DESCRIPTION), 10, CONTENT_SHORT_DESCRIPTION_MAX);
}

static void help_names_every_command_that_opens_something(void **state)
{
    (void)state;
    add_help(&html);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        char name[32];
        snprintf(name, sizeof name, "/%s ", COMMANDS[i].name);
        assert_true((strstr(buffer, name) != NULL) == (COMMANDS[i].opens));
    }
}

static void strangers_learn_nothing_but_their_number(void **state)
{
    (void)state;
    texts_private(&html, 777);
    assert_string_equal(buffer, "This bot is private. Your number is 777. To be let in, "
                                "give it to the owner of the bot.");
}

static void expired_says_how_old_it_is(void **state)
{
    (void)state;
    texts_expired(&html, 1, 100);
    assert_non_null(strstr(buffer, "1 min 40 s"));
    start(NULL);
    texts_expired(&html, 7, 100);
    assert_non_null(strstr(buffer, "7 commands"));
}

static void a_usual_port_is_left_out(void **state)
{
    (void)state;
    struct target target;
    struct session_view view = short_view(KIND_RDP, &target);
    texts_opening(&html, &view);
    assert_string_equal(buffer, "🟡 <b>RDP to HOME-PC</b>\nOpening…");
    start(NULL);
    view.port = 22;
    texts_opening(&html, &view);
    assert_string_equal(buffer, "🟡 <b>RDP to HOME-PC:22</b>\nOpening…");
    start(NULL);
    view.kind = KIND_SSH;
    strcpy(target.host, "fd00::1");
    texts_opening(&html, &view);
    assert_string_equal(buffer, "🟡 <b>SSH to fd00::1</b>\nOpening…");
}

static void of_several_gateways_the_one_is_named(void **state)
{
    (void)state;
    struct target target;
    struct session_view view = short_view(KIND_RDP, &target);
    view.gateway = "office";
    view.names_gateway = true;
    texts_opening(&html, &view);
    assert_string_equal(buffer, "🟡 <b>RDP to office/HOME-PC</b>\nOpening…");
    start(NULL);
    texts_answered(&html, &view, &view.client, TEXTS_ADMITTED);
    assert_non_null(strstr(buffer, "was admitted to office/HOME-PC."));
}

static void a_shared_clipboard_is_told_of(void **state)
{
    (void)state;
    struct target target;
    struct session_view view = short_view(KIND_RDP, &target);
    texts_rdp_caption(&html, &view, &(struct texts_rdp){.address = "vps:20001"});
    assert_null(strstr(buffer, "clipboard"));
    start(NULL);
    texts_rdp_caption(&html, &view, &(struct texts_rdp){.address = "vps:20001", .clipboard = true});
    assert_non_null(strstr(buffer, "The clipboard is shared"));
}

static void the_caption_says_what_windows_will_show(void **state)
{
    (void)state;
    struct target target;
    struct session_view view = short_view(KIND_RDP, &target);
    struct rdp_certificate_view signer = {.publisher = "vps.<b>.org"};
    struct texts_rdp rdp = {.address = "vps:20001"};
    texts_rdp_caption(&html, &view, &rdp);
    assert_non_null(strstr(buffer, "“Caution: Unknown remote connection” because the file is not"));
    rdp.signer = &signer;
    start(NULL);
    texts_rdp_caption(&html, &view, &rdp);
    assert_non_null(
        strstr(buffer, "Windows asks “Verify the publisher of this remote connection”"));
    assert_non_null(strstr(buffer,
                           "publisher is <b>vps.&lt;b&gt;.org</b>, not unknown, and the address "
                           "<code>vps:20001</code>"));
    signer.is_its_own = true;
    start(NULL);
    texts_rdp_caption(&html, &view, &rdp);
    assert_non_null(strstr(buffer, "any other warns “Caution: Unknown remote connection”"));
}

static void numbers_that_say_nothing_are_left_out(void **state)
{
    (void)state;
    struct target target;
    struct session_view view = short_view(KIND_SSH, &target);
    texts_connected(&html, &view, "");
    assert_string_equal(buffer,
                        "🟢 <b>SSH to HOME-PC</b>\nConnected from <code>203.0.113.7</code>");
    start(NULL);
    view.seconds_connected = 61;
    view.bytes_to_client = 1500000;
    view.bytes_to_target = 7;
    texts_connected(&html, &view, "");
    assert_string_equal(buffer,
                        "🟢 <b>SSH to HOME-PC</b>\nConnected from <code>203.0.113.7</code> "
                        "for 1 min 1 s\n1.5 MB received, 7 B sent");
    start(NULL);
    view.time_left_s = 43138;
    texts_connected(&html, &view, "<b>.example");
    assert_string_equal(buffer,
                        "🟢 <b>SSH to HOME-PC</b>\nConnected from <code>203.0.113.7</code> "
                        "(<code>&lt;b&gt;.example</code>) for 1 min 1 s\n"
                        "1.5 MB received, 7 B sent\nTime left: 11 h 59 min");
}

static void an_end_is_a_sentence(void **state)
{
    (void)state;
    struct target target;
    struct session_view view = short_view(KIND_SSH, &target);
    view.end = SESSION_END_NOBODY;
    texts_ended(&html, &view, "nobody connected within 2 min", "");
    assert_string_equal(buffer,
                        "⚪ <b>SSH to HOME-PC</b> has ended\nNobody connected within 2 min.");
    start(NULL);
    view.end = SESSION_END_REFUSED;
    texts_ended(&html, &view, "refused: is it on?", "");
    assert_string_equal(buffer, "🔴 <b>SSH to HOME-PC</b> could not be opened\nRefused: is it on?");
    start(NULL);
    view.end = SESSION_END_GATEWAY;
    texts_ended(&html, &view, "gateway lan went offline or did not answer", "");
    assert_non_null(strstr(buffer, "</b> could not be opened\n"));
    start(NULL);
    view.was_ready = true; /* then it had been opened */
    texts_ended(&html, &view, "gateway lan went offline or did not answer", "");
    assert_string_equal(buffer, "⚪ <b>SSH to HOME-PC</b> has ended\n"
                                "Gateway lan went offline or did not answer.");
}

static void the_time_left_is_rounded_up(void **state)
{
    (void)state;
    struct target target;
    struct session_view view = short_view(KIND_SSH, &target);
    texts_waiting_rules(&html, &view, ADMIT_AUTO);
    assert_non_null(strstr(buffer, ": 2 min"));
    start(NULL);
    view.seconds_left = 1;
    texts_waiting_rules(&html, &view, ADMIT_AUTO);
    assert_non_null(strstr(buffer, ": 5 s"));
}

/* Of what the chat is sent: how many buttons are in each row, as "2 1 2". */
static void check_rows(const struct button *buttons, unsigned count, const char *rows)
{
    json_t *content = content_of_message("x", buttons, count), *row;
    json_t *keyboard = json_object_get(json_object_get(content, "reply_markup"), "inline_keyboard");
    char found[64] = "";
    struct text text = text_over(found, sizeof found);
    size_t i;
    json_array_foreach(keyboard, i, row)
    {
        text_add(&text, "%s%zu", i ? " " : "", json_array_size(row));
    }
    assert_string_equal(found, rows);
    json_decref(content);
}

/* Which a phone would cut: "Strict netw…". */
static void no_four_buttons_share_a_row(void **state)
{
    char too_long[CONTENT_COPY_TEXT_MAX + 2];
    struct button buttons[5];
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        buttons[i] = (struct button){.label = "Close", .data = "close:x"};
    }
    check_rows(buttons, 0, "");
    check_rows(buttons, 3, "3");
    check_rows(buttons, 4, "2 2");
    check_rows(buttons, 5, "2 2 1");
    memset(too_long, 'x', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    buttons[0] = (struct button){.label = "Copy", .copy = too_long};
    check_rows(buttons, 4, "3");
    buttons[1].wide = buttons[4].wide = true;
    check_rows(buttons, 5, "1 2 1");
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_comes_from_elsewhere_is_escaped),
        TEST(a_question_can_be_answered),
        TEST(a_question_about_rdp_names_what_is_missing),
        TEST(two_from_one_address_are_said_to_be_two),
        TEST(two_that_say_the_same_are_told_apart),
        TEST(that_ssh_waits_for_the_user_is_said),
        TEST(a_caption_is_given_back_as_it_was),
        TEST(usage_mentions_gateways_if_there_are_several),
        TEST(strangers_are_counted),
        TEST(words_of_others_are_no_links),
        TEST(requests_on_hold_are_within_the_limits),
        TEST(every_message_is_within_the_limits),
        TEST(plain_texts_are_sound),
        TEST(help_names_every_command_that_opens_something),
        TEST(strangers_learn_nothing_but_their_number),
        TEST(expired_says_how_old_it_is),
        TEST(a_usual_port_is_left_out),
        TEST(of_several_gateways_the_one_is_named),
        TEST(a_shared_clipboard_is_told_of),
        TEST(the_caption_says_what_windows_will_show),
        TEST(numbers_that_say_nothing_are_left_out),
        TEST(an_end_is_a_sentence),
        TEST(the_time_left_is_rounded_up),
        TEST(no_four_buttons_share_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
