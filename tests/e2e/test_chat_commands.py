"""What people do in the chat beside opening sessions: lists, closing, the state of things, several users at once."""

import contextlib
import json
import os
import pathlib
import re
import socket
import sqlite3
import time

import peers
import pytest
from agents import FRIEND, OWNER, World, port_of
from util import TIME_SCALE, eventually, how_it_ends

ALICE, BOB = OWNER, FRIEND
PATIENCE = 10 * TIME_SCALE
BUTTON_DEF = pathlib.Path(__file__).resolve().parents[2] / "src" / "vps" / "chat" / "button.def"
POLICY = """\
users:
  alice: {{telegram: 42, uid: {uid}, roles: administrator}}
  bob: {{telegram: 43}}
targets:
  office-pc: {{address: 127.0.0.1, ports: {{ssh: {port}}}}}
rules:
- who: "*"
  targets: "*"
  kinds: "*"
"""


@pytest.fixture(scope="module")
def target():
    with peers.Recorder(reply=peers.echo) as recorder:
        yield recorder


@pytest.fixture
def policy(tmp_path, target):
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY.format(uid=os.getuid(), port=target.port))
    path.chmod(0o600)
    return path


@pytest.fixture
def world(policy):
    with World(vps={"ADMIT": "auto", "ALLOWED_USERS": None, "POLICY_FILE": policy}) as world:
        yield world


def answer(world, text, user):
    """The first new message; those that are there may be edited meanwhile."""
    before = {m.id for m in world.api.all_messages(user, deleted=True)}
    world.api.say(user, text)
    return world.api.wait_message(lambda m: m.id not in before, PATIENCE, 0, user)


def toast(world, user, message, button, data=None):
    reply = world.api.wait_answer(world.api.tap(user, message, button, data))
    return reply["text"], reply.get("show_alert", False)


def becomes(world, message, *words):
    world.api.wait(lambda: message.says(*words), PATIENCE, f"{words} in {message.text}")


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def connected(message):
    with peers.dial(port_of(message.code[0])) as client:
        client.sendall(peers.BANNER)
        yield client


def recorded(world, what):
    """The bodies of the audit's records of this event, with who it was."""
    with contextlib.closing(sqlite3.connect(world.state_dir / "state.db", timeout=10)) as file:
        found = file.execute("SELECT person, body FROM audit WHERE what=? ORDER BY seq", (what,)).fetchall()
    return [json.loads(body) | {"person": person} for person, body in found]


# ---------------------------------------------------------------- /sessions, /close

def test_everybody_sees_their_own_and_administrators_all(world, target):
    assert answer(world, "/sessions", BOB).text == "You have no open session."
    assert answer(world, "/sessions", ALICE).text == "No session is open."
    bobs = world.ssh("office-pc", BOB)
    with connected(bobs):
        becomes(world, bobs, "Connected from")
        shown = answer(world, "/sessions", BOB)
        assert shown.says("Your open session:\n1. SSH to ", "connected for ") and "bob" not in shown.text
        world.ssh("office-pc", ALICE)
        assert {(s["name"], s["target"]) for s in world.sessions()} == {("office-pc", target.name)}
        listed = answer(world, "/sessions", ALICE)
        assert listed.says("2 sessions are open:\n1. bob: SSH to ", "\n2. alice: SSH to ", "not used yet, time left to connect: 2 min")
        assert [b["text"] for b in listed.buttons] == ["Close 1: office-pc (bob)", "Close 2: office-pc (alice)"]
        assert toast(world, ALICE, listed, "Close 1") == ("Closed. Its user has been told.", False)
        becomes(world, bobs, "has ended\nClosed by alice.\nConnected from 127.0.0.1")
        becomes(world, listed, "One session is open:\n1. alice: ")
        becomes(world, shown, "You have no open session.")
        assert not shown.buttons and len(listed.buttons) == 1
    assert toast(world, ALICE, listed, "Close 1") == ("Closed.", False)
    becomes(world, listed, "No session is open.")


def test_a_list_is_bounded_and_says_how_many_more(world, target):
    for user in (BOB, ALICE):
        for _ in range(5):
            world.ssh("office-pc", user)
    listed = answer(world, "/sessions", ALICE)
    assert listed.says("10 sessions are open:", "and 2 more. pamctl sessions on the server lists them all.")
    assert len(listed.buttons) == 8
    assert len(answer(world, "/sessions", BOB).buttons) == 5


