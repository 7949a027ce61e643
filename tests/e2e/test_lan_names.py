"""Names that no name server knows: what the machines of the LAN say, and what of it is believed."""

import concurrent.futures
import contextlib
import json
import subprocess
import time

import netns
import pytest
from agents import World, environment, program
from lan_names import A, AAAA, LLMNR, MDNS, NB, NETBIOS, Responder
from sleeper import Sleeper
from util import TIME_SCALE, eventually

MACHINE = "192.168.1.30"
MACHINE6 = "fd00:1::30"
OUTSIDE = "10.9.9.9"        # of a machine on the same wire, in no network of the gateway's
SECONDS = 1                 # how long the LAN is asked


@pytest.fixture(scope="module")
def lan_world(internet):
    for address in (f"{MACHINE}/24", f"{OUTSIDE}/24"):
        internet.lan.ip("address", "add", address, "dev", "eth")
    internet.lan.ip("address", "add", f"{MACHINE6}/64", "dev", "eth", "nodad")
    # That the way back is another one must not keep the liar's datagrams from being heard.
    for place in ("all", "lan"):
        netns.run(*internet.gateway.command("sysctl", "-qw", f"net.ipv4.conf.{place}.rp_filter=0"))
    with World(net=internet, bot=False, vps={"MAX_SESSIONS_PER_USER": "64"}) as world:
        yield world


@pytest.fixture(autouse=True)
def settled(lan_world):
    yield
    lan_world.settle()


@pytest.fixture(scope="module")
def target(internet):
    with contextlib.ExitStack() as stack:
        for host in ("0.0.0.0", "::"):
            stack.enter_context(internet.lan.listen(host, 22))
        yield


def answering(internet, protocol, names=None, **options):
    return Responder(internet.lan, protocol, names or {"nas-1": MACHINE}, options.pop("source", MACHINE), **options)


def open_session(world, host):
    session = world.pamctl.json("ssh", host)["session"]
    world.pamctl("close", session["id"])
    opened = [json.loads(line) for line in
              world.pamctl("audit", "--json").stdout.splitlines()]
    return next(r for r in reversed(opened) if r["what"] == "session.opened" and r["session"] == session["id"])


def refusal(world, host):
    """What the gateway says of it."""
    before = len(world.gateway.log)
    result = world.pamctl("ssh", host)
    assert result.returncode != 0, result.stdout
    return world.gateway.log[before:]


@pytest.mark.parametrize("protocol", [MDNS, LLMNR, NETBIOS])
def test_a_machine_is_found_by_each_protocol_alone(lan_world, internet, target, protocol):
    with answering(internet, protocol) as machine:
        opened = open_session(lan_world, "NAS-1")
        assert opened["resolved"] == f"{MACHINE}:22" and opened["found_by"] == protocol
        assert opened["target"] == "NAS-1:22"
        spoken = {MDNS: "mDNS", LLMNR: "LLMNR", NETBIOS: "NetBIOS"}[protocol]
        lan_world.gateway.wait_log(f"it is {MACHINE}, said {MACHINE} by {spoken}")
        lan_world.vps.wait_log(f"NAS-1 is {MACHINE}:22, as {protocol} says")
        assert "found by " + protocol in lan_world.pamctl("audit").stdout
        assert {q.kind for q in machine.asked} == {NB if protocol == NETBIOS else A}


def test_a_workstation_that_serves_no_files_is_found_by_netbios(lan_world, internet, target):
    def workstation(question, address):
        return [question.answer(address)] if question.suffix == 0 else []

    with answering(internet, NETBIOS, how=workstation) as machine:
        assert open_session(lan_world, "NAS-1")["found_by"] == NETBIOS
        assert [q.suffix for q in machine.asked[:2]] == [0x20, 0]


