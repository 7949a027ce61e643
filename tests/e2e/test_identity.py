"""Who the target is: pinned, shown, and asked about when it shows something else. Real sshd, real ssh."""

import json
import re
import subprocess

import pytest

from agents import FRIEND, OWNER, World
from sshd import Sshd, ssh
from util import TIME_SCALE


@pytest.fixture
def world():
    with World(vps={"ADMIT": "auto", "RECONNECT_GRACE": 1, "ALLOWED_USERS": f"{OWNER},{FRIEND}"}) as world:
        yield world


def fingerprint(server):
    said = subprocess.run(["ssh-keygen", "-lf", str(server.folder / "host_key.pub")], capture_output=True, text=True)
    return said.stdout.split()[1]


def who_knows_nothing(server):
    """The configuration of a client that has never heard of the machine, and asks nobody."""
    config = server.client_config("127.0.0.1")
    (server.folder / "known_hosts").write_text("")
    return config


def wait(world, *words, chat=OWNER, since=0):
    return world.api.wait_message(lambda m: m.says(*words), 15 * TIME_SCALE, since, chat)


def press(world, message, label, person=OWNER):
    return world.api.wait_answer(world.api.tap(person, message, label))["text"]


def gateway_forgets(world):
    """What it has seen is in its memory alone."""
    world.gateway.stop()
    world.gateway.start()
    world.ready()


def both_start(world):
    """So that the bot may write to them."""
    for person in (OWNER, FRIEND):
        world.api.say(person, "/start")
        world.api.wait(lambda person=person: world.api.all_messages(person), 10 * TIME_SCALE, "a greeting")


def test_ssh_knows_the_key_without_a_question_and_refuses_another(world):
    with Sshd() as server, Sshd() as impostor:
        live = world.ssh(server.name)
        assert live.says("Host key, seen for the first time: ED25519", fingerprint(server)), live
        command = live.code[0]
        assert len(command) <= 256 and live.button("copy")["copy_text"]["text"] == command
        result = ssh(command, who_knows_nothing(server), "echo", "in")
        assert result.stdout == b"in\n", result
        # The same line, and another machine answers: it fails, and loudly.
        elsewhere = re.sub(r"-p \d+", f"-p {impostor.port}", command)
        result = ssh(elsewhere, who_knows_nothing(impostor), "true")
        assert result.returncode == 255 and b"verification failed" in result.stderr, result
        # What this ssh does not know and its user told it to ignore stays ignored.
        config = who_knows_nothing(server)
        config.write_text("IgnoreUnknown UseKeychain\nUseKeychain yes\nHashKnownHosts yes\n" + config.read_text())
        assert ssh(command, config, "echo", "in").stdout == b"in\n"
        again = world.ssh(server.name)
        assert again.says(fingerprint(server), "known since 20")
        press(world, again, "scp, config")
        again = wait(world, "for ~/.ssh/known_hosts", "-hostkey", fingerprint(server))
        public = (server.folder / "host_key.pub").read_text().split()
        assert f"127.0.0.1+{server.port} {public[0]} {public[1]}" in again.code


def test_one_look_a_day_is_all_that_the_machine_sees(world):
    with Sshd() as server:
        for _ in range(3):
            world.ssh(server.name)
            world.pamctl("close", world.newest_session()["id"])
        assert server.log.count("Connection from") == 1, server.log


