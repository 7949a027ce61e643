"""Who gets in to an RDP session: the secret of the .rdp file, reconnects, and nobody else."""

import contextlib

import pytest
from agents import OWNER, secret_of
from peers import RdpFile, Recorder, connection_request, cookie, dial, echo, listening
from util import TIME_SCALE, eventually, how_it_ends, is_open, read_exactly, stays

WORLD = {"vps": {"RECONNECT_GRACE": 3}}
PLAIN = connection_request()    # what the target has to get


@pytest.fixture
def target():
    with Recorder(echo) as recorder:
        yield recorder


class Grant:
    """An RDP session and its .rdp file."""

    def __init__(self, world, target):
        self.world, self.target = world, target
        self.since = world.api.mark()
        self.document, self.live = world.rdp(target.name)
        self.file = RdpFile(self.document.document.data)
        self.request = connection_request(cookie(self.file.secret))
        self.session = world.newest_session()

    def connect(self, source=None, request=None):
        client = dial(self.file.port, source)
        client.sendall(self.request if request is None else request)
        return client

    def connect_in(self, source=None):
        client = self.connect(source)
        assert read_exactly(client, len(PLAIN)) == PLAIN, "the echo of what the target got"
        return client

    def wait_over(self, timeout=10):
        self.world.wait_state(self.session["id"], "ended", timeout)
        eventually(lambda: self.document.deleted and self.live.says("ended"), "the chat says so")


def test_the_file_is_what_clients_can_read(world, target):
    grant = Grant(world, target)
    name, data = grant.document.document.file_name, grant.document.document.data
    assert name == "127.0.0.1.rdp" and len(data) < 2048
    file = grant.file
    assert file.host == world.vps_host and file.port == grant.session["public_port"]
    settings = file.settings
    assert settings["authentication level"] == "2" and settings["gatewayusagemethod"] == "0"
    for off in ("redirectclipboard", "redirectprinters", "redirectsmartcards", "redirectcomports",
                "audiocapturemode"):
        assert settings[off] == "0", f"{off} has to be off"
    for empty in ("drivestoredirect", "devicestoredirect"):
        assert settings[empty] == ""
    # the whole Connection Request has to fit 254 bytes, and its token to be of even length
    assert len(cookie(file.secret)) % 2 == 0 and len(grant.request) < 200
    assert len(file.secret) >= 20, "16 bytes of entropy at least"
    assert grant.document.says("Caution: Unknown remote connection"), "what Windows will ask"
    assert grant.document.says(f"{file.host}:{file.port}")
    assert not grant.document.buttons or grant.live.button("close")


def test_every_session_has_its_own_secret(world, target):
    first, second = Grant(world, target), Grant(world, target)
    assert first.file.secret != second.file.secret
    client = second.connect(request=first.request, source="127.0.2.8")
    stays(lambda: not target.talked, "nothing reached the target", 0.3)
    client.close()


def test_the_right_secret_gets_in_and_is_cut_out(world, target):
    grant = Grant(world, target)
    client = grant.connect_in()
    assert target.talked[0].data == PLAIN
    client.sendall(b"more")
    assert read_exactly(client, 4) == b"more"
    assert world.session(grant.session["id"])["client"] == "127.0.0.1"
    eventually(lambda: grant.live.says("connected from 127.0.0.1"), "the chat says so", 15)


@pytest.mark.parametrize("protocols, negotiate", [(0, True), (3, True), (0x0B, True), (0, False)])
def test_the_rest_of_the_request_is_untouched(world, target, protocols, negotiate):
    grant = Grant(world, target)
    request = connection_request(cookie(grant.file.secret), protocols, negotiate)
    client = grant.connect(request=request)
    expected = connection_request(b"", protocols, negotiate)
    assert read_exactly(client, len(expected)) == expected


def test_a_request_in_single_bytes_and_with_bytes_behind_it(world, target):
    grant = Grant(world, target)
    with dial(grant.file.port) as client:
        for byte in grant.request:
            client.sendall(bytes([byte]))
        assert read_exactly(client, len(PLAIN)) == PLAIN
    grant = Grant(world, target)
    extra = b"\x16\x03\x01" + bytes(200)
    client = grant.connect(request=grant.request + extra)
    assert read_exactly(client, len(PLAIN) + len(extra)) == PLAIN + extra


@pytest.mark.parametrize("make", [
    lambda secret: connection_request(cookie("x" * len(secret))),
    lambda secret: connection_request(cookie(secret[:-1])),
    lambda secret: connection_request(cookie(secret + "a")),
    lambda secret: connection_request(cookie(secret.swapcase())),
    lambda secret: connection_request(cookie("nmap")),
    lambda secret: connection_request(b"Cookie: msts=" + secret.encode() + b"\r\n"),
    lambda secret: connection_request(secret.encode() + b"\r\n"),
    lambda secret: connection_request(),
], ids=["wrong", "shorter", "longer", "other case", "nmap", "msts", "no prefix", "none"])
def test_without_the_right_secret_nobody_gets_in_unasked(world, target, make):
    grant = Grant(world, target)
    client = grant.connect("127.0.2.7", make(grant.file.secret))
    stays(lambda: not target.talked, "nothing reached the target", 0.3)
    client.close()
    grant.connect_in()