@pytest.mark.parametrize("protocol", [MDNS, LLMNR])
def test_a_machine_of_ipv6_alone_is_found(lan_world, internet, target, protocol):
    with answering(internet, protocol, {"nas-6": MACHINE6}, source=MACHINE6, ipv6=True) as machine:
        opened = open_session(lan_world, "nas-6")
        assert opened["resolved"] == f"[{MACHINE6}]:22" and opened["found_by"] == protocol
        assert {q.kind for q in machine.asked} == {AAAA}


def test_a_name_under_local_goes_to_mdns_alone(lan_world, internet, target):
    with answering(internet, MDNS) as machine, answering(internet, LLMNR) as other, \
            answering(internet, NETBIOS) as third:
        opened = open_session(lan_world, "NAS-1.local")
        assert opened["found_by"] == MDNS
        assert machine.asked[0].full_name == "NAS-1.local" and not other.asked and not third.asked


def test_what_name_servers_know_the_lan_is_not_asked(lan_world, internet, target):
    internet.dns.answers["known-pc"] = MACHINE
    with answering(internet, LLMNR, {"known-pc": "192.168.1.66"}) as liar:
        opened = open_session(lan_world, "known-pc")
        assert opened["resolved"] == f"{MACHINE}:22" and "found_by" not in opened
        assert not liar.asked


def test_names_with_dots_are_for_name_servers_alone(lan_world, internet, target):
    with answering(internet, LLMNR, {"nas-1.example.org": MACHINE}) as machine:
        words = refusal(lan_world, "nas-1.example.org")
        assert "is not known to the gateway's name servers" in words and "no machine" not in words
        assert not machine.asked


def test_nobody_answers(lan_world, internet):
    words = refusal(lan_world, "NAS-1")
    assert "NAS-1 is not known to the gateway's name servers, and no machine in its network answers to it" in words


def lies(question, address):
    """Nothing of this is an answer to the question."""
    return [
        question.answer(address, query_id=question.id ^ 1),
        question.answer(address, rcode=3),
        question.answer(address, name="nas-2"),
        question.data,
        question.answer(address)[:-1],
        question.answer(OUTSIDE),
        question.answer("198.51.100.1"),
        question.answer("127.0.0.1"),
        question.answer("192.168.1.255"),
        question.answer("192.168.1.0"),
        question.answer("224.0.0.251"),
        question.answer(netns.GATEWAY_IN_LAN),      # that it is the gateway, nobody else may say
    ] + ([question.answer(address, group=True)] if question.protocol == NETBIOS else [])


@pytest.mark.parametrize("protocol", [MDNS, LLMNR, NETBIOS])
def test_what_is_no_answer_or_leads_outside_is_not_believed(lan_world, internet, target, protocol):
    with answering(internet, protocol, how=lies) as liar:
        assert "no machine in its network answers" in refusal(lan_world, "NAS-1")
        assert liar.asked


@pytest.mark.parametrize("protocol", [MDNS, LLMNR, NETBIOS])
def test_who_is_not_in_the_network_is_not_believed(lan_world, internet, target, protocol):
    with answering(internet, protocol, source=OUTSIDE) as liar:
        assert "no machine in its network answers" in refusal(lan_world, "NAS-1")
        assert liar.asked


def test_who_answers_from_another_port_is_not_believed(lan_world, internet, target):
    with answering(internet, MDNS, port=5354) as liar:
        assert "no machine in its network answers" in refusal(lan_world, "NAS-1")
        assert liar.asked


def test_who_answers_too_late_is_not_heard(lan_world, internet, target):
    with answering(internet, LLMNR, delay=SECONDS + 0.3):
        assert "no machine in its network answers" in refusal(lan_world, "NAS-1")


