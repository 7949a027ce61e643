"""The control port, and what becomes of the control channel when something breaks.

test_internet.py has the line that goes dead and the server that moves.
"""

import contextlib
import os
import re
import struct
import threading
import time

import junk
import peers
import pytest
import util
import wire
from agents import OWNER, World, port_of
from botapi import Fault
from middle import world_with_middle
from util import SANITIZED, TIME_SCALE, eventually

WORLD = {"vps": {"LOG_LEVEL": "info"}}      # what an operator sees
KEEPALIVE = 1


@pytest.fixture
def target():
    with peers.Recorder(reply=peers.echo) as recorder:
        yield recorder


@pytest.fixture(autouse=True)
def the_gateway_stays_online(request):
    """Whatever is done to the control port of the shared world, its gateway does not notice."""
    if "world" not in request.fixturenames:
        yield
        return
    world = request.getfixturevalue("world")
    before = [g["since"] for g in world.status()["gateways"] if g["name"] == "lan"]
    if not world.api.all_messages(OWNER):   # who is told of gateways that come and go has pressed Start
        world.api.say(OWNER, "/start")
        world.api.wait_message("nothing stays open afterwards", chat=OWNER)
    yield
    assert [g["since"] for g in world.status()["gateways"] if g["name"] == "lan"] == before


def control(world, *flags, key=None, name="paper"):
    return wire.Control(world.control_port, key or world.key, name, "127.0.0.1", *flags)


def new_lines(daemon, before):
    return daemon.log[len(before):].splitlines()


def enter_ssh(world, target, host="127.0.0.1"):
    """A client in an SSH session: (socket, session id, live message)."""
    message = world.ssh(target.name)
    session = world.newest_session()
    client = peers.dial(port_of(message.code[0]), host=host)
    client.sendall(peers.BANNER)
    eventually(lambda: world.session(session["id"])["parked"] or world.session(session["id"])["state"] == "connected",
               "the client is noticed")
    if world.session(session["id"])["parked"]:
        world.admit(session["id"])
    assert util.read_exactly(client, len(peers.BANNER)) == peers.BANNER
    return client, session["id"], message


def talks(client, target, number=0):
    """Bytes go on in both directions."""
    word = os.urandom(16)
    client.sendall(word)
    assert util.read_exactly(client, 16) == word        # there, and the echo back
    target.talked[number].send(b"from the target")
    assert util.read_exactly(client, 15) == b"from the target"


# ---------------------------------------------------------------- handshakes

@pytest.mark.parametrize("flags", [
    ("-ciphersuites", "TLS_AES_128_GCM_SHA256"), ("-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"),
    ("-groups", "X25519"), ("-groups", "P-256"),
], ids=lambda flags: flags[1])
def test_who_has_the_key_is_greeted_whatever_it_can_do_of_the_listed_things(world, flags):
    with control(world, *flags) as gateway:
        greeting = gateway.greet()
        assert greeting[:6] == struct.pack(">HHH", wire.OLDEST, wire.NEWEST, 0), "and no keepalive of its own"
        world.ready(["lan", "paper"])


@pytest.mark.parametrize("flags", [
    ("-ciphersuites", "TLS_AES_256_GCM_SHA384"), ("-groups", "X448"),
], ids=lambda flags: flags[1])
def test_who_can_do_none_of_the_listed_things_is_not(world, flags):
    with control(world, *flags) as gateway:
        assert gateway.wait_end() == []


@pytest.mark.parametrize("case", ["TLS 1.3 without a key", "TLS 1.2 without a key", "TLS 1.2 with the key",
                                  "a wrong key", "a short key", "a name with a blank", "no name", "a long name"])
def test_without_the_key_and_a_name_nobody_gets_past_the_handshake(world, case):
    key = {"a wrong key": "00" * 32, "a short key": world.key[:62]}.get(case, world.key)
    name = {"a name with a blank": "a b", "no name": "", "a long name": "x" * 64}.get(case, "paper")
    gateway = control(world, key=key, name=name)
    if "TLS 1.2" in case:
        gateway.argv[gateway.argv.index("-tls1_3")] = "-tls1_2"
    if "without" in case:
        at = gateway.argv.index("-psk")
        del gateway.argv[at:at + 4]
    before = world.vps.log
    with gateway:
        assert gateway.wait_end() == [], "not one frame"
    lines = new_lines(world.vps, before)
    assert len(lines) <= 1, lines
    assert {g["name"] for g in world.status()["gateways"]} == {"lan"}


