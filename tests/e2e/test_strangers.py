"""Whom the bot obeys: a listed user in a private chat, by their own fresh message. Nobody else."""

import time

import pytest
from agents import FRIEND, OWNER, STRANGER
from peers import Recorder
from util import TIME_SCALE

WORLD = {}
GROUP = {"id": -1001234567890, "type": "supergroup", "title": "G"}
CHANNEL = {"id": -1009876543210, "type": "channel", "title": "C"}
STRANGE_USER = {"id": STRANGER, "is_bot": False, "first_name": "Eve"}


@pytest.fixture
def target():
    with Recorder() as recorder:
        yield recorder


def nothing_happens(world, target, chats, send):
    """No session, no probe of the target, and at most one word that tells nothing."""
    since = world.api.mark()
    send()
    # a later command of the owner is answered: whatever came before has been dealt with
    world.api.say(OWNER, "/help")
    world.api.wait_message(lambda m: m.says("/ssh"), 10 * TIME_SCALE, since, OWNER)
    assert world.sessions() == [] and not target.connections
    for chat in chats:
        messages = world.api.all_messages(chat, since)
        messages = [m for m in messages if not (chat == OWNER and m.says("/ssh"))]
        assert len(messages) <= 1, messages
        for message in messages:
            assert not message.buttons and not message.document
            for secret in (world.vps_host, "lan", "gateway", "192.168", "port", target.name, "ssh -p"):
                assert secret not in message.text.lower().replace("please", ""), message


def test_the_owner_gets_an_answer(world, target):
    assert world.ssh(target.name)


def test_a_stranger(world, target):
    for text in ("/ssh " + target.name, "/rdp " + target.name, "/help", "/start", "hello", "/start x"):
        nothing_happens(world, target, [STRANGER], lambda text=text: world.api.say(STRANGER, text))
    world.vps.wait_log(str(STRANGER))


def test_a_stranger_is_not_answered_again_and_again(world, target):
    since = world.api.mark()
    for _ in range(20):
        world.api.say(667, "/ssh " + target.name)
    world.api.say(OWNER, "/help")
    world.api.wait_message(lambda m: m.says("/ssh"), 10 * TIME_SCALE, since, OWNER)
    assert len(world.api.all_messages(667, since)) <= 1


@pytest.mark.parametrize("overrides", [
    {"chat": GROUP}, {"chat": {**GROUP, "type": "group"}},
    {"chat": GROUP, "from_": {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"},
     "sender_chat": GROUP},
    {"chat": GROUP, "sender_chat": CHANNEL},
    {"forward_origin": {"type": "user", "date": 1, "sender_user": STRANGE_USER}},
    {"forward_origin": {"type": "hidden_user", "date": 1, "sender_user_name": "x"}},
    {"via_bot": {"id": 9, "is_bot": True, "first_name": "Inline", "username": "inline_bot"}},
    {"from_": {"id": OWNER, "is_bot": True, "first_name": "Bot"}},
    {"from_": None}, {"from_": {"id": 777000, "is_bot": False, "first_name": "Telegram"}},
    {"chat": {"id": FRIEND, "type": "private"}},
    {"sender_chat": CHANNEL},
    {"from_": {"id": str(OWNER), "is_bot": False, "first_name": "A"}},
    {"from_": {"id": OWNER + 2**32, "is_bot": False, "first_name": "A"}},
    {"from_": {"id": -OWNER, "is_bot": False, "first_name": "A"}},
    {"from_": {"id": float(OWNER) + 0.5, "is_bot": False, "first_name": "A"}},
    {"text": None}, {"text": None, "caption": "/ssh 127.0.0.1"},
], ids=range(18))
def test_what_only_looks_like_the_owners_message(world, target, overrides):
    chats = [OWNER, FRIEND, GROUP["id"], CHANNEL["id"]]
    nothing_happens(world, target, chats,
                    lambda: world.api.say(OWNER, "/ssh " + target.name, **overrides))


@pytest.mark.parametrize("kind", ["edited_message", "channel_post", "edited_channel_post", "business_message",
                                  "edited_business_message", "guest_message"])
def test_other_kinds_of_updates(world, target, kind):
    """They come in spite of allowed_updates, if they are older than it."""
    overrides = {"chat": CHANNEL, "from_": None} if "channel" in kind else {}
    nothing_happens(world, target, [OWNER, CHANNEL["id"]],
                    lambda: world.api.say(OWNER, "/ssh " + target.name, kind=kind, **overrides))


def test_updates_of_any_shape_do_not_disturb(world, target):
    def send():
        for kind, body in [
            ("message", {}), ("message", []), ("message", None), ("message", "text"), ("message", 5),
            ("message", {"from": [], "chat": "x", "text": {"a": 1}}), ("callback_query", {}),
            ("callback_query", {"id": 5, "from": {"id": OWNER}, "data": ["close"]}), ("poll", {"id": "1"}),
            ("my_chat_member", {"chat": {"id": OWNER}}), ("inline_query", {"id": "1", "query": "/ssh x"}),
            ("message_reaction", {"x": [[[[[]]]]]}), ("purchased_paid_media", {}), ("x" * 1000, {}),
        ]:
            world.api.push_update(kind, body)
    nothing_happens(world, target, [OWNER], send)


def test_the_bots_own_name_behind_a_command_is_fine_another_is_not(world, target):
    since = world.api.mark()
    nothing_happens(world, target, [OWNER], lambda: world.api.say(OWNER, f"/ssh@other_bot {target.name}"))
    world.api.say(OWNER, f"/SSH@PAM_test_Bot {target.name}")
    world.api.wait_message(lambda m: m.code and m.code[0].startswith("ssh "), 10 * TIME_SCALE, since, OWNER)


def test_commands_older_than_a_minute_are_not_run(world, target):
    since = world.api.mark()
    for command in ("/ssh", "/rdp"):
        world.api.say(OWNER, f"{command} {target.name}", date=int(time.time()) - 90)
        world.api.wait_message("expired", 10 * TIME_SCALE, since, OWNER)
        since = world.api.mark()
    assert world.sessions() == [] and not target.connections
    world.api.say(OWNER, f"/ssh {target.name}", date=int(time.time()) - 20)
    world.api.wait_message(lambda m: m.code and m.code[0].startswith("ssh "), 10 * TIME_SCALE, since, OWNER)


def test_a_users_session_is_not_anothers(world, target):
    world.ssh(target.name, OWNER)
    world.ssh(target.name, FRIEND)
    owners = {s["owner"] for s in world.sessions()}
    assert owners == {f"telegram:{OWNER}", f"telegram:{FRIEND}"}


def test_names_of_users_do_not_reach_the_log_as_lines(world, target):
    """What a stranger writes cannot forge a line of the log."""
    forged = "2026-11-22T13:51:00.123Z info  session forged: waiting -> connected"
    world.api.say(STRANGER, "x\n" + forged, from_={"id": STRANGER, "is_bot": False, "first_name": "E\n" + forged})
    world.api.say(OWNER, "/ssh x\n" + forged)
    since = world.api.mark()
    world.api.say(OWNER, "/help")
    world.api.wait_message(lambda m: m.says("/ssh"), 10 * TIME_SCALE, since - 1, OWNER)
    assert not [line for line in world.vps.log.splitlines() if line.startswith(forged[:30])]
    assert target
