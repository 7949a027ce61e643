"""Rules with `approvals`: others are asked in the chat, and what they say is what happens."""

import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess

import peers
import pytest
from agents import World, environment, program
from util import TIME_SCALE, eventually

ASKER, ANNA, BERT, BERT_AT_WORK, ADMIN, PLAIN, STRANGER = 42, 50, 51, 52, 53, 54, 666
DECIDERS = (ANNA, BERT, BERT_AT_WORK, ADMIN)
PATIENCE = 10 * TIME_SCALE
POLICY = """\
users:
  carl: {{telegram: 42}}
  anna: {{telegram: 50, roles: approver}}
  bert: {{telegram: [51, 52], uid: {uid}, roles: approver}}
  root: {{telegram: 53, roles: administrator}}
  paul: {{telegram: 54}}
targets:
  office-pc: {{gateway: lan, address: 127.0.0.1, ports: {{ssh: {port}}}}}
  vault: {{gateway: lan, address: 127.0.0.2, ports: {{ssh: {port}}}}}
  desk: {{gateway: lan, address: 127.0.0.4, ports: {{rdp: {port}}}}}
  fort: {{gateway: lan, address: 127.0.0.3, ports: {{ssh: {port}}}}}
rules:
- {{who: "*", targets: office-pc, kinds: ssh, longest: 90m, approvals: 1}}
- {{who: "*", targets: vault, kinds: ssh, approvals: 2}}
- {{who: "*", targets: desk, kinds: rdp, approvals: 1}}
- {{who: "*", targets: fort, kinds: ssh, approvals: 9}}
- {{who: "*", targets: 127.0.0.9, kinds: ssh}}
"""


@pytest.fixture
def target():
    with peers.Recorder(reply=peers.echo, host="0.0.0.0") as recorder:     # at each address of 127/8
        yield recorder


class Site:
    def __init__(self, folder, target):
        self.path = folder / "policy.yaml"
        self.port = target.port
        self.text = POLICY.format(uid=os.getuid(), port=target.port)
        self.write(self.text)

    def write(self, text):
        self.path.write_text(text)
        self.path.chmod(0o600)


@pytest.fixture
def site(folder, target):
    return Site(folder, target)


@contextlib.contextmanager
def new_world(site, **settings):
    with World(vps={"ADMIT": "auto", "ALLOWED_USERS": None, "POLICY_FILE": site.path, **settings}, env_files=True) as world:
        for user in (ASKER, *DECIDERS, PLAIN):      # a bot may write to nobody who has not begun
            say(world, user, "/start", "I connect you")
        yield world


@pytest.fixture
def world(site):
    with new_world(site) as world:
        yield world


def say(world, user, text, words=""):
    """What the bot answers."""
    since = world.api.mark()
    world.api.say(user, text)
    return world.api.wait_message(lambda m: m.says(words), PATIENCE, since, user)


def press(world, user, message, label, data=None):
    """The toast."""
    return world.api.wait_answer(world.api.tap(user, message, label, data))


def forge(world, user, data):
    """The same of what no button in this chat sends."""
    return press(world, user, world.api.all_messages(user)[-1], None, data)


def until(world, message, text):
    """The message is this, word by word; `…` stands for anything."""
    pattern = ".*".join(map(re.escape, text.split("…")))
    try:
        world.api.wait(lambda: re.fullmatch(pattern, message.text, re.S), PATIENCE, text)
    except AssertionError as error:
        raise AssertionError(f"it says {message.text!r}") from error


class Asking:
    """Somebody has asked; the cards of all who see it."""

    def __init__(self, world, target="office-pc", user=ASKER, why=" why: printer", deciders=DECIDERS):
        since = world.api.mark()
        self.world = world
        self.card = say(world, user, f"/ssh {target}{why}", "waits for approval")
        self.cards = {u: world.api.wait_message("asks for", PATIENCE, since, u) for u in deciders}

    def press(self, user, label):
        return press(self.world, user, self.cards[user], label)["text"]


