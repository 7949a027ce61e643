"""The rows: what is measured of a contender. Each function returns one sample, a dict."""

import contextlib
import math
import os
import time

import hosts
from hosts import Failed

GIB = 1 << 30
MICRO = 1e6


class Lengths:
    """How long and how much; quick is only to see that everything works."""

    def __init__(self, quick):
        self.quick = quick
        self.warm_up = 0.1 if quick else 0.5            # seconds
        self.bulk = 0.4 if quick else 3
        self.pings = 2000 if quick else 25000           # a sample; four make 100,000
        self.rounds = 4 if quick else 20                # of bulk before pings, in a sample
        self.bulk_before = 16 << 20                     # bytes each way, in each of those rounds
        self.set_ups = 300 if quick else 4000
        self.set_up_limit = 2 if quick else 6           # seconds
        self.idle = (100,) if quick else (1000, 4000)   # sessions; three descriptors each, of 20,000
        self.crowd = 100 if quick else 1200
        self.settle = 0.2 if quick else 1
        self.glance = 0.3 if quick else 1               # seconds of looking at idle processes
        self.watch = 0.5 if quick else 20               # at ours: their timers go off every 15 s
        # Of the age of data, by Mbit/s: warming up, and looking.
        self.ages = dict.fromkeys((1, 10, 100), (.5, .5)) if quick else \
            {1: (6, 12), 10: (4, 8), 100: (2, 5)}
        self.stage = 1 if quick else 12                 # of a rate that changes
        self.pause = (.5, .5, 1) if quick else (4, 20, 16)  # reading, not reading, reading
        self.typing = (.3, .7) if quick else (5, 10)    # beside bulk: before it counts, then
        self.held = (.3, .7) if quick else (2, 5)       # memory: before it counts, then
        self.path = (.5, .5) if quick else (2, 8)       # long paths: warming up, looking
        self.round_trips = (20,) if quick else (20, 100, 200)   # ms, of the long leg
        self.path_rates = (100,) if quick else (1000, 100)      # Mbit/s, of both
        self.losses = (1,) if quick else (0, .1, 1)     # percent, of the long one
        self.answers = 2 if quick else 15
        self.held_by = (1, 10) if quick else (1, 100)   # sessions


AT_ONCE = 16            # set-ups, as many as have their own connection to the admin socket
HOLD_LIMIT = 60         # seconds to open idle sessions in
STALL_MS = 30


# ---- throughput

def throughput(bench, contender, streams, way, zero_copy=False):
    lengths = bench.lengths
    options = ["zero"] if zero_copy else []
    with contender.place.helper("bulk", contender.way, contender.place.counter, way, streams,
                                lengths.warm_up, lengths.bulk, *options) as helper:
        before = hosts.cpu_seconds(contender.pids)
        answer = helper.run()
        used = hosts.cpu_seconds(contender.pids) - before
    if answer["bytes"] == 0:
        raise Failed("no byte came through")
    return {"gbps": answer["bytes"] * 8 / answer["seconds"] / 1e9,
            "cpu_per_gib": used / (answer["bytes_in_all"] / GIB),
            "gib": answer["bytes_in_all"] / GIB}


# ---- latency

@contextlib.contextmanager
def on_one_cpu(contender):
    """Unpinned, round trips show how fast sleeping processors wake up, and little else."""
    all_cpus = os.sched_getaffinity(0)
    everyone = [*contender.pids, contender.place.target_process.pid]
    hosts.pin(everyone, {max(all_cpus)})
    try:
        yield {max(all_cpus)}
    finally:
        hosts.pin(everyone, all_cpus)


def latency(bench, contender, size, after_bulk=False):
    lengths = bench.lengths
    rounds, bulk = (lengths.rounds, lengths.bulk_before) if after_bulk else (1, 0)
    with on_one_cpu(contender) as cpu:
        with contender.place.helper("ping", contender.way, rounds, bulk, lengths.pings // rounds,
                    size, timeout=120) as helper:
            hosts.pin([helper.pid, *contender.pids, contender.place.target_process.pid], cpu)
            answer = helper.run()
    if not answer["complete"]:
        raise Failed(f"a round trip did not end; {answer['count']} did")
    return answer


# ---- set-up

def set_up(bench, contender, *options):
    """Connections a second until the first byte from the target; ours are whole sessions."""
    lengths = bench.lengths
    with contender.place.helper("sessions", contender.way, lengths.set_ups, AT_ONCE,
                lengths.set_up_limit, *options) as helper:
        before = hosts.cpu_seconds(contender.pids)
        answer = helper.run()
        time.sleep(lengths.settle)      # closing is part of it
        used = hosts.cpu_seconds(contender.pids) - before
    if answer["failed"]:
        raise Failed(f"{answer['failed']} failed, {answer['opened']} did not: {answer['why']}")
    return {"per_second": answer["opened"] / answer["seconds"], "opened": answer["opened"],
            "cpu_us": used / answer["opened"] * MICRO, "p50_us": answer["p50_us"],
            "p99_us": answer["p99_us"]}


