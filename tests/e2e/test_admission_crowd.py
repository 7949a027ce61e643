"""Strangers who know how admission works: none of them wears it down, keeps the user out or gets in
in the user's stead, and the user and the operator see them.

Addresses of 127.0.0.0/8 stand for clients all over the Internet: 127.A.B.C is host C in network A.B of
provider A.
"""

import contextlib
import re

import netns
import pytest
import util
from agents import OWNER, World
from peers import BANNER, Recorder, dial, echo
from util import TIME_SCALE, eventually, how_it_ends, is_open, read_exactly, stays

USER = "127.200.1.7"
LET_IN = "session {}: .* is in "


@pytest.fixture(scope="module")
def crowded():
    with World(vps={"LOG_LEVEL": "info"}) as world:
        yield world


@pytest.fixture(autouse=True)
def settled(request):
    yield
    if "crowded" in request.fixturenames:
        request.getfixturevalue("crowded").settle()


@pytest.fixture
def target():
    with Recorder(echo) as recorder:
        yield recorder


class Session:
    """An SSH session of OWNER, and what is at its door."""

    def __init__(self, world, target):
        self.world, self.target = world, target
        self.since = world.api.mark()
        self.live = world.ssh(target.name)
        session = world.newest_session()
        self.id, self.port = session["id"], session["public_port"]

    def knock(self, address, says=BANNER, host="127.0.0.1"):
        client = dial(self.port, address, host)
        client.sendall(says)
        return client

    @property
    def waiting(self):
        return self.world.session(self.id)["waiting"]

    def waits(self, address):
        found = [w for w in self.waiting if w["address"] == address]
        return found[0] if found else None

    def wait_waiting(self, address):
        return eventually(lambda: self.waits(address), f"{address} waits")

    def question(self, address, timeout=10):
        return self.world.api.wait_message(lambda m: m.says(f"{address} wants in") and m.button("Admit"),
                                           timeout * TIME_SCALE, self.since)

    def messages(self, *words):
        return [m for m in self.world.api.all_messages(OWNER, self.since, deleted=True) if m.says(*words)]

    def tap(self, message, button):
        return self.world.api.wait_answer(self.world.api.tap(OWNER, message, button))["text"]

    def assert_in(self, client, says=BANNER):
        assert read_exactly(client, len(says)) == says, "the target's echo"
        assert [c.data for c in self.target.talked] == [says]


@pytest.fixture
def session(crowded, target):
    return Session(crowded, target)


def crowd(session, count, providers=10, networks=25):
    return [session.knock(f"127.{10 + n % providers}.{n // providers % networks}.{1 + n // providers // networks}",
                          b"SSH-2.0-Go\r\n") for n in range(count)]


def close_all(clients):
    for client in clients:
        client.close()


# ---------------------------------------------------------------- questions cannot be used up

def test_who_hangs_up_at_once_uses_up_no_question(session):
    """Thirty connections from ten addresses used all questions of a session up, for good."""
    for number in range(60):
        session.knock(f"127.66.0.{1 + number % 10}").close()
    eventually(lambda: not session.waiting, "all are gone")
    user = session.knock(USER)
    assert session.tap(session.question(USER), "Admit") == "Admitted."
    session.assert_in(user)
    assert len(session.messages("wants in")) + len(session.messages("wanted in")) + \
        len(session.messages("was admitted")) == 1, "nobody is asked about those who do not stay"


def test_who_stays_from_everywhere_delays_a_question_and_no_more(session):
    """Strangers from ten providers, before the user: all questions that there are at once are theirs."""
    strangers = crowd(session, 40)
    eventually(lambda: sum(w["asked"] for w in session.waiting) >= 5, "they are asked about")
    user = session.knock(USER)
    question = session.question(USER, timeout=15)       # one comes back in ten seconds
    assert all(is_open(s) for s in strangers)
    session.tap(question, "Admit")
    session.assert_in(user)
    assert {how_it_ends(s) for s in strangers} <= {"fin", "rst"}


def test_sixteen_clients_of_four_addresses_do_not_use_up_the_open_questions(session):
    """All that stay and are asked about held a question open each; so nobody else was asked about."""
    strangers = [session.knock(f"127.{31 + number % 4}.0.1") for number in range(16)]
    eventually(lambda: sum(w["asked"] for w in session.waiting) == 16, "they are asked about")
    user = session.knock(USER)
    session.tap(session.question(USER, timeout=15), "Admit")
    session.assert_in(user)
    close_all(strangers)


def test_without_a_question_the_client_waits_and_can_be_admitted(session):
    """In silence, by pamctl: which shows who waits and how to admit it."""
    strangers = crowd(session, 40)
    eventually(lambda: sum(w["asked"] for w in session.waiting) >= 5, "they are asked about")
    user = session.knock(USER)
    shown = session.wait_waiting(USER)
    assert not shown["asked"] and shown["words"] == BANNER.decode().strip()
    listing = session.world.pamctl("sessions").stdout
    line = re.search(rf"{USER} wants in \(SSH-2.0-pamtunnel_test, for \d+ s\): pamctl (admit .*)", listing)
    assert session.world.pamctl(*line[1].split()).returncode == 0
    session.assert_in(user)
    close_all(strangers)


