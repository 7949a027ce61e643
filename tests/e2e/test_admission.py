"""Who gets in: the table of docs/threat-model.md cell by cell, and the questions in the chat.

What only concerns SSH or RDP clients is in test_admission_ssh.py and test_admission_rdp.py.
Addresses of 127.0.0.0/8 stand for clients all over the Internet.
"""

import itertools
import re

import peers
import pytest
import util
from agents import FRIEND, OWNER, World
from peers import BANNER, RdpFile, connection_request, cookie, dial
from util import TIME_SCALE, eventually, stays

_addresses = itertools.count(2)
QUESTIONS_AT_ONCE = 5   # docs/threat-model.md


def new_address():
    """An address from which nobody came before."""
    return f"127.0.3.{next(_addresses)}"


@pytest.fixture(scope="module", params=["known", "ask", "auto"])
def world_with(request):
    with World(vps={"ADMIT": request.param, "RECONNECT_GRACE": 30}) as world:
        world.admit = request.param
        yield world


@pytest.fixture
def any_world(world_with):
    """A world of each setting of ADMIT."""
    yield world_with
    world_with.settle()


@pytest.fixture
def target():
    with peers.Recorder(peers.echo) as recorder:
        yield recorder


class Door:
    """A session of OWNER and its public port."""

    def __init__(self, world, kind, target, user=OWNER):
        self.world, self.target, self.kind, self.user = world, target, kind, user
        self.since = world.api.mark()
        if kind == "ssh":
            self.live = world.ssh(target.name, user)
            self.hello = self.good = BANNER
        else:
            document, self.live = world.rdp(target.name, user)
            self.good = connection_request(cookie(RdpFile(document.document.data).secret))
            self.hello = connection_request()
        session = world.newest_session()
        self.id, self.port = session["id"], session["public_port"]
        self.clients = len(target.talked)
        self.sockets = []   # so that none is closed before its time

    def knock(self, address, says=None):
        """says: instead of the client's usual first packet, which has no secret."""
        client = dial(self.port, address)
        self.sockets.append(client)
        client.sendall(self.hello if says is None else says)
        return client

    @property
    def parked(self):
        return self.world.session(self.id)["parked"]

    def wait_parked(self, *addresses):
        eventually(lambda: self.parked == list(addresses), f"{addresses} are parked, oldest first")

    def questions(self, *words):
        return [m for m in self.world.api.all_messages(self.user, self.since)
                if m.says("❓") and m.says(*words)]

    def question(self, address):
        return self.world.api.wait_message(lambda m: m.says(f"{address} wants in: ") and m.button("Admit"),
                                           10 * TIME_SCALE, self.since, self.user)

    def tap(self, message, button):
        return self.world.api.wait_answer(self.world.api.tap(self.user, message, button))["text"]

    def assert_in(self, client, says=None):
        expected = self.hello if says is None else says
        assert util.read_exactly(client, len(expected)) == expected, "the target's echo"
        self.clients += 1
        assert len(self.target.talked) == self.clients

    def assert_out(self):
        """Nothing was asked and nothing arrived because of whoever is at the door."""
        assert len(self.target.talked) == self.clients


def let_in_once(world, target, address):
    door = Door(world, "ssh", target)
    client = door.knock(address)
    if world.admit != "auto":
        door.tap(door.question(address), "Admit")
    door.assert_in(client)
    client.close()      # Close would take the Admit back


# ---------------------------------------------------------------- the table

@pytest.mark.parametrize("client", ["ssh from a new address", "ssh from a known address",
                                    "rdp with the secret", "rdp without the secret",
                                    "rdp without the secret from a known address"])
def test_the_table_of_the_threat_model_holds(any_world, target, client):
    world, address, kind = any_world, new_address(), client[:3]
    if "known" in client:
        let_in_once(world, target, address)
    door = Door(world, kind, target)
    visitor = door.knock(address, door.good if "with the" in client else None)
    free = client == "rdp with the secret" or (client == "ssh from a known address" and world.admit == "known")
    if free or (kind == "ssh" and world.admit == "auto"):
        door.assert_in(visitor)
        assert not door.questions()
        return
    question = door.question(address)
    assert question.says(f"wants in: {kind.upper()} to {target.name}") and question.button("Block")
    door.wait_parked(address)
    stays(lambda: len(target.talked) == door.clients and util.is_open(visitor), "it waits", 0.3)
    assert door.tap(question, "Admit") == "Admitted."
    door.assert_in(visitor)
    world.api.wait(lambda: question.says(f"{address} was admitted to {target.name}"), what="the edit")
    assert not question.buttons