@pytest.mark.parametrize("what", ["HTTP", "RDP", "SSH", "nothing", "random", "much", "a frame", "half a ClientHello",
                                  "a ClientHello", "a record of impossible length", "an alert"])
def test_who_does_not_speak_tls_gets_at_most_an_alert_and_one_line_in_the_log(world, what):
    data = {"HTTP": junk.HTTP, "RDP": junk.NMAP_RDP, "SSH": peers.BANNER, "nothing": b"", "random": os.urandom(300),
            "much": os.urandom(1 << 20), "a frame": wire.hello(), "half a ClientHello": junk.TLS_HELLO[:60],
            "a ClientHello": junk.TLS_HELLO, "a record of impossible length": b"\x16\x03\x01\xff\xff" + b"\1" * 70000,
            "an alert": b"\x15\x03\x03\x00\x02\x02\x28"}[what]
    before = world.vps.log
    with wire.connect(world.control_port) as sock:
        with contextlib.suppress(OSError):
            sock.sendall(data)
            sock.shutdown(1)
        assert len(wire.reaction(sock)) <= 7
    lines = new_lines(world.vps, before)
    assert len(lines) <= 1 and all("control port" in line for line in lines), lines


def test_a_gateway_with_a_wrong_key_says_so_and_the_vps_logs_one_line_for_each_try():
    with World(vps={"LOG_LEVEL": "info"}, bot=False) as world:
        wrong = world.add_gateway("office", TUNNEL_KEY="ab" * 32)
        line = wrong.wait_log("warn .*not connected")[0]
        assert "TUNNEL_KEY" in line and '"office"' in line, line
        eventually(lambda: wrong.count_log("greeting -> resting") >= 2, "it tries again")
        assert wrong.count_log(" warn +not connected") == 1, "the same trouble is said once"
        tries = wrong.count_log("dialling -> greeting")
        assert 1 <= world.vps.count_log("office") <= tries
        assert re.search('127.0.0.1: .*"office".*key', world.vps.wait_log("office")[0])
        world.ready(["lan"])


def test_a_gateway_that_reaches_something_else_says_what_it_sees():
    with peers.Recorder(reply=lambda data: b"HTTP/1.1 400 Bad Request\r\n\r\n") as web, \
            World(bot=False, gateway={"CONTROL_PORT": web.port}, wait_ready=False) as world:
        line = world.gateway.wait_log("warn .*not connected")[0]
        assert str(web.port) in line and "vps-agent" in line, line
        assert web.talked[0].data[:1] == b"\x16", "it began with TLS"
        assert world.key.encode() not in web.talked[0].data and bytes.fromhex(world.key) not in web.talked[0].data


@pytest.mark.slow
def test_unfinished_handshakes_are_bounded_and_dropped_and_a_gateway_logs_in_at_once(target):
    with World(vps={"LOG_LEVEL": "info"}) as world, contextlib.ExitStack() as stack:
        vps = world.vps
        descriptors, rss, before = len(vps.descriptors()), vps.rss_kb(), vps.log
        silent = []
        for number in range(300):
            sock = stack.enter_context(wire.connect(world.control_port, f"127.0.8.{number // 3 + 1}"))
            if number % 3:
                with contextlib.suppress(OSError):
                    sock.sendall(junk.TLS_HELLO[:7 * (number % 7)])
            silent.append(sock)
        eventually(lambda: sum(map(util.is_open, silent)) <= 48, "48 of one network are left")
        crowd = [stack.enter_context(wire.connect(world.control_port, "127.0.9.1")) for _ in range(40)]
        eventually(lambda: sum(map(util.is_open, crowd)) <= 32, "32 of one address are left")
        eventually(lambda: sum(map(util.is_open, silent + crowd)) <= 64, "64 are left in all")
        assert util.is_open(crowd[-1]), "the newest is not the one to make room"
        assert len(vps.descriptors()) <= descriptors + 64
        if not (SANITIZED or util.VALGRIND):
            assert vps.rss_kb() - rss < 64 * 60
        began = time.monotonic()
        world.gateway.kill()
        eventually(lambda: not world.status()["gateways"], "the old login is gone")
        world.gateway.start()
        world.ready(["lan"])
        assert time.monotonic() - began < 3 * TIME_SCALE, "with sixty others waiting"
        newest = stack.enter_context(wire.connect(world.control_port))
        began = time.monotonic()
        assert wire.reaction(newest, 20) == b""
        assert 9 < time.monotonic() - began < 11 + 2 * TIME_SCALE
        eventually(lambda: len(vps.descriptors()) <= descriptors, "nothing of them is left")
        lines = [line for line in new_lines(vps, before) if "control port" in line]
        assert len(lines) < 20, "five of each network, and five about the crowd"
        assert world.ssh(target.name)