def test_strangers_are_told_of_once_with_a_button_who_waits(session):
    strangers = crowd(session, 60, networks=3)
    told = session.world.api.wait_message("Strangers are knocking", 10 * TIME_SCALE, session.since)
    assert re.search(r"\d+ unknown clients from (more than )?\d+ networks, most from 127\.\d+\.\d+\.0/24 \(\d+\)", told.text)
    before = [m for m in session.messages("wants in")]
    assert len(before) <= 5
    user = session.knock(USER)
    session.wait_waiting(USER)
    session.tap(told, "Who waits?")
    session.tap(session.question(USER, timeout=2), "Admit")     # the network that was asked about least is next
    session.assert_in(user)
    session.world.api.wait(lambda: told.says("Strangers knocked at") and not told.buttons, what="it is over")
    with contextlib.suppress(OSError):      # they find nobody who wants them
        strangers += crowd(session, 10)
    assert len(session.messages("Strangers")) == 1
    close_all(strangers)


def test_the_log_tells_of_strangers_and_is_not_filled(session):
    log = session.world.vps.log
    strangers = crowd(session, 120)
    close_all(strangers)
    session.world.vps.wait_log(f"session {session.id}: strangers are knocking: \\d+ unknown clients from (more than )?\\d+ networks")
    session.world.vps.wait_log(rf"session {session.id}: 127\.\d+\.\d+\.\d+ \(SSH-2.0-Go\) (hung up|is sent off|is turned away)")
    for _ in range(3):
        close_all(crowd(session, 120))
    eventually(lambda: not session.waiting, "all are gone")
    lines = [line for line in session.world.vps.log[len(log):].splitlines() if session.id in line]
    assert len(lines) < 25, "\n".join(lines)
    session.world.pamctl("close", session.id)
    session.world.vps.wait_log(f"session {session.id}: in all \\d+ unknown clients from (more than )?\\d+ networks")


# ---------------------------------------------------------------- places cannot be taken

def test_who_waits_keeps_his_place_whoever_comes(session):
    """Four addresses pushed the waiting user out within 40 ms, before anybody could press Admit."""
    user = session.knock(USER)
    question = session.question(USER)
    strangers = crowd(session, 150, providers=3, networks=50)
    stays(lambda: is_open(user), "he waits", 0.5)
    assert session.tap(question, "Admit") == "Admitted."
    session.assert_in(user)
    close_all(strangers)


def test_who_comes_from_elsewhere_finds_a_place(session):
    strangers = crowd(session, 150, providers=3, networks=50)
    user = session.knock(USER)
    session.wait_waiting(USER)
    assert len(session.waiting) <= 64
    stays(lambda: is_open(user), "he waits", 0.5)
    session.world.pamctl.json("admit", session.id, USER)
    session.assert_in(user)
    close_all(strangers)


def test_silent_connections_from_many_addresses_do_not_push_out_a_slow_client(session):
    user = dial(session.port, USER)
    with contextlib.ExitStack() as stack:
        for number in range(300):
            stack.enter_context(dial(session.port, f"127.9.{number % 60}.{1 + number // 60}"))
        stays(lambda: is_open(user), "he has time to speak", 0.3)
        user.sendall(BANNER)
        session.tap(session.question(USER), "Admit")
        session.assert_in(user)


# ---------------------------------------------------------------- who is admitted is who was meant

def test_pamctl_admits_nobody_in_particular(session):
    """Its own hint let in whoever waited."""
    opened = session.world.pamctl("ssh", session.target.name)
    assert "pamctl sessions" in opened.stdout and "pamctl admit" not in opened.stdout
    stranger = session.knock("127.66.1.1", b"SSH-2.0-stranger\r\n")
    session.wait_waiting("127.66.1.1")
    for verb in ("admit", "block"):
        answer = session.world.pamctl(verb, session.id)
        assert answer.returncode == 2 and "ADDRESS" in answer.stderr
    assert session.waits("127.66.1.1") and not session.target.talked
    stranger.close()


def test_a_neighbour_does_not_take_the_place_of_the_user(session):
    """The question was about the user, and who was admitted was the one behind the same address."""
    user = session.knock(USER)
    question = session.question(USER)
    assert question.says("It calls itself SSH-2.0-pamtunnel_test", "after your command", "Is it you?")
    neighbour = session.knock(USER, b"SSH-2.0-neighbour\r\n")
    session.world.api.wait(lambda: question.says("2 clients", "1. SSH-2.0-pamtunnel_test", "2. SSH-2.0-neighbour"),
                           10 * TIME_SCALE, "the question is about both")
    assert is_open(user) and is_open(neighbour) and len(session.messages("wants in")) == 1
    ambiguous = session.world.pamctl.json("admit", session.id, USER, ok=False)
    assert ambiguous["error"] == "which_client"
    assert session.tap(question, "Admit 1") == "Admitted."
    session.assert_in(user)
    assert how_it_ends(neighbour) in ("fin", "rst")


