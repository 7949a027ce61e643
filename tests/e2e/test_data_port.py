"""Uninvited guests at a session's data port, and the proof that keeps them out."""

import contextlib
import os
import time

import junk
import peers
import pytest
import util
import wire
from agents import OWNER
from middle import world_with_middle
from util import SANITIZED, TIME_SCALE, eventually

WORLD = {"gateways": ()}    # for the gateway on paper
PLAIN = peers.connection_request()


@pytest.fixture(scope="module")
def pair():
    """A world whose gateway comes through a Middle."""
    with world_with_middle() as (world, middle):
        yield world, middle


@pytest.fixture(autouse=True)
def settled(request):
    yield
    if "pair" in request.fixturenames:
        request.getfixturevalue("pair")[0].settle()


@pytest.fixture
def target():
    with peers.Recorder(reply=peers.echo) as recorder:
        yield recorder


class Opening:
    """An RDP session whose gateway stands before the data port and is held up there."""

    def __init__(self, pair, target):
        self.world, self.middle = pair
        self.target = target
        self.hold = contextlib.ExitStack()

    def __enter__(self):
        world, middle = self.world, self.middle
        self.hold.enter_context(middle.holding(range(world.port_start, world.control_port)))
        self.since = world.api.mark()
        seen = len(middle.passages)
        world.api.say(OWNER, f"/rdp {self.target.name}")
        # the target is probed on another way; this is the data channel
        self.passage = eventually(lambda: middle.passages[seen:], "the gateway dials the data port")[0]
        eventually(lambda: len(self.passage.up) >= wire.HELLO_SIZE, "it says hello")
        self.session, self.channel = wire.read_data_hello(self.passage.up)
        self.port = world.newest_session()["data_port"]
        assert self.passage.port == self.port
        return self

    def __exit__(self, *_):
        self.hold.close()

    def release(self):
        """The gateway may go on; the user gets the file."""
        self.hold.close()
        document = self.world.api.wait_message(lambda m: m.document, 10 * TIME_SCALE, self.since, OWNER)
        self.file = peers.RdpFile(document.document.data)
        self.world.secrets.append(self.file.secret)
        self.id = self.world.newest_session()["id"]
        return self

    def enter(self, number=1):
        """The user comes (for the `number`th time) and is talked to by the target."""
        client = peers.dial(self.file.port)
        client.sendall(peers.connection_request(peers.cookie(self.file.secret)))
        assert util.read_exactly(client, len(PLAIN)) == PLAIN
        assert len(self.target.talked) == number
        return client

    def lose_client(self):
        """The user was in, and the network broke."""
        util.reset(self.enter())
        self.world.wait_state(self.id, "reconnecting")

    def works(self):
        with self.enter(len(self.target.talked) + 1) as client:
            client.sendall(b"hello")
            assert util.read_exactly(client, 5) == b"hello"
        assert all(c.data in (PLAIN, PLAIN + b"hello") for c in self.target.talked), "a byte of junk"


@pytest.fixture
def opening(pair, target):
    with Opening(pair, target) as waiting:
        yield waiting


# ---------------------------------------------------------------- the proof itself

def test_a_gateway_made_from_the_documentation_alone_serves_a_session(world):
    """Handshake, both MACs and the bytes behind it are as docs/protocol.md says."""
    with wire.Control(world.control_port, world.key, "paper") as gateway:
        gateway.greet()
        world.ready(["paper"])
        since = world.api.mark()
        world.api.say(OWNER, "/ssh me@HOME-PC:2222")
        fields = gateway.receive(wire.OPEN_TUNNEL)
        session, channel, port, data_port, host, token = wire.read_open_tunnel(fields)
        assert (channel, port, host) == (0, 2222, "HOME-PC")
        assert data_port == world.newest_session()["data_port"]
        with wire.prove(wire.connect(data_port), session, channel, token) as data:
            gateway.send(wire.tunnel_ready(session))
            message = world.api.wait_message(lambda m: m.code, 10 * TIME_SCALE, since, OWNER)
            with peers.dial(world.newest_session()["public_port"]) as client:
                client.sendall(peers.BANNER)
                world.api.tap(OWNER, world.api.wait_message("wants in", 10 * TIME_SCALE), "Admit")
                assert util.read_exactly(data, len(peers.BANNER)) == peers.BANNER
                data.sendall(b"SSH-2.0-paper\r\n")
                assert util.read_exactly(client, 15) == b"SSH-2.0-paper\r\n"
        world.api.tap(OWNER, message, "Close")
        world.api.wait(lambda: message.says("ended"), 10 * TIME_SCALE, "the end")
        assert wire.read_open_tunnel(fields)[0] == int.from_bytes(gateway.receive(wire.CLOSE_TUNNEL), "big")


