"""Gateways that have nothing but VPS_HOST: a code, a person who compares, a key. And who is in between."""

import contextlib
import json
import os
import re
import sqlite3
import stat
import subprocess
from concurrent import futures

import accord
import peers
import pytest
import util
import wire
from accord import PaperGateway, PaperVps
from agents import FRIEND, OWNER, World, run
from terminal import Terminal
from util import TIME_SCALE, eventually, stays

PATIENCE = 15 * TIME_SCALE
NO_KEYS = {"vps": {"TUNNEL_KEY": None, "ADMIT": "auto", "RECONNECT_GRACE": 1}, "gateways": ()}


@pytest.fixture
def target():
    with peers.Recorder(reply=peers.echo) as recorder:
        yield recorder


class Pairing(World):
    """Each gateway that is online is one descriptor more than there were without any."""

    def settle(self):
        if self.vps.alive() and not self.gateway_names:
            self.alone = getattr(self, "alone", self.vps.baseline)
            self.vps.baseline = self.alone + len(self.status()["gateways"])
        super().settle()

    def begin(self, name="office", **settings):
        """A gateway-agent without a key."""
        state = self.folder / f"gateway-state-{len(self.gateways)}"
        daemon = self.add_gateway(name, start=False, **{"TUNNEL_KEY": None, "STATE_DIR": state, **settings})
        daemon.state = state
        daemon.start()
        return daemon

    def pending(self):
        return self.pamctl.json("gateway", "pending")["pending"]

    def asked(self, **fields):
        """The question, when somebody asks."""
        return eventually(lambda: (found := self.pending()) and fields.items() <= found.items() and found,
                          f"a gateway asks: {fields}")

    def card(self, code=None, user=OWNER, since=0):
        """The message with the question."""
        return self.api.wait_message(lambda m: m.button("let in") and (not code or m.says(code)), PATIENCE, since, user)

    def tap(self, user, message, button, data=None):
        return self.api.wait_answer(self.api.tap(user, message, button, data))

    def recorded(self, *words):
        """(word, gateway, the rest) of these events in the audit, the oldest first."""
        with contextlib.closing(sqlite3.connect(self.state_dir / "state.db", timeout=10)) as file:
            rows = file.execute("SELECT what, gateway, body FROM audit ORDER BY seq").fetchall()
        return [(what, gateway, json.loads(body)) for what, gateway, body in rows if what in words]

    def ready(self, *args, **options):
        status = super().ready(*args, **options)
        if self.api and not self.api.started:   # a bot may write to nobody who has not begun
            self.api.say(OWNER, "/start")
            self.api.wait_message("I connect you", chat=OWNER)
        return status


@pytest.fixture
def world():
    with Pairing(**NO_KEYS) as world:
        yield world


def questions(world, user=OWNER):
    return [message for message in world.api.all_messages(user) if message.says("asks to be paired")]


def code_of(daemon, nth=0, timeout=10):
    """The code that a gateway says in its log."""
    def look():
        return re.findall(r"its code is (\d{3} \d{3})", daemon.log)[nth:]
    return eventually(look, f"{daemon.name} says code number {nth + 1}", timeout)[0]


def key_of(daemon):
    return (daemon.state / "key").read_text()


def works(world, target, gateway):
    world.ready([gateway])
    session = world.pamctl.json("ssh", f"{gateway}/{target.name}")["session"]
    with peers.dial(session["public_port"]) as sock:
        sock.sendall(peers.BANNER)
        assert util.read_exactly(sock, len(peers.BANNER)) == peers.BANNER
    world.close_all()


# ---------------------------------------------------------------- as it is meant

