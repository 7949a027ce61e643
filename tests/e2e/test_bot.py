"""The bot: what the log says about whom it does not hear, and how it lives through trouble.

test_strangers.py has whom it hears, test_input.py what it understands.
"""

import contextlib
import re
import socket
import ssl
import time

import botapi
import peers
import pytest
import util
from agents import FRIEND, OWNER, STRANGER, Daemon, World, median, port_of
from botapi import BOT_NAME, BotApi, Fault
from util import TIME_SCALE, eventually

WORLD = {"vps": {"LOG_LEVEL": "trace"}}
GROUP = -1001234567890
# What nobody has to know who is not allowed in.
INTERNAL = re.compile(r"ssh|rdp|session|gateway|pamtunnel|version|port|target|127\.0\.0", re.I)


@pytest.fixture(scope="module")
def target():
    with peers.Recorder(reply=peers.echo) as recorder:
        yield recorder


def said(world, since, chat=None):
    """What the bot said or changed after `since`, the oldest first."""
    return [m.text for m in reversed(world.api.all_messages(chat, since, deleted=True))]


def open_sessions(world):
    return [s for s in world.sessions() if s["state"] != "ended"]


def sync(world, user=FRIEND):
    """Waits until everything that was said before is dealt with."""
    since = world.api.mark()
    world.api.say(user, "/help")
    world.api.wait_message("/ssh", 10 * TIME_SCALE, since, user)


@contextlib.contextmanager
def lone_agent(url, **settings):
    """A vps-agent without gateways, whose Bot API is none of a World's."""
    with util.Folder() as folder:
        start = util.free_range(11)
        state = folder / "state"
        state.mkdir(mode=0o700)
        daemon = Daemon("vps-agent", folder, {
            "VPS_HOST": "127.0.0.1", "TUNNEL_KEY": "ab" * 32, "CONTROL_PORT": start + 10,
            "PORT_RANGE_START": start, "PORT_RANGE_END": start + 9, "STATE_DIR": state,
            "TELEGRAM_TOKEN": TOKEN, "ALLOWED_USERS": OWNER, "TELEGRAM_API_URL": url,
            "LOG_LEVEL": "trace", **settings})
        daemon.start()
        try:
            yield daemon
            if daemon.expected_to_live:
                daemon.stop()
            assert TOKEN not in daemon.log and SECRET not in daemon.log
        except BaseException:
            print(daemon.log)
            raise
        finally:
            daemon.kill()


SECRET = "AAEqWoRtThIsIsAsEcReTaNdNoLoGhOlDsIt"
TOKEN = f"1234567890:{SECRET}"


# ---------------------------------------------------------------- whom it does not hear

FORWARDED = {"type": "hidden_user", "sender_user_name": "Eve", "date": int(time.time())}
BOT = {"id": 999, "is_bot": True, "first_name": "Other", "username": "other_bot"}
GROUP_CHAT = {"id": GROUP, "type": "supergroup", "title": "Friends"}
CHANNEL = {"id": GROUP, "type": "channel", "title": "News"}

# Each: who says it, how it differs from a user's own message, and the word of the log about it.
UNHEARD = {
    "a stranger": (STRANGER, {}, "ALLOWED_USERS"),
    "a user in a group": (OWNER, {"chat": {**GROUP_CHAT, "type": "group"}}, "private chat"),
    "a user in a supergroup": (OWNER, {"chat": GROUP_CHAT}, "private chat"),
    "a user in somebody else's chat": (OWNER, {"chat": {"id": STRANGER, "type": "private"}}, "private chat"),
    "a channel post": (OWNER, {"kind": "channel_post", "chat": CHANNEL, "from_": None}, "channel_post"),
    "an edited message": (OWNER, {"kind": "edited_message", "edit_date": 1}, "edited_message"),
    "an edited channel post": (OWNER, {"kind": "edited_channel_post", "chat": CHANNEL}, "edited_channel_post"),
    "a business message": (OWNER, {"kind": "business_message"}, "business_message"),
    "a forwarded message": (OWNER, {"forward_origin": FORWARDED}, "forwarded"),
    "a message forwarded in the old way": (OWNER, {"forward_date": 1, "forward_from": BOT}, "forwarded"),
    "what an inline bot wrote": (OWNER, {"via_bot": BOT}, "inline bot"),
    "what a business account's bot wrote": (OWNER, {"sender_business_bot": BOT}, "business account"),
    "a bot": (OWNER, {"from_": {**BOT, "id": OWNER}}, "from a bot"),
    "an anonymous admin": (OWNER, {"sender_chat": GROUP_CHAT}, "behalf of a chat"),
    "nobody": (OWNER, {"from_": None}, "without a sender"),
    "a stranger who forwards": (STRANGER, {"forward_origin": FORWARDED}, "ALLOWED_USERS"),
    "somebody whose id is a text": (OWNER, {"from_": {"id": str(OWNER), "first_name": "x"}}, "without a sender"),
}


