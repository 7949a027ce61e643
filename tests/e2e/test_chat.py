"""The chat has no dead ends: every press is answered, and so is what is no command."""

import time

import peers
import pytest
from agents import FRIEND, OWNER, STRANGER, World, port_of
from util import TIME_SCALE, eventually, stays

WORLD = {"vps": {"MAX_SESSIONS_PER_USER": "3"}}
PHOTO = [{"file_id": "P", "file_unique_id": "p", "width": 90, "height": 90}]
PATIENCE = 10 * TIME_SCALE


@pytest.fixture(scope="module")
def target():
    with peers.Recorder(reply=peers.echo) as recorder:
        yield recorder


def answer(world, text, user=OWNER, **overrides):
    since = world.api.mark()
    world.api.say(user, text, **overrides)
    return world.api.wait_message(lambda m: True, PATIENCE, since, user)


def toast(world, message, button, data=None):
    reply = world.api.wait_answer(world.api.tap(OWNER, message, button, data))
    return reply["text"], reply.get("show_alert", False)


# ---------------------------------------------------------------- what is no command

@pytest.mark.parametrize("text, labels", [
    ("/shh {}", ["/ssh {}"]), ("ssh {}", ["/ssh {}"]), ("rdp lan/{}", ["/rdp lan/{}"]), ("{}", ["/rdp {}", "/ssh {}", "/vnc {}", "/tcp {}"]),
])
def test_a_suggestion_is_a_button_that_does_it(world, target, text, labels):
    message = answer(world, text.format(target.name))
    assert message.says("Did you mean") and not world.sessions()
    assert [b["text"] for b in message.buttons] == [label.format(target.name) for label in labels]
    since = world.api.mark()
    assert toast(world, message, labels[-1].format(target.name)) == ("On its way.", False)
    world.api.wait_message(lambda m: m.says("is ready"), PATIENCE, since, OWNER)
    assert world.newest_session()["target"] == target.name
    world.api.wait(lambda: not message.buttons, PATIENCE, "the suggestion is used up")
    world.close_all()


def test_two_presses_on_a_suggestion_open_one_session(world, target):
    message = answer(world, f"/shh {target.name}")
    data = message.buttons[0]["callback_data"]
    first, second = (world.api.tap(OWNER, message, "/ssh", data) for _ in range(2))
    assert world.api.wait_answer(first)["text"] == "On its way."
    assert world.api.wait_answer(second)["text"] == "You have already pressed one of these."
    world.api.wait_message(lambda m: m.says("is ready"), PATIENCE, 0, OWNER)
    assert len(world.sessions()) == 1
    world.close_all()


def test_an_old_suggestion_opens_nothing(world, target):
    message = answer(world, f"/shh {target.name}")
    message.date -= 121
    said, is_alert = toast(world, message, "/ssh")
    assert "too old" in said and "send the command again" in said and is_alert
    world.api.wait(lambda: not message.buttons, PATIENCE, "its buttons are gone")
    assert not world.sessions()


def test_a_press_runs_only_what_opens_something(world, target):
    message = answer(world, f"/shh {target.name}")
    for data in ("run:/help", "run:/ssh", "run:/ssh a b", "run:", "run:/ssh@other_bot x", f"run:ssh {target.name}"):
        assert toast(world, message, "/ssh", data) == ("This button no longer does anything.", False)
    assert not world.sessions()


def test_a_long_name_is_text_to_copy(world):
    name = "a" * 60 + ".example"
    message = answer(world, f"/shh {name}")
    assert message.code == [f"/ssh {name}"] and not message.buttons


def test_a_command_without_its_machine_is_named(world):
    assert answer(world, "/hlep").text == "I did not understand that. Did you mean /help?"
    assert answer(world, "/shh").says("Did you mean /ssh? Say which machine, for example /ssh root@192.168.1.22")
    assert answer(world, "/ssh").says("Which machine?", "[USER@]HOST[:PORT]")
    assert answer(world, "/ssh nas -p 2222").says("a port goes after a colon, as in HOST:2222", "Use: /ssh")
    assert answer(world, "hello").code == ["/rdp hello", "/ssh hello", "/vnc hello"]