def test_a_gateway_is_let_in_from_the_chat_and_has_its_key_from_then_on(world, target):
    gateway = world.begin()
    code = code_of(gateway)
    card = world.card(code)
    assert card.says("office", "127.0.0.1", code) and card.button(f"It shows {code}: let in") and card.button("No")
    assert not world.api.all_messages(FRIEND), "it is for administrators"
    assert world.status()["gateways"] == []
    answer = world.tap(OWNER, card, "let in")
    assert "Let in" in answer["text"]
    world.api.wait(lambda: card.says("is paired", code) and not card.buttons, PATIENCE, "the card says so")
    world.ready(["office"])
    works(world, target, "office")

    assert stat.S_IMODE(os.stat(gateway.state / "key").st_mode) == 0o600
    assert os.listdir(gateway.state) == ["key"]
    name, key = key_of(gateway).split()
    assert name == "office" and re.fullmatch("[0-9a-f]{64}", key)
    for log in (gateway.log, world.vps.log):
        assert key not in log
    (listed,) = world.pamctl.json("gateway", "list")["gateways"]
    assert (listed["name"], listed["key"], listed["state"]) == ("office", "paired", "online")

    # both are restarted, and nothing is asked any more
    world.vps.stop()
    world.vps.start()
    eventually(lambda: world.status() and world.status()["gateways"], "the gateway is back")
    gateway.stop()
    gateway.start()
    eventually(lambda: gateway.count_log("connected to the VPS") == 3, "it logs in with its key")
    works(world, target, "office")
    assert gateway.count_log("its code is") == 1 and not questions(world)


def test_a_gateway_is_let_in_with_pamctl(target):
    with Pairing(bot=False, **NO_KEYS) as world:
        assert world.pending() is None
        assert world.pamctl("gateway", "pending").stdout.startswith("Gateways that ask to be paired are heard for")
        gateway = world.begin()
        code = code_of(gateway)
        pending = world.asked(name="office", code=code, address="127.0.0.1", let_in=False, replaces=False)
        assert pending["version"].startswith("gateway-agent ") and 590 <= pending["expires_in"] <= 600
        shown = world.pamctl("gateway", "pending").stdout
        assert f"asks to be paired, and shows {code}." in shown and f"pamctl gateway accept {code.replace(' ', '')}" in shown
        world.vps.wait_log(f"gateway office at 127.0.0.1 asks to be paired, and shows {code}")
        health = run("gateway-agent", "--health", env=gateway.settings)
        assert health.returncode == 1 and f"waits to be let in; its code is {code}" in health.stdout

        wrong = f"{(int(code.replace(' ', '')) + 1) % 1000000:06}"
        refused = world.pamctl("gateway", "accept", wrong)
        assert refused.returncode == 1 and "somebody is in between" in refused.stderr
        assert world.pamctl.json("gateway", "accept", wrong, ok=False)["error"] == "another_code"
        assert world.pamctl.json("gateway", "accept", code[:3], ok=False)["error"] == "another_code"
        world.vps.wait_log(f"uid {os.getuid()} has answered with another code than the {code} that gateway .* shows")
        assert world.pending()["let_in"] is False

        accepted = world.pamctl("gateway", "accept", *code.split())
        assert accepted.returncode == 0 and accepted.stdout.startswith("Gateway office is paired"), accepted
        world.ready(["office"])
        works(world, target, "office")
        assert world.pamctl.json("gateway", "accept", code, ok=False)["error"] == "nobody_waits"


def test_a_gateway_is_paired_over_a_network(internet):
    """Its address is the one that the VPS sees, which is its router's."""
    with Pairing(net=internet, **NO_KEYS) as world:
        gateway = world.begin()
        code = code_of(gateway)
        card = world.card(code)
        address = world.asked(code=code)["address"]
        assert card.says(address) and address != "127.0.0.1"
        world.tap(OWNER, card, "let in")
        world.ready(["office"])


# ---------------------------------------------------------------- no

def test_a_gateway_that_was_refused_is_not_heard_until_somebody_says_so(world):
    gateway = world.begin()
    card = world.card(code_of(gateway))
    assert "Refused" in world.tap(OWNER, card, "No")["text"]
    world.api.wait(lambda: card.says("was refused by") and not card.buttons, PATIENCE, "the card says so")
    gateway.wait_log("somebody there has refused it; run pamctl gateway pair on the VPS.*next try in 60.0 s")
    gateway.stop()
    gateway.start()
    gateway.wait_log("somebody there has refused a gateway from here")
    assert world.pending() is None and not (gateway.state / "key").exists()

    assert "are heard for" in world.pamctl("gateway", "pair").stdout
    gateway.stop()
    gateway.start()
    code = code_of(gateway, 1)
    assert world.pamctl.json("gateway", "deny", code.replace(" ", ""))["gateway"] == "office"
    gateway.stop()
    world.pamctl("gateway", "pair")
    gateway.start()
    world.tap(OWNER, world.card(code_of(gateway, 2)), "let in")
    world.ready(["office"])