def test_a_machine_that_shows_another_key_is_asked_about_first(world):
    with Sshd() as server:
        world.ssh(server.name)
        world.pamctl("close", world.newest_session()["id"])
        world.api.say(FRIEND, "/start")
        hello = world.api.wait_message("nothing stays open afterwards", chat=FRIEND)
        old = fingerprint(server)
        server.process.terminate()
        server.process.wait(10)
        with Sshd(port=server.port) as other:
            gateway_forgets(world)
            for _ in range(2):
                since = world.api.mark()
                world.api.say(OWNER, f"/ssh {other.name}")
                card = wait(world, "could not be opened", "until you have said", since=since)
                question = wait(world, "shows another host key than the one known since", old, fingerprint(other), since=since)
                assert not card.code and not card.button("copy")
            assert other.log.count("Connection from") == 1, "it was looked at just now"
            wait(world, "the question is further down now")
            assert len([m for m in world.api.all_messages(OWNER) if m.button("reinstalled")]) == 1
            data = question.button("reinstalled")["callback_data"]
            query = world.api.tap(FRIEND, hello, None, data)
            assert "administrator" in world.api.wait_answer(query)["text"], "it is not theirs"
            assert press(world, question, "Leave it") == "Left as it was."
            wait(world, "is not opened while it shows this", fingerprint(other), since=since)
            query = world.api.tap(FRIEND, hello, None, data)
            assert "This question is over" in world.api.wait_answer(query)["text"]

            since = world.api.mark()
            world.api.say(OWNER, f"/ssh {other.name}")
            question = wait(world, "shows another host key than the one known since", since=since)
            press(world, question, "reinstalled")
            wait(world, "can be opened again", fingerprint(other), since=since)
            live = world.ssh(other.name)
            assert live.says(fingerprint(other), "known since")
            assert ssh(live.code[0], who_knows_nothing(other), "true").returncode == 0
            new = fingerprint(other)
    records = [json.loads(line) for line in world.pamctl("audit", "--json").stdout.splitlines()]
    keys = [record for record in records if record["what"].startswith("key.")]
    assert [record["what"] for record in keys] == ["key.new", "key.changed", "key.changed", "key.left", "key.changed",
                                                    "key.accepted"]
    assert keys[-1]["text"] == new and keys[-1]["why"] == old


POLICY = """\
users:
  carl: {{telegram: 42}}
  root: {{telegram: 43, roles: administrator}}
targets:
  vault: {{gateway: lan, address: 127.0.0.1, ports: {{ssh: {port}}}}}
rules:
- {{who: "*", targets: vault, kinds: ssh}}
"""


def test_with_a_policy_an_administrator_decides_and_not_whose_session_it_was(folder):
    path = folder / "policy.yaml"
    with Sshd() as server:
        path.write_text(POLICY.format(port=server.port))
        path.chmod(0o600)
        with World(vps={"ADMIT": "auto", "POLICY_FILE": path, "ALLOWED_USERS": None}) as world:
            both_start(world)
            assert world.ssh("vault").says(fingerprint(server))
            world.pamctl("close", world.newest_session()["id"])
            server.process.terminate()
            server.process.wait(10)
            with Sshd(port=server.port) as other:
                gateway_forgets(world)
                for _ in range(2):
                    since = world.api.mark()
                    world.api.say(OWNER, "/ssh vault")
                    wait(world, "until an administrator has said", since=since)
                question = wait(world, "shows another host key than the one known since", fingerprint(other), chat=FRIEND)
                questions = [m for m in world.api.all_messages(FRIEND) if m.says("shows another host key")]
                assert len(questions) == 1, "who does not ask for it is not rung at each time"
                asked = [m for m in world.api.all_messages(OWNER) if m.button("reinstalled")]
                assert not asked, "it is not theirs to say"
                query = world.api.tap(OWNER, world.api.all_messages(OWNER)[0], None,
                                      question.button("reinstalled")["callback_data"])
                assert "administrator" in world.api.wait_answer(query)["text"]
                press(world, question, "reinstalled", FRIEND)
                wait(world, "can be opened again", fingerprint(other), chat=FRIEND)
                assert world.ssh("vault").says(fingerprint(other))
            records = [json.loads(line) for line in world.pamctl("audit", "--json").stdout.splitlines()]
            accepted = [record for record in records if record["what"] == "key.accepted"]
            assert len(accepted) == 1 and accepted[0]["by_name"] == "root", accepted
            assert any(record["what"] == "button.refused" for record in records)


def test_what_the_policy_says_no_button_overrides(folder):
    path = folder / "policy.yaml"
    with Sshd(keygen=("-t", "rsa", "-b", "2048"), second=("-t", "ed25519")) as server:
        path.write_text(POLICY.format(port=server.port).replace("127.0.0.1,", f"127.0.0.1, ssh_host_key: '{fingerprint(server)}',"))
        path.chmod(0o600)
        with World(vps={"ADMIT": "auto", "POLICY_FILE": path, "ALLOWED_USERS": None}) as world:
            both_start(world)
            live = world.ssh("vault")
            assert live.says("RSA", fingerprint(server)), "the one that is said, and not the better one"
            world.pamctl("close", world.newest_session()["id"])
            assert "; the policy says what it has to show" in world.pamctl("key", "list").stdout
            server.process.terminate()
            server.process.wait(10)
            with Sshd(port=server.port) as other:
                gateway_forgets(world)
                for _ in range(2):
                    since = world.api.mark()
                    world.api.say(OWNER, "/ssh vault")
                    card = wait(world, f"It shows {fingerprint(other)}, and has to show {fingerprint(server)} by the policy",
                                since=since)
                    assert not card.button("copy")
                    world.pamctl("key", "forget", f"127.0.0.1:{server.port}")   # is of no use to anybody
                assert not [m for m in world.api.all_messages(FRIEND) if m.button("reinstalled")]
                assert world.pamctl.json("key", "list")["doubts"] == []
                path.write_text(path.read_text().replace(fingerprint(server), fingerprint(other)))
                assert world.pamctl("reload").returncode == 0
                assert world.ssh("vault").says(fingerprint(other))