def test_a_token_serves_one_session_and_a_channel_once(world):
    with wire.Control(world.control_port, world.key, "paper") as gateway:
        gateway.greet()
        world.ready(["paper"])
        tunnels = []
        for _ in range(2):
            world.api.say(OWNER, "/rdp HOME-PC")
            tunnels.append(wire.read_open_tunnel(gateway.receive(wire.OPEN_TUNNEL)))
        (one, _, _, one_port, _, one_token), (two, _, _, two_port, _, two_token) = tunnels
        assert one != two and one_token != two_token and one_port != two_port
        # the right token at the wrong port, and with the other's number
        for port, session in ((two_port, one), (one_port, two)):
            with wire.connect(port) as sock:
                sock.sendall(wire.data_hello(session))
                assert wire.reaction(sock) == b""
        # the wrong token: the VPS's proof does not hold, and ours is not accepted
        with wire.connect(two_port) as sock:
            opening = wire.data_hello(two)
            sock.sendall(opening)
            answer = util.read_exactly(sock, wire.ANSWER_SIZE)
            assert answer[32:] == wire.mac(two_token, b"vps", opening, answer[:32])
            assert answer[32:] != wire.mac(one_token, b"vps", opening, answer[:32])
            sock.sendall(wire.mac(one_token, b"gateway", opening, answer[:32]))
            assert wire.reaction(sock) == b""
        with wire.prove(wire.connect(two_port), two, 0, two_token) as data:
            # for the same proof once more, or a channel that nobody asked for, there is no port
            eventually(lambda: not peers.listening(two_port), "the port is closed")
            assert util.is_open(data)
            assert world.newest_session()["state"] == "opening", "it still waits for TUNNEL_READY"


# ---------------------------------------------------------------- wrong guests

def wrong_hellos(session):
    swapped = int.from_bytes(session.to_bytes(8, "big"), "little")
    return {
        "magic": wire.data_hello(session, magic=b"PMTE"), "no magic": wire.data_hello(session, magic=b"\0" * 4),
        "version 0": wire.data_hello(session, version=0), "version 2": wire.data_hello(session, version=2),
        "channel 1": wire.data_hello(session, 1), "channel 65535": wire.data_hello(session, 65535),
        "session + 1": wire.data_hello(session ^ 1), "session 0": wire.data_hello(0),
        "session swapped": wire.data_hello(swapped), "zeros": b"\0" * 48, "ones": b"\xff" * 48,
        "random": os.urandom(48), "a lot": os.urandom(100000), "HTTP": junk.HTTP, "TLS": junk.TLS_HELLO,
        "RDP": peers.connection_request(peers.cookie("nmap" * 8)), "SSH": peers.BANNER + b"x" * 30,
    }


def test_a_wrong_hello_meets_silence_and_a_right_one_is_answered(opening):
    for name, data in wrong_hellos(opening.session).items():
        with wire.connect(opening.port) as sock:
            with contextlib.suppress(ConnectionError):
                sock.sendall(data)
            assert wire.reaction(sock) == b"", name
    with wire.connect(opening.port) as sock:    # so that the silence means something
        sock.sendall(wire.data_hello(opening.session))
        assert len(util.read_exactly(sock, wire.ANSWER_SIZE)) == wire.ANSWER_SIZE
    opening.release().works()


def test_a_right_hello_with_a_wrong_mac_is_closed_in_silence(opening):
    for make in (lambda answer: os.urandom(32), lambda answer: bytes(32), lambda answer: answer[32:],
                 lambda answer: answer[:32], lambda answer: b"\xff" * 4000):
        with wire.connect(opening.port) as sock:
            sock.sendall(wire.data_hello(opening.session))
            answer = util.read_exactly(sock, wire.ANSWER_SIZE)
            with contextlib.suppress(ConnectionError):
                sock.sendall(make(answer))
            assert wire.reaction(sock) == b""
    opening.release().works()


