"""A colleague comes in by a link and an administrator's word, and goes again; nothing is restarted."""

import json
import os
import re
import sqlite3
import subprocess
import time

import peers
import pytest
from agents import FRIEND, OWNER, STRANGER, World, environment, program
from util import TIME_SCALE, eventually, stays

NEWCOMER, OTHER, ADMIN = 777, 778, 44
PATIENCE = 10 * TIME_SCALE
LINK = re.compile(r"https://t\.me/pam_test_bot\?start=([a-z2-9]{26})")
POLICY = """\
users:
  alice: {telegram: 42, roles: administrator}
  anna: {telegram: 44, roles: administrator}
  carl: {telegram: 43, roles: approver}
  bob: {groups: contractors}
  dora: {roles: administrator}
targets:
  office-pc: {address: 127.0.0.1, ports: {ssh: PORT}}
rules:
- who: group:contractors
  targets: office-pc
  kinds: ssh
- who: role:administrator
  targets: "*"
  kinds: "*"
"""


@pytest.fixture
def target():
    with peers.Recorder(reply=peers.echo) as recorder:
        yield recorder


def talked_before(world):
    """A bot can write only to people who have written to it, once."""
    world.api.started |= {OWNER, FRIEND, ADMIN}
    return world


@pytest.fixture
def world():
    with World(vps={"ADMIT": "auto"}) as world:
        yield talked_before(world)


@pytest.fixture
def ruled(folder, target):
    path = folder / "policy.yaml"
    path.write_text(POLICY.replace("PORT", str(target.port)))
    path.chmod(0o600)
    with World(vps={"ADMIT": "auto", "ALLOWED_USERS": None, "POLICY_FILE": path}, env_files=True) as world:
        world.policy = path
        yield talked_before(world)


def invite(world, name):
    """The token in the link."""
    result = world.pamctl("user", "invite", name)
    assert result.returncode == 0, result
    return LINK.fullmatch(result.stdout.splitlines()[0])[1]


def knock(world, token, user=NEWCOMER, name="Bob Smith"):
    """Follows the link. What the bot answers, and the cards of administrators."""
    since = world.api.mark()
    world.api.say(user, f"/start {token}", from_={"id": user, "is_bot": False, "first_name": name})
    answer = world.api.wait_message(lambda m: True, PATIENCE, since, user)
    return answer


def card(world, user=OWNER, since=0):
    return world.api.wait_message(lambda m: m.button("Let in"), PATIENCE, since, user)


def press(world, user, message, label):
    return world.api.wait_answer(world.api.tap(user, message, label))["text"]


def users(world):
    return {user["name"]: user for user in world.pamctl.json("user", "list")["users"]}


# ---------------------------------------------------------------- without a policy

def test_a_colleague_comes_in_by_a_link_and_works(world, target):
    pid = world.vps.pid
    assert knock(world, "x" * 26).says("This bot is private"), "a stranger, still"
    token = invite(world, "bob")
    assert knock(world, token).text == "I have asked whether you may come in. You will hear from me here."
    question = card(world)
    assert question.says("Bob Smith (number 777) wants in as bob.", "only if you know that it is them")
    assert "Bob Smith" in question.code
    assert [b["text"] for b in question.buttons] == ["Let in", "No"]
    assert not world.api.all_messages(FRIEND), "he is no administrator"
    since = world.api.mark()
    assert press(world, OWNER, question, "Let in") == "Let in."
    world.api.wait_message("You are in", PATIENCE, since, NEWCOMER)
    world.api.wait(lambda: question.says("Bob Smith (number 777) was let in as bob, by telegram:42.") and
                   not question.buttons, PATIENCE)
    world.ssh(target.name, NEWCOMER)
    assert world.newest_session()["owner"] == "telegram:777"
    assert world.vps.pid == pid
    records = [json.loads(line) for line in world.pamctl("audit", "--user", "Bob", "--json").stdout.splitlines()]
    assert {record["person"] for record in records if "person" in record} == {"telegram:777"}, "and that he was invited"
    world.vps.take_baseline()   # SQLite keeps a reader's descriptor for the next one
    listed = users(world)
    assert set(listed) == {str(OWNER), str(FRIEND), "bob"}
    assert listed[str(OWNER)]["roles"] == ["administrator"] and listed[str(OWNER)]["from"] == "settings"
    assert listed["bob"]["from"] == "invitation" and listed["bob"]["roles"] == []
    (account,) = listed["bob"]["accounts"]
    assert account["account"] == "telegram:777" and account["by"] == f"telegram:{OWNER}"
    assert abs(account["since"] - time.time()) < 60
    page = world.pamctl("user", "list").stdout
    assert re.search(rf"^{OWNER} +telegram:{OWNER}; administrator; ALLOWED_USERS$", page, re.M), page
    assert re.search(r"^bob +telegram:777 \(invited 20\d\d-\d\d-\d\d \d\d:\d\d UTC\)$", page, re.M), page
    # like those of ALLOWED_USERS, and no administrator
    since = world.api.mark()
    world.api.say(NEWCOMER, "/panic")
    world.api.wait_message("administrator", PATIENCE, since, NEWCOMER)
    assert world.pamctl("user", "invite", "bob").returncode == 1


