"""ENTRANCE_PORT: one port for all sessions, beside their own. Whose a client is, is told by the secret of its file or by
its party; strangers get nowhere, and nobody is asked about them.

Addresses of 127.0.0.0/8 stand for clients all over the Internet.
"""

import contextlib
import itertools
import os
import shutil
import subprocess
import time

import pytest
import rdp
import util
from agents import FRIEND, OWNER, World, program, run
from peers import BANNER, CONNECTION_CONFIRM, Recorder, RdpFile, connection_request, cookie, dial, echo
from sshd import USER, ssh
from util import TIME_SCALE, eventually, how_it_ends, is_open, read_exactly, stays

ENTRANCE = util.free_port()
WORLD = {"vps": {"ENTRANCE_PORT": ENTRANCE}}
_addresses = itertools.count(10)


@pytest.fixture
def address():
    return f"127.0.4.{next(_addresses)}"


@pytest.fixture
def target():
    with Recorder(echo) as recorder:
        yield recorder


@pytest.fixture
def rdp_target():
    with Recorder(reply=lambda _: CONNECTION_CONFIRM) as recorder:
        yield recorder


@pytest.fixture
def vnc():
    def serve(connection):
        connection.send(b"RFB 003.008\n")
        with contextlib.suppress(OSError):
            while data := connection.socket.recv(65536):
                connection.send(data)
    with Recorder(on_connect=serve) as recorder:
        yield recorder


def learn(world, target, address, user=OWNER):
    """The address becomes known: somebody pressed Admit. The session goes on."""
    since = world.api.mark()
    live = world.ssh(target.name, user)
    session = world.newest_session()
    client = dial(session["public_port"], address)
    client.sendall(BANNER)
    asked = world.api.wait_message(lambda m: m.says(address, "wants in"), 10 * TIME_SCALE, since, user)
    world.api.tap(user, asked, "admit")
    assert read_exactly(client, len(BANNER)) == BANNER
    return live, session, client


def come(address, first=BANNER):
    client = dial(ENTRANCE, address)
    client.sendall(first)
    return client


def works(client, first=BANNER):
    assert read_exactly(client, len(first)) == first
    return client


# ---------------------------------------------------------------- whose it is

def test_who_is_in_comes_again_by_the_entrance(world, target, address):
    _, session, client = learn(world, target, address)
    with client, works(come(address)) as second:
        second.sendall(b"more")
        assert read_exactly(second, 4) == b"more"
        assert world.session(session["id"])["connections"] == 2


def test_a_known_address_comes_to_its_users_session(world, target, address):
    _, first, client = learn(world, target, address)
    client.close()
    session = world.pamctl.json("ssh", target.name)["session"]      # somebody else's: root's
    world.ssh(target.name)
    mine = world.newest_session()
    with works(come(address)):
        assert world.wait_state(mine["id"], "connected")["client"] == address
        assert world.session(session["id"])["state"] == "waiting"


