"""POLICY_FILE: who may reach what, said in one file; the sessions, the chat and the command line go by it."""

import contextlib
import datetime
import json
import os

import peers
import pytest
from agents import FRIEND, OWNER, STRANGER, World, run
from util import TIME_SCALE

BOB = FRIEND
PATIENCE = 10 * TIME_SCALE
POLICY = """\
timezone: "CET-1CEST,M3.5.0,M10.5.0/3"
users:
  alice: {{telegram: 42, uid: {uid}, roles: administrator}}
  bob: {{telegram: 43, groups: contractors}}
  guest: {{telegram: 44}}
targets:
  office-pc: {{gateway: lan, address: 127.0.0.1, ports: {{ssh: {port}}}}}
  vault: {{address: localhost, ports: {{ssh: {port}}}}}
rules:
- who: group:contractors
  targets: office-pc
  kinds: ssh
  longest: 90m
  connections: 1
- who: guest
  targets: vault
  kinds: ssh
  approvals: 1
- who: role:administrator
  targets: "*"
  kinds: "*"
"""


@pytest.fixture
def target():
    with peers.Recorder(reply=peers.echo) as recorder:
        yield recorder


class Site:
    """A world with a policy, which can be written anew."""

    def __init__(self, folder, target):
        self.path = folder / "policy.yaml"
        self.text = POLICY.format(uid=os.getuid(), port=target.port)
        self.write(self.text)

    def write(self, text):
        self.path.write_text(text)
        self.path.chmod(0o600)


@pytest.fixture
def site(folder, target):
    return Site(folder, target)


@pytest.fixture
def world(site):
    with World(vps={"ADMIT": "auto", "ALLOWED_USERS": None, "POLICY_FILE": site.path}, env_files=True) as world:
        yield world


def answer(world, text, user):
    since = world.api.mark()
    world.api.say(user, text)
    return world.api.wait_message(lambda m: True, PATIENCE, since, user)


def connect(session):
    client = peers.dial(session["public_port"])
    client.sendall(peers.BANNER)
    return client


def test_a_target_is_opened_by_its_name_on_the_terms_of_its_rule(world, target):
    world.ssh("office-pc", BOB)
    session = world.newest_session()
    assert session["target"] == f"127.0.0.1:{target.port}" and session["gateway"] == "lan"
    with connect(session) as client:
        assert client.recv(100)
        world.wait_state(session["id"], "connected")
        with peers.dial(session["public_port"]) as second:      # connections: 1
            second.sendall(peers.BANNER)
            assert not second.recv(100)
    world.close_all()


def test_what_no_rule_allows_is_refused_and_the_name_that_was_meant_is_told(world, target):
    assert answer(world, "/ssh vault", BOB).says("You may not reach vault by SSH")
    message = answer(world, "/ssh root@ofice-pc", BOB)
    assert message.says("Did you mean office-pc?")
    assert [b["text"] for b in message.buttons] == ["/ssh root@office-pc"]
    assert not answer(world, "/ssh valt", BOB).says("vault"), "he is not told what others may reach"
    assert answer(world, "/rdp office-pc", BOB).says("the policy has no port for that")
    assert answer(world, f"/ssh localhost:{target.port}", BOB).says("You may not reach")
    assert answer(world, "/help", STRANGER).says("This bot is private")
    world.vps.wait_log("user 666 ignored: from a user who is not in the policy")
    assert not world.sessions()


def test_the_targets_that_one_may_reach_are_buttons(world):
    message = answer(world, "/targets", BOB)
    assert [b["text"] for b in message.buttons] == ["/ssh office-pc"]
    since = world.api.mark()
    reply = world.api.wait_answer(world.api.tap(BOB, message, "/ssh office-pc"))
    assert reply["text"] == "On its way."
    world.api.wait_message(lambda m: m.says("is ready"), PATIENCE, since, BOB)
    assert [b["text"] for b in answer(world, "/targets", OWNER).buttons] == ["/ssh office-pc", "/ssh vault"]
    world.close_all()


def test_pamctl_goes_by_the_policy_as_well(world, site):
    assert world.pamctl.json("ssh", "vault")["session"]
    world.close_all()
    site.write(site.text.replace(f", uid: {os.getuid()}", ""))
    world.vps.reload()
    refused = world.pamctl("ssh", "vault")
    assert refused.returncode == 1 and f"Nobody in the policy has uid {os.getuid()}: give" in refused.stderr and "pamctl reload" in refused.stderr


def test_who_lost_a_right_loses_the_session_and_is_told(world, site):
    message = world.ssh("office-pc", BOB)
    other = world.ssh("vault", OWNER)
    session = world.sessions()[0]
    with connect(session) as client:
        assert client.recv(100)
        site.write(site.text.replace("targets: office-pc", "targets: vault"))
        assert "POLICY_FILE: " in world.vps.reload()
        with contextlib.suppress(ConnectionError):
            while client.recv(1000):
                pass
    world.wait_state(session["id"], "ended")
    world.api.wait(lambda: message.says("the right to it was taken away"), PATIENCE, "bob is told")
    assert not other.says("ended") and len(world.sessions()) == 1
    world.close_all()


def test_who_is_not_in_the_policy_any_more_is_a_stranger(world, site):
    message = world.ssh("office-pc", BOB)
    site.write("".join(line for line in site.text.splitlines(True) if not line.startswith("  bob:")))
    line = world.vps.reload()
    assert "bob removed" in line and "ALLOWED_USERS" not in line, "the policy has taken him away"
    world.api.wait(lambda: message.says("access was taken away"), PATIENCE, "bob is told")
    assert answer(world, "/ssh office-pc", BOB).says("This bot is private")


