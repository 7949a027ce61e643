"""Completion in bash, zsh and fish: the shells themselves, with the files that the packages bring,
and an agent that has something to complete."""

import contextlib
import json
import os
import pty
import re
import select
import shutil
import socket
import subprocess
import threading
import time

import pytest
from agents import environment, run
from util import BUILD, REPOSITORY, TIME_SCALE, Folder

PROGRAMS = ["pamctl", "vps-agent", "gateway-agent"]
CLIENT = {"words": "SSH-2.0-OpenSSH_9.6", "number": 1, "of_its_address": 1}
ANSWERS = {
    "sessions": {"ok": True, "sessions": [
        {"id": "k3f9q2wx", "kind": "ssh", "target": "192.168.1.22:22", "state": "waiting", "owner": "uid:0",
         "waiting": [{**CLIENT, "address": "2001:db8::7"}, {**CLIENT, "address": "203.0.113.7", "of_its_address": 2, "number": 3}]},
        {"id": "zz22zz22", "kind": "rdp", "target": "HOME-PC:3389", "state": "connected", "owner": "telegram:42", "waiting": []},
    ]},
    "approvals": {"ok": True, "approvals": [{"id": "m7n8p9qr", "kind": "rdp", "said": "office-pc", "name": "carl"}]},
    "known": {"ok": True, "known": [{"address": "2001:db8:1::/64", "owner": "telegram:42"}]},
}