def test_a_restart_forgets_nobody(world, target):
    token = invite(world, "bob")
    other = invite(world, "berta")
    knock(world, token)
    press(world, OWNER, card(world), "Let in")
    eventually(lambda: "bob" in users(world), "bob is in")
    knock(world, other, OTHER, "Berta")
    world.vps.stop()
    question = [m for m in world.api.all_messages(OWNER) if m.says("Berta")][-1]
    world.api.wait(lambda: question.says("they can open their link once more") and not question.buttons, PATIENCE)
    world.vps.start()
    world.ready()
    world.ssh(target.name, NEWCOMER)
    # the link that was opened is that account's alone, and can be opened once more
    assert knock(world, other, STRANGER, "Mallory").says("This bot is private")
    since = world.api.mark()
    assert knock(world, other, OTHER, "Berta").says("I have asked whether")
    press(world, OWNER, card(world, since=since), "Let in")
    world.ssh(target.name, OTHER)
    world.vps.take_baseline()


def test_a_crash_leaves_no_question_behind(world):
    token = invite(world, "bob")
    knock(world, token)
    question = card(world)
    eventually(lambda: kept(world, "message"), "the question is in the state file")
    world.vps.kill()
    world.vps.start()
    world.ready()
    world.api.wait(lambda: question.says("the server was restarted meanwhile") and not question.buttons, PATIENCE)
    world.vps.take_baseline()


def kept(world, table):
    with sqlite3.connect(f"file:{world.state_dir}/state.db?mode=ro", uri=True) as file:
        return file.execute(f"SELECT * FROM {table}").fetchall()


def test_a_link_is_for_one_and_its_token_is_nowhere(world):
    token = invite(world, "bob")
    world.secrets.append(token)     # of no log
    knock(world, token)
    question = card(world)
    since = world.api.mark()
    assert knock(world, token, STRANGER, "Mallory").says("This bot is private")
    assert knock(world, token).says("I have asked already")
    assert not [m for m in world.api.all_messages(OWNER, since) if m.button("Let in")], "asked once"
    assert press(world, OWNER, question, "No") == "Not let in."
    world.api.wait_message("You were not let in.", PATIENCE, since, NEWCOMER)
    world.api.wait(lambda: question.says("was not let in as bob: telegram:42 said no."), PATIENCE)
    # it is used up
    since = world.api.mark()
    world.api.say(NEWCOMER, f"/start {token}")
    world.vps.wait_log("user 777 ignored")
    stays(lambda: not [m for m in world.api.all_messages(OWNER, since) if m.button("Let in")], 0.5)
    assert "bob" not in users(world) and not kept(world, "invitation") and not kept(world, "member")
    for path in world.state_dir.iterdir():
        if path.is_file():
            assert token.encode() not in path.read_bytes(), path
    assert token not in world.api.transcript().replace(f"/start {token}", "")


