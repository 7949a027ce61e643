"""RDP through the bot: its file byte by byte, a real xfreerdp against a real xrdp, and clients
of our own for the secret and for coming back."""

import re
import select
import socket
import threading

import peers
import pytest
import rdp
import util
from agents import OWNER, World
from peers import CONNECTION_CONFIRM, RdpFile, connection_request, cookie, dial
from util import TIME_SCALE, eventually, stays

GRACE = round(2 * TIME_SCALE)
WORLD = {"vps": {"RECONNECT_GRACE": GRACE}}
ELSEWHERE = "127.0.0.2"


@pytest.fixture
def target():
    with peers.Recorder(reply=lambda _: CONNECTION_CONFIRM) as recorder:
        yield recorder


@pytest.fixture(scope="module")
def display():
    with rdp.Display() as screen:
        yield screen


@pytest.fixture(scope="module")
def xrdp():
    with rdp.Xrdp() as server:
        yield server


def open_rdp(world, target):
    """(the .rdp file, its message, the live message)"""
    document, live = world.rdp(target.name)
    return RdpFile(document.document.data), document, live


def knock(file, source=None, token=None):
    """A client with the file's secret, or with another token, at the public port."""
    client = dial(file.port, source)
    client.sendall(connection_request(cookie(file.secret) if token is None else token))
    return client


def wait_text(world, message, *words):
    world.api.wait(lambda: message.says(*words), 10 * TIME_SCALE, f"{words} in {message}")


# ---------------------------------------------------------------- the file

def test_the_file_is_what_every_client_can_read(world, target):
    document, _ = world.rdp(target.name)
    data = document.document.data
    assert document.document.file_name == "127.0.0.1.rdp"
    assert document.document.mime == "application/x-rdp"
    assert not data.startswith((b"\xff\xfe", b"\xef\xbb\xbf")), "a byte order mark"
    assert data.count(b"\r\n") == data.count(b"\n") == data.count(b"\r")
    file = RdpFile(data)    # ASCII, lower case, no name twice, no spaces
    session = world.newest_session()
    assert (file.host, file.port) == ("127.0.0.1", session["public_port"])
    assert re.fullmatch(r"[A-Za-z0-9]{21,}", file.secret), "128 bits, and no character that needs care"
    assert len(cookie(file.secret)) % 2 == 0, "ActiveX clients want an even length"


def test_the_file_redirects_nothing_and_trusts_nobody(world, target):
    settings = open_rdp(world, target)[0].settings
    for name, value in settings.items():
        if name.startswith("redirect"):
            assert value == "0", name
        if name.endswith("storedirect"):
            assert value == "", name
    assert {"redirectclipboard", "redirectprinters", "redirectsmartcards", "redirectcomports",
            "drivestoredirect", "devicestoredirect", "camerastoredirect"} <= set(settings)
    assert settings["audiocapturemode"] == "0"
    assert settings["authentication level"] == "2", "the client warns of a certificate it does not know"
    assert settings["enablecredsspsupport"] == "1" and settings["prompt for credentials"] == "1"
    assert settings["autoreconnection enabled"] == "1"
    assert not {"username", "password 51", "alternate shell", "remoteapplicationprogram"} & set(settings)


def test_a_user_is_in_the_file_and_asked_for_the_password(world, target):
    for name, user, domain in [("anna", "anna", None), ("CORP\\mxu", "mxu", "CORP"), ("mxu@corp.local", "mxu@corp.local", None),
                               ("First Last", "First Last", None)]:
        settings = RdpFile(world.rdp(f"{name}@{target.name}")[0].document.data).settings
        assert (settings["username"], settings.get("domain")) == (user, domain)
        assert settings["prompt for credentials"] == "1"


def test_the_clipboard_is_shared_if_the_operator_says_so(target):
    with World(vps={"RDP_CLIPBOARD": "on"}) as world:
        file, document, _ = open_rdp(world, target)
        assert file.settings["redirectclipboard"] == "1" and file.settings["redirectprinters"] == "0"
        assert document.says("The clipboard is shared")


def test_freerdp_finds_nothing_to_warn_about(world, target, display, folder):
    path = save(world.rdp(f"CORP\\mxu@{target.name}")[0], folder)
    pair = folder / "pair.rdp"
    pair.write_bytes(path.read_bytes() + b"networkautodetect:i:1\r\n")
    for file, warnings in ((path, False), (pair, True)):
        with rdp.Client(display, file, "/p:x", log_path=folder / f"{file.name}.log") as client:
            assert util.eventually(lambda client=client: client.process.poll() is not None, "xfreerdp gives up", 20)
            assert ("[WARN][com.freerdp.client" in client.log) == warnings, client.log


def test_the_caption_tells_what_will_happen(world, target):
    file, document, live = open_rdp(world, target)
    assert document.says("within 2 min", target.name, "Caution: Unknown remote connection",
                         f"127.0.0.1:{file.port}", "Connect")
    assert file.secret not in document.text and file.secret not in live.text
    assert live.says(f"RDP to {target.name} is ready: open 127.0.0.1.rdp", "Time left to connect: 2 min")
    assert live.id > document.id, "first the file, then what is said about it"