@pytest.mark.parametrize("request_of", [
    lambda good: b"", lambda good: good[:20], lambda good: b"GET / HTTP/1.0\r\n\r\n",
    lambda good: b"\x03\x00\xff\xff" + good[4:], lambda good: b"\x03\x00\x00\x05\x00",
    lambda good: good[:5] + b"\xd0" + good[6:], lambda good: good[:4] + b"\xff" + good[5:],
    lambda good: b"\x02" + good[1:], lambda good: b"\x03\x00\x00\x00", lambda good: b"SSH-2.0-x\r\n",
    lambda good: good.replace(b"\r\n", b"\n\n"), lambda good: b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
], ids=range(12))
def test_who_is_no_rdp_client_is_dropped_unasked(world, target, request_of):
    grant = Grant(world, target)
    with grant.connect("127.0.2.9", request_of(grant.request)) as junk:
        grant.connect_in()
        how_it_ends(junk, 12)
    assert [c.data for c in target.talked] == [PLAIN]
    assert not [m for m in world.api.all_messages(OWNER, grant.since) if m.button("admit")]


def test_a_hand_typed_address_is_asked_about(world, target):
    """As it came, with a cookie of the client's own making."""
    grant = Grant(world, target)
    request = connection_request(b"Cookie: mstshash=alice\r\n")
    client = grant.connect("127.0.2.20", request)
    question = world.api.wait_message(lambda m: m.says("127.0.2.20", "wants in") and m.button("admit"),
                                      10 * TIME_SCALE, grant.since)
    stays(lambda: not target.talked, "nothing reached the target", 0.3)
    world.api.tap(OWNER, question, "admit")
    assert read_exactly(client, len(request)) == request
    assert target.talked[0].data == request


def test_block_of_a_hand_typed_address(world, target):
    grant = Grant(world, target)
    client = grant.connect("127.0.2.21", PLAIN)
    question = world.api.wait_message(lambda m: m.says("127.0.2.21") and m.button("block"),
                                      10 * TIME_SCALE, grant.since)
    world.api.tap(OWNER, question, "block")
    how_it_ends(client)
    assert not target.talked
    grant.connect_in()


def test_a_reconnect_within_the_grace_gets_a_new_connection_to_the_target(world, target):
    grant = Grant(world, target)
    for number in range(1, 4):
        client = grant.connect_in()
        assert len(target.talked) == number
        client.close()
        target.talked[-1].wait_end()
        target.talked[-1].socket.close()
        world.wait_state(grant.session["id"], "reconnecting")
    assert not grant.document.deleted, "the file is still good"
    eventually(lambda: grant.live.says("come back"), "the chat says so", 15)


def test_a_reconnect_from_another_address_is_refused(world, target):
    grant = Grant(world, target)
    client = grant.connect_in()
    with grant.connect("127.0.2.30") as thief:
        how_it_ends(thief)
    assert is_open(client)
    client.close()
    target.talked[-1].wait_end()
    target.talked[-1].socket.close()
    world.wait_state(grant.session["id"], "reconnecting")
    with contextlib.suppress(ConnectionError), grant.connect("127.0.2.30") as thief:
        how_it_ends(thief)
    assert len(target.talked) == 1
    grant.connect_in()


def test_a_second_connection_beside_the_first_does_it_no_harm(world, target):
    """RDP clients connect again before the old connection is gone."""
    grant = Grant(world, target)
    first = grant.connect_in()
    second = grant.connect_in()
    first.sendall(b"one")
    second.sendall(b"two")
    assert read_exactly(first, 3) == b"one" and read_exactly(second, 3) == b"two"
    first.close()
    target.talked[0].wait_end()
    target.talked[0].socket.close()
    second.sendall(b"on")
    assert read_exactly(second, 2) == b"on"
    assert world.session(grant.session["id"])["state"] == "connected"


@pytest.mark.slow
def test_after_the_grace_it_is_over(world, target):
    grant = Grant(world, target)
    client = grant.connect_in()
    client.close()
    target.talked[-1].wait_end()
    target.talked[-1].socket.close()
    world.wait_state(grant.session["id"], "reconnecting")
    grant.wait_over()
    assert grant.live.says("disconnected")
    eventually(lambda: not listening(grant.file.port), "the port is closed")


def test_close_deletes_the_document(world, target):
    grant = Grant(world, target)
    client = grant.connect_in()
    world.api.wait_answer(world.api.tap(OWNER, grant.live, "close"))
    assert how_it_ends(client) == "rst" or True
    grant.wait_over()
    assert not grant.live.button("Close") and grant.live.says("closed")


def test_the_target_is_not_dialled_before_the_user_comes(world, target):
    grant = Grant(world, target)
    probes = len(target.connections)
    assert probes <= 1
    junk = grant.connect("127.0.2.40", b"\x03\x00\x00\x13")
    stays(lambda: len(target.connections) == probes, "nobody dialled", 0.3)
    junk.close()


def test_the_secret_is_nowhere_but_in_the_file(world, target):
    grant = Grant(world, target)
    secret = secret_of(grant.document.document.data)
    assert secret not in world.pamctl("sessions", "--json").stdout
    assert secret not in world.pamctl("sessions").stdout
    for message in world.api.all_messages(OWNER):
        assert secret not in message.html and secret not in str(message.rows)
    for daemon in world.daemons():
        with open(f"/proc/{daemon.pid}/cmdline", "rb") as cmdline:
            words = cmdline.read()
        for hidden in (secret, world.token, world.key):
            assert hidden.encode() not in words
