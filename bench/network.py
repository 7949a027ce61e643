"""Where a contender runs: all of it on loopback, or each program on a machine of its own.

    client ------- vps ------- gateway ------- target
      10.77.1.0/24   10.77.2.0/24   10.77.3.0/24

The machines are network namespaces with the same addresses for every contender, so several such
networks can be there at once. Each leg carries as much as its Line says. Direct connections are
routed along the same legs.
"""

import contextlib
import dataclasses
import itertools
import subprocess

import openssh
from hosts import (CONGESTION_CONTROL, EPHEMERAL_PORTS, Failed, Helper, Process,
                   free_port, wait_for)

MACHINES = ("client", "vps", "gateway", "target")
# Each leg is a device of its name at both machines.
LEGS = {"client": (("client", "10.77.1.2"), ("vps", "10.77.1.1")),
        "gateway": (("vps", "10.77.2.1"), ("gateway", "10.77.2.2")),
        "target": (("gateway", "10.77.3.1"), ("target", "10.77.3.2"))}
ROUTES = (("client", "default", "10.77.1.1"), ("vps", "10.77.3.0/24", "10.77.2.2"),
          ("gateway", "10.77.1.0/24", "10.77.2.1"), ("target", "default", "10.77.3.1"))
# As loopback has it; what a new namespace has by itself is the machine's.
SYSCTLS = {"ipv4/tcp_congestion_control": CONGESTION_CONTROL, "ipv4/ip_forward": 1,
           "ipv4/ip_local_port_range": "%d %d" % EPHEMERAL_PORTS}
_networks = itertools.count(1)


@dataclasses.dataclass(frozen=True)
class Line:
    """What a leg carries either way: a veth pair behind a token bucket or, with a delay, what
    goes through bench/ends/path."""

    mbit: float
    delay_ms: float = None      # one way
    loss: float = 0             # percent
    queue_ms: float = 0         # in front of the rate

    @property
    def bucket(self):
        """For tc."""
        limit = "64k" if self.mbit <= 10 else "256k"
        return ["tbf", "rate", f"{self.mbit}mbit", "burst", "16k", "limit", limit]


class Place:
    """Loopback, and what all places have: a target, and the ends that contenders share."""

    target_is = "ours"      # bench/ends/target, or sshd
    bind = public = vps = gateway = target = "127.0.0.1"    # vps is what the gateway dials

    def __init__(self, bench):
        self.bench = bench
        self.folder = bench.new_folder("place")
        self.folder.chmod(0o711)
        self.counter = self.folder / "counter"
        self.ages = self.folder / "ages"
        self.target_process = None
        self.target_port = 0

    @staticmethod
    def inside(_machine):
        """What a command line begins with to run there."""
        return []

    def helper(self, name, *args, **options):
        """A program of bench/ends, at the client."""
        return Helper(self.bench.program(name), *args, prefix=self.inside("client"), **options)

    def start_target(self):
        if self.target_is == "sshd":
            openssh.keys(self.folder)
            self.target_port = free_port()
            self.target_process = Process("sshd", openssh.daemon(
                self.folder, self.target, self.target_port), self.folder, self.inside("target"))
            first_line(self.target_process)
            return
        self.target_process = Process(
            "target", [self.bench.program("target"), self.counter, self.ages], self.folder,
            self.inside("target"))
        self.target_port = int(first_line(self.target_process))

    def __enter__(self):
        self.start_target()
        return self

    def __exit__(self, *_):
        if self.target_process:
            self.target_process.stop()


def first_line(process):
    """What it prints when it has started."""
    def started():
        process.check()
        return "\n" in process.log_path.read_text()
    wait_for(started, 5, f"{process.name} does not start")
    return process.log_path.read_text().split("\n", 1)[0]


class Network(Place):
    """lines: by leg; the others are as fast as the machine."""

    bind = "0.0.0.0"
    public, vps = LEGS["client"][1][1], LEGS["gateway"][0][1]
    gateway, target = LEGS["gateway"][1][1], LEGS["target"][1][1]

    def __init__(self, bench, lines, target_is="ours"):
        super().__init__(bench)
        self.target_is = target_is
        self.lines = lines
        self.number = next(_networks)
        self.paths = []

    def _name(self, machine):
        return f"n{self.number}-{machine}"

    def inside(self, machine):
        return ["nsenter", f"--net=/run/netns/{self._name(machine)}", "--"]

    def _ip(self, machine, *args):
        command("ip", "-n", self._name(machine), *args)

    def __enter__(self):
        try:
            for machine in MACHINES:
                command("ip", "netns", "add", self._name(machine))
                self._ip(machine, "link", "set", "lo", "up")
                command(*self.inside(machine), "sh", "-c", "; ".join(
                    f"echo '{value}' >/proc/sys/net/{name}" for name, value in SYSCTLS.items()))
            for leg in LEGS:
                self._make_leg(leg, self.lines.get(leg))
            for machine, to, via in ROUTES:
                self._ip(machine, "route", "add", to, "via", via)
            return super().__enter__()
        except BaseException:
            self.__exit__()
            raise

    def _make_leg(self, leg, line):
        (one, _), (two, _) = LEGS[leg]
        through_path = line and line.delay_ms is not None
        if through_path:
            self._make_path(leg, line)
        else:
            command("ip", "-n", self._name(one), "link", "add", leg, "type", "veth",
                    "peer", "name", leg, "netns", self._name(two))
        for machine, address in LEGS[leg]:
            self._ip(machine, "address", "add", f"{address}/24", "dev", leg)
            self._ip(machine, "link", "set", leg, "up")
        if line and not through_path:
            self._tc("add", leg, line)

    def _make_path(self, leg, line):
        names = [f"p{self.number}{leg[0]}{side}" for side in "ab"]
        path = Process(f"path-{leg}", [
            self.bench.program("path"), *names, line.delay_ms, line.mbit, line.loss,
            line.queue_ms], self.folder)
        self.paths.append(path)
        first_line(path)
        for name, (machine, _) in zip(names, LEGS[leg]):
            command("ip", "link", "set", name, "netns", self._name(machine), "name", leg,
                    "txqueuelen", 10000)

    def _tc(self, verb, leg, line):
        for machine, _ in LEGS[leg]:
            command("tc", "-n", self._name(machine), "qdisc", verb, "dev", leg, "root",
                    *line.bucket)

    def change(self, leg, line):
        """Another rate from now on, as when a phone comes out of a tunnel."""
        self._tc("change", leg, line)

    def __exit__(self, *args):
        super().__exit__(*args)
        for path in self.paths:
            path.stop()
        for machine in MACHINES:
            with contextlib.suppress(Failed):
                command("ip", "netns", "delete", self._name(machine))


def command(*argv):
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, argv))}: {done.stderr.strip()}")