def test_a_press_of_somebody_else_and_late_ones_do_nothing(world):
    gateway = world.begin()
    first = world.card(code_of(gateway))
    yes = first.button("let in")["callback_data"]
    world.api.say(FRIEND, "/start")
    theirs = world.api.wait_message("I connect you", chat=FRIEND)
    answer = world.tap(FRIEND, theirs, None, yes)     # by a client that knows no shame
    assert "Only an administrator" in answer["text"] and answer["show_alert"]
    assert world.pending()["let_in"] is False

    gateway.kill()      # and the code that was compared is nobody's any more
    world.api.wait(lambda: first.says("has gone before it was paired") and not first.buttons, PATIENCE, "the card says so")
    assert "This question is over" in world.tap(OWNER, first, None, yes)["text"]
    gateway.start()
    second = world.card(code_of(gateway, 1))
    mine = second.button("let in")["callback_data"]
    assert mine != yes
    assert "This question is over" in world.tap(OWNER, first, None, yes)["text"]
    assert world.pending()["let_in"] is False
    world.tap(OWNER, second, "let in")
    world.ready(["office"])
    assert "somebody has let it in" in world.tap(OWNER, second, None, mine)["text"]


def test_no_gateway_is_let_in_from_the_chat_while_the_server_is_locked(world):
    question = world.card(code_of(world.begin()))
    world.pamctl("panic")
    answer = world.tap(OWNER, question, "let in")
    assert answer["text"].startswith("The server is locked, so nobody is let in.") and answer["show_alert"]
    assert world.pending()["let_in"] is False
    world.pamctl("unlock")
    world.tap(OWNER, question, "let in")
    world.ready(["office"])


def test_every_administrator_is_asked_and_all_cards_follow(folder):
    policy = folder / "policy.yaml"
    policy.write_text("users:\n  anna: {telegram: 42, roles: administrator}\n  bert: {telegram: 43, roles: administrator}\n"
                      "  carl: {telegram: 44}\nrules:\n- {who: anna, targets: '*', kinds: '*'}\n")
    policy.chmod(0o600)
    settings = {**NO_KEYS, "vps": {**NO_KEYS["vps"], "ALLOWED_USERS": None, "POLICY_FILE": policy}}
    with Pairing(**settings) as world:
        for user in (42, 43, 44):
            since = world.api.mark()
            world.api.say(user, "/start")
            world.api.wait_message("I connect you", since=since, chat=user)
        since = world.api.mark()
        code = code_of(world.begin())
        cards = [world.card(code, user, since) for user in (42, 43)]
        assert not world.api.all_messages(44, since)
        assert "Let in" in world.tap(43, cards[1], "let in")["text"]
        for card in cards:
            world.api.wait(lambda card=card: card.says("is paired", "let in by bert") and not card.buttons, PATIENCE,
                           "both cards follow")
        world.ready(["office"])


# ---------------------------------------------------------------- when it is heard

def test_where_gateways_have_keys_none_is_heard_until_somebody_says_so(target):
    with Pairing(vps={"ADMIT": "auto", "RECONNECT_GRACE": 1}) as world:
        gateway = world.begin()
        gateway.wait_log("no gateways are paired there at the moment: run pamctl gateway pair on the VPS.*next try in 15.0 s")
        world.vps.wait_log("wanted to be paired, and was told: no gateways are paired")
        assert world.pending() is None and world.pamctl.json("gateway", "pending")["open_for"] == 0
        doctor = run("gateway-agent", "--doctor", env=gateway.settings, timeout=60)
        assert "!!  key: none yet, and no gateways are paired there at the moment" in doctor.stdout, doctor
        assert 590 <= world.pamctl.json("gateway", "pair")["open_for"] <= 600
        doctor = run("gateway-agent", "--doctor", env=gateway.settings, timeout=60)
        assert "key: none yet: gateway office asks to be paired" in doctor.stdout, doctor
        code = code_of(gateway, timeout=25)     # it asks by itself
        world.tap(OWNER, world.card(code), "let in")
        world.ready(["lan", "office"])
        works(world, target, "office")
        assert world.pamctl.json("gateway", "pending")["open_for"] == 0, "one was paired"
        gateway.stop()
        world.gateways = {tag: daemon for tag, daemon in world.gateways.items() if daemon is not gateway}