@pytest.mark.parametrize("kind", ["ssh", "rdp"])
def test_once_somebody_is_in_all_others_are_dropped_unasked(any_world, target, kind):
    door = Door(any_world, kind, target)
    address = new_address()
    client = door.knock(address, door.good)
    if kind == "ssh" and any_world.admit != "auto":
        door.tap(door.question(address), "Admit")
    door.assert_in(client)
    before = len(any_world.api.all_messages(OWNER, door.since))
    for says in (BANNER, door.hello, door.good):
        try:
            stranger = door.knock(new_address(), says)
            assert util.how_it_ends(stranger, 2) in ("fin", "rst")
        except OSError:
            assert kind == "ssh", "the port of an RDP session stays open for its user"
    assert len(any_world.api.all_messages(OWNER, door.since)) == before
    client.sendall(b"on")
    assert util.read_exactly(client, 2) == b"on"
    door.assert_out()


# ---------------------------------------------------------------- Admit and Block

WORLD = {"vps": {"RECONNECT_GRACE": 30}}


@pytest.fixture
def known_world(world):
    world.admit = "known"
    return world


@pytest.mark.parametrize("kind", ["ssh", "rdp"])
def test_who_is_blocked_stays_out_of_this_session_and_is_asked_about_in_the_next(known_world, target, kind):
    world, address = known_world, new_address()
    door = Door(world, kind, target)
    client = door.knock(address)
    question = door.question(address)
    assert door.tap(question, "Block") == "Blocked."
    assert util.how_it_ends(client) in ("fin", "rst")
    world.api.wait(lambda: question.says(f"{address} was blocked from {target.name}"), what="the edit")
    assert not question.buttons
    for says in (door.hello, door.good):    # with the right secret, too
        assert util.how_it_ends(door.knock(address, says), 2) in ("fin", "rst")
    assert len(door.questions()) == 0 and door.parked == []
    door.assert_out()
    world.close_all()
    door = Door(world, kind, target)
    door.knock(address)
    door.question(address)


def test_an_rdp_client_that_was_admitted_by_hand_may_come_back_without_the_secret(known_world, target):
    door = Door(known_world, "rdp", target)
    address, says = new_address(), connection_request(b"Cookie: mstshash=alice\r\n")
    client = door.knock(address, says)
    door.tap(door.question(address), "Admit")
    door.assert_in(client, says)
    client.close()
    again = door.knock(address, says)
    door.assert_in(again, says)
    assert util.how_it_ends(door.knock(new_address(), says), 2) in ("fin", "rst")
    door.assert_out()


def test_whoever_came_with_the_secret_does_not_come_back_without_it(known_world, target):
    door = Door(known_world, "rdp", target)
    address = new_address()
    door.assert_in(door.knock(address, door.good))
    assert util.how_it_ends(door.knock(address), 2) in ("fin", "rst")
    door.assert_out()
    door.assert_in(door.knock(address, door.good))


def test_nobody_but_the_owner_can_admit(known_world, target):
    door = Door(known_world, "ssh", target)
    address = new_address()
    client = door.knock(address)
    question = door.question(address)
    for user in (FRIEND, 666):
        for button in ("Admit", "Block"):
            known_world.api.tap(user, question, button)
    known_world.api.wait(lambda: not known_world.api._updates, 10 * TIME_SCALE, "all is read")
    util.stays(lambda: util.is_open(client) and not target.talked[door.clients:], "nothing comes of it", 0.3)
    assert door.parked == [address] and util.is_open(client)
    door.assert_out()
    known_world.pamctl.json("admit", door.id, address)
    door.assert_in(client)


def test_what_pamctl_decides_the_chat_says_as_well(known_world, target):
    door = Door(known_world, "ssh", target)
    first, second = new_address(), new_address()
    clients = [door.knock(first), door.knock(second)]
    questions = [door.question(first), door.question(second)]
    assert known_world.pamctl.json("admit", door.id, "127.9.9.9", ok=False)["error"] == "nobody_waits"
    assert known_world.pamctl.json("admit", "aaaaaaaa", first, ok=False)["error"] == "no_such_session"
    assert known_world.pamctl.json("block", door.id, first)["session"]["parked"] == [second]
    assert util.how_it_ends(clients[0]) in ("fin", "rst")
    assert util.how_it_ends(door.knock(first), 2) in ("fin", "rst"), "it stays blocked"
    answer = known_world.pamctl.json("admit", door.id, second)["session"]
    assert (answer["state"], answer["client"], answer["parked"]) == ("connected", second, [])
    door.assert_in(clients[1])
    known_world.api.wait(lambda: not any(q.buttons for q in questions), what="the questions are closed")
    assert known_world.pamctl.json("admit", door.id, second, ok=False)["error"] == "nobody_waits"


def test_pamctl_block_and_admit_speak_to_people(known_world, target):
    door = Door(known_world, "ssh", target)
    address = new_address()
    client = door.knock(address)
    door.wait_parked(address)
    listing = known_world.pamctl("sessions").stdout
    assert re.search(rf"{address} wants in \(SSH-2.0-pamtunnel_test, for \d+ s\): "
                     rf"pamctl admit {door.id} {address}\n", listing)
    done = known_world.pamctl("admit", door.id, address)
    assert (done.returncode, done.stdout) == (0, f"Done: session {door.id} is connected.\n")
    door.assert_in(client)
    late = known_world.pamctl("block", door.id, address)
    assert late.returncode == 1 and late.stderr == "pamctl: No such client is waiting to be admitted.\n"


