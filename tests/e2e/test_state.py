"""The state file: what vps-agent still knows after a restart, and what it does without."""

import os
import re
import sqlite3
import stat
import subprocess
import time

import pytest
import util
from agents import Daemon, World, program
from peers import BANNER, Recorder, dial, echo
from util import eventually, read_exactly

NO_GRACE = {"RECONNECT_GRACE": 0}
ADDRESS, OTHER = "127.0.2.1", "127.0.2.2"


@pytest.fixture
def target():
    with Recorder(echo) as recorder:
        yield recorder


def restart(world, how="stop"):
    getattr(world.vps, how)()
    world.vps.start()
    world.ready(timeout=30)


def come(world, target, address):
    """A new session, and a client from there at its door."""
    session = world.pamctl.json("ssh", target.name)["session"]
    client = dial(session["public_port"], address)
    client.sendall(BANNER)
    return session, client


def is_let_in(client):
    return read_exactly(client, len(BANNER)) == BANNER


def admit(world, target, address):
    session, client = come(world, target, address)
    eventually(lambda: world.session(session["id"])["parked"], "it is asked about")
    world.pamctl.json("admit", session["id"], address)
    assert is_let_in(client)
    for end in (client, target.talked[-1].socket):
        end.close()
    world.wait_state(session["id"], "ended")    # by itself: Close so soon would take it back


def assert_asked_about(world, target, address):
    session, client = come(world, target, address)
    eventually(lambda: world.session(session["id"])["parked"] == [address], "it is asked about")
    client.close()
    world.close_all()


def known(world):
    return {(entry["owner"], entry["address"]) for entry in world.pamctl.json("known")["known"]}


def database(world):
    return world.state_dir / "state.db"


def in_file(world):
    """What a kill -9 would leave."""
    connection = sqlite3.connect(database(world))
    rows = connection.execute("SELECT address FROM known").fetchall()
    connection.close()
    return [address for (address,) in rows]


# ---------------------------------------------------------------- known addresses

@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_known_address_is_known_after_a_restart(target, how):
    with World(bot=False, vps=NO_GRACE) as world:
        admit(world, target, ADDRESS)
        eventually(lambda: in_file(world) == [ADDRESS], "it is in the file")
        restart(world, how)
        assert known(world) == {(f"uid:{os.getuid()}", ADDRESS)}
        assert is_let_in(come(world, target, ADDRESS)[1])


def test_a_machine_has_one_host_key_alias_before_and_after_a_restart(target):
    """Two gateways of one key: ssh would ask about the host key again, whichever comes back first."""
    with World(bot=False, gateways=("home", "office")) as world:
        def alias():
            return re.search("HostKeyAlias=([^ ]+)", world.pamctl("ssh", f"home/{target.name}").stdout)[1]
        before = alias()
        assert before.startswith("home/")
        world.vps.stop()
        office = next(daemon for daemon in world.gateways.values() if daemon.settings["GATEWAY_NAME"] == "office")
        office.stop()
        world.vps.start()
        world.ready(["home"])
        assert alias() == before


def test_a_forgotten_address_is_asked_about_again_and_after_a_restart(target):
    with World(bot=False, vps=NO_GRACE) as world:
        for address in (ADDRESS, OTHER):
            admit(world, target, address)
        result = world.pamctl("forget", ADDRESS)
        assert result.returncode == 0 and ADDRESS in result.stdout, result
        assert_asked_about(world, target, ADDRESS)
        eventually(lambda: in_file(world) == [OTHER], "it is in the file")
        restart(world, "kill")
        assert {address for _, address in known(world)} == {OTHER}
        assert_asked_about(world, target, ADDRESS)


def test_pamctl_lists_what_is_known_and_says_what_is_not(target):
    with World(bot=False, vps={**NO_GRACE, "KNOWN_DAYS": 7}) as world:
        assert "No address is known" in world.pamctl("known").stdout
        before = int(time.time())
        admit(world, target, ADDRESS)
        (entry,) = world.pamctl.json("known")["known"]
        me = f"uid:{os.getuid()}"
        assert entry["owner"] == entry["admitted_by"] == me and entry["address"] == ADDRESS
        assert before <= entry["since"] <= entry["used"] <= time.time()
        assert entry["until"] == entry["used"] + 7 * 86400
        shown = world.pamctl("known").stdout
        assert ADDRESS in shown and me in shown and time.strftime("%Y-%m-%d", time.gmtime(entry["until"])) in shown
        assert world.pamctl.json("forget", OTHER, ok=False)["error"] == "not_known"
        for junk in ("", "home", "10.0.0.0/8", "2001:db8::/48", "1.2.3.4/64", ":" * 60):
            assert world.pamctl.json("forget", junk, ok=False)["error"] == "invalid", junk
        assert world.pamctl.json("forget", "2001:db8::/64", ok=False)["error"] == "not_known"


# ---------------------------------------------------------------- the file

