"""pamctl drain: no new sessions before a restart, and somebody who waits for the rest."""

import signal
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

    def __init__(self, world, *options):
        self.process = subprocess.Popen([program("pamctl"), "drain", "--wait", *options], text=True,
                                        env=environment({"STATE_DIR": world.state_dir}),
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.first = self.process.stdout.readline() if "--json" not in options else None

    def end(self):
        out, self.errors = self.process.communicate(timeout=15 * TIME_SCALE)
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


WHAT_IS_LEFT = "1 session is open, and vps-agent still opens no new ones; `pamctl drain --off` lets it open them again"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_interrupted_is_told_what_is_left_behind(world, target, number):
    opened = world.pamctl.json("ssh", target.name)["session"]["id"]
    waiting = Waiting(world)
    waiting.process.send_signal(number)
    status, out = waiting.end()
    assert status == -number, "a shell shows 130 for SIGINT, and ends the script that waited"
    assert waiting.errors == f"pamctl: interrupted: {WHAT_IS_LEFT}\n"
    assert out.startswith(f"{opened}  ssh {target.name}  waiting  ")
    assert world.status()["draining"] is True
    assert world.pamctl("drain", "--off").returncode == 0


def test_a_signal_that_is_ignored_does_not_interrupt(world, target):
    """In the background of a script, SIGINT is for others."""
    world.pamctl.json("ssh", target.name)
    waiting = Waiting.__new__(Waiting)
    waiting.process = subprocess.Popen(["sh", "-c", "trap '' INT; exec \"$@\"", "sh", program("pamctl"), "drain", "--wait"],
                                       text=True, env=environment({"STATE_DIR": world.state_dir}),
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert "1 still runs" in waiting.process.stdout.readline()
    waiting.process.send_signal(signal.SIGINT)
    world.close_all()
    status, out = waiting.end()
    assert status == 0 and "safe to restart" in out
    assert world.pamctl("drain", "--off").returncode == 0


def test_waiting_can_have_an_end(world, target):
    opened = world.pamctl.json("ssh", target.name)["session"]["id"]
    for options in (["--wait", "--timeout", "0"], ["--timeout=1"]):
        result = world.pamctl("drain", *options)
        assert result.returncode == 1
        assert result.stderr == f"pamctl: waited for {options[-1][-1]} s: {WHAT_IS_LEFT}\n"
        assert f"\n{opened}  ssh {target.name}  waiting  " in result.stdout
    answer = world.pamctl.json("drain", "--timeout=0", ok=False)
    assert answer["error"] == "timeout" and answer["draining"] is True and answer["sessions"] == 1
    assert [session["id"] for session in answer["left"]] == [opened]
    world.close_all()
    assert world.pamctl("drain", "--timeout", "10").returncode == 0
    assert world.pamctl("drain", "--off").returncode == 0