def use(world, card):
    """What the card offers works."""
    world.api.wait(lambda: card.code and card.code[0].startswith("ssh "), PATIENCE, "the ssh command")
    session = world.newest_session()
    with peers.dial(session["public_port"]) as client:
        client.sendall(peers.BANNER)
        assert client.recv(100)
        world.wait_state(session["id"], "connected")
    return session


def test_one_approval_opens_it_and_all_are_told(world, site):
    asking = Asking(world)
    until(world, asking.card, "⏳ SSH to office-pc waits for approval: 0 of 1\nWhy: printer\nExpires in 10 min")
    assert [b["text"] for b in asking.card.buttons] == ["Withdraw"]
    for card in asking.cards.values():
        until(world, card, f"🔐 carl asks for SSH to office-pc\n127.0.0.1:{site.port} through gateway lan, for at most "
                           "1 h 30 min\nWhy: printer\nApproved: 0 of 1\nExpires in 10 min")
        assert [b["text"] for b in card.buttons] == ["Approve", "Deny"]
        assert "printer" in card.code
    assert len(world.api.all_messages(PLAIN)) == 1 and not world.sessions()
    since = world.api.mark()
    assert asking.press(BERT, "Approve") == "You approved it."
    world.api.wait_message(lambda m: m.text == "✅ SSH to office-pc was approved by bert. It is in the message above.", PATIENCE, since, ASKER)
    for card in asking.cards.values():
        until(world, card, f"✅ carl asked for SSH to office-pc\n127.0.0.1:{site.port} through gateway lan, for at most "
                           "1 h 30 min\nWhy: printer\nApproved by bert.")
        world.api.wait(lambda card=card: not card.buttons, PATIENCE, "no buttons are left")
    world.api.wait(lambda: asking.card.button("Close"), PATIENCE, "it is the session's card now")
    session = use(world, asking.card)
    assert session["owner"] == f"telegram:{ASKER}"
    world.close_all()
    world.vps.wait_log("request .* approved by telegram:51, 1 of 1")
    world.vps.wait_log("session .*: why: printer")


def test_two_are_two_people(world):
    asking = Asking(world, "vault", why="")
    until(world, asking.card, "⏳ SSH to vault waits for approval: 0 of 2\nNo reason was given.\nExpires in 10 min")
    assert asking.press(BERT, "Approve") == "You approved it."
    until(world, asking.card, "⏳ SSH to vault waits for approval: 1 of 2 (bert)\nNo reason was given.\n…")
    for card in asking.cards[BERT_AT_WORK], asking.cards[BERT]:
        world.api.wait(lambda card=card: not card.buttons, PATIENCE, "bert has no button at either account")
    world.api.wait(lambda: asking.cards[ANNA].says("Approved: 1 of 2 (bert)"), PATIENCE, "anna sees who has approved it")
    assert asking.cards[ANNA].buttons
    data = asking.cards[ANNA].button("Approve")["callback_data"]
    assert press(world, BERT_AT_WORK, asking.cards[BERT_AT_WORK], None, data)["text"] == "You have already approved it."
    assert not world.sessions()
    assert asking.press(ANNA, "Approve") == "You approved it."
    use(world, asking.card)
    until(world, asking.cards[ADMIN], "…Approved by bert, anna.")
    world.close_all()


def test_one_no_is_enough(world):
    asking = Asking(world, "vault")
    deny = asking.cards[ANNA].button("Deny")["callback_data"]
    approve = asking.cards[ANNA].button("Approve")["callback_data"]
    asking.press(ADMIN, "Approve")
    assert asking.press(ANNA, "Deny") == "You said no."
    until(world, asking.card, "⛔ SSH to vault was not approved\nanna said no.")
    until(world, asking.cards[BERT], "⛔ carl asked for SSH to vault\n…\nanna said no.")
    for data in (approve, deny):
        late = press(world, BERT, asking.cards[BERT], None, data)
        assert late["text"] == "Too late: somebody has already said no." and late["show_alert"]
    assert not world.sessions() and not asking.card.buttons


