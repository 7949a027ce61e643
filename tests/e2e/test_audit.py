"""The audit: what is recorded, that it is on the disk before anybody is told, and what becomes of
it when the disk is slow or full, when the agent is killed, and when somebody is at the file."""

import contextlib
import csv
import hashlib
import io
import json
import os
import pathlib
import random
import re
import shutil
import socket
import sqlite3
import subprocess
import threading
import time

import peers
import pytest
import sshd as openssh
import util
from agents import FRIEND, OWNER, Daemon, World, environment, port_of, program
from peers import BANNER, Recorder, dial, echo
from util import SANITIZED, TIME_SCALE, eventually, read_exactly

HERE = pathlib.Path(__file__).parent
AUTO = {"ADMIT": "auto", "RECONNECT_GRACE": 0}
COLUMNS = ("seq", "at", "what", "person", "target", "gateway", "session", "body", "prev", "hash")


@pytest.fixture
def target():
    with Recorder(echo) as recorder:
        yield recorder


def rows(world):
    """All that stands in the file, the oldest first."""
    with contextlib.closing(sqlite3.connect(world.state_dir / "state.db", timeout=10)) as file:
        found = file.execute(f"SELECT {', '.join(COLUMNS)} FROM audit ORDER BY seq").fetchall()
    return [dict(zip(COLUMNS, row)) | {"body": json.loads(row[7]), "stored": row[7]} for row in found]


def words(world, **of):
    return [row["what"] for row in rows(world) if all(row[key] == value for key, value in of.items())]


def wait_row(world, what, **of):
    def look():
        return [row for row in rows(world) if row["what"] == what and all(row[k] == v for k, v in of.items())]
    return eventually(look, f"{what} is recorded")[-1]


def hash_of(row):
    """As docs/audit.md says it."""
    pieces = [row["prev"], row["seq"].to_bytes(8, "big"), row["at"].to_bytes(8, "big")]
    for text in (row["what"], row["person"], row["target"], row["gateway"], row["session"], row["stored"]):
        data = (text or "").encode()
        pieces += [len(data).to_bytes(4, "big"), data]
    return hashlib.sha256(b"".join(pieces)).digest()


def is_chained(found):
    """Each row has the hash of the one before."""
    before = None
    for row in found:
        if hash_of(row) != row["hash"]:
            return False
        if before and (row["prev"] != before["hash"] or row["seq"] != before["seq"] + 1):
            return False
        before = row
    return True


# ---------------------------------------------------------------- what is recorded

def test_a_session_from_the_command_to_its_end(sshd):
    with World(vps=AUTO) as world:
        line = world.ssh(f"{openssh.USER}@{sshd.name}").code[0]
        session = world.newest_session()
        assert openssh.ssh(line, sshd.client_config("127.0.0.1"), "echo hello").stdout == b"hello\n"
        ended = wait_row(world, "session.ended", session=session["id"])
        mine = [row for row in rows(world) if row["session"] == session["id"]]
        assert [row["what"] for row in mine] == ["key.new", "session.opened", "session.admitted", "session.connected",
                                                 "session.ended"]
        key, *mine = mine
        assert key["body"]["text"].startswith("SHA256:")
        asked = wait_row(world, "session.asked")
        assert asked["seq"] < mine[0]["seq"]
        for row in [asked, *mine]:
            assert (row["person"], row["target"]) == (f"telegram:{OWNER}", sshd.name)
            assert abs(row["at"] / 1000 - time.time()) < 60 * TIME_SCALE
        opened = mine[0]["body"]
        assert opened["resolved"] == f"127.0.0.1:{sshd.port}" and opened["user"] == openssh.USER
        assert opened["public_port"] == port_of(line) == session["public_port"]
        assert mine[0]["gateway"] == "lan" and opened["kind"] == "ssh"
        assert mine[1]["body"]["word"] == "auto" and mine[1]["body"]["address"] == "127.0.0.1"
        end = ended["body"]
        assert end["word"] == "disconnected" and end["address"] == "127.0.0.1" and end["connections"] == 1
        assert end["to_target"] > 1000 and end["to_client"] > 1000 and "seconds" in end
        assert is_chained(rows(world))


