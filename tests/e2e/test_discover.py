"""Which machines a gateway's network has: asked in the chat and with pamctl, where the gateway allows it."""

import json
import struct
import threading
import time

import lan_daemons
import pytest
from agents import FRIEND, OWNER, World
from lan_names import MDNS, NB, NETBIOS, Responder, dns_name
from test_wire_of_version_1 import GATEWAY_HELLO, OldGateway, of_version
from util import TIME_SCALE, Folder, eventually

MACHINE = "192.168.1.30"
OUTSIDE = "10.9.9.9"
PAUSE = 5
PATIENCE = 12 * TIME_SCALE


@pytest.fixture(scope="module")
def lan_world(internet):
    for address in (MACHINE, OUTSIDE):
        internet.lan.ip("address", "add", f"{address}/24", "dev", "eth")
    with World(net=internet, gateway={"DISCOVER": "on"}, env_files=True) as world:
        yield world


class Shouter(Responder):
    """Says its names to who asks for all. service: what it answers to such a question of mDNS."""

    def __enter__(self):
        if self.protocol == NETBIOS:    # what goes to it alone comes to the socket of its address
            self.mouth.close()
            self.mouth = self.ear
        return super().__enter__()

    def _take(self, question, sender):
        self.asked.append(question)
        for name, address in self.names.items():
            answer = self._answer(question, name, address)
            if answer:
                self.mouth.sendto(answer, sender)

    def _answer(self, question, name, address):
        raw = bytes(map(int, address.split(".")))
        head = struct.pack(">HHHHHH", question.id, 0x8400, 0, 1, 0, 0)
        if self.protocol == MDNS:
            if question.full_name.startswith("_ssh._tcp"):
                instance = b"\x0cA machine of" + dns_name("_ssh._tcp.local")
                target = dns_name(name + ".local")
                return (head[:6] + struct.pack(">HHH", 3, 0, 0)
                        + dns_name("_ssh._tcp.local") + struct.pack(">HHIH", 12, 1, 10, len(instance)) + instance
                        + instance + struct.pack(">HHIHHHH", 33, 1, 10, 6 + len(target), 0, 0, 22) + target
                        + target + struct.pack(">HHIH", 1, 1, 10, 4) + raw)
            return None
        owner = b"\x20CK" + b"A" * 30 + b"\0"
        if question.kind == NB:
            return head + owner + struct.pack(">HHIHH", NB, 1, 10, 6, 0x6000) + raw
        names = b"".join(n.ljust(15).encode() + bytes([suffix]) + flags
                         for n, suffix, flags in (("WORKGROUP", 0, b"\x84\0"), (name.upper(), 0, b"\x04\0")))
        return head + owner + struct.pack(">HHIH", 0x21, 1, 0, 1 + len(names)) + b"\2" + names


def rest():
    """The gateway answers one in five seconds."""
    time.sleep(PAUSE + 0.2)


def records(world):
    found = [json.loads(line) for line in world.pamctl("audit", "--json").stdout.splitlines()]
    return [r for r in found if r["what"] == "gateway.discovered"]


def say(world, user, text):
    since = world.api.mark()
    world.api.say(user, text)
    return since


@pytest.mark.slow
def test_machines_that_say_their_names_are_listed_and_may_be_opened(lan_world, internet):
    with Shouter(internet.lan, MDNS, {"nas-1": MACHINE}, MACHINE), \
            Shouter(internet.lan, NETBIOS, {"pc-2": "192.168.1.22"}, "192.168.1.22"), \
            Shouter(internet.lan, MDNS, {"liar-3": MACHINE}, OUTSIDE):
        reply = lan_world.pamctl.json("discover")
        assert reply["gateway"] == "lan"
        assert reply["machines"] == [
            {"name": "nas-1", "address": MACHINE, "found_by": "mdns"},
            {"name": "PC-2", "address": "192.168.1.22", "found_by": "netbios"}]
        assert records(lan_world)[-1]["count"] == 2 and records(lan_world)[-1]["word"] == "found"
        assert records(lan_world)[-1]["by"].startswith("uid:") and records(lan_world)[-1]["gateway"] == "lan"
        early = lan_world.pamctl("discover", "lan")
        assert early.returncode != 0 and "has looked a moment ago" in early.stderr

        rest()
        since = say(lan_world, OWNER, "/discover lan")
        listed = lan_world.api.wait_message(lambda m: m.says("network of gateway lan"), PATIENCE, since, OWNER)
        assert len(listed.buttons) == 2 and listed.buttons[0]["text"] == f"nas-1 ({MACHINE})"
        since = lan_world.api.mark()
        lan_world.api.wait_answer(lan_world.api.tap(OWNER, listed, "nas-1"))
        offer = lan_world.api.wait_message(lambda m: m.says("What do you want to open there"), PATIENCE, since, OWNER)
        assert {b["text"] for b in offer.buttons} == {"/rdp nas-1", "/ssh nas-1", "/vnc nas-1"}, "/tcp needs a port"
        assert records(lan_world)[-1]["by"] == f"telegram:{OWNER}"