@pytest.fixture
def fresh():
    """A world of its own: of lines about one stranger the log takes five, and then one a minute."""
    with World(vps={"LOG_LEVEL": "trace"}) as world:
        yield world


@pytest.mark.parametrize("first", range(0, len(UNHEARD), 4))
def test_what_is_not_heard_is_not_run_and_is_in_the_log_with_the_reason(first, fresh, target):
    known = len(target.connections)
    for name, (user, how, logged) in list(UNHEARD.items())[first:first + 4]:
        since, line = fresh.api.mark(), f"ignored: .*{logged}|{logged}.* ignored"
        before = fresh.vps.count_log(line)
        fresh.api.say(user, f"/ssh {target.name}", **how)
        sync(fresh)
        assert not open_sessions(fresh), name
        assert fresh.vps.count_log(line) == before + 1, f"{name} is not in the log"
        for text in said(fresh, since):
            assert text.startswith("I connect") or not INTERNAL.search(text), f"{name} was told {text!r}"
        told = {m.chat_id for m in fresh.api.all_messages(since=since)} - {FRIEND}
        assert told <= {user}, f"{name}: the bot wrote to {told}"
    util.stays(lambda: not open_sessions(fresh) and len(target.connections) == known,
               "nothing was opened and the target heard nothing", 0.2)


def test_a_noisy_stranger_does_not_keep_another_one_out_of_the_log(fresh):
    for _ in range(30):
        fresh.api.say(STRANGER, "hello")
    fresh.api.say(STRANGER + 1, "hello")
    fresh.vps.wait_log(f"user {STRANGER + 1} ignored: .*ALLOWED_USERS")
    assert fresh.vps.count_log(f"of user {STRANGER} ignored") == 5
    fresh.vps.stop()
    fresh.vps.wait_log(f"telegram: user {STRANGER} ignored: 25 more lines not shown")


def test_a_forwarded_command_is_not_run_and_the_user_learns_why(world, target):
    since = world.api.mark()
    world.api.say(OWNER, f"/ssh {target.name}", forward_origin=FORWARDED)
    world.api.wait_message("forward", 10 * TIME_SCALE, since, OWNER)
    assert not open_sessions(world)


# ---------------------------------------------------------------- what it understands

@pytest.mark.parametrize("text", [
    "/ssh {}", "/SSH {}", "  /ssh   {}  ", "/ssh\t{}", "/ssh\u00a0{}", f"/ssh@{BOT_NAME} {{}}",
    f"/Ssh@{BOT_NAME.upper()} {{}}", "/ssh\n{}\n", "/ssh lan/{}", "/ssh LAN/me@{}", "/ssh a.b-c_d@{}",
])
def test_commands_are_understood_however_a_phone_writes_them(world, target, text):
    since = world.api.mark()
    world.api.say(OWNER, text.format(target.name))
    world.api.wait_message(lambda m: m.code and m.code[0].startswith("ssh "), 10 * TIME_SCALE, since, OWNER)
    world.close_all()


def test_the_menu_holds_the_commands_and_only_in_private_chats(world):
    names = {c["command"]: c["description"] for c in world.api.commands}
    assert {"rdp", "ssh", "help"} <= set(names) and all(names.values())
    calls = world.api.called("setMyCommands")
    assert [c.params["scope"] for c in calls] == [{"type": "all_private_chats"}] * len(calls)
    assert {c.params.get("language_code", "") for c in calls} == {"", "de"} and len(calls) == 2