# ---------------------------------------------------------------- frames

BEFORE_HELLO = {
    "a frame of length 0": b"\0\0", "a frame of 1025": b"\x04\x01\x01" + bytes(1024),
    "a frame of 65535": b"\xff\xff\x01" + bytes(3000), "zeros": bytes(1000), "HTTP": junk.HTTP,
    "PING": wire.frame(wire.PING, bytes(8)), "TUNNEL_READY": wire.tunnel_ready(1),
    "a HELLO without its end": wire.frame(wire.HELLO, b"\0\1\0\1\0\x1e\0\x09pap"),
    "a HELLO with something behind": wire.frame(wire.HELLO, b"\0\1\0\1\0\x1e\0\1px"),
    "a program name too long": wire.hello(program="x" * 64), "a NUL in the name": wire.hello(program="a\0b"),
    "a name with tags": wire.hello(program="paper\U000e0041"),
    "a name that is not UTF-8": wire.frame(wire.HELLO, b"\0\1\0\1\0\x1e\0\2\xc3\x28"),
    "keepalive 0": wire.hello(keepalive=0), "keepalive 3601": wire.hello(keepalive=3601),
}
AFTER_HELLO = {
    "a second HELLO": wire.hello(), "a frame of length 0": b"\0\0", "a frame of 1025": b"\x04\x01\x03" + bytes(1024),
    "type 0": wire.frame(0), "type 5": wire.frame(5), "type 255": wire.frame(255, b"xyz"),
    "a short PING": wire.frame(wire.PING, bytes(7)), "a long PING": wire.frame(wire.PING, bytes(9)),
    "OPEN_TUNNEL, which is the VPS's": wire.frame(wire.OPEN_TUNNEL, bytes(14) + wire.text("host") + bytes(32)),
    "CLOSE_TUNNEL, which is the VPS's": wire.frame(wire.CLOSE_TUNNEL, bytes(8)),
    "a text that goes over the end": wire.frame(wire.TUNNEL_READY, bytes(10) + b"\0\x40" + b"x" * 10),
    "an address too long": wire.tunnel_ready(1, address="x" * 64),
    "a byte too many": wire.frame(wire.TUNNEL_FAILED, bytes(10) + b"\2\0\0" + b"!"),
    "a detail too long": wire.tunnel_failed(1, detail="x" * 201),
    "a detail that turns": wire.tunnel_failed(1, reason=8, detail="\u202egpj.exe"),
    "a detail with a hidden character": wire.tunnel_failed(1, reason=8, detail="pay\u200bpal"),
    "a detail of two lines": wire.tunnel_failed(1, reason=8, detail="a\u2028b"),
}


@pytest.mark.parametrize("what", [*BEFORE_HELLO, *(f"{name}, after HELLO" for name in AFTER_HELLO)])
def test_what_makes_no_sense_ends_the_connection_and_nothing_else(world, what):
    before = world.vps.log
    with control(world) as gateway:
        if what in BEFORE_HELLO:
            gateway.send(BEFORE_HELLO[what])
        else:
            gateway.greet()
            gateway.send(AFTER_HELLO[what.removesuffix(", after HELLO")])
        assert {kind for kind, _ in gateway.wait_end()} <= {wire.HELLO, wire.GOODBYE}
    if what not in BEFORE_HELLO:
        eventually(lambda: any("paper: offline" in line for line in new_lines(world.vps, before)), "the log says so")
    lines = new_lines(world.vps, before)
    assert len(lines) <= 2, lines


