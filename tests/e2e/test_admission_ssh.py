"""Who gets in to an SSH session: known addresses, [Admit], [Block], ADMIT=auto and ask.

Addresses of 127.0.0.0/8 stand for clients all over the Internet. An address that
was admitted once stays known, so every test takes its own.
"""

import contextlib
import itertools

import pytest
from agents import FRIEND, OWNER, STRANGER, World, port_of
from peers import BANNER, Recorder, dial, echo
from util import TIME_SCALE, eventually, how_it_ends, is_open, read_exactly, stays

_addresses = itertools.count(10)


@pytest.fixture
def address():
    return new_address()


def new_address():
    return f"127.0.1.{next(_addresses)}"


@pytest.fixture
def target():
    with Recorder(echo) as recorder:
        yield recorder


class Visit:
    """An SSH session and a client at its door."""

    def __init__(self, world, target, address, user=OWNER):
        self.world, self.target = world, target
        self.since = world.api.mark()
        self.live = world.ssh(target.name, user)
        self.port = port_of(self.live.code[0])
        self.session = world.newest_session()
        self.user = user
        self.client = self.knock(address)

    def knock(self, address, extra=b""):
        client = dial(self.port, address)
        client.sendall(BANNER + extra)
        return client

    def question(self, address):
        return self.world.api.wait_message(
            lambda m: m.says(address, "wants in") and m.button("admit") and m.button("block"),
            10 * TIME_SCALE, self.since, self.user)

    def wait_in(self, client, sent=BANNER):
        assert read_exactly(client, len(sent)) == sent

    def nothing_arrived(self):
        return not self.target.talked


def test_an_unknown_address_is_asked_about_and_admitted(world, target, address):
    visit = Visit(world, target, address)
    question = visit.question(address)
    assert world.session(visit.session["id"])["parked"] == [address]
    stays(visit.nothing_arrived, "nothing reached the target", 0.3)
    assert is_open(visit.client)
    query = world.api.tap(OWNER, question, "admit")
    world.api.wait_answer(query)
    visit.wait_in(visit.client)
    visit.client.sendall(b"hello")
    assert read_exactly(visit.client, 5) == b"hello"
    assert target.talked[0].data == BANNER + b"hello"
    eventually(lambda: not question.buttons, "the question is answered")
    session = world.session(visit.session["id"])
    assert session["state"] == "connected" and session["client"] == address


def test_the_second_time_the_address_is_known(world, target, address):
    first = Visit(world, target, address)
    world.api.tap(OWNER, first.question(address), "admit")
    first.wait_in(first.client)
    first.client.close()
    second = Visit(world, target, address)
    second.wait_in(second.client)
    assert not [m for m in world.api.all_messages(OWNER, second.since) if m.button("admit")]


def test_known_to_one_user_is_not_known_to_another(world, target, address):
    first = Visit(world, target, address)
    world.api.tap(OWNER, first.question(address), "admit")
    first.wait_in(first.client)
    second = Visit(world, target, address, FRIEND)
    world.api.tap(FRIEND, second.question(address), "admit")
    second.wait_in(second.client)


def test_block_sends_away_and_the_session_goes_on(world, target, address):
    visit = Visit(world, target, address)
    query = world.api.tap(OWNER, visit.question(address), "block")
    world.api.wait_answer(query)
    how_it_ends(visit.client)
    assert visit.nothing_arrived()
    # the blocked one does not get a second question
    before = len(world.api.all_messages(OWNER, visit.since))
    again = visit.knock(address)
    how_it_ends(again)
    assert len(world.api.all_messages(OWNER, visit.since)) == before
    other = new_address()
    client = visit.knock(other)
    world.api.tap(OWNER, visit.question(other), "admit")
    visit.wait_in(client)


def test_only_the_owner_may_tap(world, target, address):
    visit = Visit(world, target, address)
    question = visit.question(address)
    for other in (FRIEND, STRANGER):
        for button in ("admit", "block"):
            update = world.api.tap(other, question, button)
            world.api.wait(lambda: not world.api._updates, 10, f"{update} is read")
        close = world.api.tap(other, visit.live, "close")
        world.api.wait(lambda: not world.api._updates, 10, f"{close} is read")
    stays(visit.nothing_arrived, "nothing reached the target", 0.3)
    assert is_open(visit.client) and world.session(visit.session["id"])
    assert question.button("admit"), "the question still stands"
    world.api.tap(OWNER, question, "admit")
    visit.wait_in(visit.client)


