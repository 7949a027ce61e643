"""Settings that are read again while the agents work: SIGHUP and pamctl reload."""

import concurrent.futures
import contextlib
import os
import re
import secrets
import signal
import socket

import peers
import pytest
import util
from agents import FRIEND, LOOPBACK_TARGETS, OWNER, STRANGER, World, run
from util import eventually

WORLD = {"vps": {"ADMIT": "auto", "MAX_SESSIONS_PER_USER": 40}, "env_files": True}
RUNNING, WAITING = 14, 6
UNCHANGED = "those from before stay in force: "


@pytest.fixture
def target():
    with peers.Recorder(reply=peers.echo) as recorder:
        yield recorder


class Client:
    """Somebody at work in a session."""

    def __init__(self, world, session):
        self.world = world
        self.id = session["id"]
        self.socket = peers.dial(session["public_port"])
        self.socket.sendall(peers.BANNER)
        util.read_exactly(self.socket, len(peers.BANNER))

    def works(self):
        line = secrets.token_bytes(500)
        self.socket.sendall(line)
        return util.read_exactly(self.socket, len(line)) == line

    def is_cut(self):
        with contextlib.suppress(ConnectionError):
            return not util.read_some(self.socket)
        return True


def open_session(world, target):
    return world.pamctl.json("ssh", target.name)["session"]


@pytest.fixture
def twenty(world, target):
    """Twenty sessions, of which some have their user already. A check that all of them live."""
    clients = [Client(world, open_session(world, target)) for _ in range(RUNNING)]
    waiting = [open_session(world, target) for _ in range(WAITING)]
    ids = {c.id for c in clients} | {s["id"] for s in waiting}

    def check():
        assert all(client.works() for client in clients)
        assert {s["id"] for s in world.sessions() if s["state"] != "ended"} == ids
        assert sum(s["state"] == "waiting" for s in world.sessions()) == WAITING

    yield check
    assert all(Client(world, session).works() for session in waiting)   # they can still be used
    for client in clients:
        client.socket.close()


def test_no_session_is_lost_by_settings_right_wrong_and_unreadable(world, twenty):
    descriptors = len(world.vps.descriptors())
    env_file, good = world.vps.env_file, world.vps.env_file.read_bytes()
    old = dict(world.vps.settings)

    right = world.vps.reload(SESSION_TIMEOUT=77, MAX_SESSIONS=100, LOG_LEVEL="info",
                             ALLOWED_USERS=f"{OWNER},{FRIEND},777")
    assert "settings reloaded: " in right and "ALLOWED_USERS: 777 added" in right
    assert "SESSION_TIMEOUT: 120 → 77" in right and "LOG_LEVEL: debug → info" in right
    twenty()
    assert "nothing has changed" in world.vps.reload()
    assert "LOG_LEVEL: info → error" in world.vps.reload(LOG_LEVEL="error")
    assert "LOG_LEVEL: error → debug" in world.vps.reload(LOG_LEVEL="debug")

    for content, says in [
            (good + b"ADMIT=sometimes\n", 'ADMIT is "sometimes"'),
            (good + b"MAX_SESSIONS=999\nno setting\n", "NAME=value"),
            (good.decode().encode("utf-16"), "UTF-16"),
            (good + b"ADMITT=ask\n", "ADMITT"),
            (good.replace(b"TUNNEL_KEY=", b"TUNNEL_KEY=ab"), "TUNNEL_KEY is wrong")]:
        world.vps.replace_env_file(content)
        line = world.vps.reload()
        assert UNCHANGED in line and says in line, line
        twenty()
    env_file.unlink()
    assert UNCHANGED in (line := world.vps.reload()) and str(env_file) in line
    env_file.mkdir()
    assert UNCHANGED in (line := world.vps.reload()) and str(env_file) in line
    env_file.rmdir()
    os.mkfifo(env_file)
    assert UNCHANGED in (line := world.vps.reload()) and "second time" in line
    env_file.unlink()
    twenty()

    assert "777 removed" in reload_with(world, old)
    twenty()
    assert len(world.vps.descriptors()) == descriptors