def test_the_agent_its_gateways_and_its_settings(target):
    with World(bot=False, env_files=True) as world:
        world.vps.reload(SESSION_TIMEOUT=60)
        world.vps.reload(SESSION_TIMEOUT="soon")
        eventually(lambda: words(world).count("settings.reloaded") == 2, "both are recorded")
        assert "SESSION_TIMEOUT" in wait_row(world, "settings.reloaded")["body"]["why"]
        world.gateway.stop()
        gone = wait_row(world, "gateway.offline")
        assert gone["gateway"] == "lan"
        assert words(world) == ["agent.started", "gateway.online", "settings.reloaded", "settings.reloaded",
                                "gateway.offline"]
        world.vps.stop()
        assert words(world)[-1] == "agent.stopped"
        world.vps.write_settings(SESSION_TIMEOUT=60)
        world.vps.start()
        world.ready([])
        eventually(lambda: words(world)[-1] == "agent.started", "nobody waits for that one")
        found = rows(world)
        assert is_chained(found)
        assert re.fullmatch(r"\d+\.\d+.*", found[0]["body"]["text"])
        changes = next(row for row in found if row["what"] == "settings.reloaded")["body"]["text"]
        assert "SESSION_TIMEOUT" in changes


def test_what_is_refused_says_why_and_strangers_are_summed_up(target):
    with World(bot=False, vps={"RECONNECT_GRACE": 0}) as world:
        assert world.pamctl("ssh", "nowhere.invalid").returncode == 1
        refused = wait_row(world, "session.refused")
        assert refused["body"]["word"] == "refused" and "unknown name" in refused["body"]["why"]
        assert refused["gateway"] == "lan" and refused["session"]
        assert world.pamctl("ssh", "paper/HOME-PC").returncode == 1
        refused = wait_row(world, "session.refused", gateway="paper")
        assert refused["session"] is None and "paper" in refused["body"]["why"]
        session = world.pamctl.json("ssh", target.name)["session"]
        for _ in range(5):
            with dial(session["public_port"]) as stranger:
                stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
                assert stranger.recv(1) == b""
        world.pamctl("close", session["id"])
        visitors = wait_row(world, "session.visitors", session=session["id"])
        assert visitors["body"]["word"] == "unfit" and visitors["body"]["count"] == 5
        assert wait_row(world, "session.ended", session=session["id"])["body"]["word"] == "closed"


def test_a_command_that_waits_for_its_gateway_is_refused_once(target):
    with World(start_gateways=False) as world:
        world.api.say(OWNER, f"/ssh {target.name}")
        wait_row(world, "session.refused")
        time.sleep(2.5)
        world.gateway.start()
        world.ready(["lan"])
        world.vps.take_baseline()
        world.api.wait_message(lambda m: m.code and m.code[0].startswith("ssh "), 20 * TIME_SCALE, chat=OWNER)
        found = [word for word in words(world) if word.startswith("session")]
        assert found == ["session.asked", "session.refused", "session.opened"]


# ---------------------------------------------------------------- first the disk, then the people

@pytest.fixture(scope="session")
def turns(tmp_path_factory):
    library = tmp_path_factory.mktemp("turns") / "turns.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, HERE / "turns.c"], check=True)
    return library


@pytest.mark.skipif(SANITIZED, reason="a sanitizer wants to be the first to be loaded")
def test_what_is_said_is_on_the_disk_and_the_loop_does_not_wait_for_that(target, turns, tmp_path):
    longest = tmp_path / "longest"
    slow = {"LD_PRELOAD": turns, "TURNS_FILE": longest, "TURNS_SYNC_MS": 200, "SANDBOX": "off"}
    with World(vps={**AUTO, **slow}) as world:
        began = time.monotonic()
        message = world.ssh(target.name)
        took = time.monotonic() - began
        assert "session.opened" in words(world)
        assert took >= 0.2, f"the card was there after {took:.3f} s"
        session = world.newest_session()
        client = dial(port_of(message.code[0]))
        client.sendall(BANNER)
        assert read_exactly(client, len(BANNER)) == BANNER
        query = world.api.tap(OWNER, message, "Close")
        world.api.wait_answer(query)
        assert "session.ended" in words(world, session=session["id"])
        reply = world.pamctl.json("ssh", target.name)
        assert "session.opened" in words(world, session=reply["session"]["id"])
        began = time.monotonic()
        world.pamctl.json("close", reply["session"]["id"])
        assert time.monotonic() - began >= 0.2
        assert "session.ended" in words(world, session=reply["session"]["id"])
        client.close()
        stopped = int(longest.read_text()) if longest.exists() else 0
        assert stopped < 100_000, f"the loop stood still for {stopped} us: it waits for the disk"


