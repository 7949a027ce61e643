"""Machines that sleep: their MAC addresses are learnt when they answer."""

import concurrent.futures
import itertools
import json
import os
import re
import signal
import subprocess

import netns
import pytest
from agents import FRIEND, OWNER, World, environment, program
from hurry import Hurry
from openmetrics import scrape
from sleeper import Sleeper
from util import TIME_SCALE, eventually

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


def test_behind_a_router_that_answers_in_its_place_none_is_learnt(lan_world, internet, pc):
    """Proxy ARP: it looks as if it were in the gateway's network, with the router's MAC address."""
    behind = "192.168.5.200"
    pc.namespace.ip("address", "add", f"{behind}/32", "dev", "lo")
    answers(lan_world, pc.address)
    internet.gateway.ip("route", "add", "default", "via", pc.address, "metric", "5")
    try:
        answers(lan_world, behind)
        answers(lan_world, f"{pc.address}:3389")
    finally:
        internet.gateway.ip("route", "del", "default", "via", pc.address)
    assert behind not in known(lan_world)
    assert known(lan_world)[pc.address] == pc.mac, "what was known before stays"


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
    assert happened(lan_world)[-3:] == ["target.wake_asked", "target.woke", "session.opened"]


def happened(world):
    return [json.loads(line)["what"] for line in world.pamctl("audit", "--json").stdout.splitlines()]


def says(world, message, text, timeout=10):
    world.api.wait(lambda: message.says(text), timeout * TIME_SCALE, f"it says {text!r}")


def wakes(world, since, user=OWNER):
    return world.api.wait_message(lambda m: m.says("Waking") and m.button("stop"), 5 * TIME_SCALE, since, user)


def test_one_is_woken_for_its_own_sake(lan_world, pc):
    falls_asleep(lan_world, pc)
    message = wakes(lan_world, ask(lan_world, f"/wake {pc.address}"))
    says(lan_world, message, "is awake: it answered after")
    assert lan_world.sessions() == []
    since = lan_world.api.mark()
    lan_world.api.tap(OWNER, message, f"/ssh {pc.address}")
    lan_world.api.wait_message(lambda m: m.code and m.code[0].startswith("ssh -p"), 10 * TIME_SCALE, since, OWNER)


def test_with_pamctl(lan_world, pc):
    falls_asleep(lan_world, pc)
    failed = lan_world.pamctl("ssh", f"{pc.address}:3389")
    assert failed.returncode == 1 and f"pamctl wake lan/{pc.address} wakes it" in failed.stderr
    woken = lan_world.pamctl.json("wake", f"lan/{pc.address}")["waking"]
    assert (woken["state"], woken["mac"], woken["target"]) == ("awake", pc.mac, f"{pc.address}:22")
    assert "is awake, after" in lan_world.pamctl("wake", pc.address).stdout, "it was awake already"