def test_ten_thousand_answers_of_a_liar_do_no_harm(lan_world, internet, target):
    flood = {}

    def many(question, address):
        flood["n"] = int(10000 / TIME_SCALE)    # what they take to be looked at is not the point
        return [question.answer(address, name="nas-2")] * flood["n"]

    with answering(internet, MDNS, how=many), answering(internet, LLMNR) as honest:
        assert open_session(lan_world, "NAS-1")["found_by"] == LLMNR
        assert honest.asked and flood
    with answering(internet, MDNS, how=many):
        assert "no machine in its network answers" in refusal(lan_world, "NAS-1")
    eventually(lambda: lan_world.pamctl("status").returncode == 0, "all is well")


def test_several_at_once_wait_for_their_turn(lan_world, internet, target):
    names = [f"nas-{n}" for n in range(10, 18)]
    with answering(internet, LLMNR, dict.fromkeys(names, MACHINE)), \
            concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        sessions = list(pool.map(lambda name: lan_world.pamctl.json("ssh", name)["session"], names))
    for session in sessions:
        lan_world.pamctl("close", session["id"])


def test_more_at_once_than_may_be_asked_are_refused_and_nothing_is_left_open(lan_world, internet):
    before = len(lan_world.gateway.descriptors())
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        words = list(pool.map(lambda n: refusal(lan_world, f"nas-{n}"), range(10, 50)))
    assert any("too many other names" in w for w in words), words
    eventually(lambda: len(lan_world.gateway.descriptors()) <= before, "all sockets are closed")


def test_a_name_on_the_list_allows_what_is_found_nearby(internet, target):
    """By its name alone; and no address that is not in the gateway's own network."""
    gateway = {"ALLOWED_TARGETS": "NAS-1:22"}
    with World(net=internet, bot=False, gateway=gateway) as world:
        with answering(internet, LLMNR):
            assert open_session(world, "NAS-1")["resolved"] == f"{MACHINE}:22"
        with answering(internet, LLMNR, {"nas-1": netns.VPS_FOR_GATEWAY}):
            assert "no machine in its network answers" in refusal(world, "NAS-1")
        with answering(internet, LLMNR, {"nas-2": MACHINE}) as other:
            assert "not among the ALLOWED_TARGETS" in refusal(world, "NAS-2")
            assert not other.asked


def test_what_is_found_has_to_be_on_the_list(internet, target):
    with World(net=internet, bot=False, gateway={"ALLOWED_TARGETS": "192.168.1.22:22"}) as world, \
            answering(internet, LLMNR):
        assert "not among the ALLOWED_TARGETS" in refusal(world, "NAS-1")
        assert f"ALLOWED_TARGETS has neither the name nor {MACHINE}:22" in world.gateway.log


class Lowered:
    """A namespace whose programs run as somebody without any privilege."""

    def __init__(self, namespace, prefix):
        self.namespace, self.prefix = namespace, prefix

    def command(self, *argv):
        return self.namespace.command(*self.prefix, *argv)


@pytest.mark.parametrize("protocol", [MDNS, LLMNR, NETBIOS])
def test_nothing_of_it_takes_a_privilege(internet, target, as_nobody, protocol):
    """Inside the sandbox, which all of these tests have."""
    with World(net=internet, bot=False, start_gateways=False, wait_ready=False) as world:
        world.gateway.namespace = Lowered(internet.gateway, as_nobody)
        world.gateway.start()
        world.ready(["lan"])
        with answering(internet, protocol):
            assert open_session(world, "NAS-1")["found_by"] == protocol


def doctor(internet, gateway, namespace):
    result = subprocess.run(namespace.command(program("gateway-agent"), "--doctor"), capture_output=True, text=True,
                            env=environment(gateway.settings), timeout=60)
    return [line for line in result.stdout.splitlines() if line[4:].startswith("names: ")]


def test_doctor_says_what_is_asked_and_where(lan_world, internet):
    line, = doctor(internet, lan_world.gateway, internet.gateway)
    assert line.startswith("ok  names: those that name servers do not know are asked for by ")
    assert f"mDNS, LLMNR and NetBIOS on lan ({netns.GATEWAY_IN_LAN})" in line
    assert f"on wan ({netns.GATEWAY})" in line and "DISCOVER" not in line


