"""An agent without a free descriptor, and callers who only stay: it does not spin, and hears the next one."""

import contextlib
import json
import os
import resource
import socket
import struct
import time

import pytest
from agents import World, run
from util import SANITIZED, TIME_SCALE, VALGRIND, eventually

pytestmark = [pytest.mark.skipif(VALGRIND, reason="valgrind has descriptors of its own"),
              pytest.mark.skipif(os.geteuid() != 0, reason="root alone sees the agents' descriptors")]
WATCHED = 2 * TIME_SCALE  # seconds in which the CPU is looked at


def dial(name):
    client = socket.socket(socket.AF_UNIX)
    # connect() waits for a place in the queue, but not for ever
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(10 * TIME_SCALE), 0))
    client.connect(name)
    client.settimeout(10 * TIME_SCALE)
    return client


def dial_admin(world):
    return dial(str(world.state_dir / "pamtunnel.sock"))


def dial_health(world):
    gateway = world.gateway
    name = f"\0pamtunnel-gateway:{world.control_port}:{gateway.settings['GATEWAY_NAME']}:{world.vps_host}"
    return dial(name)


@contextlib.contextmanager
def no_descriptor_left(daemon):
    """Its limit is the lowest number that is free."""
    soft, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    taken = {int(number) for number in os.listdir(f"/proc/{daemon.pid}/fd")}
    lowest = min(set(range(len(taken) + 1)) - taken)
    with contextlib.ExitStack() as undo:
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (lowest, hard))
        undo.callback(resource.prlimit, daemon.pid, resource.RLIMIT_NOFILE, (soft, hard))
        yield


def cpu_share(daemon, seconds=WATCHED):
    """How much of the time it computes."""
    cpu, since = daemon.cpu_seconds(), time.monotonic()
    time.sleep(seconds)  # nothing is to happen: there is no event to wait for
    return (daemon.cpu_seconds() - cpu) / (time.monotonic() - since)


def crowd(world, dial):
    """Callers, of whom every other one is gone again before anybody looks."""
    callers = [dial(world) for _ in range(12)]
    for caller in callers[::2]:
        caller.close()
    return callers[1::2]


@pytest.fixture
def world():
    with World(bot=False) as world:
        yield world


def test_vps_agent_does_not_spin_at_the_admin_socket(world):
    with no_descriptor_left(world.vps):
        callers = crowd(world, dial_admin)
        assert cpu_share(world.vps) < 0.2
        assert world.pamctl.json("status")["ok"], "pamctl still works"
        health = run("vps-agent", "--local", "--health", env=world.vps.settings)
        assert health.returncode == 0, health.stdout
        for caller in callers:
            caller.close()
        assert cpu_share(world.vps) < 0.2, "nor when they have gone"


def test_gateway_agent_does_not_spin_at_the_health_socket(world):
    gateway = world.gateway
    with no_descriptor_left(gateway):
        callers = crowd(world, dial_health)
        for caller in callers:
            assert caller.recv(100) == b"connected to the VPS, 0 tunnels\n"
        assert cpu_share(gateway) < 0.2
        health = run("gateway-agent", "--health", env=gateway.settings)
        assert (health.returncode, health.stdout) == (0, "healthy: connected to the VPS, 0 tunnels\n")
        for caller in callers:
            caller.close()
        assert cpu_share(gateway) < 0.2


def test_many_silent_callers_do_not_lock_pamctl_out(world):
    callers = [dial_admin(world) for _ in range(40)]
    for _ in range(3):
        assert world.pamctl.json("status")["ok"]
    health = run("vps-agent", "--local", "--health", env=world.vps.settings)
    assert health.returncode == 0, health.stdout
    for caller in callers:
        caller.close()


def test_answers_that_nobody_reads_do_not_pile_up(world):
    caller = dial_admin(world)
    before = world.vps.rss_kb()
    caller.settimeout(1 * TIME_SCALE)
    with contextlib.suppress(TimeoutError):  # it reads no more
        for _ in range(60):
            caller.sendall(b'{"command":"status"}\n' * 1000)
    assert world.vps.rss_kb() - before < (40000 if SANITIZED else 4000)  # it was 92 MB
    assert world.pamctl.json("status")["ok"]
    # What was taken is answered when it is read, and the call goes on.
    answers = caller.makefile("rb")
    for _ in range(100):
        assert json.loads(answers.readline())["ok"]
    caller.close()


def test_the_last_descriptor_is_given_back(world):
    before = len(os.listdir(f"/proc/{world.vps.pid}/fd"))
    with no_descriptor_left(world.vps):
        for _ in range(5):
            assert world.pamctl.json("status")["ok"]
    eventually(lambda: len(os.listdir(f"/proc/{world.vps.pid}/fd")) == before, "all are closed")
