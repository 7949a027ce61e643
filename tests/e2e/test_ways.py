"""The ways between gateway and VPS: a family that carries nothing, look-ups that get no
answer, an address that is gone, strangers that press into the control port."""

import contextlib
import re
import socket
import subprocess
import threading
import time

import netns
import peers
import pytest
import wire
from agents import OWNER, World, environment, program
from middle import MIDDLE, Middle
from util import TIME_SCALE, eventually

KEEPALIVE = 20      # nothing here may be noticed by it


VPS6, GATEWAY6 = "fd00:9::1", "fd00:9::2"


@contextlib.contextmanager
def broken_ipv6(internet, port, how):
    """VPS_HOST has an IPv6 address too, where somebody takes connections and then is silent, or resets them."""
    taken = []

    def serve():
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            taken.append(sock)
            if how == "resets":
                with contextlib.suppress(OSError):
                    sock.recv(1)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                sock.close()

    internet.vps.ip("address", "add", f"{VPS6}/64", "dev", "gw", "nodad")
    internet.gateway.ip("address", "add", f"{GATEWAY6}/64", "dev", "wan", "nodad")
    listener = internet.vps.listen(VPS6, port)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield taken
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for sock in taken:
            sock.close()
        internet.vps.ip("address", "del", f"{VPS6}/64", "dev", "gw")
        internet.gateway.ip("address", "del", f"{GATEWAY6}/64", "dev", "wan")


# ---------------------------------------------------------------- IPv6 that carries nothing

@pytest.mark.parametrize("how", ["is silent", "resets"])
def test_a_family_that_connects_but_carries_nothing_is_given_up_for_the_other(internet, how):
    internet.gateway.hosts(f"{netns.TARGET} HOME-PC\n{VPS6} vps.dual\n{netns.VPS_FOR_GATEWAY} vps.dual\n")
    with World(net=internet, bot=False, vps={"BIND_ADDRESS": "0.0.0.0"}, gateway={"VPS_HOST": "vps.dual"},
               start_gateways=False, wait_ready=False) as world, \
            broken_ipv6(internet, world.control_port, how) as taken:
        began = time.monotonic()
        world.gateway.start()
        world.ready(["lan"], timeout=30 * TIME_SCALE)
        print(f"online after {time.monotonic() - began:.1f} s, {len(taken)} tries over IPv6")
        tries = len(taken)
        assert tries >= 1, "the test did not test anything"
        world.vps.kill()
        world.vps.start()
        world.ready(["lan"], timeout=30 * TIME_SCALE)
        assert len(taken) == tries, "it does not go back to what failed"

        result = subprocess.run(internet.gateway.command(program("gateway-agent"), "--doctor"),
                                env=environment(world.gateway.settings), capture_output=True, text=True, timeout=60)
        assert result.returncode == 1, result.stdout
        assert f"answers at {netns.VPS_FOR_GATEWAY}" in result.stdout, result.stdout
        assert "!!  IPv6: what listens on vps.dual" in result.stdout, result.stdout


# ---------------------------------------------------------------- look-ups without an answer

@pytest.fixture(scope="module")
def far_world(internet):
    with World(net=internet, gateway={"KEEPALIVE_SECS": KEEPALIVE}) as world:
        yield world


def test_names_without_an_answer_hold_up_no_other_and_the_user_reads_why(far_world, internet):
    world = far_world
    internet.dns.silent = True
    with peers.Recorder(peers.echo, listener=internet.lan.listen("0.0.0.0", 22)):
        try:
            since = world.api.mark()
            for number in range(6):
                world.api.say(OWNER, f"/ssh dead-{number}.lan")
            eventually(lambda: any(n.startswith("dead-5") for n in internet.dns.asked), "all are looked up")
            began = time.monotonic()
            assert world.ssh("HOME-PC")                 # it stands in the hosts file
            assert time.monotonic() - began < 2 * TIME_SCALE
            said = world.api.wait_message("name server", 15 * TIME_SCALE, since, OWNER)
            assert "dead-" in said.text and "switched on" not in said.text, said.text
        finally:
            internet.dns.silent = False
            world.close_all()


# ---------------------------------------------------------------- an address that is gone