def test_the_wrong_person_presses_every_button(world):
    asking = Asking(world)
    withdraw = asking.card.button("Withdraw")["callback_data"]
    deciding = [b["callback_data"] for b in asking.cards[ANNA].buttons]
    for data in deciding:
        answer = forge(world, ASKER, data)
        assert answer["text"] == "This is your own request: somebody else has to approve it." and answer["show_alert"]
        answer = forge(world, PLAIN, data)
        assert answer["text"] == "Only approvers can decide about this, and you are not one." and answer["show_alert"]
        world.api.tap(STRANGER, asking.card, None, data)
    for user in (PLAIN, ADMIN, ANNA):
        answer = forge(world, user, withdraw)
        assert answer["text"] == "This is somebody else's request." and answer["show_alert"]
    assert forge(world, ADMIN, "approve:nosuchid")["text"].startswith("This request is over.")
    world.vps.wait_log(f"user {STRANGER} ignored")
    assert not world.sessions() and asking.card.says("waits for approval: 0 of 1")
    world.api.wait(lambda: asking.cards[ANNA].buttons, PATIENCE, "they can still decide")
    assert press(world, ASKER, asking.card, "Withdraw")["text"] == "Withdrawn."
    until(world, asking.card, "⚪ SSH to office-pc is not asked for any more\ncarl withdrew it.")
    until(world, asking.cards[ANNA], "⚪ carl asked for SSH to office-pc\n…\ncarl withdrew it.")
    assert press(world, ANNA, asking.cards[ANNA], None, deciding[0])["text"] == "Too late: this request was withdrawn."


def test_nobody_approves_their_own_whatever_account_they_use(world):
    asking = Asking(world, user=BERT, deciders=(ANNA, ADMIN))
    data = asking.cards[ANNA].button("Approve")["callback_data"]
    assert len(world.api.all_messages(BERT_AT_WORK)) == 1
    assert "your own request" in forge(world, BERT_AT_WORK, data)["text"]
    assert asking.press(ADMIN, "Approve") == "You approved it."
    use(world, asking.card)
    world.close_all()


def test_it_expires(site):
    with new_world(site, APPROVAL_TIMEOUT=2) as world:
        asking = Asking(world)
        assert asking.card.says("Expires in less than a minute")
        data = asking.cards[ANNA].button("Approve")["callback_data"]
        until(world, asking.card, "⚪ SSH to office-pc was not approved in time\nApproved in time: 0 of 1")
        until(world, asking.cards[ANNA], "⚪ carl asked for SSH to office-pc\n…\nApproved in time: 0 of 1")
        assert press(world, ANNA, asking.cards[ANNA], None, data)["text"] == "Too late: this request has expired."
        assert not world.sessions()


def test_what_nobody_could_approve_is_refused_at_once(world, site):
    message = say(world, ASKER, "/ssh fort")
    assert message.text == ("This needs the approval of 9 people, and there are only 3 who could give it: an administrator has to "
                            "name more approvers in the policy.")
    site.write(re.sub("roles: (approver|administrator)", "groups: all", site.text).replace(f" uid: {os.getuid()},", ""))
    world.vps.reload()
    message = say(world, ASKER, "/ssh office-pc")
    assert message.text == ("This needs somebody's approval, and there is nobody who could give it: an administrator has to name an "
                            "approver in the policy.")


def test_an_approver_who_is_removed_meanwhile_does_not_count(world, site):
    asking = Asking(world, "vault")
    assert asking.press(ANNA, "Approve") == "You approved it."
    until(world, asking.card, "…1 of 2 (anna)…")
    site.write(site.text.replace("anna: {telegram: 50, roles: approver}", "anna: {telegram: 50}").replace(
        "paul: {telegram: 54}", "paul: {telegram: 54, roles: approver}"))
    since = world.api.mark()
    world.vps.reload()
    until(world, asking.card, "…waits for approval: 0 of 2\n…")
    until(world, asking.cards[ANNA], "⚪ carl asked for SSH to vault\nYou are not asked about this any more.")
    data = asking.cards[BERT].button("Approve")["callback_data"]
    assert "Only approvers" in press(world, ANNA, asking.cards[ANNA], None, data)["text"]
    asking.cards[PLAIN] = world.api.wait_message("asks for", PATIENCE, since, PLAIN)
    asking.press(PLAIN, "Approve")
    assert not world.sessions()
    asking.press(BERT, "Approve")
    use(world, asking.card)
    world.close_all()


