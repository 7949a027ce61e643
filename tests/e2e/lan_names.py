"""Machines that answer to names in a LAN, each by its protocol: honest ones and liars.

They know mDNS, LLMNR and NetBIOS as the RFCs have them, and share no code with the gateway.
"""

import contextlib
import socket
import struct
import threading
import time

MDNS, LLMNR, NETBIOS = "mdns", "llmnr", "netbios"
PORTS = {MDNS: 5353, LLMNR: 5355, NETBIOS: 137}
GROUPS = {MDNS: "224.0.0.251", LLMNR: "224.0.0.252"}
GROUPS6 = {MDNS: "ff02::fb", LLMNR: "ff02::1:3"}
A, AAAA, NB, NBSTAT = 1, 28, 0x20, 0x21


def dns_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def netbios_name(name, suffix=0x20):
    padded = name.upper().encode().ljust(15) + bytes([suffix])
    return b"\x20" + bytes(byte for c in padded for byte in (0x41 + (c >> 4), 0x41 + (c & 15))) + b"\0"


def read_name(data, at):
    labels = []
    while data[at]:
        if data[at] >= 0xc0:
            rest, _ = read_name(data, (data[at] & 0x3f) << 8 | data[at + 1])
            return ".".join(filter(None, [*labels, rest])), at + 2
        labels.append(data[at + 1:at + 1 + data[at]].decode())
        at += 1 + data[at]
    return ".".join(labels), at + 1


def read_netbios(encoded):
    raw = bytes((ord(encoded[i]) - 0x41) << 4 | (ord(encoded[i + 1]) - 0x41) for i in range(0, 32, 2))
    return raw[:15].decode().rstrip(), raw[15]


class Question:
    """One that came: its id, name (without .local), type and, of NetBIOS, suffix."""

    def __init__(self, protocol, data):
        self.protocol, self.data = protocol, data
        self.id, self.flags, count = struct.unpack(">HHH", data[:6])
        if self.flags & 0x8000 or count < 1:
            raise ValueError("not a question")
        self.full_name, at = read_name(data, 12)
        self.kind, self.cls = struct.unpack(">HH", data[at:at + 4])
        self.bytes = data[12:at + 4]
        self.suffix = None
        self.name = self.full_name.lower()
        if protocol == NETBIOS and self.full_name[:2] != "CK":
            self.name, self.suffix = read_netbios(self.full_name)
            self.name = self.name.lower()
        elif protocol == MDNS:
            self.name = self.name.removesuffix(".local")

    def answer(self, address, name=None, rcode=0, query_id=None, group=False):
        """name: another than was asked for."""
        head = struct.pack(">H", self.id if query_id is None else query_id)
        data = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
        if self.protocol == NETBIOS:
            owner = netbios_name(name or self.name, self.suffix)
            flags = 0xe000 if group else 0x6000
            return (head + struct.pack(">HHHHH", 0x8500 | rcode, 0, 1, 0, 0) + owner
                    + struct.pack(">HHIH", NB, 1, 300000, 6) + struct.pack(">H", flags) + data)
        own = dns_name(name + (".local" if self.protocol == MDNS else "")) if name else b"\xc0\x0c"
        flags = (0x8400 if self.protocol == MDNS else 0x8000) | rcode
        return (head + struct.pack(">HHHHH", flags, 1, 1, 0, 0) + self.bytes + own
                + struct.pack(">HHIH", AAAA if ":" in address else A, 1, 10, len(data)) + data)


class Responder:
    """A machine with names, at an address of its own on the interface: a context manager.

    names: {name: address}. how(question, address): the datagrams to send, if not one honest answer.
    delay: seconds before each answer. port: another one to answer from.
    """

    def __init__(self, namespace, protocol, names, source, interface="eth", how=None, delay=0, port=None, ipv6=False):
        self.protocol, self.names, self.how, self.delay = protocol, names, how, delay
        self.asked = []
        self.ipv6 = ipv6
        self.ear = namespace.inside(lambda: self._ear(interface))
        self.mouth = namespace.inside(lambda: self._bound(source, port or PORTS[protocol], interface))
        self.over = False
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join(5)
        self.ear.close()
        self.mouth.close()

    def _bound(self, host, port, interface):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            scope = socket.if_nametoindex(interface) if host.startswith("fe80") else 0
            sock.bind((host, port, 0, scope))
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.bind((host, port))
        return sock

    def _ear(self, interface):
        port, index = PORTS[self.protocol], socket.if_nametoindex(interface)
        sock = self._bound("::" if self.ipv6 else "0.0.0.0", port, interface)
        if self.ipv6:
            group = socket.inet_pton(socket.AF_INET6, GROUPS6[self.protocol]) + struct.pack("@I", index)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        elif self.protocol in GROUPS:
            group = socket.inet_aton(GROUPS[self.protocol]) + b"\0\0\0\0" + struct.pack("@i", index)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        sock.settimeout(0.2)
        return sock

    def _serve(self):
        while not self.over:
            try:
                data, sender = self.ear.recvfrom(9000)
            except TimeoutError:
                continue
            except OSError:
                return
            with contextlib.suppress(ValueError, IndexError, UnicodeDecodeError):
                self._take(Question(self.protocol, data), sender)

    def _take(self, question, sender):
        self.asked.append(question)
        address = self.names.get(question.name)
        wanted = (AAAA if address and ":" in address else A) if self.protocol != NETBIOS else NB
        if not address or question.kind != wanted:
            return
        time.sleep(self.delay)
        answers = self.how(question, address) if self.how else [question.answer(address)]
        for answer in answers:
            with contextlib.suppress(OSError):
                self.mouth.sendto(answer, sender)