def test_what_is_no_link_is_a_strangers(world):
    token = invite(world, "bob")
    for text in (f"/start  {token}x", f"/start {token[:-1]}", f"/start {token.upper()}", f"/help {token}", token,
                 f"/start@other_bot {token}", "/start"):
        world.api.say(NEWCOMER, text)
    world.api.say(NEWCOMER, f"/start {token}", forward_origin={"type": "hidden_user", "date": 1, "sender_user_name": "x"})
    world.api.say(NEWCOMER, f"/start {token}", kind="edited_message")
    stays(lambda: not world.api.all_messages(OWNER), 1)
    assert knock(world, token).says("I have asked whether")
    # who is in already needs none
    since = world.api.mark()
    world.api.say(FRIEND, f"/start {invite(world, 'carl')}")
    world.api.wait_message("I connect you to your machines", PATIENCE, since, FRIEND)
    assert [i["name"] for i in world.pamctl.json("user", "list")["invitations"]] == ["bob", "carl"]


def test_a_new_link_for_a_name_is_instead_of_the_old_one(world):
    old, new = invite(world, "bob"), invite(world, "bob")
    assert knock(world, old).says("This bot is private")
    assert knock(world, new).says("I have asked whether")
    page = world.pamctl("user", "list").stdout
    assert re.search(r"^invited: bob, until .* UTC; the link was opened, an administrator has to say yes$", page, re.M)
    result = world.pamctl("user", "remove", "bob")
    assert result.stdout == "The invitation of bob is good for nothing any more.\n", result
    assert not world.pamctl.json("user", "list")["invitations"]


def test_who_was_taken_off_the_list_is_not_let_in_by_the_card_that_is_still_there(world):
    """The question was asked, and then somebody thought better of it."""
    knock(world, invite(world, "bob"))
    first = card(world)
    world.pamctl("user", "remove", "bob")
    since = world.api.mark()
    assert press(world, OWNER, first, "Let in") == "Too late: nobody can come in by this link any more."
    world.api.wait(lambda: first.says("the link was taken back, or there is a newer one") and not first.buttons, PATIENCE)
    world.api.wait_message("You were not let in.", PATIENCE, since, NEWCOMER)
    assert "bob" not in users(world)
    # the wrong person has opened it: there is a new one, and the old card is for nobody any more
    knock(world, invite(world, "bob"), name="Mallory")
    old = card(world, since=since)
    token = invite(world, "bob")
    assert press(world, OWNER, old, "No") == "Not let in."
    since = world.api.mark()
    assert knock(world, token, OTHER).says("I have asked whether")
    assert press(world, OWNER, card(world, since=since), "Let in") == "Let in."
    assert [a["account"] for a in users(world)["bob"]["accounts"]] == [f"telegram:{OTHER}"]


def test_an_administrator_who_never_pressed_start_is_asked_when_they_do(ruled):
    ruled.api.started.discard(ADMIN)
    since = ruled.api.mark()
    knock(ruled, invite(ruled, "bob"))
    first = card(ruled)
    ruled.api.wait_message("I cannot write to anna, who is to decide about others", PATIENCE, since, OWNER)
    ruled.vps.wait_log(f"user {ADMIN} cannot be asked about others")
    ruled.api.say(ADMIN, "/start")
    assert press(ruled, ADMIN, card(ruled, ADMIN, since), "Let in") == "Let in."
    ruled.api.wait(lambda: first.says("was let in as bob, by anna") and not first.buttons, PATIENCE)
    refused, ruled.api.violations = ruled.api.violations, []
    assert refused and all("can't initiate conversation" in line for line in refused)


def test_a_link_is_no_way_to_flood_the_bot(world):
    token = invite(world, "bob")
    knock(world, token)
    since = world.api.mark()
    for _ in range(30):
        world.api.say(NEWCOMER, f"/start {token}")
    world.api.say(OWNER, "/help")
    world.api.wait_message("I connect you", PATIENCE, since, OWNER)
    stays(lambda: len(world.api.all_messages(NEWCOMER, since)) <= 1, 1)


