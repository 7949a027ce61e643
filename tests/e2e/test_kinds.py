"""VNC and any TCP: the server may speak first, so that a client is parked in silence, and the target is dialled when
it is let in. Addresses of 127.0.0.0/8 stand for clients all over the Internet.
"""

import contextlib
import itertools
import shutil
import socket
import subprocess
import threading
import urllib.request

import pytest
import util
from agents import FRIEND, OWNER, World
from peers import BANNER, Recorder, dial, echo
from test_wire_of_version_1 import GATEWAY_HELLO, OldGateway, of_version
from util import TIME_SCALE, eventually, how_it_ends, is_open, read_exactly, stays

RFB = b"RFB 003.008\n"
_addresses = itertools.count(10)
WORLD = {"vps": {"ADMIT": "ask"}}


@pytest.fixture
def address():
    return f"127.0.3.{next(_addresses)}"


def speaks_first(greeting):
    """A server that greets, and then echoes."""
    def serve(connection):
        connection.send(greeting)
        with contextlib.suppress(OSError):
            while data := connection.socket.recv(65536):
                connection.data += data
                connection.send(data)
        connection.end = "fin"
        with contextlib.suppress(OSError):
            connection.socket.shutdown(socket.SHUT_RDWR)
    return serve


@pytest.fixture
def vnc():
    with Recorder(on_connect=speaks_first(RFB)) as recorder:
        yield recorder


@pytest.fixture
def smtp():
    with Recorder(on_connect=speaks_first(b"220 mail ready\r\n")) as recorder:
        yield recorder


@pytest.fixture
def target():
    with Recorder(echo) as recorder:
        yield recorder


def ask(world, kind, target, user=OWNER):
    """/vnc or /tcp through the bot. Returns (live message, session, public port)."""
    since = world.api.mark()
    world.api.say(user, f"/{kind} {target}")
    live = world.api.wait_message(lambda m: m.says("is ready"), 10 * TIME_SCALE, since, user)
    session = world.newest_session()
    assert session["kind"] == kind
    return live, session, session["public_port"]


def question(world, address, since, user=OWNER):
    return world.api.wait_message(lambda m: m.says(address, "wants in") and m.button("admit"), 10 * TIME_SCALE, since, user)


def admit(world, address, since):
    asked = question(world, address, since)
    world.api.wait_answer(world.api.tap(OWNER, asked, "admit"))
    return asked


# ---------------------------------------------------------------- who is let in

def test_a_vnc_client_waits_in_silence_and_the_target_speaks_first(world, vnc, address):
    since = world.api.mark()
    live, session, port = ask(world, "vnc", vnc.name)
    dialled = len(vnc.connections)
    with dial(port, address) as client:
        asked = question(world, address, since)
        assert asked.says("VNC to")
        stays(lambda: is_open(client) and len(vnc.connections) == dialled, "it waits, and the target knows nothing", 1)
        world.api.wait_answer(world.api.tap(OWNER, asked, "admit"))
        assert read_exactly(client, len(RFB)) == RFB
        client.sendall(RFB)
        assert read_exactly(client, len(RFB)) == RFB
        state = world.wait_state(session["id"], "connected")
        assert state["client"] == address
        with dial(port, address) as again:      # of the same party: at once
            assert read_exactly(again, len(RFB)) == RFB
    assert [c.data for c in vnc.talked] == [RFB]


def test_the_card_says_what_to_paste_and_warns(world, vnc):
    live, _, port = ask(world, "vnc", vnc.name)
    assert live.code == [f"127.0.0.1::{port}", f"vnc://127.0.0.1:{port}"]
    assert live.button("copy")["copy_text"]["text"] == f"127.0.0.1::{port}"
    assert live.says("VNC to", "Until you press Admit here, the viewer waits", "encrypts nothing", "/ssh with -L")


def test_the_card_of_tcp(world, target, address):
    since = world.api.mark()
    live, session, port = ask(world, "tcp", target.name)
    assert live.code == [f"127.0.0.1:{port}", f"http://127.0.0.1:{port}/"]
    assert live.says(f"TCP to {target.name}", "can be read on the way")
    with dial(port, address) as client:
        client.sendall(b"x")
        admit(world, address, since)
        read_exactly(client, 1)
        world.wait_state(session["id"], "connected")
        eventually(lambda: live.button("address"), "the address can be shown again")
        assert not live.code or f"127.0.0.1:{port}" not in live.code
        world.api.tap(OWNER, live, "address")
        eventually(lambda: f"http://127.0.0.1:{port}/" in live.code, "it is")


