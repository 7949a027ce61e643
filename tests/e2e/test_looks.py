"""Who the target is, as a gateway finds out: real servers, odd ones, and a VPS written from docs/protocol.md."""

import base64
import contextlib
import datetime
import hashlib
import os
import re
import secrets
import shutil
import socket
import struct
import subprocess
import threading

import pytest

import peers
import rdp
import sshd as openssh
import util
import wire
from agents import LOOPBACK_TARGETS, Daemon
from util import TIME_SCALE, eventually

SESSION = 77


class LookingVps(wire.Vps):
    """A gateway-agent has logged in to it."""

    def __init__(self, folder):
        self.port, key = util.free_port(), secrets.token_hex(32)
        super().__init__(self.port, key, "lan")
        self.gateway = Daemon("gateway-agent", folder, {
            "VPS_HOST": "127.0.0.1", "CONTROL_PORT": self.port, "TUNNEL_KEY": key, "GATEWAY_NAME": "lan",
            "ALLOWED_TARGETS": LOOPBACK_TARGETS, "LOG_LEVEL": "debug"})
        self.data = util.server()
        self.token = secrets.token_bytes(32)
        self.session = SESSION

    def __enter__(self):
        super().__enter__()
        eventually(lambda: peers.listening(self.port), "openssl listens")
        self.gateway.start()
        self.receive(wire.HELLO)
        self.send(wire.hello(1, 3, 0, "paper-vps 1"))
        self.gateway.wait_log("connected to the VPS")
        return self

    def __exit__(self, *_):
        self.gateway.kill()
        self.data.close()
        super().__exit__()

    def ask(self, port, channel=0, **more):
        """OPEN_TUNNEL of a new session if it is channel 0."""
        self.session += channel == 0
        self.send(wire.open_tunnel(self.session, channel, "127.0.0.1", port, self.data.getsockname()[1], self.token,
                                   **{"kind": wire.SSH_KIND, **more}))

    def accept(self):
        """The data channel, when both have proven themselves."""
        self.data.settimeout(10 * TIME_SCALE)
        sock, _ = self.data.accept()
        opening = util.read_exactly(sock, wire.HELLO_SIZE)
        nonce = secrets.token_bytes(32)
        sock.sendall(nonce + wire.mac(self.token, b"vps", opening, nonce))
        assert util.read_exactly(sock, wire.FINAL_SIZE) == wire.mac(self.token, b"gateway", opening, nonce)
        return sock

    def accept_nothing(self):
        """A data channel that the gateway gives up in its middle."""
        self.data.settimeout(10 * TIME_SCALE)
        self.data.accept()[0].close()

    def look(self, port, **more):
        """A session that is opened with a look, and closed; what was told of its target."""
        self.ask(port, flags=wire.TUNNEL_LOOK, **more)
        with self.accept():
            ready = wire.read_tunnel_ready(self.receive(wire.TUNNEL_READY))
        self.send(wire.frame(wire.CLOSE_TUNNEL, struct.pack(">Q", self.session)))
        return ready

    def refusal(self):
        """(reason, detail)"""
        fields = self.receive(wire.TUNNEL_FAILED)
        return fields[10], fields[13:].decode()


@pytest.fixture
def vps():
    with util.Folder() as folder, LookingVps(folder) as vps:
        yield vps


def public_key(server):
    """TYPE BASE64"""
    return " ".join((server.folder / "host_key.pub").read_text().split()[:2])


def identity(key):
    return hashlib.sha256(base64.b64decode(key.split()[1])).digest()


def fingerprint(digest):
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


# ---------------------------------------------------------------- SSH

@pytest.mark.parametrize("keygen", [
    ("-t", "ed25519"), ("-t", "ecdsa", "-b", "256"), ("-t", "ecdsa", "-b", "521"), ("-t", "rsa", "-b", "2048"),
    ("-t", "rsa", "-b", "4096")], ids=" ".join)
def test_the_host_key_of_an_sshd_is_told_and_read_once_a_day(vps, keygen):
    with openssh.Sshd(keygen=keygen) as server:
        key = public_key(server)
        for _ in range(3):
            assert vps.look(server.port)[1] == key
        visits = re.findall(r"Connection from 127.0.0.1", server.log)
        assert len(visits) == 1, server.log
        eventually(lambda: "pamtunnel has read the host key" in server.log, "the target's log tells what that was")
        vps.gateway.wait_log(f"shows SSH {re.escape(fingerprint(identity(key)))}")
        vps.gateway.wait_log("opening for SSH")


