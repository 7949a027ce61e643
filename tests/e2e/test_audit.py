"""The audit: what is recorded, that it is on the disk before anybody is told, and what becomes of
it when the disk is slow or full, when the agent is killed, and when somebody is at the file."""

import contextlib
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import sqlite3
import subprocess
import threading
import time

import peers
import pytest
import sshd as openssh
import util
from agents import FRIEND, OWNER, World, port_of
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


def is_chained(found):
    """As docs/audit.md says it: each row has the hash of the one before."""
    before = None
    for row in found:
        pieces = [row["prev"], row["seq"].to_bytes(8, "big"), row["at"].to_bytes(8, "big")]
        for text in (row["what"], row["person"], row["target"], row["gateway"], row["session"], row["stored"]):
            data = (text or "").encode()
            pieces += [len(data).to_bytes(4, "big"), data]
        if hashlib.sha256(b"".join(pieces)).digest() != row["hash"]:
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
        assert [row["what"] for row in mine] == ["session.opened", "session.admitted", "session.connected",
                                                 "session.ended"]
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
        found = rows(world)
        assert found[-1]["what"] == "agent.started" and is_chained(found)
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