def test_an_own_address_that_is_gone_is_noticed_at_once_on_both_sides(far_world, internet):
    world, gateway = far_world, internet.gateway
    opened = world.gateway.count_log("info +connected to the VPS")
    gateway.ip("address", "del", f"{netns.GATEWAY}/29", "dev", "wan")
    gateway.ip("address", "add", "198.51.100.4/29", "dev", "wan")
    try:
        began = time.monotonic()
        world.gateway.wait_log("does not have the address 198.51.100.2 any more", 3)
        eventually(lambda: world.gateway.count_log("info +connected to the VPS") > opened, "it is back", 5)
        print(f"back after {time.monotonic() - began:.1f} s")
        assert world.status()["gateways"][0]["address"].startswith("198.51.100.4")
    finally:
        gateway.ip("address", "del", "198.51.100.4/29", "dev", "wan")
        gateway.ip("address", "add", f"{netns.GATEWAY}/29", "dev", "wan")
        world.ready(["lan"], timeout=30)

    internet.vps.ip("address", "del", f"{netns.VPS_FOR_GATEWAY}/29", "dev", "gw")
    try:
        eventually(lambda: not world.status()["gateways"], "vps-agent notices", 3)
    finally:
        internet.vps.ip("address", "add", f"{netns.VPS_FOR_GATEWAY}/29", "dev", "gw")
        world.ready(["lan"], timeout=90)


def test_a_gateway_that_does_not_answer_an_open_tunnel_is_offline_within_seconds(far_world):
    world = far_world
    world.ready(["lan"])
    world.gateway.freeze()
    try:
        since, began = world.api.mark(), time.monotonic()
        world.api.say(OWNER, "/ssh HOME-PC")
        world.api.wait_message("offline", 9 * TIME_SCALE, since, OWNER)
        assert time.monotonic() - began < 8 * TIME_SCALE
        assert not world.status()["gateways"]
    finally:
        world.gateway.thaw()
    world.ready(["lan"], timeout=30)


# ---------------------------------------------------------------- strangers at the control port

class Pressing:
    """So many new connections a second to a port, from these addresses, none of which says a word."""

    def __init__(self, port, addresses, rate, kept=400):
        self.port, self.addresses, self.rate, self.kept = port, addresses, rate, kept
        self.made = 0

    def __enter__(self):
        self.over = False
        self.thread = threading.Thread(target=self._press, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()

    def _press(self):
        socks, began = [], time.monotonic()
        while not self.over:
            with contextlib.suppress(OSError):
                sock = socket.socket()
                sock.settimeout(1)
                sock.bind((self.addresses[self.made % len(self.addresses)], 0))
                sock.connect(("127.0.0.1", self.port))
                socks.append(sock)
            self.made += 1
            if len(socks) > self.kept:
                socks.pop(0).close()
            time.sleep(max(0, began + self.made / self.rate - time.monotonic()))
        for sock in socks:
            sock.close()


@pytest.mark.slow
@pytest.mark.parametrize("who", ["the gateway's own address", "nine others"])
def test_a_hundred_connections_a_second_do_not_keep_a_gateway_out(who):
    """The gateway is 100 ms away, each way; what it says first comes so late, too."""
    def delayed(passage, way, data):
        time.sleep(0.1)
        return data

    with World(bot=False, gateway={"VPS_HOST": MIDDLE}, vps={"BIND_ADDRESS": "127.0.0.1"},
               start_gateways=False, wait_ready=False) as world, Middle([world.control_port]) as middle:
        middle.change = delayed
        # Passages go on from 127.0.0.1.
        addresses = ["127.0.0.1"] if "own" in who else [f"127.0.{net}.1" for net in range(20, 29)]
        with Pressing(world.control_port, addresses, 100 if "own" in who else 300) as pressing:
            eventually(lambda: pressing.made > 150, "they press in", 20)
            began = time.monotonic()
            world.gateway.start()
            world.ready(["lan"], timeout=30 * TIME_SCALE)
            print(f"online after {time.monotonic() - began:.1f} s, {pressing.made} connections")


def test_an_unknown_name_is_answered_as_a_wrong_key_is():
    def alert(name, key):
        with wire.Control(world.control_port, key, name, "127.0.0.1") as gateway:
            assert gateway.wait_end() == []
            gateway.process.wait(10)
            return re.findall(rb"alert number (\d+)", gateway.process.stderr.read())

    world = World(bot=False, gateways=(), wait_ready=False)
    world.vps_extra["TUNNEL_KEY"] = f"lan:{world.key}"
    with world:
        wrong = alert("lan", "ab" * 32)
        assert wrong and alert("no-such-name", world.key) == wrong
