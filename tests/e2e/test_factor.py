"""Second factors: enrolled on the terminal of the VPS, asked for in the chat."""

import contextlib
import json
import os
import re
import sqlite3

import peers
import pytest
import qr
from agents import World
from phone import Phone
from terminal import Terminal
from util import TIME_SCALE

ALICE, BOB, ROOT = 42, 43, 53
PATIENCE = 10 * TIME_SCALE
ASKS = "The six digits that the app shows"
POLICY = """\
users:
  alice: {{telegram: 42, uid: {uid}}}
  bob: {{telegram: 43}}
  root: {{telegram: 53, roles: administrator}}
targets:
  office-pc: {{gateway: lan, address: 127.0.0.1, ports: {{ssh: {port}}}}}
  vault: {{gateway: lan, address: 127.0.0.2, ports: {{ssh: {port}}}}}
rules:
- {{who: "*", targets: office-pc, kinds: ssh, second_factor: totp}}
- {{who: "*", targets: vault, kinds: ssh}}
"""


@pytest.fixture
def target():
    with peers.Recorder(reply=peers.echo, host="0.0.0.0") as recorder:     # at each address of 127/8
        yield recorder


@contextlib.contextmanager
def new_world(folder, target, policy=POLICY, **settings):
    path = folder / "policy.yaml"
    path.write_text(policy.format(uid=os.getuid(), port=target.port))
    path.chmod(0o600)
    with World(vps={"ADMIT": "auto", "ALLOWED_USERS": None, "POLICY_FILE": path, **settings},
               env_files=True) as world:
        world.phones = {}
        yield world
        for phone in world.phones.values():     # neither is in any log
            for secret in (phone.key.hex(), *phone.given):
                assert secret not in world.vps.log


@pytest.fixture
def world(folder, target):
    with new_world(folder, target) as world:
        yield world


def terminal(world, *args, **env):
    return Terminal("pamctl", *args, env={"STATE_DIR": world.state_dir, "LC_ALL": "C.UTF-8", **env})


def enrol(world, name="alice"):
    """The phone that has it then."""
    with terminal(world, "totp", name) as screen:
        screen.wait(ASKS)
        phone = world.phones[name] = Phone(qr.read(screen.text))
        screen.type(phone.code())
        status, _ = screen.end()
        assert status == 0
    return phone


def listed(world):
    return world.pamctl("totp", "list").stdout.splitlines()


# ---------------------------------------------------------------- enrolling

@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_a_phone_is_enrolled_on_the_terminal(world, locale):
    assert listed(world) == ["alice  none", "bob    none", "root   none"]
    with terminal(world, "totp", "alice", LC_ALL=locale) as screen:
        screen.wait(ASKS)
        shown = screen.text
        if locale == "C":       # blanks of two colours
            shown = shown.replace("\x1b[107m  ", "█").replace("\x1b[40m  ", " ")
            rows = [line.removesuffix("\x1b[0m") for line in shown.splitlines() if "█" in line]
            shown = "\n".join("".join({"██": "█", "█ ": "▀", " █": "▄", "  ": " "}[a + b]
                                      for a, b in zip(up, down, strict=True))
                              for up, down in zip(rows[::2], [*rows[1::2], " " * len(rows[0])], strict=True))
        phone = world.phones["alice"] = Phone(qr.read(shown))
        assert phone.label == "alice"
        typed = re.search(r"types in the key:\n +([A-Z2-7 ]+)\n", screen.text)[1]
        assert Phone(f"otpauth://totp/pamtunnel:alice?secret={typed.replace(' ', '')}&issuer=pamtunnel").key == phone.key
        screen.type(phone.wrong())
        screen.wait("That is not what the app has to show now")
        screen.answer(ASKS, "no digits")
        screen.wait("A code is six digits")
        assert listed(world)[0] == "alice  none"
        screen.answer(ASKS, f"{phone.code()[:3]} {phone.again()[3:]}")      # as apps show it
        status, _ = screen.end()
        assert status == 0 and "alice has a second factor now" in screen.text
    assert re.fullmatch(r"alice  since 20\d\d-\d\d-\d\d \d\d:\d\d UTC", listed(world)[0])
    world.vps.wait_log("alice has a second factor now")
    world.vps.stop()
    with sqlite3.connect(world.state_dir / "state.db") as state:
        assert state.execute("SELECT person, secret FROM factor").fetchall() == [("alice", phone.key)]
        recorded = state.execute("SELECT body FROM audit WHERE what = 'factor.enrolled'").fetchall()
        assert [json.loads(body)["name"] for body, in recorded] == ["alice"]
    world.vps.start()
    world.ready()
    assert listed(world)[0].startswith("alice  since")


def test_nothing_is_kept_before_a_code_is_right(world):
    with terminal(world, "totp", "alice") as screen:
        screen.answer(ASKS, "")
        status, text = screen.end()
        assert status == 1 and "No code was given, so nothing has changed." in text
    done = world.pamctl("totp", "alice", input="000000\n")     # no terminal: no second try
    assert done.returncode == 1 and "That is not what the app has to show" in done.stderr
    assert done.stderr.count(ASKS) == 1
    assert listed(world)[0] == "alice  none"


def test_another_phone_takes_the_place_of_the_first(world):
    first = enrol(world)
    with terminal(world, "totp", "alice") as screen:
        screen.wait(ASKS)
        assert "alice has a second factor already: it is good until the new one is confirmed" in screen.text
        second = world.phones["alice"] = Phone(qr.read(screen.text))
        assert second.key != first.key
        screen.type(second.code())
        assert screen.end()[0] == 0


def test_who_can_have_one(world):
    def refused(*args):
        done = world.pamctl("totp", *args, input="")
        assert done.returncode == 1
        return done.stderr

    assert "Nobody in the policy is called alcie; did you mean alice?" in refused("alcie")
    assert "telegram:99 is nobody whom this server lets in" in refused("telegram:99")
    assert "bob has no second factor; see pamctl totp list" in refused("remove", "bob")
    assert "bob has no second factor" in refused("unlock", "bob")
    answer = world.pamctl("totp", "telegram:42", "--json", input="").stdout.splitlines()
    assert '"person":"alice"' in answer[0] and '"error":"no_code"' in answer[1]
    enrol(world, "bob")
    assert "bob has no second factor any more" in world.pamctl("totp", "remove", "bob").stdout
    assert listed(world)[1] == "bob    none"


def test_without_a_policy_people_are_numbers(target):
    with World() as world:
        world.phones = {}
        assert "Nobody has a second factor" in world.pamctl("totp", "list").stdout
        done = world.pamctl("totp", "alice")
        assert "people are known by their numbers: pamctl totp telegram:42" in done.stderr
        enrol(world, "telegram:42")
        assert world.phones["telegram:42"].label == "telegram:42"
        assert listed(world)[0].startswith("telegram:42  since")
