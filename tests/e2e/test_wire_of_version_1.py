"""Today's agents and those that speak version 1 or 2 of the protocol, in both directions.

The bytes stand here as the agents of version 1 sent them (its last commit is the one before
DIAL_TARGET), and not as anything else here would make them: what they cannot read today, the
agents out there cannot read either. Only numbers that are drawn by lot are filled in. Version 2
has the same bytes in all of these messages.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
import struct
import threading

import peers
import pytest
import util
import wire
from agents import LOOPBACK_TARGETS, Daemon, World
from util import TIME_SCALE, eventually

HELLO, GOODBYE, PING, PONG, OPEN, READY, FAILED, CLOSE = 1, 2, 3, 4, 16, 17, 18, 19
DIAL_TARGET = 20    # from version 2 on

GATEWAY_HELLO = bytes.fromhex("001c 01 0001 0001 001e 0013") + b"gateway-agent 0.1.0"
VPS_HELLO = bytes.fromhex("0018 01 0001 0001 0000 000f") + b"vps-agent 0.1.0"
GATEWAY_GOODBYE = bytes.fromhex("0017 02 01 0013") + b"gateway-agent stops"
VPS_GOODBYE = bytes.fromhex("001e 02 01 001a") + b"vps-agent is being stopped"

def of_version(hello, version):
    """A HELLO that offers all versions up to this one."""
    return hello[:5] + struct.pack(">H", version) + hello[7:]


SESSION = bytes.fromhex("0102030405060708")     # where the test is the VPS
TOKEN = bytes(range(32))


def frame_of(got):
    """A frame as it was on the wire, of what wire.Control has cut out."""
    kind, fields = got
    return struct.pack(">HB", 1 + len(fields), kind) + fields


def next_frame(control, kind, timeout=10):
    """The next one that is no PING, whole; it has to be of this type."""
    while (got := control.frames.get(timeout=timeout * TIME_SCALE)) and got[0] == PING:
        control.send(bytes.fromhex("0009 04") + got[1])
    assert got and got[0] == kind, got
    return frame_of(got)


def is_hello_of_today(got, keepalive, program):
    """Its versions are those that an agent of version 1 takes for a common one."""
    name = got[11:]
    return got[2:11] == struct.pack(">BHHHH", HELLO, 1, wire.NEWEST, keepalive, len(name)) and name.startswith(program)


def data_mac(token, label, opening, nonce):
    return hmac.new(token, label + opening + nonce, hashlib.sha256).digest()


LABEL_VPS, LABEL_GATEWAY = b"pamtunnel data 1 vps\0", b"pamtunnel data 1 gateway\0"


# ---------------------------------------------------------------- a gateway of version 1, today's VPS

class OldGateway(wire.Control):
    """Logged in; and what it was asked last."""

    def __init__(self, world, hello=GATEWAY_HELLO):
        super().__init__(world.control_port, world.key, "paper")
        self.world, self.hello = world, hello

    def __enter__(self):
        super().__enter__()
        self.send(self.hello)
        assert is_hello_of_today(next_frame(self, HELLO), 0, b"vps-agent ")
        self.world.ready(["paper"])
        return self

    def __exit__(self, *_):
        super().__exit__()
        eventually(lambda: not self.world.status()["gateways"], "the VPS has noticed")

    def asked(self, channel=0):
        """Reads an OPEN_TUNNEL to HOME-PC:2222."""
        got = next_frame(self, OPEN)
        data_port = self.world.newest_session()["data_port"]
        assert got[:3] == bytes.fromhex("0038 10") and len(got) == 0x38 + 2
        self.session, self.token = got[3:11], got[-32:]
        assert got[11:-32] == struct.pack(">HHH", channel, 2222, data_port) + b"\0\7HOME-PC"
        return data_port

    def attach(self, data_port, channel=0):
        """The data channel, by hand."""
        sock = wire.connect(data_port)
        opening = b"PMTD" + struct.pack(">HH", 1, channel) + self.session + secrets.token_bytes(32)
        sock.sendall(opening)
        answer = util.read_exactly(sock, 64)
        assert answer[32:] == data_mac(self.token, LABEL_VPS, opening, answer[:32])
        sock.sendall(data_mac(self.token, LABEL_GATEWAY, opening, answer[:32]))
        return sock

    def until(self, kind):
        """All frames up to the next one of this type."""
        frames = []
        while not frames or frames[-1][2] != kind:
            frames.append(frame_of(self.frames.get(timeout=10 * TIME_SCALE)))
        return frames

    def say_ready(self):
        self.send(bytes.fromhex("001c 11") + self.session + bytes.fromhex("0000 000f") + b"127.0.0.1:19263")

    def say_refused(self, channel):
        self.send(bytes.fromhex("0015 12") + self.session + struct.pack(">HBH", channel, 2, 7) + b"refused")


@pytest.fixture(scope="module")
def vps():
    with World(bot=False, gateways=(), vps={"ADMIT": "auto", "LOG_LEVEL": "info"}) as world:
        yield world


@contextlib.contextmanager
def asking(world):
    """pamctl ssh HOME-PC:2222, which ends when the session is ready or refused."""
    done = []
    thread = threading.Thread(target=lambda: done.append(world.pamctl("ssh", "paper/HOME-PC:2222")))
    thread.start()
    yield done
    thread.join(20 * TIME_SCALE)
    assert done, "pamctl has its answer"


@contextlib.contextmanager
def waiting_session(world, gateway):
    """(session, data channel): its user may come."""
    with asking(world):
        data = gateway.attach(gateway.asked())
        gateway.say_ready()
    session = world.newest_session()
    assert session["state"] == "waiting"
    with data:
        yield session, data


@pytest.mark.parametrize("version", [1, 2])
def test_an_old_gateway_serves_a_session_from_asking_to_the_end(vps, version):
    with OldGateway(vps, of_version(GATEWAY_HELLO, version)) as gateway, waiting_session(vps, gateway) as (session, data):
        with peers.dial(session["public_port"]) as client:
            client.sendall(peers.BANNER)
            assert util.read_exactly(data, len(peers.BANNER)) == peers.BANNER
            data.sendall(b"SSH-2.0-paper\r\n")
            assert util.read_exactly(client, 15) == b"SSH-2.0-paper\r\n"

            with peers.dial(session["public_port"]) as another:     # with the same token
                another.sendall(peers.BANNER)
                with gateway.attach(gateway.asked(1), 1) as more:
                    assert util.read_exactly(more, len(peers.BANNER)) == peers.BANNER
            with peers.dial(session["public_port"]) as third:
                third.sendall(peers.BANNER)
                gateway.asked(2)
                gateway.say_refused(2)
                assert util.how_it_ends(third) in ("fin", "rst")
            client.sendall(b"x")
            assert util.read_exactly(data, 1) == b"x", "one refused connection harms no other"
            vps.pamctl("close", session["id"])
        assert next_frame(gateway, CLOSE) == bytes.fromhex("0009 13") + gateway.session


def test_a_gateway_of_version_1_says_why_not_and_asks_and_leaves(vps):
    with OldGateway(vps) as gateway:
        with asking(vps) as answers:
            gateway.asked()
            gateway.say_refused(0)
        assert answers[0].returncode != 0 and "refused" in answers[0].stderr
        gateway.send(bytes.fromhex("0009 03 0000000a24e07c37"))
        assert gateway.until(PONG)[-1] == bytes.fromhex("0009 04 0000000a24e07c37")
        gateway.send(GATEWAY_GOODBYE)
        vps.vps.wait_log("paper: offline: gateway-agent stops")


POLICY = """\
users: {me: {uid: %d, roles: administrator}}
targets: {HOME-PC: {address: HOME-PC, ports: {ssh: 2222}, ssh_host_key: "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA"}}
rules: [{who: "*", targets: "*", kinds: ssh}]
"""


def test_what_a_machine_has_to_show_by_the_policy_an_old_gateway_cannot_tell(folder):
    path = folder / "policy.yaml"
    path.write_text(POLICY % os.getuid())
    path.chmod(0o600)
    with World(bot=False, gateways=(), vps={"ADMIT": "auto", "POLICY_FILE": path}) as world, OldGateway(world) as gateway:
        with asking(world) as answers:
            with gateway.attach(gateway.asked()):
                gateway.say_ready()
                eventually(lambda: answers, "pamctl has its answer")
        assert answers[0].returncode != 0, answers
        assert "gateway paper cannot tell; its gateway-agent has to be a newer one" in answers[0].stderr, answers


@pytest.mark.slow
@pytest.mark.parametrize("version", [1, 2])
def test_dial_target_is_for_gateways_that_know_it(vps, version):
    """A client that waits for the server's line: without that message nobody would ever speak."""
    with OldGateway(vps, of_version(GATEWAY_HELLO, version)) as gateway, waiting_session(vps, gateway) as (session, _), \
            peers.dial(session["public_port"]) as silent:
        if version == 1:
            assert util.how_it_ends(silent) in ("fin", "rst")
            assert vps.session(session["id"])["state"] == "waiting"
        else:
            gateway.asked(1)
            assert gateway.until(DIAL_TARGET)[-1] == bytes.fromhex("000b 14") + gateway.session + b"\0\1"
        vps.pamctl("close", session["id"])
        assert {frame[2] for frame in gateway.until(CLOSE)} <= {PING, OPEN, CLOSE}


