"""Raw clients and targets: what they say is chosen byte by byte."""

import contextlib
import re
import select
import socket
import struct
import threading

import util
from util import TIME_SCALE, eventually

BANNER = b"SSH-2.0-pamtunnel_test\r\n"


# ---------------------------------------------------------------- RDP

def connection_request(token=b"", protocols=0x0B, negotiate=True):
    """The first packet of an RDP client: TPKT, X.224 Connection Request.

    token: routing token or cookie with its CRLF.
    """
    rest = struct.pack("<BBHI", 1, 0, 8, protocols) if negotiate else b""
    variable = token + rest
    return (struct.pack(">BBH", 3, 0, 11 + len(variable))
            + bytes([6 + len(variable), 0xE0, 0, 0, 0, 0, 0]) + variable)


def cookie(secret):
    return b"Cookie: mstshash=" + secret.encode() + b"\r\n"


CONNECTION_CONFIRM = bytes.fromhex("03000013 0e d0 0000 1234 00 02 1f 0800 02000000")


class RdpFile:
    """A .rdp file as clients read it; refuses what some client would stumble over."""

    def __init__(self, data):
        self.data = data
        text = data.decode("ascii")
        assert text.endswith("\r\n"), "the last line has no CRLF"
        self.settings = {}
        for line in text.split("\r\n")[:-1]:
            assert "\r" not in line and "\n" not in line, f"a bare CR or LF in {line!r}"
            assert all(32 <= ord(c) < 127 for c in line), f"control characters in {line!r}"
            name, kind, value = line.split(":", 2)
            assert name == name.lower(), f"Remmina reads only lower-case names: {name}"
            assert kind in ("i", "s", "b"), line
            assert kind != "i" or value.isdigit(), line
            assert value == value.strip(), f"spaces around {line!r}"
            assert name not in self.settings, f"{name} twice"
            self.settings[name] = value
        address = self.settings["full address"]
        host, _, port = address.rpartition(":")
        self.host, self.port = host.strip("[]"), int(port)
        prefix = "Cookie: mstshash="
        info = self.settings["loadbalanceinfo"]
        assert info.startswith(prefix), info
        self.secret = info.removeprefix(prefix)


# ---------------------------------------------------------------- targets

class Connection:
    """One connection to a Recorder."""

    def __init__(self, sock, address):
        self.socket = sock
        self.address = address
        self.data = b""
        self.end = None     # "fin", "rst"

    def send(self, data):
        self.socket.sendall(data)

    def wait(self, count=1, timeout=10):
        """Waits for `count` bytes; returns all there are."""
        eventually(lambda: len(self.data) >= count or self.end,
                   f"the target has {count} bytes", timeout)
        assert len(self.data) >= count, f"{self.end} after {self.data!r}"
        return self.data

    def wait_end(self, timeout=10):
        eventually(lambda: self.end, "the target's connection ends", timeout)
        return self.end


SSH_LOOK = re.compile(rb"SSH-2\.0-pamtunnel_\d")                         # gateway/look/host_key.c
RDP_LOOK = bytes.fromhex("030000130ee000000000000100080003000000")     # gateway/look/certificate.c


class Recorder:
    """A target that writes down everything it gets.

    reply: a function of the bytes that just came; what it returns is sent back.
    on_connect: called with the Connection instead of the recording.
    """

    def __init__(self, reply=None, on_connect=None, listener=None, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = listener or util.server(host, family=family)
        self.host, self.port = self.listener.getsockname()[:2]
        self.reply = reply
        self.on_connect = on_connect
        self.connections = []
        self._closing = False

    def __enter__(self):
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._closing = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self._thread.join(5)
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
            connection.socket.close()

    @property
    def name(self):
        """As a user writes it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def _accept(self):
        while not self._closing:
            try:
                sock, address = self.listener.accept()
            except OSError:
                return
            connection = Connection(sock, address)
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self.on_connect:
                ready, _, _ = select.select([connection.socket], [], [], 0.2)
                if ready and self._is_look(connection, connection.socket.recv(64, socket.MSG_PEEK)):
                    connection.socket.close()
                    connection.end = "fin"
                else:
                    self.on_connect(connection)
                return
            while data := connection.socket.recv(65536):
                if self._is_look(connection, data):
                    connection.socket.close()
                    connection.end = "fin"
                    return
                connection.data += data
                answer = self.reply(data) if self.reply else None
                if answer:
                    connection.socket.sendall(answer)
            connection.end = "fin"
        except OSError:
            connection.end = "rst"

    def _is_look(self, connection, data):
        """The gateway looks who the target is, once, in the place of its probe: this one shows nothing."""
        return bool(SSH_LOOK.match(data)) or (data == RDP_LOOK and connection is self.connections[0])

    @property
    def talked(self):
        """The connections that brought bytes: not the gateway's probes and looks."""
        return [c for c in self.connections if c.data]

    def wait_client(self, number=1, timeout=10):
        """Waits until `number` connections brought bytes; returns the last of them."""
        eventually(lambda: len(self.talked) >= number, f"{number} clients reach the target", timeout)
        return self.talked[number - 1]


def echo(data):
    return data


# ---------------------------------------------------------------- clients

def dial(port, source=None, host="127.0.0.1", timeout=10):
    sock = socket.create_connection((host, port), timeout * TIME_SCALE, (source, 0) if source else None)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def listening(port, pid="self"):
    """Somebody listens there, in the network namespace of the process.

    Asks the kernel, and so disturbs nobody."""
    for table in (f"/proc/{pid}/net/tcp", f"/proc/{pid}/net/tcp6"):
        with open(table) as lines:
            next(lines)
            for line in lines:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    return True
    return False