# ---------------------------------------------------------------- pamctl audit

def lines(world, *args):
    result = world.pamctl("audit", *args)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def records(world, *args):
    return [json.loads(line) for line in lines(world, "--json", *args)]


def test_pamctl_prints_what_is_in_the_file(target):
    with World(bot=False, vps={"RECONNECT_GRACE": 0}) as world:
        for _ in range(30):    # more than a page
            session = world.pamctl.json("ssh", target.name)["session"]
            world.pamctl("close", session["id"])
        found, stored = records(world), rows(world)
        assert len(found) == len(stored) > 64
        for record, row in zip(found, stored):
            assert (record["seq"], record["at_ms"], record["what"]) == (row["seq"], row["at"], row["what"])
            assert record["hash"] == row["hash"].hex()
            for key in ("person", "target", "gateway", "session"):
                assert record.get(key) == row[key]
            assert row["body"].items() <= record.items()
            assert 0 <= record["severity"] <= 10 and record["message"]
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["time"])
        people = lines(world)
        assert len(people) == len(stored)
        opened = next(line for line in people if "session.opened" in line)
        assert f"uid:{os.getuid()}" in opened and f"ssh lan/{target.name}" in opened


def test_who_where_and_when(target):
    with World(vps=AUTO, gateways=("home", "office")) as world:
        for user, gateway in ((OWNER, "home"), (FRIEND, "office"), (OWNER, "office")):
            world.api.tap(user, world.ssh(f"{gateway}/{target.name}", user), "Close")
            wait_row(world, "session.ended", person=f"telegram:{user}", gateway=gateway)

        def ended(*args):
            return [(record["person"], record["gateway"]) for record in records(world, *args)
                    if record["what"] == "session.ended"]
        mine, friends = f"telegram:{OWNER}", f"telegram:{FRIEND}"
        assert ended() == [(mine, "home"), (friends, "office"), (mine, "office")]
        assert ended("--user", mine) == ended("--user", str(OWNER)) == [(mine, "home"), (mine, "office")]
        assert ended("--gateway", "Office") == [(friends, "office"), (mine, "office")]
        assert ended("--user", friends, "--gateway", "home") == []
        host = target.name.rpartition(":")[0]
        assert len(ended("--target", target.name)) == len(ended("--target", host)) == 3
        assert len(ended("--target", f"home/{host}")) == 1
        assert ended("--target", f"{host}:1") == ended("--target", "127.0.0") == []
        today = time.strftime("%Y-%m-%d", time.gmtime())
        assert len(ended("--since", "1h")) == len(ended("--since", today, "--until", today)) == 3
        crossed = world.pamctl("audit", "--since", "2026-01-02", "--until", "2026-01-01")
        assert crossed.returncode == 2 and "--since is not before --until" in crossed.stderr
        assert ended("--until", "1969-12-31") == []
        assert ended("--until", "2026-01-01") == ended("--since", "2099-01-01 00:00") == []
        middle = records(world, "--user", friends)[0]["time"]
        assert ended("--since", middle) == [(friends, "office"), (mine, "office")]
        unknown = world.pamctl("audit", "--user", "nobody")
        assert unknown.returncode == 2 and "Nobody is called nobody" in unknown.stderr
        for wrong in ("yesterday", "2026-02-30", "7", "26-11-2026", "2026-11-26 25:00"):
            result = world.pamctl("audit", "--since", wrong)
            assert result.returncode == 2 and "--since takes" in result.stderr, wrong


def test_follow_goes_on_with_what_happens(target):
    with World(bot=False, vps={"RECONNECT_GRACE": 0}) as world:
        world.pamctl.json("ssh", target.name)
        world.close_all()
        argv = [program("pamctl"), "audit", "--follow", "--json"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment({"STATE_DIR": world.state_dir}), text=True) as pamctl:
            time.sleep(1)
            session = world.pamctl.json("ssh", target.name)["session"]
            seen = []
            while not seen or seen[-1]["what"] != "session.opened":
                seen.append(json.loads(pamctl.stdout.readline()))
            assert [record["what"] for record in seen] == ["session.asked", "session.opened"]
            assert seen[-1]["session"] == session["id"]
            world.vps.stop()
            rest = [json.loads(line) for line in pamctl.stdout]
            assert pamctl.wait() == 1 and rest[-1]["error"] == "unreachable"
            assert "vps-agent has stopped, or was restarted" in rest[-1]["message"]