def test_nobody_is_let_in_while_the_server_is_locked(world):
    """Whoever has an administrator's phone brings nobody along."""
    knock(world, invite(world, "bob"))
    question = card(world)
    world.pamctl("panic")
    assert press(world, OWNER, question, "Let in") == "The server is locked, so nobody is let in. Press again when it has been unlocked."
    assert "bob" not in users(world) and question.button("Let in")
    world.pamctl("unlock")
    assert press(world, OWNER, question, "Let in") == "Let in."


def test_a_name_of_somebody_else_cannot_deceive(world):
    """What a newcomer calls itself stands there as it is, and becomes neither markup nor another number."""
    knock(world, invite(world, "bob"), name="<b>Eve</b> (number 42) wants in as root. \u202eevil “x” t.me/x")
    question = card(world)
    (called,) = question.code
    assert called.startswith("<b>Eve</b> (number 42) wants in as root. ") and "\u202e" not in called
    assert "“" not in called and len(called) <= 64
    assert question.says("(number 777) wants in as bob.")


# ---------------------------------------------------------------- with a policy

def test_with_a_policy_it_is_one_of_its_users(ruled, target):
    missing = ruled.pamctl("user", "invite", "eve")
    assert missing.returncode == 1 and f"The policy has no user eve: write one into {ruled.policy} first" in missing.stderr
    assert ruled.pamctl("user", "invite", "no name").returncode == 2
    knock(ruled, invite(ruled, "bob"))
    question, other = card(ruled), card(ruled, ADMIN)
    assert not ruled.api.all_messages(FRIEND), "an approver is no administrator"
    # whoever is none, presses in vain, below a message of their own
    since = ruled.api.mark()
    ruled.api.say(FRIEND, "/help")
    own = ruled.api.wait_message("/ssh", PATIENCE, since, FRIEND)
    data = question.button("Let in")["callback_data"]
    reply = ruled.api.wait_answer(ruled.api.tap(FRIEND, own, "Let in", data=data))
    assert reply["text"] == "Only an administrator can do that." and reply["show_alert"]
    theirs = ruled.api.all_messages(NEWCOMER)[-1]
    ruled.api.tap(NEWCOMER, theirs, "Let in", data=data)    # nor themselves: they are not even answered
    stays(lambda: question.buttons, 0.5)
    since = ruled.api.mark()
    assert press(ruled, ADMIN, other, "Let in") == "Let in."
    for message in question, other:
        ruled.api.wait(lambda: message.says("was let in as bob, by anna.") and not message.buttons, PATIENCE)
    ruled.api.wait_message("You are in", PATIENCE, since, NEWCOMER)
    # a press that was under way, on the other's phone
    reply = ruled.api.wait_answer(ruled.api.tap(OWNER, question, "No", data=data.replace("letin", "turnaway")))
    assert reply["text"] == "Too late: somebody has already let them in." and reply["show_alert"]
    reply = ruled.api.wait_answer(ruled.api.tap(OWNER, question, "No", data="letin:aaaaaaaa"))
    assert reply["text"].startswith("This question is over.")
    # bob's rules, and his name
    ruled.ssh("office-pc", NEWCOMER)
    since = ruled.api.mark()
    ruled.api.say(NEWCOMER, "/ssh 127.0.0.2")
    ruled.api.wait_message("You may not reach", PATIENCE, since, NEWCOMER)
    bob = users(ruled)["bob"]
    assert bob["from"] == "policy" and bob["line"] == 5 and [a["account"] for a in bob["accounts"]] == ["telegram:777"]
    # one more account of carl's
    knock(ruled, invite(ruled, "carl"), OTHER)
    press(ruled, OWNER, card(ruled, since=since), "Let in")
    eventually(lambda: len(users(ruled)["carl"]["accounts"]) == 2, "it is bound")