def test_a_server_with_an_ipv6_address_stands_in_brackets(target):
    with World(vps={"VPS_HOST": "::1"}) as world:
        file, document, _ = open_rdp(world, target)
        assert file.settings["full address"] == f"[::1]:{file.port}"
        assert document.says(f"[::1]:{file.port}")
        client = dial(file.port, host="::1")
        client.sendall(connection_request(cookie(file.secret)))
        assert util.read_exactly(client, len(CONNECTION_CONFIRM)) == CONNECTION_CONFIRM


# ---------------------------------------------------------------- the secret

@pytest.mark.parametrize("request_of", [
    lambda token: connection_request(token),
    lambda token: connection_request(token, 3),
    lambda token: connection_request(token, negotiate=False),
    # RDP_NEG_REQ with its flag for the correlation info of 36 bytes behind it
    lambda token: (b"\x03\0" + (11 + len(token) + 44).to_bytes(2, "big") + bytes([6 + len(token) + 44])
                   + b"\xe0\0\0\0\0\0" + token + b"\x01\x08\x08\0\x0b\0\0\0"
                   + b"\x06\0\x24\0" + b"\x11" * 16 + bytes(16)),
], ids=["usual", "TLS and NLA only", "no negotiation", "correlation info"])
def test_the_secret_is_cut_out_and_all_else_arrives(world, target, request_of):
    file, *_ = open_rdp(world, target)
    client = dial(file.port)
    client.sendall(request_of(cookie(file.secret)) + b"behind it")
    expected = request_of(b"") + b"behind it"
    assert target.wait_client().wait(len(expected)) == expected
    assert util.read_exactly(client, len(CONNECTION_CONFIRM)) == CONNECTION_CONFIRM
    client.sendall(b"and more")
    assert target.talked[0].wait(len(expected) + 8) == expected + b"and more"


def test_a_wrong_secret_is_a_stranger_and_nothing_of_it_gets_through(world, target):
    file, _, live = open_rdp(world, target)
    wrong = [b"", cookie(""), cookie(file.secret[:-1]), cookie(file.secret + "x"),
             cookie(file.secret.swapcase()), cookie("x" * len(file.secret)), cookie("Administrator"),
             b"Cookie: mstshash= " + file.secret.encode() + b"\r\n",
             b"Cookie: msts=" + file.secret.encode() + b"\r\n"]
    strangers = []
    for number, token in enumerate(wrong):
        strangers.append(knock(file, f"127.0.0.{20 + number % 4}", token))
        eventually(lambda: len(world.newest_session()["parked"]) == number + 1, "it is parked")
        if number == 0:     # of four neighbours not everybody is asked about at once
            question = world.api.wait_message("127.0.0.20 wants in", 10 * TIME_SCALE)
    assert question.says(target.name, "without the secret") and question.button("Admit")
    assert len(target.connections) == 1, "the probe"
    client = knock(file)
    assert target.wait_client().wait(19) == connection_request()
    assert util.read_exactly(client, 19) == CONNECTION_CONFIRM
    assert {util.how_it_ends(stranger) for stranger in strangers} <= {"fin", "rst"}
    assert world.newest_session()["parked"] == [] and len(target.connections) == 2
    wait_text(world, live, "Connected from 127.0.0.1")


# ---------------------------------------------------------------- coming back

def test_a_client_that_closes_and_dials_again_at_once_is_not_too_early(world, target):
    """Real clients do: when a security protocol was refused, and around certificate questions."""
    file, *_ = open_rdp(world, target)
    for number in range(1, 6):
        client = knock(file)
        assert util.read_exactly(client, 19) == CONNECTION_CONFIRM
        client.close()
    assert len(target.talked) == 5 and world.newest_session()["client"] == "127.0.0.1"


def test_from_another_address_the_secret_is_worth_nothing_once_somebody_is_in(world, target):
    file, *_ = open_rdp(world, target)
    client = knock(file)
    assert util.read_exactly(client, 19) == CONNECTION_CONFIRM
    assert util.how_it_ends(knock(file, ELSEWHERE)) in ("fin", "rst")
    client.close()
    target.talked[0].socket.shutdown(1)
    session = world.wait_state(world.newest_session()["id"], "reconnecting")
    assert util.how_it_ends(knock(file, ELSEWHERE)) in ("fin", "rst")
    assert util.how_it_ends(knock(file, None, cookie("wrong"))) in ("fin", "rst"), "nor the address alone"
    assert len(target.talked) == 1 and world.newest_session()["parked"] == []
    assert world.session(session["id"])["state"] == "reconnecting"
    assert util.read_exactly(knock(file), 19) == CONNECTION_CONFIRM


