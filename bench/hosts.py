"""The machine, as the benchmark sees it: its network namespace, processes, and what they use."""

import contextlib
import fcntl
import json
import os
import pathlib
import platform
import re
import resource
import select
import signal
import subprocess
import sys
import termios
import time

TICKS = os.sysconf("SC_CLK_TCK")
NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
# Fixed ports are above those that the kernel gives out, sessions' ports below them, and bore's
# control port, which is always 7835, below all.
EPHEMERAL_PORTS = (40000, 60999)
SESSION_PORTS = (8000, 39999)
FIRST_FIXED_PORT = 61001
CONGESTION_CONTROL = "reno"


class Failed(Exception):
    """A measurement that did not work, in a sentence; the others go on."""


# ---- the namespace

def set_up_namespace():
    """Loopback only, and nothing that depends on how this machine happens to be set."""
    os.makedirs("/run/sshd", exist_ok=True)     # a /run of our own, see scripts/bench
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # bbr, the default of some machines, makes loopback ten times slower and hides differences.
    write("/proc/sys/net/ipv4/tcp_congestion_control", CONGESTION_CONTROL)
    write("/proc/sys/net/ipv4/ip_local_port_range", "%d %d" % EPHEMERAL_PORTS)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def write(path, text):
    pathlib.Path(path).write_text(text)


def read(path):
    return pathlib.Path(path).read_text()


_next_port = FIRST_FIXED_PORT


def free_port():
    """A port that nobody else in our namespace takes."""
    global _next_port
    _next_port = _next_port + 1 if _next_port < 65000 else FIRST_FIXED_PORT
    return _next_port


def wait_for(condition, seconds, otherwise):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(otherwise)
        time.sleep(0.01)


# ---- processes

class Process:
    """A program of a contender, with all that it starts."""

    def __init__(self, name, argv, folder, user_prefix=(), env=None):
        self.name = name
        self.log_path = folder / f"{name}.log"
        base = {"PATH": os.environ["PATH"], "LANG": "C"}
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen([*user_prefix, *map(str, argv)], stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log, cwd=folder,
                                          env={**base, **(env or {})}, start_new_session=True)

    @property
    def pid(self):
        return self.popen.pid

    def check(self):
        if self.popen.poll() is not None:
            raise Failed(f"{self.name} ended with status {self.popen.returncode}: "
                         f"{self.log_path.read_text(errors='replace')[-400:].strip()}")

    def stop(self):
        everyone = tree([self.pid])
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.popen.poll() is None:
                self.popen.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.popen.wait(5)
        for pid in everyone[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class Helper:
    """One of the programs in bench/ends: says "ready", waits for a line, answers with JSON."""

    def __init__(self, program, *args, prefix=(), timeout=60):
        self.name = program.name
        self.timeout = timeout
        self.popen = subprocess.Popen([*prefix, str(program), *map(str, args)], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE)
        try:
            self._line("ready")
        except Failed:
            self.stop()
            raise

    def _line(self, what):
        readable, _, _ = select.select([self.popen.stdout], [], [], self.timeout)
        line = self.popen.stdout.readline() if readable else ""
        if not line:
            self.popen.kill()
            _, errors = self.popen.communicate()
            raise Failed(errors.strip() or f"{self.name}: no {what} within {self.timeout} s")
        return line

    @property
    def pid(self):
        return self.popen.pid

    def go(self):
        self.popen.stdin.write("go\n")
        self.popen.stdin.flush()

    def answer(self):
        return json.loads(self._line("answer"))

    def run(self):
        self.go()
        return self.answer()

    def stop(self):
        for stream in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            with contextlib.suppress(OSError):
                stream.close()
        try:
            self.popen.wait(20)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


# ---- what processes use

def _stat(pid):
    """Parent, and the ticks of the process and of its children that ended."""
    fields = read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
    return int(fields[1]), sum(map(int, fields[11:15]))


def _all_stats():
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                found[int(entry)] = _stat(entry)
    return found


def tree(roots):
    """The processes and all their descendants."""
    parents = {pid: parent for pid, (parent, _) in _all_stats().items()}
    found = [pid for pid in roots if pid in parents]
    for pid in found:
        found.extend(child for child, parent in parents.items() if parent == pid)
    return found


def cpu_seconds(roots):
    """Of the processes, all threads, and their children, also those that ended."""
    stats = _all_stats()
    return sum(stats[pid][1] for pid in tree(roots) if pid in stats) / TICKS


def cpu_nanoseconds(roots):
    """Of the threads of the processes that live, far finer than ticks."""
    return sum(int(read(f"/proc/{pid}/task/{thread}/schedstat").split()[0])
               for pid in tree(roots) for thread in os.listdir(f"/proc/{pid}/task"))


def memory(roots):
    """RSS and PSS of the processes in KiB, exact."""
    total = {"rss": 0, "pss": 0}
    for pid in tree(roots):
        with contextlib.suppress(OSError):
            for line in read(f"/proc/{pid}/smaps_rollup").splitlines()[1:]:
                key, value = line.split(":", 1)
                if key.lower() in total:
                    total[key.lower()] += int(value.split()[0])
    return total


def pipe_kib(roots):
    """What their pipes hold at the moment."""
    held = {}
    for pid in tree(roots):
        with contextlib.suppress(OSError):
            for entry in os.listdir(f"/proc/{pid}/fd"):
                path = f"/proc/{pid}/fd/{entry}"
                name = os.readlink(path)
                if name.startswith("pipe:") and name not in held:
                    held[name] = _waiting_in(path)
    return sum(held.values()) / 1024


def _waiting_in(path):
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)
    finally:
        os.close(fd)


