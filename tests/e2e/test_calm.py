"""Behind a slow line the relay holds little: bytes that arrive are not much older than they
would be without it, and the kernel's memory for the agents' sockets stays small.

How long something takes here is up to the line, and compared with a direct connection over
the same one: no bound is a time."""

import contextlib
import hashlib
import os
import pathlib
import re
import select
import shutil
import socket
import statistics
import struct
import subprocess
import threading
import time

import netns
import pytest
from agents import World, now
from peers import BANNER
from util import TIME_SCALE, eventually, how_it_ends, read_exactly

WARM_UP, MEASURED = 1.5, 2.0    # seconds of a flow
RECORD = 1024                   # begins with the time when it was written
AT_ONCE = 16                    # records in a call, as of a program that copies files
OLDER = 2.5                     # times as old as without the relay
HELD = 1 << 20                  # bytes, of both agents for a session
SO_BUF_LOCK = 72                # since Linux 5.14; without it a window cannot be kept small
# The devices at both ends of a line.
CLIENTS_LINE, GATEWAYS_LINE = (("client", "wan"), ("vps", "inet")), (("vps", "gw"), ("gateway", "wan"))

pytestmark = [pytest.mark.slow,
              pytest.mark.skipif(not shutil.which("tc") or not shutil.which("ss"), reason="takes tc and ss")]


def write_sysctls(namespace, **values):
    def write():
        for name, value in values.items():
            pathlib.Path("/proc/sys/net/ipv4", name).write_text(str(value))
    namespace.inside(write)


@pytest.fixture(scope="module")
def open_internet(internet):
    """Here the client can also reach the LAN without the agents."""
    with socket.socket() as sock:
        try:
            sock.setsockopt(socket.SOL_SOCKET, SO_BUF_LOCK, 0)
        except OSError:
            pytest.skip("the kernel has no SO_BUF_LOCK (Linux 5.14)")
    for namespace in (internet.client, internet.vps, internet.gateway, internet.lan):
        write_sysctls(namespace, ip_forward=1, tcp_congestion_control="reno")
    internet.client.ip("route", "add", "default", "via", netns.VPS)
    internet.vps.ip("route", "add", "192.168.1.0/24", "via", netns.GATEWAY)
    internet.gateway.ip("route", "add", "203.0.113.0/24", "via", netns.VPS_FOR_GATEWAY)
    internet.lan.ip("route", "add", "default", "via", netns.GATEWAY_IN_LAN)
    return internet


@pytest.fixture(scope="module")
def calm_world(open_internet):
    """Strict sessions: they end with their one connection."""
    with World(net=open_internet, bot=False, gateway={"ALLOWED_TARGETS": f"{netns.TARGET}:1-65535"},
               vps={"ADMIT": "auto", "RECONNECT_GRACE": 0, "MAX_CONNECTIONS": 1}) as world:
        yield world


def shape(internet, line, verb, mbit=None):
    for role, device in line:
        bucket = ["tbf", "rate", f"{mbit}mbit", "burst", "16k", "limit", "64k"] if mbit else []
        done = subprocess.run(["tc", "-n", getattr(internet, role).name, "qdisc", verb, "dev", device, "root",
                               *bucket], capture_output=True, text=True)
        if "kind is unknown" in done.stderr:
            pytest.skip("the kernel has no token bucket (sch_tbf)")
        assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def slow(internet, line, mbit=10):
    shape(internet, line, "add", mbit)
    try:
        yield
    finally:
        shape(internet, line, "del")


def accept(listener):
    """The connection of the client; the gateway's look at who we are is none."""
    listener.settimeout(10 * TIME_SCALE)
    while True:
        sock, _ = listener.accept()
        with contextlib.suppress(OSError, AssertionError):
            if read_exactly(sock, len(BANNER)) == BANNER:
                sock.settimeout(None)
                return sock
        sock.close()


@contextlib.contextmanager
def connection(internet, world=None):
    """(client's socket, target's socket, session): through the world, or direct without one."""
    with internet.lan.listen("0.0.0.0") as listener:
        port, session = listener.getsockname()[1], None
        host = netns.TARGET
        if world:
            session = world.pamctl.json("ssh", f"{netns.TARGET}:{port}")["session"]
            host, port = netns.VPS, session["public_port"]
        with internet.client.connect(host, port, netns.CLIENT, 10 * TIME_SCALE) as client:
            client.sendall(BANNER)
            with accept(listener) as target:
                client.settimeout(None)
                yield client, target, session
    if world:
        world.wait_state(session["id"], "ended")


@contextlib.contextmanager
def meanwhile(*functions, at_end=()):
    """Runs them on threads; shuts the sockets at_end down, so that they end, too."""
    errors = []

    def guarded(function):
        try:
            function()
        except BaseException as error:  # handed on below
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(f,), daemon=True) for f in functions]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for sock in at_end:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(20 * TIME_SCALE)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]


def send_stamps(sock):
    """Never pauses. What the kernel has not taken yet is as young as the call that it takes it with."""
    room = select.poll()
    room.register(sock, select.POLLOUT)
    rest = b""
    with contextlib.suppress(OSError):
        while True:
            room.poll()
            data = rest + struct.pack("q", time.monotonic_ns()).ljust(RECORD, b".") * AT_ONCE
            sent = sock.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            rest = data[sent:sent + (len(data) - sent) % RECORD]