HOSTILE = "\u202egnp.exe\u2028\x1b]0;owned\x07\x9b2J\r\nCEF:0|x"


def test_words_that_somebody_wrote_to_the_file_do_nothing_to_who_reads_them(target):
    with World(bot=False, vps={"RECONNECT_GRACE": 0}) as world:
        eventually(lambda: any(row["what"] == "gateway.online" for row in records(world)), "all of the start is recorded")
        body = json.dumps({"name": " =1+1", "why": "＝1+1", "text": HOSTILE, "hash": "00"}, ensure_ascii=False)
        with contextlib.closing(sqlite3.connect(world.state_dir / "state.db")) as file:
            file.execute("INSERT INTO audit(seq, at, what, person, target, body, prev, hash) VALUES"
                         "((SELECT max(seq) + 1 FROM audit), 9223372036854775806, ?, ?, ?, ?, x'', x'')",
                         ("session.ended\x1b[2J", "telegram:1\u200b", "[::1]:22\n", body))
            file.commit()
        for form in (("--json",), ("--csv",), ("--cef",), ()):
            shown = world.pamctl("audit", *form).stdout
            assert not any(bad in shown for bad in "\u202e\u2028\x1b\x07\x9b\u200b"), form
            assert len(shown.replace("\r\n", "\n").splitlines()) == len(records(world)) + (form == ("--csv",))
        row = records(world)[-1]
        assert row["text"] == HOSTILE and "hash" not in row, "as it stands there"
        table = list(csv.DictReader(io.StringIO(world.pamctl("audit", "--csv").stdout, newline=""), strict=True))
        assert table[-1]["name"] == "' =1+1" and table[-1]["why"] == "'＝1+1"
        assert world.pamctl("report", "--until", "9999-12-31", "--out", world.folder / "report.html").returncode == 0
        assert verify(world)[0] == "torn"


def test_whoever_only_looks_does_not_wait_for_the_disk(target):
    """Somebody is at the file, so that nothing is recorded for a while; what asks for a session waits for that."""
    with World(bot=False, vps={"RECONNECT_GRACE": 0}) as world:
        with contextlib.closing(sqlite3.connect(world.state_dir / "state.db", isolation_level=None)) as file:
            file.execute("BEGIN IMMEDIATE")
            argv = [program("pamctl"), "ssh", target.name, "--json"]
            with subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment({"STATE_DIR": world.state_dir})) as pamctl:
                time.sleep(0.5)
                began = time.monotonic()
                assert world.pamctl("status").returncode == 0 and records(world)
                assert time.monotonic() - began < 1 * TIME_SCALE
                assert pamctl.poll() is None
                file.execute("ROLLBACK")
                assert pamctl.wait() == 0
        world.close_all()


def test_who_follows_is_told_of_a_file_that_was_begun_anew(target):
    """Its records begin with the number 1 again, far below the last one that was shown."""
    with World(bot=False, vps={"RECONNECT_GRACE": 0}) as world:
        for _ in range(3):
            world.pamctl.json("ssh", target.name)
            world.close_all()
        argv = [program("pamctl"), "audit", "--follow", "--json"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment({"STATE_DIR": world.state_dir}), text=True) as pamctl:
            time.sleep(1)
            (world.state_dir / "state.db").unlink()
            world.pamctl.json("ssh", target.name)
            seen = [json.loads(pamctl.stdout.readline()) for _ in range(3)]
            assert [record["what"] for record in seen] == ["audit.begun", "session.asked", "session.opened"]
            assert seen[0]["seq"] == 1
            pamctl.terminate()
        world.close_all()


