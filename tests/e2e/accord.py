"""Both sides of a pairing, written from docs/protocol.md alone; and somebody in between."""

import hashlib
import hmac
import secrets
import struct

import wire

STRANGER = "pamtunnel pairing"
STRANGER_KEY = b"pamtunnel pairing, known to all!".hex()
COMMIT, ANSWER, OPEN, ACCEPT, CONFIRM = 5, 6, 7, 8, 9
PAIRED, UNPAIRED = 8, 9     # reasons of GOODBYE


# ---------------------------------------------------------------- X25519, RFC 7748

P = 2**255 - 19


def x25519(scalar, point):
    k = bytearray(scalar)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    k, u = int.from_bytes(k, "little"), int.from_bytes(point, "little") % 2**255
    x2, z2, x3, z3, swap = 1, 0, u, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a, b * b, d * a, c * b
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, u * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def mac(key, *pieces):
    return hmac.new(key, b"".join(pieces), hashlib.sha256).digest()


# ---------------------------------------------------------------- one side

class Side:
    def __init__(self, name):
        self.name = name.encode().ljust(64, b"\0")
        self.secret, self.nonce = secrets.token_bytes(32), secrets.token_bytes(32)
        self.share = x25519(self.secret, (9).to_bytes(32, "little"))

    def commitment(self):
        return mac(self.nonce, b"pamtunnel pairing 1 commitment\0", self.name, self.share)

    def agree(self, other, commitment, vps, gateway):
        """vps, gateway: (share, nonce) of each."""
        self.transcript = b"".join((self.name, commitment, *vps, *gateway))
        self.root = mac(bytes(32), x25519(self.secret, other))

    def derived(self, label):
        return mac(self.root, b"pamtunnel pairing 1 " + label + b"\0", self.transcript, b"\1")

    @property
    def code(self):
        number = int.from_bytes(self.derived(b"code")[:8], "big") % 1000000
        return f"{number // 1000:03} {number % 1000:03}"


class PaperGateway:
    """Asks a real vps-agent to be paired; moved step by step."""

    def __init__(self, port, name="paper", host="127.0.0.1", *, source=None, program="paper-gateway 1"):
        flags = ("-bind", f"{source}:0") if source else ()
        self.control = wire.Control(port, STRANGER_KEY, STRANGER, host, *flags)
        self.program = program
        self.side = Side(name)
        self.name = name

    def __enter__(self):
        self.control.__enter__()
        self.control.greet(minimum=1, maximum=2, program=self.program)
        return self

    def __exit__(self, *args):
        self.control.__exit__(*args)

    def ask(self):
        """Up to the code."""
        self.commitment = self.side.commitment()
        self.control.send(wire.frame(COMMIT, self.commitment + wire.text(self.name)))
        answer = self.control.receive(ANSWER)
        share, nonce = answer[:32], answer[32:]
        self.control.send(wire.frame(OPEN, self.side.share + self.side.nonce))
        self.side.agree(share, self.commitment, (share, nonce), (self.side.share, self.side.nonce))
        return self.side.code

    def confirm(self):
        assert self.control.receive(ACCEPT) == self.side.derived(b"vps")
        self.control.send(wire.frame(CONFIRM, self.side.derived(b"gateway")))

    @property
    def key(self):
        return self.side.derived(b"key").hex()


class PaperVps(wire.Vps):
    """A real gateway-agent asks it to be paired. For one connection."""

    def __init__(self, port):
        super().__init__(port, STRANGER_KEY, STRANGER)

    def meet(self):
        """Up to the code."""
        self.receive(wire.HELLO)
        self.send(wire.hello(maximum=2, keepalive=0, program="vps-agent paper"))
        commit = self.receive(COMMIT)
        (length,) = struct.unpack(">H", commit[32:34])
        self.name = commit[34:34 + length].decode()
        self.side = Side(self.name)
        self.send(wire.frame(ANSWER, self.side.share + self.side.nonce))
        opened = self.receive(OPEN)
        share, nonce = opened[:32], opened[32:]
        self.side.agree(share, commit[:32], (self.side.share, self.side.nonce), (share, nonce))
        return self.side.code

    def let_in(self):
        self.send(wire.frame(ACCEPT, self.side.derived(b"vps")))
        assert self.receive(CONFIRM) == self.side.derived(b"gateway")