def reload_with(world, settings):
    world.vps.settings = dict(settings)
    world.vps.write_settings()
    return world.vps.reload()


def test_a_crowd_of_signals_is_no_matter(world, twenty):
    for number in [signal.SIGUSR1, signal.SIGUSR2] * 5 + [signal.SIGHUP] * 20:
        for daemon in world.daemons():
            daemon.process.send_signal(number)
    assert "nothing has changed" in world.vps.reload()
    assert "nothing has changed" in world.gateway.reload()
    twenty()


def test_pamctl_says_what_has_changed_and_what_is_wrong(world):
    old = dict(world.vps.settings)
    assert world.pamctl("reload").stdout == "Nothing has changed.\n"
    world.vps.write_settings(IDLE_TIMEOUT=100, CONTROL_PORT=9, RELAY_WORKERS=3)
    reply = world.pamctl.json("reload")
    assert {"setting": "IDLE_TIMEOUT", "change": "3600 → 100", "needs_restart": False} in reply["changes"]
    assert {c["setting"] for c in reply["changes"] if c["needs_restart"]} == {"CONTROL_PORT", "RELAY_WORKERS"}
    assert "CONTROL_PORT" in world.pamctl("reload").stdout      # it is still so
    assert "IDLE_TIMEOUT" not in world.pamctl("reload").stdout  # and that is in force
    world.vps.write_settings(MAX_SESSIONS="many")
    result = world.pamctl("reload")
    assert result.returncode == 1 and 'MAX_SESSIONS is "many"' in result.stderr
    assert world.pamctl.json("reload", ok=False)["error"] == "not_reloaded"
    reload_with(world, old)


def test_who_is_added_may_command_at_once_and_who_is_removed_may_not(world, target):
    old = dict(world.vps.settings)
    own = Client(world, world.pamctl.json("ssh", target.name)["session"])
    world.ssh(target.name, FRIEND)
    friends = Client(world, world.newest_session())
    since = world.api.mark()
    line = world.vps.reload(ALLOWED_USERS=f"{OWNER},{STRANGER}")
    assert f"{STRANGER} added, {FRIEND} removed" in line
    assert friends.is_cut() and own.works()
    world.vps.wait_log(f"session {friends.id}: over: access was taken away")
    world.api.wait_message("access was taken away", since=since, chat=FRIEND)
    world.ssh(target.name, STRANGER)
    count = len(world.sessions())
    world.api.say(FRIEND, f"/ssh {target.name}")
    world.api.wait_message("private", since=since, chat=FRIEND)
    assert len(world.sessions()) == count
    reload_with(world, old)


def test_a_command_that_waits_for_its_gateway_is_not_run_for_who_is_removed_meanwhile(target):
    with World(env_files=True, vps={"ADMIT": "auto"}) as world:
        world.gateway.stop()
        eventually(lambda: not world.status()["gateways"], "the gateway is offline")
        world.api.wait_read(world.api.say(FRIEND, f"/ssh {target.name}"))
        assert f"{FRIEND} removed" in world.vps.reload(ALLOWED_USERS=OWNER)
        world.gateway.start()
        world.ready()
        util.stays(lambda: not world.sessions(), "nothing is opened for who was removed", 1)
        world.ssh(target.name)


def test_who_is_asked_about_can_be_admitted_although_a_silent_one_was_in(world, target):
    old = dict(world.vps.settings)
    session = open_session(world, target)
    with peers.dial(session["public_port"], source="127.0.0.60"):
        world.wait_state(session["id"], "connected", 8)
        world.vps.reload(ADMIT="ask")
        with peers.dial(session["public_port"], source="127.0.0.61") as user:
            user.sendall(peers.BANNER)
            eventually(lambda: world.session(session["id"])["waiting"], "the user is asked about")
            world.admit(session["id"])
            util.read_exactly(user, len(peers.BANNER))
            assert world.session(session["id"])["client"] == "127.0.0.61"
    world.pamctl("close", session["id"])
    reload_with(world, old)


