"""The bot does not go deaf: what its queue, its network, its server or strangers may do, it hears its users.

Where something has to take long, it is a short form of it: tests/unit has the long ones with a
clock of their own, and tests/faults has them in full.
"""

import contextlib
import json
import re
import socket
import sqlite3
import ssl
import threading
import time

import botapi
import peers
import pytest
import util
from agents import FRIEND, OWNER, Daemon, World, run
from botapi import BotApi, Fault, Way
from test_bot import TOKEN, lone_agent, open_sessions, sync
from util import TIME_SCALE, eventually

WORLD = {"vps": {"LOG_LEVEL": "trace"}}


@pytest.fixture(scope="module")
def target():
    with peers.Recorder(reply=peers.echo) as recorder:
        yield recorder


def answered(api, since, user=OWNER, timeout=10):
    """Waits until /help was answered, and returns how long that took from now on."""
    began = time.monotonic()
    api.wait_message("/ssh", timeout * TIME_SCALE, since, user)
    return time.monotonic() - began


def ask(api, user=OWNER, timeout=10):
    since = api.mark()
    api.say(user, "/help")
    return answered(api, since, user, timeout)


# ---------------------------------------------------------------- whose numbers they are

def test_another_bot_in_the_same_folder_is_heard():
    with World(gateways=()) as world:
        ask(world.api)
        world.vps.stop()
        world.api.renumber(5001)
        world.api.bot_id += 1
        world.api.token = world.vps.settings["TELEGRAM_TOKEN"] = TOKEN
        world.vps.start()
        world.ready()
        ask(world.api)
        assert not world.vps.count_log("started over"), "it was known that the queue is another one"
        world.vps.stop()
        assert TOKEN not in world.vps.log


FUTURE = 400 * 86400


@pytest.mark.parametrize("ahead", [0, FUTURE])
def test_whatever_number_the_version_before_kept_the_bot_is_heard(ahead):
    with BotApi(TOKEN) as api, util.Folder() as folder:
        state = folder / "kept"
        state.mkdir(mode=0o700)
        (state / "telegram.offset").write_text(f"700000003 {int(time.time()) + ahead}\n")
        with lone_agent(api.url, STATE_DIR=state):
            ask(api)
            eventually(lambda: not (state / "telegram.offset").exists(), "it is taken over once")
        assert not api.violations


@pytest.mark.parametrize("bot, ahead", [(botapi.BOT_ID, 0), (botapi.BOT_ID, FUTURE), (12345, 0)])
def test_whatever_number_was_kept_the_bot_is_heard(bot, ahead):
    with BotApi(TOKEN) as api, util.Folder() as folder:
        state = folder / "kept"
        state.mkdir(mode=0o700)
        with lone_agent(api.url, STATE_DIR=state):
            ask(api)
        with sqlite3.connect(state / "state.db") as connection:
            connection.execute("UPDATE queue SET bot=?, next=700000003, at=?", (bot, int(time.time()) + ahead))
        connection.close()
        with lone_agent(api.url, STATE_DIR=state):
            ask(api)
        assert not api.violations


def test_numbers_that_begin_anew_are_taken_and_said_once(target):
    with World(vps={"LOG_LEVEL": "trace"}) as world:
        ask(world.api)
        world.api.renumber(17)
        world.api.say(OWNER, f"/ssh {target.name}", date=int(time.time()) - 300)
        ask(world.api)
        ask(world.api)
        assert world.vps.count_log("update numbers have started over") == 1
        assert not open_sessions(world), "a command of another queue's past is not run"


# ---------------------------------------------------------------- ways that die

@pytest.mark.slow
def test_after_the_machines_address_has_changed_a_command_is_heard_within_seconds(internet, capsys):
    gateway, vps = internet.gateway, internet.vps
    listener = gateway.listen("198.51.100.2")
    with BotApi(TOKEN, listener) as api:
        api.conflicts_are_expected = True
        with lone_agent(api.url) as plain:
            plain.kill()    # only its settings are wanted: it has to live in the namespace
            agent = Daemon("vps-agent", plain.folder, plain.settings, (), vps, "inside").start()
            try:
                ask(api, timeout=20)
                vps.ip("address", "del", "198.51.100.1/29", "dev", "gw")
                vps.ip("address", "add", "198.51.100.3/29", "dev", "gw")
                took = ask(api, timeout=25)
                agent.stop()
            finally:
                agent.kill()
                with contextlib.suppress(Exception):
                    vps.ip("address", "del", "198.51.100.3/29", "dev", "gw")
                    vps.ip("address", "add", "198.51.100.1/29", "dev", "gw")
    with capsys.disabled():
        print(f"\nheard {took:.1f} s after the address had changed")