def test_doctor_says_what_a_container_does_not_hear(lan_world, internet):
    hidden = netns.Namespace(f"{internet.gateway.name}-c")
    try:
        line, = doctor(internet, lan_world.gateway, hidden)
        assert line.startswith("--  names: this machine is in no network with neighbours")
        hidden.ip("link", "add", "eth0", "type", "veth", "peer", "name", "other")
        hidden.ip("address", "add", "172.17.0.2/16", "dev", "eth0")
        hidden.ip("link", "set", "eth0", "up")
        line, = doctor(internet, lan_world.gateway, hidden)
        assert line.startswith("--  names: mDNS, LLMNR and NetBIOS on eth0 (172.17.0.2); if this is a container")
    finally:
        hidden.delete()


def test_without_name_servers_a_name_without_a_dot_is_found_all_the_same(lan_world, internet, target):
    internet.dns.silent = True
    try:
        with answering(internet, LLMNR):
            began = time.monotonic()
            assert open_session(lan_world, "NAS-1")["found_by"] == LLMNR
            assert time.monotonic() - began < 4 * TIME_SCALE, "their time-out was not waited for"
    finally:
        internet.dns.silent = False


def test_name_servers_that_know_every_name_do_not_hide_the_lan(lan_world, internet, target):
    internet.dns.answers["nas-1"] = "203.0.113.9"
    try:
        with answering(internet, LLMNR):
            assert open_session(lan_world, "NAS-1")["resolved"] == f"{MACHINE}:22"
        assert "ALLOWED_TARGETS has neither the name nor 203.0.113.9:22" in refusal(lan_world, "NAS-1")
    finally:
        del internet.dns.answers["nas-1"]


def test_two_machines_of_one_name_are_told_of(lan_world, internet, target):
    """Which of them lies, if one does, only they know: who answered first is taken."""
    with answering(internet, LLMNR), answering(internet, MDNS, {"nas-1": "192.168.1.22"}, source="192.168.1.22",
                                               delay=0.03):
        before = len(lan_world.gateway.log)
        assert open_session(lan_world, "NAS-1")["resolved"] == f"{MACHINE}:22"
        assert "192.168.1.22 answers to this name with another address" in lan_world.gateway.log[before:]
    with answering(internet, LLMNR), answering(internet, NETBIOS, delay=0.03):
        before = len(lan_world.gateway.log)
        open_session(lan_world, "NAS-1")
        assert "another address" not in lan_world.gateway.log[before:]


def test_the_gateway_itself_may_say_that_it_is_one(lan_world, internet):
    with Responder(internet.gateway, LLMNR, {"box": netns.GATEWAY_IN_LAN}, netns.GATEWAY_IN_LAN, "lan"), \
            internet.gateway.listen(netns.GATEWAY_IN_LAN, 22):
        assert open_session(lan_world, "box")["resolved"] == f"{netns.GATEWAY_IN_LAN}:22"


def test_among_many_bridges(lan_world, internet, target):
    """A machine with many containers has as many interfaces, most of them before the one that came last."""
    bridges = [f"br{n}" for n in range(20)]
    for n, bridge in enumerate(bridges):
        internet.gateway.ip("link", "add", bridge, "type", "veth", "peer", "name", f"in{n}")
        internet.gateway.ip("address", "add", f"172.30.{n}.1/24", "dev", bridge)
        for end in (bridge, f"in{n}"):
            internet.gateway.ip("link", "set", end, "up")
    try:
        with Sleeper(internet, ports=(22,)) as machine, \
                Responder(machine.namespace, LLMNR, {"nas-9": machine.address}, machine.address, "card"):
            assert open_session(lan_world, "nas-9")["resolved"] == f"{machine.address}:22"
    finally:
        for bridge in bridges:
            internet.gateway.ip("link", "del", bridge)