def test_a_name_finds_what_was_recorded_under_it(tmp_path, target):
    """Also when the account is somebody else's by now, and when the name is not in the policy any more."""
    policy = tmp_path / "policy.yaml"

    def people(**accounts):
        users = "".join(f"  {name}: {{telegram: {number}}}\n" for name, number in accounts.items())
        policy.write_text(f"users:\n{users}rules:\n  - {{who: '*', targets: '*', kinds: '*'}}\n")

    def found(name):
        return [row["person"] for row in records(world, "--user", name) if row["what"] == "session.ended"]
    people(anna=OWNER, bert=FRIEND)
    with World(vps=AUTO | {"POLICY_FILE": str(policy), "ALLOWED_USERS": ""}) as world:
        world.api.tap(OWNER, world.ssh(target.name, OWNER), "Close")
        wait_row(world, "session.ended", person=f"telegram:{OWNER}")
        people(anna=FRIEND, carla=OWNER)
        world.pamctl.json("reload")
        world.api.tap(FRIEND, world.ssh(target.name, FRIEND), "Close")
        wait_row(world, "session.ended", person=f"telegram:{FRIEND}")
        assert found("Anna") == [f"telegram:{OWNER}", f"telegram:{FRIEND}"]
        assert found("carla") == [f"telegram:{OWNER}"], "whatever its name was then"
        people(bert=FRIEND)
        world.pamctl.json("reload")
        assert found("anna") == [f"telegram:{OWNER}", f"telegram:{FRIEND}"]
        assert "Nobody is called dora" in world.pamctl("audit", "--user", "dora").stderr


def test_forms_for_other_programs(target):
    """Strictly read, with words in it that would be formulas, fields or lines of their own."""
    with World(vps=AUTO) as world:
        world.api.say(OWNER, "/ssh -x@nowhere.invalid")
        world.api.say(OWNER, '/ssh "=cmd|x"@nowhere.invalid why: =1+1, "so", | = \\ done')
        world.api.tap(OWNER, world.ssh(target.name), "Close")
        wait_row(world, "session.ended")
        expected = records(world)

        table = csv.reader(io.StringIO(world.pamctl("audit", "--csv").stdout, newline=""), strict=True)
        heading, *cells = list(table)
        assert len(cells) == len(expected) and all(len(line) == len(heading) for line in cells)
        for record, line in zip(expected, cells):
            for name, cell in zip(heading, line):
                value = str(record.get(name, ""))
                assert cell == ("'" + value if value[:1] in "=+-@" and value else value)
                assert not cell or cell[0] not in "=+-@"
        raw = subprocess.run([program("pamctl"), "audit", "--csv"], env=environment({"STATE_DIR": world.state_dir}),
                             stdout=subprocess.PIPE, check=True).stdout
        assert all(line.endswith(b"\r") for line in raw.split(b"\n")[:-1])

        for record, line in zip(expected, lines(world, "--cef"), strict=True):
            header, extension = read_cef(line)
            assert header[:3] == ["CEF:0", "pamtunnel", "vps-agent"]
            assert header[4:] == [record["what"], record["message"], str(record["severity"])]
            assert extension["rt"] == str(record["at_ms"]) and extension["externalId"] == str(record["seq"])
            for key, name in (("person", "suser"), ("why", "reason"), ("text", "msg"), ("session", "cs1"),
                              ("hash", "cs4"), ("to_target", "in"), ("address", "src")):
                assert extension.get(name) == (str(record[key]) if key in record else None)
        result = world.pamctl("audit", "--csv", "--cef")
        assert result.returncode == 2 and "choose one" in result.stderr


def read_cef(line):
    """A line of Common Event Format: its seven fields, and what follows. Strict."""
    header = []
    for _ in range(7):
        field = re.match(r"((?:[^\\|]|\\[\\|])*)\|", line)
        assert field, line
        header.append(re.sub(r"\\(.)", r"\1", field[1]))
        line = line[field.end():]
    extension = {}
    pattern = re.compile(r"(\w+)=((?:[^\\=]|\\[\\=nr])*?)(?= \w+=|$)")
    while line:
        field = pattern.match(line)
        assert field and field[1] not in extension, line
        extension[field[1]] = re.sub(r"\\([\\=])", r"\1", field[2])
        line = line[field.end():].removeprefix(" ")
    return header, extension


# ---------------------------------------------------------------- the chain, and what is noted elsewhere

def verify(world, *anchor):
    result = world.pamctl("audit", "verify", *anchor, "--json")
    reply = json.loads(result.stdout)
    assert (result.returncode == 0) == (reply.get("verdict") == "whole"), result
    people = world.pamctl("audit", "verify", *anchor)
    assert people.returncode == result.returncode and "records hold together" in people.stdout
    return reply["verdict"], people.stdout