def test_after_the_grace_it_is_over_and_the_file_leaves_the_chat(world, target):
    file, document, live = open_rdp(world, target)
    session = world.newest_session()
    client = knock(file)
    assert util.read_exactly(client, 19) == CONNECTION_CONFIRM
    assert not document.deleted
    client.close()
    target.talked[0].socket.shutdown(1)
    world.wait_state(session["id"], "reconnecting")
    stays(lambda: world.session(session["id"]), "there is a grace", GRACE * 0.5)
    world.wait_state(session["id"], "ended", GRACE + 3)
    wait_text(world, live, f"RDP to {target.name} has ended", "Disconnected.", "Connected from 127.0.0.1",
              "19 B received, 19 B sent")
    assert [b["text"] for b in live.buttons] == ["Again"]
    world.api.wait(lambda: document.deleted, what="the file is taken out of the chat")
    for port in (file.port, session["data_port"]):
        assert not peers.listening(port)
        with pytest.raises(ConnectionRefusedError):
            dial(port)


@pytest.mark.parametrize("when", ["before anybody came", "while connected", "while reconnecting"])
def test_closing_it_takes_the_file_out_of_the_chat(world, target, when):
    file, document, live = open_rdp(world, target)
    client = None
    if when != "before anybody came":
        client = knock(file)
        assert util.read_exactly(client, 19) == CONNECTION_CONFIRM
    if when == "while reconnecting":
        util.reset(client)
        wait_text(world, live, "disconnected and can")
    world.api.tap(OWNER, live, "Close")
    wait_text(world, live, "has ended", "Closed on request.")
    world.api.wait(lambda: document.deleted, what="the file is taken out of the chat")
    if when == "while connected":
        assert util.how_it_ends(client) in ("fin", "rst")
    assert not peers.listening(file.port)


def test_without_a_grace_it_ends_with_the_first_connection(target):
    with World(vps={"RECONNECT_GRACE": 0}) as world:
        file, _, live = open_rdp(world, target)
        client = knock(file)
        assert util.read_exactly(client, 19) == CONNECTION_CONFIRM
        client.close()
        target.talked[0].socket.shutdown(1)
        wait_text(world, live, "has ended", "Disconnected.")
        assert not peers.listening(file.port)


# ---------------------------------------------------------------- real clients

def save(document, folder):
    path = folder / document.document.file_name
    path.write_bytes(document.document.data)
    return path


@pytest.mark.slow
def test_a_real_client_with_the_bots_own_file_sees_the_login_screen(world, xrdp, display, folder):
    document, live = world.rdp(xrdp.name)
    strangers = [dial(world.newest_session()["public_port"], f"127.0.0.{n}") for n in (30, 31, 32)]
    strangers[0].sendall(connection_request(cookie("hello")))
    strangers[1].sendall(b"GET / HTTP/1.0\r\n\r\n")
    with rdp.Client(display, save(document, folder), log_path=folder / "client.log") as client:
        rdp.wait_login_screen(display, client, folder, "rdp-login")
        wait_text(world, live, "Connected from 127.0.0.1")
        session = world.newest_session()
        assert session["bytes_to_client"] > 5000 and session["client"] == "127.0.0.1"
    wait_text(world, live, "disconnected and can")
    wait_text(world, live, "has ended", "kB received")
    world.api.wait(lambda: document.deleted, what="the file is taken out of the chat")


class Line:
    """The client's way to the public port: a forwarder whose connections can be broken."""

    def __init__(self, port):
        self.port_behind = port
        self.listener = util.server()
        self.port = self.listener.getsockname()[1]
        self.pairs = []
        self.taken = 0

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = dial(self.port_behind)
            except OSError:
                return
            self.taken += 1
            self.pairs.append((near, far))
            threading.Thread(target=self._forward, args=(near, far), daemon=True).start()

    @staticmethod
    def _forward(near, far):
        other = {near: far, far: near}
        try:
            while True:
                for sock in select.select([near, far], [], [])[0]:
                    data = sock.recv(65536)
                    if not data:
                        raise OSError
                    other[sock].sendall(data)
        except (OSError, ValueError):
            for sock in other:
                util.reset(sock)

    def cut(self):
        """The network is lost: both sides notice it by an RST."""
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for sock in pair:
                try:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                    sock.shutdown(socket.SHUT_RD)   # wakes the forwarder, which resets both
                except OSError:
                    pass


@pytest.mark.slow
def test_a_real_client_whose_network_breaks_reconnects_by_itself(xrdp, display, folder):
    with World(vps={"RECONNECT_GRACE": 30}) as world:
        document, live = world.rdp(xrdp.name)
        file = RdpFile(document.document.data)
        with Line(file.port) as line:
            path = folder / "through-line.rdp"
            path.write_bytes(document.document.data.replace(b":%d\r\n" % file.port, b":%d\r\n" % line.port))
            with rdp.Client(display, path, log_path=folder / "client.log") as client:
                rdp.wait_login_screen(display, client, folder, "rdp-before")
                sent = world.newest_session()["bytes_to_client"]
                line.cut()
                wait_text(world, live, "127.0.0.1 disconnected and can")
                eventually(lambda: line.taken == 2, "xfreerdp dials again", 30)
                wait_text(world, live, "Connected from 127.0.0.1")
                eventually(lambda: world.newest_session()["bytes_to_client"] > sent + 5000,
                           "it is drawn again", 20)
                rdp.wait_login_screen(display, client, folder, "rdp-after")