def reconnect(bench, contender):
    """The same with sessions that are there already; what others know are only connections."""
    return set_up(bench, contender, "reconnect")


# ---- idle sessions

@contextlib.contextmanager
def held(bench, contender, count):
    """That many sessions, all connected and silent."""
    with contender.place.helper("sessions", contender.way, count, AT_ONCE, HOLD_LIMIT,
                "hold", timeout=HOLD_LIMIT + 10) as helper:
        answer = helper.run()
        if answer["opened"] != count:
            raise Failed(f"{answer['opened']} of {count} sessions could be opened: "
                         f"{answer['why'] or 'too slow'}")
        time.sleep(bench.lengths.settle)
        yield


def _snapshot(contender):
    agents = [{"name": process.name, **hosts.memory([process.pid]),
               **hosts.descriptors([process.pid])} for process in contender.processes]
    return {"agents": agents, "pss": sum(agent["pss"] for agent in agents),
            "kernel": hosts.kernel_memory_kib()}


def idle(bench, contender, count):
    """What a session costs that does nothing. Of a freshly started contender."""
    lengths = bench.lengths
    long = contender.whole_sessions and count == max(lengths.idle)
    watch = lengths.watch if long else lengths.glance
    time.sleep(lengths.settle)
    before = _snapshot(contender)
    with held(bench, contender, count):
        after = _snapshot(contender)
        cpu = [hosts.cpu_nanoseconds([process.pid]) for process in contender.processes]
        time.sleep(watch)
        cpu = [hosts.cpu_nanoseconds([process.pid]) - was
               for process, was in zip(contender.processes, cpu)]
    agents = []
    for was, now, used in zip(before["agents"], after["agents"], cpu):
        agents.append({"name": now["name"], "base_rss_kib": was["rss"],
                       "rss_kib": (now["rss"] - was["rss"]) / count,
                       "descriptors": (now["all"] - was["all"]) / count,
                       "pipes": (now["pipes"] - was["pipes"]) / count,
                       "cpu_percent": used / (watch * 1e9) * 100})
    sample = {"pss_kib": (after["pss"] - before["pss"]) / count,
              "kernel_kib": (after["kernel"] - before["kernel"]) / count, "agents": agents}
    for key in ("rss_kib", "descriptors", "pipes", "cpu_percent"):
        sample[key] = max((agent[key] for agent in agents), default=0)
    return sample


def crowded(bench, contender):
    """One stream beside many idle sessions, against the same without them just before."""
    alone = throughput(bench, contender, 1, "up")
    with held(bench, contender, bench.lengths.crowd):
        beside = throughput(bench, contender, 1, "up")
    return {"ratio": beside["gbps"] / alone["gbps"], "gbps": beside["gbps"],
            "alone_gbps": alone["gbps"], "cpu_per_gib": beside["cpu_per_gib"],
            "alone_cpu_per_gib": alone["cpu_per_gib"]}


# ---- the rows

class Row:
    """group: what --only names. fresh: the contender is started for it alone. only: contenders.

    lines: in a network with these lines instead of on loopback. narrow: it leaves the processors
    nearly idle, so that others can be measured at the same time. times: in how many repeats at
    most; what hardly varies needs few. target_is: of a network, what answers there.
    """

    def __init__(self, name, group, title, take, fresh=False, only=None, lines=None, narrow=False,
                 times=math.inf, target_is="ours"):
        self.name, self.group, self.title, self.take = name, group, title, take
        self.fresh, self.only = fresh, only
        self.lines, self.narrow, self.times = lines, narrow, times
        self.target_is = target_is


def rows(lengths):
    found = []
    for streams in (1, 8):
        for way in ("up", "down"):
            found.append(Row(f"bulk {streams} {way}", "throughput",
                             f"{streams} stream{'s'[:streams - 1]} {way}",
                             lambda b, c, s=streams, w=way: throughput(b, c, s, w)))
    found.append(Row("bulk 1 up zero", "throughput", "1 stream up, zero-copy ends",
                     lambda b, c: throughput(b, c, 1, "up", zero_copy=True)))
    for after in (False, True):
        for size, title in ((1, "1 B"), (1024, "1 KiB")):
            found.append(Row(f"ping {size}{' after bulk' * after}", "latency",
                             f"{title}{', right after bulk' * after}",
                             lambda b, c, s=size, a=after: latency(b, c, s, a)))
    found.append(Row("set-up", "setup", "set-up", set_up))
    found.append(Row("reconnect", "setup", "reconnect", reconnect,
                     only=("pamtunnel", "pamtunnel-before", "pamtunnel-nobody")))
    found.append(Row("crowded", "nonroot", "1 stream up beside idle sessions", crowded,
                     only=("pamtunnel", "pamtunnel-nobody")))
    for count in lengths.idle:
        few = None if count <= 1000 else ("direct", "pamtunnel", "pamtunnel-nobody", "rathole")
        found.append(Row(f"idle {count}", "idle", f"{count:,} idle sessions",
                         lambda b, c, n=count: idle(b, c, n), fresh=True, only=few, times=2))
    return found


GROUPS = ("throughput", "latency", "setup", "nonroot", "idle")