def at_the_file(world, statement, *values):
    """Somebody who can write the file, and knows how to do that beside the agent."""
    with contextlib.closing(sqlite3.connect(world.state_dir / "state.db", timeout=10)) as file:
        file.execute("DROP TRIGGER IF EXISTS audit_stays")
        file.execute(statement, values)
        file.commit()


def three_sessions(world, target):
    for _ in range(3):
        session = world.pamctl.json("ssh", target.name)["session"]
        world.pamctl("close", session["id"])
    wait_row(world, "session.ended", session=session["id"])
    return verify_head(world)


def verify_head(world):
    head = world.pamctl.json("audit", "verify")["head"]
    return str(head["seq"]), head["hash"]


def test_verify_says_what_was_changed(target):
    with World(bot=False, vps={"RECONNECT_GRACE": 0}) as world:
        seq, digest = three_sessions(world, target)
        assert verify(world)[0] == "whole"
        verdict, words = verify(world, seq, digest)
        assert verdict == "whole" and "nothing up to it was changed" in words
        verdict, words = verify(world, f"#{int(seq) - 2}", rows(world)[int(seq) - 3]["hash"].hex()[:16])
        assert verdict == "whole" and "The 2 after it are not proven" in words
        copy = world.folder / "older.db"
        assert world.pamctl("backup", copy).returncode == 0
        for wrong in ((seq,), (seq, digest[:6]), (seq, "x" * 32), ("0", digest), ("a", digest)):
            assert world.pamctl("audit", "verify", *wrong).returncode == 2
        assert verify(world, seq, "0" * 32)[0] == "anchor_differs"
        # A word of it.
        at_the_file(world, "UPDATE audit SET person='telegram:43' WHERE seq=4")
        verdict, words = verify(world, seq, digest)
        assert verdict == "altered" and "#4 was changed" in words
        at_the_file(world, "UPDATE audit SET person=? WHERE seq=4", f"uid:{os.getuid()}")
        assert verify(world, seq, digest)[0] == "whole"
        # One of them.
        at_the_file(world, "DELETE FROM audit WHERE seq=5")
        verdict, words = verify(world)
        assert verdict == "torn" and "#6 does not follow" in words
        # Its end.
        at_the_file(world, "DELETE FROM audit WHERE seq>=5")
        assert verify(world)[0] == "whole"      # as docs/audit.md says: nothing is proven without an anchor
        verdict, words = verify(world, seq, digest)
        assert verdict == "anchor_missing" and "the end was cut off" in words
        # Its beginning.
        at_the_file(world, "DELETE FROM audit WHERE seq<3")
        assert verify(world)[0] == "headless"
        # An older copy in its place.
        world.vps.stop()
        for name in ("state.db-wal", "state.db-shm"):
            (world.state_dir / name).unlink(missing_ok=True)
        shutil.copy(copy, world.state_dir / "state.db")
        world.vps.start()
        world.ready()
        assert verify(world, seq, digest)[0] == "whole"
        world.pamctl.json("ssh", target.name)
        assert verify(world, *verify_head(world))[0] == "whole"


def test_heads_are_in_the_chat(target):
    with World(vps=AUTO) as world:
        message = world.ssh(target.name)
        world.api.tap(OWNER, message, "Close")
        world.api.wait(lambda: message.says("has ended"), 10 * TIME_SCALE, "the end")
        seq, digest = re.search(r"Audit #(\d+) ([0-9a-f]{32})", message.text).groups()
        verdict, words = verify(world, seq, digest)
        assert verdict == "whole" and int(seq) >= wait_row(world, "session.ended")["seq"], "it has that of its own end"