def test_history_has_ones_own_and_administrators_all(world, target):
    assert answer(world, "/history", BOB).text == "No session has ended yet."
    for user in (BOB, ALICE):
        message = world.ssh("office-pc", user)
        with connected(message):
            world.api.wait_answer(world.api.tap(user, message, "Close"))
    own = answer(world, "/history", BOB).text
    assert own.startswith("The last sessions, by when they ended (UTC):\n") and own.count("\n") == 1
    assert "connected for" in own or "nobody connected" in own
    assert "SSH to office-pc" in own, "as the message of the session called it"
    everybodys = answer(world, "/history", ALICE).text.splitlines()
    assert len(everybodys) == 3 and everybodys[1].endswith(", alice") and everybodys[2].endswith(", bob")


def test_lists_and_records_call_people_and_machines_by_their_names(world, target):
    world.ssh("office-pc", BOB)
    line = next(line for line in world.pamctl("sessions").stdout.splitlines() if " waiting " in line)
    assert re.search(r"  ssh office-pc  waiting .*  \(bob\)$", line), line
    records = [json.loads(line) for line in world.pamctl("audit", "--target", "office-pc", "--since", "1m", "--json").stdout.splitlines()]
    asked, opened = [r for r in records if r["name"] == "bob" and r["what"] in ("session.asked", "session.opened")][-2:]
    port = opened["target"].rpartition(":")[2]
    assert asked["target"] == f"office-pc:{port}", "the port that the policy has, not the usual one"
    assert port != "22" and asked["target_name"] == opened["target_name"] == "office-pc"
    assert f"{opened['target']} (office-pc)" in world.pamctl("audit", "--user", "bob").stdout


def test_close_ends_the_only_one_or_asks_which(world, target):
    assert answer(world, "/close", BOB).text == "You have no open session."
    first = world.ssh("office-pc", BOB)
    assert answer(world, "/close", BOB).text == "Closed: SSH to office-pc."
    becomes(world, first, "Closed on request.")
    world.ssh("office-pc", BOB)
    world.ssh("office-pc", BOB)
    which = answer(world, "/close", BOB)
    assert which.says("Your open sessions:\n1. SSH to ", "\n2. SSH to ") and len(which.buttons) == 2
    assert len(world.sessions()) == 2


def test_close_by_id_is_for_its_user_and_for_administrators(world, target):
    alices = world.ssh("office-pc", ALICE)
    alices_id = world.newest_session()["id"]
    bobs = world.ssh("office-pc", BOB)
    bobs_id = world.newest_session()["id"]
    for name in (alices_id, "nonsense", "<b>"):
        assert answer(world, f"/close {name}", BOB).text == \
            f"{name} is not the ID of an open session that you may close. /sessions lists them."
    assert answer(world, f"/close {bobs_id}", ALICE).says("Closed: SSH to ", " of bob, who has been told.")
    becomes(world, bobs, "Closed by alice.")
    assert bobs.button("Again") and alices.button("Close")


def test_without_a_policy_the_first_user_is_the_administrator(target):
    with World(vps={"ADMIT": "auto"}) as world:
        alices = world.ssh(target.name, ALICE).button("Close")["callback_data"]
        bobs = world.ssh(target.name, BOB)
        assert toast(world, BOB, bobs, "Close", alices) == ("This is somebody else's session.", True)
        world.vps.wait_log(f"user 43 is not allowed to do this, and was refused: “{alices}”")
        listed = answer(world, "/sessions", ALICE)
        assert listed.says("1. telegram:42: SSH to ", "2. telegram:43: SSH to ")
        assert toast(world, ALICE, listed, "Close 2")[0] == "Closed. Its user has been told."
        becomes(world, bobs, "Closed by an administrator.")


# ---------------------------------------------------------------- the end is near