class Deaf:
    """Accepts connections at an address and carries nothing, or resets them at the first bytes."""

    def __init__(self, port, resets):
        self.listener = socket.create_server(("::1", port), family=socket.AF_INET6)
        self.resets = resets
        self.accepted = []

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for sock in self.accepted:
            sock.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                self.accepted.append(sock)
                if self.resets:
                    sock.recv(1)
                    util.reset(sock)


class Deafness:
    """An agent whose Bot API's name has a deaf IPv6 address beside a good one."""

    def __init__(self, stack, resets, tls):
        folder = stack.enter_context(util.Folder())
        context, ca = botapi.make_tls(folder, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3) if tls else (None, None)
        self.api = stack.enter_context(BotApi(TOKEN, tls=context))
        self.deaf = stack.enter_context(Deaf(self.api.port, resets))
        self.agent = stack.enter_context(lone_agent(
            f"{'https' if tls else 'http'}://localhost:{self.api.port}", SSL_CERT_FILE=ca))


class Meanwhile:
    """What takes long to come out of, all at the same time, so that the waiting is shared."""

    def __init__(self, stack):
        self.deaf = {(resets, tls): Deafness(stack, resets, tls) for resets in (True, False) for tls in (True, False)}
        self.cut = stack.enter_context(World(gateways=()))
        self.cut.api.cut_polls_after = 4.2
        self.api = stack.enter_context(BotApi(TOKEN))
        self.api.conflicts_are_expected = True      # it knows of the old poll
        way = stack.enter_context(Way(self.api))
        stack.enter_context(lone_agent(way.url))
        ask(self.api)
        self.api.wait_polling()
        util.stays(lambda: True, "what the bot is answered gets there", 0.2)
        way.forget()
        self.began, self.since = time.monotonic(), self.api.mark()
        self.api.say(OWNER, "/reboot")


@pytest.fixture(scope="module")
def meanwhile():
    with contextlib.ExitStack() as stack:
        yield Meanwhile(stack)


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("resets", [True, False], ids=["resets", "silent"])
def test_ipv6_that_connects_and_carries_nothing_does_not_keep_it_offline(resets, tls, meanwhile):
    bot = meanwhile.deaf[resets, tls]
    bot.agent.wait_log("telegram: online", 25)
    assert bot.deaf.accepted, "IPv6 was tried"
    ask(bot.api)
    tried = len(bot.deaf.accepted)
    bot.api.drop_connections()
    ask(bot.api)
    assert len(bot.deaf.accepted) == tried, "it is not tried again at once"


def test_the_doctor_tries_the_other_family_too(meanwhile):
    bot = meanwhile.deaf[True, False]
    result = run("vps-agent", "--doctor", env=bot.agent.settings, timeout=30)
    assert re.search("ok +Bot API: .*not at once", result.stdout), result.stdout


@pytest.mark.slow
def test_polls_that_something_cuts_get_shorter_and_the_log_stays_short(meanwhile):
    world = meanwhile.cut
    world.vps.wait_log("something ends long polls after 4 s: asking for 3 s", 30)
    world.api.wait_polling(10)
    assert world.vps.count_log("telegram: (trouble|receiving)") <= 2
    assert ask(world.api) < 3 * TIME_SCALE


@pytest.mark.slow
def test_after_the_way_has_forgotten_all_connections_a_command_is_heard_and_run(meanwhile, capsys):
    message = meanwhile.api.wait_message("understand", 45 * TIME_SCALE, meanwhile.since, OWNER)
    with capsys.disabled():
        print(f"\nheard {message.history[0][0] - meanwhile.began:.1f} s after all connections were forgotten")


def test_a_name_with_ipv6_only_is_reached_after_trouble_too():
    with BotApi(TOKEN, util.server("::1", family=socket.AF_INET6)) as api:
        api.inject("getMe", Fault("drop"), 2)   # curl itself tries a second time
        with lone_agent(f"http://localhost:{api.port}") as agent:
            agent.wait_log("telegram: online", 10)
            ask(api)
            assert agent.count_log("does not resolve") == 0


# ---------------------------------------------------------------- strangers and slow calls

def test_a_strangers_press_is_not_answered_and_slow_answers_stop_nothing(world):
    api = world.api
    message = api.wait_message("/ssh", 10, api.mark() if ask(api) < 0 else 0, OWNER)
    api.inject("answerCallbackQuery", Fault("slow", seconds=5), times=None)
    for number in range(20):
        api.tap(1000 + number, message, "Close", data="close:abcdefgh")
    presses = [api.tap(OWNER, message, "Close", data="close:abcdefgh") for _ in range(8)]
    assert ask(api) < 3 * TIME_SCALE
    api.heal()
    for press in presses:
        api.wait_answer(press, 30 * TIME_SCALE)
    assert all(query.answer is None for query in api.queries.values() if query.user_id >= 1000)
    api.queries.clear()


