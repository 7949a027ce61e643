"""DATA_PORT=control: data channels come to the control port, so that a gateway needs one way out."""

import contextlib
import os
import shutil
import threading
import time

import junk
import netns
import peers
import pytest
import util
import wire
from agents import World, run
from test_wire_of_version_1 import GATEWAY_HELLO, OldGateway, of_version
from util import TIME_SCALE, eventually

ONE_PORT = {"DATA_PORT": "control", "ADMIT": "auto", "LOG_LEVEL": "debug"}


@pytest.fixture(scope="module")
def vps():
    """With no gateway: the tests are that."""
    with World(bot=False, gateways=(), vps=ONE_PORT) as world:
        yield world


@pytest.fixture(scope="module")
def pair():
    with World(bot=False, vps=ONE_PORT) as world:
        yield world


@pytest.fixture
def target():
    with peers.Recorder(reply=peers.echo) as recorder:
        yield recorder


def listens(world):
    """The ports of this vps-agent."""
    return {port for port in range(world.port_start, world.control_port + 1)
            if peers.listening(port, world.vps.pid)}


def connect(session, hello=peers.BANNER):
    client = peers.dial(session["public_port"])
    client.sendall(hello)
    return client


def works(client, hello=peers.BANNER):
    assert util.read_exactly(client, len(hello)) == hello
    client.sendall(b"and on")
    assert util.read_exactly(client, 6) == b"and on"


# ---------------------------------------------------------------- sessions

def test_sessions_have_one_port_each_and_the_control_port_takes_their_channels(pair, target):
    sessions = [pair.pamctl.json("ssh", target.name)["session"] for _ in range(3)]
    assert {s["data_port"] for s in sessions} == {pair.control_port}
    assert {s["data_port"] for s in pair.sessions() if s["state"] == "waiting"} == {pair.control_port}
    assert listens(pair) == {pair.control_port, *(s["public_port"] for s in sessions)}
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(session)) for session in sessions for _ in range(3)]
        for client in clients:
            works(client)
        assert [pair.session(s["id"])["connections"] for s in sessions] == [3, 3, 3]
    for session in sessions:
        pair.pamctl("close", session["id"])


def test_a_file_goes_through_whole(pair):
    data = os.urandom(3_000_000)
    with peers.Recorder(reply=peers.echo) as target:
        session = pair.pamctl.json("ssh", target.name)["session"]
        with connect(session) as client:
            works(client)
            client.sendall(data)
            assert util.read_exactly(client, len(data), 60 * TIME_SCALE) == data
        pair.pamctl("close", session["id"])


@pytest.mark.parametrize("version", [1, 2])
def test_a_gateway_of_an_older_version_needs_to_know_nothing_of_it(vps, version):
    with OldGateway(vps, of_version(GATEWAY_HELLO, version)) as gateway:
        answers = []
        asking = threading.Thread(target=lambda: answers.append(vps.pamctl.json("ssh", "HOME-PC:2222")))
        asking.start()
        assert gateway.asked() == vps.control_port
        with gateway.attach(vps.control_port) as data:
            gateway.say_ready()
            asking.join()
            with connect(answers[0]["session"]) as client:
                assert util.read_exactly(data, len(peers.BANNER)) == peers.BANNER
                data.sendall(b"SSH-2.0-old\r\n")
                assert util.read_exactly(client, 13) == b"SSH-2.0-old\r\n"
        vps.pamctl("close", answers[0]["session"]["id"])


# ---------------------------------------------------------------- strangers

@pytest.fixture
def asked(vps):
    """A gateway on paper was asked for a channel: session, channel, token."""
    with wire.Control(vps.control_port, vps.key, "paper") as gateway:
        gateway.greet()
        vps.ready(["paper"])
        asking = threading.Thread(target=lambda: vps.pamctl("ssh", "HOME-PC"))
        asking.start()
        fields = wire.read_open_tunnel(gateway.receive(wire.OPEN_TUNNEL))
        yield fields[0], fields[1], fields[5]
        for session in vps.sessions():
            vps.pamctl("close", session["id"])
        asking.join()
    eventually(lambda: not vps.status()["gateways"], "it is gone")


def wrong(session):
    return {
        "another session": wire.data_hello(session ^ 1), "session 0": wire.data_hello(0),
        "another channel": wire.data_hello(session, 1), "another version": wire.data_hello(session, version=2),
        "nearly the magic": wire.data_hello(session, magic=b"PMTE"), "HTTP": b"POST / HTTP/1.1\r\n\r\n" + b"x" * 40,
        "a lot": b"PMTD" + os.urandom(100000),
    }


def test_a_hello_that_nobody_expects_meets_silence(vps, asked):
    session, channel, token = asked
    for name, data in wrong(session).items():
        with wire.connect(vps.control_port) as sock:
            with contextlib.suppress(ConnectionError):
                sock.sendall(data)
            assert wire.reaction(sock) == b"", name
    with wire.connect(vps.control_port) as sock:    # so that the silence means something
        for byte in wire.data_hello(session, channel):
            sock.sendall(bytes([byte]))
        assert len(util.read_exactly(sock, wire.ANSWER_SIZE)) == wire.ANSWER_SIZE
    with wire.prove(wire.connect(vps.control_port), session, channel, token) as data:
        assert util.is_open(data)
        with wire.connect(vps.control_port) as again:    # a channel comes in once
            again.sendall(wire.data_hello(session, channel))
            assert wire.reaction(again) == b""