# ---------------------------------------------------------------- a VPS of version 1, today's gateway

class OldVps(wire.Vps):
    """A gateway-agent has logged in to it."""

    def __init__(self, folder, version=1):
        self.hello = of_version(VPS_HELLO, version)
        self.port, key = util.free_port(), secrets.token_hex(32)
        super().__init__(self.port, key, "lan")
        self.gateway = Daemon("gateway-agent", folder, {
            "VPS_HOST": "127.0.0.1", "CONTROL_PORT": self.port, "TUNNEL_KEY": key, "GATEWAY_NAME": "lan",
            "ALLOWED_TARGETS": LOOPBACK_TARGETS, "LOG_LEVEL": "debug"})
        self.data = util.server()
        self.data_port = self.data.getsockname()[1]

    def __enter__(self):
        super().__enter__()
        eventually(lambda: peers.listening(self.port), "openssl listens")
        self.gateway.start()
        assert is_hello_of_today(next_frame(self, HELLO), 30, b"gateway-agent ")
        self.send(self.hello)
        self.gateway.wait_log("connected to the VPS")
        return self

    def __exit__(self, *_):
        self.gateway.kill()
        self.data.close()
        super().__exit__()

    def open(self, port, channel=0):
        self.send(bytes.fromhex("003a 10") + SESSION + struct.pack(">HHH", channel, port, self.data_port) +
                  b"\0\x09127.0.0.1" + TOKEN)

    def accept(self, channel=0):
        """The data channel, when the gateway has proven itself."""
        self.data.settimeout(10 * TIME_SCALE)
        sock, _ = self.data.accept()
        opening = util.read_exactly(sock, 48)
        assert opening[:16] == b"PMTD" + struct.pack(">HH", 1, channel) + SESSION
        nonce = secrets.token_bytes(32)
        sock.sendall(nonce + data_mac(TOKEN, LABEL_VPS, opening, nonce))
        assert util.read_exactly(sock, 32) == data_mac(TOKEN, LABEL_GATEWAY, opening, nonce)
        return sock


