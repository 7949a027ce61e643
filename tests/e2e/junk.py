"""What comes to an open port on the Internet, in bulk."""

import contextlib
import os
import random
import socket
import threading
import time

import peers

# Shapes of first packets. None is what an SSH or RDP user of a session would send,
# apart from the last three: those speak the protocol and have no business here.
TLS_HELLO = bytes.fromhex(
    "160301007a010000760303" + "ab" * 32 + "20" + "cd" * 32
    + "0008130213031301c02f01000025" + "0000000e000c0000096c6f63616c686f7374"
    + "000a00040002001d" + "000d0006000404030804" + "002b0003020304")
HTTP = b"GET / HTTP/1.1\r\nHost: 203.0.113.1\r\nUser-Agent: Mozilla/5.0 zgrab/0.x\r\nAccept: */*\r\n\r\n"
NMAP_RDP = peers.connection_request(peers.cookie("nmap"), 0x0B)
NMAP_PROBES = [b"\r\n\r\n", b"HELP\r\n", b"OPTIONS / RTSP/1.0\r\n\r\n", b"\x00\x06\x01\x00\x00\x01\x00\x00\x00\x00",
               b"\x80\x00\x00\x28\x72\xfe\x1d\x13", b"\x00\x00\x00\xa4\xffSMBr", b"\x05\x04\x00\x01\x02\x80",
               b"l\x00\x0b\x00\x00\x00", b"0\x0c\x02\x01\x01`\x07\x02\x01\x03\x04\x00\x80\x00"]
OVERLONG = b"SSH-2.0-" + b"A" * 2000
HUGE_TPKT = b"\x03\x00\xff\xff\xfe\xe0" + b"\x00" * 300

KINDS = ["empty", "reset", "silent", "half", "http", "tls", "random", "nmap", "nmap_rdp", "overlong",
         "huge_tpkt", "flood", "pmtd", "frame"]


def one(kind, address, port, hold, source=None):
    """One junk connection. True if it was accepted.

    hold: a list that keeps the silent ones open for a while."""
    try:
        sock = socket.create_connection((address, port), 5, (source, 0) if source else None)
    except OSError:
        return False
    with contextlib.suppress(OSError):
        sock.settimeout(5)
        if kind == "silent":
            hold.append(sock)
            return True
        if kind == "half":
            sock.sendall(random.choice([b"S", b"SSH-2.0-", b"\x03\x00\x00\x2b", b"\x16\x03\x01", b"PMTD"]))
            hold.append(sock)
            return True
        with sock:
            if kind == "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                return True
            data = {
                "empty": lambda: b"", "http": lambda: HTTP, "tls": lambda: TLS_HELLO,
                "random": lambda: os.urandom(random.randrange(1, 2000)),
                "nmap": lambda: random.choice(NMAP_PROBES), "nmap_rdp": lambda: NMAP_RDP,
                "overlong": lambda: OVERLONG, "huge_tpkt": lambda: HUGE_TPKT,
                "flood": lambda: os.urandom(200000), "pmtd": lambda: b"PMTD\0\1" + os.urandom(74),
                "frame": lambda: b"\x04\x00\x01" + os.urandom(1023),
            }[kind]()
            sock.sendall(data)
            if random.random() < 0.3:
                # some wait for an answer
                sock.settimeout(0.2)
                sock.recv(1000)
    return True


class Storm:
    """`count` junk connections to the ports, from several sources, a few at a time."""

    def __init__(self, ports, count, sources, address="127.0.0.1", run=lambda work: work(), kinds=KINDS,
                 at_once=16, seed=1):
        self.hold = []
        self.done = self.accepted = 0
        jobs = []
        chooser = random.Random(seed)
        for number in range(count):
            jobs.append((kinds[number % len(kinds)], ports[number // len(kinds) % len(ports)],
                         chooser.choice(sources)))
        lock = threading.Lock()

        def work():
            while True:
                with lock:
                    if not jobs:
                        return
                    kind, port, source = jobs.pop()
                accepted = run(lambda: one(kind, address, port, self.hold, source))
                with lock:
                    self.done += 1
                    self.accepted += accepted
                    while len(self.hold) > 60:
                        self.hold.pop(0).close()

        self.threads = [threading.Thread(target=work, daemon=True) for _ in range(at_once)]
        for thread in self.threads:
            thread.start()

    def wait(self, timeout=120):
        deadline = time.monotonic() + timeout
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), f"the storm is stuck after {self.done}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for thread in self.threads:
            thread.join(60)
        for sock in self.hold:
            sock.close()