def test_a_server_that_has_got_a_better_key_is_the_same_and_one_that_lost_its_key_is_not(vps):
    with openssh.Sshd(keygen=("-t", "rsa"), second=("-t", "ed25519")) as server:
        key = public_key(server)
        assert vps.look(server.port, identity=identity(key))[1] == key, "as ssh, which knows that one, would ask for it"
        assert len(re.findall(r"Connection from 127.0.0.1", server.log)) == 2, "for the best one first"
        for _ in range(2):
            assert vps.look(server.port, identity=identity(key))[1] == key
        assert len(re.findall(r"Connection from 127.0.0.1", server.log)) == 2, "once a day"
        vps.ask(server.port, identity=b"i" * 32)
        vps.accept_nothing()
        assert vps.refusal()[0] == wire.TUNNEL_IDENTITY


@pytest.mark.parametrize("exchange", [
    "sntrup761x25519-sha512@openssh.com", "curve25519-sha256", "ecdh-sha2-nistp256", "diffie-hellman-group16-sha512",
    "diffie-hellman-group14-sha1"])
def test_a_server_of_one_key_exchange_is_read(vps, exchange):
    with openssh.Sshd(config=f"KexAlgorithms {exchange}\n") as server:
        assert vps.look(server.port)[1] == public_key(server)


def test_somebody_else_is_refused_and_the_right_one_served(vps):
    with openssh.Sshd() as server:
        key = public_key(server)
        another = secrets.token_bytes(32)
        vps.ask(server.port, identity=another)
        reason, detail = vps.refusal()
        assert reason == wire.TUNNEL_IDENTITY
        assert fingerprint(another) in detail and fingerprint(identity(key)) in detail
        vps.data.accept()[0].close()
        for channel in 0, 1:
            vps.ask(server.port, channel, identity=identity(key))
            with vps.accept() as sock:
                sock.sendall(b"SSH-2.0-test\r\n")
                assert util.read_exactly(sock, 8) == b"SSH-2.0-"
        assert len(re.findall(r"Connection from 127.0.0.1", server.log)) == 3, "one look, two sessions"


class OddServer:
    """Each connection is handed to `serve`, one after the other."""

    def __init__(self, serve):
        self.serve, self.sock = serve, util.server()
        self.port = self.sock.getsockname()[1]
        self.visits = 0
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.sock.accept()
                self.visits += 1
                with sock, contextlib.suppress(OSError):
                    self.serve(sock)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self.thread.join()


def packet(payload):
    padding = 8 - (5 + len(payload)) % 8 + 8
    return struct.pack(">IB", 1 + len(payload) + padding, padding) + payload + bytes(padding)


def counted(data):
    return struct.pack(">I", len(data)) + data


ODD_KEY = counted(b"ssh-ed25519") + counted(b"k" * 32)
ODD_SPEECH = (b"Welcome to the machine\r\n" * 3 + b"SSH-1.99-odd\n" + packet(b"\2" + counted(b"ignore me")) +
              packet(b"\x14" + bytes(16) + counted(b"ecdh-sha2-nistp256") + counted(b"ssh-ed25519") + bytes(8 * 4 + 5)) +
              packet(b"\4\1" + bytes(8)) + packet(b"\x1f" + counted(ODD_KEY) + counted(b"f") + counted(b"s")))


def in_pieces(speech, size, pause=0.0):
    def serve(sock):
        for at in range(0, len(speech), size):
            sock.sendall(speech[at:at + size])
            threading.Event().wait(pause)
        sock.settimeout(10)
        while sock.recv(4096):
            pass
    return serve


@pytest.mark.parametrize("size, pause", [(4096, 0), (37, 0.01)])
def test_a_server_that_is_odd_but_allowed_to_be_is_read(vps, size, pause):
    with OddServer(in_pieces(ODD_SPEECH, size, pause)) as server:
        assert vps.look(server.port)[1] == "ssh-ed25519 " + base64.b64encode(ODD_KEY).decode()


@pytest.mark.parametrize("speech, said", [
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it ends the connection"),
    (b"\0" * 65536, "it does not speak SSH"),
    (b"SSH-2.0-x\r\n" + os.urandom(4096), "it does not speak SSH"),
    (b"SSH-2.0-x\r\n" + packet(b"\1\0\0\0\2" + counted("Too \u2026 many".encode()) + counted(b"")),
     r"it disconnects, reason 2: Too \?\?\? many"),
    (b"", "it ends the connection"),
], ids=["http", "64 KiB", "garbage", "disconnect", "nothing"])
def test_a_target_that_cannot_be_looked_at_answers_all_the_same(vps, speech, said):
    def serve(sock):
        sock.sendall(speech)
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(10)
        while sock.recv(4096):
            pass

    with OddServer(serve) as server:
        address, *rest = vps.look(server.port)
        assert (address, rest) == (f"127.0.0.1:{server.port}", ["", bytes(32), bytes(20), 0, 0])
        vps.gateway.wait_log(f"shows nothing to know it by: {said}")
        vps.look(server.port)
        assert server.visits == 1, "not again so soon"
        vps.ask(server.port, identity=b"i" * 32)
        reason, detail = vps.refusal()
        assert reason == wire.TUNNEL_IDENTITY and re.search(f"has to show SHA256:.*, but {said[:20]}", detail)
        vps.data.accept()[0].close()