@pytest.mark.parametrize("first", [BANNER, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\0\xa5\1", connection_request(), b"\0", b""])
def test_a_stranger_gets_nowhere_and_nobody_is_asked(world, target, rdp_target, vnc, address, first):
    world.ssh(target.name)
    world.rdp(rdp_target.name)
    world.pamctl.json("vnc", vnc.name)
    dialled = len(target.connections) + len(rdp_target.connections) + len(vnc.connections)
    with dial(ENTRANCE, address) as stranger:
        stranger.sendall(first)
        assert how_it_ends(stranger, 8) in ("fin", "rst")
    assert all(s["state"] == "waiting" and not s["parked"] and s["knocking"] is None for s in world.sessions() if s["state"] != "ended")
    assert dialled == len(target.connections) + len(rdp_target.connections) + len(vnc.connections)
    assert "wants in" not in world.api.transcript().rpartition("user 42:")[2]


def test_the_secret_says_whose_it_is_among_several(world, rdp_target):
    with Recorder(reply=lambda _: CONNECTION_CONFIRM) as other:
        files = {}
        for machine in (rdp_target, other):
            document, _ = world.rdp(machine.name)
            files[machine.port] = RdpFile(document.document.data)
        for machine, source in ((other, "127.0.5.2"), (rdp_target, "127.0.5.3")):
            with come(source, connection_request(cookie(files[machine.port].secret))) as client:
                assert read_exactly(client, len(CONNECTION_CONFIRM)) == CONNECTION_CONFIRM
                assert machine.wait_client().data == connection_request(), "the secret is cut out"


@pytest.mark.parametrize("secret", ["wrong", "k" * 27])
def test_a_wrong_secret_is_nobodys(world, rdp_target, address, secret):
    world.rdp(rdp_target.name)
    dialled = len(rdp_target.connections)
    with come(address, connection_request(cookie(secret))) as client:
        assert how_it_ends(client, 5) in ("fin", "rst")
    assert len(rdp_target.connections) == dialled and world.newest_session()["state"] == "waiting"


def test_the_secret_may_come_byte_by_byte(world, rdp_target, address):
    document, _ = world.rdp(rdp_target.name)
    request = connection_request(cookie(RdpFile(document.document.data).secret))
    with dial(ENTRANCE, address) as client:
        for byte in request:
            client.sendall(bytes([byte]))
        assert read_exactly(client, len(CONNECTION_CONFIRM)) == CONNECTION_CONFIRM
    assert rdp_target.wait_client().data == connection_request()


def test_of_two_that_wait_the_last_one_is_meant(world, target, address):
    _, first, client = learn(world, target, address)
    client.close()
    with Recorder(echo) as one, Recorder(echo) as other:
        world.ssh(one.name)
        world.ssh(other.name)
        with works(come(address)):
            other.wait_client()
            with works(come(address)):      # and then the other
                one.wait_client()


def test_two_users_at_one_address_are_told_apart_by_nothing(world, target, address):
    _, mine, client = learn(world, target, address)
    _, theirs, neighbour = learn(world, target, address, FRIEND)
    with client, neighbour, come(address) as third:
        assert how_it_ends(third, 5) in ("fin", "rst")
        for session in (mine, theirs):
            assert "could be for several sessions" in world.session(session["id"])["note"]


def test_silence_is_for_a_server_that_begins(world, target, vnc, address):
    _, first, client = learn(world, target, address)
    client.close()
    since = world.api.mark()
    world.api.say(OWNER, f"/vnc {vnc.name}")
    world.api.wait_message(lambda m: m.says("is ready"), 10 * TIME_SCALE, since, OWNER)
    with dial(ENTRANCE, address) as viewer:
        assert read_exactly(viewer, 12) == b"RFB 003.008\n"


def test_an_ssh_client_may_wait_for_the_server_as_at_its_own_port(world, target, address):
    _, first, client = learn(world, target, address)
    client.close()

    def greet(connection):
        connection.send(BANNER)
        with contextlib.suppress(OSError):
            while connection.socket.recv(65536):
                pass
        connection.socket.close()
    with Recorder(on_connect=greet) as sshd:
        world.ssh(sshd.name)
        with dial(ENTRANCE, address) as silent, dial(ENTRANCE, "127.0.5.200") as stranger:
            begun = time.monotonic()
            assert read_exactly(silent, len(BANNER)) == BANNER
            assert time.monotonic() - begun < 8 * TIME_SCALE, "it is not listened to twice"
            assert how_it_ends(stranger, 8) in ("fin", "rst")


def test_a_blocked_one_stays_out(world, target, address):
    since = world.api.mark()
    world.ssh(target.name)
    session = world.newest_session()
    with dial(session["public_port"], address) as client:
        client.sendall(BANNER)
        asked = world.api.wait_message(lambda m: m.says(address, "wants in"), 10 * TIME_SCALE, since, OWNER)
        world.api.tap(OWNER, asked, "block")
        how_it_ends(client, 5)
    with come(address) as again:
        assert how_it_ends(again, 5) in ("fin", "rst")


def test_a_crowd_keeps_no_user_out(world, target, address):
    _, session, client = learn(world, target, address)
    with client, contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(dial(ENTRANCE, f"127.{100 + n % 50}.{n // 50}.1")) for n in range(300)]
        with works(come(address)):
            assert world.session(session["id"])["connections"] == 2
        for one in crowd:
            assert how_it_ends(one, 10) in ("fin", "rst")
    eventually(lambda: world.vps.descriptors(), "it lives")


def test_those_who_hang_up_or_dribble_cost_nothing(world, target, address):
    world.ssh(target.name)
    for n in range(20):
        with dial(ENTRANCE, address) as client:
            client.sendall(b"SSH-2.0"[:n % 7])
            if n % 2:
                util.reset(client)
    with dial(ENTRANCE, address) as slow, dial(ENTRANCE, address) as silent:
        time.sleep(0.2)     # it was looked at before, and had said nothing
        slow.sendall(b"SSH-2")
        stays(lambda: is_open(silent), "who says nothing has it, too", 1)
        stays(lambda: is_open(slow), "it has its time", 1)
        assert how_it_ends(slow, 8) in ("fin", "rst")


def test_pamctl_gives_line_and_file_for_the_entrance(world, target, rdp_target, folder):
    answer = world.pamctl.json("ssh", target.name, "--entrance")
    assert f"ssh -p {ENTRANCE} " in answer["command"]
    assert answer["session"]["public_port"] != ENTRANCE
    assert world.pamctl("vnc", target.name, "--entrance").stdout.splitlines()[0] == f"127.0.0.1::{ENTRANCE}"
    path = folder / "x.rdp"
    assert world.pamctl("rdp", rdp_target.name, "--entrance", "--out", str(path)).returncode == 0
    file = RdpFile(path.read_bytes())
    world.secrets.append(file.secret)
    assert file.port == ENTRANCE
    with come("127.0.5.9", connection_request(cookie(file.secret))) as client:
        assert read_exactly(client, len(CONNECTION_CONFIRM)) == CONNECTION_CONFIRM


# ---------------------------------------------------------------- real clients, two sessions at once

@pytest.fixture(scope="module")
def display():
    with rdp.Display() as screen:
        yield screen


@pytest.fixture(scope="module")
def xrdp():
    with rdp.Xrdp() as server:
        yield server


def strict(world, since, kind):
    """The card of a session of this kind, for the entrance."""
    card = world.api.wait_message(lambda m: m.button("Strict network") and m.says(kind, "is ready"), 10 * TIME_SCALE, since, OWNER)
    world.api.tap(OWNER, card, "Strict network")
    eventually(lambda: card.button("Own port"), "it is for the entrance")
    return card


@pytest.mark.slow
def test_ssh_and_xfreerdp_through_one_port(sshd, display, xrdp, folder):
    port = util.free_port()
    with World(vps={"ENTRANCE_PORT": port, "ADMIT": "known", "RECONNECT_GRACE": 1}) as world:
        since = world.api.mark()
        world.ssh(f"{USER}@{sshd.name}")
        first = world.newest_session()
        with dial(first["public_port"]) as client:
            client.sendall(BANNER)
            asked = world.api.wait_message(lambda m: m.says("127.0.0.1", "wants in"), 10 * TIME_SCALE, since, OWNER)
            world.api.tap(OWNER, asked, "admit")
            read_exactly(client, 4)
        world.wait_state(first["id"], "ended")      # and the address is known

        since = world.api.mark()
        world.rdp(xrdp.name)
        session = world.newest_session()
        card = strict(world, since, "RDP")
        file = world.api.wait_message(lambda m: m.document and not m.deleted, 10 * TIME_SCALE, since, OWNER).document.data
        assert RdpFile(file).port == port and card.says(f"port {port}")
        path = folder / "strict.rdp"
        path.write_bytes(file)
        since = world.api.mark()
        world.ssh(f"{USER}@{sshd.name}")
        live = strict(world, since, "SSH")
        assert f"ssh -p {port} " in live.code[0] and live.says("admitted from before")
        with rdp.Client(display, path, log_path=folder / "strict.log") as viewer:
            rdp.wait_login_screen(display, viewer, folder)
            assert world.session(session["id"])["state"] == "connected"
            result = ssh(live.code[0], sshd.client_config("127.0.0.1"), "echo", "both")
            assert result.stdout == b"both\n", result
        world.settle()


# ---------------------------------------------------------------- without it

def test_without_the_setting_nothing_is_offered(target):
    with World() as world:
        live = world.ssh(target.name)
        assert not live.button("strict")
        refused = world.pamctl("ssh", target.name, "--entrance")
        assert refused.returncode != 0 and "ENTRANCE_PORT is not set" in refused.stderr
        world.settle()


WAYS = {
    "none": ["--inh-caps=-all", "--bounding-set=-all"],
    "capability": ["--inh-caps=-all,+net_bind_service", "--ambient-caps=+net_bind_service", "--bounding-set=-all,+net_bind_service"],
    "sysctl": ["--inh-caps=-all", "--bounding-set=-all"],
}


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv") or not shutil.which("unshare"),
                    reason="takes root, to become somebody else")
