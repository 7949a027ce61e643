"""The page behind a session's link over TLS: with the certificate that is there, to real browsers, and to peers that are
slow, broken or many."""

import base64
import contextlib
import hashlib
import http.client
import itertools
import re
import shutil
import ssl
import subprocess
import time

import browser
import pytest
from agents import OWNER, World
from peers import Recorder, connection_request, dial, echo
from test_link import HELLO, Link, is_in
from test_rdp_signed import Authority, openssl
from util import SANITIZED, TIME_SCALE, eventually, free_port, how_it_ends, read_exactly, stays

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl to make certificates with")
ADDRESS = "IP:127.0.0.1"
_networks = itertools.count(1)
ENTRANCE = free_port()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority")).issue(name=ADDRESS)


@pytest.fixture(scope="module")
def world_with_it(authority):
    with World(vps={"ADMIT": "ask", "ENTRANCE_PORT": ENTRANCE, **authority.settings}) as world:
        yield world


@pytest.fixture
def secure(world_with_it):
    yield world_with_it
    world_with_it.settle()


@pytest.fixture
def target():
    with Recorder(echo) as recorder:
        yield recorder


def context(authority, **how):
    made = ssl.create_default_context(cafile=authority.root)
    for name, value in how.items():
        setattr(made, name, value)
    return made


def shake(port, authority, source=None, made=None):
    """From a network of its own, unless the test says from where: each has so many handshakes."""
    raw = dial(port, source or f"127.40.{next(_networks)}.1")
    try:
        return (made or context(authority)).wrap_socket(raw, server_hostname="127.0.0.1")
    except BaseException:
        raw.close()
        raise


def ask(link, authority, method="GET", source=None, path=None, made=None, port=None):
    with shake(port or link.port, authority, source, made) as tls:
        tls.sendall(f"{method} {path or '/' + link.key} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        answer = http.client.HTTPResponse(tls, method=method)
        answer.begin()
        return answer.status, answer.read().decode()


def shown_to(port, authority):
    with shake(port, authority) as tls:
        return hashlib.sha256(tls.getpeercert(binary_form=True)).hexdigest()


# ---------------------------------------------------------------- who gets it

@pytest.mark.parametrize("kind", ["ssh", "rdp", "vnc"])
def test_the_link_is_https_and_its_button_works(secure, authority, target, kind):
    link = Link(secure, kind, target.name)
    assert link.url.startswith("https://127.0.0.1:")
    for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
        status, page = ask(link, authority, source="127.0.7.1",
                           made=context(authority, maximum_version=version, minimum_version=version))
        assert status == 200 and "127.0.7.1" in page and "<form" in page
    assert link.ask("GET", "127.0.7.2")[0] == 200, "and without TLS as before"
    assert ask(link, authority, "POST", "127.0.7.3")[0] == 200
    eventually(lambda: link.live.says("Let in by the link from", "127.0.7.3"), "the chat says so")
    hello = connection_request() if kind == "rdp" else HELLO
    if kind != "vnc":
        with is_in(link.port, "127.0.7.3", hello, hello):
            pass


def test_for_curl_and_openssl_it_is_a_server_like_others(secure, authority, target):
    link = Link(secure, "ssh", target.name)
    page = subprocess.run(["curl", "-sS", "--cacert", authority.root, "--http2", "-i", link.url], capture_output=True, text=True)
    assert page.stdout.startswith("HTTP/1.1 200") and "<form" in page.stdout, page
    for more in [], ["-tls1_2"], ["-groups", "P-256"], ["-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"]:
        shown = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{link.port}", "-CAfile", authority.root,
                                "-verify_return_error", "-verify_ip", "127.0.0.1", "-alpn", "h2,http/1.1", *more],
                               input=b"", capture_output=True).stdout.decode()
        assert "Verify return code: 0" in shown and "ALPN protocol: http/1.1" in shown, shown