def test_an_asker_who_lost_the_right_loses_the_request(world, site):
    asking = Asking(world)
    site.write(site.text.replace('"*", targets: office-pc', 'anna, targets: office-pc'))
    world.vps.reload()
    until(world, asking.card, "🔴 SSH to office-pc cannot be opened any more\nYou may not reach office-pc by SSH.")
    until(world, asking.cards[ADMIN], "🔴 carl asked for SSH to office-pc\n…\nIt cannot be opened any more.")
    asking = Asking(world, "vault")
    site.write(site.text.replace("  carl: {telegram: 42}\n", ""))
    world.vps.reload()
    until(world, asking.cards[ADMIN], "🔴 telegram:42 asked for SSH to vault\n…")
    assert not world.sessions()
    found = records(world, ["session.asked", "session.refused", "session.asked", "session.refused"])
    assert found[1]["session"] and found[1]["why"] == "You may not reach office-pc by SSH."


def test_asking_again_replaces_the_request(world):
    asking = Asking(world, why="")
    again = Asking(world, why=" why: toner")
    until(world, asking.card, "⚪ SSH to office-pc is not asked for any more\nThe same was asked for again.")
    until(world, asking.cards[ANNA], "⚪ carl asked for SSH to office-pc\n…\nThe same was asked for again.")
    again.press(ANNA, "Approve")
    use(world, again.card)
    world.close_all()
    for _ in range(4):
        again = Asking(world)
    assert say(world, ASKER, "/ssh office-pc").text == "You have asked very often in a short time. Try again in 2 min."
    assert again.card.says("waits for approval"), "what waits goes on"
    press(world, ASKER, again.card, "Withdraw")


def test_what_is_approved_waits_for_its_gateway(world):
    asking = Asking(world)
    world.gateway.stop()
    eventually(lambda: not world.status()["gateways"], "the gateway is gone")
    asking.press(ANNA, "Approve")
    until(world, asking.card, "⏳ SSH to office-pc is approved\nGateway lan is offline. It is opened when that comes back.\n"
                              "Why: printer\nExpires in …")
    until(world, asking.cards[BERT], "✅ carl asked for SSH to office-pc\n…\nApproved by anna; its gateway is offline.")
    assert not asking.cards[BERT].buttons and asking.card.button("Withdraw")
    world.gateway.start()
    world.ready(timeout=30)
    use(world, asking.card)
    until(world, asking.cards[BERT], "✅ carl asked for SSH to office-pc\n…\nApproved by anna.")
    world.close_all()


def test_a_reason_is_shown_as_it_is_and_does_nothing(world):
    reason = "<b>x</b> & @all http://evil.example /panic \u202egnp\ntwo"
    asking = Asking(world, why=f" why: {reason}")
    shown = "<b>x</b> & @all http://evil.example /panic ?gnp two"
    assert shown in asking.cards[ANNA].code and shown in asking.card.code
    assert all(e["type"] in ("bold", "code") for e in asking.cards[ANNA].entities)
    press(world, ASKER, asking.card, "Withdraw")
    asking = Asking(world, why=" why: " + "ü" * 300)
    assert asking.cards[ANNA].says("ü" * 98 + "…")
    press(world, ASKER, asking.card, "Withdraw")


def test_a_reason_is_kept_where_nobody_has_to_approve(world, target):
    since = world.api.mark()
    world.api.say(ASKER, f"/ssh 127.0.0.9:{target.port} why: the backup")
    world.api.wait_message(lambda m: m.code and m.code[0].startswith("ssh "), PATIENCE, since, ASKER)
    world.vps.wait_log("session .*: why: the backup")
    world.close_all()


def records(world, words):
    """Of these events: word, session, by, and what the body has besides, once there are that many."""
    def look():
        connection = sqlite3.connect(world.state_dir / "state.db")
        found = [{"what": what, "session": session, **json.loads(body)} for what, session, body in connection.execute(
            "SELECT what, session, body FROM audit ORDER BY seq") if what in words]
        connection.close()
        return found if [r["what"] for r in found] == words else None
    return eventually(look, f"records of {words}")