@pytest.mark.parametrize("what", ["photo", "voice", "sticker", "location", "contact"])
def test_what_is_no_text_gets_one_line(what, target):
    with World(gateways=(), vps={"LOG_LEVEL": "info"}) as world:
        since = world.api.mark()
        for _ in range(10):     # an album
            world.api.say(OWNER, "", text=None, media_group_id="1", **{what: PHOTO if what == "photo" else {"x": 1}})
        world.api.say(FRIEND, "", text=None, photo=PHOTO, caption="/ssh nas")
        message = world.api.wait_message("/ssh nas", PATIENCE, since, FRIEND)
        assert message.says("as a message of its own") and message.code == ["/ssh nas"]
        world.api.say(OWNER, "/help")
        world.api.wait_message("I connect you", PATIENCE, since, OWNER)
        assert [m.text for m in world.api.all_messages(OWNER, since)][1:] == [
            "I can only read text messages. /help shows what I can do."]


def test_what_is_not_a_users_own_gets_no_line(world):
    since = world.api.mark()
    world.api.say(OWNER, "", text=None, photo=PHOTO, date=int(time.time()) - 90)
    world.api.say(OWNER, "", text=None, photo=PHOTO, forward_origin={"type": "hidden_user", "date": 1})
    world.api.say(OWNER, "", text=None, pinned_message={"message_id": 1})
    world.api.say(FRIEND, "/help")
    world.api.wait_message("I connect you", PATIENCE, since, FRIEND)
    assert not world.api.all_messages(OWNER, since)


# ---------------------------------------------------------------- presses

def test_every_press_says_what_happened(world, target):
    message = world.ssh(target.name)
    with peers.dial(port_of(message.code[0]), "127.0.0.33") as client:
        client.sendall(peers.BANNER)
        question = world.api.wait_message("127.0.0.33 wants in: SSH to", PATIENCE)
        admit, block = (question.button(b)["callback_data"] for b in ("Admit", "Block"))
        assert toast(world, message, "scp, config")[0] == "The lines are in the message now."
        world.api.wait(lambda: message.button("Less"), PATIENCE, "the lines")
        assert toast(world, message, "Less")[0] == "The lines are hidden again."
        assert toast(world, question, "Admit")[0] == "Admitted."
        assert toast(world, question, "Admit", admit)[0] == "You have already admitted it."
        assert toast(world, question, "Block", block)[0] == "You have already admitted it."
    close = message.button("Close")["callback_data"]
    assert toast(world, message, "Close") == ("Closed.", False)
    assert toast(world, message, "Close", close) == ("This session has already ended.", False)
    said, is_alert = toast(world, question, "Admit", admit)
    assert "nobody was let in" in said and is_alert
    others = world.ssh(target.name, FRIEND).button("scp, config")["callback_data"]
    assert toast(world, message, "scp, config", others) == ("This is somebody else's session.", True)
    world.close_all()


def test_at_the_limit_the_sessions_can_be_closed(world, target):
    for _ in range(3):
        world.ssh(target.name)
    message = answer(world, f"/rdp {target.name}")
    assert message.says("You have too many sessions open: 3 is the limit. Close one first.", "1. SSH to 127.0.0.1", "3. SSH to 127.0.0.1")
    assert len(message.buttons) == len(message.rows) == 3
    assert toast(world, message, "Close 2: 127.0.0.1") == ("Closed.", False)
    eventually(lambda: len(world.sessions()) == 2, "one is closed")
    world.close_all()


# ---------------------------------------------------------------- who it is for

def test_a_stranger_learns_their_number_and_the_log_their_name():
    with World(gateways=()) as world:
        for _ in range(9):
            world.api.say(STRANGER, "hello")
        name = "Eve” 2026-11-26T00:00:00Z info \n\u202e"
        world.api.say(777, "/start", from_={"id": 777, "is_bot": False, "first_name": name})
        message = world.api.wait_message("private", PATIENCE, 0, 777)
        assert message.text.startswith("This bot is private. Your number is 777. To be let in, ")
        world.vps.wait_log(r"message of user 777 ignored: from a user who is not in ALLOWED_USERS "
                           r"\(who goes by “Eve\" 2026-11-26T00:00:00Z info \?\?”\)")
        world.api.say(777, "/start")
        stays(lambda: len(world.api.all_messages(777)) == 1, "it is said once an hour", 0.3)


def test_an_empty_description_is_filled_in_and_the_owners_own_stays():
    with World(gateways=()) as world:
        world.api.wait(lambda: all(world.api.descriptions.values()), PATIENCE, "the descriptions")
        assert world.api.descriptions["description"].startswith("A private bot")
        world.api.descriptions = {"description": "Ours", "short_description": ""}
        world.vps.stop()
        world.vps.start()
        world.api.wait(lambda: world.api.descriptions["short_description"], PATIENCE, "the other one")
        assert world.api.descriptions["description"] == "Ours"