def test_the_same_hello_is_answered_differently_each_time(opening):
    answers = set()
    for _ in range(3):
        with wire.connect(opening.port) as sock:
            sock.sendall(opening.passage.up[:wire.HELLO_SIZE])      # of the real gateway
            answer = util.read_exactly(sock, wire.ANSWER_SIZE)
            answers |= {answer[:32], answer[32:]}
    assert len(answers) == 6
    opening.release().works()


def test_a_hello_in_single_bytes_is_a_hello(opening):
    with wire.connect(opening.port) as sock:
        for byte in wire.data_hello(opening.session):
            sock.sendall(bytes([byte]))
        util.read_exactly(sock, wire.ANSWER_SIZE)
    opening.release().works()


@pytest.mark.slow
def test_who_is_slow_is_dropped_when_the_gateway_is_there_and_the_session_lives(opening):
    began = time.monotonic()
    slow = [wire.connect(opening.port) for _ in range(5)]
    for sock, count in zip(slow, (0, 1, 47, 48, 48)):
        for byte in wire.data_hello(opening.session)[:count]:
            sock.sendall(bytes([byte]))
    for sock in slow[3:]:
        util.read_exactly(sock, wire.ANSWER_SIZE)
    slow[4].sendall(b"x" * 31)      # one byte is missing
    opening.release()
    for sock in slow:
        assert wire.reaction(sock) == b""
        assert time.monotonic() - began < 5 + 2 * TIME_SCALE
    opening.works()


# ---------------------------------------------------------------- after the real one

def test_after_the_real_one_there_is_no_port_until_the_next_is_expected(opening):
    opening.release()
    for state in ("waiting", "connected", "reconnecting"):
        assert opening.world.wait_state(opening.id, state)
        with pytest.raises(ConnectionRefusedError):
            wire.connect(opening.port)
        if state == "waiting":
            client = opening.enter()
        elif state == "connected":
            util.reset(client)
    opening.works()


def test_the_second_channel_does_not_take_the_proof_of_the_first(opening):
    """While the user reconnects, the port waits for channel 1; what was said for channel 0 is old."""
    opening.release().lose_client()
    first = opening.passage
    recorded = first.up[:wire.HELLO_SIZE + wire.FINAL_SIZE]
    with opening.middle.holding([opening.port]):
        client = peers.dial(opening.file.port)
        client.sendall(peers.connection_request(peers.cookie(opening.file.secret)))
        second = eventually(lambda: opening.middle.to(opening.port)[1:], "the gateway dials again")[0]
        eventually(lambda: len(second.up) >= wire.HELLO_SIZE, "it says hello")
        assert wire.read_data_hello(second.up) == (opening.session, 1)
        assert second.up[16:48] != first.up[16:48], "its nonce is fresh"
        with wire.connect(opening.port) as sock:
            sock.sendall(recorded)
            assert wire.reaction(sock) == b""
        with wire.connect(opening.port) as sock:    # the hello of now, the proof of then
            sock.sendall(second.up[:wire.HELLO_SIZE])
            util.read_exactly(sock, wire.ANSWER_SIZE)
            sock.sendall(recorded[wire.HELLO_SIZE:])
            assert wire.reaction(sock) == b""
    assert util.read_exactly(client, len(PLAIN)) == PLAIN
    client.close()


@pytest.mark.parametrize("what", ["silent", "with half a hello", "with a right hello"])
def test_fifty_guests_do_not_keep_a_reconnecting_user_out(opening, what):
    opening.release().lose_client()
    said = {"silent": b"", "with half a hello": wire.data_hello(opening.session)[:20],
            "with a right hello": wire.data_hello(opening.session, 1)}[what]
    with contextlib.ExitStack() as stack:
        with opening.middle.holding([opening.port]):
            client = stack.enter_context(peers.dial(opening.file.port))
            client.sendall(peers.connection_request(peers.cookie(opening.file.secret)))
            eventually(lambda: opening.middle.to(opening.port)[1:], "the gateway dials again")
            for number in range(50):
                guest = stack.enter_context(wire.connect(opening.port, f"127.0.6.{number + 1}"))
                with contextlib.suppress(ConnectionError):
                    guest.sendall(said)
        began = time.monotonic()
        assert util.read_exactly(client, len(PLAIN)) == PLAIN
        assert time.monotonic() - began < 3 * TIME_SCALE
        client.sendall(b"again")
        assert util.read_exactly(client, 5) == b"again"


