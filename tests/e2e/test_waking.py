"""Machines that sleep: their MAC addresses are learnt when they answer."""

import itertools

import netns
import pytest
from agents import OWNER, World
from sleeper import Sleeper
from util import TIME_SCALE

NUMBERS = itertools.count(20)


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
    """Another one for each test: a machine that has just answered is not looked at anew for a minute."""
    number = next(NUMBERS)
    with Sleeper(internet, address=f"192.168.5.{number}", mac=f"02:00:00:00:05:{number}",
                 ports=(22, 3389)) as sleeper:
        yield sleeper


def known(world):
    """{host: MAC}"""
    return {machine["host"]: machine["mac"] for machine in world.pamctl.json("wake", "list")["machines"]}


def answers(world, target):
    """It is reached once; its session is closed again."""
    reply = world.pamctl.json("ssh", target)
    world.pamctl("close", reply["session"]["id"])


def test_the_mac_of_a_machine_that_answered_is_known(lan_world, pc):
    answers(lan_world, pc.address)
    assert known(lan_world)[pc.address] == pc.mac
    listed = lan_world.pamctl("wake", "list").stdout
    assert f"lan/{pc.address}  {pc.mac}  since " in listed
    lan_world.vps.wait_log(f"{pc.address} behind gateway lan has the MAC address {pc.mac}")


def test_a_machine_with_another_card_is_known_by_that(lan_world, pc):
    answers(lan_world, pc.address)
    before = pc.mac
    pc.set_mac("02:00:00:00:05:99")
    pc.forget()
    answers(lan_world, pc.address)  # within a minute: it is not looked at anew
    assert known(lan_world)[pc.address] == before
    answers(lan_world, f"{pc.address}:3389")
    assert known(lan_world)[pc.address] == "02:00:00:00:05:99"


def test_a_mac_survives_a_restart(lan_world, pc):
    answers(lan_world, pc.address)
    before = known(lan_world)
    assert pc.address in before
    lan_world.vps.stop()
    lan_world.vps.start()
    lan_world.ready()
    assert known(lan_world) == before


def test_behind_a_router_none_is_learnt(lan_world, internet, pc):
    """It would be the router's."""
    behind = "10.44.0.7"
    pc.namespace.ip("address", "add", f"{behind}/32", "dev", "lo")
    internet.gateway.ip("route", "add", f"{behind}/32", "via", pc.address)
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
    assert known(lan_world)[six] == pc.mac
    assert netns.TARGET not in known(lan_world)


# ---------------------------------------------------------------- in the chat

SETTLED = 8     # seconds in which an address that nobody has is known to be nobody's


def falls_asleep(world, pc):
    """Its MAC address is known, by another port than the one that is asked for next."""
    answers(world, pc.address)
    pc.sleep()


def ask(world, command, *, user=OWNER):
    """Sends it; returns where the chat was."""
    since = world.api.mark()
    world.api.say(user, command)
    return since


def offered(world, since):
    return world.api.wait_message(lambda m: m.says("could not be opened") and m.button("wake"),
                                  SETTLED * TIME_SCALE, since, OWNER)


def test_a_session_that_finds_it_asleep_wakes_it(lan_world, pc):
    falls_asleep(lan_world, pc)
    pc.slow = 2
    since = ask(lan_world, f"/ssh {pc.address}:3389")
    message = offered(lan_world, since)
    assert message.says("asleep") and message.button("again")
    assert not pc.packets, "nobody has asked for that yet"
    lan_world.api.wait_answer(lan_world.api.tap(OWNER, message, "wake"))
    lan_world.api.wait(lambda: message.says("Waking the machine"), 5, "it says that it wakes it")
    lan_world.api.wait(lambda: message.code and message.code[0].startswith("ssh -p "), 15,
                       "the same message has the command")
    assert not message.button("wake") and message.button("close")
    session = lan_world.newest_session()
    assert (session["target"], session["state"]) == (f"{pc.address}:3389", "waiting")
    assert len(pc.packets) in (2, 3), "at 0, 1 and 3 s, until it is awake"
    what = [record["what"] for record in lan_world.pamctl.json("audit")["records"]]
    assert what.index("target.wake_asked") < what.index("target.woke")