def test_an_administrator_to_be_is_announced_as_one_and_is_one(ruled, target):
    knock(ruled, invite(ruled, "dora"), name="Dora")
    question = card(ruled)
    assert question.says("⚠️ That user is an administrator.")
    press(ruled, OWNER, question, "Let in")
    eventually(lambda: users(ruled)["dora"]["accounts"], "she is in")
    # she is asked from now on
    since = ruled.api.mark()
    knock(ruled, invite(ruled, "bob"), OTHER)
    assert press(ruled, NEWCOMER, card(ruled, NEWCOMER, since), "Let in") == "Let in."
    eventually(lambda: users(ruled)["bob"]["accounts"], "he is in, by dora's word")
    assert users(ruled)["bob"]["accounts"][0]["by"] == f"telegram:{NEWCOMER}"


def test_who_is_taken_out_of_the_policy_loses_what_an_invitation_gave(ruled, target):
    knock(ruled, invite(ruled, "bob"))
    press(ruled, OWNER, card(ruled), "Let in")
    eventually(lambda: users(ruled)["bob"]["accounts"], "he is in")
    message = ruled.ssh("office-pc", NEWCOMER)
    text = ruled.policy.read_text()
    pending = invite(ruled, "carl")
    knock(ruled, pending, OTHER)
    question = ruled.api.wait(lambda: [m for m in ruled.api.all_messages(OWNER) if m.buttons], PATIENCE)[-1]
    ruled.policy.write_text(re.sub(r"  bob: .*\n|  carl: .*\n", "", text))
    ruled.vps.reload()
    ruled.api.wait(lambda: message.says("access was taken away"), PATIENCE)
    assert users(ruled)["bob"]["expired"] and "bob   telegram:777" in re.sub(r" +", "   ", ruled.pamctl("user", "list").stdout)
    assert "not in the policy: has no access" in ruled.pamctl("user", "list").stdout
    # nor does the link for carl let in anybody any more
    assert press(ruled, OWNER, question, "Let in") == "Too late: nobody can come in by this link any more."
    ruled.api.wait(lambda: question.says("the policy has no such user any more"), PATIENCE)
    since = ruled.api.mark()
    ruled.api.say(NEWCOMER, "/ssh office-pc")
    ruled.vps.wait_log("user 777 ignored: from a user who is not in the policy")
    assert not [m for m in ruled.api.all_messages(NEWCOMER, since) if m.says("is ready")]
    ruled.policy.write_text(text)
    ruled.vps.reload()
    ruled.ssh("office-pc", NEWCOMER)


# ---------------------------------------------------------------- going

def test_who_is_removed_loses_the_session_and_is_told(world, target):
    knock(world, invite(world, "bob"))
    press(world, OWNER, card(world), "Let in")
    message = world.ssh(target.name, NEWCOMER)
    mine = world.ssh(target.name, OWNER)
    session = [s for s in world.sessions() if s["owner"] == "telegram:777"][0]
    client = peers.dial(session["public_port"])
    client.sendall(peers.BANNER)
    world.wait_state(session["id"], "connected")
    result = world.pamctl("user", "remove", "bob")
    assert result.stdout == "bob is removed, and so is 1 session.\n", result
    world.api.wait(lambda: message.says("access was taken away"), PATIENCE)
    assert not [s for s in world.sessions() if s["owner"] == "telegram:777" and s["state"] != "ended"]
    assert mine.button("Close"), "the others go on"
    since = world.api.mark()
    world.api.say(NEWCOMER, f"/ssh {target.name}")
    world.api.wait_message("This bot is private", PATIENCE, since, NEWCOMER)
    eventually(lambda: not kept(world, "member"), "nothing is left")
    client.close()
    gone = world.pamctl("user", "remove", "bob")
    assert gone.returncode == 1 and "Nobody called bob is in" in gone.stderr


