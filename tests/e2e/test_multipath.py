"""MULTIPATH=on: between the agents are two lines, and one of them dies while somebody works."""

import shutil
import subprocess
import threading
import time

import netns
import peers
import pytest
import sshd as openssh
from agents import World, run
from proxies import Proxy
from sshd import USER, Sshd
from util import TIME_SCALE, eventually

IPPROTO_MPTCP = 262
SECOND = {"vps": "198.51.101.1", "gateway": "198.51.101.2"}
WORLD = {"vps": {"ADMIT": "auto", "MULTIPATH": "on", "DATA_PORT": "control"}, "gateway": {"MULTIPATH": "on", "KEEPALIVE_SECS": 2}}
RANDOM = {**WORLD, "vps": {**WORLD["vps"], "DATA_PORT": "random"}}
ENDPOINT = ["mptcp", "endpoint", "add", SECOND["gateway"], "dev", "wan2", "subflow", "fullmesh"]


def kernel_can(namespace):
    import socket

    def make():
        try:
            socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP).close()
        except OSError:
            return False
        return True
    return namespace.inside(make) and subprocess.run(["ip", "mptcp", "endpoint"], capture_output=True).returncode == 0


@pytest.fixture
def two_lines(internet):
    """As docs/reliability.md says."""
    if not kernel_can(internet.gateway):
        pytest.skip("this kernel, or this ip(8), has no MPTCP")
    internet._link(internet.gateway, "wan2", internet.vps, "gw2")
    internet._address(internet.vps, "gw2", f"{SECOND['vps']}/29")
    internet._address(internet.gateway, "wan2", f"{SECOND['gateway']}/29")
    for namespace in (internet.vps, internet.gateway):
        namespace.ip("mptcp", "limits", "set", "subflows", "2", "add_addr_accepted", "2")
    internet.vps.ip("mptcp", "endpoint", "add", SECOND["vps"], "dev", "gw2", "signal")
    internet.gateway.ip(*ENDPOINT)
    yield internet
    internet.mend()
    for namespace in (internet.vps, internet.gateway):
        namespace.ip("mptcp", "endpoint", "flush")
    internet.vps.ip("link", "del", "gw2")


class Ticks:
    """A real ssh that hears from its far end ten times a second."""

    def __init__(self, command, config, namespace, count):
        script = f"i=0; while [ $i -lt {count} ]; do i=$((i+1)); echo $i; sleep 0.1; done"
        argv = namespace.command(*openssh.with_config(command, config), script)
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.heard = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for _ in self.process.stdout:
            self.heard.append(time.monotonic())

    def end(self, timeout):
        self.reader.join(timeout)
        self.process.kill()
        return max((b - a for a, b in zip(self.heard, self.heard[1:], strict=False)), default=0)


def established(namespace, kind):
    out = subprocess.run(namespace.command("ss", "-HMnt", "state", "established"),
                         capture_output=True, text=True).stdout
    return [line for line in out.splitlines() if "198.51.10" in line and line.startswith(kind)]


@pytest.mark.slow
@pytest.mark.parametrize("settings", [WORLD, RANDOM], ids=["control", "random"])
def test_a_session_outlives_one_of_two_lines(two_lines, settings):
    with World(net=two_lines, **settings) as world, Sshd("0.0.0.0", two_lines.lan, 22) as server:
        config = server.client_config("HOME-PC")
        command = world.ssh(f"{USER}@HOME-PC").code[0]
        ticks = Ticks(command, config, two_lines.client, 100)
        try:
            assert eventually(lambda: len(ticks.heard) > 10, "ssh runs", 20), world.vps.log
            assert eventually(lambda: any(SECOND["vps"] in line for line in established(two_lines.gateway, "tcp")),
                              "the second line is used, too", 10)
            two_lines.cut()
            gap = ticks.end(60 * TIME_SCALE)
        finally:
            ticks.process.kill()
        assert len(ticks.heard) == 100, (len(ticks.heard), world.vps.log[-3000:])
        assert gap < 5 * TIME_SCALE, f"nothing came for {gap:.1f} s"
        assert world.status()["gateways"], "the gateway's login goes on over the other line"
        assert "MULTIPATH is on, but" not in world.vps.log + world.gateway.log
        two_lines.mend()


def joined(namespace):
    """The ports of the VPS to which something takes the second line."""
    lines = [line.split()[4] for line in established(namespace, "tcp") if SECOND["gateway"] in line.split()[3]]
    return [int(peer.rpartition(":")[2]) for peer in lines]


@pytest.mark.slow
def test_a_line_that_comes_later_is_taken_up(two_lines):
    """At a data port of its own: it is listened on for as long as its session lives, and closed with it."""
    for namespace in (two_lines.gateway, two_lines.vps):
        namespace.ip("mptcp", "endpoint", "flush")
    with World(net=two_lines, **RANDOM) as world, Sshd("0.0.0.0", two_lines.lan, 22) as server:
        config = server.client_config("HOME-PC")
        command = world.ssh(f"{USER}@HOME-PC").code[0]
        session = world.sessions()[0]
        ticks = Ticks(command, config, two_lines.client, 100)
        try:
            assert eventually(lambda: len(ticks.heard) > 10, "ssh runs", 20), world.vps.log
            assert not joined(two_lines.gateway)
            assert peers.listening(session["data_port"], world.vps.pid)
            with two_lines.client.connect(netns.VPS, session["data_port"], netns.CLIENT) as stranger:
                assert stranger.recv(1) == b"", "nobody else gets in there"
            two_lines.gateway.ip(*ENDPOINT)
            assert eventually(lambda: session["data_port"] in joined(two_lines.gateway), "it is taken up", 10)
            two_lines.cut()
            gap = ticks.end(60 * TIME_SCALE)
        finally:
            ticks.process.kill()
        assert len(ticks.heard) == 100, (len(ticks.heard), world.vps.log[-3000:])
        assert gap < 5 * TIME_SCALE, f"nothing came for {gap:.1f} s"
        two_lines.mend()
        world.close_all()
        eventually(lambda: not peers.listening(session["data_port"], world.vps.pid), "its port is closed")