def test_many_strangers_and_slow_messages_to_them_stop_nothing(world):
    api = world.api
    api.inject("sendMessage", Fault("slow", seconds=5, chat=2000), times=None)
    for number in range(20):
        api.inject("sendMessage", Fault("slow", seconds=5, chat=2000 + number), 1)
        api.say(2000 + number, "hello")
    assert ask(api) < 3 * TIME_SCALE
    told = {call.params["chat_id"] for call in api.called("sendMessage")} - {OWNER, FRIEND}
    assert len(told) <= 2
    api.heal()


# ---------------------------------------------------------------- answers of all kinds

@pytest.mark.parametrize("member", ['"date":18446744073709551616', r'"text":"\ud800"'])
def test_an_update_that_cannot_be_parsed_is_stepped_over(member):
    with World(gateways=()) as world:
        since = world.api.mark()
        number = world.api.push_raw('{"update_id":{id},"message":{"message_id":1,' + member + '}}')
        world.api.say(OWNER, "/help")
        answered(world.api, since, timeout=20)
        assert world.vps.count_log(f"update {number} cannot be read") == 1
        eventually(lambda: world.status()["telegram"] == "online", "all is well")


def test_a_server_that_does_not_wait_is_asked_once_a_second(world):
    api = world.api
    api.polls_wait = False
    api.drop_connections()
    sync(world)
    before = {name: len(api.called(name)) for name in ("getUpdates", "getMe")}
    began = time.monotonic()
    util.stays(lambda: True, "three seconds pass", 3)
    passed = time.monotonic() - began
    assert len(api.called("getUpdates")) - before["getUpdates"] <= passed + 2
    assert len(api.called("getMe")) - before["getMe"] <= 1
    assert ask(api) < 3 * TIME_SCALE
    api.polls_wait = True


def test_one_chats_limit_silences_no_other(world):
    api = world.api
    api.inject("sendMessage", Fault("status", 429, "Too Many Requests: retry after 86400", 86400, chat=FRIEND))
    api.say(FRIEND, "/help")
    world.vps.wait_log(f"nothing can be sent to user {FRIEND} for 1 h")
    assert ask(api) < 3 * TIME_SCALE
    status = world.status()
    assert status["telegram"] == "online" and "messages to some users wait" in status["telegram_trouble"]
    assert "wait" in world.pamctl("status").stdout
    world.vps.kill()    # the limit holds for an hour: the next test has an agent of its own


def test_a_file_that_telegram_cannot_take_is_said_and_holds_up_nothing(target, capsys):
    with World() as world:
        api, since = world.api, world.api.mark()
        api.inject("sendDocument", Fault("status", 500, "Internal Server Error"), times=None)
        api.say(OWNER, f"/rdp {target.name}")
        api.wait_message("is ready", 5 * TIME_SCALE, since, OWNER)
        took = ask(api)
        api.wait_message(lambda m: m.says("127.0.0.1.rdp", "cannot be sent yet"), 15 * TIME_SCALE, since, OWNER)
        api.heal()
        api.wait_message(lambda m: m.document, 20 * TIME_SCALE, since, OWNER)
        with capsys.disabled():
            print(f"\n/help was answered after {1000 * took:.0f} ms beside the file")
        assert took < 2 * TIME_SCALE


# ---------------------------------------------------------------- clocks

def test_behind_by_an_hour_it_does_not_run_what_is_old(target):
    with World(start_gateways=True, wait_ready=False) as world:
        world.api.clock_off = 3600
        world.ready()
        world.vps.wait_log("warn .*clock is 1 h behind")
        since = world.api.mark()
        world.api.say(OWNER, f"/ssh {target.name}", date=int(world.api.now()) - 1800)
        world.api.wait_message("expired", 10 * TIME_SCALE, since, OWNER)
        assert world.ssh(target.name)


def test_ahead_by_two_minutes_it_runs_what_is_new(target):
    with World(wait_ready=False) as world:
        world.api.clock_off = -120
        world.ready()
        assert world.ssh(target.name)
        world.vps.wait_log("warn .*clock is 2 min ahead")
        assert world.vps.count_log("clock is") == 1