def test_what_a_tcp_client_says_first_arrives_as_it_was(world, target, address):
    since = world.api.mark()
    _, session, port = ask(world, "tcp", target.name)
    first = bytes(range(256)) * 40
    with dial(port, address) as client:
        client.sendall(first)
        asked = question(world, address, since)
        assert not asked.says("It calls itself"), "bytes are not words"
        stays(lambda: not target.talked, "nothing reached the target", 0.3)
        client.sendall(first)
        world.api.wait_answer(world.api.tap(OWNER, asked, "admit"))
        assert read_exactly(client, 2 * len(first)) == 2 * first
    assert target.wait_client().data == 2 * first


def test_a_tcp_server_that_speaks_first_is_heard(world, smtp, address):
    since = world.api.mark()
    _, session, port = ask(world, "tcp", smtp.name)
    with dial(port, address) as client:
        admit(world, address, since)
        assert read_exactly(client, 16) == b"220 mail ready\r\n"
        client.sendall(b"EHLO me\r\n")
        assert read_exactly(client, 9) == b"EHLO me\r\n"


def test_one_that_is_parked_may_speak_before_it_is_let_in(world, target, address):
    """A browser connects early, and sends its request when it likes."""
    since = world.api.mark()
    _, _, port = ask(world, "tcp", target.name)
    with dial(port, address) as client:
        asked = question(world, address, since)
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        world.api.wait_answer(world.api.tap(OWNER, asked, "admit"))
        assert read_exactly(client, 18) == b"GET / HTTP/1.1\r\n\r\n"


def test_a_blocked_one_gets_nothing(world, vnc, address):
    since = world.api.mark()
    _, session, port = ask(world, "vnc", vnc.name)
    dialled = len(vnc.connections)
    with dial(port, address) as client:
        world.api.tap(OWNER, question(world, address, since), "block")
        assert how_it_ends(client) in ("fin", "rst")
    with dial(port, address) as again:
        assert how_it_ends(again) in ("fin", "rst")
    assert len(vnc.connections) == dialled and world.session(session["id"])["state"] == "waiting"