def test_what_makes_sense_but_is_about_no_session_is_ignored(world):
    with control(world) as gateway:
        gateway.greet()
        for frame in (wire.tunnel_ready(1), wire.tunnel_failed(2, 3, 4), wire.tunnel_failed(2, 0, 250, "<b>"),
                      wire.frame(wire.PONG, b"\xff" * 8)):
            gateway.send(frame)
        for byte in wire.frame(wire.PING, b"12345678"):     # and bytes may come one by one
            gateway.send(bytes([byte]))
        assert gateway.receive(wire.PONG) == b"12345678"
        world.ready(["lan", "paper"])


def test_a_gateway_cannot_answer_for_the_sessions_of_another(world, target):
    world.ready(["lan"])
    since = world.api.mark()
    with control(world) as gateway:
        gateway.greet()
        world.ready(["lan", "paper"])
        world.api.say(OWNER, "/ssh paper/HOME-PC")
        session = wire.read_open_tunnel(gateway.receive(wire.OPEN_TUNNEL))[0]
        with control(world, name="other") as other:
            other.greet()
            for frame in (wire.tunnel_failed(session), wire.tunnel_ready(session)):
                other.send(frame)
            other.send(wire.frame(wire.PING, bytes(8)))
            other.receive(wire.PONG)
            assert world.newest_session()["state"] == "opening"
        gateway.send(wire.tunnel_failed(session, reason=2))
        world.api.wait_message("refused", 10 * TIME_SCALE, since, OWNER)


def test_what_a_gateway_says_is_no_link_in_the_chat(world):
    """Telegram makes links, commands and mentions of plain words, but not within <code>."""
    said = "log in at https://t.example/ or /start 123 to @evil_bot” <b> #now"
    world.ready(["lan"])
    since = world.api.mark()
    with control(world) as gateway:
        gateway.greet()
        world.ready(["lan", "paper"])
        world.api.say(OWNER, "/ssh paper/HOME-PC")
        session = wire.read_open_tunnel(gateway.receive(wire.OPEN_TUNNEL))[0]
        gateway.send(wire.tunnel_failed(session, reason=8, detail=said))
        message = world.api.wait_message("could not open it", 10 * TIME_SCALE, since, OWNER)
    assert message.code == [said.replace("”", '"')]
    assert message.says(f"Gateway paper could not open it: {message.code[0]}.")


@pytest.mark.parametrize("versions, outdated", [((wire.NEWEST + 1, 9), "vps-agent"), ((0, 0), "paper-gateway")],
                         ids=["too new", "too old"])
def test_another_version_is_told_who_has_to_be_upgraded(world, versions, outdated):
    with control(world) as gateway:
        gateway.send(wire.hello(*versions))
        goodbye = gateway.receive(wire.GOODBYE)
    assert goodbye[0] == wire.VERSION and f"upgrade {outdated}" in goodbye.decode("latin-1")
    world.vps.wait_log(f"error .*paper.*upgrade {outdated}")


def test_a_gateway_of_the_next_version_serves_here_too(world, target):
    """It speaks this version as well, and its HELLO has fields that nobody here knows."""
    with control(world, name="next") as gateway:
        later = wire.frame(wire.HELLO, wire.hello(wire.OLDEST, wire.NEWEST + 1, program="gateway-agent 9")[3:] + b"\0\4zstd\7")
        gateway.send(later)
        gateway.receive(wire.HELLO)
        eventually(lambda: "next" in {g["name"] for g in world.status()["gateways"]}, "it is online")
        asking = threading.Thread(target=lambda: world.pamctl("ssh", f"next/{target.name}"))
        asking.start()
        session = wire.read_open_tunnel(gateway.receive(wire.OPEN_TUNNEL), wire.NEWEST)[0]
        gateway.send(wire.tunnel_failed(session, reason=3))
        asking.join()


@pytest.mark.parametrize("name, reason", [("paper", wire.LOOK), ("lan", wire.REPLACED), ("LAN", wire.REPLACED)])
def test_looking_whether_one_would_be_let_in_is_no_login(world, name, reason):
    with control(world, name=name) as gateway:
        gateway.receive(wire.HELLO)
        gateway.send(wire.goodbye(wire.LOOK))
        assert gateway.receive(wire.GOODBYE)[0] == reason
        gateway.wait_end()
    assert "paper" not in {g["name"] for g in world.status()["gateways"]}
    world.vps.wait_log(f"gateway {name}: asked from")


