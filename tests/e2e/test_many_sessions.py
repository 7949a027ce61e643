"""Hundreds of sessions with all that a session can have: looks at ever other targets, links, clients that come by them.
Afterwards both agents are as they were; World itself looks for descriptors too many at its end."""

import http.client
import itertools
import re

import peers
import pytest
import util
from agents import World
from sshd import Sshd
from util import SANITIZED, VALGRIND

pytestmark = pytest.mark.skipif(VALGRIND or SANITIZED, reason="what they keep of freed memory grows")
SESSIONS, WARM = 300, 100   # after WARM, what is kept of the last ones (history, sights) has its size
GROWTH_KB = 1500            # far below 200 times what a session takes


def odd_target(connection):
    """A target that nobody can look at, in one of several ways."""
    way = int(connection.socket.getsockname()[0].split(".")[3]) % 3
    said = connection.socket.recv(4096) if way else b""
    if way == 1:
        connection.socket.sendall(peers.CONNECTION_CONFIRM + b"\x16\x03\x03\x00\x02no")
    elif way == 2:
        connection.socket.sendall(said[::-1] * 40)
    connection.socket.close()


def press(link, source):
    port, path = re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/\S+)", link).groups()
    for method in ("GET", "POST"):
        page = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10, source_address=(source, 0))
        page.request(method, path)
        assert page.getresponse().status == 200
        page.close()
    return int(port)


def live_one(world, number, ports):
    """A session at a target of its own, from an address of its own, from its birth to its end."""
    kind = ("ssh", "rdp", "tcp")[number % 3]
    target = f"127.1.{number // 250}.{number % 250 + 1}:{ports[kind]}"
    out = ["--force", "--out", world.state_dir / "saved.rdp"] if kind == "rdp" else []
    reply = world.pamctl.json(kind, target, *out)
    link = reply["link"]
    world.secrets.append(link.rpartition("/")[2])
    source = f"127.2.{number // 250}.{number % 250 + 1}"
    port = press(link, source)
    if kind == "tcp":
        with peers.dial(port, source=source) as client:
            client.sendall(b"hello")
            assert util.read_exactly(client, 5) == b"hello"
    elif kind == "ssh":
        with peers.dial(port, source=source) as client:
            client.sendall(b"SSH-2.0-x\r\n")
            assert util.read_exactly(client, 8) == b"SSH-2.0-"
    world.pamctl("close", reply["session"]["id"])


def test_hundreds_of_sessions_leave_nothing_behind():
    with Sshd(host="0.0.0.0", config="MaxStartups 1000\n") as sshd, peers.Recorder(peers.echo, host="0.0.0.0") as echo, \
            peers.Recorder(on_connect=odd_target, host="0.0.0.0") as odd, \
            World(bot=False, vps={"ADMIT": "ask"}) as world:
        ports = {"ssh": sshd.port, "rdp": odd.port, "tcp": echo.port}
        daemons, before = (world.vps, world.gateway), {}
        for number in itertools.count():
            if number == WARM:
                before = {daemon: (daemon.rss_kb(), len(daemon.descriptors())) for daemon in daemons}
            if number == SESSIONS:
                break
            live_one(world, number, ports)
        for daemon, (rss_kb, descriptors) in before.items():
            grown = daemon.rss_kb() - rss_kb
            assert grown < GROWTH_KB, f"{daemon.name} grew by {grown} kB in {SESSIONS - WARM} sessions"
            util.eventually(lambda d=daemon, most=descriptors: len(d.descriptors()) <= most + 2, f"{daemon.name}'s descriptors")
            print(daemon.name, "grew by", grown, "kB")