def test_of_all_who_answer_at_once_one_counts(world):
    gateway = world.begin()
    code = code_of(gateway)
    card = world.card(code)
    yes, no = (card.button(label)["callback_data"] for label in ("let in", "No"))
    words = ("accept", "deny", "accept", "deny", "accept")
    with futures.ThreadPoolExecutor(len(words)) as pool:
        commands = [pool.submit(world.pamctl.json, "gateway", word, code, ok=None) for word in words]
        taps = [world.api.tap(OWNER, card, None, data) for data in (no, yes, no)]
        answers = [world.api.wait_answer(tap)["text"] for tap in taps]
        results = [command.result() for command in commands]
    decided = [word for word, result in zip(words, results) if result["ok"]]
    decided += ["accept" for text in answers if text.startswith("Let in.")]
    decided += ["deny" for text in answers if text.startswith("Refused.")]
    assert len(decided) == 1, (answers, results)
    assert all(result["ok"] or result["error"] in ("decided", "nobody_waits") for result in results), results
    word = {"accept": "gateway.paired", "deny": "gateway.denied"}[decided[0]]
    eventually(lambda: world.recorded(word), "it is on record")
    assert len(world.recorded("gateway.paired", "gateway.denied")) == 1


def test_one_gateway_at_a_time(world):
    first = world.begin("office")
    code = code_of(first)
    world.asked(name="office")
    second = world.begin("attic")
    second.wait_log("another gateway is being paired there at the moment")
    assert world.pending()["name"] == "office" and len(questions(world)) == 1
    world.pamctl.json("gateway", "accept", code)
    world.ready(["office"])
    second.stop()
    world.pamctl("gateway", "pair")
    second.start()
    code = code_of(second)
    assert world.asked(name="attic")["code"] == code
    world.pamctl.json("gateway", "accept", code)
    world.ready(["office", "attic"])


def test_names_that_are_taken_or_fool_people_are_refused(world):
    with PaperGateway(world.control_port, "482-913") as paper:
        paper.control.send(accord_commit(paper))
        reason, said = goodbye_of(paper)
        assert reason == accord.UNPAIRED and "could be taken for a code" in said
    world.pamctl("gateway", "pair")
    gateway = world.begin()
    world.tap(OWNER, world.card(code_of(gateway)), "let in")
    world.ready(["office"])
    world.pamctl("gateway", "pair")
    with PaperGateway(world.control_port, "OFFICE") as paper:
        paper.control.send(accord_commit(paper))
        assert "a gateway named OFFICE is online there" in goodbye_of(paper)[1]
    with PaperGateway(world.control_port, "0ffice") as paper:
        code = paper.ask()
        assert world.asked(name="0ffice", resembles="office")["code"] == code
        assert world.card(code).says("It is not office, which is another gateway here")
        world.pamctl("gateway", "deny", code)


def accord_commit(paper):
    return wire.frame(accord.COMMIT, paper.side.commitment() + wire.text(paper.name))


def goodbye_of(paper):
    fields = paper.control.receive(wire.GOODBYE)
    return fields[0], fields[3:].decode()


# ---------------------------------------------------------------- who is in between

def test_who_is_in_between_shows_another_code_on_each_side(world):
    """With shares of its own to both sides, it can do all but make two codes the same."""
    port = util.free_port()
    with PaperVps(port) as to_gateway:
        eventually(lambda: peers.listening(port), "openssl listens")
        gateway = world.begin(CONTROL_PORT=port)
        assert to_gateway.meet() == code_of(gateway)
        with PaperGateway(world.control_port, to_gateway.name) as to_vps:
            shown = to_vps.ask()
            card = world.card(shown)
            assert code_of(gateway) != shown and not card.says(code_of(gateway)) and card.says("office")
            # what the gateway's log says is not what is asked about
            assert world.pamctl.json("gateway", "accept", code_of(gateway), ok=False)["error"] == "another_code"
            world.tap(OWNER, card, "No")
            assert "somebody there has refused it" in goodbye_of(to_vps)[1]
    gateway.wait_log("not paired with 127.0.0.1:.*next try in 60.0 s")
    assert world.pamctl.json("gateway", "list")["gateways"] == [] and not os.listdir(gateway.state)