@pytest.mark.slow
def test_who_is_no_administrator_is_not_answered(lan_world):
    since = say(lan_world, FRIEND, "/discover")
    lan_world.api.wait_message(lambda m: m.says("administrator"), PATIENCE, since, FRIEND)


@pytest.mark.slow
def test_while_the_server_is_locked_the_chat_asks_no_gateway(lan_world):
    lan_world.pamctl("panic")
    try:
        since = lan_world.api.mark()
        lan_world.api.say(OWNER, "/discover")
        lan_world.api.wait_message(lambda m: m.says("locked") and not m.says("Looking"), PATIENCE, since, OWNER)
    finally:
        lan_world.pamctl("unlock")


def test_a_gateway_that_does_not_tell_says_so(lan_world, internet):
    rest()
    lan_world.gateway.reload(DISCOVER="off")
    with Shouter(internet.lan, MDNS, {"nas-1": MACHINE}, MACHINE) as machine:
        said = lan_world.pamctl("discover")
        assert said.returncode != 0 and "DISCOVER is off there" in said.stderr
        lan_world.gateway.wait_log("DISCOVER is off, and it was told nothing")
        assert records(lan_world)[-1]["word"] == "off" and not machine.asked
        since = say(lan_world, OWNER, "/discover")
        lan_world.api.wait_message(lambda m: m.says("DISCOVER is off"), PATIENCE, since, OWNER)
    lan_world.gateway.reload(DISCOVER="on")
    assert lan_world.pamctl("discover", "office").returncode != 0


@pytest.mark.slow
def test_a_crowd_of_names_is_cut_off(lan_world, internet):
    crowd = {f"pc-{n}": f"192.168.1.{n}" for n in range(100, 250)}
    with Shouter(internet.lan, MDNS, crowd, MACHINE):
        rest()
        machines = lan_world.pamctl.json("discover")["machines"]
        assert len(machines) == 64
    rest()
    assert lan_world.pamctl.json("discover")["machines"] == []
    rest()
    assert "No machine in the network of gateway lan says its name" in lan_world.pamctl("discover").stdout


@pytest.mark.slow
@pytest.mark.parametrize("daemon, workstation, found_by",
                         [("avahi", True, "mdns"), ("avahi", False, "mdns"), ("nmbd", True, "netbios")])
def test_real_daemons_are_found(lan_world, internet, daemon, workstation, found_by):
    if not lan_daemons.place(daemon):
        pytest.skip(f"{daemon} is not there: /usr/bin/python3 tests/e2e/lan_daemons.py")

    def ask():
        result = lan_world.pamctl("discover", "--json")
        machines = json.loads(result.stdout).get("machines", []) if result.stdout else []
        return [m for m in machines if m["name"].lower() == "nas-7" and m["found_by"] == found_by]

    with Folder() as folder, lan_daemons.Daemon(internet.lan, folder, daemon, "nas-7", workstation=workstation) as machine:
        eventually(lambda: ask() or (machine.process.poll() is not None and pytest.fail(machine.log)),
                   f"{daemon} is listed", 40)


# ---------------------------------------------------------------- gateways by hand

DISCOVER, FOUND = 32, 33
MACHINE_STATE, ALL = 0, 1


def found(request, state, name="", address="", by=1):
    fields = request + bytes([state, by])
    for text in (name, address):
        fields += struct.pack(">H", len(text)) + text.encode()
    return struct.pack(">HB", 1 + len(fields), FOUND) + fields


@pytest.fixture(scope="module")
def lonely():
    with World(bot=False, gateways=()) as world:
        yield world


def test_a_gateway_of_an_older_version_is_not_asked(lonely):
    with OldGateway(lonely, of_version(GATEWAY_HELLO, 2)):
        said = lonely.pamctl("discover")
        assert said.returncode != 0 and "is of a version that cannot look" in said.stderr


def test_what_could_be_no_machine_is_not_passed_on(lonely):
    """A gateway's words become commands that people press."""
    with OldGateway(lonely, of_version(GATEWAY_HELLO, 3)) as gateway:
        answers = []
        asking = threading.Thread(target=lambda: answers.append(lonely.pamctl.json("discover")))
        asking.start()
        request = gateway.until(DISCOVER)[-1][3:7]
        other = bytes([request[0] ^ 1]) + request[1:]
        for name, address in (("nas", "192.168.1.30"), ("a b", "192.168.1.31"), ("x;reboot", "192.168.1.32"),
                              ("", "192.168.1.33"), ("nas-2", "not an address"), ("nas-3", "")):
            gateway.send(found(request, MACHINE_STATE, name, address))
        gateway.send(found(other, MACHINE_STATE, "other", "192.168.1.34"))
        gateway.send(found(request, ALL))
        asking.join(20 * TIME_SCALE)
        assert [m["name"] for m in answers[0]["machines"]] == ["nas"]
        gateway.send(found(request, MACHINE_STATE, "late", "192.168.1.35"))    # nobody waits for it


@pytest.mark.slow
def test_a_gateway_that_says_nothing_is_not_waited_for(lonely):
    with OldGateway(lonely, of_version(GATEWAY_HELLO, 3)):
        said = lonely.pamctl("discover")
        assert said.returncode != 0 and "does not say which machines it sees" in said.stderr
        assert records(lonely)[-1]["word"] == "silent"
