"""Somebody between the gateway and the VPS: looks on, holds up, changes, cuts.

The vps-agent listens at 127.0.0.1 only. The gateway is told that it lives at
127.0.0.2, where every port of it is forwarded from here.
"""

import contextlib
import selectors
import socket
import threading

import util
from agents import World

VPS, MIDDLE = "127.0.0.1", "127.0.0.2"


class Passage:
    """One connection from the gateway, on its way to the VPS."""

    def __init__(self, middle, near, port):
        self.middle = middle
        self.near, self.far = near, None
        self.port = port
        self.up = b""       # from the gateway
        self.down = b""     # from the VPS
        self.over = False

    def forward(self):
        try:
            if self._held_up():
                return
            self.far = socket.create_connection((VPS, self.port), 10)
            self.far.settimeout(None)
            for sock in (self.near, self.far):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.up:
                self.far.sendall(self._changed("up", self.up))
            back = threading.Thread(target=self._pump, args=(self.far, self.near, "down"), daemon=True)
            back.start()
            self._pump(self.near, self.far, "up")
            back.join()
        except OSError:
            self.cut()
        finally:
            self.over = True
            for sock in (self.near, self.far):
                if sock:
                    sock.close()

    def _held_up(self):
        """What the gateway says meanwhile is kept. True if it went away."""
        self.near.settimeout(0.02)
        while self.middle.holds(self.port):
            with contextlib.suppress(TimeoutError):
                data = self.near.recv(65536)
                if not data:
                    return True
                self.up += data
        self.near.settimeout(None)
        return False

    def _changed(self, way, data):
        change = self.middle.change
        return change(self, way, data) if change else data

    def _pump(self, source, sink, way):
        try:
            while data := source.recv(65536):
                setattr(self, way, getattr(self, way) + data)
                sink.sendall(self._changed(way, data))
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            self.cut()

    def cut(self):
        """Both ends get an RST."""
        for sock in (self.near, self.far):
            if sock:
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                    sock.shutdown(socket.SHUT_RD)


class Middle:
    """Forwards `ports`. change(passage, "up" or "down", bytes) returns what is passed on."""

    def __init__(self, ports):
        self.ports = list(ports)
        self.passages = []
        self.change = None
        self.closed_ports = set()   # connections to them end at once
        self._held = set()

    def __enter__(self):
        self._selector = selectors.DefaultSelector()
        for port in self.ports:
            listener = socket.create_server((MIDDLE, port), backlog=16)
            self._selector.register(listener, selectors.EVENT_READ)
        self._stopping = False
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping = True
        self._held = set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()
        for passage in self.passages:
            passage.cut()

    def _accept(self):
        while not self._stopping:
            for key, _ in self._selector.select(0.05):
                near, _ = key.fileobj.accept()
                port = key.fileobj.getsockname()[1]
                if port in self.closed_ports:
                    util.reset(near)
                    continue
                passage = Passage(self, near, port)
                self.passages.append(passage)
                threading.Thread(target=passage.forward, daemon=True).start()

    def holds(self, port):
        return port in self._held

    @contextlib.contextmanager
    def holding(self, ports):
        """Connections to the ports get no further until the end of the block."""
        self._held = set(ports)
        try:
            yield
        finally:
            self._held = set()

    def to(self, port):
        """The passages to a port, the oldest first."""
        return [p for p in self.passages if p.port == port]


@contextlib.contextmanager
def world_with_middle(ports=60, vps=None, gateway=None, **options):
    """(World, Middle)"""
    world = World(ports=ports, vps={"BIND_ADDRESS": VPS, **(vps or {})},
                  gateway={"VPS_HOST": MIDDLE, **(gateway or {})}, start_gateways=False, **options)
    with world, Middle(range(world.port_start, world.control_port + 1)) as middle:
        world.gateway.start()
        world.ready(["lan"])
        for daemon in world.daemons():
            daemon.take_baseline()
        yield world, middle
        world.settle()
        world.stop()