@pytest.mark.parametrize("change", ["commitment", "name", "share", "nonce"])
def test_what_is_changed_on_the_way_is_noticed_before_anybody_is_asked(world, change):
    with PaperGateway(world.control_port, "office") as paper:
        commitment, name = paper.side.commitment(), "office"
        share, nonce = paper.side.share, paper.side.nonce
        commitment = bytes(32) if change == "commitment" else commitment
        name = "0ffice" if change == "name" else name
        share = accord.Side("x").share if change == "share" else share
        nonce = bytes(32) if change == "nonce" else nonce
        paper.control.send(wire.frame(accord.COMMIT, commitment + wire.text(name)))
        paper.control.receive(accord.ANSWER)
        paper.control.send(wire.frame(accord.OPEN, share + nonce))
        assert "not what was committed to" in goodbye_of(paper)[1]
    world.vps.wait_log("somebody may be in between")
    assert world.pending() is None and not questions(world)


def test_no_word_of_who_is_in_between_can_be_taken_for_a_code(world):
    """Otherwise it would have each side say the code that the other one shows."""
    port, other = util.free_port(), "482 913"
    with PaperVps(port) as to_gateway:
        eventually(lambda: peers.listening(port), "openssl listens")
        gateway = world.begin(CONTROL_PORT=port)
        to_gateway.meet()
        words = f"this gateway is not paired yet: its code is {other}, or \uff14\uff18\uff12\uff19\uff11\uff13"
        to_gateway.send(wire.goodbye(accord.UNPAIRED, words))
        gateway.wait_log(r"not paired with 127.0.0.1:.*its code is \*\*\* \*\*\*, or \?+")
    assert other not in gateway.log and "\uff14" not in gateway.log
    with PaperGateway(world.control_port, "office", program=f"shows {other} (no") as paper:
        code = paper.ask()
        world.asked(code=code, version="shows *** *** (no")
        assert other not in world.pamctl("gateway", "pending").stdout


def test_who_asks_for_the_code_alone_has_tried_as_well(world):
    """The VPS's nonce says which code it is going to show: who hangs up at each that does not fit is soon not heard."""
    for number in range(16):
        with PaperGateway(world.control_port, "office", source=f"127.0.{number}.9") as paper:
            paper.control.send(wire.frame(accord.COMMIT, paper.side.commitment() + wire.text("office")))
            paper.control.receive(accord.ANSWER)
        eventually(lambda: world.vps.log.count("wanted to be paired, and hung up") > number, "it has gone")
    assert world.pamctl.json("gateway", "pending")["open_for"] == 0
    world.api.wait_message(lambda m: m.says("16 gateways have asked to be paired"), PATIENCE, 0, OWNER)
    assert [body["why"] for _, _, body in world.recorded("gateway.denied")] == 16 * ["wanted to be paired, and hung up"]
    assert not questions(world)


def test_without_the_proof_nobody_gets_a_key(world):
    with PaperGateway(world.control_port, "office") as paper:
        card = world.card(paper.ask())
        world.tap(OWNER, card, "let in")
        paper.control.receive(accord.ACCEPT)
        paper.control.send(wire.frame(accord.CONFIRM, bytes(32)))
        assert "wrong proof" in goodbye_of(paper)[1]
    world.api.wait(lambda: card.says("was not paired", "it is not the one that was let in"), PATIENCE, "the card says so")
    assert world.pamctl.json("gateway", "list")["gateways"] == []


def test_a_gateway_that_is_let_in_by_nobody_it_has_met_stays_out(world):
    """An ACCEPT that was not made of what both have said."""
    port = util.free_port()
    with PaperVps(port) as middle:
        eventually(lambda: peers.listening(port), "openssl listens")
        gateway = world.begin(CONTROL_PORT=port)
        middle.meet()
        middle.send(wire.frame(accord.ACCEPT, bytes(32)))
        gateway.wait_log("somebody is in between")
    assert not os.listdir(gateway.state)


def test_a_stranger_says_nothing_but_what_belongs_to_pairing(world):
    with PaperGateway(world.control_port, "office") as paper:
        code = paper.ask()
        world.asked(code=code)
        paper.control.send(wire.tunnel_ready(1))
        paper.control.wait_end()
    eventually(lambda: world.pending() is None, "it is hung up on")
    assert world.status()["gateways"] == []