@pytest.fixture
def old_vps():
    with util.Folder() as folder, OldVps(folder) as vps:
        yield vps


@pytest.mark.parametrize("version", [1, 2])
def test_todays_gateway_serves_an_old_vps_from_asking_to_the_end(version):
    with util.Folder() as folder, OldVps(folder, version) as old_vps, peers.Recorder(reply=peers.echo) as target:
        old_vps.open(target.port)
        address = target.name.encode()
        with old_vps.accept() as data:
            ready = bytes.fromhex("11") + SESSION + struct.pack(">HH", 0, len(address)) + address
            assert next_frame(old_vps, READY) == struct.pack(">H", len(ready)) + ready
            assert not target.talked, "nobody is there yet"
            data.sendall(peers.BANNER)
            assert util.read_exactly(data, len(peers.BANNER)) == peers.BANNER
            old_vps.open(target.port, 1)
            with old_vps.accept(1) as more:
                more.sendall(b"more")
                assert util.read_exactly(more, 4) == b"more"
                old_vps.send(bytes.fromhex("0009 03 0000000a24e07c37"))
                assert next_frame(old_vps, PONG) == bytes.fromhex("0009 04 0000000a24e07c37"), "and no READY of channel 1"
            old_vps.send(bytes.fromhex("0009 13") + SESSION)
        target.wait_client(2).wait_end()
        target.talked[0].wait_end()


def test_todays_gateway_says_why_not_to_a_vps_of_version_1(old_vps):
    port = util.free_port()
    old_vps.open(port)
    got = next_frame(old_vps, FAILED)
    detail = got[16:]
    assert got[2:16] == bytes.fromhex("12") + SESSION + bytes.fromhex("0000 02") + struct.pack(">H", len(detail))
    assert str(port) in detail.decode()


def test_goodbyes_are_understood_in_both_directions(old_vps):
    old_vps.send(VPS_GOODBYE)
    old_vps.gateway.wait_log("vps-agent is being stopped")


def test_todays_gateway_leaves_a_vps_of_version_1_as_ever(old_vps):
    old_vps.gateway.stop()
    assert next_frame(old_vps, GOODBYE) == GATEWAY_GOODBYE


def test_a_vps_of_version_1_that_sends_what_it_did_not_agree_to_is_left(old_vps):
    old_vps.send(bytes.fromhex("000b 14") + SESSION + b"\0\0")
    old_vps.gateway.wait_log("lost the connection.*a message of a later version")