def receive_stamps(sock, ages):
    """(when, age) of each record, in seconds, until the end."""
    buffer = b""
    with contextlib.suppress(OSError):
        while data := sock.recv(65536):
            at = time.monotonic_ns()
            buffer += data
            whole = len(buffer) - len(buffer) % RECORD
            ages += [(at / 1e9, (at - struct.unpack_from("q", buffer, i)[0]) / 1e9)
                     for i in range(0, whole, RECORD)]
            buffer = buffer[whole:]


class Memory:
    """Of the kernel, for the sockets of both agents: nobody else has any in their namespaces."""

    def __init__(self, internet):
        self.namespaces = internet.vps, internet.gateway
        self.looks = []

    def look(self):
        """Bytes received, to be sent, and reserved."""
        held = 0
        for namespace in self.namespaces:
            listed = subprocess.run(namespace.command("ss", "-tmnHO"), check=True, capture_output=True,
                                    text=True).stdout
            held += sum(int(size) for size in re.findall(r"[(,][rwf](\d+)\b", listed))
        self.looks.append(held)
        return held

    def watch(self, seconds):
        end = now() + seconds
        while now() < end:
            self.look()
            time.sleep(0.05)

    @property
    def most(self):
        return max(self.looks)


def age(internet, way, world=None, memory=None):
    """The median age of what arrives behind a sender that never pauses."""
    with connection(internet, world) as (client, target, _):
        sender, receiver = (target, client) if way == "down" else (client, target)
        ages = []
        began = now()
        with meanwhile(lambda: send_stamps(sender), lambda: receive_stamps(receiver, ages),
                       at_end=(client, target)):
            if memory:
                memory.watch(WARM_UP + MEASURED)
            else:
                time.sleep(WARM_UP + MEASURED)
    warm = [age for at, age in ages if at >= began + WARM_UP]
    assert warm, "nothing came through"
    return statistics.median(warm)


class Bulk:
    """What was seen of a flow with and without the relay, on the same line."""

    def __init__(self, internet, world, way):
        with slow(internet, CLIENTS_LINE if way == "down" else GATEWAYS_LINE):
            self.memory = Memory(internet)
            self.direct = age(internet, way)
            self.relayed = age(internet, way, world, self.memory)
        print(f"{way}: {self.direct * 1000:.0f} ms old direct, {self.relayed * 1000:.0f} ms relayed "
              f"({self.relayed / self.direct:.2f} times), {self.memory.most / 1024:.0f} KiB held")


@pytest.fixture(scope="module", params=["down", "up"])
def bulk(request, open_internet, calm_world):
    return Bulk(open_internet, calm_world, request.param)


def test_what_arrives_behind_a_slow_line_is_hardly_older_than_without_the_relay(bulk):
    assert bulk.relayed <= OLDER * bulk.direct


def test_the_agents_hold_little_for_a_slow_side(bulk):
    assert len(bulk.memory.looks) >= 5
    assert bulk.memory.most <= HELD


def test_a_client_that_stops_reading_finds_everything_when_it_goes_on(open_internet, calm_world):
    size, first, pause = 4 << 20, 1 << 20, 3.0
    data = os.urandom(size)
    memory = Memory(open_internet)
    with slow(open_internet, CLIENTS_LINE), connection(open_internet, calm_world) as (client, target, session):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 << 10)   # nor may it hold all of it

        def send():
            target.sendall(data)
            target.shutdown(socket.SHUT_WR)

        with meanwhile(send):
            start = now()
            got = [read_exactly(client, first, 20)]
            before = now() - start
            memory.watch(pause)
            start = now()
            got.append(read_exactly(client, size - first, 20))
            after = now() - start
        print(f"{memory.most / 1024:.0f} KiB held; {before:.2f} s for {first >> 20} MiB, then "
              f"{after:.2f} s for {(size - first) >> 20} MiB")
        assert hashlib.sha256(b"".join(got)).digest() == hashlib.sha256(data).digest()
        assert memory.most <= HELD
        # As fast as before the pause, with room for a machine that is busy with other things.
        assert after / (size - first) <= 2 * before / first
        client.shutdown(socket.SHUT_WR)
        assert how_it_ends(client) == how_it_ends(target) == "fin"
        ended = calm_world.wait_state(session["id"], "ended")
        assert ended


class Meter:
    """How fast something arrives."""

    def __init__(self, sock):
        self.sock = sock
        self.bytes = 0

    def run(self):
        with contextlib.suppress(OSError):
            while data := self.sock.recv(65536):
                self.bytes += len(data)

    def mbit(self, seconds=0.5):
        before, start = self.bytes, now()
        time.sleep(seconds)
        return (self.bytes - before) * 8 / 1e6 / (now() - start)


def test_a_flow_follows_a_line_whose_rate_changes(open_internet, calm_world):
    memory = Memory(open_internet)
    with slow(open_internet, CLIENTS_LINE, 10), connection(open_internet, calm_world) as (client, target, _):
        meter = Meter(client)
        with meanwhile(lambda: send_stamps(target), meter.run, at_end=(client, target)):
            memory.watch(1)
            shape(open_internet, CLIENTS_LINE, "change", 1)
            memory.watch(2)     # by now everybody has got used to it
            eventually(lambda: meter.mbit() >= 1 / 2, "bytes come at half of 1 Mbit/s", 4)
            shape(open_internet, CLIENTS_LINE, "change", 100)
            eventually(lambda: meter.mbit() >= 100 / 2, "bytes come at half of 100 Mbit/s", 4)
            memory.watch(0.5)
    print(f"{memory.most / 1024:.0f} KiB held, at last {memory.looks[-1] / 1024:.0f}")
    assert memory.most <= HELD