def test_a_backup_is_whole_and_can_be_restored(target):
    with World(bot=False, vps={"RECONNECT_GRACE": 0}) as world:
        seq, digest = three_sessions(world, target)
        file = world.folder / "backup"
        result = world.pamctl("backup", file)
        assert result.returncode == 0 and "keys among it" in result.stdout, result.stderr
        assert file.stat().st_mode & 0o777 == 0o600
        assert sorted(path.name for path in world.state_dir.iterdir() if "backup" in path.name) == []
        again = world.pamctl("backup", file)
        assert again.returncode == 1 and "--force" in again.stderr
        assert world.pamctl("backup", file, "--force").returncode == 0
        assert world.pamctl("backup", world.folder / "no" / "where").returncode == 1
        # Not onto the file that is copied, by whatever name, and nothing of somebody else's on the way.
        linked = world.folder / "linked"
        linked.symlink_to(world.state_dir / "state.db")
        for live in (world.state_dir / "state.db", world.state_dir / "state.db-wal", linked):
            result = world.pamctl("backup", live, "--force")
            assert result.returncode == 1 and "works with" in result.stderr
        assert world.vps.count_log("removed or replaced") == 0
        mine = world.folder / "backup.part"
        mine.write_text("mine")
        assert world.pamctl("backup", file, "--force").returncode == 0 and mine.read_text() == "mine"
        file.unlink()
        with open(file, "ab") as out:       # >>, which sendfile(2) does not take
            subprocess.run([program("pamctl"), "--socket", world.state_dir / "pamtunnel.sock", "backup", "-"],
                           stdout=out, timeout=20 * TIME_SCALE, check=True)
        file.chmod(0o600)
        world.vps.stop()
        for path in world.state_dir.glob("state.db*"):
            path.unlink()
        shutil.copy(file, world.state_dir / "state.db")
        world.vps.start()
        world.ready()
        assert verify(world, seq, digest)[0] == "whole"


def test_old_records_are_removed_and_what_is_left_verifies(target):
    with World(bot=False, env_files=True, vps={"RECONNECT_GRACE": 0}) as world:
        seq, digest = three_sessions(world, target)
        three_sessions(world, target)
        world.vps.stop()
        long_ago = int((time.time() - 10 * 86400) * 1000)
        *_, yesterday, today = (row["seq"] for row in rows(world))
        recent = {yesterday: int((time.time() - 86400) * 1000) - 60000, today: int(time.time() * 1000)}
        rewrite(world, lambda row: {**row, "at": recent.get(row["seq"], long_ago + row["seq"])})
        world.vps.write_settings(AUDIT_DAYS=5)
        world.vps.start()
        world.ready()
        pruned = wait_row(world, "audit.pruned")
        assert pruned["body"]["rows"] >= int(seq) and words(world)[0] in ("agent.started", "session.ended", "audit.pruned")
        assert verify(world)[0] == "whole"
        assert verify(world, seq, digest)[0] == "anchor_pruned"


def rewrite(world, change):
    """The whole chain anew, as somebody could who has the file."""
    found, before = rows(world), bytes(32)
    with contextlib.closing(sqlite3.connect(world.state_dir / "state.db")) as file:
        file.execute("DROP TRIGGER audit_stays")
        for row in map(change, found):
            digest = hash_of({**row, "prev": before})
            file.execute("UPDATE audit SET at=?, prev=?, hash=? WHERE seq=?", (row["at"], before, digest, row["seq"]))
            before = digest
        file.commit()


# ---------------------------------------------------------------- a full disk, and kill -9

