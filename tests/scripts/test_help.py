"""What the scripts answer who asks them how they are called, or calls them wrongly: nothing is
installed, built or started."""

import os
import pathlib
import subprocess

import pytest

SCRIPTS = pathlib.Path(__file__).parents[2] / "scripts"
NAMES = sorted(path.name for path in SCRIPTS.iterdir() if os.access(path, os.X_OK))


@pytest.fixture
def nothing(tmp_path):
    """An environment in which nothing can be installed or built."""
    for name in ("apt-get", "dpkg-query", "meson", "ninja", "gcc", "sudo", "docker", "gh"):
        (tmp_path / name).write_text('#!/bin/sh\necho "$0 was called" >&2\nexit 99\n')
        (tmp_path / name).chmod(0o755)
    return {"PATH": f"{tmp_path}:/usr/bin:/bin", "PAMTUNNEL_CACHE": "/proc/none", "HOME": str(tmp_path)}


def run(name, *arguments, env):
    return subprocess.run([SCRIPTS / name, *arguments], env=env, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=30)


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("name", NAMES)
def test_asked_for_help_a_script_says_what_it_does_and_does_nothing(name, option, nothing):
    done = run(name, option, env=nothing)
    assert (done.returncode, done.stderr) == (0, "")
    assert name in done.stdout and len(done.stdout) > 60
    assert max(map(len, done.stdout.splitlines())) <= 105


@pytest.mark.parametrize("name", [name for name in NAMES if name != "test"])
def test_what_a_script_does_not_know_is_wrong_usage(name, nothing):
    done = run(name, "--bogus", env=nothing)
    assert done.returncode == 2 and "usage: " in done.stderr and "was called" not in done.stderr
    assert not done.stdout


def test_what_pytest_does_not_know_is_said_before_anything_is_built():
    done = run("test", "--quik", env={**os.environ, "PAMTUNNEL_CACHE": "/proc/none"})
    assert done.returncode == 2 and "usage: " in done.stderr and "--quik" in done.stderr
    assert "/proc/none" not in done.stderr


def test_a_place_for_temporary_files_that_is_none_is_said_once_and_not_used(nothing):
    done = subprocess.run(["bash", "-c", f'. "{SCRIPTS}/lib.sh"; mktemp -u; "{SCRIPTS}/deps" --targets'],
                          env={**nothing, "TMPDIR": "/nonexistent"}, capture_output=True, text=True, timeout=30)
    assert done.stdout.startswith("/tmp/") and done.stderr.count("TMPDIR") == 1, done