# ---------------------------------------------------------------- what goes down and comes back

def test_a_gateway_that_was_killed_is_noticed_at_once_and_serves_again_when_it_is_back(target):
    with World() as world:
        began = time.monotonic()
        world.gateway.kill()
        eventually(lambda: not world.status()["gateways"], "vps-agent notices")
        assert time.monotonic() - began < 1 * TIME_SCALE
        since = world.api.mark()
        world.api.say(OWNER, f"/ssh {target.name}")
        world.api.wait_message("No gateway is online", 10 * TIME_SCALE, since, OWNER)
        world.gateway.start()
        world.ready()
        assert world.ssh(target.name)


@pytest.mark.slow
@pytest.mark.parametrize("frozen", ["gateway", "vps"])
def test_who_is_silent_is_given_up_after_three_keepalives_and_comes_back_by_itself(frozen, target):
    with World(gateway={"KEEPALIVE_SECS": KEEPALIVE}) as world:
        began = time.monotonic()
        getattr(world, frozen).freeze()
        try:
            if frozen == "gateway":
                eventually(lambda: not world.status()["gateways"], "vps-agent notices", 4 * KEEPALIVE)
            else:
                world.gateway.wait_log("lost the connection.*unanswered", 4 * KEEPALIVE)
            took = time.monotonic() - began
            assert 1.5 * KEEPALIVE < took < 3 * KEEPALIVE + TIME_SCALE
        finally:
            getattr(world, frozen).thaw()
        world.ready(timeout=30)
        assert world.ssh(target.name)


def test_keepalives_go_both_ways_and_only_as_often_as_the_gateway_says():
    with World(bot=False, gateways=()) as world, control(world) as gateway:
        gateway.greet(keepalive=KEEPALIVE)
        began = time.monotonic()
        for _ in range(2):
            ping = gateway.receive(wire.PING)
            gateway.send(wire.frame(wire.PONG, ping))
        assert 1.5 * KEEPALIVE < time.monotonic() - began < 2 * KEEPALIVE + TIME_SCALE
        assert gateway.wait_end(5)
        took = time.monotonic() - began
        assert 4.5 * KEEPALIVE < took < 5 * KEEPALIVE + TIME_SCALE, "unanswered from the third on"
        world.vps.wait_log("paper: offline: .*unanswered")
        assert world.vps.count_log("paper: offline: .*unanswered") == 1


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_after_a_restart_of_vps_agent_the_gateway_comes_back_by_itself(how, target):
    with World() as world:
        for _ in range(2):
            world.gateway.baseline = None   # what is open during a try is open
            getattr(world.vps, how)()
            world.vps.start()
            world.ready(timeout=30)
            assert world.ssh(target.name)
            world.close_all()
        world.gateway.wait_log("being stopped" if how == "stop" else "lost the connection")


def test_of_two_gateways_with_one_name_the_newer_serves_and_the_older_says_why(target):
    with World() as world:
        older = world.gateway
        newer = world.add_gateway("LAN")    # names are the same in any case
        newer.wait_log("info +connected to the VPS")
        line = older.wait_log("warn .*another gateway")[0]
        assert "GATEWAY_NAME" in line, line
        eventually(lambda: [g["name"] for g in world.status()["gateways"]] == ["LAN"], "one is left")
        assert world.vps.count_log("warn .*replaces") == 1
        assert world.ssh(target.name)
        assert newer.count_log("tunnel") and not older.count_log("tunnel")
        util.stays(lambda: older.count_log("info +connected to the VPS") == 1 and older.alive(),
                   "the older one does not fight for the place", 2.5)


# ---------------------------------------------------------------- sessions and a broken control channel

@pytest.fixture(scope="module")
def pair():
    with world_with_middle(gateway={"KEEPALIVE_SECS": KEEPALIVE}, vps={"RECONNECT_GRACE": 60}) as made:
        yield made