def test_a_silent_target_is_ready_when_the_look_is_given_up(vps):
    with OddServer(lambda sock: sock.recv(100) and sock.recv(100)) as server:
        assert vps.look(server.port)[1] == ""
        vps.gateway.wait_log("shows nothing to know it by: it does not say enough within 5 s")


def unpacked(package, program, *libraries):
    """A daemon of Debian's, not installed: its path."""
    if found := shutil.which(program):
        return found
    folder = util.BUILD / "daemons" / package
    if not folder.exists():
        folder.mkdir(parents=True)
        if subprocess.run(["apt-get", "download", "-q", package, *libraries], cwd=folder, capture_output=True).returncode == 0:
            subprocess.run(["sh", "-c", "for each in *.deb; do dpkg -x $each .; done"], cwd=folder, check=True)
    for found in folder.glob(f"usr/*bin/{program}"):
        return str(found)
    return pytest.skip(f"no {program} here")


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_the_host_key_of_a_dropbear(vps, kind):
    daemon, keygen = unpacked("dropbear-bin", "dropbear"), unpacked("dropbear-bin", "dropbearkey")
    port = util.free_port()
    with util.Folder() as folder:
        made = subprocess.run([keygen, "-t", kind, "-f", str(folder / "key")], capture_output=True, text=True)
        if made.returncode != 0:
            pytest.skip(f"dropbearkey does not run here: {made.stderr}")
        key = next(line for line in made.stdout.splitlines() if " AAAA" in line)
        with subprocess.Popen([daemon, "-F", "-E", "-r", str(folder / "key"), "-p", f"127.0.0.1:{port}"],
                              stderr=subprocess.DEVNULL) as process:
            try:
                eventually(lambda: peers.listening(port), "dropbear listens")
                assert vps.look(port)[1] == " ".join(key.split()[:2])
            finally:
                process.kill()


def test_the_host_key_of_a_tinyssh(vps):
    daemon, folder = unpacked("tinysshd", "tinysshd"), util.BUILD / "daemons" / "tinysshd"
    makekey = shutil.which("tinysshd-makekey") or next(folder.glob("usr/**/tinysshd-makekey"))
    printkey = shutil.which("tinysshd-printkey") or next(folder.glob("usr/**/tinysshd-printkey"))
    with util.Folder() as home:
        subprocess.run([str(makekey), str(home / "keys")], check=True, capture_output=True)
        shown = subprocess.run([str(printkey), str(home / "keys")], check=True, capture_output=True, text=True).stdout
        key = next(line for line in shown.splitlines() if "ssh-ed25519 " in line)

        def serve(sock):
            sock.settimeout(None)
            subprocess.run([daemon, str(home / "keys")], stdin=sock, stdout=sock, stderr=subprocess.DEVNULL, timeout=30)

        with OddServer(serve) as server:
            seen = vps.look(server.port)[1]
            assert seen and seen in key


# ---------------------------------------------------------------- Remote Desktop

class Certificate:
    def __init__(self, folder, *newkey):
        self.key, self.path = folder / "key.pem", folder / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", *newkey, "-nodes", "-days", "180", "-keyout", str(self.key),
                        "-out", str(self.path), "-subj", "/CN=HOME-PC"], check=True, capture_output=True)

    def told(self):
        return told_by_openssl(self.path)


def told_by_openssl(path):
    """What TUNNEL_READY has to have of it, by another program."""
    def ask(*words):
        return subprocess.run(["openssl", "x509", "-in", str(path), "-noout", *words], capture_output=True, text=True,
                              check=True).stdout.split("=", 1)[1].strip()

    def when(word):
        return int(datetime.datetime.strptime(ask(word), "%b %d %H:%M:%S %Y GMT").replace(tzinfo=datetime.UTC).timestamp())

    sha256, sha1 = (bytes.fromhex(ask("-fingerprint", word).replace(":", "")) for word in ("-sha256", "-sha1"))
    return ("", sha256, sha1, when("-startdate"), when("-enddate"))


def confirm(kind=2, value=1):
    return bytes.fromhex("03000013 0ed00000123400") + struct.pack("<BBHI", kind, 0, 8, value)


@contextlib.contextmanager
def tls_server(certificate, *flags):
    """What stands behind the front; its port."""
    port = util.free_port()
    with subprocess.Popen(["openssl", "s_server", "-quiet", "-accept", f"127.0.0.1:{port}", "-cert", str(certificate.path),
                           "-key", str(certificate.key), *flags], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: peers.listening(port), "openssl listens")
            yield port
        finally:
            process.kill()