# ---------------------------------------------------------------- crashes in between

def test_a_gateway_whose_key_the_vps_never_kept_asks_again(target):
    """It has kept the key, and the VPS is gone before it has: on the next day all begins anew."""
    with Pairing(**NO_KEYS) as world:
        world.vps.stop()
        with PaperVps(world.control_port) as paper:     # dies when it has let the gateway in
            eventually(lambda: peers.listening(world.control_port), "openssl listens")
            gateway = world.begin()
            paper.meet()
            paper.let_in()
            assert os.listdir(gateway.state) == ["key.new"]
            gateway.kill()
        world.vps.start()
        eventually(world.status, "vps-agent answers")
        gateway.start()
        gateway.wait_log("does not know the key that this gateway was paired with last: it asks to be paired anew")
        code = code_of(gateway, 1)
        assert not os.listdir(gateway.state)
        world.pamctl.json("gateway", "accept", code)
        world.ready(["office"])
        assert os.listdir(gateway.state) == ["key"]
        works(world, target, "office")


def test_a_gateway_that_the_vps_has_kept_a_key_for_and_that_lost_it_asks_again(world, target):
    with PaperGateway(world.control_port, "office") as paper:
        world.pamctl("gateway", "pending")
        code = paper.ask()
        world.tap(OWNER, world.card(code), "let in")
        paper.confirm()
        assert goodbye_of(paper)[0] == 8
    (listed,) = world.pamctl.json("gateway", "list")["gateways"]
    assert (listed["name"], listed["state"]) == ("office", "new")
    world.pamctl("gateway", "pair")
    gateway = world.begin()
    assert world.asked(name="office")["replaces"] is False, "nobody misses a key that was never used"
    world.pamctl.json("gateway", "accept", code_of(gateway))
    world.ready(["office"])
    works(world, target, "office")


def test_one_that_lost_its_state_is_paired_again_and_the_question_says_so(world, target):
    gateway = world.begin()
    world.pamctl.json("gateway", "accept", code_of(gateway))
    world.ready(["office"])
    gateway.stop()
    (gateway.state / "key").unlink()
    world.pamctl("gateway", "pair")
    gateway.start()
    code = code_of(gateway, 1)
    assert world.asked(code=code)["replaces"] is True
    assert world.card(code).says("paired before", "take its place")
    world.pamctl.json("gateway", "accept", code)
    world.ready(["office"])
    works(world, target, "office")
    (listed,) = world.pamctl.json("gateway", "list")["gateways"]
    assert "next" not in listed


def test_the_vps_has_the_key_after_a_crash_when_the_gateway_hears_of_it(world, target):
    gateway = world.begin()
    world.tap(OWNER, world.card(code_of(gateway)), "let in")
    gateway.wait_log("let in by 127.0.0.1")
    world.vps.kill()
    world.vps.start()
    eventually(lambda: world.status() and world.status()["gateways"], "it logs in with its key")
    works(world, target, "office")


def test_an_owner_who_has_yet_to_press_start_is_asked_when_they_do():
    """The bot cannot write first; the very first set-up is like that."""
    with World(wait_ready=False, **NO_KEYS) as world:
        begin, card = Pairing.begin, Pairing.card
        gateway = begin(world)
        code = code_of(gateway)
        eventually(lambda: world.api.violations, "it was tried")
        world.api.violations.clear()
        world.api.say(OWNER, "/start")
        world.tap = Pairing.tap.__get__(world)
        world.tap(OWNER, card(world, code), "let in")
        world.ready(["office"])


def test_a_question_that_is_open_at_a_restart_says_so(world):
    gateway = world.begin()
    card = world.card(code_of(gateway))
    yes = card.button("let in")["callback_data"]
    world.vps.stop()
    assert card.says("the server was restarted meanwhile") and not card.buttons
    world.vps.start()
    eventually(world.status, "vps-agent answers")
    gateway.stop()
    gateway.start()
    again = world.card(code_of(gateway, 1), since=card.seq)
    assert "This question is over" in world.tap(OWNER, card, None, yes)["text"]
    assert world.pending()["let_in"] is False
    world.tap(OWNER, again, "let in")
    world.ready(["office"])


# ---------------------------------------------------------------- later