def test_many_commands_at_once_from_two_users_are_all_answered_to_the_right_one(world, target):
    since = world.api.mark()
    for _ in range(7):
        for user in (OWNER, FRIEND):
            world.api.say(user, f"/ssh {'owner' if user == OWNER else 'friend'}@{target.name}")

    def answers(user):
        return [m for m in world.api.all_messages(user, since) if m.code]

    for user, name in ((OWNER, "owner"), (FRIEND, "friend")):
        world.api.wait(lambda user=user: len(answers(user)) == 7, 20 * TIME_SCALE, f"seven answers to {name}")
        assert all(m.code[0].endswith(f"{name}@127.0.0.1") for m in answers(user))
    ports = {port_of(m.code[0]) for user in (OWNER, FRIEND) for m in answers(user)}
    assert len(ports) == 14


def test_a_command_is_answered_within_50_ms_on_loopback(world, target, capsys):
    took = []
    for _ in range(20):
        since = world.api.mark()
        began = time.monotonic()
        world.api.say(OWNER, f"/ssh {target.name}")
        message = world.api.wait_message(lambda m: m.code, 10 * TIME_SCALE, since, OWNER)
        ready = next(at for at, text in message.history if "ssh -p" in text)
        took.append(1000 * (ready - began))
        world.close_all()
    with capsys.disabled():
        print(f"\n/ssh to answer: median {median(took):.1f} ms, longest {max(took):.1f} ms")
    assert median(took) < 50 * TIME_SCALE


# ---------------------------------------------------------------- trouble with the Bot API

TERMINATED = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
TROUBLES = {
    "409, another bot": Fault("status", 409, TERMINATED),
    "429": Fault("status", 429, "Too Many Requests: retry after 1", 1),
    "500": Fault("status", 500, "Internal Server Error"),
    "502": Fault("status", 502, "Bad Gateway"),
    "HTML": Fault("garbage"),
    "broken JSON": Fault("garbage", body=b'{"ok":true,"result":[{"update_id":'),
    "JSON of another kind": Fault("garbage", body=b'{"ok":true,"result":{"update_id":1}}'),
    "an empty answer": Fault("garbage", body=b""),
    "a dropped connection": Fault("drop"),
    "a lost answer": Fault("lost"),
}


@pytest.fixture(scope="module")
def troubled():
    """A bot for each trouble, all of them in it at the same time: the waiting is shared."""
    worlds = {}
    with contextlib.ExitStack() as stack:
        for name, fault in TROUBLES.items():
            world = worlds[name] = stack.enter_context(World(gateways=(), ports=20, vps={"LOG_LEVEL": "trace"}))
            # curl itself tries again when a connection that it used before is closed: the warm ones
            world.api.inject("getUpdates", fault, 6 if fault.kind in ("lost", "drop") else 2)
            world.since = world.api.mark()
            world.api.say(OWNER, "/help")       # ends the poll that is under way
        for world in worlds.values():
            world.api.wait_message("/rdp", 20 * TIME_SCALE, world.since, OWNER)
            world.api.say(OWNER, "/reboot")     # comes in the middle of the trouble
        yield worlds


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_with_receiving_is_survived_and_said_once(troubled, name):
    world = troubled[name]
    eventually(lambda: not world.api._faults["getupdates"], "the trouble is over", 20)
    world.vps.wait_log("receiving works again", 20)
    world.api.wait_polling(10 * TIME_SCALE)
    assert world.vps.count_log("trouble with receiving") == 1
    assert world.vps.count_log("works again") == 1
    world.api.wait_message("understand", 20 * TIME_SCALE, world.since, OWNER)
    answers = sorted(m.text[:6] for m in world.api.all_messages(OWNER, world.since))
    assert answers == ["I conn", "I did "], "each command was answered once"
    assert not world.api.violations, "it waited as long as it was told"


def test_a_webhook_that_somebody_set_is_removed():
    with World(gateways=()) as world:
        world.api.webhook = True
        world.api.drop_connections()
        world.api.wait(lambda: not world.api.webhook, 20 * TIME_SCALE, "deleteWebhook")
        sync(world)
        assert world.vps.count_log("webhook") <= 3