def test_a_server_without_a_date_is_judged_by_our_clock(target):
    with World(wait_ready=False) as world:
        world.api.sends_date = False
        world.ready()
        assert world.ssh(target.name)
        since = world.api.mark()
        world.api.say(OWNER, f"/ssh {target.name}", date=int(time.time()) - 90)
        world.api.wait_message("expired", 10 * TIME_SCALE, since, OWNER)


# ---------------------------------------------------------------- after an outage

def test_after_an_outage_there_is_one_notice_per_chat_and_the_fresh_answer_comes_first(target):
    with World() as world:
        api = world.api
        world.vps.stop()
        since = api.mark()
        for number in range(40):
            api.say(OWNER, f"/ssh {target.name}", date=int(time.time()) - 600 + number)
        for _ in range(2):
            api.say(FRIEND, "/help", date=int(time.time()) - 100)
        api.say(OWNER, "/help")
        world.vps.start()
        world.ready(timeout=20)
        notice = api.wait_message("40 commands", 10 * TIME_SCALE, since, OWNER)
        fresh = api.wait_message("I connect you", 10 * TIME_SCALE, since, OWNER)
        api.wait_message("2 commands", 10 * TIME_SCALE, since, FRIEND)
        assert fresh.id < notice.id
        assert len(api.all_messages(OWNER, since)) == 2 and len(api.all_messages(FRIEND, since)) == 1
        assert world.vps.count_log("expired") == 2


# ---------------------------------------------------------------- who looks after it learns of it

def test_a_revoked_token_is_in_the_status():
    with World(gateways=()) as world:
        world.api.wrong_token_is_expected = True
        world.api.token = "1:another"
        world.api.drop_connections()
        status = eventually(lambda: (s := world.status()) and s["telegram_trouble"]
                            and re.search("refuses the bot token .*401 Unauthorized", s["telegram_trouble"]) and s,
                            "the trouble is told")
        assert status["telegram"] == "connecting"
        assert "refuses the bot token" in world.pamctl("status").stdout
        world.api.token = world.token


def test_a_second_program_with_the_same_token_is_in_the_status():
    with World(gateways=()) as world:
        world.api.inject("getUpdates", Fault("status", 409, "Conflict: terminated by other getUpdates request"))
        world.api.drop_connections()
        world.vps.wait_log("another program receives this bot's messages")
        world.ready()
        assert "another program" in world.status()["telegram_trouble"]
        assert ask(world.api) < 3 * TIME_SCALE


@contextlib.contextmanager
def admin_socket(folder, answer):
    """An agent that says what the test wants: two minutes are long."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "pamtunnel.sock"))
        listener.listen()

        def serve():
            client, _ = listener.accept()
            with client:
                client.recv(4096)
                client.sendall(json.dumps(answer).encode() + b"\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield {"STATE_DIR": folder}
        thread.join()


STATUS = {"ok": True, "version": "1", "uptime": 300, "telegram": "online", "gateways": [], "sessions": 0,
          "draining": False, "telegram_deaf": 0, "telegram_trouble": None}


@pytest.mark.parametrize("deaf, status", [(0, 0), (100, 0), (121, 1)])
def test_health_fails_when_nothing_was_received_for_two_minutes(deaf, status, folder):
    trouble = "Telegram refuses the bot token" if deaf else None
    with admin_socket(folder, {**STATUS, "telegram_deaf": deaf, "telegram_trouble": trouble}) as env:
        result = run("vps-agent", "--health", env={
            **env, "VPS_HOST": "127.0.0.1", "TUNNEL_KEY": "ab" * 32, "TELEGRAM_TOKEN": TOKEN,
            "ALLOWED_USERS": OWNER})
    assert result.returncode == status, result.stdout
    words = {0: "healthy: Telegram", 1: "not healthy: nothing was received from Telegram for 2 min 1 s"}
    assert result.stdout.startswith(words[status])
    assert deaf == 0 or "refuses the bot token" in result.stdout
    assert ", 0 sessions" in result.stdout, "the Debian package may restart it"


def test_ages_are_those_of_the_agent_and_not_of_a_clock_that_was_set(folder):
    gateway = {"name": "lan", "address": "192.0.2.1", "version": "1", "since": 1, "age": 125, "rtt_ms": 0.5}
    with admin_socket(folder, {**STATUS, "gateways": [gateway]}) as env:
        assert "for 2 min 5 s" in run("pamctl", "status", env=env).stdout


def test_numbers_are_passed_on_without_a_tail(folder):
    gateway = {"name": "lan", "address": "192.0.2.1", "version": "1", "since": 1, "age": 1, "rtt_ms": 0.035}
    with admin_socket(folder, {**STATUS, "gateways": [gateway]}) as env:
        assert '"rtt_ms":0.035}' in run("pamctl", "status", "--json", env=env).stdout