def test_a_quiet_session_is_announced_and_extended(policy, target):
    settings = {"ADMIT": "auto", "ALLOWED_USERS": None, "POLICY_FILE": policy, "IDLE_TIMEOUT": 8}
    with World(vps=settings) as world:
        live = world.ssh("office-pc", BOB)
        with connected(live) as client:
            becomes(world, live, "Connected from")
            assert [b["text"] for b in live.buttons] == ["scp, config", "Extend", "Close"]
            warning = world.api.wait_message(lambda m: m.text.startswith("⏳"), PATIENCE, 0, BOB)
            assert warning.says(" ends in 5 s, unless it is used: nothing was sent or received for 10 s.") and warning.id != live.id
            assert [b["text"] for b in warning.buttons] == ["Extend", "Close"]
            data = warning.button("Extend")["callback_data"]
            for user, message in ((ALICE, world.ssh("office-pc", ALICE)),):
                assert toast(world, user, message, "Close", data) == ("This is somebody else's session.", True)
            assert toast(world, BOB, warning, "Extend") == ("Extended: its time begins anew.", False)
            becomes(world, warning, "🟢 SSH to office-pc goes on.")
            assert not warning.buttons
            eventually(lambda: [r["by"] for r in recorded(world, "session.extended")] == ["telegram:43"], "it is recorded")
            since = world.api.mark()
            warning = world.api.wait_message(lambda m: m.text.startswith("⏳"), PATIENCE, since, BOB)
            client.sendall(b"x")
            becomes(world, warning, " goes on.")
            session = world.sessions()[0]
            assert 5 <= session["idle_ends_in"] <= 8
            said = world.pamctl("extend", session["id"]).stdout
            assert said.startswith(f"Extended session {session['id']}. It ends in 12 h at the latest. Without a byte it ends in 8 s."), said
            becomes(world, live, "Nothing was sent or received for 8 s.")
        becomes(world, warning, "goes on.")
        last = world.api.wait_message(lambda m: m.text == "⚪ SSH to office-pc has ended.", PATIENCE, 0, BOB)
        assert not last.buttons and len(world.api.all_messages(BOB)) == 4
        assert toast(world, BOB, live, "Again", data) == ("This session has already ended.", False)


def test_the_longest_time_of_a_rule_is_not_extended(policy, target):
    policy.write_text(policy.read_text() + "  longest: 8s\n")
    settings = {"ADMIT": "auto", "ALLOWED_USERS": None, "POLICY_FILE": policy, "IDLE_TIMEOUT": 0}
    with World(vps=settings) as world:
        live = world.ssh("office-pc", BOB)
        with connected(live):
            becomes(world, live, "Connected from")
            session = world.newest_session()["id"]
            assert [b["text"] for b in live.buttons] == ["scp, config", "Close"]
            warning = world.api.wait_message(lambda m: m.text.startswith("⏳"), PATIENCE, 0, BOB)
            assert warning.says(" ends in 5 s, when its time is over: 8 s. More is not allowed at a time; save your work. Afterwards you can open it again.")
            assert [b["text"] for b in warning.buttons] == ["Close"]
            assert toast(world, BOB, warning, "Close", f"extend:{session}") == ("There is nothing to extend.", False)
            assert world.pamctl.json("extend", session, ok=False)["error"] == "nothing_to_extend"
            becomes(world, live, "It reached the time limit for a session: 8 s.")
            becomes(world, warning, "has ended.")


# ---------------------------------------------------------------- the wrong person

def buttons():
    """(word, what it takes, who may) of each row of button.def."""
    rows = re.findall(r'^BUTTON\(\w+, "(\w+)", "[^"]*", (\w+), (\w+),', BUTTON_DEF.read_text(), re.M)
    assert len(rows) == BUTTON_DEF.read_text().count("\nBUTTON(") > 12
    return rows


@pytest.mark.parametrize("word, takes, who", [b for b in buttons() if b[2] != "WHO_ALLOWED"])
def test_the_wrong_person_presses_in_vain(world, word, takes, who):
    """Whatever button: bob, who is nobody special, on alice's, and alice on bob's if it is an owner's alone."""
    sessions = {}
    lives = {user: world.ssh("office-pc", user) for user in (ALICE, BOB)}
    for session in world.sessions():
        sessions[int(session["owner"].split(":")[1])] = session["id"]
    before = [s["id"] for s in world.sessions()], world.status()["locked"]

    def data_of(owner):
        return {"SESSION": f"{word}:{sessions[owner]}", "CLIENT": f"{word}:{sessions[owner]}:1", "NOTHING": f"{word}:"}.get(
            takes, f"{word}:abcdefgh")

    said, is_alert = toast(world, BOB, lives[BOB], "Close", data_of(ALICE))
    assert is_alert and said in (
        "This is somebody else's session.", "Only an administrator can do that.",
        # nobody tells a request, or somebody who wants in, from one that there never was
        "This request is over. Whoever still needs it has to ask again.",
        "This question is over. Whoever still wants in opens the link again, or takes another one."), said
    if takes in ("SESSION", "CLIENT", "NOTHING"):
        eventually(lambda: [(r["name"], r["text"]) for r in recorded(world, "button.refused")] == [("bob", data_of(ALICE))], "it is recorded")
        world.vps.wait_log(f"user 43 is not allowed to do this, and was refused: “{data_of(ALICE)}”")
    if who == "WHO_OWNER" and takes in ("SESSION", "CLIENT"):
        assert toast(world, ALICE, lives[ALICE], "Close", data_of(BOB)) == ("This is somebody else's session.", True)
    assert ([s["id"] for s in world.sessions()], world.status()["locked"]) == before
    assert world.session(sessions[ALICE])["state"] == "waiting"