def test_it_is_all_recorded_under_the_sessions_id(world):
    asking = Asking(world, "vault")
    asking.press(BERT, "Approve")
    asking.press(ANNA, "Approve")
    session = use(world, asking.card)
    world.close_all()
    Asking(world).press(ADMIN, "Deny")
    asking = Asking(world)
    press(world, ASKER, asking.card, "Withdraw")
    found = records(world, ["approval.asked", "approval.given", "approval.given", "approval.asked", "approval.refused",
                            "approval.asked", "approval.withdrawn"])
    assert {r["session"] for r in found[:3]} == {session["id"]}
    assert (found[0]["name"], found[0]["text"], found[0]["count"]) == ("carl", "printer", 2)
    assert [(r["by_name"], r["by"], r["count"]) for r in found[1:3]] == [("bert", "telegram:51", 1), ("anna", "telegram:50", 2)]
    assert found[4]["by_name"] == "root" and found[6]["by_name"] == "carl"
    opened = records(world, ["session.asked", "session.opened", "session.ended", "session.asked", "session.asked"])
    assert opened[0]["text"] == "printer" and opened[1]["session"] == session["id"]


def kept(world):
    connection = sqlite3.connect(world.state_dir / "state.db")
    (count,) = connection.execute("SELECT count(*) FROM message").fetchone()
    connection.close()
    return count


def test_after_a_stop_and_after_a_crash_no_card_lies(world):
    asking = Asking(world, "vault")
    asking.press(ANNA, "Approve")
    until(world, asking.card, "…1 of 2 (anna)…")
    world.vps.stop()
    until(world, asking.card, "⚪ SSH to vault is not asked for any more\nThe server is being stopped. It can be asked for again in a moment.")
    until(world, asking.cards[BERT], "⚪ carl asked for SSH to vault\n…\nThe server is being stopped. It can be asked for again in a moment.")
    world.vps.start()
    world.ready(timeout=30)
    asking = Asking(world, "vault")
    data = [b["callback_data"] for b in asking.cards[ANNA].buttons]
    eventually(lambda: kept(world) == 1 + len(DECIDERS), "the messages are in the state file")
    world.vps.kill()
    world.vps.start()
    world.ready(timeout=30)
    until(world, asking.card, "⚪ SSH to vault was not approved\nThe server was restarted meanwhile. Please send the command again.")
    for card in asking.cards.values():
        until(world, card, "⚪ carl asked for SSH to vault\nThe server was restarted before this was decided. Whoever still needs it has "
                           "to ask again.")
    world.api.wait(lambda: not any(m.buttons for m in asking.cards.values()), PATIENCE, "no buttons are left")
    for callback in data:
        late = press(world, ANNA, asking.cards[ANNA], None, callback)
        assert late["text"] == "This request is over. Whoever still needs it has to ask again." and late["show_alert"]
    assert not world.sessions()


# ---------------------------------------------------------------- pamctl: its user is bert, by the uid

class Pamctl:
    """One that waits."""

    def __init__(self, world, *args, deciders=(ANNA, ADMIN)):
        since = world.api.mark()
        self.process = subprocess.Popen([program("pamctl"), *args], env=environment({"STATE_DIR": world.state_dir}), text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=world.folder)
        self.first = self.process.stderr.readline()
        assert self.first.startswith("Request "), self.first + self.process.stderr.read()
        self.id = self.first.split()[1]
        self.cards = {u: world.api.wait_message("asks for", PATIENCE, since, u) for u in deciders}

    def end(self, signal=None):
        if signal:
            self.process.send_signal(signal)
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


