"""CONGESTION_CONTROL: which connections get another one than the system gives. bbr is not needed
here: reno is there everywhere, and is as good a sign."""

import contextlib
import pathlib
import shutil
import subprocess

import netns
import pytest
from agents import World, port_of, run
from peers import BANNER, Recorder, dial, echo
from util import read_exactly

pytestmark = pytest.mark.skipif(not shutil.which("ss"), reason="ss shows what connections have")


def kernel(name):
    return pathlib.Path(f"/proc/sys/net/ipv4/{name}").read_text().split()


USUAL = kernel("tcp_congestion_control")[0]
OTHERS = [name for name in kernel("tcp_allowed_congestion_control") if name != USUAL]
OTHER = OTHERS[0] if OTHERS else pytest.skip("the system allows one alone", allow_module_level=True)
MISSING = "nosuch"


def controls(namespace=None):
    """{(own address, the peer's): congestion control} of the connections that are open there."""
    argv = ["ss", "-tniOH", "state", "established"]
    lines = subprocess.run(namespace.command(*argv) if namespace else argv, check=True, capture_output=True,
                           text=True).stdout.splitlines()
    known = set(kernel("tcp_available_congestion_control"))
    found = {}
    for words in map(str.split, lines):
        one, other = (word.replace("[::ffff:", "").replace("]", "") for word in words[2:4])
        found[one, other] = next(word for word in words if word in known)
    return found


def of_host(found, host):
    """The controls of connections to that machine."""
    return {ports: control for ports, control in found.items() if ports[1].startswith(f"{host}:")}


@contextlib.contextmanager
def user(world, connect, target):
    client = connect(port_of(world.pamctl("ssh", target).stdout))
    with client:
        client.sendall(BANNER)
        assert read_exactly(client, len(BANNER)) == BANNER
        yield client
    world.settle()


@pytest.fixture(scope="module")
def lan(internet):
    with Recorder(echo, listener=internet.lan.listen(netns.TARGET, 22)):
        yield internet


def test_what_leaves_the_machine_gets_it_and_nothing_else(lan):
    both = {"CONGESTION_CONTROL": OTHER}
    with World(net=lan, bot=False, vps={**both, "ADMIT": "auto"}, gateway=both, env_files=True) as world:
        control = f":{world.control_port}"

        def look():
            with user(world, lambda port: lan.client.connect(netns.VPS, port), netns.TARGET):
                vps, gateway = controls(lan.vps), controls(lan.gateway)
            to_gateway, to_vps = of_host(vps, netns.GATEWAY), of_host(gateway, netns.VPS_FOR_GATEWAY)
            assert {c for (own, _), c in to_gateway.items() if own.endswith(control)} == {USUAL}, "small messages"
            assert {c for (_, peer), c in to_vps.items() if peer.endswith(control)} == {USUAL}
            assert set(of_host(gateway, netns.TARGET).values()) == {USUAL}, "the target is in the LAN"
            return (set(of_host(vps, netns.CLIENT).values()),
                    {c for (own, _), c in to_gateway.items() if not own.endswith(control)},
                    {c for (_, peer), c in to_vps.items() if not peer.endswith(control)})

        assert look() == ({OTHER}, {OTHER}, {OTHER})
        world.vps.wait_log(f"connections to other machines get {OTHER}")
        # What is not to be had does no harm, and is said.
        for agent in (world.vps, world.gateway):
            agent.reload(CONGESTION_CONTROL=MISSING)
            agent.wait_log(f'warn .*CONGESTION_CONTROL is "{MISSING}", but this system has no {MISSING} '
                           rf"\(it has .*{OTHER}")
        assert look() == ({USUAL}, {USUAL}, {USUAL})
        # By itself nothing is done on ways as short as these.
        for agent in (world.vps, world.gateway):
            agent.reload(CONGESTION_CONTROL="auto")
        assert look() == ({USUAL}, {USUAL}, {USUAL})


def test_what_stays_on_the_machine_never_gets_it():
    both = {"CONGESTION_CONTROL": OTHER}
    with Recorder(echo) as target, World(bot=False, vps={**both, "ADMIT": "auto"}, gateway=both) as world:
        with user(world, dial, target.name):
            found = controls()
            ports = {str(port) for port in range(world.port_start, world.port_start + world.port_count)}
            ours = {pair: c for pair, c in found.items() if {end.rpartition(":")[2] for end in pair} & ports}
        assert len(ours) == 4 and set(ours.values()) == {USUAL}, found


@pytest.mark.parametrize("agent", ["vps", "gateway"])
def test_what_is_not_to_be_had_is_said_before_it_runs(agent):
    with World(bot=False, start_gateways=False) as world:
        daemon = world.vps if agent == "vps" else world.gateway
        options = [*daemon.args]
        settings = {**daemon.settings, "CONGESTION_CONTROL": MISSING}
        result = run(daemon.name, "--check", *options, env=settings)
        assert result.returncode == 0, result
        assert f'But CONGESTION_CONTROL is "{MISSING}", and this system has no {MISSING} (it has ' in result.stdout
        result = run(daemon.name, "--doctor", *options, env=settings, timeout=60)
        (line,) = [line for line in result.stdout.splitlines() if "congestion control: " in line]
        assert result.returncode == 1 and line.startswith("!!  ") and f"modprobe tcp_{MISSING}" in line, line
        for good, mark in ((OTHER, f"{OTHER} on connections to "), ("system", f"{USUAL}, the system's")):
            result = run(daemon.name, "--doctor", *options, env={**settings, "CONGESTION_CONTROL": good}, timeout=60)
            assert f"ok  congestion control: {mark}" in result.stdout, result.stdout
