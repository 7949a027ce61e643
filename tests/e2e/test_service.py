"""The agents as services: what a service manager and a health check learn from them, and
what they can do no more once they run."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess

import peers
import pytest
import util
from agents import Daemon, World, environment, program, run
from util import eventually, stays

KEY = "0123456789abcdef" * 4


class Manager:
    """A service manager's end of sd_notify(3)."""

    def __init__(self, folder, abstract=False):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = f"@pamtunnel-test-{os.getpid()}" if abstract else f"{folder}/notify"
        self.socket.bind(name.replace("@", "\0"))
        self.settings = {"NOTIFY_SOCKET": name}
        self.heard = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def listen(self):
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.heard += self.socket.recv(4096).decode().splitlines()
        return self.heard

    def wait(self, line, timeout=10):
        return eventually(lambda: [h for h in self.listen() if re.fullmatch(line, h)], f"told {line}", timeout)


def settings_of_vps(folder, **settings):
    start = util.free_range(11)
    return {"VPS_HOST": "127.0.0.1", "TUNNEL_KEY": KEY, "CONTROL_PORT": start + 10, "PORT_RANGE_START": start,
            "PORT_RANGE_END": start + 9, "STATE_DIR": folder, **settings}


@contextlib.contextmanager
def running(name, folder, settings, *args):
    daemon = Daemon(name, folder, settings, list(args)).start()
    try:
        yield daemon
    finally:
        daemon.kill()


# ---------------------------------------------------------------- sd_notify

@pytest.mark.parametrize("abstract", [False, True])
def test_vps_agent_is_ready_when_its_ports_answer_and_says_when_it_stops(folder, abstract):
    settings = settings_of_vps(folder)
    with Manager(folder, abstract) as manager, \
            running("vps-agent", folder, settings | manager.settings, "--local") as vps:
        manager.wait("READY=1")
        socket.create_connection(("127.0.0.1", settings["CONTROL_PORT"]), 5).close()
        assert run("vps-agent", "--local", "--health", env=settings).returncode == 0
        assert f"port {settings['CONTROL_PORT']}" in " ".join(manager.wait("STATUS=.*"))
        assert "STOPPING=1" not in manager.listen() and "WATCHDOG=1" not in manager.heard
        vps.stop()
        manager.wait("STOPPING=1")
        assert manager.heard.count("READY=1") == 1 and manager.heard.count("STOPPING=1") == 1


def test_an_agent_that_cannot_start_is_never_ready(folder):
    with util.server() as taken, Manager(folder) as manager:
        port = taken.getsockname()[1]
        result = run("vps-agent", "--local", env=settings_of_vps(
            folder, CONTROL_PORT=port, BIND_ADDRESS="127.0.0.1", **manager.settings))
        assert result.returncode == 1
        assert "READY=1" not in manager.listen()


def test_gateway_agent_says_whether_it_is_connected(folder):
    with Manager(folder) as manager, World(bot=False, gateway=manager.settings) as world:
        manager.wait("READY=1")
        manager.wait("STATUS=connected to the VPS")
        assert manager.heard.index("READY=1") < manager.heard.index("STATUS=connected to the VPS")
        world.vps.stop()
        eventually(lambda: manager.listen()[-1] == "STATUS=not connected to the VPS", "it says that it lost it")
        world.gateway.stop()
        manager.wait("STOPPING=1")


@pytest.mark.parametrize("name", ["vps-agent", "gateway-agent"])
def test_the_beats_come_and_stop_when_the_agent_hangs(name, folder):
    args = ["--local"] if name == "vps-agent" else []
    with Manager(folder) as manager, running(name, folder, settings_of_vps(folder) | manager.settings | {
            "WATCHDOG_USEC": 200_000}, *args) as daemon:
        eventually(lambda: manager.listen().count("WATCHDOG=1") > 5, "six beats")
        daemon.freeze()
        manager.listen()
        manager.heard.clear()
        stays(lambda: "WATCHDOG=1" not in manager.listen(), "no beats come", 0.5)
        daemon.thaw()
        manager.wait("WATCHDOG=1")
        daemon.stop()