def test_new_ports_and_limits_are_for_new_sessions(world, target):
    old = dict(world.vps.settings)
    first = Client(world, open_session(world, target))
    start = util.free_range(10)
    world.vps.reload(PORT_RANGE_START=start, PORT_RANGE_END=start + 9, MAX_CONNECTIONS=1, RECONNECT_GRACE=0)
    session = open_session(world, target)
    assert start <= session["public_port"] < start + 10
    strict = Client(world, session)
    eventually(lambda: not peers.listening(session["public_port"]), "the strict one closes its port")
    again = peers.dial(world.session(first.id)["public_port"])      # the older one takes several
    again.sendall(peers.BANNER)
    util.read_exactly(again, len(peers.BANNER))
    assert first.works() and strict.works()
    reload_with(world, old)
    assert first.works() and strict.works()


# ---------------------------------------------------------------- gateways

def named(**keys):
    return ",".join(f"{name}:{key}" for name, key in keys.items())


def test_gateways_come_go_and_change_their_keys(target):
    home, office, new = (secrets.token_hex(32) for _ in range(3))
    with World(bot=False, env_files=True, gateways=(), vps={"ADMIT": "auto", "TUNNEL_KEY": named(home=home)}) as world:
        world.secrets += [home, office, new]
        world.add_gateway("home", TUNNEL_KEY=home)
        world.ready({"home"})
        world.vps.take_baseline()
        at_home = Client(world, open_session(world, target))

        assert "TUNNEL_KEY: office added" in world.vps.reload(TUNNEL_KEY=named(home=home, office=office))
        away = world.add_gateway("office", TUNNEL_KEY=office)
        world.ready({"home", "office"})
        in_office = Client(world, world.pamctl.json("ssh", f"office/{target.name}")["session"])
        assert at_home.works()

        # Another key: it has to log in with that, and what it relays goes on.
        assert "office has another key" in world.vps.reload(TUNNEL_KEY=named(home=home, office=new))
        away.wait_log("another TUNNEL_KEY")
        away.wait_log("does not accept our TUNNEL_KEY")
        assert "TUNNEL_KEY: changed" in away.reload(TUNNEL_KEY=new)
        world.ready({"home", "office"})
        assert at_home.works() and in_office.works()

        # None any more: its sessions are over.
        assert "TUNNEL_KEY: office removed" in world.vps.reload(TUNNEL_KEY=named(home=home))
        assert in_office.is_cut() and at_home.works()
        world.vps.wait_log(f"session {in_office.id}: over: gateway office no longer belongs to this server")
        assert [g["name"] for g in world.status()["gateways"]] == ["home"]
        away.stop()


def test_a_gateway_takes_other_settings_and_keeps_what_it_relays(target):
    with World(bot=False, env_files=True, vps={"ADMIT": "auto"}) as world, \
            peers.Recorder(reply=peers.echo) as other:
        client, also = (Client(world, open_session(world, where)) for where in (target, other))
        waiting = open_session(world, other)
        assert "GATEWAY_NAME: lan → attic" in world.gateway.reload(GATEWAY_NAME="attic", KEEPALIVE_SECS=20)
        world.ready({"attic"})
        assert client.works()
        assert health(world) == 0      # asked with the new name

        line = world.gateway.reload(ALLOWED_TARGETS="127.0.0.1:1-x")
        assert UNCHANGED in line and "ALLOWED_TARGETS" in line
        assert client.works() and also.works()
        line = world.gateway.reload(ALLOWED_TARGETS=f"127.0.0.1:{target.port}", RELAY_WORKERS=3)
        assert f"127.0.0.1:{target.port} added, 127.0.0.0/8:1-65535 removed" in line
        assert "RELAY_WORKERS" in line and "needs a restart; the other one is in force" in line
        assert also.is_cut() and client.works()
        world.gateway.wait_log(f"to {other.name}: cut off: .* not among the ALLOWED_TARGETS of this gateway any more")
        world.wait_state(waiting["id"], "ended")
        assert open_session(world, target)
        world.gateway.reload(ALLOWED_TARGETS=LOOPBACK_TARGETS)
        assert client.works()