def test_a_client_without_telegram_is_admitted_with_pamctl(target):
    with World(bot=False) as world:
        session = world.pamctl.json("ssh", target.name)["session"]
        client = dial(session["public_port"])
        client.sendall(BANNER)
        eventually(lambda: world.newest_session()["parked"] == ["127.0.0.1"], "it is parked")
        world.pamctl.json("admit", session["id"], "127.0.0.1")
        assert util.read_exactly(client, len(BANNER)) == BANNER


# ---------------------------------------------------------------- who waits

def test_a_client_that_hangs_up_makes_its_question_go_away(known_world, target):
    door = Door(known_world, "ssh", target)
    address = new_address()
    client = door.knock(address)
    question = door.question(address)
    client.close()
    known_world.api.wait(lambda: question.says(f"{address} wanted in", "not waiting any more"), what="the edit")
    assert not question.buttons and door.parked == []
    door.assert_out()


@pytest.mark.parametrize("how", ["FIN", "RST"])
def test_a_parked_client_may_have_said_more_before_it_hangs_up(known_world, target, how):
    door = Door(known_world, "ssh", target)
    address = new_address()
    client = door.knock(address, BANNER + b"x" * 1000)
    question = door.question(address)
    client.sendall(b"y" * 1000)
    if how == "RST":
        util.reset(client)
    else:
        client.close()
    known_world.api.wait(lambda: question.says("not waiting any more"), what="the edit")
    door.assert_out()


def test_all_that_a_parked_client_said_reaches_the_target_once_it_is_admitted(known_world, target):
    door = Door(known_world, "ssh", target)
    address, says = new_address(), BANNER + bytes(range(256)) * 100
    client = door.knock(address, says)
    question = door.question(address)
    client.sendall(b"and more")
    stays(lambda: len(target.talked) == door.clients, "nothing of it reaches the target", 0.3)
    door.tap(question, "Admit")
    door.assert_in(client, says + b"and more")


@pytest.mark.slow
def test_a_flood_of_clients_does_not_flood_the_chat_nor_keep_the_user_out(known_world, target):
    """60 SSH clients from 20 addresses; then the user, from an address that is known."""
    home = new_address()
    let_in_once(known_world, target, home)
    sent = len(known_world.api.called("sendMessage"))
    door = Door(known_world, "ssh", target)
    crowd = [new_address() for _ in range(20)]
    strangers = [door.knock(address) for _ in range(3) for address in crowd]
    known_world.api.wait_message("Strangers are knocking", 10 * TIME_SCALE, door.since)
    assert all(util.is_open(s) for s in strangers), "there is room for them"
    client = door.knock(home)
    door.assert_in(client)
    # the live message, the strangers, and the questions
    assert len(known_world.api.called("sendMessage")) - sent <= 2 + QUESTIONS_AT_ONCE
    known_world.api.wait(lambda: not [q for q in door.questions() if q.buttons], what="all is answered")
    assert {util.how_it_ends(s) for s in strangers} <= {"fin", "rst"}
    client.sendall(b"on")
    assert util.read_exactly(client, 2) == b"on"


def test_the_user_of_an_rdp_session_gets_in_while_others_wait(known_world, target):
    door = Door(known_world, "rdp", target)
    crowd = [door.knock(new_address()) for _ in range(4)]
    eventually(lambda: len(door.parked) == 4, "all wait")
    door.assert_in(door.knock(new_address(), door.good))
    assert {util.how_it_ends(s) for s in crowd} <= {"fin", "rst"}
    assert door.parked == []
    known_world.api.wait(lambda: not [q for q in door.questions() if q.buttons], what="all is answered")


def test_ipv6_clients_are_asked_about_by_their_address(known_world, target):
    door = Door(known_world, "ssh", target)
    client = dial(door.port, host="::1")
    client.sendall(BANNER)
    question = door.question("::1")
    door.wait_parked("::1")
    assert door.tap(question, "Admit") == "Admitted."
    door.assert_in(client)


@pytest.mark.parametrize("how", ["closed", "stopped"])
def test_when_the_session_ends_nobody_waits_any_more(target, how):
    with World() as world:
        door = Door(world, "ssh", target)
        client = door.knock("127.0.3.1")
        question = door.question("127.0.3.1")
        if how == "closed":
            world.api.tap(OWNER, door.live, "Close")
        else:
            world.vps.stop()
        assert util.how_it_ends(client) in ("fin", "rst")
        world.api.wait(lambda: not question.buttons and not door.live.button("Close"), what="the buttons are gone")
        assert question.says("not waiting any more") and door.live.says("has ended")
        door.assert_out()