def test_a_manager_that_is_not_there_is_no_reason_to_stop(folder):
    settings = settings_of_vps(folder, NOTIFY_SOCKET=f"{folder}/absent", WATCHDOG_USEC=100_000)
    with running("vps-agent", folder, settings, "--local") as vps:
        vps.wait_log("NOTIFY_SOCKET")
        eventually(lambda: run("vps-agent", "--local", "--health", env=settings).returncode == 0, "it runs")
        vps.stop()


# ---------------------------------------------------------------- --health

def health(daemon, **settings):
    """(exit status, the line)"""
    result = run(daemon.name, *daemon.args, "--health", env=daemon.settings | settings, timeout=8)
    assert result.stdout.count("\n") == 1 and not result.stderr, result
    return result.returncode, result.stdout.strip()


def test_health_of_both_agents():
    with peers.Recorder() as target, World() as world:
        assert health(world.vps) == (0, "healthy: Telegram online, 1 gateway, 0 sessions")
        assert health(world.gateway) == (0, "healthy: connected to the VPS, 0 tunnels")
        assert health(world.gateway, GATEWAY_NAME="other")[0] == 1
        world.ssh(target.name)
        assert health(world.vps)[1].endswith(", 1 session")
        assert health(world.gateway) == (0, "healthy: connected to the VPS, 1 tunnel")
        world.vps.stop()
        assert health(world.vps) == (1, "not healthy: no agent is running with these settings")
        eventually(lambda: health(world.gateway) == (1, "not healthy: not connected to the VPS, 0 tunnels"), "it noticed")
        world.gateway.stop()
        assert health(world.gateway) == (1, "not healthy: no agent is running with these settings")


def test_health_of_an_agent_that_hangs_is_told_within_three_seconds():
    with World(bot=False) as world:
        for daemon in world.daemons():
            daemon.freeze()
            try:
                before = util.time.monotonic()
                status, line = health(daemon)
                assert (status, line) == (1, "not healthy: the agent does not answer")
                assert util.time.monotonic() - before < 3.5 * util.TIME_SCALE
            finally:
                daemon.thaw()


def test_health_with_wrong_settings_is_status_2(folder):
    result = run("gateway-agent", "--health", env={"VPS_HOST": "x", "TUNNEL_KEY": "short"})
    assert result.returncode == 2 and "TUNNEL_KEY" in result.stderr


def test_who_asks_for_the_gateways_health_and_goes_on_costs_nothing():
    """Anybody on the machine can: he gets his line and is hung up on."""
    with World(bot=False) as world:
        s = world.gateway.settings
        name = f"\0pamtunnel-gateway:{s['CONTROL_PORT']}:{s['GATEWAY_NAME']}:{s['VPS_HOST']}"
        for _ in range(200):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(10)
                client.connect(name)
                with contextlib.suppress(BrokenPipeError):
                    client.sendall(b"x" * 1000)
                data = b""
                with contextlib.suppress(ConnectionResetError):
                    while more := client.recv(100):
                        data += more
                assert data == b"connected to the VPS, 0 tunnels\n"


def test_two_gateways_with_the_same_settings_both_run():
    with World(bot=False) as world:
        second = world.add_gateway("lan")
        second.wait_log("--health")
        assert health(world.gateway)[0] in (0, 1), "one of them answers"
        second.stop()


# ---------------------------------------------------------------- sandbox

sandboxed = pytest.mark.skipif(util.SANITIZED or util.VALGRIND or os.environ.get("SANDBOX") == "off",
                               reason="these run without a sandbox")