def test_a_policy_with_a_mistake_changes_nothing(world, site):
    world.ssh("office-pc", BOB)
    site.write(site.text.replace("longest: 90m", "longset: 90m"))
    line = world.vps.reload()
    assert f'{site.path}:13: "longset" is no key of a rule: did you mean "longest"?' in line
    assert len(world.sessions()) == 1
    assert answer(world, "/targets", BOB).button("office-pc")
    site.write(site.text)
    site.path.chmod(0o666)
    assert "others may write to" in world.vps.reload()
    world.close_all()


def test_hours_that_are_over_refuse_and_say_when_it_is_open(world, site):
    # An hour that is neither now nor soon, in UTC
    site.write(site.text.replace('"CET-1CEST,M3.5.0,M10.5.0/3"', "UTC").replace(
        "  longest: 90m\n", "  hours: {0:%a} {1:%H}:00-{1:%H}:01\n".format(*far_from_now()).lower()))
    world.vps.reload()
    assert answer(world, "/ssh office-pc", BOB).says("You may not do this now: it is open")
    assert answer(world, "/targets", BOB).says("/ssh office-pc")


def test_what_runs_is_not_extended_after_its_hours_and_ends_with_its_user(site):
    with World(vps={"ADMIT": "auto", "ALLOWED_USERS": None, "POLICY_FILE": site.path, "MAX_SESSION_TIME": 3600,
                    "IDLE_TIMEOUT": 0}, env_files=True) as world:
        text = site.text.replace("  longest: 90m\n", "")
        site.write(text)
        world.vps.reload()
        message = world.ssh("office-pc", BOB)
        session = world.newest_session()
        with connect(session) as client:
            world.wait_state(session["id"], "connected")
            extend = world.api.wait(lambda: message.button("Extend"), PATIENCE)["callback_data"]
            assert world.api.wait_answer(world.api.tap(BOB, message, "Extend"))["text"] == "Extended: its time begins anew."
            site.write(text.replace("  connections: 1\n", "  hours: {0:%a} {1:%H}:00-{1:%H}:01\n".format(*far_from_now()).lower()))
            world.vps.reload()
            assert world.sessions()[0]["state"] == "connected", "it goes on"
            reply = world.api.wait_answer(world.api.tap(BOB, message, "Extend", data=extend))
            assert reply["text"].startswith("It could not be opened now, so it is not extended") and reply["show_alert"]
            assert world.pamctl.json("extend", session["id"], ok=False)["error"] == "not_allowed"
            site.write(text.replace("groups: contractors}", "groups: contractors, expires: 2026-01-01}"))
            world.vps.reload()
            world.api.wait(lambda: message.says("The time of its user's access is over"), PATIENCE, "bob is told")
            assert not message.buttons and client.recv(100) is not None
        assert world.sessions() == []
        records = [json.loads(line)["what"] for line in world.pamctl("audit", "--json").stdout.splitlines()]
        assert records.count("session.extended") == 1
        world.vps.take_baseline()   # a reader of SQLite keeps its descriptor


def far_from_now():
    then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=30)
    return then, then


# ---------------------------------------------------------------- before there is an agent

def explain(site, *words):
    return run("vps-agent", "--explain", *words, env=SETTINGS | {"POLICY_FILE": site.path})


SETTINGS = {"VPS_HOST": "vps.example", "TUNNEL_KEY": "ab" * 32, "TELEGRAM_TOKEN": "1:a"}


def test_explain_names_the_deciding_rule_and_its_line(site, target):
    result = explain(site, "bob", "ssh", "office-pc", "2026-11-28 19:00")
    assert result.returncode == 0 and result.stdout == (
        f"bob, SSH to lan/127.0.0.1:{target.port}, Sat 2026-11-28 19:00: allowed\n"
        f"    {site.path}:10: open always; for at most 1 h 30 min; connections at once: 1\n")
    result = explain(site, "guest", "ssh", "vault")
    assert f"{site.path}:15: open always; approvals: 1" in result.stdout
    result = explain(site, "bob", "ssh", "vault")
    assert result.returncode == 1 and "refused; no rule allows it" in result.stdout
    result = explain(site, "bbo", "ssh", "vault")
    assert result.returncode == 2 and 'no user "bbo": did you mean "bob"?' in result.stderr
    assert explain(site, "bob", "ssh").returncode == 2
    assert explain(site, "bob", "ssh", "vault", "noon").returncode == 2
    assert "POLICY_FILE is not set" in run("vps-agent", "--explain", "a", "ssh", "b", env=SETTINGS).stderr


def test_check_and_doctor_read_the_policy(site):
    env = SETTINGS | {"POLICY_FILE": site.path}
    site.write(site.text + "- {who: alice, targets: vault, kinds: ssh}\n- {who: group:none, targets: vault, kinds: ssh}\n")
    result = run("vps-agent", "--check", env=env)
    assert result.returncode == 0 and f'But {site.path}:23: nobody is in the group "none"' in result.stdout
    assert f"!!  policy: {site.path}:23:" in run("vps-agent", "--doctor", "--local", env=env, timeout=40).stdout
    site.write(site.text.replace("kinds: ssh", "kinds: shh"))
    result = run("vps-agent", "--check", env=env)
    assert result.returncode == 2 and f'{site.path}:12: "shh" is no kind of session: did you mean "ssh"' in result.stderr


def test_without_either_nobody_is_meant(site):
    assert "ALLOWED_USERS is not set" in run("vps-agent", "--check", env=SETTINGS).stderr