@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of its own."""
    if os.geteuid() != 0:
        pytest.skip("mounts a file system")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


def fill(folder):
    with contextlib.suppress(OSError), open(folder / "filler", "wb", buffering=0) as out:
        while out.write(bytes(4096)):
            pass


def test_a_full_disk_opens_nothing_new_and_recovers_by_itself(target, small_disk):
    state = small_disk / "state"
    state.mkdir(mode=0o700)
    with World(vps={**AUTO, "STATE_DIR": state}, wait_ready=False) as world:
        world.state_dir = world.pamctl.state_dir = state
        world.ready()
        for daemon in world.daemons():
            daemon.take_baseline()
        message = world.ssh(target.name)
        client = dial(port_of(message.code[0]))
        client.sendall(BANNER)
        assert read_exactly(client, len(BANNER)) == BANNER
        fill(small_disk)
        told = world.api.mark()
        eventually(lambda: is_refused(world, target), "a session is refused", 20)
        world.api.wait_message("cannot be recorded", 20 * TIME_SCALE, told, OWNER)
        world.api.say(FRIEND, f"/ssh {target.name}")
        world.api.wait_message("keeps a record of every session and cannot write it", 10 * TIME_SCALE, told, FRIEND)
        status = world.pamctl("status").stdout
        assert "audit:     cannot be written: No space left on device; no new sessions are opened" in status
        client.sendall(b"goes on")
        assert read_exactly(client, 7) == b"goes on"
        (small_disk / "filler").unlink()
        since = world.api.mark()
        eventually(lambda: world.pamctl("ssh", target.name).returncode == 0, "it opens sessions again", 90)
        world.api.wait_message("recorded again", 10 * TIME_SCALE, told, OWNER)
        client.close()
        found = words(world)
        assert found.count("audit.full") == found.count("audit.recovered") == 1
        assert found.index("audit.full") < found.index("audit.recovered")
        assert is_chained(rows(world)) and verify(world)[0] == "whole"
        assert since >= told


def is_refused(world, target):
    result = world.pamctl("ssh", target.name)
    return result.returncode == 1 and "record" in result.stderr


ROUNDS = int(os.environ.get("PAMTUNNEL_KILLS") or 10)


def test_kill_9_at_any_point_loses_nothing_that_was_acted_on(target):
    """Sessions are opened and closed all the time; whatever somebody was told of is there afterwards."""
    answered = {}   # by session: the row that has to be there

    def work(world, over):
        while not over.is_set():
            result = world.pamctl("ssh", target.name, "--json")
            if result.returncode != 0:
                continue
            session = json.loads(result.stdout)["session"]["id"]
            answered[session] = "session.opened"
            if world.pamctl("close", session).returncode == 0:
                answered[session] = "session.ended"

    with World(bot=False, vps={"RECONNECT_GRACE": 0, "MAX_SESSIONS_PER_USER": 100}) as world:
        for _ in range(ROUNDS):
            over = threading.Event()
            workers = [threading.Thread(target=work, args=(world, over)) for _ in range(3)]
            for worker in workers:
                worker.start()
            time.sleep(random.uniform(0.05, 0.6))
            world.vps.kill()
            over.set()
            for worker in workers:
                worker.join()
            world.gateway.kill()    # it would wait ever longer before it tries again
            world.vps.start()
            world.ready([])
            world.gateway.start()
            world.ready(timeout=30)
        found = rows(world)
        assert is_chained(found) and verify(world)[0] == "whole"
        there = {(row["session"], row["what"]) for row in found}
        assert answered and set(answered.items()) <= there
        # Whoever was told that it is closed closed it; what was open when it was killed has an end, too, and one only.
        closed = {row["session"] for row in found if row["what"] == "session.ended" and row["body"]["word"] == "closed"}
        assert {session for session, what in answered.items() if what == "session.ended"} <= closed
        opened = sorted(row["session"] for row in found if row["what"] == "session.opened")
        assert opened == sorted(row["session"] for row in found if row["what"] == "session.ended")
        assert sum(row["what"] == "agent.started" for row in found) == ROUNDS + 1
        world.vps.take_baseline()


# ---------------------------------------------------------------- the journal

def test_records_are_in_the_journal_with_their_fields(target, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("puts a socket at the journal's path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(tmp_path / "socket"))
        journal.settimeout(10 * TIME_SCALE)
        with World(bot=False, vps={"RECONNECT_GRACE": 0}, wait_ready=False) as world:
            world.vps.kill()
            world.vps.namespace = Journal(tmp_path)
            world.vps.start()
            world.ready()
            world.pamctl.json("ssh", target.name)
            world.close_all()
            seen = []
            while not seen or seen[-1]["PAMTUNNEL_EVENT"] != "session.ended":
                seen.append(dict(line.split("=", 1) for line in journal.recv(65536).decode().splitlines()))
            opened = next(fields for fields in seen if fields["PAMTUNNEL_EVENT"] == "session.opened")
            assert opened["PAMTUNNEL_TARGET"] == target.name and opened["PAMTUNNEL_USER"] == f"uid:{os.getuid()}"
            assert re.fullmatch("[0-9a-f]{32}", opened["MESSAGE_ID"]) and opened["PRIORITY"] == "6"
            assert json.loads(opened["PAMTUNNEL_RECORD"])["kind"] == "ssh"
            assert len({fields["MESSAGE_ID"] for fields in seen}) == len({fields["PAMTUNNEL_EVENT"] for fields in seen})
            for daemon in world.daemons():
                daemon.take_baseline()


class Journal:
    """A mount namespace in which a folder is the journal's; the rest is as outside."""

    def __init__(self, folder):
        self.folder = folder

    def command(self, *argv):
        script = ('mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && '
                  'mount --bind "$0" /run/systemd/journal && exec "$@"')
        return ["unshare", "-m", "sh", "-c", script, str(self.folder), *argv]