def test_pamctl_names_one_of_several_behind_an_address(session):
    user = session.knock(USER)
    session.wait_waiting(USER)
    neighbour = session.knock(USER, b"SSH-2.0-neighbour\r\n")
    eventually(lambda: len(session.waiting) == 2, "both wait")
    listing = session.world.pamctl("sessions").stdout
    line = re.search(rf"wants in \(SSH-2.0-neighbour, .*: pamctl (admit {session.id} {USER}#\d+)\n", listing)
    assert session.world.pamctl(*line[1].split()).returncode == 0
    session.assert_in(neighbour, b"SSH-2.0-neighbour\r\n")
    assert how_it_ends(user) in ("fin", "rst")


def test_a_question_that_pamctl_answers_says_so(session):
    user = session.knock(USER)
    question = session.question(USER)
    session.wait_waiting(USER)
    assert session.world.pamctl("admit", session.id, USER).returncode == 0
    session.assert_in(user)
    session.world.api.wait(lambda: question.says("was admitted to"), what="it is closed as what it was")


def test_a_dead_first_one_makes_room_for_the_second(session):
    first = session.knock(USER)
    question = session.question(USER)
    util.reset(first)
    session.world.api.wait(lambda: question.says("not waiting any more"), what="its question is closed")
    second = session.knock(USER)
    session.tap(session.question(USER), "Admit")
    session.assert_in(second)


def test_a_tap_about_one_who_went_does_not_admit_the_other(session):
    user = session.knock(USER)
    question = session.question(USER)
    data = question.button("Admit")["callback_data"]
    neighbour = session.knock(USER, b"SSH-2.0-neighbour\r\n")
    session.world.api.wait(lambda: question.says("2 clients"), 10 * TIME_SCALE, "the question is about both")
    user.close()
    session.world.api.wait(lambda: question.says("SSH-2.0-neighbour") and not question.says("2 clients"),
                           10 * TIME_SCALE, "the question is about the other")
    answer = session.world.api.wait_answer(session.world.api.tap(OWNER, question, "Admit", data=data))
    assert answer["text"] == "This client is not waiting any more."
    stays(lambda: is_open(neighbour) and not session.target.talked, "nobody is in", 0.3)


# ---------------------------------------------------------------- "Is it you?" can be answered

def test_the_question_says_where_the_user_came_from_last(session, crowded, target):
    user = session.knock(USER)
    session.tap(session.question(USER), "Admit")
    session.assert_in(user)
    user.close()
    crowded.close_all()
    second = Session(crowded, target)
    elsewhere = second.knock("127.201.1.1", b"SSH-2.0-another\r\n")
    question = second.question("127.201.1.1")
    assert question.says(f"Your last session came from {USER} (", "UTC)")
    assert question.says("It calls itself SSH-2.0-another")
    elsewhere.close()


def test_a_strangers_words_are_words(session):
    stranger = session.knock("127.66.1.1", b"SSH-2.0-<b>&\xe2\x80\xaehttps://evil.example " + b"y" * 150 + b"\r\n")
    question = session.question("127.66.1.1")
    assert "<code>SSH-2.0-&lt;b&gt;&amp;???https://evil.example yyyy" in question.html
    assert question.html.count("y") < 60
    assert "y" * 70 not in session.world.pamctl("sessions").stdout
    stranger.close()


# ---------------------------------------------------------------- IPv6

@pytest.mark.skipif(not netns.available(), reason="needs root and ip")
def test_a_whole_48_is_no_more_than_an_address(internet):
    """Ten /64 of one /60 did what ten addresses of IPv4 do."""
    with World(net=internet, bot=False) as world, \
            Recorder(echo, listener=internet.lan.listen("0.0.0.0", 22)) as target:
        prefix = "2001:db8:66:"
        internet.vps.ip("-6", "route", "replace", f"{prefix}:/48", "via", netns.CLIENT6)
        sources = [f"{prefix}{n:x}::1" for n in range(40)]
        for source in sources:
            internet.client.ip("-6", "addr", "replace", f"{source}/128", "dev", "lo", "nodad")
        session = world.pamctl.json("ssh", "HOME-PC")["session"]

        def knock(source, says=b"SSH-2.0-Go\r\n"):
            client = internet.client.connect(netns.VPS6, session["public_port"], source)
            client.sendall(says)
            return client

        for source in sources[:10] * 3:
            knock(source).close()
        strangers = [knock(source) for source in sources * 2]
        user = knock(netns.CLIENT6, BANNER)
        eventually(lambda: netns.CLIENT6 in world.session(session["id"])["parked"], "the user waits")
        waiting = world.session(session["id"])["waiting"]
        assert len(waiting) <= 64
        world.pamctl.json("admit", session["id"], netns.CLIENT6)
        assert read_exactly(user, len(BANNER)) == BANNER
        assert len(target.talked) == 1
        close_all(strangers)