def test_taps_that_no_client_would_send_do_nothing(world, target, address):
    visit = Visit(world, target, address)
    question = visit.question(address)
    genuine = question.button("admit")["callback_data"]
    for data in ("", "x", "admit", genuine + "x", genuine[:-1], genuine.replace(visit.session["id"], "aaaaaaaa"),
                 "admit:" + "9" * 50, genuine.upper(), "\u0000", "a:b:c:d:e", genuine + ":1"):
        if data != genuine:
            world.api.tap(OWNER, question, "admit", data=data)
    world.api.wait(lambda: not world.api._updates, 10, "all is read")
    stays(visit.nothing_arrived, "nothing reached the target", 0.3)
    assert is_open(visit.client)
    # not by tap: the bot may have taken the buttons off a message of an unknown session
    world.admit(visit.session["id"])
    visit.wait_in(visit.client)


def test_pamctl_admits_and_blocks(world, target, address):
    visit = Visit(world, target, address)
    visit.question(address)
    session_id = visit.session["id"]
    for verb in ("admit", "block"):     # whoever waits is nobody in particular
        answer = world.pamctl(verb, session_id)
        assert answer.returncode == 2 and f"{verb} ID ADDRESS" in answer.stderr
    assert is_open(visit.client)
    assert world.pamctl.json("block", session_id, address)["ok"]
    how_it_ends(visit.client)
    one, two = new_address(), new_address()
    first, second = visit.knock(one), visit.knock(two)
    eventually(lambda: sorted(world.session(session_id)["parked"]) == sorted([one, two]), "both wait")
    assert world.pamctl.json("block", session_id, one)["ok"]
    how_it_ends(first)
    assert world.pamctl.json("admit", session_id, two)["ok"]
    visit.wait_in(second)
    # the chat knows about it, although nobody tapped there
    eventually(lambda: not [m for m in world.api.all_messages(OWNER, visit.since) if m.button("admit")],
               "no question is open any more")
    assert world.pamctl.json("admit", session_id, two, ok=False)["error"] == "nobody_waits"


def test_a_client_that_leaves_takes_its_question_along(world, target, address):
    visit = Visit(world, target, address)
    question = visit.question(address)
    visit.client.close()
    eventually(lambda: not question.buttons or question.deleted, "the question is withdrawn")
    assert world.session(visit.session["id"])["parked"] == []
    assert world.session(visit.session["id"])["state"] == "waiting"
    client = visit.knock(address)
    world.api.wait_message(lambda m: m.id != question.id and m.says(address) and m.button("admit"),
                           10 * TIME_SCALE, visit.since)
    world.admit(visit.session["id"])
    visit.wait_in(client)


def test_a_tap_on_an_old_question_is_answered_and_harmless(world, target, address):
    visit = Visit(world, target, address)
    question = visit.question(address)
    data = question.button("admit")["callback_data"]
    visit.client.close()
    eventually(lambda: not question.buttons, "the question is withdrawn")
    world.api.wait_answer(world.api.tap(OWNER, question, "admit", data=data))
    world.pamctl.json("close", visit.session["id"])
    world.api.wait_answer(world.api.tap(OWNER, question, "admit", data=data))
    assert visit.nothing_arrived()


def test_when_one_is_in_the_others_are_sent_off(world, target, address):
    visit = Visit(world, target, address)
    question = visit.question(address)
    other = new_address()
    late = visit.knock(other)
    visit.question(other)
    world.api.tap(OWNER, question, "admit")
    visit.wait_in(visit.client)
    how_it_ends(late)
    assert len(target.talked) == 1
    eventually(lambda: not [m for m in world.api.all_messages(OWNER, visit.since) if m.button("admit")],
               "no question is open any more")


def test_what_came_behind_the_banner_is_kept_while_it_waits(world, target, address):
    """dropbear sends its key exchange in the same segment."""
    visit = Visit(world, target, new_address())
    extra = bytes(range(256)) * 4
    client = visit.knock(address, extra)
    world.api.tap(OWNER, visit.question(address), "admit")
    visit.wait_in(client, BANNER + extra)