@pytest.mark.parametrize("way", WAYS)
def test_a_port_below_1024_as_nobody_special(folder, way):
    # A copy, which that user can reach; in a network of its own, whose port 443 is free.
    agent, state = folder / "vps-agent", folder / "state"
    shutil.copy(program("vps-agent"), agent)
    state.mkdir()
    for path in folder, agent, state:
        os.chmod(path, 0o755)
    os.chown(state, 65532, 65532)
    settings = {"VPS_HOST": "127.0.0.1", "CONTROL_PORT": "41999", "STATE_DIR": state, "ENTRANCE_PORT": "443",
                "BIND_ADDRESS": "127.0.0.1", "PORT_RANGE_START": "41000", "PORT_RANGE_END": "41100"}
    setup = "ip link set lo up" + ("; sysctl -qw net.ipv4.ip_unprivileged_port_start=443" if way == "sysctl" else "")
    knock = "for i in $(seq 100); do sleep 0.1; (: </dev/tcp/127.0.0.1/443) 2>/dev/null && break; kill -0 $! || break; done"
    command = ["setpriv", "--reuid", "65532", "--regid", "65532", "--clear-groups", "--no-new-privs", *WAYS[way], "env", "-i",
               *(f"{name}={value}" for name, value in settings.items()), str(agent), "--local"]
    result = subprocess.run(["unshare", "-n", "bash", "-c", f'{setup}; "$@" & {knock}; (: </dev/tcp/127.0.0.1/443) && echo open; '
                             "kill $!; wait $!", "bash", *command], capture_output=True, text=True, timeout=60)
    if way == "none":
        assert "open" not in result.stdout.splitlines() and "CAP_NET_BIND_SERVICE" in result.stderr, result
    else:
        assert "open" in result.stdout.splitlines(), result


def test_a_port_that_cannot_be_had_is_said(folder):
    with util.server() as taken:
        port = taken.getsockname()[1]
        result = run("vps-agent", "--local", env={
            "VPS_HOST": "127.0.0.1", "CONTROL_PORT": str(util.free_port()), "STATE_DIR": str(folder / "s"),
            "ENTRANCE_PORT": str(port), "BIND_ADDRESS": "127.0.0.1", "PORT_RANGE_START": "41000", "PORT_RANGE_END": "41010"})
        assert result.returncode == 1 and f"ENTRANCE_PORT {port}" in result.stderr, result
