"""Small things that everything else here uses."""

import contextlib
import functools
import os
import pathlib
import random
import shutil
import socket
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PAMTUNNEL_BUILD") or REPOSITORY / "build").resolve()
VALGRIND = os.environ.get("PAMTUNNEL_VALGRIND") == "1"


def _sanitized():
    """The agents were built with a sanitizer: slower, and with memory of its own."""
    try:
        data = (BUILD / "vps-agent").read_bytes()
    except OSError:
        return False
    return b"__asan_init" in data or b"__tsan_init" in data


SANITIZED = _sanitized()
# Deadlines are for a plain build on an idle machine; these make them longer.
TIME_SCALE = float(os.environ.get("PAMTUNNEL_TIME_SCALE") or (8 if VALGRIND else 3 if SANITIZED else 1))


def eventually(check, what, timeout=10.0, interval=0.02):
    """Waits until check() is true and returns what it returned.

    The only place where the tests sleep: for things that send no event.
    """
    deadline = time.monotonic() + timeout * TIME_SCALE
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() >= deadline:
            raise AssertionError(f"waited {timeout * TIME_SCALE:.0f} s in vain until {what}")
        time.sleep(interval)


def stays(check, what, seconds=0.5, interval=0.05):
    """Asserts that check() is true now and for a while."""
    deadline = time.monotonic() + seconds
    while True:
        assert check(), f"it is no longer so that {what}"
        if time.monotonic() >= deadline:
            return
        time.sleep(interval)


def ports_in_use():
    """Those where somebody listens. What is left of connections that were taken there, maybe
    for minutes, is in no listener's way."""
    listen = "0A"
    used = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as lines:
                next(lines)
                fields = [line.split() for line in lines]
                used.update(int(f[1].rpartition(":")[2], 16) for f in fields if f[3] == listen)
        except OSError:
            pass
    return used


class Ports:
    """The ports that this process' tests may use: several processes run tests at the same time,
    and between the choice of a port and the moment when somebody listens there, nothing shows
    that it is taken.

    Below those that the kernel hands out by itself, so that no passing connection of another
    program takes one of them.
    """

    LOWEST, HIGHEST, STRIPES = 10000, 32000, 5

    def __init__(self):
        self.claim = None
        stripe = self._stripe()
        some = len(stripe) // 8
        # Apart, so that no session gets the port that a test means to use for something else.
        self.single, self.many = stripe[:some], stripe[some:]
        self.next = {part: random.choice(part) for part in (self.single, self.many)}
        self.held = []

    def _stripe(self):
        size = (self.HIGHEST - self.LOWEST) // self.STRIPES
        for number in random.sample(range(self.STRIPES), self.STRIPES):
            claim = socket.socket(socket.AF_UNIX)
            with contextlib.suppress(OSError):  # somebody else's
                claim.bind(f"\0pamtunnel-tests-{number}")
                self.claim = claim              # until this process ends
                return range(self.LOWEST + number * size, self.LOWEST + (number + 1) * size)
            claim.close()
        return range(self.LOWEST, self.HIGHEST)

    def take(self, count):
        """The first of `count` ports in a row that nobody uses. Those that were taken before
        are the last to be taken again."""
        part = self.single if count == 1 else self.many
        used = ports_in_use().union(*self.held)
        for _ in range(1000):
            start = self.next[part] if self.next[part] + count <= part.stop else part.start
            taken = used.intersection(range(start, start + count))
            self.next[part] = max(taken, default=start + count - 1) + 1
            if not taken:
                return start
        raise AssertionError(f"no {count} free ports in a row")

    @contextlib.contextmanager
    def hold(self, count):
        """The same, for as long as this lasts: who listens in another namespace is not seen from here."""
        start = self.take(count)
        held = range(start, start + count)
        self.held.append(held)
        try:
            yield start
        finally:
            self.held.remove(held)


@functools.cache
def ports():
    return Ports()


def free_range(count):
    """The first of `count` ports in a row that nobody uses."""
    return ports().take(count)


def held_range(count):
    """As free_range(), for a `with`: nobody else of this process gets them meanwhile."""
    return ports().hold(count)


def free_port():
    return free_range(1)


def server(host="127.0.0.1", **options):
    """A listening socket on a free port. Not one that the kernel chooses: after a few
    thousand connections all of those are in TIME_WAIT, and it has none left."""
    for _ in range(20):
        try:
            return socket.create_server((host, free_port()), **options)
        except OSError as error:    # somebody was quicker
            last = error
    raise last


class Folder:
    """A temporary folder with a short path: Unix sockets take 107 characters."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="pt-"))

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def read_some(sock, timeout=10):
    """What comes next, b"" at a FIN; ConnectionResetError at an RST."""
    sock.settimeout(timeout * TIME_SCALE)
    return sock.recv(65536)


def read_exactly(sock, count, timeout=10):
    data = b""
    sock.settimeout(timeout * TIME_SCALE)
    while len(data) < count:
        more = sock.recv(count - len(data))
        assert more, f"closed after {len(data)} of {count} bytes: {data!r}"
        data += more
    return data


def read_to_end(sock, timeout=10):
    """Everything until the FIN."""
    data = bytearray()
    sock.settimeout(timeout * TIME_SCALE)
    while more := sock.recv(65536):
        data += more
    return bytes(data)


def how_it_ends(sock, timeout=10):
    """"fin" or "rst", when the peer closes; what it still says is thrown away."""
    try:
        read_to_end(sock, timeout)
        return "fin"
    except ConnectionError:
        return "rst"


def is_open(sock):
    """Nothing came from the peer: no byte, no FIN, no RST."""
    sock.setblocking(False)
    try:
        return sock.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        sock.setblocking(True)


def reset(sock):
    """Closes with an RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    sock.close()


def artifacts():
    """The folder for what a person may want to look at afterwards, or None."""
    folder = os.environ.get("PAMTUNNEL_ARTIFACTS")
    if not folder:
        return None
    path = pathlib.Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    return path
