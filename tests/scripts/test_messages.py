"""A message of the control channel that nobody handles does not compile."""

import json
import os
import pathlib
import re
import shlex
import subprocess

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PAMTUNNEL_BUILD") or REPOSITORY / "build")
FUTURE = REPOSITORY / "tests" / "unit" / "future"       # control/messages.def of later versions


def handlers_of(sender):
    """The one source that calls a function for each message of this sender."""
    found = [path for path in (REPOSITORY / "src").rglob("*.c") if f"#define MESSAGE_OF_{sender}(" in path.read_text()]
    assert len(found) == 1, found
    return found[0]


def what_it_misses(source, *include):
    """The functions that a source calls and nobody has declared."""
    result = subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", '-DPAMTUNNEL_VERSION=""', "-fsyntax-only",
                             "-Werror=implicit-function-declaration", *include, f"-I{REPOSITORY / 'src'}",
                             *libraries(), str(source)], capture_output=True, text=True)
    missed = set(re.findall(r"(?:implicit declaration of|call to undeclared) function .(\w+)", result.stderr))
    assert (result.returncode == 0) == (not missed), result.stderr
    return missed


def libraries():
    """Where the headers of the libraries are, as the build has it."""
    commands = json.loads((BUILD / "compile_commands.json").read_text())
    words = {word for command in commands for word in shlex.split(command["command"])}
    return sorted(word for word in words if word.startswith("-isystem"))


@pytest.mark.parametrize("sender, later", [("VPS", "on_later_order"), ("GATEWAY", "on_later_answer"), ("BOTH", "on_later_greeting")])
def test_a_message_without_a_function_for_it_does_not_compile(sender, later):
    source = handlers_of(sender)
    assert what_it_misses(source) == set(), "today's are all handled"
    assert what_it_misses(source, f"-I{FUTURE}") == {later}