@pytest.mark.parametrize("method", ["sendMessage", "sendDocument"])
@pytest.mark.parametrize("fault", [Fault("status", 502, "Bad Gateway"), Fault("drop"), Fault("lost"), Fault("garbage"),
                                   Fault("status", 429, "Too Many Requests: retry after 1", 1)],
                         ids=["502", "drop", "lost", "garbage", "429"])
def test_an_answer_that_did_not_get_through_is_sent_again(world, method, fault, target):
    since = world.api.mark()
    world.api.inject(method, fault)
    world.api.say(OWNER, f"/rdp {target.name}" if method == "sendDocument" else "/help")
    world.api.wait_message(lambda m: bool(m.document) == (method == "sendDocument"), 20 * TIME_SCALE, since, OWNER)
    world.close_all()
    world.api.heal()


def test_a_token_that_is_revoked_later_is_said_and_does_not_end_the_agent(target):
    with World(vps={"LOG_LEVEL": "trace"}) as world:
        session = world.ssh(target.name)
        world.api.wrong_token_is_expected = True
        world.api.token = "1:another"
        world.api.drop_connections()
        world.vps.wait_log("telegram: trouble with receiving: .*Unauthorized", 20)
        assert world.status()["telegram"] == "connecting"
        with peers.dial(port_of(session.code[0])) as client:
            client.sendall(peers.BANNER)
            eventually(lambda: world.newest_session()["parked"], "the client waits")
            world.admit(world.newest_session()["id"])
            assert util.read_exactly(client, len(peers.BANNER)) == peers.BANNER
        world.api.token = world.token


def test_a_connection_that_breaks_during_the_long_poll_loses_no_command(world):
    for _ in range(3):
        since = world.api.mark()
        world.api.wait_polling()
        world.api.drop_connections()
        world.api.say(OWNER, "/help")
        world.api.wait_message("/rdp", 20 * TIME_SCALE, since, OWNER)


def test_the_api_may_come_up_after_the_agent():
    port = util.free_port()
    with lone_agent(f"http://127.0.0.1:{port}") as agent:
        agent.wait_log("telegram: trouble")
        listener = socket.create_server(("127.0.0.1", port))
        with BotApi(TOKEN, listener) as api:
            api.inject("setMyCommands", Fault("status", 502, "Bad Gateway"))
            agent.wait_log(f"online as @{BOT_NAME}", 20)
            api.wait(lambda: api.commands, 20 * TIME_SCALE, "setMyCommands")
            since = api.mark()
            api.say(OWNER, "/help")
            api.wait_message("/ssh", 10 * TIME_SCALE, since)
            assert not api.violations
        assert agent.count_log("trouble with receiving") <= 2
        agent.expected_to_live and agent.stop()


def test_a_wrong_token_at_the_start_is_a_clear_error_and_the_end():
    with BotApi("1:right") as api:
        api.wrong_token_is_expected = True
        with lone_agent(api.url) as agent:
            assert agent.wait_exit() == 1
            lines = [line for line in agent.log.splitlines() if " error " in line]
            assert len(lines) == 1 and "TELEGRAM_TOKEN" in lines[0], agent.log
            assert not (agent.folder / "state" / "pamtunnel.sock").exists()


def test_a_name_that_does_not_resolve_is_survived_and_picked_up_when_it_does(internet):
    with BotApi(TOKEN, internet.vps.listen("127.0.0.1")) as api:
        with lone_agent(f"http://api.test:{api.port}") as plain:
            plain.kill()    # only its settings are wanted: it has to live in the namespace
            agent = Daemon("vps-agent", plain.folder, plain.settings, (), internet.vps, "inside").start()
            try:
                agent.wait_log("telegram: trouble with receiving: .*(resolve|name|host)")
                internet.vps.hosts("127.0.0.1 api.test\n")
                agent.wait_log("online as", 20)
                agent.stop()
                assert TOKEN not in agent.log and agent.count_log("trouble with receiving") <= 2
            finally:
                agent.kill()
                internet.vps.hosts("")


# ---------------------------------------------------------------- HTTPS

