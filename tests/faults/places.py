"""Where a circumstance happens: namespaces that it has to itself.

run.py starts each one with network, mounts and processes of its own, so that it may
take any address, change any file in /etc, and leaves nothing behind.
"""

import contextlib
import fcntl
import heapq
import os
import pathlib
import random
import select
import socket
import struct
import subprocess
import threading
import time

import netns

# Reserved for documentation and benchmarks (RFC 5737, 3849, 2544); here all of them are ours.
USERS, STRANGERS, ALL_OF_V6 = "203.0.113.0/24", "198.18.0.0/15", "2001:db8::/32"
USER, OTHER_USER = "203.0.113.7", "203.0.113.200"
USER6, USER6_LATER = "2001:db8:1::7", "2001:db8:1::66"
WIRE_HERE, WIRE_FAR, WIRE_FAR_LATER = "198.51.100.1", "198.51.100.2", "198.51.100.3"


def stranger(number):
    """An address that shares no /24 with any other number's."""
    return f"198.{18 + number // 256}.{number % 256}.9"


def isolation():
    """The command line that gives what follows namespaces of its own, or None if it may not."""
    argv = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        argv[1:1] = ["--user", "--map-root-user"]
    with contextlib.suppress(OSError):
        if subprocess.run([*argv, "true"], capture_output=True).returncode == 0:
            return argv
    return None


def one_user_only():
    """Root here is a user outside, and there is nobody else."""
    return int(pathlib.Path("/proc/self/uid_map").read_text().split()[2]) == 1


def run(*command):
    subprocess.run(list(map(str, command)), check=True, capture_output=True)


def settle_in(folder):
    """Called once inside: the loopback with everybody's addresses, and an /etc to change."""
    for directory in ("run", "etc"):
        (folder / directory).mkdir()
        run("mount", "-t", "tmpfs", "tmpfs", folder / directory)
    # Not every file there may be read by everybody.
    subprocess.run(["cp", "-a", "/etc/.", folder / "etc"], capture_output=True)
    run("mount", "--bind", folder / "etc", "/etc")
    run("mount", "--bind", folder / "run", "/run")
    run("ip", "link", "set", "lo", "up")
    for network in (USERS, STRANGERS):
        run("ip", "route", "add", "local", network, "dev", "lo")
    with contextlib.suppress(OSError, subprocess.CalledProcessError):   # a kernel without IPv6
        run("ip", "-6", "route", "add", "local", ALL_OF_V6, "dev", "lo")
        pathlib.Path("/proc/sys/net/ipv6/ip_nonlocal_bind").write_text("1")