@contextlib.contextmanager
def without_control(pair):
    """The control connection is cut, and no new one comes through until the end of the block."""
    world, middle = pair
    middle.closed_ports = {world.control_port}
    try:
        for passage in middle.to(world.control_port):
            passage.cut()
        eventually(lambda: not world.status()["gateways"], "the gateway is offline")
        yield
    finally:
        middle.closed_ports = set()
    world.ready(["lan"], timeout=70)


@pytest.mark.slow
def test_sessions_outlive_a_broken_control_channel(pair, target):
    """One relays, one is waited for, one is between two connections of its user: none of them is harmed."""
    world, _ = pair
    with peers.Recorder(reply=peers.echo) as second, peers.Recorder(reply=peers.echo) as third:
        client, relaying, message = enter_ssh(world, target)
        files = [peers.RdpFile(world.rdp(t.name)[0].document.data) for t in (second, third)]
        plain = peers.connection_request()

        def enter(file):
            sock = peers.dial(file.port)
            sock.sendall(peers.connection_request(peers.cookie(file.secret)))
            return sock

        reconnecting = enter(files[1])
        assert util.read_exactly(reconnecting, len(plain)) == plain
        util.reset(reconnecting)
        eventually(lambda: any(s["state"] == "reconnecting" for s in world.sessions()), "it is between two")
        with without_control(pair):
            talks(client, target)
            assert world.session(relaying)["state"] == "connected"
            waiting = enter(files[0])
            assert util.read_exactly(waiting, len(plain)) == plain, "it was waited for, and came"
            too_early = enter(files[1])     # needs a new data channel: nobody can be asked for one
            assert util.how_it_ends(too_early) in ("fin", "rst")
            since = world.api.mark()
            world.api.say(OWNER, f"/ssh {target.name}")
            world.api.wait_message("No gateway is online", 10 * TIME_SCALE, since, OWNER)
        talks(client, target)
        waiting.sendall(b"x")
        assert util.read_exactly(waiting, 1) == b"x"
        back = enter(files[1])
        assert util.read_exactly(back, len(plain)) == plain, "the same file, as soon as there is a gateway"
        world.api.wait_answer(world.api.tap(OWNER, message, "Close"))
        assert util.how_it_ends(client) in ("fin", "rst")
        target.talked[0].wait_end()
        for sock in (waiting, back):
            sock.close()
    world.settle()


def test_a_gateway_that_was_replaced_goes_on_relaying(target):
    with World() as world:
        client, session, _ = enter_ssh(world, target)
        newer = world.add_gateway("lan")
        world.gateway.wait_log("another gateway")
        newer.wait_log("info +connected to the VPS")
        talks(client, target)
        assert world.session(session)["state"] == "connected"
        client.close()


# ---------------------------------------------------------------- in order

def test_sigterm_ends_sessions_tells_the_users_and_exits_with_0(target):
    with World() as world:
        client, _, connected = enter_ssh(world, target)
        document, waiting = world.rdp(target.name)
        began = time.monotonic()
        world.vps.stop(status=0)
        assert time.monotonic() - began < 3 * TIME_SCALE
        for message in (connected, waiting):
            assert message.says("ended", "being stopped") and [b["text"] for b in message.buttons] == ["Again"], message
        assert document.deleted, "the file is worth nothing any more"
        assert util.how_it_ends(client) in ("fin", "rst")
        assert target.talked[0].wait_end()
        world.gateway.wait_log("vps-agent is being stopped")
        assert world.gateway.alive()


def test_sigterm_is_obeyed_in_seconds_when_telegram_does_not_answer(target):
    with World() as world:
        world.ssh(target.name)
        world.api.inject("*", Fault("slow", seconds=30), 1000)
        began = time.monotonic()
        world.vps.stop(status=0)
        assert time.monotonic() - began < 6 * TIME_SCALE
        world.api.heal()


def test_sigterm_of_the_gateway_ends_its_sessions_and_says_so(target):
    with World(vps={"RECONNECT_GRACE": 0}) as world:
        client, session, message = enter_ssh(world, target)
        world.gateway.stop(status=0)
        assert util.how_it_ends(client) in ("fin", "rst")
        assert target.talked[0].wait_end()
        world.wait_state(session, "ended")
        world.vps.wait_log("gateway lan: offline: gateway-agent stops")
        world.api.wait(lambda: message.says("ended") and [b["text"] for b in message.buttons] == ["Again"], 10 * TIME_SCALE, "the end is told")
