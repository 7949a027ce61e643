"""kill -9 of vps-agent: the next one puts right what still looks open in the chats."""

import sqlite3

import pytest
from agents import FRIEND, OWNER, World, port_of
from botapi import Fault
from peers import BANNER, Recorder, dial, echo
from util import TIME_SCALE, eventually, read_exactly

ADDRESS = "127.0.3.1"
PATIENCE = 10 * TIME_SCALE


@pytest.fixture
def target():
    with Recorder(echo) as recorder:
        yield recorder


def kept(world):
    """The messages that the state file knows of."""
    connection = sqlite3.connect(world.state_dir / "state.db")
    (count,) = connection.execute("SELECT count(*) FROM message").fetchone()
    connection.close()
    return count


def crash(world):
    world.vps.kill()
    world.vps.start()
    world.ready(timeout=30)


class OpenChat:
    """A chat in which everything is open that can be: a card and a file, a card of a connected
    session, and a question."""

    def __init__(self, world, target):
        self.world = world
        self.document, self.waiting = world.rdp(target.name)
        self.connected = world.ssh(target.name)
        self.clients = [self.knock(self.connected)]
        world.api.tap(OWNER, self.question(), "admit")
        assert read_exactly(self.clients[0], len(BANNER)) == BANNER
        world.api.wait(lambda: self.connected.says("connected from"), PATIENCE, "a connected card")
        world.pamctl("forget", ADDRESS)
        self.asking = world.ssh(target.name)
        self.clients.append(self.knock(self.asking))
        self.open_question = self.question()
        self.old_button = self.asking.button("Close")["callback_data"]

        self.target = target

    def close(self):
        """Both ends go; what the gateway relayed outlived the crash."""
        for end in [*self.clients, *(c.socket for c in self.target.talked)]:
            end.close()

    def knock(self, card):
        client = dial(port_of(card.code[0]), ADDRESS)
        client.sendall(BANNER)
        return client

    def question(self):
        return self.world.api.wait_message(lambda m: m.says(ADDRESS, "wants in") and m.button("admit"),
                                           PATIENCE, chat=OWNER)

    def is_right(self):
        cards = (self.waiting, self.connected, self.asking)
        return (self.document.deleted and not self.open_question.buttons
                and self.open_question.says(ADDRESS, "not waiting any more")
                and all(m.says("has ended", "restarted") and not m.buttons for m in cards))

    def wait_right(self):
        self.world.api.wait(self.is_right, PATIENCE, "the chat is put right")
        eventually(lambda: kept(self.world) == 0, "the state file forgets them", PATIENCE)


def test_after_a_crash_cards_questions_and_files_are_put_right(target):
    with World() as world:
        chat = OpenChat(world, target)
        eventually(lambda: kept(world) == 5, "all are kept", PATIENCE)
        crash(world)
        chat.wait_right()
        query = world.api.tap(OWNER, chat.asking, "Close", chat.old_button)
        assert "already ended" in world.api.wait_answer(query)["text"]
        chat.close()


def test_a_crash_while_putting_right_loses_nothing(target):
    with World() as world:
        chat = OpenChat(world, target)
        eventually(lambda: kept(world) == 5, "all are kept", PATIENCE)
        for method, fault in (("deleteMessage", "drop"), ("editMessageText", "drop"), ("editMessageText", "lost")):
            world.api.inject(method, Fault(fault), 1000)
            faults = world.api._faults[method.lower()]
            crash(world)
            world.api.wait(lambda faults=faults: len(faults) < 1000, PATIENCE, f"a try of {method}")
            world.api.heal()
        crash(world)
        chat.wait_right()
        chat.close()


def test_messages_that_the_user_deleted_are_given_up(target):
    with World() as world:
        chat = OpenChat(world, target)
        eventually(lambda: kept(world) == 5, "all are kept", PATIENCE)
        world.vps.kill()
        for message in (chat.document, chat.waiting):
            message.deleted = True
        world.vps.start()
        world.ready(timeout=30)
        eventually(lambda: kept(world) == 0, "the state file forgets them", PATIENCE)
        assert chat.connected.says("has ended", "restarted")
        assert not chat.waiting.says("has ended")
        chat.close()


def test_new_answers_go_before_what_is_put_right(target):
    with World() as world:
        for _ in range(4):
            world.ssh(target.name)
        eventually(lambda: kept(world) == 4, "all are kept", PATIENCE)
        world.vps.kill()
        since = world.api.mark()
        world.api.inject("editMessageText", Fault("slow", seconds=1), 1000)
        world.api.say(OWNER, "/help")
        world.vps.start()
        world.ready(timeout=30)
        world.api.wait_message("I connect you", PATIENCE, since, OWNER)
        assert kept(world) >= 2
        eventually(lambda: kept(world) == 0, "the state file forgets them", PATIENCE)


def test_sessions_that_end_in_order_leave_nothing_behind(target):
    with World() as world:
        _, live = world.rdp(target.name, FRIEND)
        message = world.ssh(target.name)
        world.api.tap(OWNER, message, "Close")
        world.api.wait(lambda: message.says("has ended"), PATIENCE, "the end")
        eventually(lambda: kept(world) == 2, "only what is open is kept", PATIENCE)
        world.vps.stop()
        assert live.says("has ended") and not live.says("restarted")
        assert kept(world) == 0
        world.vps.start()
        world.ready(timeout=30)
        assert not [m for m in world.api.all_messages() if m.says("restarted")]


def test_a_farewell_that_did_not_arrive_is_made_up_for(target):
    """SIGTERM while Telegram cannot be reached: the chat is put right by the next start."""
    with World() as world:
        document, live = world.rdp(target.name)
        eventually(lambda: kept(world) == 2, "all are kept", PATIENCE)
        world.api.inject("*", Fault("drop"), 1000)
        world.vps.stop()
        assert live.says("ready") and kept(world) == 2
        world.api.heal()
        world.vps.start()
        world.ready(timeout=30)
        world.api.wait(lambda: live.says("has ended") and document.deleted, PATIENCE, "it is put right")
