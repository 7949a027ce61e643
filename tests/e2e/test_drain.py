"""pamctl drain: no new sessions before a restart, and somebody who waits for the rest."""

import subprocess

import peers
import pytest
import util
from agents import OWNER, World, environment, program
from util import TIME_SCALE

WORLD = {"vps": {"ADMIT": "auto", "RECONNECT_GRACE": 1}}


@pytest.fixture
def target():
    with peers.Recorder(reply=peers.echo) as recorder:
        yield recorder


class Waiting:
    """pamctl drain --wait, in the background."""

    def __init__(self, world):
        self.process = subprocess.Popen([program("pamctl"), "drain", "--wait"], text=True,
                                        env=environment({"STATE_DIR": world.state_dir}),
                                        stdout=subprocess.PIPE)
        self.first = self.process.stdout.readline()

    def end(self):
        out, _ = self.process.communicate(timeout=15 * TIME_SCALE)
        return self.process.returncode, out


def test_nothing_new_is_opened_and_the_rest_goes_on(world, target):
    opened = world.pamctl.json("ssh", target.name)["session"]["id"]
    client = peers.dial(world.session(opened)["public_port"])
    client.sendall(peers.BANNER)
    world.wait_state(opened, "connected")
    result = world.pamctl("drain")
    assert result.returncode == 0 and "1 still runs" in result.stdout, result
    assert world.status()["draining"] is True
    assert "pamctl drain --off" in world.pamctl("status").stdout

    assert world.pamctl.json("ssh", target.name, ok=False)["error"] == "draining"
    since = world.api.mark()
    world.api.say(OWNER, f"/ssh {target.name}")
    world.api.wait_message("about to be restarted", since=since, chat=OWNER)

    client.sendall(b"still here\n")
    assert peers.BANNER + b"still here\n" == util.read_exactly(client, len(peers.BANNER) + 11)
    waiting = Waiting(world)
    assert "1 still runs" in waiting.first
    util.reset(client)
    status, out = waiting.end()
    assert status == 0 and "safe to restart" in out, out

    result = world.pamctl("drain", "--off")
    assert result.returncode == 0 and "opened again" in result.stdout
    assert world.status()["draining"] is False
    assert world.pamctl.json("ssh", target.name)["ok"]


def test_calling_it_off_ends_the_waiting(world, target):
    world.pamctl.json("ssh", target.name)
    waiting = Waiting(world)
    assert world.pamctl.json("drain", "--off")["draining"] is False
    status, out = waiting.end()
    assert status == 1 and "opened again" in out, out


def test_with_no_session_it_is_safe_at_once(world):
    result = world.pamctl("drain", "--wait")
    assert result.returncode == 0 and "safe to restart" in result.stdout
    assert world.pamctl("drain", "--off").returncode == 0


def test_a_restart_forgets_it():
    with World(bot=False) as world:
        assert world.pamctl("drain").returncode == 0
        world.vps.stop()
        world.vps.start()
        world.ready()
        assert world.status()["draining"] is False
        world.vps.take_baseline()


@pytest.mark.parametrize("args", [("drain", "--wait", "--off"), ("status", "--wait"), ("drain", "x"),
                                  ("ssh", "pc", "--off")])
def test_wrong_usage(world, args):
    assert world.pamctl(*args).returncode == 2