# ---------------------------------------------------------------- what need not be typed

def test_a_bare_command_offers_where_one_was_last_and_may_go(world, policy, target):
    first = answer(world, "/ssh", BOB)
    assert first.says("Which machine?\nUse: /ssh ") and [b["text"] for b in first.buttons] == ["/ssh office-pc"]
    assert not answer(world, "/rdp", BOB).buttons
    world.ssh(f"mxu@localhost:{target.port}", BOB)
    world.ssh(f"mxu@127.0.0.1:{target.port}", BOB)    # whose name is office-pc
    world.vps.stop()
    world.vps.start()
    world.ready()
    last = answer(world, "/ssh", BOB)
    assert [b["text"] for b in last.buttons] == ["/ssh mxu@office-pc", f"/ssh mxu@localhost:{target.port}", "/ssh office-pc"]
    assert [b["text"] for b in answer(world, "/ssh", ALICE).buttons] == ["/ssh office-pc"]
    policy.write_text(policy.read_text().replace('targets: "*"', "targets: office-pc"))
    world.pamctl("reload")
    last = answer(world, "/ssh", BOB)
    assert [b["text"] for b in last.buttons] == ["/ssh mxu@office-pc", "/ssh office-pc"]
    since = world.api.mark()
    assert toast(world, BOB, last, "/ssh mxu@office-pc") == ("On its way.", False)
    world.api.wait_message(lambda m: m.says("is ready"), PATIENCE, since, BOB)


def test_again_below_a_session_that_has_ended(world, target):
    live = world.ssh("mxu@office-pc", BOB)
    first = world.newest_session()["id"]
    assert toast(world, BOB, live, "Close") == ("Closed.", False)
    world.api.wait(lambda: [b["text"] for b in live.buttons] == ["Again"], PATIENCE, "the button")
    live.date -= 86400
    since = world.api.mark()
    data = live.buttons[0]["callback_data"]
    assert toast(world, BOB, live, "Again") == ("On its way.", False)
    assert toast(world, BOB, live, "Again", data) == ("It is on its way already.", False)
    again = world.api.wait_message(lambda m: m.says("is ready") and m.id != live.id, PATIENCE, since, BOB)
    assert again.code[0].endswith(" mxu@127.0.0.1") and world.newest_session()["id"] != first
    assert len(world.sessions()) == 1
    # it is no way around the rules, for whoever presses it
    assert toast(world, BOB, live, "Again", "again:/help") == ("This button no longer does anything.", False)


def test_again_asks_for_the_same_reason(world, policy, target):
    live = answer(world, "/ssh office-pc why: printer & <b>scanner</b>, third floor, the one behind the plant", BOB)
    world.api.wait(lambda: live.button("Close"), PATIENCE)
    toast(world, BOB, live, "Close")
    world.api.wait(lambda: live.button("Again"), PATIENCE)
    assert toast(world, BOB, live, "Again") == ("On its way.", False)
    eventually(lambda: len(recorded(world, "session.asked")) == 2, "it was asked for twice")
    said = [record["text"] for record in recorded(world, "session.asked")]
    assert said == ["printer & <b>scanner</b>, third floor, the one behind the plant"] * 2


# ---------------------------------------------------------------- /status