@pytest.mark.parametrize("said", [b"", b"PMTD\0\1", b"\x16\x03\x01", junk.HTTP], ids=["silence", "PMTD", "TLS", "HTTP"])
def test_a_flood_keeps_neither_gateways_nor_channels_out(vps, asked, said):
    session, channel, token = asked
    with contextlib.ExitStack() as stack:
        for number in range(300):
            guest = stack.enter_context(wire.connect(vps.control_port, f"127.0.{number % 9 + 20}.{number % 200 + 1}"))
            with contextlib.suppress(ConnectionError):
                guest.sendall(said)
        began = time.monotonic()
        with wire.Control(vps.control_port, vps.key, "other") as gateway:
            gateway.greet()
            vps.ready(["other", "paper"])
            with wire.prove(wire.connect(vps.control_port), session, channel, token) as data:
                assert util.is_open(data)
            assert time.monotonic() - began < 5 * TIME_SCALE


@pytest.mark.slow
def test_guests_leave_nothing_behind(vps, asked):
    session, channel, token = asked
    before = len(vps.vps.descriptors())

    def bulk(count):
        for number in range(count):
            with contextlib.suppress(OSError), wire.connect(vps.control_port, f"127.0.7.{number % 200 + 1}") as sock:
                sock.sendall((b"", b"PMTD" + os.urandom(20), wire.data_hello(session, channel), os.urandom(600))[number % 4])
        eventually(lambda: len(vps.vps.descriptors()) <= before, "the guests are gone", 15)

    bulk(300)
    rss = vps.vps.rss_kb()
    bulk(1000)
    grown = vps.vps.rss_kb() - rss
    assert grown < (20000 if util.SANITIZED or util.VALGRIND else 600), f"it grew by {grown} kB"
    with wire.prove(wire.connect(vps.control_port), session, channel, token) as data:
        assert util.is_open(data)


# ---------------------------------------------------------------- a firewall

@pytest.mark.skipif(not netns.available() or not shutil.which("iptables"), reason="needs root, ip and iptables")
@pytest.mark.parametrize("data_port", ["control", "random"])
def test_a_gateway_needs_one_way_out(internet, data_port):
    """Between gateway and VPS a firewall passes the control port and nothing else."""
    with World(net=internet, bot=False, gateways=(), vps={"DATA_PORT": data_port, "ADMIT": "auto"}) as world, \
            contextlib.ExitStack() as undo:
        rule = ["INPUT", "-i", "gw", "-p", "tcp", "!", "--dport", world.control_port,
                "-j", "REJECT", "--reject-with", "tcp-reset"]
        netns.run(*internet.vps.command("iptables", "-w", "-A", *rule))
        undo.callback(netns.run, *internet.vps.command("iptables", "-w", "-D", *rule))
        world.add_gateway("lan")
        world.ready(["lan"])
        with peers.Recorder(peers.echo, listener=internet.lan.listen("0.0.0.0", 22)):
            answer = world.pamctl.json("ssh", "HOME-PC", ok=data_port == "control")
            if data_port == "random":
                assert "cannot reach the data port of this server" in str(answer), answer
                return
            with internet.client.connect(netns.VPS, answer["session"]["public_port"], netns.CLIENT) as client:
                client.sendall(peers.BANNER)
                works(client)


# ---------------------------------------------------------------- the setting

def test_it_holds_from_the_start(folder):
    with World(bot=False, env_files=True, vps={"DATA_PORT": ""}) as world:
        line = world.vps.reload(DATA_PORT="control")
        assert "DATA_PORT" in line and "restart" in line, line
        with peers.Recorder(reply=peers.echo) as target:
            session = world.pamctl.json("ssh", target.name)["session"]
            assert session["data_port"] != world.control_port
            world.pamctl("close", session["id"])


def test_a_range_of_one_port_is_enough_with_it(folder):
    ports = util.free_range(3)
    settings = {"VPS_HOST": "127.0.0.1", "TUNNEL_KEY": "0" * 64, "STATE_DIR": folder / "state",
                "CONTROL_PORT": ports, "PORT_RANGE_START": ports + 1, "PORT_RANGE_END": ports + 1}
    refused = run("vps-agent", "--local", env=settings)
    assert refused.returncode == 2 and "a session needs two ports" in refused.stderr, refused
    told = run("vps-agent", "--doctor", "--local", env={**settings, "DATA_PORT": "control"}).stdout
    assert "room for 1 more session, as each takes one and used ones rest for a minute" in told, told
    wrong = run("vps-agent", "--local", env={**settings, "DATA_PORT": "9000"})
    assert wrong.returncode == 2 and "DATA_PORT is \"9000\"; it takes random or control" in wrong.stderr, wrong