def test_fifty_guests_do_not_keep_the_gateway_out_of_a_new_session(opening):
    with contextlib.ExitStack() as stack:
        for number in range(50):
            guest = stack.enter_context(wire.connect(opening.port, f"127.0.6.{number + 1}"))
            with contextlib.suppress(ConnectionError):
                guest.sendall(wire.data_hello(opening.session) if number % 2 else b"")
        opening.release().works()


@pytest.mark.parametrize("kind", ["ssh", "rdp"])
def test_a_sessions_data_port_is_closed_once_the_channel_is_there(pair, target, kind):
    world, _ = pair
    world.ssh(target.name) if kind == "ssh" else world.rdp(target.name)
    with pytest.raises(ConnectionRefusedError):
        wire.connect(world.newest_session()["data_port"])


# ---------------------------------------------------------------- somebody in the middle

def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


@pytest.mark.parametrize("at", [0, 31, 32, 63], ids=["nonce", "end of nonce", "mac", "end of mac"])
def test_the_gateway_does_not_prove_itself_to_somebody_who_is_not_the_vps(opening, at):
    def change(passage, way, data):
        first = way == "down" and passage is opening.passage and len(passage.down) == len(data)
        return flip(data, at) if first else data

    opening.middle.change = change
    try:
        opening.hold.close()
        message = opening.world.api.wait_message(lambda m: not m.button("close"), 20 * TIME_SCALE, opening.since, OWNER)
        assert not message.document and not message.says("is ready"), message
        assert len(opening.passage.up) == wire.HELLO_SIZE, "no FINAL"
    finally:
        opening.middle.change = None
    assert not opening.target.talked


@pytest.mark.parametrize("part", ["HELLO", "FINAL"])
def test_a_gateway_whose_proof_was_changed_on_the_way_is_not_taken(opening, part):
    def change(passage, way, data):
        if way != "up" or passage is not opening.passage:
            return data
        is_hello = len(passage.up) <= wire.HELLO_SIZE
        return flip(data, len(data) - 1) if is_hello == (part == "HELLO") else data

    opening.middle.change = change
    try:
        opening.hold.close()
        eventually(lambda: opening.passage.over, "the connection is closed")
        util.stays(lambda: not [m for m in opening.world.api.all_messages(OWNER, opening.since) if m.document],
                   "the user gets no file", 0.3)
        assert all(s["state"] in ("opening", "ended") for s in opening.world.sessions())
    finally:
        opening.middle.change = None
    assert not opening.target.talked


@pytest.mark.slow
def test_guests_in_bulk_leave_no_descriptor_and_no_memory_behind(world):
    """Its gateway takes its time, so that the port is open."""
    with wire.Control(world.control_port, world.key, "paper") as gateway:
        gateway.greet()
        world.ready(["paper"])
        world.api.say(OWNER, "/rdp HOME-PC")
        session, _, _, port, _, token = wire.read_open_tunnel(gateway.receive(wire.OPEN_TUNNEL))
        gateway.send(wire.frame(wire.PONG, gateway.receive(wire.PING)))
        hello = wire.data_hello(session)

        def bulk(count):
            for number in range(count):
                with contextlib.suppress(OSError), wire.connect(port, f"127.0.7.{number % 200 + 1}") as sock:
                    sock.sendall((b"", os.urandom(20), hello, os.urandom(2000))[number % 4])
            eventually(lambda: len(world.vps.descriptors()) <= before, "the guests are gone", 15)

        before = len(world.vps.descriptors())
        bulk(200)
        rss = world.vps.rss_kb()
        lines = len(world.vps.log.splitlines())
        bulk(1000)
        grown = world.vps.rss_kb() - rss
        assert grown < (20000 if SANITIZED or util.VALGRIND else 400), f"it grew by {grown} kB"
        assert len(world.vps.log.splitlines()) - lines < 20, "guests are not worth a line each"
        with wire.prove(wire.connect(port), session, 0, token) as data:
            assert util.is_open(data)