@pytest.mark.parametrize("path", ["/", "/favicon.ico", "/" + "a" * 32, "/" + "a" * 33])
def test_without_the_key_nobody_learns_anything(secure, authority, target, path):
    link = Link(secure, "ssh", target.name)
    for port in link.port, ENTRANCE:
        with shake(port, authority) as tls:
            tls.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            with contextlib.suppress(ConnectionResetError, ssl.SSLError):
                assert tls.recv(100) == b""
    assert not link.state()["client"] and not target.talked


def test_at_a_tcp_session_tls_is_its_targets(secure, authority, target):
    link = Link(secure, "tcp", target.name)
    assert link.url.startswith("http://")
    link.press("127.0.7.6")
    hello = bytes.fromhex("16030100050100000100")
    with is_in(link.port, "127.0.7.6", hello, hello):
        pass
    assert target.talked[-1].data == hello


@pytest.mark.parametrize("what", ["another name", "its own", "for code", "no certificate"])
def test_what_no_browser_takes_is_not_offered(target, folder, what):
    authority = Authority(folder)
    if what == "its own":
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", authority.key, "-out", authority.certificate,
                "-days", 3, "-subj", "/CN=127.0.0.1", "-addext", f"subjectAltName={ADDRESS}")
    elif what != "no certificate":
        authority.issue(name="DNS:other.example.org" if what == "another name" else ADDRESS,
                        usage="codeSigning" if what == "for code" else "serverAuth")
    with World(vps={"ADMIT": "ask", **(authority.settings if what != "no certificate" else {})}) as world:
        link = Link(world, "ssh", target.name)
        assert link.url.startswith("http://")
        with dial(link.port) as client:
            client.sendall(bytes.fromhex("16030100050100000100"))
            assert how_it_ends(client, 5) in ("fin", "rst")
        world.settle()


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_renewed_certificate_is_shown_to_the_next_one(target, folder, kind):
    authority = Authority(folder).issue(name=ADDRESS)
    with World(vps={"ADMIT": "ask", **authority.settings}) as world:
        link = Link(world, "ssh", target.name)
        first = shown_to(link.port, authority)
        assert first == authority.sha256()
        with shake(link.port, authority) as slow:
            authority.issue(kind, name=ADDRESS)
            eventually(lambda: world.status() and shown_to(link.port, authority) == authority.sha256(), "it is the new one")
            slow.sendall(f"GET /{link.key} HTTP/1.1\r\n\r\n".encode())
            assert slow.recv(12) == b"HTTP/1.1 200", "who has begun with the old one goes on with it"
        world.settle()


# ---------------------------------------------------------------- slow, broken, many

