"""Rows behind slow lines: how old bytes are on arrival, and what is held for them meanwhile."""

import os
import re
import select
import statistics
import subprocess
import time

import hosts
import openssh
from hosts import Failed
from measure import Row
from network import Line

# Where the slow leg is, for both ways: the relay is in front of it, or no relay could help.
AGES = (("down", "client", (1, 10, 100)), ("up", "gateway", (1, 10, 100)),
        ("down", "gateway", (10,)), ("up", "target", (10,)))
LEG_NAMES = {"client": "the client's line", "gateway": "the gateway's line",
             "target": "the target's line"}
ALL = ("direct", "pamtunnel", "pamtunnel-before", "haproxy", "nginx", "socat", "ssh", "rathole",
       "frp", "bore")   # who one is does not matter here: without pamtunnel-nobody
KEY_PATIENCE = 40       # seconds
RATES = (10, 1, 100)    # Mbit/s, one after the other


def age(bench, contender, way, warm_up, seconds, *pause):
    with contender.place.helper("age", contender.way, contender.place.ages, way, warm_up, seconds,
                                *pause, timeout=warm_up + seconds + 30) as helper:
        answer = helper.run()
    if not answer["samples"]:
        raise Failed("nothing came through")
    return answer


def age_of_changes(bench, contender, stage):
    """The client's line has another rate every so many seconds."""
    with contender.place.helper("age", contender.way, contender.place.ages, "down", 0,
                                stage * len(RATES), timeout=stage * len(RATES) + 30) as helper:
        helper.go()
        for mbit in RATES:
            contender.place.change("client", Line(mbit))
            time.sleep(stage)
        answer = helper.answer()
    sample = {"series": answer["series"]}
    for index, mbit in enumerate(RATES):    # the second half of each, when it has settled
        ages = [age_ms for at, age_ms, _ in answer["series"]
                if stage * (index + .5) <= at < stage * (index + 1)]
        sample[f"p50_ms_{mbit}"] = sorted(ages)[len(ages) // 2] if ages else None
    return sample


def age_of_pause(bench, contender, before, pause, after):
    """A client that stops reading for a while: what it missed was kept for it by somebody."""
    answer = age(bench, contender, "down", before, pause + after, before, pause)
    resumed = before + pause
    old = [mbps for at, age_ms, mbps in answer["series"]
           if at >= resumed - .2 and age_ms > pause * 500]
    late = [at for at, age_ms, _ in answer["series"] if age_ms > pause * 500]
    return {"series": answer["series"],
            "kept_mib": sum(old) * .2 / 8 * 1e6 / (1 << 20),
            "until_fresh_s": max((at + .2 - resumed for at in late), default=0)}


def _age_rows(lengths):
    for way, leg, rates in AGES:
        for mbit in rates:
            warm_up, seconds = lengths.ages[mbit]
            yield Row(f"age {way} {mbit} {leg}", "age",
                      f"{mbit} Mbit/s, {LEG_NAMES[leg]}, {way}",
                      lambda b, c, w=way, u=warm_up, s=seconds: age(b, c, w, u, s),
                      lines={leg: Line(mbit)}, narrow=True, only=ALL, times=4 if mbit == 100 else 2)
    yield Row("age changes", "age", "10, 1 and 100 Mbit/s one after the other",
              lambda b, c: age_of_changes(b, c, lengths.stage),
              lines={"client": Line(RATES[0])}, narrow=True, times=1, only=ALL)
    yield Row("age pause", "age", "a client that stops reading for a while",
              lambda b, c: age_of_pause(b, c, *lengths.pause),
              lines={"client": Line(10)}, narrow=True, times=1, only=ALL)


# ---- a shell beside scp

def _read_until(terminal, byte, patience):
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], deadline - time.monotonic())
        got = os.read(terminal, 4096) if ready else b""
        if byte in got:
            return
        if ready and not got:
            break
    raise Failed(f"no echo within {patience} s")


def _type(terminal, seconds):
    """A key every tenth of a second; how long each takes to be seen, in ms."""
    took = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        os.write(terminal, b"x")
        _read_until(terminal, b"x", KEY_PATIENCE)
        took.append((time.monotonic() - start) * 1000)
        time.sleep(max(0, start + .1 - time.monotonic()))
    return sorted(took)