@pytest.mark.parametrize("first", [BANNER, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\0\xa5\1\0", RFB])
def test_a_stranger_who_speaks_at_a_vnc_port_is_no_client(world, vnc, address, first):
    _, session, port = ask(world, "vnc", vnc.name)
    with dial(port, address) as stranger:
        stranger.sendall(first)
        assert how_it_ends(stranger, 3) in ("fin", "rst")
    state = world.session(session["id"])
    assert state["parked"] == [] and state["knocking"] is None and state["state"] == "waiting"


def test_scanners_that_come_and_go_ask_nothing_and_take_no_place(world, vnc, address):
    since = world.api.mark()
    _, session, port = ask(world, "vnc", vnc.name)
    for n in range(60):
        with dial(port, f"127.9.{n}.1") as scanner:
            if n % 2:
                util.reset(scanner)
    with dial(port, address) as client:
        admit(world, address, since)
        assert read_exactly(client, len(RFB)) == RFB
    assert world.wait_state(session["id"], "reconnecting")


def test_nobody_else_comes_in_beside_who_is_in(world, vnc, address):
    since = world.api.mark()
    _, session, port = ask(world, "vnc", vnc.name)
    with dial(port, address) as client, contextlib.ExitStack() as stack:
        admit(world, address, since)
        read_exactly(client, len(RFB))
        for n in range(5):
            stranger = stack.enter_context(dial(port, f"127.8.0.{n + 1}"))
            assert how_it_ends(stranger, 5) in ("fin", "rst")
        mine = [stack.enter_context(dial(port, address)) for _ in range(3)]
        for one in mine:
            assert read_exactly(one, len(RFB)) == RFB
        fifth = stack.enter_context(dial(port, address))
        assert how_it_ends(fifth, 5) in ("fin", "rst"), "four at once are the limit"
        eventually(lambda: world.session(session["id"])["connections"] == 4, "four are counted")
    assert len(vnc.connections) >= 4


def test_a_known_address_needs_no_question(vnc, target):
    with World(vps={"ADMIT": "known"}) as known:
        since = known.api.mark()
        _, session, port = ask(known, "vnc", vnc.name)
        with dial(port, "127.0.0.9") as client:
            admit(known, "127.0.0.9", since)
            read_exactly(client, len(RFB))
        _, _, port = ask(known, "tcp", target.name)
        with dial(port, "127.0.0.9") as client:
            client.sendall(b"at once")
            assert read_exactly(client, 7) == b"at once"
        known.settle()


def test_auto_lets_silence_in_but_gives_no_strict_session_away(vnc):
    with World(bot=False, vps={"ADMIT": "auto"}) as auto:
        session = auto.pamctl.json("vnc", vnc.name)["session"]
        with dial(session["public_port"], "127.0.0.60") as scanner:
            assert read_exactly(scanner, len(RFB)) == RFB
            with dial(session["public_port"], "127.0.0.60") as second:
                assert read_exactly(second, len(RFB)) == RFB
        auto.settle()
    with World(bot=False, vps={"ADMIT": "auto", "MAX_CONNECTIONS": 1, "RECONNECT_GRACE": 0}) as strict:
        session = strict.pamctl.json("vnc", vnc.name)["session"]
        with dial(session["public_port"], "127.0.0.60"):
            eventually(lambda: strict.session(session["id"])["parked"] == ["127.0.0.60"], "it is asked about")
            strict.admit(session["id"])
            strict.wait_state(session["id"], "connected")
        strict.settle()


# ---------------------------------------------------------------- what is asked for

def test_tcp_takes_a_port_from_its_user(world, target):
    since = world.api.mark()
    world.api.say(OWNER, "/tcp 127.0.0.1")
    assert world.api.wait_message(lambda m: m.says("Which port?"), 10, since, OWNER).says("127.0.0.1:5432")
    refused = world.pamctl("tcp", "127.0.0.1")
    assert refused.returncode == 2 and "Which port?" in refused.stderr
    with World(gateway={"ALLOWED_TARGETS": None}, bot=False) as default:     # 22 and 3389
        for kind, where in [("tcp", target.name), ("vnc", "127.0.0.1")]:
            answer = default.pamctl(kind, where)
            assert answer.returncode == 1 and "not allowed" in answer.stderr and "ALLOWED_TARGETS" in answer.stderr


def test_vnc_takes_displays_and_the_forms_of_viewers(world, vnc):
    listener = next((port for port in range(5901, 5990) if not util_is_taken(port)), None)
    with Recorder(on_connect=speaks_first(RFB), listener=util_server(listener)) as display:
        for form in (f"127.0.0.1:{listener - 5900}", f"127.0.0.1::{listener}", f"vnc://127.0.0.1:{listener}"):
            answer = world.pamctl.json("vnc", form)["session"]
            assert answer["target"] == f"127.0.0.1:{listener}"
            world.pamctl("close", answer["id"])
        assert display.connections


def util_is_taken(port):
    with contextlib.closing(socket.socket()) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def util_server(port):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen()
    return sock


def test_pamctl_prints_the_address_and_says_more_in_json(world, vnc, target):
    first = world.pamctl("vnc", vnc.name)
    assert first.returncode == 0
    port = world.newest_session()["public_port"]
    assert first.stdout.splitlines()[0] == f"127.0.0.1::{port}"
    answer = world.pamctl.json("tcp", target.name)
    port = answer["session"]["public_port"]
    assert answer["command"] == f"127.0.0.1:{port}"
    assert answer["hints"] == [{"for": "In a browser (some services need https):", "line": f"http://127.0.0.1:{port}/"}]
    assert "can be read on the way" in answer["warning"]


POLICY = """
users:
  boss: {{telegram: 42, roles: administrator}}
  bob: {{telegram: 43}}
targets:
  db: {{address: 127.0.0.1, ports: {{tcp: {db}}}}}
  screen: {{address: 127.0.0.1, ports: {{vnc: {screen}}}}}
rules:
  - {{who: bob, targets: "*", kinds: "*"}}
"""


def test_under_a_policy_tcp_goes_to_the_ports_that_it_lists(vnc, target):
    with util.Folder() as folder, Recorder(echo) as other:
        policy = folder / "policy.yaml"
        policy.write_text(POLICY.format(db=target.port, screen=vnc.port))
        policy.chmod(0o600)
        with World(vps={"POLICY_FILE": policy, "ALLOWED_USERS": None}) as world:
            ask(world, "tcp", "db", FRIEND)
            assert world.newest_session()["name"] == "db"
            ask(world, "vnc", "screen", FRIEND)
            since = world.api.mark()
            world.api.say(FRIEND, f"/tcp {other.name}")
            world.api.wait_message(lambda m: m.says("may not reach", "the policy lists"), 10, since, FRIEND)
            since = world.api.mark()
            world.api.say(FRIEND, "/targets")
            listed = world.api.wait_message(lambda m: m.says("Your machines"), 10, since, FRIEND)
            assert [b["text"] for b in listed.buttons] == ["/tcp db", "/vnc screen"]
            world.settle()


# ---------------------------------------------------------------- a gateway of version 1

def test_a_gateway_that_cannot_dial_first_is_named(vnc):
    with World(bot=False, gateways=(), vps={"ADMIT": "auto", "LOG_LEVEL": "info"}) as vps:
        with OldGateway(vps, of_version(GATEWAY_HELLO, 1)) as gateway:
            done = []
            thread = threading.Thread(target=lambda: done.append(vps.pamctl("vnc", "paper/HOME-PC:2222")))
            thread.start()
            with gateway.attach(gateway.asked()):
                gateway.say_ready()
                thread.join(20 * TIME_SCALE)
                session = vps.newest_session()
                with dial(session["public_port"]) as client:
                    assert how_it_ends(client, 5) in ("fin", "rst")
                note = vps.session(session["id"])["note"]
                assert "waited for the server to speak first, which gateway paper does not support" in note
                vps.pamctl("close", session["id"])


# ---------------------------------------------------------------- real ones

@pytest.fixture(scope="module")
def x11vnc(tmp_path_factory):
    """A real VNC server, with a screen of its own."""
    program = shutil.which("Xtigervnc") or shutil.which("Xvnc") or shutil.which("x11vnc")
    if not program:
        pytest.skip("no VNC server here: apt install tigervnc-standalone-server or x11vnc")
    port = util.free_port()
    yield from real_vnc(program, port)


def real_vnc(program, port):
    with contextlib.ExitStack() as stack:
        if program.endswith("x11vnc"):
            screen = stack.enter_context(subprocess.Popen(["Xvfb", ":87", "-screen", "0", "320x200x24"]))
            stack.callback(screen.terminate)
            command = [program, "-display", ":87", "-rfbport", str(port), "-localhost", "-nopw", "-forever", "-quiet"]
        else:
            command = [program, ":87", "-rfbport", str(port), "-interface", "127.0.0.1", "-SecurityTypes", "None",
                       "-geometry", "320x200"]
        server = stack.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        stack.callback(server.terminate)

        def answers():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as sock:
                return sock.recv(12).startswith(b"RFB ")
        eventually(answers, "the VNC server is there", 20)
        yield port


@pytest.mark.slow
def test_a_real_vnc_server_shows_its_screen(world, x11vnc, address):
    """RFC 6143: version, security, initialisation, and one whole picture."""
    since = world.api.mark()
    _, session, port = ask(world, "vnc", f"127.0.0.1:{x11vnc}")
    with dial(port, address) as client:
        admit(world, address, since)
        assert read_exactly(client, 12) == RFB
        client.sendall(RFB)
        kinds = read_exactly(client, read_exactly(client, 1)[0])
        assert 1 in kinds, "None is among the security types"
        client.sendall(b"\1")
        assert read_exactly(client, 4) == bytes(4)
        client.sendall(b"\1")                               # shared
        head = read_exactly(client, 24)
        width, height = int.from_bytes(head[:2], "big"), int.from_bytes(head[2:4], "big")
        name = read_exactly(client, int.from_bytes(head[20:24], "big"))
        assert (width, height) == (320, 200) and name
        client.sendall(b"\2\0\0\1\0\0\0\0")                 # raw pictures
        client.sendall(b"\3\0" + bytes(4) + head[:4])       # all of it
        update = read_exactly(client, 4)
        assert update[0] == 0
        seen = 0
        for _ in range(int.from_bytes(update[2:4], "big")):
            box = read_exactly(client, 12)
            size = int.from_bytes(box[4:6], "big") * int.from_bytes(box[6:8], "big")
            read_exactly(client, size * head[4] // 8)
            seen += size
        assert seen == width * height
        eventually(lambda: world.session(session["id"])["bytes_to_client"] > seen, "they are counted")


def test_a_browser_reads_a_page_of_many_parts(world, address):
    """HTTP by urllib, with several connections at once, of an address that is in."""
    with util.Folder() as folder:
        (folder / "index.html").write_text("<h1>nas</h1>")
        (folder / "big.bin").write_bytes(b"x" * 300_000)
        port = util.free_port()
        server = subprocess.Popen(["python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(folder), str(port)],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            eventually(lambda: util_is_taken(port), "the web server is there")
            since = world.api.mark()
            _, session, public = ask(world, "tcp", f"127.0.0.1:{port}")
            pages = []
            fetch = threading.Thread(target=lambda: pages.append(
                urllib.request.urlopen(f"http://127.0.0.1:{public}/", timeout=20).read()))
            fetch.start()
            admit(world, "127.0.0.1", since)
            fetch.join(20)
            assert pages == [b"<h1>nas</h1>"]
            parts = [threading.Thread(target=lambda: pages.append(
                len(urllib.request.urlopen(f"http://127.0.0.1:{public}/big.bin", timeout=20).read()))) for _ in range(8)]
            for part in parts:
                part.start()
            for part in parts:
                part.join(20)
            assert pages[1:] == [300_000] * 8
            assert world.session(session["id"])["connections_total"] >= 9
        finally:
            server.terminate()
            server.wait()