def test_pamctl_waits_until_others_agree(world, site):
    pamctl = Pamctl(world, "ssh", "root@vault", "--why", "kernel  update")
    assert pamctl.first == f"Request {pamctl.id} waits for approval: 0 of 2. It expires in 10 min; Ctrl-C withdraws it.\n"
    until(world, pamctl.cards[ANNA], f"🔐 bert asks for SSH to vault\n127.0.0.2:{site.port} through gateway lan, for at most 12 h\n"
                                     "Why: kernel  update\nApproved: 0 of 2\nExpires in 10 min")
    refused = world.pamctl("approve", pamctl.id)
    assert (refused.returncode, refused.stderr) == (1, "pamctl: This is your own request: somebody else has to approve it.\n")
    assert world.pamctl.json("deny", pamctl.id, ok=False)["error"] == "own_request"
    press(world, ANNA, pamctl.cards[ANNA], "Approve")
    assert pamctl.process.stderr.readline().startswith(f"Request {pamctl.id} waits for approval: 1 of 2 (anna). It expires in ")
    press(world, ADMIN, pamctl.cards[ADMIN], "Approve")
    status, out, err = pamctl.end()
    assert status == 0 and out.startswith("ssh -p ") and f"Session {pamctl.id} to " in out, (status, out, err)
    assert err == f"Request {pamctl.id} is approved: 2 of 2 (anna, root).\n"
    assert world.newest_session()["id"] == pamctl.id
    world.close_all()


def test_pamctl_writes_the_rdp_file_when_it_is_approved(world):
    pamctl = Pamctl(world, "rdp", "desk", "--json")
    press(world, ANNA, pamctl.cards[ANNA], "Approve")
    status, out, err = pamctl.end()
    assert status == 0 and err == f"Request {pamctl.id} is approved: 1 of 1 (anna).\n"
    reply = json.loads(out)
    assert reply["session"]["id"] == pamctl.id and (world.folder / reply["file"]).read_bytes().startswith(b"full address")
    world.close_all()


def test_who_leaves_withdraws(world):
    pamctl = Pamctl(world, "ssh", "office-pc")
    status, out, err = pamctl.end(signal.SIGINT)
    assert status == -signal.SIGINT and not out and not err
    until(world, pamctl.cards[ANNA], "⚪ bert asked for SSH to office-pc\n…\nbert withdrew it.")
    assert world.pamctl("approvals").stdout == "Nothing waits for approval.\n"


def test_pamctl_says_why_there_is_no_session(site):
    with new_world(site, APPROVAL_TIMEOUT=3) as world:
        assert world.pamctl.json("ssh", "fort", ok=False)["error"] == "no_consent"
        pamctl = Pamctl(world, "ssh", "office-pc", "--json")
        press(world, ANNA, pamctl.cards[ANNA], "Deny")
        status, out, _ = pamctl.end()
        reply = json.loads(out)
        assert (status, reply["error"], reply["message"]) == (1, "denied", "It was not approved: anna said no.")
        status, out, err = Pamctl(world, "ssh", "office-pc").end()
        assert (status, out, err) == (1, "", "pamctl: It was not approved in time: 0 of 1.\n")
        assert not world.sessions()


def test_pamctl_lists_and_decides(world, site):
    asking = Asking(world, "vault")
    (request,) = world.pamctl.json("approvals")["approvals"]
    assert {key: request[key] for key in ("state", "kind", "said", "target", "gateway", "owner", "name", "why", "needed", "approved_by",
                                          "second_factor", "longest")} == {
        "state": "asking_approval", "kind": "ssh", "said": "vault", "target": f"127.0.0.2:{site.port}", "gateway": "lan",
        "owner": "telegram:42", "name": "carl", "why": "printer", "needed": 2, "approved_by": [], "second_factor": False,
        "longest": None}
    name = request["id"]
    listed = world.pamctl("approvals").stdout
    assert re.fullmatch(rf"{name}  ssh vault for carl \(127.0.0.2:{site.port} through lan\): approved by 0 of 2, expires in .*\n"
                        rf"          why: printer\n          pamctl approve {name}, or pamctl deny {name}\n", listed), listed
    assert world.pamctl("approve", name).stdout == "ssh vault for carl is approved by 1 of 2 (bert).\n"
    assert world.pamctl.json("approve", name, ok=False)["error"] == "already"
    asking.press(ANNA, "Approve")
    use(world, asking.card)
    world.close_all()
    asking = Asking(world)
    (request,) = world.pamctl.json("approvals")["approvals"]
    assert world.pamctl("deny", request["id"]).stdout == "ssh office-pc for carl is not approved.\n"
    until(world, asking.card, "⛔ SSH to office-pc was not approved\nbert said no.")
    asking = Asking(world)
    (request,) = world.pamctl.json("approvals")["approvals"]
    assert world.pamctl("approve", request["id"]).stdout == "ssh office-pc for carl is approved, and is being opened.\n"
    use(world, asking.card)
    world.close_all()
    assert world.pamctl.json("approve", "nosuchid", ok=False)["error"] == "no_such_request"