@pytest.mark.slow
def test_a_crowd_with_banners_does_not_keep_the_user_out(world, target, address):
    """Twenty scanners that speak SSH wait at the door, of the user's own network."""
    visit = Visit(world, target, new_address())
    crowd = [visit.knock(new_address()) for _ in range(20)]
    same = [visit.knock("127.0.1.9") for _ in range(20)]
    session_id = visit.session["id"]

    def try_to_get_in():
        client = visit.knock(address)
        for _ in range(20):
            if address in world.session(session_id)["parked"]:
                return client
            if not is_open(client):
                client.close()
                return None
            stays(lambda: True, "time passes", 0.05)
        return None

    client = eventually(try_to_get_in, "the user is asked about", 20, interval=0.5)
    assert len(world.session(session_id)["parked"]) <= 1 + 20 + 4 + 1, "four of one address"
    world.pamctl.json("admit", session_id, address)
    visit.wait_in(client)
    assert len(target.talked) == 1
    for sock in crowd + same:
        sock.close()
    questions = [m for m in world.api.all_messages(OWNER, visit.since, deleted=True) if m.says("want")]
    assert len(questions) <= 40, "strangers cannot flood the chat"


@pytest.mark.parametrize("first", [
    b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00",
    b"SSH-1.5-old\r\n", b"SSH-3.0-new\r\n", b"ssh-2.0-lower\r\n", b"SSH-2.0-" + b"x" * 300, b"SSH-2.0-a\x00b\xff",
    b"\x00" * 100, b"\r\n\r\nSSH-2.0-x\r\n", b"SSH-", b"S",
])
def test_who_is_no_ssh_client_is_dropped_and_costs_nothing(auto_world, target, first):
    """Also with ADMIT=auto: the session waits for a real one."""
    session = auto_world.pamctl.json("ssh", target.name)["session"]
    with dial(session["public_port"], "127.0.0.66") as junk:
        junk.sendall(first)
        with dial(session["public_port"], "127.0.0.66") as other:
            other.sendall(b"junk")
            how_it_ends(other)
        if len(first) > 30:     # enough to see that it is none: dropped at once
            how_it_ends(junk, 3)
        with dial(session["public_port"]) as client:
            client.sendall(BANNER)
            assert read_exactly(client, len(BANNER)) == BANNER
    assert [c.data for c in target.talked] == [BANNER]


def test_silent_ones_are_dropped_after_a_few_seconds(world, target, address):
    session = world.pamctl.json("ssh", target.name)["session"]
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(dial(session["public_port"], f"127.0.0.{n}")) for n in range(60, 64)]
        dribble = stack.enter_context(dial(session["public_port"], "127.0.0.70"))
        dribble.sendall(b"SSH-2.0-sl")
        stays(lambda: all(is_open(s) for s in [*silent, dribble]), "they have a few seconds", 3)
        for sock in [*silent, dribble]:
            how_it_ends(sock, 10)
    assert world.session(session["id"])["state"] == "waiting"
    assert not target.talked and len(target.connections) == 1, "the probe"
    world.vps.wait_log("127.0.0.60 has said nothing for 5 s and is dropped")


@pytest.fixture(scope="module")
def auto_world():
    with World(bot=False, vps={"ADMIT": "auto"}) as world:
        yield world


@pytest.fixture(autouse=True)
def settled(request):
    yield
    if "auto_world" in request.fixturenames:
        request.getfixturevalue("auto_world").settle()


def test_auto_admits_the_first_ssh_client_without_asking(auto_world, target, address):
    session = auto_world.pamctl.json("ssh", target.name)["session"]
    with dial(session["public_port"], address) as client:
        client.sendall(b"SSH-1.99-old but fine\r\n")
        assert read_exactly(client, 23) == b"SSH-1.99-old but fine\r\n"
        assert auto_world.session(session["id"])["client"] == address


def test_ask_always_asks(target, address):
    with World(vps={"ADMIT": "ask"}) as world:
        for _ in range(2):
            visit = Visit(world, target, address)
            world.api.tap(OWNER, visit.question(address), "admit")
            visit.wait_in(visit.client)
            visit.client.close()
            world.close_all()


def test_silent_strangers_do_not_keep_a_session_whose_user_never_comes(target):
    with World(bot=False, vps={"ADMIT": "auto", "SESSION_TIMEOUT": 8}) as world, contextlib.ExitStack() as stack:
        session = world.pamctl.json("ssh", target.name)["session"]
        stack.enter_context(dial(session["public_port"], "127.0.0.60"))
        world.wait_state(session["id"], "connected", 8)
        stack.enter_context(dial(session["public_port"], "127.0.0.60"))     # one takes over from the other
        world.wait_state(session["id"], "ended", 6)
        world.vps.wait_log(f"session {session['id']}: over: nobody")
