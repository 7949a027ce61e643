"""Both sides of docs/protocol.md, written from that page alone; mostly the gateway's."""

import hashlib
import hmac
import os
import queue
import secrets
import socket
import struct
import subprocess
import threading

import util
from util import TIME_SCALE

HELLO, GOODBYE, PING, PONG = 1, 2, 3, 4
OPEN_TUNNEL, TUNNEL_READY, TUNNEL_FAILED, CLOSE_TUNNEL = 16, 17, 18, 19
OLDEST, NEWEST = 1, 3           # versions of the protocol that today's agents speak
SHUTDOWN, VERSION, REPLACED, PROTOCOL, LOOK = 1, 2, 3, 4, 5     # reasons of GOODBYE


# ---------------------------------------------------------------- control channel

def text(value):
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def frame(kind, fields=b""):
    return struct.pack(">HB", 1 + len(fields), kind) + fields


def hello(minimum=1, maximum=1, keepalive=30, program="paper-gateway 1"):
    return frame(HELLO, struct.pack(">HHH", minimum, maximum, keepalive) + text(program))


def goodbye(reason, why=""):
    return frame(GOODBYE, struct.pack(">B", reason) + text(why))


def tunnel_ready(session, channel=0, address="192.168.1.22"):
    return frame(TUNNEL_READY, struct.pack(">QH", session, channel) + text(address))


def tunnel_failed(session, channel=0, reason=2, detail=""):
    return frame(TUNNEL_FAILED, struct.pack(">QHB", session, channel, reason) + text(detail))


class Control:
    """A control connection by `openssl s_client`: frames in and out."""

    def __init__(self, port, key, name="paper", host="127.0.0.1", *flags):
        self.argv = ["openssl", "s_client", "-quiet", "-connect", f"{host}:{port}", "-tls1_3",
                     "-psk", key, "-psk_identity", name, *flags]
        self.frames = queue.Queue()

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, bufsize=0)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self._thread.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()

    def _read(self):
        data = b""
        while more := os.read(self.process.stdout.fileno(), 65536):
            data += more
            while len(data) >= 2 and len(data) >= 2 + int.from_bytes(data[:2], "big"):
                length = int.from_bytes(data[:2], "big")
                self.frames.put((data[2], data[3:2 + length]))
                data = data[2 + length:]
        self.frames.put(None)

    def send(self, data):
        try:
            self.process.stdin.write(data)
        except BrokenPipeError:
            pass

    def receive(self, kind, timeout=10):
        """The fields of the next frame of this kind; PINGs are answered meanwhile."""
        while True:
            got = self.frames.get(timeout=timeout * TIME_SCALE)
            assert got, f"the connection ended before a message of type {kind}"
            if got[0] == kind:
                return got[1]
            if got[0] == PING:
                self.send(frame(PONG, got[1]))

    def wait_end(self, timeout=10):
        """Waits until the VPS ends the connection; the frames that came before that."""
        seen = []
        while (got := self.frames.get(timeout=timeout * TIME_SCALE)) is not None:
            seen.append(got)
        return seen

    def greet(self, **fields):
        self.send(hello(**fields))
        return self.receive(HELLO)


class Vps(Control):
    """What a gateway logs in to, by `openssl s_server`, for one connection."""

    def __init__(self, port, key, name):
        self.argv = ["openssl", "s_server", "-quiet", "-accept", f"127.0.0.1:{port}", "-naccept", "1",
                     "-tls1_3", "-nocert", "-no_ticket", "-ciphersuites", "TLS_AES_128_GCM_SHA256",
                     "-psk", key, "-psk_identity", name]
        self.frames = queue.Queue()


RDP_KIND, SSH_KIND = 2, 1       # of OPEN_TUNNEL: one more than in kinds.def
TUNNEL_LOOK = 1                 # a flag of it
TUNNEL_IDENTITY = 10            # a reason of TUNNEL_FAILED


def open_tunnel(session, channel, host, port, data_port, token, kind=0, flags=0, identity=bytes(32)):
    """As version 3 has it."""
    return frame(OPEN_TUNNEL, struct.pack(">QHHH", session, channel, port, data_port) + text(host) + token +
                 struct.pack(">BB", kind, flags) + identity)


def read_tunnel_ready(fields):
    """What version 3 tells of the target: (address, host key, certificate's SHA-256 and SHA-1, from, until)"""
    length = int.from_bytes(fields[10:12], "big")
    address, rest = fields[12:12 + length].decode(), fields[12 + length + 7:]
    length = int.from_bytes(rest[:2], "big")
    host_key, rest = rest[2:2 + length].decode(), rest[2 + length:]
    assert len(rest) == 32 + 20 + 8 + 8
    return address, host_key, rest[:32], rest[32:52], *struct.unpack(">QQ", rest[52:])


def read_open_tunnel(fields, version=1):
    """(session, channel, port, data port, host, token)"""
    session, channel, port, data_port, length = struct.unpack(">QHHHH", fields[:16])
    host, token, rest = fields[16:16 + length].decode(), fields[16 + length:48 + length], fields[48 + length:]
    assert len(token) == 32, "the token has 32 bytes"
    assert len(rest) == (0 if version < 3 else 34), "kind, flags and identity, and nothing else"
    return session, channel, port, data_port, host, token


# ---------------------------------------------------------------- data channel

HELLO_SIZE, ANSWER_SIZE, FINAL_SIZE = 48, 64, 32


def data_hello(session, channel=0, magic=b"PMTD", version=1, nonce=None):
    data = magic + struct.pack(">HHQ", version, channel, session) + (nonce or secrets.token_bytes(32))
    assert len(data) == HELLO_SIZE
    return data


def read_data_hello(data):
    """(session, channel) of a right one"""
    magic, version, channel, session = struct.unpack(">4sHHQ", data[:16])
    assert (magic, version) == (b"PMTD", 1) and len(data) >= HELLO_SIZE
    return session, channel


def mac(token, side, opening, nonce_v):
    label = b"pamtunnel data 1 " + side + b"\0"
    return hmac.new(token, label + opening + nonce_v, hashlib.sha256).digest()


def prove(sock, session, channel, token):
    """The whole proof; the VPS has to prove itself as well."""
    opening = data_hello(session, channel)
    sock.sendall(opening)
    answer = util.read_exactly(sock, ANSWER_SIZE)
    nonce_v = answer[:32]
    assert hmac.compare_digest(answer[32:], mac(token, b"vps", opening, nonce_v)), "not the VPS"
    sock.sendall(mac(token, b"gateway", opening, nonce_v))
    return sock


def reaction(sock, timeout=10):
    """All that the peer says until it ends the connection, by FIN or RST."""
    data = b""
    sock.settimeout(timeout * TIME_SCALE)
    try:
        while more := sock.recv(65536):
            data += more
    except ConnectionError:
        pass
    sock.close()
    return data


def connect(port, source=None):
    sock = socket.create_connection(("127.0.0.1", port), 10 * TIME_SCALE, (source, 0) if source else None)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