def test_root_without_a_name_can_only_say_no(world, site):
    site.write(site.text.replace(f" uid: {os.getuid()},", ""))
    world.vps.reload()
    asking = Asking(world)
    (request,) = world.pamctl.json("approvals")["approvals"]
    refused = world.pamctl("approve", request["id"])
    assert refused.returncode == 1 and f"Nobody in the policy has uid {os.getuid()}, so nobody knows who approves" in refused.stderr
    assert world.pamctl("deny", request["id"]).returncode == 0
    until(world, asking.card, f"⛔ SSH to office-pc was not approved\nuid:{os.getuid()} said no.")


def test_an_older_pamctl_is_answered_at_the_end(world):
    since = world.api.mark()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(world.state_dir / "pamtunnel.sock"))
        client.sendall(b'{"command":"ssh","target":"office-pc"}\n')
        card = world.api.wait_message("asks for", PATIENCE, since, ANNA)
        press(world, ANNA, card, "Approve")
        client.settimeout(PATIENCE)
        assert json.loads(client.makefile().readline())["session"]["owner"] == f"uid:{os.getuid()}"
    world.close_all()


def test_who_never_pressed_start_is_named_and_asked_when_they_do(site):
    with new_world(site) as world:
        world.api.started.discard(ANNA)
        since = world.api.mark()
        asking = Asking(world, "vault", deciders=(BERT, BERT_AT_WORK, ADMIN))
        until(world, asking.card, "⏳ SSH to vault waits for approval: 0 of 2\nWhy: printer\n"
                                  "⚠️ I cannot ask anna: who has never pressed Start in this bot hears nothing from me.\nExpires in 10 min")
        world.api.wait_message("I cannot write to anna, who is to decide about others", PATIENCE, since, ADMIN)
        world.vps.wait_log("user 50 cannot be asked about others: they have to press Start")
        say(world, ANNA, "/start", "I connect you")
        card = world.api.wait_message("asks for", PATIENCE, since, ANNA)
        world.api.wait(lambda: not asking.card.says("I cannot ask"), PATIENCE, "she can be asked")
        assert press(world, ANNA, card, "Approve")["text"] == "You approved it."
        # said once, not at each request
        asking.press(BERT, "Deny")
        assert len([m for m in world.api.all_messages(ADMIN, since) if m.says("I cannot write to")]) == 1
        refused, world.api.violations = world.api.violations, []
        assert refused and all("can't initiate conversation" in line for line in refused)


def test_what_was_approved_is_not_extended(site):
    """Those who agreed read for how long."""
    with new_world(site, MAX_SESSION_TIME=3600, IDLE_TIMEOUT=0) as world:
        asking = Asking(world, "vault")
        assert all(card.says("for at most 1 h") for card in asking.cards.values())
        asking.press(ANNA, "Approve")
        asking.press(BERT, "Approve")
        world.api.wait(lambda: asking.card.button("Close"), PATIENCE, "it is the session's card now")
        session = world.newest_session()
        with peers.dial(session["public_port"]) as client:
            client.sendall(peers.BANNER)
            world.wait_state(session["id"], "connected")
            world.api.wait(lambda: asking.card.says("Connected from"), PATIENCE)
            assert [b["text"] for b in asking.card.buttons] == ["scp, config", "Close"]
            assert press(world, ASKER, asking.card, "Close", f"extend:{session['id']}")["text"] == "There is nothing to extend."