def client_hello(authority):
    """What a client says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context(authority).wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("where", ["its own port", "the entrance"])
def test_a_handshake_may_come_byte_by_byte(secure, authority, target, where):
    link = Link(secure, "vnc", target.name)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context(authority).wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with dial(link.port if where == "its own port" else ENTRANCE, f"127.42.{next(_networks)}.1") as raw:
        def turn(act):
            while True:
                try:
                    return act()
                except ssl.SSLWantReadError:
                    for byte in outgoing.read():
                        raw.sendall(bytes([byte]))
                        time.sleep(0.001)
                    incoming.write(raw.recv(65536))
        turn(client.do_handshake)
        client.write(f"GET /{link.key} HTTP/1.1\r\n\r\n".encode())
        for byte in outgoing.read():
            raw.sendall(bytes([byte]))
        assert turn(lambda: client.read(12)) == b"HTTP/1.1 200"


@pytest.mark.parametrize("said", ["half", "header", "long", "plain", "alert", "old", "silence", "endless"])
def test_a_broken_handshake_ends_in_time_and_costs_nothing(secure, authority, target, said):
    link = Link(secure, "ssh", target.name)
    hello = client_hello(authority)
    words = {"half": hello[:100], "header": hello[:5], "long": b"\x16\x03\x01\xff\xff" + hello[5:],
             "plain": hello[:3] + b"GET / HTTP/1.1\r\n\r\n", "alert": b"\x16\x03" + b"\x15\x03\x01\0\2\2\x28" * 50,
             "old": b"\x16\x03\0\0\x31\1\0\0\x2d\3\0" + bytes(32) + b"\0\0\2\0\x2f\1\0", "silence": hello,
             "endless": hello + b"\x14\x03\x03\0\1\1" * 20000}[said]
    for port in link.port, ENTRANCE:
        with dial(port, f"127.42.{next(_networks)}.1") as raw:
            begun = time.monotonic()
            with contextlib.suppress(OSError):
                raw.sendall(words)
            raw.settimeout(20 * TIME_SCALE)
            with contextlib.suppress(ConnectionResetError):
                while raw.recv(65536):
                    pass
            assert time.monotonic() - begun < 14 * TIME_SCALE
    assert ask(link, authority)[0] == 200


def test_a_crowd_that_shakes_hands_keeps_nobody_out(secure, authority, target):
    link = Link(secure, "ssh", target.name)
    before = secure.vps.rss_kb()
    with contextlib.ExitStack() as stack:
        shaken = refused = 0
        for n in range(150):
            try:
                stack.enter_context(shake(link.port if n % 2 else ENTRANCE, authority, f"127.{20 + n % 10}.{n // 10}.1"))
                shaken += 1
            except OSError:
                refused += 1
        assert shaken >= 30 and refused >= 30, "a bounded number, which comes back with time"
        assert SANITIZED or secure.vps.rss_kb() - before < 8 * 1024
        eventually(lambda: ask_or_none(link, authority, "127.99.0.1") == 200, "somebody from elsewhere gets the page", 15)
        assert link.press("127.99.0.2")[0] == 200, "without TLS in any case"
    time.sleep(4)       # what it used up comes back, for the next test
    assert ask(link, authority)[0] == 200


def ask_or_none(link, authority, source):
    try:
        return ask(link, authority, source=source)[0]
    except OSError:
        return None


# ---------------------------------------------------------------- at the entrance

def test_at_the_entrance_the_key_says_whose_page_it_is(secure, authority, target):
    time.sleep(1)   # others have used up the handshakes of all: there is one more each 100 ms
    one, other = Link(secure, "ssh", target.name), Link(secure, "vnc", target.name)
    for link, label in (one, "SSH"), (other, "VNC"):
        status, page = ask(link, authority, "POST", "127.43.0.1", port=ENTRANCE)
        assert status == 200 and f">{label}<" in page
        eventually(lambda: link.live.says("Let in by the link from", "127.43.0.1"), "each its own")
    secure.pamctl("close", one.session["id"])
    secure.wait_state(one.session["id"], "ended")
    with shake(ENTRANCE, authority) as tls:
        tls.sendall(f"GET /{one.key} HTTP/1.1\r\n\r\n".encode())
        with contextlib.suppress(ConnectionResetError, ssl.SSLError):
            assert tls.recv(100) == b"", "one that is over has no page"
    secure.api.tap(OWNER, other.live, "strict")
    eventually(lambda: f"https://127.0.0.1:{ENTRANCE}/{other.key}" in other.live.text, "the chat has it with that port")


# ---------------------------------------------------------------- in a browser

@pytest.mark.skipif(not browser.CHROMIUM, reason="no browser here")
def test_in_a_browser(secure, authority, target, tmp_path):
    public = openssl("x509", "-in", authority.certificate, "-noout", "-pubkey")
    der = base64.b64decode(b"".join(public.splitlines()[1:-1]))
    trusts = base64.b64encode(hashlib.sha256(der).digest()).decode()
    link = Link(secure, "vnc", target.name)
    looks = len(target.connections)
    with browser.Browser(360, 800, trusts=trusts) as page:
        page.open(link.url)
        assert page.run("window.isSecureContext")
        time.sleep(3)
        page.press("button")
        eventually(lambda: "let in for" in (page.run("document.body?.innerText") or ""), "the page says so")
        page.picture(tmp_path / "tls.png")
        stays(lambda: len(target.connections) == looks and link.state()["state"] == "waiting", "nothing has come in", 4)
        assert not page.complaints, page.complaints
    with dial(link.port, "127.0.0.1"):
        secure.wait_state(link.session["id"], "connected")
