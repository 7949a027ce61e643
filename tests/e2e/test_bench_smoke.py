"""scripts/bench in its shortest form: every row works, and nothing is left behind."""

import contextlib
import glob
import json
import os
import signal
import subprocess

import pytest
import util

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and other users need root"),
    pytest.mark.skipif(util.SANITIZED or util.VALGRIND, reason="measures, so only a plain build"),
]
SCRIPT = util.REPOSITORY / "scripts" / "bench"
SHORT = ("--quick", "--repeats", "1", "--no-install", "--no-docs",
         "--contenders", "direct,pamtunnel")
PATHS = ("split", "bad", "path", "answer")      # through TUN devices


@pytest.fixture
def bench(tmp_path):
    """Starts it, with all its files below tmp_path."""
    started = []

    def start():
        env = {**os.environ, "PAMTUNNEL_BUILD": str(util.BUILD), "TMPDIR": str(tmp_path),
               "XDG_STATE_HOME": str(tmp_path)}
        started.append(subprocess.Popen([SCRIPT, *SHORT], env=env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True))
        return started[-1]
    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
        process.stdout.close()


def left_behind(process, tmp_path):
    """Processes that run from its temporary folder, and files outside of it."""
    own = f"/run/bench-{process.pid}/".encode()
    running = [path for path in glob.glob("/proc/[0-9]*/cmdline") if own in read(path)]
    return running + glob.glob(f"{tmp_path}/pamtunnel-bench.*")


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def test_the_benchmark_measures_every_row(bench, tmp_path):
    process = bench()
    output, _ = process.communicate(timeout=90 * util.TIME_SCALE)
    assert process.returncode == 0, output
    [path] = tmp_path.glob("pamtunnel-bench/*/raw.json")
    samples = json.loads(path.read_text())["samples"]
    failed = [sample for sample in samples if "error" in sample]
    assert not failed, output
    kinds = {sample["row"].split()[0] for sample in samples if sample["contender"] == "pamtunnel"}
    assert kinds == {"bulk", "ping", "set-up", "reconnect", "crowded", "idle", "age", "keystroke",
                     "memory", *(PATHS if os.path.exists("/dev/net/tun") else ())}
    far = [sample["byte_ms"] for sample in samples
           if (sample["row"], sample["contender"]) == ("answer 100", "direct")]
    assert all(ms >= 2 * 100 for ms in far), "a handshake and a byte are two round trips of 100 ms"
    assert "| throughput, 1 stream up | ≥ 0.55 × direct |" in output
    assert not left_behind(process, tmp_path)


def test_the_benchmark_leaves_nothing_behind_when_it_is_interrupted(bench, tmp_path):
    process = bench()
    lines = []
    while not lines or " pamtunnel " not in lines[-1]:
        lines.append(process.stdout.readline())
        assert lines[-1], "".join(lines)
    assert left_behind(process, tmp_path), "the test sees nothing"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20 * util.TIME_SCALE) == 143
    assert not left_behind(process, tmp_path)