def test_public_ports_and_targets_take_one_path(two_lines):
    with World(net=two_lines, **WORLD) as world, Sshd("0.0.0.0", two_lines.lan, 22) as server:
        config = server.client_config("HOME-PC")
        ticks = Ticks(world.ssh(f"{USER}@HOME-PC").code[0], config, two_lines.client, 1000)
        try:
            assert eventually(lambda: len(ticks.heard) > 3, "ssh runs", 20)
            mptcp = established(two_lines.gateway, "mptcp")
            assert len(mptcp) == 2, f"the control connection and a data channel: {mptcp}"
            all_of_vps = subprocess.run(two_lines.vps.command("ss", "-HMn"), capture_output=True, text=True).stdout
            assert netns.CLIENT not in all_of_vps, all_of_vps
            targets = subprocess.run(two_lines.gateway.command("ss", "-HMn"), capture_output=True, text=True).stdout
            assert netns.TARGET not in targets, targets
        finally:
            ticks.process.kill()
        world.close_all()


@pytest.mark.parametrize("side", ["vps", "gateway"])
def test_a_side_without_it_is_served_over_one_path(two_lines, side):
    settings = {name: dict(values) for name, values in WORLD.items()}
    settings[side].pop("MULTIPATH")
    with World(net=two_lines, **settings) as world, Sshd("0.0.0.0", two_lines.lan, 22) as server:
        config = server.client_config("HOME-PC")
        result = openssh.ssh(world.ssh(f"{USER}@HOME-PC").code[0], config, "echo done", namespace=two_lines.client)
        assert result.stdout == b"done\n", result


@pytest.mark.skipif(not shutil.which("iptables"), reason="no iptables here")
def test_what_takes_the_option_away_on_the_way_leaves_one_path(two_lines):
    rule = ["INPUT", "-p", "tcp", "-j", "TCPOPTSTRIP", "--strip-options", "30"]
    iptables = two_lines.vps.command("iptables", "-w", "-t", "mangle")
    if subprocess.run([*iptables, "-A", *rule], capture_output=True).returncode:
        pytest.skip("this kernel strips no options")
    try:
        with World(net=two_lines, **RANDOM) as world, Sshd("0.0.0.0", two_lines.lan, 22) as server:
            config = server.client_config("HOME-PC")
            result = openssh.ssh(world.ssh(f"{USER}@HOME-PC").code[0], config, "echo done", namespace=two_lines.client)
            assert result.stdout == b"done\n", result
            assert not any(SECOND["gateway"] in line for line in established(two_lines.gateway, "tcp"))
    finally:
        subprocess.run([*iptables, "-D", *rule], check=True, capture_output=True)


def test_doctor_says_that_a_kernel_has_it(two_lines):
    with World(net=two_lines, **WORLD) as world:
        for agent in (world.vps, world.gateway):
            told = run(agent.name, "--doctor", env=agent.settings, timeout=60, prefix=agent.namespace.command()).stdout
            assert "ok  MULTIPATH: this system has MPTCP" in told, told
            told = run(agent.name, "--doctor", env={**agent.settings, "MULTIPATH": "off"}, timeout=60,
                       prefix=agent.namespace.command()).stdout
            assert "MULTIPATH" not in told, told


def test_with_a_proxy_there_is_one_path_and_doctor_says_so(two_lines):
    proxy = two_lines.vps.inside(lambda: Proxy(address=("198.51.100.1", 3128)).__enter__())
    try:
        with World(net=two_lines, vps=WORLD["vps"], gateway={**WORLD["gateway"], "VPS_PROXY": "http://198.51.100.1:3128"}) as world:
            assert not established(two_lines.gateway, "mptcp")
            told = run("gateway-agent", "--doctor", env=world.gateway.settings, timeout=60, prefix=two_lines.gateway.command()).stdout
            assert "--  MULTIPATH: a proxy has one path" in told, told
    finally:
        proxy.__exit__()


def test_a_kernel_without_it_is_said_once_and_does_no_harm(internet):
    switch = ["sysctl", "-qw", "net.mptcp.enabled="]
    if not kernel_can(internet.gateway):
        pytest.skip("this kernel has no MPTCP to switch off")
    for namespace in (internet.vps, internet.gateway):
        subprocess.run(namespace.command(*switch[:2], switch[2] + "0"), check=True, capture_output=True)
    try:
        with World(net=internet, **WORLD) as world, Sshd("0.0.0.0", internet.lan, 22) as server:
            for agent in (world.vps, world.gateway):
                assert agent.count_log("MULTIPATH is on, but this system has no MPTCP") == 1
                told = run(agent.name, "--check", env=agent.settings, prefix=agent.namespace.command()).stdout
                assert "But MULTIPATH is on, and this system has no MPTCP" in told, told
                told = run(agent.name, "--doctor", env=agent.settings, timeout=60, prefix=agent.namespace.command()).stdout
                assert "!!  MULTIPATH: this system has no MPTCP" in told and "sudo sysctl net.mptcp.enabled=1" in told, told
            config = server.client_config("HOME-PC")
            result = openssh.ssh(world.ssh(f"{USER}@HOME-PC").code[0], config, "echo done", namespace=internet.client)
            assert result.stdout == b"done\n", result
    finally:
        for namespace in (internet.vps, internet.gateway):
            subprocess.run(namespace.command(*switch[:2], switch[2] + "1"), check=True, capture_output=True)