def test_nobody_else_may_read_the_state_file():
    with World(bot=False, vps=NO_GRACE) as world:
        files = [path for path in world.state_dir.iterdir() if path.name.startswith("state.db")]
        assert database(world) in files
        for path in files:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_second_agent_says_which_folder_is_taken():
    with World(bot=False, vps=NO_GRACE) as world:
        ports = util.free_range(3)
        settings = {**world.vps.settings, "PORT_RANGE_START": ports, "PORT_RANGE_END": ports + 1,
                    "CONTROL_PORT": ports + 2}
        second = Daemon("vps-agent", world.folder, settings, ["--local"], tag="second").start()
        assert second.wait_exit() == 1
        assert f"another vps-agent is running with this STATE_DIR, {world.state_dir}" in second.log
        assert world.status()


def test_a_folder_that_cannot_be_used_is_one_line_with_what_to_do(as_nobody):
    cases = ("/proc/not/there", "make its parent folder first"), ("/", "run vps-agent as the user that it belongs to")
    with World(bot=False, vps=NO_GRACE) as world:
        for folder, advice in cases:
            settings = {**world.vps.settings, "STATE_DIR": folder}
            words = ["env", *(f"{name}={value}" for name, value in settings.items())]
            result = subprocess.run([*as_nobody, *words, program("vps-agent"), "--local"], capture_output=True,
                                    text=True, timeout=20)
            assert result.returncode == 1 and len(result.stderr.splitlines()) == 1, result
            assert f"STATE_DIR {folder}" in result.stderr and advice in result.stderr, result


def test_what_close_takes_back_is_said(target):
    with World(bot=False) as world:
        session, client = come(world, target, ADDRESS)
        eventually(lambda: world.session(session["id"])["parked"], "it is asked about")
        world.pamctl.json("admit", session["id"], ADDRESS)
        assert is_let_in(client)
        shown = world.pamctl("close", session["id"]).stdout
        assert f"{ADDRESS} was admitted less than a minute ago, and is forgotten again" in shown
        client.close()


def unlock_what_is_in_doubt(world):
    """Nobody knows whether somebody had locked it: so it is, until somebody on the server says otherwise."""
    assert "locked:    since " in world.pamctl("status").stdout
    assert world.pamctl.json("status")["locked"]["by"] == "state_file"
    refused = world.pamctl.json("ssh", "127.0.0.1", ok=False)
    assert refused["error"] == "locked" and "its state file could not be read" in refused["message"]
    assert world.pamctl.json("unlock")["changed"]


def test_a_damaged_file_is_put_aside_and_said_once(target):
    with World(bot=False, vps=NO_GRACE) as world:
        world.vps.stop()
        database(world).write_bytes(b"this is no database" * 1000)
        world.vps.start()
        world.ready(timeout=30)
        assert world.vps.count_log("is damaged") == 1
        assert database(world).with_name("state.db.damaged").exists()
        assert world.vps.count_log("nobody can tell whether the server was locked") == 1
        restart(world)
        unlock_what_is_in_doubt(world)
        admit(world, target, ADDRESS)
        restart(world)
        assert world.vps.count_log("is damaged") == 1
        assert is_let_in(come(world, target, ADDRESS)[1])


def test_a_file_of_a_newer_version_is_refused_and_left_alone():
    with World(bot=False, vps=NO_GRACE) as world:
        world.vps.stop()
        with sqlite3.connect(database(world)) as connection:
            connection.execute("PRAGMA user_version=99")
        connection.close()
        before = database(world).read_bytes()
        world.vps.start()
        assert world.vps.wait_exit() == 1
        assert f"{database(world)} was written by a newer version (its schema is 99" in world.vps.log
        assert database(world).read_bytes() == before


def test_without_a_usable_file_it_works_but_forgets(target):
    with World(bot=False, vps={**NO_GRACE, "AUDIT_FULL": "continue"}) as world:
        world.vps.stop()
        for path in world.state_dir.glob("state.db*"):
            path.unlink()
        database(world).mkdir()
        world.vps.start()
        world.ready(timeout=30)
        assert world.vps.count_log("going on without what was kept in it") == 1
        unlock_what_is_in_doubt(world)
        admit(world, target, ADDRESS)
        assert is_let_in(come(world, target, ADDRESS)[1])
        restart(world)
        assert not known(world)


def test_who_looks_into_the_file_disturbs_nobody(target):
    """With sqlite3 beside the running agent: it reads, and its lock delays what is recorded, by some seconds, and
    nothing else."""
    with World(bot=False, vps={**NO_GRACE, "AUDIT_FULL": "continue"}) as world:
        admit(world, target, ADDRESS)
        connection = sqlite3.connect(database(world), isolation_level=None)
        (count,) = connection.execute("SELECT count(*) FROM known WHERE address=?", (ADDRESS,)).fetchone()
        assert count == 1
        connection.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        admit(world, target, OTHER)
        assert time.monotonic() - began < 15 * util.TIME_SCALE
        connection.execute("ROLLBACK")
        connection.close()
        restart(world)
        assert len(known(world)) == 2