def test_the_status_says_what_is_wrong(world, target):
    assert answer(world, "/status", BOB).text == "🟢 All is well.\nGateway lan is online.\nYou have no open session."
    with connected(world.ssh("office-pc", BOB)):
        eventually(lambda: world.newest_session()["connections"] == 1, "bob is in")
        assert answer(world, "/status", BOB).says("You have 1 open session, with 1 connection: /sessions")
        said = answer(world, "/status", ALICE)
        assert said.says("🟢 All is well.\nGateway lan has been online for ", ", from 127.0.0.1, round trip ", " ms.\n"
                         "1 session is open, with 1 connection: /sessions\nvps-agent 0.", ", up for ")
    world.pamctl("drain")
    world.gateway.stop()
    eventually(lambda: not world.status()["gateways"], "the gateway is gone")
    said = answer(world, "/status", BOB)
    assert said.says("⚠️ The server is about to be restarted and opens no new sessions.\n"
                     "⚠️ No gateway is online: no machine can be reached.\n"
                     "⚠️ Gateway lan has been away for ")


# ---------------------------------------------------------------- /panic

def test_panic_ends_everything_until_somebody_on_the_server_unlocks(world, target):
    bobs = world.ssh("office-pc", BOB)
    port = port_of(bobs.code[0])
    with connected(bobs) as client:
        becomes(world, bobs, "Connected from")
        assert answer(world, "/panic", BOB).text == "Only an administrator can do that."
        question = answer(world, "/panic", ALICE)
        assert question.says("Lock the server?\n1 open session ends at once, whoever uses it. Nobody can open anything until")
        data = question.button("Yes")["callback_data"]
        assert toast(world, BOB, bobs, "Close", data) == ("Only an administrator can do that.", True)
        assert toast(world, ALICE, question, "No") == ("Nothing was changed.", False)
        world.api.wait(lambda: not question.buttons, PATIENCE, "the question is answered")
        assert bobs.says("Connected from") and not world.status()["locked"]
        eventually(lambda: [(r["name"], r["text"]) for r in recorded(world, "button.refused")] == [("bob", "panic"), ("bob", "panic:")], "both are recorded")
        question = answer(world, "/panic", ALICE)
        before = world.api.mark()
        assert toast(world, ALICE, question, "Yes, end everything") == ("Everything is closed.", False)
        said = world.api.wait_message(lambda m: m.says("🔒 The server was locked by alice. 1 session was ended, every public port is closed"), PATIENCE, before, ALICE)
        assert said.says("until somebody on the server itself says pamctl unlock.")
        becomes(world, bobs, "has ended\nAlice locked the server.")
        how_it_ends(client)
    eventually(lambda: not is_listening(port), "the port is closed")
    for again in range(2):      # before and after a restart
        refused = answer(world, "/ssh office-pc", BOB)
        assert refused.says("The server has been locked by alice since ", " UTC: nothing can be opened. Only somebody on the server itself can unlock it, with pamctl unlock.")
        assert answer(world, "/status", BOB).says("⚠️ The server has been locked by alice")
        assert answer(world, "/panic", ALICE).says("The server has been locked by alice") and not world.sessions()
        locked = world.status()["locked"]
        assert locked["by"] == "telegram:42" and abs(locked["since"] - time.time()) < 60
        assert "by telegram:42: nothing is opened (pamctl unlock ends that)" in world.pamctl("status").stdout
        refused = world.pamctl.json("ssh", "office-pc", ok=False)
        assert refused["error"] == "locked" and "This server is locked: alice ended every session" in refused["message"]
        assert world.pamctl("panic").stdout == "It is locked already; pamctl unlock ends that.\n"
        if not again:
            world.vps.stop()
            world.vps.start()
            world.ready()
    before = world.api.mark()
    assert world.pamctl("unlock").stdout == "Unlocked: sessions can be opened again.\n"
    world.api.wait_message(lambda m: m.text == "🔓 The server was unlocked by alice: sessions can be opened again.", PATIENCE, before, ALICE)
    assert [r["by"] for r in recorded(world, "panic.begun")] == ["telegram:42"]
    assert [r["by"] for r in recorded(world, "panic.ended")] == [f"uid:{os.getuid()}"]
    assert world.pamctl("unlock").stdout == "It was not locked.\n" and world.status()["locked"] is None
    world.vps.stop()
    world.vps.start()
    world.ready()
    assert world.ssh("office-pc", BOB)


def test_panic_from_the_server_and_an_old_question(world, target):
    bobs = world.ssh("office-pc", BOB)
    question = answer(world, "/panic", ALICE)
    question.date -= 121
    assert toast(world, ALICE, question, "Yes") == ("This question is too old, and nothing was changed. Please send /panic again.", True)
    said = world.pamctl("panic").stdout
    assert said.startswith("Locked: 1 session has ended, every public port is closed, and nothing is opened until you say pamctl unlock")
    becomes(world, bobs, "Alice locked the server.")
    world.pamctl("unlock")