@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_https_with_an_rsa_certificate_and_either_version_of_tls(folder, version, target):
    with World(tls=botapi.make_tls(folder, version, version), vps={"LOG_LEVEL": "trace"}) as world:
        assert world.api.url.startswith("https://")
        document, _ = world.rdp(target.name)
        assert peers.RdpFile(document.document.data).port
        assert world.ssh(target.name).code


@pytest.mark.parametrize("case", ["of an unknown authority", "for another name"])
def test_a_certificate_that_cannot_be_trusted_is_a_clear_line_and_no_crash(folder, case):
    context, ca = botapi.make_tls(folder, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    (folder / "other").mkdir()
    _, other = botapi.make_tls(folder / "other", ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    unknown = case == "of an unknown authority"
    listener = util.server("127.0.0.1" if unknown else "127.0.0.2")
    with BotApi(TOKEN, listener, context) as api:
        with lone_agent(api.url, SSL_CERT_FILE=other if unknown else ca) as agent:
            line = agent.wait_log("telegram: trouble")[0]
            assert re.search("certificate|verif", line, re.I), line
            util.stays(agent.alive, "it lives", 1.5)    # the next try is after a second
            assert agent.count_log("telegram: trouble") == 1
        assert not api.calls, "nothing was asked of a server that nobody vouches for"


# ---------------------------------------------------------------- commands and restarts

def opened(world, since):
    """The messages about sessions, in the order of their coming."""
    return [m for m in world.api.all_messages(OWNER, since, deleted=True) if not m.says("I connect you")]


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_no_command_is_lost_or_run_twice_over_restarts(how, target):
    with World(vps={"LOG_LEVEL": "trace"}) as world:
        api = world.api
        for _ in range(2):
            # It is dealt with, and then nobody can tell the server so.
            api.wait_polling(10 * TIME_SCALE)
            since = api.mark()
            api.inject("getUpdates", Fault("drop"), 1000)
            done = api.say(OWNER, f"/ssh {target.name}")
            api.wait_message(lambda m: m.code, 10 * TIME_SCALE, since, OWNER)
            assert any(u["update_id"] == done for u in api._updates), "not acknowledged yet"
            getattr(world.vps, how)()
            # While it is away two more come.
            for _ in range(2):
                api.say(OWNER, "/help")
            api.heal()
            world.vps.start()
            world.ready(timeout=30)
            api.wait_read(done, 10 * TIME_SCALE)
            sync(world, FRIEND)
            assert len(opened(world, since)) == 1, "run twice"
            api.wait(lambda since=since: len(api.all_messages(OWNER, since)) >= 3, 10 * TIME_SCALE, "both answers")
            util.stays(lambda since=since: len(api.all_messages(OWNER, since)) == 3, "nothing is run twice", 0.3)


def test_commands_sent_during_a_series_of_crashes_are_never_run_twice():
    """Killed at any moment, it may lose a command that it was about to answer, but runs none again."""
    users = list(range(100, 110))   # a chat for each command
    allowed = ",".join(map(str, [FRIEND, *users]))
    with World(gateways=(), vps={"LOG_LEVEL": "trace", "ALLOWED_USERS": allowed}) as world:
        for number, user in enumerate(users):
            world.api.say(user, "/help")   # answered at once
            with contextlib.suppress(AssertionError):   # a moment, each time another one
                world.api.wait(lambda user=user: world.api.all_messages(user), 0.004 * number)
            world.vps.kill()
            world.vps.start()
        world.ready(timeout=30)
        sync(world)
        answers = [len(world.api.all_messages(user)) for user in users]
        assert max(answers) == 1, f"run so often: {answers}"


def test_old_messages_do_not_keep_buttons_that_do_nothing(target):
    """After a crash nobody remembers a session: a tap says so and takes the buttons away."""
    with World() as world:
        message = world.ssh(target.name)
        button = message.button("Close")["callback_data"]
        world.vps.kill()
        world.vps.start()
        world.ready(timeout=30)
        world.api.wait_answer(world.api.tap(OWNER, message, "Close", button))
        world.api.wait(lambda: not message.buttons, 10 * TIME_SCALE, "no buttons")
