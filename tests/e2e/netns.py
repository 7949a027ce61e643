"""Network namespaces: a small Internet of the tests' own.

    client ------- vps ------- gateway ------- lan
    203.0.113.7+   203.0.113.1
                   198.51.100.1  198.51.100.2
                                 192.168.1.1   192.168.1.22 (HOME-PC)

The gateway dials out to the vps; nothing knows a way to the lan except the
gateway, and the gateway forwards nothing. The addresses are those that the RFCs
set aside for documentation, and nothing leaves the namespaces.
"""

import contextlib
import ctypes
import os
import pathlib
import shutil
import socket
import subprocess
import threading
import uuid

CLONE_NEWNET = 0x40000000
VPS = "203.0.113.1"
VPS_FOR_GATEWAY = "198.51.100.1"
GATEWAY = "198.51.100.2"
GATEWAY_IN_LAN = "192.168.1.1"
TARGET = "192.168.1.22"
DEAF = "192.168.1.66"       # packets to it vanish: a connection times out
CLIENT = "203.0.113.7"
SCANNERS = ["203.0.113.66", "203.0.113.67", "203.0.113.68"]
VPS6, CLIENT6, TARGET6 = "2001:db8:1::1", "2001:db8:1::7", "fd00:1::22"
NEIGHBOUR6 = "2001:db8:1::66"   # of the client, in its /64


def available():
    return os.geteuid() == 0 and shutil.which("ip") is not None


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


class Namespace:
    def __init__(self, name):
        self.name = name
        self.etc = pathlib.Path("/etc/netns") / name
        run("ip", "netns", "add", name)
        self.ip("link", "set", "lo", "up")
        # The folder above goes with the last that uses it, of whatever run.
        while not self.etc.exists():
            with contextlib.suppress(FileNotFoundError):
                self.etc.mkdir(parents=True)

    def ip(self, *args):
        run("ip", "-n", self.name, *args)

    def command(self, *argv):
        """argv, run inside."""
        return ["ip", "netns", "exec", self.name, *map(str, argv)]

    def inside(self, function):
        """Calls function on a thread in the namespace. What it opens stays there."""
        box = {}

        def work():
            try:
                with open(f"/run/netns/{self.name}") as handle:
                    libc = ctypes.CDLL(None, use_errno=True)
                    if libc.setns(handle.fileno(), CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                box["result"] = function()
            except BaseException as error:  # handed to the caller below
                box["error"] = error

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if "error" in box:
            raise box["error"]
        return box["result"]

    def listen(self, host, port=0, backlog=128):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return self.inside(lambda: socket.create_server((host, port), family=family, backlog=backlog))

    def connect(self, host, port, source=None, timeout=10):
        return self.inside(lambda: socket.create_connection(
            (host, port), timeout, (source, 0) if source else None))

    def hosts(self, text):
        """/etc/hosts of the programs inside."""
        (self.etc / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n" + text)

    def resolver(self, address):
        """/etc/resolv.conf of the programs inside."""
        (self.etc / "resolv.conf").write_text(f"nameserver {address}\noptions timeout:1 attempts:1\n")
        (self.etc / "nsswitch.conf").write_text("hosts: files dns\n")

    def delete(self):
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)
        shutil.rmtree(self.etc, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.etc.parent.rmdir()


class NameServer:
    """A DNS server that knows a few names; all others do not exist.

    `answers` may be changed at any time. silent: it does not answer at all.
    """

    def __init__(self, namespace, address="127.0.0.1"):
        self.answers = {}
        self.silent = False
        self.asked = []

        def bind():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((address, 53))
            return sock

        self.socket = namespace.inside(bind)
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(2)

    def _serve(self):
        while True:
            try:
                query, sender = self.socket.recvfrom(512)
            except OSError:
                return
            if not query:
                return
            with contextlib.suppress(IndexError, OSError):
                answer = self._answer(query)
                if answer and not self.silent:
                    self.socket.sendto(answer, sender)

    def _answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("ascii", "replace"))
            at += 1 + query[at]
        name = ".".join(labels).lower()
        kind = int.from_bytes(query[at + 1:at + 3], "big")
        question = query[12:at + 5]
        self.asked.append(name)
        address = self.answers.get(name)
        records, code = b"", 3
        if address:
            code = 0
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            if kind == (28 if ":" in address else 1):
                data = socket.inet_pton(family, address)
                records = (b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\x01\0\0\0\x01"
                           + len(data).to_bytes(2, "big") + data)
        flags = (0x8580 | code).to_bytes(2, "big")
        count = (1 if records else 0).to_bytes(2, "big")
        return query[:2] + flags + b"\0\x01" + count + b"\0\0\0\0" + question + records


class Internet:
    """The four namespaces of the picture above. A context manager."""

    def __enter__(self):
        run_id = uuid.uuid4().hex[:6]
        self.stack = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            for role in ("client", "vps", "gateway", "lan"):
                namespace = Namespace(f"pt{run_id}-{role}")
                undo.callback(namespace.delete)
                setattr(self, role, namespace)
            self._link(self.client, "wan", self.vps, "inet")
            self._link(self.gateway, "wan", self.vps, "gw")
            self._link(self.gateway, "lan", self.lan, "eth")
            self._address(self.vps, "inet", f"{VPS}/24", f"{VPS6}/64")
            self._address(self.client, "wan", *(f"{a}/24" for a in [CLIENT, *SCANNERS]), f"{CLIENT6}/64",
                          f"{NEIGHBOUR6}/64")
            self._address(self.vps, "gw", f"{VPS_FOR_GATEWAY}/29")
            self._address(self.gateway, "wan", f"{GATEWAY}/29")
            self._address(self.gateway, "lan", f"{GATEWAY_IN_LAN}/24", "fd00:1::1/64")
            self._address(self.lan, "eth", f"{TARGET}/24", f"{TARGET6}/64")
            # A neighbour that is not there: packets leave, nobody answers.
            self.gateway.ip("neigh", "add", DEAF, "lladdr", "02:00:00:00:00:66", "dev", "lan",
                            "nud", "permanent")
            for namespace in (self.client, self.vps, self.gateway, self.lan):
                namespace.hosts(f"{TARGET} HOME-PC home-pc\n" if namespace is self.gateway else "")
                namespace.resolver("127.0.0.1")
            self.dns = undo.enter_context(NameServer(self.gateway))
            self.stack = undo.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    @staticmethod
    def _link(one, one_device, two, two_device):
        run("ip", "-n", one.name, "link", "add", one_device, "type", "veth",
            "peer", "name", two_device, "netns", two.name)
        one.ip("link", "set", one_device, "up")
        two.ip("link", "set", two_device, "up")

    @staticmethod
    def _address(namespace, device, *addresses):
        for address in addresses:
            extra = ["nodad"] if ":" in address else []
            namespace.ip("address", "add", address, "dev", device, *extra)

    def cut(self):
        """The gateway's line to the vps is dead: no FIN, no RST, just silence."""
        self.vps.ip("link", "set", "gw", "down")

    def mend(self):
        self.vps.ip("link", "set", "gw", "up")