# ---------------------------------------------------------------- in German

def test_everybody_is_spoken_to_in_their_language(world, target):
    world.api.languages = {BOB: "de-AT", ALICE: "pt-br"}
    help_ = answer(world, "/help", BOB)
    assert help_.text.startswith("Ich verbinde Sie mit Ihren Rechnern.") and help_.says("\n/sessions\nDie offenen Sitzungen")
    assert answer(world, "/help", ALICE).text.startswith("I connect you to your machines.")
    assert answer(world, "/panic", BOB).text == "Das dürfen nur Administratoren."
    assert answer(world, "/ssh", BOB).text == "Welcher Rechner?\nSo geht es: /ssh [USER@]HOST[:PORT], zum Beispiel /ssh root@192.168.1.22"
    live = world.ssh("office-pc", BOB)
    assert live.text.startswith("🟡 SSH zu office-pc ist bereit:\n") and live.says( "\nZeit zum Verbinden: noch 2 min")
    assert [b["text"] for b in live.buttons] == ["Kopieren", "scp, config", "Beenden"]
    with connected(live):
        becomes(world, live, "\nVerbunden von 127.0.0.1", "\nVerbleibende Zeit: 12 h")
        assert answer(world, "/status", BOB).text == ("🟢 Alles in Ordnung.\nGateway lan ist online.\n"
                                                      "Sie haben 1 offene Sitzung, mit 1 Verbindung: /sessions")
        listed = answer(world, "/sessions", ALICE)
        assert listed.says("One session is open:\n1. bob: SSH to ", ", connected for")
        assert toast(world, BOB, live, "Verlängern") == ("Verlängert: Die Zeit beginnt von vorn.", False)
        assert toast(world, ALICE, listed, "Close 1") == ("Closed. Its user has been told.", False)
    becomes(world, live, " ist zu Ende\nVon alice beendet.\nVerbunden von 127.0.0.1")
    assert [b["text"] for b in live.buttons] == ["Noch einmal"]
    assert answer(world, "/close", BOB).text == "Sie haben keine offene Sitzung."
    world.api.languages = {}        # the app was switched over
    assert answer(world, "/close", BOB).text == "You have no open session."


def test_why_it_did_not_open_is_said_in_german(world, target):
    world.api.languages = {BOB: "de"}
    answer(world, "/help", ALICE)       # a bot may only write to whom it has heard
    assert answer(world, "/ssh a b", BOB).says("Ein Rechner auf einmal, ohne Leerzeichen und Optionen: ")
    assert answer(world, "/ssh nowhere/nas", BOB).text == "Kein Gateway namens nowhere ist online, nur lan."
    refused = answer(world, "/rdp 127.0.0.1:9", BOB)
    becomes(world, refused, "🔴 RDP zu 127.0.0.1:9 ließ sich nicht öffnen\nAbgelehnt: 127.0.0.1 ist da, aber auf Port 9 lauscht nichts; läuft dort Remote Desktop?")
    world.pamctl("drain")
    assert answer(world, "/ssh nas", BOB).text == "Der Server wird bald neu gestartet und öffnet keine neuen Sitzungen. Versuchen Sie es in ein paar Minuten noch einmal."
    world.pamctl("panic")
    world.api.wait_message(lambda m: m.says("🔒 The server was locked by alice. No session was open. Every public port is closed, and nothing can"), PATIENCE, 0, ALICE)
    assert answer(world, "/ssh nas", BOB).text.startswith("Der Server ist gesperrt, von alice, seit ")
    world.pamctl("unlock")


def test_the_menu_and_the_description_are_there_in_german():
    with World(gateways=()) as world:
        world.api.wait(lambda: len(world.api.descriptions_in) == 2, PATIENCE, "the descriptions")
        assert world.api.descriptions_in["de", "description"].startswith("Ein privater Bot: ")
        menu = {c["command"]: c["description"] for c in world.api.commands_in["de"]}
        assert menu["close"] == "Eine Sitzung beenden" and set(menu) == {c["command"] for c in world.api.commands}
        assert "panic" not in menu


def test_a_stranger_is_answered_in_their_language():
    with World(gateways=()) as world:
        world.api.languages = {777: "de"}
        assert answer(world, "/start", 777).text.startswith("Dieser Bot ist privat. Ihre Nummer ist 777. ")
