"""An SSH session from its user's side: what stands in the chat from the first word to the
last, the first login from a new place, and clients with odd beginnings."""

import hashlib
import os
import subprocess
import sys
import threading
import time

import peers
import pytest
import sshd as openssh
import util
from agents import FRIEND, OWNER, World, port_of
from peers import BANNER, dial
from util import TIME_SCALE, eventually, stays

WORLD = {"vps": {"ADMIT": "auto", "RECONNECT_GRACE": 1}}
PEEK = 2    # MSG_PEEK
STREAM = 64 << 20   # more than all the sockets on the way hold together


@pytest.fixture
def target():
    with peers.Recorder() as recorder:
        yield recorder


def open_and_enter(world, target):
    """A client of our own that is in: (live message, its socket, its connection at the target)."""
    number = len(target.talked) + 1
    message = world.ssh(target.name)
    client = dial(port_of(message.code[0]))
    client.sendall(BANNER)
    return message, client, target.wait_client(number)


def wait_text(world, message, *words):
    """For longer than the numbers in a card may be old."""
    world.api.wait(lambda: message.says(*words), 40 * TIME_SCALE, f"{words} in {message}")


# ---------------------------------------------------------------- real ssh

def test_the_first_login_from_a_new_place_waits_for_admit_and_the_second_does_not(sshd):
    with World() as world:
        config = sshd.client_config("127.0.0.1")
        line = world.ssh(f"{openssh.USER}@{sshd.name}").code[0]
        client = subprocess.Popen([*openssh.with_config(line, config), "echo hello; exit 7"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        question = world.api.wait_message("127.0.0.1 wants in")
        assert client.poll() is None
        world.api.tap(OWNER, question, "Admit")
        out, err = client.communicate(timeout=30 * TIME_SCALE)
        assert (out, err, client.returncode) == (b"hello\n", b"", 7)
        since = world.api.mark()
        line = world.ssh(f"{openssh.USER}@{sshd.name}").code[0]
        assert openssh.ssh(line, config, "echo again").stdout == b"again\n"
        assert not [m for m in world.api.all_messages(OWNER, since) if m.says("wants in")]


def test_a_target_named_by_a_name_has_its_host_key_under_that_name(world, sshd):
    line = world.ssh(f"{openssh.USER}@localhost:{sshd.port}").code[0]
    assert f"-o HostKeyAlias=localhost+{sshd.port} " in line
    assert openssh.ssh(line, sshd.client_config("localhost"), "echo hi").stdout == b"hi\n"


def test_the_line_works_with_the_server_on_ipv6(sshd):
    with World(vps={"ADMIT": "auto", "VPS_HOST": "::1", "RECONNECT_GRACE": 1}) as world:
        line = world.ssh(f"{openssh.USER}@{sshd.name}").code[0]
        assert line.endswith(f" {openssh.USER}@::1")
        assert openssh.ssh(line, sshd.client_config("127.0.0.1"), "echo six").stdout == b"six\n"
        world.api.wait_message("Connected from ::1")


# ---------------------------------------------------------------- what the user reads

def test_the_live_message_tells_the_whole_story(world, target):
    message = world.ssh(target.name)
    before = len(world.api.all_messages(OWNER))
    assert message.says(f"SSH to {target.name} is ready", "Time left to connect: 2 min")
    client = dial(port_of(message.code[0]))
    client.sendall(BANNER)
    connection = target.wait_client()
    wait_text(world, message, "Connected from 127.0.0.1")
    assert message.button("Close") and not message.button("Copy") and message.code == ["127.0.0.1"]
    connection.send(b"x" * 1500)
    util.read_exactly(client, 1500)
    client.close()
    connection.socket.shutdown(1)
    wait_text(world, message, f"SSH to {target.name} has ended", "Disconnected.",
              "Connected from 127.0.0.1", f"1.5 kB received, {len(BANNER)} B sent")
    assert [b["text"] for b in message.buttons] == ["Again"]
    order = [next(i for i, (_, text) in enumerate(message.history) if words in text)
             for words in ("is ready", "Connected from", "has ended")]
    assert order == sorted(set(order)), message.history
    assert len(world.api.all_messages(OWNER)) == before, "one message for a session"


def test_the_bytes_are_shown_while_it_goes_on(world, target):
    message, client, connection = open_and_enter(world, target)
    connection.send(b"y" * 2000)
    util.read_exactly(client, 2000)
    wait_text(world, message, "Connected from 127.0.0.1 for ", f"2.0 kB received, {len(BANNER)} B sent")


def test_the_close_button_closes_both_ends_and_both_ports(world, target):
    message, client, connection = open_and_enter(world, target)
    session = world.newest_session()
    wait_text(world, message, "Connected from")
    assert world.api.wait_answer(world.api.tap(OWNER, message, "Close"))["text"] == "Closed."
    assert util.how_it_ends(client) in ("fin", "rst")
    assert connection.wait_end() in ("fin", "rst")
    wait_text(world, message, "has ended", "Closed on request.")
    assert [b["text"] for b in message.buttons] == ["Again"] and world.session(session["id"]) is None
    for port in (session["public_port"], session["data_port"]):
        assert not peers.listening(port)


def test_the_close_button_works_before_anybody_came(world, target):
    message = world.ssh(target.name)
    session = world.newest_session()
    world.api.wait_answer(world.api.tap(OWNER, message, "Close"))
    wait_text(world, message, "has ended", "Closed on request.")
    assert not message.says("Connected") and not message.code, "the line is good for nothing now"
    assert not peers.listening(session["public_port"]) and not peers.listening(session["data_port"])
    assert not target.talked


def test_only_the_owner_can_press_close(world, target):
    message, client, connection = open_and_enter(world, target)
    wait_text(world, message, "Connected from")
    for user in (FRIEND, 666):
        world.api.tap(user, message, "Close")   # not even answered: it is not their chat
        world.api.wait(lambda: not world.api._updates, 10, "the tap is read")
    client.sendall(b"not disturbed")
    connection.wait(len(BANNER) + 13)


def test_a_target_that_is_gone_when_the_user_comes_is_named_in_the_chat(world):
    with peers.Recorder() as target:
        message = world.ssh(target.name)
    client = dial(port_of(message.code[0]))
    client.sendall(BANNER)
    assert util.how_it_ends(client) == "rst"
    wait_text(world, message, "has ended", f"Refused: 127.0.0.1 is there, but nothing listens on "
                                           f"port {target.port}")


def test_two_users_at_the_same_time_have_what_is_theirs(world):
    with peers.Recorder(reply=lambda _: b"one") as one, peers.Recorder(reply=lambda _: b"two") as two:
        messages = [world.ssh(t.name, user) for t, user in ((one, OWNER), (two, FRIEND))]
        ports = [port_of(message.code[0]) for message in messages]
        clients = [dial(port) for port in ports]
        for client in clients:
            client.sendall(BANNER)
        assert [util.read_exactly(client, 3) for client in clients] == [b"one", b"two"]
        owners = {s["public_port"]: s["owner"] for s in world.sessions()}
        assert owners == {ports[0]: f"telegram:{OWNER}", ports[1]: f"telegram:{FRIEND}"}
        assert [m.chat_id for m in messages] == [OWNER, FRIEND]
        assert not [m for m in world.api.all_messages(OWNER) if m.says(two.name)]


# ---------------------------------------------------------------- beginnings

@pytest.mark.parametrize("banner", [
    b"SSH-2.0-x\n",
    b"SSH-1.99-old client with a comment\r\n",
    b"SSH-2.0-" + b"l" * 245 + b"\r\n",
], ids=["LF only", "1.99", "255 bytes"])
def test_what_stands_behind_any_banner_reaches_the_target(world, target, banner):
    surplus = bytes(range(256)) * 40 + b"\r\nSSH-2.0-again\r\n"
    client = dial(port_of(world.ssh(target.name).code[0]))
    client.sendall(banner + surplus)
    connection = target.wait_client()
    assert connection.wait(len(banner + surplus)) == banner + surplus
    client.sendall(b"more")
    assert connection.wait(len(banner + surplus) + 4) == banner + surplus + b"more"


@pytest.mark.parametrize("junk", [
    b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\0\xff", b"\0" * 300, peers.connection_request(), b"\r\n",
    b"SSH-2.0-" + b"l" * 300, b"SSH-1.5-too old\r\n", b"ssh-2.0-lower\r\n", b" " + BANNER,
], ids=["HTTP", "TLS", "zeros", "RDP", "empty line", "too long", "1.5", "lower case", "space"])
def test_what_is_no_ssh_client_is_dropped_at_once_and_costs_nothing(world, target, junk):
    port = port_of(world.ssh(target.name).code[0])
    stranger = dial(port)
    stranger.sendall(junk)
    assert util.how_it_ends(stranger, 2) in ("fin", "rst")
    eventually(lambda: len(target.connections) == 1, "the probe has come, and nobody else")
    client = dial(port)
    client.sendall(BANNER)
    assert target.wait_client().wait(len(BANNER)) == BANNER
    assert len(target.connections) == 2


WAITING_SSH = """
import os, socket, sys, threading
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
os.write(1, sock.recv(65536))   # not a byte before the server's first ones
def up():
    while data := os.read(0, 65536):
        sock.sendall(data)
    sock.shutdown(1)
threading.Thread(target=up, daemon=True).start()
while data := sock.recv(65536):
    os.write(1, data)
"""


@pytest.mark.slow
def test_a_client_that_waits_for_the_servers_line_logs_in_from_a_known_address(sshd, tmp_path):
    (tmp_path / "proxy.py").write_text(WAITING_SSH)
    with World(vps={"ADMIT": "known"}) as world:
        config = sshd.client_config("127.0.0.1")
        message = world.ssh(f"{openssh.USER}@{sshd.name}")
        first = dial(port_of(message.code[0]))
        first.sendall(BANNER)
        world.api.tap(OWNER, world.api.wait_message("127.0.0.1 wants in"), "Admit")
        assert util.read_exactly(first, 8) == b"SSH-2.0-"
        first.close()
        line = world.ssh(f"{openssh.USER}@{sshd.name}").code[0]
        proxy = f"{sys.executable} {tmp_path}/proxy.py %p"
        result = openssh.ssh(line.replace("ssh ", f"ssh -o 'ProxyCommand={proxy}' ", 1), config,
                             "echo hello")
        assert (result.stdout, result.stderr) == (b"hello\n", b"")
        world.vps.wait_log("it has said nothing, and waits for the server's first word")


@pytest.mark.slow
def test_a_scanner_that_waits_for_a_banner_does_not_keep_the_session(world):
    with peers.Recorder(reply=lambda data: data) as target:
        message = world.ssh(target.name)
        scanner = dial(port_of(message.code[0]), "127.0.0.2")
        eventually(lambda: len(target.connections) == 2, "it is let in, for want of another", 10)
        wait_text(world, message, "Connected from 127.0.0.2")
        target.connections[1].send(BANNER)
        assert util.read_exactly(scanner, len(BANNER)) == BANNER
        scanner.close()
        target.connections[1].wait_end()
        target.connections[1].socket.shutdown(1)
        wait_text(world, message, "is ready")
        client = dial(port_of(message.code[0]), "127.0.0.3")
        client.sendall(BANNER)
        assert util.read_exactly(client, len(BANNER)) == BANNER
        wait_text(world, message, "Connected from 127.0.0.3")


# ---------------------------------------------------------------- last words

def test_what_a_machine_says_instead_of_a_login_is_in_the_chat(world):
    def refuse(connection):
        connection.send(b"Not allowed at this time\r\n")
        connection.socket.close()   # an RST: the client's line was not read

    with peers.Recorder(on_connect=refuse) as target:
        message = world.ssh(target.name)
        client = dial(port_of(message.code[0]))
        client.sendall(BANNER)
        util.how_it_ends(client)
        wait_text(world, message, "The machine said: Not allowed at this time; its SSH server",
                  "PerSourcePenaltyExemptList")
        assert "Not allowed at this time" in message.code


def test_a_machine_that_hangs_up_at_once_is_told_as_that(world):
    with peers.Recorder(on_connect=lambda connection: connection.socket.close()) as target:
        message = world.ssh(target.name)
        client = dial(port_of(message.code[0]))
        client.sendall(BANNER)
        util.how_it_ends(client)
        wait_text(world, message, "The machine hung up without a word; it may refuse gateway lan")


# ---------------------------------------------------------------- backpressure

class Sender:
    """Sends STREAM bytes, no two megabytes alike, from a thread as fast as they are taken."""

    def __init__(self, sock):
        self.sent = 0
        self.digest = hashlib.sha256()
        self.socket = sock
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        base = os.urandom(1 << 20)
        for number in range(STREAM >> 20):
            block = number.to_bytes(4, "big") + base[4:]
            self.digest.update(block)
            for at in range(0, len(block), 65536):
                self.socket.sendall(block[at:at + 65536])
                self.sent += 65536
        self.socket.shutdown(1)

    def wait_stuck(self):
        """Waits until nothing was taken for a while; returns how much was."""
        last = [-1, 0.0]

        def look():
            if self.sent != last[0]:
                last[:] = self.sent, time.monotonic()
            return time.monotonic() - last[1] >= 0.7

        eventually(look, "the sender is stuck", 30)
        return last[0]


def digest_to_end(sock):
    digest, count = hashlib.sha256(), 0
    sock.settimeout(60 * TIME_SCALE)
    while data := sock.recv(262144):
        digest.update(data)
        count += len(data)
    return count, digest.hexdigest()


@pytest.mark.parametrize("way", ["to the client", "to the target"])
def test_who_does_not_read_for_a_while_loses_nothing_and_holds_up_one_way_only(world, way):
    done = threading.Event()

    def hold(connection):
        if connection.socket.recv(1, PEEK):     # not the probe
            connection.data = util.read_exactly(connection.socket, len(BANNER))
            done.wait(120)

    with peers.Recorder(on_connect=hold) as target:
        _, client, connection = open_and_enter(world, target)
        before = [daemon.rss_kb() for daemon in world.daemons()]
        ends = [client, connection.socket]
        writer, reader = ends if way == "to the target" else reversed(ends)
        writer.settimeout(60 * TIME_SCALE)
        sender = Sender(writer)
        assert 0 < sender.wait_stuck() < STREAM, "all of it went somewhere"
        grown = [daemon.rss_kb() - kb for daemon, kb in zip(world.daemons(), before)]
        assert util.SANITIZED or util.VALGRIND or max(grown) < 4096, f"{grown} kB more memory"
        reader.sendall(b"ping")
        assert writer.recv(4) == b"ping", "the other way is free"
        assert digest_to_end(reader) == (STREAM, sender.digest.hexdigest())
        done.set()