def threads(daemon):
    """What /proc says of each thread."""
    found = []
    for task in pathlib.Path(f"/proc/{daemon.pid}/task").iterdir():
        found.append(dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line))
    return found


@sandboxed
def test_all_threads_of_both_agents_are_in_the_sandbox_during_a_session():
    with peers.Recorder(reply=peers.echo) as target, World(vps={"ADMIT": "auto"}) as world:
        message = world.ssh(target.name)
        with peers.dial(int(re.search(r"-p (\d+)", message.code[0])[1])) as client:
            client.sendall(peers.BANNER)
            assert util.read_exactly(client, len(peers.BANNER)) == peers.BANNER
            for daemon in world.daemons():
                found = threads(daemon)
                assert len(found) >= 2, "the loop and a worker"
                for thread in found:
                    assert thread["NoNewPrivs"] == "1" and thread["Seccomp"] == "2", thread
                limits = pathlib.Path(f"/proc/{daemon.pid}/limits").read_text()
                assert re.search(r"Max core file size\s+0\s+0\s", limits), limits
                assert not daemon.count_log("sandbox"), "it is complete here"


@sandboxed
@pytest.mark.parametrize("name", ["vps-agent", "gateway-agent"])
def test_an_agent_says_once_that_its_sandbox_is_off_and_goes_on(name, folder):
    args = ["--local"] if name == "vps-agent" else []
    with running(name, folder, settings_of_vps(folder, SANDBOX="off"), *args) as daemon:
        daemon.wait_log("without a sandbox")
        assert daemon.count_log("sandbox") == 1
        assert threads(daemon)[0]["Seccomp"] == "0"
        daemon.stop()


SECCOMP_REFUSED = r"""
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
number = struct.pack
# These calls give ENOSYS, as on an old kernel; of prctl(2) only PR_SET_SECCOMP.
calls = [int(n) for n in sys.argv[1].split(",")]
load, load_option, allow, refuse = (0x20, 0, 0, 0), (0x20, 0, 0, 16), (6, 0, 0, 0x7fff0000), (6, 0, 0, 0x50000 | 38)
program = [load]
for call in calls:
    if call == int(sys.argv[2]):
        program += [(0x15, 0, 4, call), load_option, (0x15, 0, 1, 22), refuse, allow]
    else:
        program += [(0x15, 0, 1, call), refuse]
program += [allow]
code = b"".join(number("HBBI", *p) for p in program)
buffer = ctypes.create_string_buffer(code)
class Prog(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
prog = Prog(len(program), ctypes.addressof(buffer))
assert libc.prctl(22, 2, ctypes.byref(prog), 0, 0) == 0, os.strerror(ctypes.get_errno())
os.execv(sys.argv[3], sys.argv[3:])
"""
LANDLOCK = 444
SECCOMP, PRCTL = {"x86_64": (317, 157), "aarch64": (277, 167)}.get(os.uname().machine, (383, 172))


@sandboxed
@pytest.mark.parametrize("calls, missing, there", [([LANDLOCK], "Landlock", "seccomp"), ([SECCOMP, PRCTL], "seccomp", "Landlock"),
                                                   ([LANDLOCK, SECCOMP, PRCTL], "Landlock.*seccomp", "core dumps")])
def test_on_a_kernel_that_lacks_a_part_it_says_so_once_and_goes_on(folder, calls, missing, there):
    settings = settings_of_vps(folder)
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(["/usr/bin/python3", "-c", SECCOMP_REFUSED, ",".join(map(str, calls)), str(PRCTL),
                                    program("vps-agent"), "--local"], env=environment(settings), stderr=log)
    try:
        eventually(lambda: run("vps-agent", "--local", "--health", env=settings).returncode == 0, "it runs")
        lines = [line for line in (folder / "log").read_text().splitlines() if "sandbox" in line]
        assert len(lines) == 1 and re.search(missing, lines[0]) and there not in lines[0], lines
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10 * util.TIME_SCALE) == 0
