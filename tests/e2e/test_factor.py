"""Second factors: enrolled on the terminal of the VPS, asked for in the chat."""

import contextlib
import json
import os
import re
import sqlite3

import peers
import pytest
import qr
from agents import World, run
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
                assert not re.search(rf"\b{secret}\b", world.vps.log)


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

    assert "Nobody here is called alcie; did you mean alice?" in refused("alcie")
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


# ---------------------------------------------------------------- in the chat

@pytest.fixture
def chat(world):
    for user in (ALICE, BOB, ROOT):      # a bot may write to nobody who has not begun
        say(world, user, "/start", "I connect you")
    return world


def say(world, user, text, words=""):
    """What the bot answers."""
    since = world.api.mark()
    world.api.say(user, text)
    return world.api.wait_message(lambda m: m.says(words), PATIENCE, since, user)


def ask(world, target="office-pc", user=ALICE):
    """The card."""
    return say(world, user, f"/ssh {target}", "needs a code from your authenticator app: send me the six digits")


def send(world, code, user=ALICE):
    """The message with it is gone at once, whatever comes of it. Returns the mark before."""
    since = world.api.mark()
    update = world.api.say(user, code)
    world.api.wait(lambda: world.api.was_deleted(update), PATIENCE, "the code is deleted")
    return since


def told(world, since, words, user=ALICE):
    return world.api.wait_message(words, PATIENCE, since, user)


def opens(world, card):
    """The card is that of a session, and it works."""
    world.api.wait(lambda: card.code and card.code[0].startswith("ssh "), PATIENCE, "the ssh command")
    session = world.newest_session()
    with peers.dial(session["public_port"]) as client:
        client.sendall(peers.BANNER)
        assert client.recv(100)
        world.wait_state(session["id"], "connected")
    world.pamctl("close", session["id"])
    world.api.wait(lambda: not card.button("Close"), PATIENCE, "the end")


def events(world):
    """What is recorded of second factors."""
    with contextlib.closing(sqlite3.connect(world.state_dir / "state.db", timeout=10)) as state:
        return [what for what, in state.execute("SELECT what FROM audit WHERE what LIKE 'factor.%' ORDER BY seq")]


def test_a_right_code_opens_it(chat):
    phone = enrol(chat)
    card = ask(chat)
    assert [b["text"] for b in card.buttons] == ["Withdraw"] and not chat.sessions()
    send(chat, f" {phone.code()[:3]} {phone.again()[3:]}\n")
    opens(chat, card)
    # for a while it is not asked for again
    opens(chat, say(chat, ALICE, "/ssh office-pc", "is ready"))
    assert events(chat) == ["factor.enrolled", "factor.asked", "factor.given"]


def test_whoever_has_the_account_alone_opens_nothing(chat):
    """Somebody else writes in alice's chat."""
    phone = enrol(chat)
    card = ask(chat)
    since = send(chat, phone.wrong())
    told(chat, since, "That code is wrong. You have 4 more tries.")
    since = send(chat, phone.code_of(phone.last))       # seen over her shoulder when she enrolled
    told(chat, since, "has been used already")
    for left in (3, 2):
        since = send(chat, phone.wrong())
        told(chat, since, f"That code is wrong. You have {left} more tries.")
    since = send(chat, phone.wrong())
    told(chat, since, "That code is wrong. You have one more try.")
    since = send(chat, phone.wrong())
    told(chat, since, "your second factor is locked for 15 min")
    alarm = told(chat, since, "somebody has their account", ROOT)
    assert alarm.text.startswith("🔒 alice has given too many wrong codes, and the second factor is locked for 15 min.")
    since = send(chat, phone.code())                    # now not even that
    told(chat, since, "your second factor is locked for 15 min")
    assert not chat.sessions() and card.says("needs a code")
    refused = say(chat, ALICE, "/ssh office-pc", "Your second factor is locked for another 15 min")
    assert not refused.buttons
    assert "alice  since" in listed(chat)[0] and "locked for 15 min, too many codes were wrong" in listed(chat)[0]
    assert len(chat.api.all_messages(BOB)) == 1         # he is no administrator
    assert events(chat) == ["factor.enrolled", "factor.asked", *["factor.failed"] * 6, "factor.locked"]
    # an administrator lets her try again
    assert "alice may try again" in chat.pamctl("totp", "unlock", "alice").stdout
    card = ask(chat)
    send(chat, phone.code())
    opens(chat, card)


def test_each_code_once_also_across_a_restart(chat):
    phone = enrol(chat)
    card = ask(chat)
    send(chat, phone.code())
    opens(chat, card)
    chat.vps.kill()         # in whatever state it is
    chat.vps.start()
    chat.ready()
    ask(chat)               # and is asked again: that it was given does not outlive it
    since = send(chat, phone.again())
    told(chat, since, "has been used already. Wait until your app shows the next one")
    assert not chat.sessions()
    card = chat.api.wait_message("needs a code", PATIENCE, 0, ALICE)
    send(chat, phone.code())
    opens(chat, card)


def test_wrong_codes_outlive_a_restart(chat):
    phone = enrol(chat)
    for left in (4, 3):
        ask(chat)
        since = send(chat, phone.wrong())
        told(chat, since, f"You have {left} more tries")
        chat.vps.stop()
        chat.vps.start()
        chat.ready()


def test_who_has_none_is_told_whom_to_ask(chat):
    refusal = say(chat, BOB, "/ssh office-pc", "authenticator app")
    assert "Ask an administrator to set one up with you: pamctl totp bob on the server does it." in refusal.text
    assert not chat.sessions()


