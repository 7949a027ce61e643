"""Machines that sleep: their MAC addresses are learnt when they answer."""

import netns
import pytest
from agents import World
from sleeper import Sleeper

PC = "192.168.5.22"
MAC = "02:00:00:00:05:22"


@pytest.fixture(scope="module")
def lan_world(internet):
    with World(net=internet, vps={"ADMIT": "auto"}) as world:
        yield world


@pytest.fixture(autouse=True)
def settled(lan_world):
    yield
    lan_world.settle()


@pytest.fixture
def pc(internet):
    with Sleeper(internet, address=PC, mac=MAC, ports=(22, 3389)) as sleeper:
        yield sleeper


def known(world):
    """{host: MAC}"""
    return {machine["host"]: machine["mac"] for machine in world.pamctl.json("wake", "list")["machines"]}


def answers(world, target):
    """It is reached once; its session is closed again."""
    reply = world.pamctl.json("ssh", target)
    world.pamctl("close", reply["session"]["id"])


def test_the_mac_of_a_machine_that_answered_is_known(lan_world, pc):
    answers(lan_world, PC)
    assert known(lan_world)[PC] == MAC
    listed = lan_world.pamctl("wake", "list").stdout
    assert f"lan/{PC}  {MAC}  since " in listed
    lan_world.vps.wait_log(f"{PC} behind gateway lan has the MAC address {MAC}")


def test_a_machine_with_another_card_is_known_by_that(lan_world, pc):
    answers(lan_world, PC)
    pc.set_mac("02:00:00:00:05:99")
    pc.forget()
    answers(lan_world, PC)  # within a minute: it is not looked at anew
    assert known(lan_world)[PC] == MAC
    answers(lan_world, f"{PC}:3389")
    assert known(lan_world)[PC] == "02:00:00:00:05:99"


def test_a_mac_survives_a_restart(lan_world, pc):
    answers(lan_world, PC)
    before = known(lan_world)
    assert PC in before
    lan_world.vps.stop()
    lan_world.vps.start()
    lan_world.ready()
    assert known(lan_world) == before


def test_behind_a_router_none_is_learnt(lan_world, internet, pc):
    """It would be the router's."""
    behind = "10.44.0.7"
    pc.namespace.ip("address", "add", f"{behind}/32", "dev", "lo")
    internet.gateway.ip("route", "add", f"{behind}/32", "via", PC)
    try:
        answers(lan_world, behind)
    finally:
        internet.gateway.ip("route", "del", f"{behind}/32")
    assert behind not in known(lan_world)


def test_of_the_gateway_itself_none_is_learnt(lan_world, internet, pc):
    own = internet.gateway.listen(pc.gateway, 22)
    with own:
        answers(lan_world, pc.gateway)
    assert pc.gateway not in known(lan_world)


def test_ipv6_is_as_good(lan_world, internet, pc):
    six, theirs = "fd00:5::22", "fd00:5::1"
    pc.namespace.ip("address", "add", f"{six}/64", "dev", "card", "nodad")
    internet.gateway.ip("address", "add", f"{theirs}/64", "dev", pc.device, "nodad")
    with pc.namespace.listen(six, 22):
        answers(lan_world, six)
    assert known(lan_world)[six] == MAC
    assert netns.TARGET not in known(lan_world)