@contextlib.contextmanager
def agent_in(folder):
    """The admin socket of an agent that answers with ANSWERS."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "pamtunnel.sock"))
        listener.listen()

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client:
                        answer = ANSWERS[json.loads(client.recv(4096))["command"]]
                        client.sendall(json.dumps(answer).encode() + b"\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture(scope="module")
def place():
    """A folder with the agent's socket, the programs, the shells' files, and some to be named."""
    with Folder() as folder, agent_in(folder):
        (folder / "bin").mkdir()
        for name in PROGRAMS:
            (folder / "bin" / name).symlink_to(BUILD / name)
        subprocess.run([REPOSITORY / "scripts" / "completions", folder / "completions", *PROGRAMS], check=True)
        (folder / "work").mkdir()
        (folder / "work" / "uncommon.env").touch()
        yield folder


def settings(place):
    return {"STATE_DIR": place, "HOME": place, "TERM": "vt100", "PATH": f"{place}/bin:{os.environ['PATH']}"}


class Shell:
    """A shell on a terminal, where somebody types and presses Tab."""

    START = {
        "bash": (["--norc", "--noprofile", "-i"], "for f in {place}/completions/bash/*; do . $f; done"),
        "zsh": (["-f", "-i"], "fpath=({place}/completions/zsh $fpath); autoload -U compinit; compinit -u -D; "
                              "setopt interactive_comments"),
    }

    def __init__(self, name, place):
        assert shutil.which(name), f"{name} is missing: scripts/bootstrap installs it"
        options, start = self.START[name]
        main, terminal = pty.openpty()
        self.process = subprocess.Popen([name, *options], stdin=terminal, stdout=terminal, stderr=terminal, cwd=place / "work",
                                        env=environment(settings(place)), start_new_session=True)
        os.close(terminal)
        self.terminal = main
        self.said = ""
        self.type(start.format(place=place) + "; echo rea''dy\n")
        self.wait("ready")

    def type(self, text):
        os.write(self.terminal, text.encode())

    def wait(self, what):
        """Reads until the terminal shows that."""
        deadline = time.monotonic() + 10 * TIME_SCALE
        while not (found := re.search(what, self.said)):
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.terminal], [], [], left)[0], f"no {what}: {self.said[-500:]!r}"
            self.said += os.read(self.terminal, 65536).decode(errors="replace")
        self.said = ""
        return found

    def completed(self, typed):
        """What stands on the command line after a Tab."""
        self.type(typed + "\t")
        self.type("\x01echo 'a'nswer= \n")     # in front of it
        return self.wait(r"[\r\n]answer= ?([^\r\n]*)[\r\n]")[1]

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)


class Fish:
    """fish tells what it would complete."""

    def __init__(self, place):
        assert shutil.which("fish"), "fish is missing: scripts/bootstrap installs it"
        self.place = place

    def completed(self, typed):
        script = "for f in $argv[1]/completions/fish/*.fish; source $f; end; complete -C $argv[2]"
        result = subprocess.run(["fish", "--no-config", "-c", script, self.place, typed], text=True, check=True, timeout=60,
                                capture_output=True, cwd=self.place / "work", env=environment(settings(self.place)))
        assert not result.stderr
        words = [line.partition("\t")[0] for line in result.stdout.splitlines()]
        return typed[:len(typed) - len(typed.split(" ")[-1])] + words[0] + " " if len(words) == 1 else words

    def close(self):
        pass


@pytest.fixture(scope="module", params=["bash", "zsh", "fish"])
def shell(request, place):
    shell = Fish(place) if request.param == "fish" else Shell(request.param, place)
    yield shell
    shell.close()


@pytest.mark.parametrize("typed, completed", [
    ("pamctl sess", "pamctl sessions"),
    ("pamctl --js", "pamctl --json"),
    ("pamctl --json kn", "pamctl --json known"),
    ("pamctl drain --t", "pamctl drain --timeout"),
    ("pamctl help cl", "pamctl help close"),
    ("pamctl close k", "pamctl close k3f9q2wx"),
    ("pamctl admit k3f9q2wx 2", None),      # there are two
    ("pamctl admit k3f9q2wx 2001:", "pamctl admit k3f9q2wx 2001:db8::7"),
    ("pamctl admit k3f9q2wx 203", "pamctl admit k3f9q2wx 203.0.113.7#3"),
    ("pamctl approve m", "pamctl approve m7n8p9qr"),
    ("pamctl deny m", "pamctl deny m7n8p9qr"),
    ("pamctl forget 20", "pamctl forget 2001:db8:1::/64"),
    ("pamctl rdp HOME-PC --out unc", "pamctl rdp HOME-PC --out uncommon.env"),
    ("pamctl rdp HOME-PC --out=unc", "pamctl rdp HOME-PC --out=uncommon.env"),
    ("pamctl ssh unc", "pamctl ssh unc"),   # a file is not what stands there
    ("vps-agent --env-file unc", "vps-agent --env-file uncommon.env"),
    ("vps-agent --do", "vps-agent --doctor"),
    ("gateway-agent --env-file=unc", "gateway-agent --env-file=uncommon.env"),
    ("gateway-agent --che", "gateway-agent --check"),
])
def test_tab_completes(shell, typed, completed):
    found = shell.completed(typed)
    if completed is None:
        assert found != typed + " " and "203.0.113.7" not in found[:-1]
    elif isinstance(found, list):
        assert found == [] and completed == typed
    else:
        assert found.rstrip().replace("\\", "") == completed


def offered(program, *words, **env):
    result = run(program, "--complete", *words, env=env)
    assert (result.returncode, result.stderr) == (0, "")
    return {line.partition("\t")[0] for line in result.stdout.splitlines()}


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_is_offered_is_what_help_lists(program):
    text = run(program, "--help").stdout.partition("\nSettings")[0]
    assert offered(program, "-") == set(re.findall(r"^  (--[a-z-]+)", text, re.M))
    if program == "pamctl":
        assert offered(program, "") == set(re.findall(r"^  ([a-z]+) ", text, re.M))


def test_an_option_that_was_given_is_not_offered_again():
    assert "--json" in offered("pamctl", "drain", "--")
    assert "--json" not in offered("pamctl", "--json", "drain", "--")
    assert not offered("pamctl", "status", "--", "")


def test_without_an_agent_nothing_is_said(folder):
    assert not offered("pamctl", "close", "", STATE_DIR=folder)
    assert not offered("pamctl", "nonsense", "")


def test_sessions_stand_in_columns(place):
    lines = [line for line in run("pamctl", "sessions", env={"STATE_DIR": place}).stdout.splitlines() if line[0] != " "]
    assert len(lines) == 2 and len({line.index("  port ") for line in lines}) == 1
