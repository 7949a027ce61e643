"""The link to a session's page: what its button lets in, and that nothing else does. Addresses of 127.0.0.0/8 stand
for clients all over the Internet.
"""

import contextlib
import http.client
import itertools
import json
import re
import shutil
import time

import browser
import pytest
import rdp
from agents import OWNER, World
from peers import RdpFile, Recorder, connection_request, cookie, dial, echo
from sshd import USER, Sshd, ssh
from test_audit import rows
from util import TIME_SCALE, eventually, free_port, how_it_ends, read_exactly, stays

WORLD = {"vps": {"ADMIT": "ask"}}
HELLO = b"SSH-2.0-client\r\n"
BOT = "TelegramBot (like TwitterBot)"
_addresses = itertools.count(10)


@pytest.fixture
def address():
    return f"127.0.5.{next(_addresses)}"


@pytest.fixture
def target():
    with Recorder(echo) as recorder:
        yield recorder


class Link:
    """A session of this kind, and the link that the chat has for it."""

    def __init__(self, world, kind, target):
        if kind == "rdp":
            _, live = world.rdp(target)
        else:
            since = world.api.mark()
            world.api.say(OWNER, f"/{kind} {target}")
            live = world.api.wait_message(lambda m: m.says("is ready"), 10 * TIME_SCALE, since, OWNER)
        self._read(world, live)

    @classmethod
    def of(cls, world, live):
        """That of the newest session, whose card this is."""
        link = cls.__new__(cls)
        link._read(world, live)
        return link

    def _read(self, world, live):
        self.world, self.live = world, live
        self.url = re.search(r"https?://\S+", self.live.text.rpartition("its button:")[2])[0]
        match = re.fullmatch(r"https?://127\.0\.0\.1:(\d+)/([a-z2-9]{32})", self.url)
        self.session = world.newest_session()
        self.port, self.key = int(match[1]), match[2]
        assert self.port == self.session["public_port"]
        world.secrets.append(self.key)

    def ask(self, method, source, path=None, **headers):
        """The answer's status, its head and its text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10, source_address=(source, 0))
        try:
            connection.request(method, f"/{self.key}" if path is None else path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def press(self, source):
        status, _, page = self.ask("POST", source)
        return status, page

    def state(self):
        return self.world.session(self.session["id"])


def is_in(port, source, hello=HELLO, answer=HELLO):
    client = dial(port, source)
    client.sendall(hello)
    assert read_exactly(client, len(answer)) == answer
    return client


def test_the_button_lets_an_address_in_and_looking_does_not(world, target, address):
    link = Link(world, "ssh", target.name)
    for method in "GET", "HEAD", "OPTIONS":
        status, headers, page = link.ask(method, address, **{"User-Agent": BOT})
        assert (status, address in page) == ((400, False) if method == "OPTIONS" else (200, method == "GET"))
        assert headers["Cache-Control"] == "no-store" and headers["Connection"] == "close"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
    since = world.api.mark()
    with dial(link.port, address) as waiting:
        waiting.sendall(HELLO)
        world.api.wait_message(lambda m: m.says(address, "wants in") and m.button("admit"), 10 * TIME_SCALE, since, OWNER)
        status, page = link.press(address)
        world.api.wait(lambda: any(m.says(address, "was let in to", "by the session's link") for m in world.api.all_messages(OWNER, since)),
                       what="the question says what became of it")
        eventually(lambda: link.live.says("Connected from", "Let in by the link from", address), "the card says how")
        assert status == 200 and "let in" in page and "ssh -p" in page and f"ssh://127.0.0.1:{link.port}" in page
        assert read_exactly(waiting, len(HELLO)) == HELLO, "who waits is in at once"
        world.wait_state(link.session["id"], "connected")
        with is_in(link.port, address):
            pass
        status, page = link.press("127.0.6.1")
        assert status == 403 and "another address" in page
        with dial(link.port, "127.0.6.1") as other:
            other.sendall(HELLO)
            assert how_it_ends(other) in ("fin", "rst")
    told = [row for row in rows(world) if row["what"] in ("session.linked", "session.admitted")
            and row["session"] == link.session["id"]]
    assert [row["what"] for row in told] == ["session.linked", "session.admitted"]
    assert all(row["body"]["address"] == address and row["body"]["by"] == f"telegram:{OWNER}" for row in told)
    assert told[1]["body"]["word"] == "link"
    assert not world.pamctl.json("known")["known"], "for this session alone"


def test_the_card_says_at_once_whom_it_has_let_in(world, target, address):
    link = Link(world, "tcp", target.name)
    link.press(address)
    eventually(lambda: link.live.says("is ready", "Let in by the link from", address), "before anybody has come")
    link.press("127.0.6.9")
    eventually(lambda: link.live.says(address, "127.0.6.9"), "both of them")
    with is_in(link.port, "127.0.6.9"):
        eventually(lambda: link.live.says("Connected from", "Let in by the link from 127.0.6.9"), "and who came")
    status, _, page = link.ask("POST", address, Origin="http://evil.example")
    assert status == 403


def test_a_press_on_another_page_lets_nobody_in(world, target, address):
    link = Link(world, "ssh", target.name)
    for fields in {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site", "Origin": "null"}:
        status, headers, page = link.ask("POST", address, **fields)
        assert status == 200 and "<form" in page and headers["X-Frame-Options"] == "DENY"
    since = world.api.mark()
    with dial(link.port, address) as client:
        client.sendall(HELLO)
        world.api.wait_message(lambda m: m.says(address, "wants in"), 10 * TIME_SCALE, since, OWNER)


def test_its_page_is_in_the_language_of_the_chat(world, target, address):
    link = Link(world, "ssh", target.name)
    assert 'lang="en"' in link.ask("GET", address, **{"Accept-Language": "de"})[2]
    since = world.api.mark()
    world.api.languages[OWNER] = "de"
    try:
        world.api.say(OWNER, f"/ssh {target.name}")
        card = world.api.wait_message(lambda m: m.says("http://", "ist bereit"), 10 * TIME_SCALE, since, OWNER)
    finally:
        del world.api.languages[OWNER]
        world.api.say(OWNER, "/status")
    match = re.search(r"http://127\.0\.0\.1:(\d+)(/[a-z2-9]{32})", card.text)
    link.port = int(match[1])
    world.secrets.append(match[2])
    assert 'lang="de"' in link.ask("GET", address, path=match[2], **{"Accept-Language": "en"})[2]
    assert "Diese Adresse ist" in link.ask("POST", address, path=match[2])[2]
    opened = world.pamctl.json("ssh", target.name)["link"]
    link.port, path = int(opened.split(":")[2].split("/")[0]), "/" + opened.rpartition("/")[2]
    world.secrets.append(path)
    assert 'lang="de"' in link.ask("GET", address, path=path, **{"Accept-Language": "de"})[2], "nobody's chat"


def test_of_rdp_it_needs_no_file(world, target, address):
    link = Link(world, "rdp", target.name)
    assert f"rdp://full%20address=s:127.0.0.1:{link.port}" in link.press(address)[1]
    plain = connection_request()
    with is_in(link.port, address, plain, plain):
        with is_in(link.port, address, plain, plain):
            pass
    assert target.talked[0].data == plain


def test_who_came_by_the_link_with_the_file_needs_it_no_more(world, target, address):
    # GNOME's Remote Login sends the client to the same address once more, with a routing token of its own.
    document, live = world.rdp(target.name)
    link, secret = Link.of(world, live), RdpFile(document.document.data).secret
    link.press(address)
    first, token = connection_request(cookie(secret)), connection_request(b"Cookie: msts=1234567890.12345.0000\r\n")
    with is_in(link.port, address, first, connection_request()), is_in(link.port, address, token, token):
        pass
    with dial(link.port, "127.0.6.11") as other:
        other.sendall(token)
        assert how_it_ends(other) in ("fin", "rst")


def test_a_link_that_has_got_about_lets_in_so_many(world, target):
    link = Link(world, "ssh", target.name)
    for number in range(16):
        assert link.press(f"127.0.8.{number + 1}")[0] == 200
    status, page = link.press("127.0.8.100")
    assert status == 403 and "too many addresses" in page
    eventually(lambda: [row["what"] for row in rows(world) if row["session"] == link.session["id"]].count("session.linked") == 16,
               "all of them are recorded")
    eventually(lambda: link.live.says("127.0.8.13, 127.0.8.14, 127.0.8.15, 127.0.8.16"), "the last four are let in")
    with is_in(link.port, "127.0.8.16"):
        pass


def test_a_browser_by_ipv6_and_a_client_by_ipv4(target):
    with World(vps={"ADMIT": "ask", "BIND_ADDRESS": "::"}) as world:
        link, since = Link(world, "ssh", target.name), world.api.mark()

        def ask(method, host):
            connection = http.client.HTTPConnection(host, link.port, timeout=10)
            with contextlib.closing(connection):
                connection.request(method, f"/{link.key}")
                answer = connection.getresponse()
                return answer.status, answer.read().decode()
        try:
            status, page = ask("POST", "::1")
        except OSError:
            pytest.skip("no IPv6 here")
        assert status == 200 and "<b>::1</b>" in page and "From this address alone" in page
        with dial(link.port, "127.0.6.20") as client:
            client.sendall(HELLO)
            world.api.wait_message(lambda m: m.says("127.0.6.20", "wants in"), 10 * TIME_SCALE, since, OWNER)
            assert "waiting at <b>127.0.6.20</b>" in ask("GET", "::1")[1], "the page says who waits elsewhere"
            assert "waiting at" not in link.ask("GET", "127.0.6.20")[2]
            assert link.press("127.0.6.20")[0] == 200
            assert read_exactly(client, len(HELLO)) == HELLO, "mapped or not, it is the same address"
        assert ask("GET", "::1")[0] == 403
        world.settle()


@pytest.mark.parametrize("how", ["closed", "locked"])
def test_a_link_outlives_nothing(target, how):
    with World(vps={"ADMIT": "ask"}) as world:
        link = Link(world, "ssh", target.name)
        with dial(link.port, "127.0.6.30") as half:
            half.sendall(f"POST /{link.key} HTTP/1.1\r\n".encode())
            time.sleep(0.1)
            world.pamctl("panic" if how == "locked" else "close", *([] if how == "locked" else [link.session["id"]]))
            world.wait_state(link.session["id"], "ended")
            with contextlib.suppress(OSError):
                half.sendall(b"\r\n")
                assert half.recv(100) == b""
        with pytest.raises(OSError):
            link.press("127.0.6.30")
        assert not [row for row in rows(world) if row["what"] == "session.linked"]
        if how == "locked":
            world.pamctl("unlock")
        world.settle()


@pytest.fixture(scope="module")
def display():
    with rdp.Display() as screen:
        yield screen


@pytest.mark.slow
@pytest.mark.skipif(not browser.CHROMIUM, reason="no browser here")
def test_xfreerdp_by_the_link_and_without_the_file(display, folder):
    with rdp.Xrdp() as server, World(vps={"ADMIT": "ask"}) as world:
        link = Link(world, "rdp", server.name)
        with browser.Browser(800, 800) as page:
            page.open(link.url)
            page.press("button")
            eventually(lambda: "let in for" in (page.run("document.body?.innerText") or ""), "the page says so")
            assert page.run("document.querySelector('a').href") == f"rdp://full%20address=s:127.0.0.1:{link.port}"
        for number in 1, 2:     # the second time within RECONNECT_GRACE
            with rdp.Client(display, f"/v:127.0.0.1:{link.port}", log_path=folder / f"{number}.log") as client:
                rdp.wait_login_screen(display, client, folder, f"link{number}")
                assert link.state()["state"] == "connected"
                eventually(lambda: link.live.says("Let in by the link from", "127.0.0.1"), "the card says how")
        told = [row for row in rows(world) if row["session"] == link.session["id"]]
        assert [row["what"] for row in told][2:5] == ["session.linked", "session.admitted", "session.connected"], told
        assert told[3]["body"]["word"] == "link"
        world.settle()


def test_another_address_is_asked_about_as_before(world, target, address):
    link = Link(world, "ssh", target.name)
    since = world.api.mark()
    with dial(link.port, "127.0.6.2") as other:
        other.sendall(HELLO)
        asked = world.api.wait_message(lambda m: m.says("127.0.6.2", "wants in"), 10 * TIME_SCALE, since, OWNER)
        _, page = link.press(address)
        assert "127.0.6.2" in page, "perhaps it is the user's other address"
        stays(lambda: asked.button("admit") and not target.talked, "nobody let it in", 0.3)
        world.api.wait_answer(world.api.tap(OWNER, asked, "block"))
    assert link.press("127.0.6.2")[0] == 403
    with is_in(link.port, address):
        pass


@pytest.mark.parametrize("said", [
    b"GET / HTTP/1.1\r\n\r\n", b"GET /favicon.ico HTTP/1.1\r\n\r\n", b"POST /%b HTTP/1.1\r\n\r\n" % (b"a" * 32),
    b"GET /%b HTTP/1.0\r\n\r\n" % (b"a" * 32), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"])
def test_without_the_key_it_is_a_strangers_port(world, target, address, said):
    link = Link(world, "ssh", target.name)
    with dial(link.port, address) as stranger:
        stranger.sendall(said)
        stranger.settimeout(10 * TIME_SCALE)
        try:
            assert stranger.recv(100) == b"", "it learns nothing"
        except ConnectionResetError:
            pass
    assert not target.talked


def test_pipelined_huge_slow_and_old_requests(world, target, address):
    link = Link(world, "ssh", target.name)
    line = f"/{link.key} HTTP/1.1\r\n"
    with dial(link.port, address) as client:
        client.sendall(f"GET {line}\r\nPOST {line}\r\n".encode())
        answer = b""
        client.settimeout(10)
        while part := client.recv(65536):
            answer += part
        assert answer.count(b"HTTP/1.1 200") == 1
    with dial(link.port, address) as client:
        client.sendall(f"POST {line}Cookie: {'x' * 100000}\r\n\r\n".encode())
        assert client.recv(12) == b"HTTP/1.1 400"
    with dial(link.port, address) as client:
        client.sendall(f"GET /{link.key} HTTP/1.0\r\n\r\n".encode())
        assert client.recv(12) == b"HTTP/1.1 200"
    with dial(link.port, address) as client:
        begun = time.monotonic()
        client.sendall(f"POST {line}".encode())
        client.settimeout(1)
        while True:
            try:
                client.sendall(b"a: b\r\n")
                time.sleep(0.3)
            except OSError:
                break
            assert time.monotonic() - begun < 15 * TIME_SCALE
        assert time.monotonic() - begun > 3
    with dial(link.port, address) as client:
        client.sendall(HELLO)
        stays(lambda: not target.talked, "nothing of that let anybody in", 0.3)


def test_a_session_that_is_over_has_no_link(world, target, address):
    first = Link(world, "ssh", target.name)
    world.pamctl("close", first.session["id"])
    eventually(lambda: first.key not in first.live.text, "the chat has it no more")
    with pytest.raises(OSError):
        first.ask("POST", address)
    second = Link(world, "ssh", target.name)
    assert second.key != first.key
    with pytest.raises((OSError, http.client.HTTPException)):
        second.ask("POST", address, path=f"/{first.key}")


def test_two_hundred_strangers_do_not_keep_it_from_working(world, target, address):
    link = Link(world, "ssh", target.name)
    crowd = []
    for i in range(200):
        stranger = dial(link.port, f"127.1.{i}.1")
        stranger.sendall(b"GET /%b" % (b"a" * (i % 40)))
        crowd.append(stranger)
    assert link.press(address)[0] == 200
    with is_in(link.port, address):
        pass
    for stranger in crowd:
        stranger.close()


def test_pamctl_prints_it_and_lists_do_not(world, target, address):
    opened = world.pamctl.json("ssh", target.name)
    match = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/([a-z2-9]{32})", opened["link"])
    world.secrets.append(match[2])
    assert match[2] not in json.dumps(world.sessions())
    shown = world.pamctl("ssh", target.name).stdout
    assert "press its button:\nhttp://127.0.0.1:" in shown


@pytest.mark.skipif(not shutil.which("ssh"), reason="no OpenSSH here")
def test_openssh_comes_in_after_the_button(world):
    with Sshd() as server:
        link = Link(world, "ssh", f"{USER}@{server.name}")
        _, page = link.press("127.0.0.1")
        assert f"ssh://{USER}@127.0.0.1:{link.port}" in page
        result = ssh(link.live.code[0], server.client_config("127.0.0.1"), "echo", "in")
        assert result.stdout == b"in\n", result


@pytest.mark.skipif(not browser.CHROMIUM, reason="no browser here")
@pytest.mark.parametrize("look", ["narrow", "wide", "dark"])
def test_in_a_browser(world, target, tmp_path, look):
    link = Link(world, "tcp" if look == "wide" else "ssh", target.name)
    width = 360 if look == "narrow" else 1200
    with browser.Browser(width, 800, dark=look == "dark") as page:
        page.open(link.url)
        assert page.run("document.querySelectorAll('script,img,iframe').length") == 0
        assert page.run("document.documentElement.scrollWidth") <= width, "nothing sticks out"
        assert page.run("getComputedStyle(document.querySelector('button')).backgroundColor") == "rgb(20, 99, 197)"
        page.picture(tmp_path / "before.png")
        stays(lambda: not link.state()["client"], "looking lets nobody in", 0.2)
        page.press("button")
        eventually(lambda: "let in for" in (page.run("document.body?.innerText") or "") and
                   not page.run("document.querySelectorAll('button').length"), "the page says so")
        page.picture(tmp_path / "after.png")
        assert page.run("document.body.innerText").count("127.0.0.1") >= 2
        assert not page.complaints, page.complaints
    with is_in(link.port, "127.0.0.1"):
        pass


def speak_first(connection):
    connection.send(b"RFB 003.008\n")
    try:
        while connection.socket.recv(65536):
            pass
    except OSError:
        pass
    connection.socket.close()


@pytest.mark.slow
@pytest.mark.skipif(not browser.CHROMIUM, reason="no browser here")
@pytest.mark.parametrize("kind", ["ssh", "vnc", "tcp"])
def test_what_a_browser_leaves_idle_uses_nothing_up(kind):
    # Chromium opens a connection more than it needs with each page, and may ask for the next one over it.
    with Recorder(on_connect=speak_first) as viewed, World(vps={"ADMIT": "ask", "MAX_CONNECTIONS": 1, "RECONNECT_GRACE": 0}) as world:
        link, since = Link(world, kind, viewed.name), world.api.mark()
        looks = len(viewed.connections)
        with browser.Browser(800, 800) as page:
            page.open(link.url)
            time.sleep(3)       # as long as somebody reads
            page.press("button")
            eventually(lambda: "let in for" in (page.run("document.body?.innerText") or ""), "the page says so")
            stays(lambda: len(viewed.connections) == looks and link.state()["state"] == "waiting", "nothing has come in", 7)
            assert not any(m.says("wants in") for m in world.api.all_messages(OWNER, since)), "nobody was asked about it"
            with dial(link.port, "127.0.0.1") as client:
                if kind != "vnc":
                    client.sendall(HELLO)
                assert read_exactly(client, 12) == b"RFB 003.008\n"
        world.wait_state(link.session["id"], "ended")
        world.settle()


def test_it_works_at_the_entrance_as_well(target):
    port = free_port()
    with World(vps={"ENTRANCE_PORT": port, "ADMIT": "ask"}) as world:
        other, link = Link(world, "tcp", target.name), Link(world, "ssh", target.name)
        stranger = Link.__new__(Link)
        stranger.port, stranger.key = port, "a" * 32
        with pytest.raises((OSError, http.client.HTTPException)):
            stranger.press("127.0.5.250")
        world.api.tap(OWNER, link.live, "strict")
        eventually(lambda: f"http://127.0.0.1:{port}/{link.key}" in link.live.text, "the chat has it with that port")
        link.port = other.port = port
        assert f"ssh -p {port}" in link.press("127.0.5.250")[1]
        with is_in(port, "127.0.5.250"):
            world.wait_state(link.session["id"], "connected")
        assert other.ask("GET", "127.0.5.251")[0] == 200
        assert not other.state()["client"], "each has its own"