def keystroke(bench, contender):
    """A shell in a pty and an scp share one connection, as with ControlMaster."""
    warm_up, seconds = bench.lengths.typing
    place = contender.place
    host, port = contender.port_for_client()
    big = place.folder / "big"
    with open(big, "wb") as file:
        file.truncate(4 << 30)      # nothing but holes
    socket = contender.folder / "control"
    ssh = [*openssh.CLIENT, "-o", f"ControlPath={socket}", "-o", "ServerAliveInterval=0"]
    terminal, shell = os.openpty()
    running = []

    def start(*argv, ends=subprocess.DEVNULL):
        running.append(subprocess.Popen([*place.inside("client"), *map(str, argv)], stdin=ends,
                                        stdout=ends, stderr=subprocess.DEVNULL))
    try:
        start("ssh", *ssh, "-M", "-N", "-i", place.folder / "id", "-p", port, f"root@{host}")
        hosts.wait_for(socket.exists, 10, "ssh does not connect")
        start("ssh", *ssh, "-tt", f"root@{host}", "sh", ends=shell)
        _read_until(terminal, b"#", 10)
        alone = _type(terminal, min(1, seconds))
        start("scp", *ssh, f"root@{host}:{big}", "/dev/null")
        time.sleep(warm_up)
        beside = _type(terminal, seconds)
        if running[-1].poll() is not None:
            raise Failed("scp has ended")
    finally:
        for process in reversed(running):
            process.kill()
            process.wait()
        os.close(terminal)
        os.close(shell)
    return {"keys": len(beside), "alone_ms": alone[len(alone) // 2],
            "p50_ms": beside[len(beside) // 2], "p95_ms": beside[len(beside) * 95 // 100]}


# ---- what is held for a slow client

NEGATIVE = 1 << 31      # ss shows what is reserved as unsigned, though it can be a little below 0


def _socket_kib(place, machine):
    """What the sockets of a machine hold: received, to be sent, and reserved."""
    listed = subprocess.run([*place.inside(machine), "ss", "-tmnHO"], check=True,
                            capture_output=True, text=True).stdout
    sizes = map(int, re.findall(r"[(,][rwf](\d+)\b", listed))
    return sum(size for size in sizes if size < NEGATIVE) / 1024


def _tcp_pages():
    return int(re.search(r"^TCP:.* mem (\d+)", hosts.read("/proc/net/sockstat"), re.M).group(1))


def memory(bench, contender, sessions):
    """One download in each session, all of them through a client's line of 10 Mbit/s."""
    warm_up, seconds = bench.lengths.held
    place = contender.place
    pages, rss = _tcp_pages(), hosts.memory(contender.pids)["rss"]
    looks = []
    with place.helper("bulk", contender.way, place.counter, "down", sessions, warm_up,
                      seconds) as helper:
        helper.go()
        started = time.monotonic()
        while (at := time.monotonic() - started) < warm_up + seconds:
            agents = sum(_socket_kib(place, machine) for machine in ("vps", "gateway"))
            looks.append([round(at, 2), agents + hosts.pipe_kib(contender.pids),
                          _socket_kib(place, "target")])
            time.sleep(.1)
        machine, rss_now = _tcp_pages(), hosts.memory(contender.pids)["rss"]
        helper.answer()
    warm = [look for look in looks if look[0] >= warm_up] or looks[-1:]
    return {"kernel_kib": statistics.median(look[1] for look in warm),
            "kernel_max_kib": max(look[1] for look in looks),
            "target_kib": statistics.median(look[2] for look in warm),
            "machine_kib": (machine - pages) * 4, "rss_kib": rss_now - rss,
            "rss_all_kib": rss_now, "series": looks}


def _memory_rows(lengths):
    for sessions in lengths.held_by:
        yield Row(f"memory {sessions}", "memory",
                  f"{sessions} session{'s'[:sessions - 1]} with a slow client",
                  lambda b, c, n=sessions: memory(b, c, n), lines={"client": Line(10)}, times=2,
                  narrow=sessions == 1, only=ALL)


def rows(lengths):
    return [*_age_rows(lengths),
            Row("keystroke", "keystroke", "a key beside scp, 10 Mbit/s", keystroke,
                lines={"client": Line(10)}, narrow=True, times=2, only=ALL, target_is="sshd"),
            *_memory_rows(lengths)]


GROUPS = ("age", "keystroke", "memory")