def started(world, *args):
    """pamctl, which says on standard error that it wakes something."""
    process = subprocess.Popen([program("pamctl"), *args], env=environment({"STATE_DIR": world.state_dir}), text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    line = process.stderr.readline()
    return process, line


def test_ctrl_c_ends_it(lan_world, pc):
    falls_asleep(lan_world, pc)
    pc.wakes_up = False
    process, line = started(lan_world, "wake", pc.address)
    assert line == (f"Waking {pc.address}:22, behind gateway lan, for up to two minutes. Ctrl-C ends that; what was sent "
                    "until then may wake it all the same.\n")
    message = wakes(lan_world, ask(lan_world, f"/wake {pc.address}", user=FRIEND), FRIEND)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGINT
    eventually(lambda: happened(lan_world)[-1] == "target.wake_ended", "it is recorded")
    other, _ = started(lan_world, "wake", pc.address)
    pc.wake()       # the gateway went on, since somebody else waited
    says(lan_world, message, "is awake")
    assert other.communicate(timeout=10)[0].startswith(f"{pc.address}:22 is awake, after ") and other.returncode == 0
    pc.sleep()
    process, line = started(lan_world, "wake", pc.address)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    lan_world.gateway.wait_log(f"waking {pc.address}:22: nobody wants it any more")


def test_what_refuses_is_awake_and_not_offered(lan_world, pc):
    answers(lan_world, pc.address)
    pc.recorders.pop().close()  # nothing listens at 3389 any more
    since = ask(lan_world, f"/ssh {pc.address}:3389")
    message = lan_world.api.wait_message(lambda m: m.says("refused"), SETTLED * TIME_SCALE, since, OWNER)
    assert not message.button("wake") and message.button("again")


def test_what_has_never_answered_is_not_offered(lan_world, pc):
    pc.sleep()
    since = ask(lan_world, f"/ssh {pc.address}")
    message = lan_world.api.wait_message(lambda m: m.says("no route"), SETTLED * TIME_SCALE, since, OWNER)
    assert not message.button("wake")
    since = ask(lan_world, f"/wake {pc.address}")
    lan_world.api.wait_message(lambda m: m.says("do not know the MAC address"), 5, since, OWNER)
    assert "target.wake_refused" in happened(lan_world)


def test_a_press_of_somebody_else_wakes_nothing(lan_world, pc):
    falls_asleep(lan_world, pc)
    message = offered(lan_world, ask(lan_world, f"/ssh {pc.address}:3389"))
    data = message.button("wake")["callback_data"]
    since = ask(lan_world, "/sessions", user=FRIEND)
    own = lan_world.api.wait_message(lambda m: True, 5 * TIME_SCALE, since, FRIEND)
    answer = lan_world.api.wait_answer(lan_world.api.tap(FRIEND, own, None, data))
    assert "somebody else's" in answer["text"]
    assert happened(lan_world)[-1] == "button.refused"
    assert not pc.packets


def test_two_who_wait_for_one_machine_share_what_is_sent(lan_world, pc):
    falls_asleep(lan_world, pc)
    pc.wakes_up = False
    first = wakes(lan_world, ask(lan_world, f"/wake {pc.address}"))
    second = wakes(lan_world, ask(lan_world, f"/wake lan/{pc.address}", user=FRIEND), FRIEND)
    eventually(lambda: len(pc.packets) == 3, "all packets have come", 8)
    lan_world.api.wait_answer(lan_world.api.tap(OWNER, first, "stop"))
    says(lan_world, first, "is not being woken any more")
    pc.wake()
    says(lan_world, second, "is awake")
    assert len(pc.packets) == 3


def test_a_lock_ends_it(lan_world, pc):
    falls_asleep(lan_world, pc)
    pc.wakes_up = False
    message = wakes(lan_world, ask(lan_world, f"/wake {pc.address}"))
    lan_world.pamctl("panic")
    try:
        says(lan_world, message, "locked by an administrator")
        assert lan_world.pamctl.json("wake", pc.address, ok=False)["error"] == "locked"
        lan_world.gateway.wait_log("nobody wants it any more")
    finally:
        lan_world.pamctl("unlock")


def test_a_gateway_that_goes_ends_it(lan_world, pc):
    falls_asleep(lan_world, pc)
    pc.wakes_up = False
    message = wakes(lan_world, ask(lan_world, f"/wake {pc.address}"))
    lan_world.gateway.stop()
    says(lan_world, message, "Its gateway went offline meanwhile")
    lan_world.gateway.start()
    lan_world.ready()


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_an_agent_that_is_restarted_says_so_in_the_message(lan_world, pc, how):
    falls_asleep(lan_world, pc)
    pc.wakes_up = False
    message = wakes(lan_world, ask(lan_world, f"/wake {pc.address}"))
    before = message.text
    lan_world.api.wait(lambda: message.text != before, 10 * TIME_SCALE, "it says how long that takes")
    getattr(lan_world.vps, how)()
    lan_world.vps.start()
    lan_world.ready()
    says(lan_world, message, "being stopped" if how == "stop" else "The server was restarted", 20)
    assert not message.button("stop")
    lan_world.gateway.wait_log(f"waking {pc.address}:22: (nobody wants it any more|the VPS that asked is gone)")


def test_pressed_twice_and_when_it_is_over(lan_world, pc):
    falls_asleep(lan_world, pc)
    pc.wakes_up = False
    message = offered(lan_world, ask(lan_world, f"/ssh {pc.address}:3389"))
    data = message.button("wake")["callback_data"]
    answers_to = [lan_world.api.tap(OWNER, message, None, data) for _ in range(3)]
    texts = [lan_world.api.wait_answer(tap).get("text", "") for tap in answers_to]
    says(lan_world, message, "Waking the machine")
    eventually(lambda: len(pc.packets) == 3, "all packets have come", 8)
    assert happened(lan_world).count("target.wake_asked") and sum("already" in text for text in texts) == 2, texts
    lan_world.api.wait_answer(lan_world.api.tap(OWNER, message, "stop"))
    says(lan_world, message, "is not being woken any more")
    late = lan_world.api.wait_answer(lan_world.api.tap(OWNER, message, None, data))
    assert late["text"] and len(pc.packets) == 3


def test_into_every_network_of_the_gateway(lan_world, internet, pc):
    """Nobody knows in which one it is, and there is no default route."""
    falls_asleep(lan_world, pc)
    with Sleeper(internet, device="lan3", address="192.168.6.22", gateway="192.168.6.1", mac=pc.mac) as other:
        other.sleep()
        other.wakes_up = False
        lan_world.pamctl.json("wake", pc.address)
        assert other.packets and pc.is_awake


def test_into_a_network_without_ipv4(lan_world, internet, pc):
    six, theirs = "fd00:5::23", "fd00:5::1"
    pc.namespace.ip("address", "add", f"{six}/64", "dev", "card", "nodad")
    internet.gateway.ip("address", "add", f"{theirs}/64", "dev", pc.device, "nodad")
    with pc.namespace.listen(six, 22):
        answers(lan_world, six)
    pc.wakes_up = False
    pc.sleep()
    internet.gateway.ip("-4", "address", "flush", "dev", pc.device)
    message = wakes(lan_world, ask(lan_world, f"/wake {six}"))
    eventually(lambda: len(pc.packets) == 3, "all packets have come", 8)
    lan_world.api.tap(OWNER, message, "stop")
    says(lan_world, message, "is not being woken any more")
    frame = pc.packets[0]
    assert frame[:6] == bytes.fromhex("333300000001"), "to all nodes of the link"


def test_a_name_that_is_gone_while_it_sleeps(lan_world, internet, pc):
    internet.dns.answers["sleepy"] = pc.address
    answers(lan_world, "sleepy")
    pc.sleep()
    del internet.dns.answers["sleepy"]
    message = offered(lan_world, ask(lan_world, "/ssh sleepy:3389"))
    assert message.says("unknown name")
    pc.slow = 3
    lan_world.api.tap(OWNER, message, "wake")
    says(lan_world, message, "Waking the machine")
    internet.dns.answers["sleepy"] = pc.address
    lan_world.api.wait(lambda: message.code, 20 * TIME_SCALE, "the command is there")


LEAP = 10       # seconds: less than after which a silent gateway would be taken for gone


def test_one_that_stays_silent_says_what_may_be_wrong(internet, pc, folder):
    """All of its two minutes, in the chat and with pamctl."""
    hurry, metrics = Hurry(folder), f"{folder}/metrics.sock"
    vps = {"ADMIT": "auto", "METRICS_LISTEN": metrics, **hurry.settings}
    with World(net=internet, vps=vps, gateway=hurry.settings) as world, \
            concurrent.futures.ThreadPoolExecutor(1) as pool:
        falls_asleep(world, pc)
        pc.wakes_up = False
        message = offered(world, ask(world, f"/ssh {pc.address}:3389"))
        since = world.api.mark()
        world.api.tap(OWNER, message, "wake")
        says(world, message, "Waking the machine")
        asked = pool.submit(world.pamctl, "wake", f"{pc.address}:3389")
        eventually(lambda: happened(world)[-2:] == ["target.wake_asked"] * 2, "pamctl waits for the same machine")
        other = wakes(world, ask(world, f"/wake {pc.address}:3389", user=FRIEND), FRIEND)
        eventually(lambda: len(pc.packets) == 3, "all packets have come", 8)
        while not message.says("did not answer"):
            before = message.text
            hurry.leap(LEAP)
            world.api.wait(lambda: message.text != before, 10 * TIME_SCALE, "it says how long that takes")
        assert hurry.ahead <= 140, "two minutes, and not much more"
        for cause in ("did not answer within 2 min", "Fast Startup", "powercfg /h off", "Wake on Magic Packet", "Wi-Fi",
                      "without power", "another router"):
            assert message.says(cause), message.text
        assert message.button("again") and not message.button("stop")
        assert world.api.all_messages(OWNER, since) == [message], "all of it in one message"
        failed = asked.result()
        assert failed.returncode == 1 and "Fast Startup" in failed.stderr
        assert re.search(r"still silent after 1[2-4]\d s", failed.stderr)
        assert happened(world)[-3:] == ["target.silent"] * 3
        counted = scrape(metrics)
        assert [counted("pamtunnel_wakings_total", result=r) for r in ("awake", "silent", "ended")] == [0, 3, 0]
        assert len(pc.packets) == 3 and world.sessions() == []
        says(world, other, "did not answer within")
        since = world.api.mark()
        world.api.wait_answer(world.api.tap(FRIEND, other, "again"))
        once_more = wakes(world, since, FRIEND)
        world.api.wait_answer(world.api.tap(FRIEND, once_more, "stop"))


# ---------------------------------------------------------------- by the policy

POLICY = """\
users:
  anna: {{telegram: 42, roles: administrator}}
  bert: {{telegram: 43}}
targets:
  office-pc: {{address: {address}, ports: {{ssh: 3389}}, mac: "{mac}", wake: {wake}}}
rules:
  - {{who: {who}, targets: office-pc, kinds: ssh}}
"""


@pytest.fixture
def site(internet, pc, folder):
    path = folder / "policy.yaml"

    def write(wake="auto", who="anna"):
        path.write_text(POLICY.format(address=pc.address, mac=pc.mac, wake=wake, who=who))
        path.chmod(0o600)

    write()
    with World(net=internet, env_files=True, vps={"ADMIT": "auto", "ALLOWED_USERS": None, "POLICY_FILE": path}) as world:
        world.write_policy, world.policy_path = write, path
        yield world


def test_the_policy_has_it_woken_at_once(site, pc):
    pc.sleep()
    pc.slow = 1
    since = ask(site, "/ssh office-pc")
    message = site.api.wait_message(lambda m: m.code, 20 * TIME_SCALE, since, OWNER)
    assert message.says("SSH to office-pc") and pc.packets
    assert happened(site)[-3:] == ["target.wake_asked", "target.woke", "session.opened"]


def test_who_may_not_reach_it_may_not_wake_it(site, pc):
    pc.sleep()
    since = ask(site, "/wake office-pc", user=FRIEND)
    site.api.wait_message(lambda m: not m.says("Waking"), 5 * TIME_SCALE, since, FRIEND)
    assert happened(site)[-1] == "target.wake_refused"
    for user, listed in ((OWNER, True), (FRIEND, False)):
        which = site.api.wait_message("Which machine?", 5 * TIME_SCALE, ask(site, "/wake", user=user), user)
        assert bool(which.button("office-pc")) == listed, "nobody hears of machines that are not for them"
    site.write_policy(wake="off")
    site.vps.reload()
    since = ask(site, "/wake office-pc")
    site.api.wait_message(lambda m: m.says("policy says that office-pc is not woken"), 5 * TIME_SCALE, since, OWNER)
    message = site.api.wait_message(lambda m: m.says("no route"), SETTLED * TIME_SCALE, ask(site, "/ssh office-pc"), OWNER)
    assert not message.button("wake") and not pc.packets


def test_a_right_that_is_taken_away_ends_it(site, pc):
    pc.sleep()
    pc.wakes_up = False
    message = wakes(site, ask(site, "/wake office-pc"))
    site.write_policy(who="bert")
    site.vps.reload()
    says(site, message, "is not being woken any more")
    site.gateway.wait_log("nobody wants it any more")


APPROVED = """\
users:
  anna: {{telegram: 42, roles: approver}}
  bert: {{uid: {uid}}}
targets:
  office-pc: {{address: {address}, ports: {{ssh: 3389}}, mac: "{mac}", wake: auto}}
rules:
  - {{who: bert, targets: office-pc, kinds: ssh, approvals: 1}}
"""


@pytest.mark.parametrize("wakes_up", [True, False])
def test_a_script_hears_what_comes_of_it_at_last(site, pc, wakes_up):
    """Of a session that is approved, whose machine is woken then."""
    site.policy_path.write_text(APPROVED.format(uid=os.getuid(), address=pc.address, mac=pc.mac))
    site.vps.reload()
    pc.sleep()
    pc.wakes_up = wakes_up
    site.api.wait_message(lambda m: True, 10 * TIME_SCALE, ask(site, "/start"), OWNER)
    since = site.api.mark()
    process, line = started(site, "ssh", "office-pc", "--json")
    assert "waits for approval" in line
    card = site.api.wait_message(lambda m: m.button("Approve"), 10 * TIME_SCALE, since, OWNER)
    site.api.tap(OWNER, card, "Approve")
    said = [process.stderr.readline() for _ in range(2)]
    assert "is approved" in said[0] and said[1].startswith(f"Waking {pc.address}:3389, behind gateway lan"), said
    if wakes_up:
        out, err = process.communicate(timeout=20)
        assert process.returncode == 0 and err == ""
        assert json.loads(out)["session"]["state"] == "waiting"
        assert happened(site)[-3:] == ["target.wake_asked", "target.woke", "session.opened"]
    else:
        site.pamctl("panic")
        out, err = process.communicate(timeout=20)
        assert process.returncode == 1 and json.loads(out)["error"] == "ended" and "locked" in json.loads(out)["message"]
        site.pamctl("unlock")