def test_a_gateway_that_was_removed_says_so_and_keeps_its_key(world):
    gateway = world.begin()
    world.pamctl.json("gateway", "accept", code_of(gateway))
    world.ready(["office"])
    before = key_of(gateway)
    assert world.pamctl("gateway", "remove", "office").returncode == 0
    gateway.wait_log('does not accept the key of gateway "office" any more: it was removed or replaced there')
    world.pamctl("gateway", "pair")
    stays(lambda: world.pending() is None, "it does not ask", 2)
    assert key_of(gateway) == before
    gateway.stop()
    (gateway.state / "key").unlink()
    gateway.start()
    world.pamctl.json("gateway", "accept", code_of(gateway, 1))
    world.ready(["office"])


def test_it_keeps_the_name_that_it_was_paired_with(world, target):
    gateway = world.begin()
    world.pamctl.json("gateway", "accept", code_of(gateway))
    world.ready(["office"])
    gateway.stop()
    gateway.settings["GATEWAY_NAME"] = "attic"
    gateway.start()
    gateway.wait_log("it was paired as office, and goes on under that name")
    world.ready(["office"])
    works(world, target, "office")


def test_a_key_in_the_settings_comes_first_and_taking_it_out_takes_a_restart(target):
    with Pairing(env_files=True) as world:
        gateway = world.begin("lan", TUNNEL_KEY=world.key)
        gateway.wait_log("connected to the VPS")
        assert not gateway.state.exists()
        line = gateway.reload(TUNNEL_KEY=None)
        assert "settings not reloaded" in line and "restart gateway-agent" in line
        world.gateways = {tag: daemon for tag, daemon in world.gateways.items() if daemon is not gateway}
        gateway.kill()


def test_without_a_place_for_the_key_it_does_not_start(folder):
    (folder / "state").mkdir(mode=0o777)
    (folder / "state").chmod(0o777)
    settings = {"VPS_HOST": "127.0.0.1", "GATEWAY_NAME": "office"}
    result = run("gateway-agent", "--env-file", "/dev/null", env={**settings, "STATE_DIR": str(folder / "state")}, timeout=20)
    assert result.returncode == 2 and "others may write to the folder" in result.stderr and "TUNNEL_KEY" in result.stderr
    result = run("gateway-agent", "--env-file", "/dev/null", env={**settings, "STATE_DIR": "/proc/nothing"}, timeout=20)
    assert result.returncode == 2 and "STATE_DIR /proc/nothing" in result.stderr


# ---------------------------------------------------------------- with somebody at the gateway's terminal

def join(world, path, *more):
    return Terminal("gateway-agent", "--join", f"127.0.0.1:{world.control_port}", "--env-file", path, *more)


def settings_in(path):
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))


def test_who_joins_by_hand_says_that_it_was_they_who_let_it_in(world, target):
    path = world.folder / "joined.env"
    path.write_text("GATEWAY_NAME=office\n")
    path.chmod(0o600)
    with join(world, path) as terminal:
        code = terminal.wait(r"Asking 127.0.0.1 port \d+ to pair gateway office...(?:.|\n)* (\d{3} \d{3})\n")[1]
        world.tap(OWNER, world.card(code), "let in")
        assert world.pamctl.json("gateway", "list")["gateways"] == [], "not before the person has said so"
        terminal.answer(r"Was it you, .* at this code\?.*: ?", "y")
        status, text = terminal.end()
    assert status == 0 and "accepts the key" in text and f"Wrote {path}" in text, text
    settings = settings_in(path)
    assert settings["GATEWAY_NAME"] == "office" and settings["TUNNEL_KEY"] not in text
    world.add_gateway("office", **settings)
    world.ready(["office"])
    works(world, target, "office")


def test_who_joins_by_hand_can_tell_that_it_was_somebody_else(world):
    """Whoever takes the place of the VPS can let the gateway in, but not make the person say so."""
    path, port = world.folder / "joined.env", util.free_port()
    with PaperVps(port) as middle:
        eventually(lambda: peers.listening(port), "openssl listens")
        with Terminal("gateway-agent", "--join", f"127.0.0.1:{port}", "--env-file", path) as terminal:
            code = middle.meet()
            terminal.wait(code)
            middle.send(wire.frame(accord.ACCEPT, middle.side.derived(b"vps")))
            terminal.answer(r"Was it you, .*: ?", "n")
            status, text = terminal.end()
    assert status == 1 and "somebody else answers in the server's place" in text
    assert not path.exists() and not questions(world)