def test_a_code_that_nobody_asked_for_is_deleted_as_well(chat):
    phone = enrol(chat)
    since = send(chat, phone.code())
    told(chat, since, "I have not asked for a code, and took your message away")
    # it was not used up by that
    card = ask(chat)
    send(chat, phone.again())
    opens(chat, card)
    # whoever has no second factor may send numbers
    update = chat.api.say(BOB, "123456")
    chat.api.wait_read(update)
    assert not chat.api.was_deleted(update)


def test_a_code_that_waited_too_long_is_not_tried(chat):
    phone = enrol(chat)
    card = ask(chat)
    since = chat.api.mark()
    update = chat.api.say(ALICE, phone.wrong(), date=int(chat.api.now()) - 300)
    told(chat, since, "Your code came too late, and I took it away")
    chat.api.wait(lambda: chat.api.was_deleted(update), PATIENCE, "the code is deleted")
    send(chat, phone.code())
    opens(chat, card)


def test_it_comes_before_the_others_are_asked(folder, target):
    policy = POLICY.replace("kinds: ssh, second_factor: totp", "kinds: ssh, second_factor: totp, approvals: 1")
    with new_world(folder, target, policy) as world:
        for user in (ALICE, ROOT):
            say(world, user, "/start", "I connect you")
        phone = enrol(world)
        before = world.api.mark()
        card = ask(world)
        assert not world.api.all_messages(ROOT, before)
        send(world, phone.code())
        question = world.api.wait_message("asks for", PATIENCE, before, ROOT)
        world.api.wait(lambda: card.says("waits for approval: 0 of 1"), PATIENCE, "the next question")
        world.api.tap(ROOT, question, "Approve")
        opens(world, card)


def test_with_no_minutes_each_session_needs_a_code(folder, target):
    with new_world(folder, target, FACTOR_MINUTES=0) as world:
        say(world, ALICE, "/start", "I connect you")
        phone = enrol(world)
        first = ask(world)
        send(world, phone.code())
        opens(world, first)
        second = ask(world)
        send(world, phone.code())
        opens(world, second)


def test_a_person_may_always_need_it(folder, target):
    policy = POLICY.replace("uid: {uid}", "uid: {uid}, second_factor: required").replace(", second_factor: totp", "")
    with new_world(folder, target, policy) as world:
        for user in (ALICE, BOB):
            say(world, user, "/start", "I connect you")
        phone = enrol(world)
        card = ask(world, "vault")
        send(world, phone.code())
        opens(world, card)
        opens(world, say(world, BOB, "/ssh vault", "is ready"))
        explained = run("vps-agent", "--explain", "alice", "ssh", "vault", env={
            "VPS_HOST": "vps.example", "TELEGRAM_TOKEN": "1:a", "POLICY_FILE": world.vps.settings["POLICY_FILE"]})
        assert explained.stdout.endswith("open always; with a second factor, as always for alice\n")


# ---------------------------------------------------------------- with pamctl

def test_pamctl_asks_on_the_terminal(world):
    phone = enrol(world)
    asks = "The six digits that your authenticator app shows"
    with terminal(world, "ssh", "office-pc") as screen:
        screen.wait("Request [a-z0-9]{8} waits for your second factor. It expires in 10 min; Ctrl-C withdraws it")
        screen.answer(asks, phone.wrong())
        screen.wait("That code is wrong. Tries that are left: 4")
        screen.answer(asks, "12 34")
        screen.wait("A code is six digits")
        screen.answer(asks, phone.again())
        screen.wait("has been used already: wait until the app shows the next one")
        screen.answer(asks, phone.code())
        status, text = screen.end()
        assert status == 0 and re.search(r"^ssh -p \d+", text, re.M)
    # for a while it is not asked for again
    assert world.pamctl("ssh", "office-pc").stdout.startswith("ssh -p")
    world.close_all()


def test_pamctl_reads_a_code_where_there_is_no_terminal(world):
    phone = enrol(world)
    done = world.pamctl("ssh", "office-pc", input=phone.wrong() + "\n" + phone.code() + "\n")
    assert done.returncode == 1 and "That code is wrong" in done.stderr and not world.sessions()
    done = world.pamctl("ssh", "office-pc", input="")
    assert done.returncode == 1 and "No code was given, so nothing is opened." in done.stderr
    world.api.wait(lambda: world.pamctl.json("approvals")["approvals"] == [], PATIENCE, "it is withdrawn")
    done = world.pamctl("ssh", "office-pc", input=phone.again() + "\n")
    assert done.returncode == 0 and done.stdout.startswith("ssh -p")
    world.close_all()


def test_pamctl_says_when_it_is_locked(world):
    phone = enrol(world)
    with terminal(world, "ssh", "office-pc") as screen:
        for _ in range(5):
            screen.answer("The six digits", phone.wrong())
        status, text = screen.end()
        assert status == 1 and "Your second factor is locked for another 15 min" in text
    done = world.pamctl("ssh", "office-pc")
    assert done.returncode == 1 and "locked for another 15 min" in done.stderr


def test_a_code_at_the_terminal_opens_nothing_in_the_chat(chat):
    """Whoever has the chat cannot wait until she uses the other one."""
    phone = enrol(chat)
    card = ask(chat)
    done = chat.pamctl("ssh", "office-pc", input=phone.code() + "\n")
    assert done.returncode == 0
    assert card.says("needs a code") and len(chat.sessions()) == 1
    assert say(chat, ALICE, "/ssh office-pc", "needs a code")
    chat.close_all()