class Here:
    """This place, with the methods of a netns.Namespace."""

    etc = pathlib.Path("/etc")

    def command(self, *argv):
        return list(map(str, argv))

    def inside(self, function):
        return function()

    def listen(self, host, port=0, backlog=128):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=backlog)

    def hosts(self, text):
        (self.etc / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n" + text)

    def resolver(self, address):
        """With the times and tries that a resolv.conf without options has."""
        for name in ("resolv.conf", "nsswitch.conf"):
            (self.etc / name).unlink(missing_ok=True)
        (self.etc / "resolv.conf").write_text(f"nameserver {address}\n")
        (self.etc / "nsswitch.conf").write_text("hosts: files dns\n")


class Net:
    """For agents.World: which place each of its programs lives in."""

    def __init__(self, vps=None, gateway=None):
        self.vps, self.gateway = vps or Here(), gateway or Here()


@contextlib.contextmanager
def far_away(name="far"):
    """A second place. Nothing leads there yet."""
    place = netns.Namespace(name)
    try:
        place.hosts("")
        yield place
    finally:
        place.delete()


class Wire:
    """The line from here to `far`. Every packet passes through a thread here, which can be
    slow, silent, lose some, or forget the connections that it has seen, as a NAT does."""

    def __init__(self, far):
        self.far = far
        self.delay = 0.0    # each way
        self.silent = False
        self.loses = 0.0    # this part of the packets
        self._flows, self._forgotten, self._refused = set(), set(), set()
        self._on_the_way = []   # (when due, number, descriptor, packet)
        self._number = 0

    def __enter__(self):
        self._ends = [_tun(), self.far.inside(_tun)]
        run("ip", "address", "add", f"{WIRE_HERE}/24", "dev", "wire")
        run("ip", "link", "set", "wire", "up")
        self.far.ip("address", "add", f"{WIRE_FAR}/24", "dev", "wire")
        self.far.ip("link", "set", "wire", "up")
        self._wake, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        os.close(self._stop)
        self._thread.join(5)
        for fd in (*self._ends, self._wake):
            os.close(fd)

    def forget(self, but=(), only=None):
        """The connections seen so far are no more, and nobody is told: those of the ports
        `only`, or all but those of the ports `but`."""
        def meant(flow):
            ports = {port for _, port in flow}
            return bool(ports & set(only)) if only is not None else not ports & set(but)
        self._forgotten |= {flow for flow in self._flows if meant(flow)}

    def reset(self, **which):
        """The same, but who still sends on them gets an RST."""
        before = set(self._forgotten)
        self.forget(**which)
        self._refused |= self._forgotten - before

    def move(self, old=WIRE_FAR, new=WIRE_FAR_LATER):
        """The far side gets another address."""
        self.far.ip("address", "del", f"{old}/24", "dev", "wire")
        self.far.ip("address", "add", f"{new}/24", "dev", "wire")

    def _carry(self):
        poll = select.poll()
        for fd in (*self._ends, self._wake):
            poll.register(fd, select.POLLIN)
        while True:
            rest = self._on_the_way[0][0] - time.monotonic() if self._on_the_way else 3600
            for fd, _ in poll.poll(max(0, rest) * 1000 + (rest > 0)):
                if fd == self._wake:
                    return
                self._take(fd)
            while self._on_the_way and self._on_the_way[0][0] <= time.monotonic():
                _, _, fd, packet = heapq.heappop(self._on_the_way)
                with contextlib.suppress(OSError):
                    os.write(fd, packet)

    def _take(self, fd):
        other = self._ends[1 - self._ends.index(fd)]
        for _ in range(64):
            try:
                packet = os.read(fd, 65536)
            except BlockingIOError:
                return
            flow = _flow(packet)
            self._flows.add(flow)
            if self.silent or random.random() < self.loses:
                continue
            if flow in self._forgotten:
                if flow in self._refused:
                    os.write(fd, _rst(packet))
                continue
            self._number += 1
            heapq.heappush(self._on_the_way, (time.monotonic() + self.delay, self._number, other, packet))


def _tun(name=b"wire"):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    set_interface, tun, no_packet_info = 0x400454CA, 0x0001, 0x1000
    fcntl.ioctl(fd, set_interface, struct.pack("16sH14x", name, tun | no_packet_info))
    return fd


def _flow(packet):
    """Both ends of the connection that a packet is of, whichever way it goes."""
    if packet[0] >> 4 == 4:
        ports, ends = packet[(packet[0] & 15) * 4:][:4], (packet[12:16], packet[16:20])
    else:
        ports, ends = packet[40:44], (packet[8:24], packet[24:40])
    if len(ports) < 4:
        return frozenset()
    return frozenset(zip(ends, struct.unpack(">HH", ports)))


def _checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _rst(packet):
    """What a router answers to an IPv4 packet of a TCP connection that it does not know."""
    source, target = packet[12:16], packet[16:20]
    tcp = packet[(packet[0] & 15) * 4:]
    ports = tcp[2:4] + tcp[0:2]

    def segment(checksum):
        return ports + tcp[8:12] + struct.pack(">IBBHHH", 0, 0x50, 0x04, 0, checksum, 0)

    def header(checksum):
        return struct.pack(">BBHHHBBH", 0x45, 0, 40, 0, 0x4000, 64, 6, checksum) + target + source

    pseudo = target + source + struct.pack(">HH", 6, 20)
    return header(_checksum(header(0))) + segment(_checksum(pseudo + segment(0)))