def test_while_the_server_is_locked_nothing_is_taken_over(world):
    with Sshd() as server:
        world.ssh(server.name)
    with Sshd(port=server.port) as other:
        gateway_forgets(world)
        world.api.say(OWNER, f"/ssh {other.name}")
        question = wait(world, "shows another host key than the one known since")
        world.pamctl("panic")
        wait(world, "The server was locked")
        assert "The server is locked, so nothing is taken over" in press(world, question, "reinstalled")
        world.pamctl("unlock")
        press(world, question, "reinstalled")
        assert world.ssh(other.name).says(fingerprint(other))


def test_a_machine_that_shows_nothing_any_more_is_refused_with_the_reason(world):
    with Sshd() as server:
        world.ssh(server.name)
        world.pamctl("close", world.newest_session()["id"])
    with Sshd(port=server.port, config="KexAlgorithms ecdh-sha2-nistp521\n"):
        gateway_forgets(world)
        world.api.say(OWNER, f"/ssh {server.name}")
        card = wait(world, "does not show the host key by which it is known", "but it has no key exchange that is known",
                    "pamctl key forget")
        assert not card.button("copy") and not [m for m in world.api.all_messages(OWNER) if m.button("reinstalled")]
        world.pamctl("key", "forget", server.name)
        assert world.ssh(server.name).code[0].startswith("ssh ")


def test_the_same_with_pamctl(world):
    with Sshd() as server:
        world.api.say(OWNER, "/start")      # who will be asked
        world.api.wait_message("nothing stays open afterwards", chat=OWNER)
        assert "No machine has shown a key yet" in world.pamctl("key", "list").stdout
        world.pamctl("ssh", server.name)
        listed = world.pamctl("key", "list").stdout
        assert f"lan/{server.name} (ssh)" in listed and f"ED25519 {fingerprint(server)}, known since 20" in listed
        old = fingerprint(server)
        server.process.terminate()
        server.process.wait(10)
        with Sshd(port=server.port) as other:
            gateway_forgets(world)
            refused = world.pamctl("ssh", other.name)
            assert refused.returncode == 1 and "until" in refused.stderr, refused
            listed = world.pamctl("key", "list").stdout
            assert f"then ED25519 {old}" in listed and f"now  ED25519 {fingerprint(other)}" in listed
            doubt, = world.pamctl.json("key", "list")["doubts"]
            assert "1 shows another key than before, and is not opened: pamctl key list" in world.pamctl("status").stdout
            assert world.pamctl.json("key", "accept", "nothing", ok=False)["error"] == "no_such_doubt"
            assert "can be opened again" in world.pamctl("key", "accept", doubt["id"]).stdout
            assert "another key" not in world.pamctl("status").stdout
            assert world.pamctl("ssh", other.name).returncode == 0
            assert "Forgotten" in world.pamctl("key", "forget", f"lan/{other.name}").stdout
            assert world.pamctl.json("key", "forget", f"lan/{other.name}", ok=False)["error"] == "not_known"
            assert world.pamctl("ssh", other.name).returncode == 0
    records = [json.loads(line) for line in world.pamctl("audit", "--json").stdout.splitlines()]
    assert [record["what"] for record in records if record["what"].startswith("key.")] == [
        "key.new", "key.changed", "key.accepted", "key.forgotten", "key.new"]


def test_the_key_outlives_a_restart(world):
    with Sshd() as server:
        world.ssh(server.name)
        world.vps.stop()
        world.vps.start()
        world.ready()
        assert world.ssh(server.name).says(fingerprint(server), "known since")
        assert server.log.count("Connection from") == 1, server.log