def test_what_was_typed_before_the_question_is_no_answer_to_it(world):
    path = world.folder / "joined.env"
    with join(world, path) as terminal:
        code = terminal.wait(r" (\d{3} \d{3})\n(?:.|\n)*Waiting")[1]
        terminal.type("y")
        world.tap(OWNER, world.card(code), "let in")
        terminal.answer(r"Was it you, .* at this code\?.*: ?", "n")
        status, text = terminal.end()
    assert status == 1 and "nothing was written" in text and not path.exists()


def test_a_server_that_falls_silent_at_the_end_does_not_keep_who_joins_by_hand(world):
    path, port = world.folder / "joined.env", util.free_port()
    with PaperVps(port) as silent:
        eventually(lambda: peers.listening(port), "openssl listens")
        with Terminal("gateway-agent", "--join", f"127.0.0.1:{port}", "--env-file", path) as terminal:
            silent.meet()
            silent.send(wire.frame(accord.ACCEPT, silent.side.derived(b"vps")))
            terminal.answer(r"Was it you, .*: ?", "y")
            status, text = terminal.end(timeout=40)
    assert status == 1 and "it says nothing any more" in text and not path.exists()


def test_who_joins_by_hand_finds_the_port_that_is_set(world):
    path = world.folder / "joined.env"
    path.write_text(f"CONTROL_PORT={world.control_port}\nGATEWAY_NAME=office\n")
    path.chmod(0o600)
    with Terminal("gateway-agent", "--join", "127.0.0.1", "--env-file", path) as terminal:
        terminal.wait(rf"Asking 127.0.0.1 port {world.control_port} to pair gateway office")
        terminal.wait(r" \d{3} \d{3}\n")
    with Terminal("gateway-agent", "--join", "127.0.0.1", "--env-file", "/dev/null", env={"CONTROL_PORT": "1"}) as terminal:
        terminal.wait("cannot reach 127.0.0.1:1 .*is the port right")
        assert terminal.end()[0] == 1
    path.write_text("CONTROL_PORT=many\n")
    with Terminal("gateway-agent", "--join", "127.0.0.1", "--env-file", path) as terminal:
        status, text = terminal.end()
    assert status == 2 and 'CONTROL_PORT is "many"' in text


def test_who_joins_by_hand_is_told_why_it_does_not_work(world):
    path = world.folder / "joined.env"
    with join(world, path) as terminal:
        code = terminal.wait(r" (\d{3} \d{3})\n")[1]
        world.tap(OWNER, world.card(code), "No")
        status, text = terminal.end()
    assert status == 1 and "somebody there has refused it" in text and not path.exists()
    with join(world, path) as terminal:
        status, text = terminal.end()
    assert status == 1 and "run pamctl gateway pair on the VPS" in text
    result = run("gateway-agent", "--join", "127.0.0.1", "--env-file", path, stdin=subprocess.DEVNULL)
    assert result.returncode == 2 and "put VPS_HOST=127.0.0.1 into" in result.stderr
    path.write_text("GATEWAY_NAME=482913\n")
    path.chmod(0o600)
    with join(world, path) as terminal:
        status, text = terminal.end()
    assert status == 2 and "could be taken for the code" in text


# ---------------------------------------------------------------- what is on record

def test_questions_and_answers_are_in_the_audit(world):
    gateway = world.begin()
    code = code_of(gateway)
    world.tap(OWNER, world.card(code), "No")
    world.pamctl("gateway", "pair")
    gateway.stop()
    gateway.start()
    second = code_of(gateway, 1)
    world.pamctl.json("gateway", "accept", second)
    words = ("gateway.pending", "gateway.denied", "gateway.paired", "gateway.added")
    rows = eventually(lambda: len(found := world.recorded(*words)) >= 4 and found, "all are recorded")
    assert [(what, name) for what, name, _ in rows] == [(what, "office") for what in
            ("gateway.pending", "gateway.denied", "gateway.pending", "gateway.paired")]
    assert [body["text"] for _, _, body in rows] == [code, code, second, second]
    assert rows[1][2]["by"] == f"telegram:{OWNER}" and rows[3][2]["by"] == f"uid:{os.getuid()}"