def test_all_of_it_is_in_the_audit(world):
    knock(world, invite(world, "bob"))
    press(world, OWNER, card(world), "Let in")
    eventually(lambda: "bob" in users(world), "bob is in")
    since = world.api.mark()
    knock(world, invite(world, "berta"), OTHER, "Berta")
    press(world, OWNER, card(world, since=since), "No")
    world.pamctl("user", "remove", "bob")
    def look():
        with sqlite3.connect(f"file:{world.state_dir}/state.db?mode=ro", uri=True) as file:
            found = file.execute("SELECT what, person, body FROM audit WHERE what LIKE 'people.%' ORDER BY seq").fetchall()
        return found if len(found) == 5 else None
    rows = eventually(look, "five rows")
    assert [(what, person or None) for what, person, _ in rows] == [
        ("people.invited", None), ("people.let_in", "telegram:777"), ("people.invited", None),
        ("people.denied", "telegram:778"), ("people.removed", "telegram:777")]
    bodies = [json.loads(body) for _, _, body in rows]
    assert [body["name"] for body in bodies] == ["bob", "bob", "berta", "berta", "bob"]
    assert [body["by"] for body in bodies] == [f"uid:{os.getuid()}", f"telegram:{OWNER}", f"uid:{os.getuid()}",
                                               f"telegram:{OWNER}", f"uid:{os.getuid()}"]


def test_those_of_a_file_are_removed_there(world, ruled):
    result = world.pamctl("user", "remove", str(FRIEND))
    assert result.returncode == 1
    assert f"{FRIEND} is in ALLOWED_USERS: take the number out of the env file" in result.stderr
    assert world.pamctl.json("user", "remove", str(FRIEND), ok=False)["error"] == "in_settings"
    result = ruled.pamctl("user", "remove", "carl")
    assert result.returncode == 1 and f"carl is in the policy, {ruled.policy}:4, which only its file changes" in result.stderr
    # what was bound goes, what stands in the file stays
    knock(ruled, invite(ruled, "carl"), OTHER)
    press(ruled, OWNER, card(ruled), "Let in")
    eventually(lambda: len(users(ruled)["carl"]["accounts"]) == 2, "it is bound")
    assert ruled.pamctl("user", "remove", "carl").stdout == (
        "carl is removed.\nThe policy still lets carl in, by the accounts that stand there.\n")
    assert [a["account"] for a in users(ruled)["carl"]["accounts"]] == [f"telegram:{FRIEND}"]


# ---------------------------------------------------------------- what is printed, and when it cannot be

def test_the_code_says_what_the_link_says(world, folder):
    """As somebody's phone reads it from the terminal."""
    result = subprocess.run([program("pamctl"), "user", "invite", "bob"], capture_output=True, text=True,
                            env=environment({"STATE_DIR": world.state_dir}) | {"LC_ALL": "C.UTF-8"})
    link = result.stdout.splitlines()[0]
    assert LINK.fullmatch(link) and result.returncode == 0
    assert "▀" in result.stdout or "█" in result.stdout or "▄" in result.stdout
    assert "Give the link to bob, or have the code scanned. It works once, until" in result.stdout
    reply = world.pamctl.json("user", "invite", "berta")
    assert LINK.fullmatch(reply["link"]) and 3500 < reply["until"] - time.time() <= 3600 and reply["user"] == "berta"


def test_nobody_is_invited_where_nobody_could_come():
    with World(bot=False) as world:
        reply = world.pamctl.json("user", "invite", "bob", ok=False)
        assert reply["message"].startswith("There is no bot to come to")
        assert world.pamctl("user", "list").stdout == "Nobody is let in through the chat.\n"


def test_somebody_has_to_be_asked(folder):
    path = folder / "policy.yaml"
    path.write_text(f"users:\n  alice: {{uid: {os.getuid()}, roles: administrator}}\n  bob: {{telegram: 43}}\nrules: []\n")
    path.chmod(0o600)
    with World(vps={"ALLOWED_USERS": None, "POLICY_FILE": path}) as world:
        reply = world.pamctl.json("user", "invite", "bob", ok=False)
        assert reply["error"] == "no_administrator"
        assert "none of the policy's has a telegram number" in reply["message"]