def test_a_target_that_is_taken_off_the_list_while_it_is_probed_is_not_dialled():
    """It takes no connections for a moment: its backlog is full."""
    with World(bot=False, env_files=True) as world, contextlib.ExitStack() as stack:
        busy = stack.enter_context(socket.socket())
        busy.bind(("127.0.0.1", 0))
        busy.listen(0)
        for _ in range(4):
            crowd = stack.enter_context(socket.socket())
            crowd.setblocking(False)
            crowd.connect_ex(busy.getsockname())
        with concurrent.futures.ThreadPoolExecutor() as pool:
            opening = pool.submit(world.pamctl.json, "ssh", f"127.0.0.1:{busy.getsockname()[1]}", ok=False)
            eventually(lambda: world.sessions(), "the session is being opened")
            util.stays(lambda: not opening.done(), "it is probed")
            assert "10.0.0.0/8:22 added" in world.gateway.reload(ALLOWED_TARGETS="10.0.0.0/8:22")
            busy.settimeout(0.2)
            while not opening.done():
                with contextlib.suppress(TimeoutError):
                    stack.enter_context(busy.accept()[0])
            assert "not allowed" in opening.result()["message"]


def health(world):
    return run("gateway-agent", "--health", "--env-file", world.gateway.env_file).returncode


def test_secrets_in_files_of_their_own_are_read_again(folder, target):
    """In another folder than the env file's, and replaced, as editors do."""
    keys = folder / "keys"
    keys.mkdir()
    key, new = secrets.token_hex(32), secrets.token_hex(32)
    (keys / "key").write_text(named(home=key))
    with World(bot=False, env_files=True, gateways=(),
               vps={"TUNNEL_KEY": None, "TUNNEL_KEY_FILE": keys / "key", "ADMIT": "auto"}) as world:
        world.secrets += [key, new]
        world.add_gateway("home", TUNNEL_KEY=key)
        world.ready({"home"})
        world.vps.take_baseline()
        client = Client(world, open_session(world, target))
        (keys / "new").write_text(named(home=key, office=new))
        (keys / "new").rename(keys / "key")
        assert "office added" in world.vps.reload()
        (keys / "key").unlink()
        assert UNCHANGED in (line := world.vps.reload()) and str(keys / "key") in line
        (keys / "key").write_text(named(home=key))
        assert "office removed" in world.vps.reload()
        assert client.works()


@pytest.mark.skipif(os.geteuid() != 0, reason="the agent's memory is root's alone")
def test_a_key_that_was_read_is_not_left_behind_in_memory():
    with World(bot=False, env_files=True, vps={"ADMIT": "auto"}) as world:
        other = secrets.token_hex(32)
        world.secrets.append(other)
        good = world.vps.env_file.read_bytes()
        world.vps.replace_env_file(good + f"TUNNEL_KEY=home:{other},office:{other}\n".encode())
        assert UNCHANGED in (line := world.vps.reload()) and "the same key" in line
        world.vps.replace_env_file(good)
        assert other[16:48].encode() not in memory(world.vps.pid)


def memory(pid):
    """What may be written to, of which what an allocator keeps for itself cannot be read."""
    found = b""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as content:
        for start, end in re.findall(r"^([0-9a-f]+)-([0-9a-f]+) rw.. .*(?:\[heap\]|\[stack\]| 0 +)$", maps.read(), re.M):
            if (size := int(end, 16) - int(start, 16)) < 1 << 28:
                with contextlib.suppress(OSError):
                    content.seek(int(start, 16))
                    found += content.read(size)
    return found


def test_a_hang_up_does_not_disturb_an_agent_that_stops():
    with World(env_files=True) as world:
        for daemon in world.daemons():
            daemon.process.terminate()
            for _ in range(20):
                daemon.process.send_signal(signal.SIGHUP)
            assert daemon.wait_exit() == 0