def front(port, choice=1):
    """A server that is asked for TLS in RDP's way, and hands on to one that speaks it."""
    def serve(sock):
        assert util.read_exactly(sock, 19) == bytes.fromhex("03000013 0ee000000000000100080003000000")
        sock.sendall(confirm(value=choice))
        with socket.create_connection(("127.0.0.1", port)) as server:
            hand_on = threading.Thread(target=pump, args=(server, sock), daemon=True)
            hand_on.start()
            pump(sock, server)
            hand_on.join()

    def pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                for at in range(0, len(data), 700):
                    sink.sendall(data[at:at + 700])
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
    return OddServer(serve)


@pytest.mark.parametrize("newkey, flags, choice", [
    (("rsa:2048",), ("-tls1_2",), 1), (("rsa:2048",), ("-tls1_3",), 2), (("rsa:4096",), (), 8),
    (("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), ("-tls1_2",), 1),
    (("ec", "-pkeyopt", "ec_paramgen_curve:P-384"), ("-tls1_3",), 1),
    (("rsa:2048", "-sha1"), ("-tls1_2",), 2)], ids=str)
def test_a_certificate_is_told_as_openssl_tells_it(vps, newkey, flags, choice):
    with util.Folder() as folder:
        certificate = Certificate(folder, *newkey)
        with tls_server(certificate, *flags) as port, front(port, choice) as server:
            for _ in range(2):
                assert vps.look(server.port, kind=wire.RDP_KIND)[1:] == certificate.told()
            assert server.visits == 1
            digest = certificate.told()[1]
            vps.gateway.wait_log(f"shows RDP {re.escape(fingerprint(digest))}")
            vps.ask(server.port, kind=wire.RDP_KIND, identity=digest)
            vps.accept().close()
            vps.receive(wire.TUNNEL_READY)
            vps.ask(server.port, kind=wire.RDP_KIND, identity=b"i" * 32)
            assert vps.refusal()[0] == wire.TUNNEL_IDENTITY


@pytest.mark.parametrize("speech, said", [
    (bytes.fromhex("0300000b 06d00000123400"), "it has no TLS"),
    (confirm(value=0), "it has no TLS"),
    (confirm(kind=3, value=5), "it insists on NLA, and refuses it"),
    (confirm(kind=3, value=99), "it refuses, for a reason that is not known here"),
    (confirm(kind=7), "it does not speak RDP"),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it does not speak RDP"),
    (b"SSH-2.0-OpenSSH\r\n", "it does not speak RDP"),
    (confirm() + b"\x15\x03\x01\x00\x02\x02\x28", "it speaks no TLS that is known here"),
    (confirm() + os.urandom(4096), "its TLS cannot be read"),
    (confirm(), "it ends the connection"),
], ids=["plain", "rdp", "nla", "99", "odd", "http", "ssh", "alert", "garbage", "nothing"])
def test_a_remote_desktop_that_shows_nothing_answers_all_the_same(vps, speech, said):
    def serve(sock):
        sock.sendall(speech)
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(10)
        while sock.recv(4096):
            pass

    with OddServer(serve) as server:
        assert vps.look(server.port, kind=wire.RDP_KIND)[1:] == ("", bytes(32), bytes(20), 0, 0)
        vps.gateway.wait_log(f"shows nothing to know it by: {said}")


def test_the_certificate_of_an_xrdp(vps):
    with rdp.Xrdp() as server:
        assert vps.look(server.port, kind=wire.RDP_KIND)[1:] == told_by_openssl(server.folder / "cert.pem")


def test_the_certificate_of_a_windows_like_server_that_insists_on_nla(vps):
    daemon = unpacked("freerdp2-shadow-x11", "freerdp-shadow-cli", "libfreerdp-shadow-subsystem2-2",
                      "libfreerdp-shadow2-2", "libfreerdp-server2-2", "libwinpr-tools2-2")
    libraries = {str(path.parent) for path in (util.BUILD / "daemons").glob("freerdp2*/**/lib*.so.*")}
    port = util.free_port()
    with util.Folder() as home, rdp.Display() as display:
        environment = {**os.environ, "DISPLAY": display.name, "HOME": str(home), "LD_LIBRARY_PATH": ":".join(libraries)}
        with subprocess.Popen([daemon, f"/port:{port}", "/bind-address:127.0.0.1", "/sec:nla", "-auth"], env=environment,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                eventually(lambda: peers.listening(port) or process.poll() is not None, "the server listens")
                if process.poll() is not None:
                    pytest.skip("freerdp-shadow-cli does not run here")
                assert vps.look(port, kind=wire.RDP_KIND)[1:] == told_by_openssl(next(home.glob("**/shadow.crt")))
            finally:
                process.kill()