def descriptors(roots):
    """How many, and how many of them are ends of pipes."""
    links = []
    for pid in tree(roots):
        with contextlib.suppress(OSError):
            for entry in os.listdir(f"/proc/{pid}/fd"):
                links.append(os.readlink(f"/proc/{pid}/fd/{entry}"))
    return {"all": len(links), "pipes": sum(link.startswith("pipe:") for link in links)}


def kernel_memory_kib():
    """Slab that cannot be reclaimed, of the whole machine: sockets, epoll items, pipes."""
    for line in read("/proc/meminfo").splitlines():
        if line.startswith("SUnreclaim:"):
            return int(line.split()[1])
    return 0


def pin(pids, cpus):
    for pid in tree(pids):
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                os.sched_setaffinity(int(thread), cpus)


class Others:
    """How much of the processors everybody else used: the machine should be ours alone."""

    def __init__(self):
        self.started = time.monotonic()
        self.before = self._others_ticks()

    @staticmethod
    def _others_ticks():
        user, nice, system, _, _, irq, softirq, steal = \
            map(int, read("/proc/stat").split("\n", 1)[0].split()[1:9])
        own = sum(ticks for _, ticks in _all_stats().values())
        return user + nice + system + irq + softirq + steal - own

    def cpus(self):
        seconds = max(time.monotonic() - self.started, 0.01)
        return max(0.0, (self._others_ticks() - self.before) / TICKS / seconds)


# ---- what it is

def describe():
    model = [line.split(":", 1)[1].strip() for line in read("/proc/cpuinfo").splitlines()
             if line.startswith("model name")]
    release = read("/etc/os-release").splitlines()
    system = dict(line.split("=", 1) for line in release if "=" in line)
    memory_kib = int(read("/proc/meminfo").split()[1])
    return {"processor": model[0] if model else platform.machine(), "cores": os.cpu_count(),
            "memory_gib": round(memory_kib / 1024 / 1024), "kernel": platform.release(),
            "system": system.get("PRETTY_NAME", "").strip('"'),
            "congestion_control": CONGESTION_CONTROL,
            "descriptor_limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0]}


def version_of(*command):
    """The line with a version that a program says about itself."""
    try:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=10)
    except OSError:
        return "?"
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
    for pattern in (r"\b\d+\.\d+\.\d+", r"\d"):
        for line in lines:
            if re.search(pattern, line):
                return line.split(" - ")[0]
    return "?"
