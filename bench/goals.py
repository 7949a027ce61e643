"""What we want to reach, as ratios within one run, and whether we did."""

import statistics

MINIMUM_PINGS = 100000
OURS = "pamtunnel"
BEFORE = "pamtunnel-before"
NOISE = .1      # by which medians of one run differ although nothing changed


class Data:
    """The samples of a run, as medians."""

    def __init__(self, raw):
        self.raw = raw
        self.samples = raw["samples"]

    def values(self, row, contender, key):
        return [s[key] for s in self.samples
                if s["row"] == row and s["contender"] == contender and s.get(key) is not None]

    def median(self, row, contender, key):
        values = self.values(row, contender, key)
        return statistics.median(values) if values else None

    def ratio(self, row, key, contender, other, their_row=None):
        ours = self.median(row, contender, key)
        theirs = self.median(their_row or row, other, key)
        return ours / theirs if ours is not None and theirs else None

    def has(self, contender):
        return contender in self.raw["contenders"]

    def errors(self, row, contender):
        return sorted({s["error"] for s in self.samples if "error" in s
                       and s["row"] == row and s["contender"] == contender})

    def round_trips(self, round_trip_ms, contender, key):
        """What a row takes more than on a path without delay, in round trips."""
        near, far = (self.median(f"answer {ms}", contender, key) for ms in (0, round_trip_ms))
        return None if near is None or far is None else (far - near) / round_trip_ms

    def series(self, row, contender):
        """Of the first repeat that has one."""
        return next(iter(self.values(row, contender, "series")), None)

    def rows(self):
        return list(dict.fromkeys(s["row"] for s in self.samples))

    def idle_counts(self):
        return [int(row.split()[1]) for row in self.rows() if row.startswith("idle ")]


class Result:
    """One line of the table. value is None where it was not measured."""

    def __init__(self, what, relation, goal, value, unit="", why="", digits=2):
        self.what, self.relation, self.goal = what, relation, goal
        self.value, self.unit, self.why, self.digits = value, unit, why, digits

    @property
    def met(self):
        if self.value is None:
            return None
        return self.value >= self.goal if self.relation == "≥" else self.value <= self.goal


def _ratio(data, what, row, key, relation, goals, their_row=None):
    for other, goal in goals:
        value = data.ratio(row, key, OURS, other, their_row)
        why = "; ".join(data.errors(row, OURS)) or f"{other} was not measured"
        yield Result(what, relation, goal, value, f"× {other}", "" if value is not None else why)


def _throughput(data):
    for streams, goals in ((1, (("direct", .55), ("rathole", 3.5), ("haproxy", 1.15))),
                           (8, (("direct", .65), ("rathole", 2.5)))):
        for way in ("up", "down"):
            yield from _ratio(data, f"throughput, {streams} stream{'s'[:streams - 1]} {way}",
                              f"bulk {streams} {way}", "gbps", "≥", goals)
    for streams in (1, 8):
        for way in ("up", "down"):
            yield from _ratio(data, f"CPU per GiB, both agents, {streams} "
                              f"stream{'s'[:streams - 1]} {way}", f"bulk {streams} {way}",
                              "cpu_per_gib", "≤", (("rathole", .17), ("haproxy", .75)))


def _latency(data):
    for size, name in ((1, "1 B"), (1024, "1 KiB")):
        yield from _ratio(data, f"p50 of {name}", f"ping {size}", "p50_us", "≤",
                          (("direct", 4.2), ("rathole", .9), ("haproxy", .75)))
    for after in ("", " after bulk"):
        for size, name in ((1, "1 B"), (1024, "1 KiB")):
            row = f"ping {size}{after}"
            count = sum(data.values(row, OURS, "count"))
            stalls = sum(data.values(row, OURS, "stalls")) if count else None
            enough = count >= MINIMUM_PINGS or data.raw["quick"]
            why = "; ".join(data.errors(row, OURS)) or f"only {count:,} round trips"
            yield Result(f"round trips ≥ 30 ms{after and ', right' + after}, {name}, of {count:,}",
                         "≤", 0, stalls if enough else None, "", "" if enough else why, digits=0)


def _set_up(data):
    """Against rathole's plain connections, of which it has made one part ahead of time."""
    yield from _ratio(data, "CPU per whole session", "set-up", "cpu_us", "≤", (("rathole", 1.75),))
    if data.has(BEFORE):
        yield from _ratio(data, "CPU per whole session", "set-up", "cpu_us", "≤", ((BEFORE, .82),))
        yield from _ratio(data, "CPU per reconnect", "reconnect", "cpu_us", "≤", ((BEFORE, .85),))


def _not_worse(data):
    if data.has(BEFORE):
        for streams, way in ((1, "up"), (1, "down"), (8, "up"), (8, "down")):
            what, row = f"{streams} stream{'s'[:streams - 1]} {way}", f"bulk {streams} {way}"
            yield from _ratio(data, f"throughput, {what}, not worse", row, "gbps", "≥",
                              ((BEFORE, 1 - NOISE),))
            yield from _ratio(data, f"CPU per GiB, {what}, not worse", row, "cpu_per_gib", "≤",
                              ((BEFORE, 1 + NOISE),))


def _difference(data, what, row, key, goal, contender=OURS):
    """At most so much more than direct."""
    ours, direct = data.median(row, contender, key), data.median(row, "direct", key)
    there = ours is not None and direct is not None
    yield Result(what, "≤", goal, ours - direct if there else None, "ms + direct",
                 "" if there else "; ".join(data.errors(row, contender)), digits=0)


def _age(data):
    for way, leg, mbit, goal in (
            ("down", "client", 1, 2), ("up", "gateway", 1, 2),
            ("down", "client", 10, 2), ("up", "gateway", 10, 2), ("down", "gateway", 10, 2),
            ("up", "target", 10, 2), ("down", "client", 100, 1.2), ("up", "gateway", 100, 1.2)):
        row, what = f"age {way} {mbit} {leg}", f"age of data, {mbit} Mbit/s at the {leg}, {way}"
        yield from _ratio(data, what, row, "p50_ms", "≤", (("direct", goal),))
        if mbit == 10:
            yield from _difference(data, what, row, "p50_ms", 150)


def _keystroke(data):
    yield from _ratio(data, "a key beside scp, 10 Mbit/s, p50", "keystroke", "p50_ms", "≤",
                      (("direct", 1.5),))


def _memory(data):
    for sessions, goal in ((1, 1), (100, 60)):
        row = f"memory {sessions}"
        held = data.median(row, OURS, "kernel_kib")
        if held is not None:
            yield Result(f"kernel memory of both agents, {sessions} session{'s'[:sessions - 1]} "
                         "with a slow client", "≤", goal, held / 1024, "MiB")


def _split(data):
    for leg in ("gateway", "client"):
        what, row = f"100 ms at the {leg}, 500 Mbit/s, no loss", f"split {leg}"
        yield from _ratio(data, f"{what}, throughput", row, "mbps", "≥", (("direct", 1.3),))
        yield from _difference(data, f"{what}, age", row, "p50_ms", 30)


def _bad_lines(data):
    """Where the agents know no other congestion control, what they do is the system's."""
    system = "pamtunnel-system" if data.has("pamtunnel-system") else OURS
    for leg in ("gateway", "client"):
        what, row = f"100 ms, 100 Mbit/s, 1 % loss at the {leg}", f"bad {leg}"
        for who, name, goal in ((system, "reno", 1), ("pamtunnel-bbr", "bbr", 30)):
            value = data.ratio(row, "mbps", who, "direct")
            why = "; ".join(data.errors(row, who)) or f"{who} was not measured"
            yield Result(f"{what}, {name}, throughput", "≥", goal, value, "× direct", why)
        age = data.median(row, "pamtunnel-bbr", "p50_ms")
        yield Result(f"{what}, bbr, age", "≤", 300, age, "ms",
                     "" if age else "pamtunnel-bbr was not measured", digits=0)


def _answer(data):
    for round_trip in (20, 100):
        value = data.round_trips(round_trip, OURS, "answer_ms")
        yield Result(f"command to answer, {round_trip} ms between VPS and gateway", "≤", 3,
                     value and round(value, 1), "round trips",
                     "; ".join(data.errors(f"answer {round_trip}", OURS)), digits=1)


def _idle(data):
    for count in data.idle_counts():
        row = f"idle {count}"
        for key, name, goal, unit in (("rss_kib", "RSS", 1, "KiB"),
                                      ("descriptors", "descriptors", 3, ""),   # client, data channel, public port
                                      ("pipes", "pipes", 0, "")):
            yield Result(f"{name} per idle session and agent, {count:,} sessions", "≤", goal,
                         data.median(row, OURS, key), unit, "; ".join(data.errors(row, OURS)))
    if data.idle_counts():
        row = f"idle {max(data.idle_counts())}"
        yield Result(f"idle CPU of an agent, {max(data.idle_counts()):,} sessions", "≤", 0.1,
                     data.median(row, OURS, "cpu_percent"), "% of a core",
                     "; ".join(data.errors(row, OURS)))


def _not_root(data):
    if "crowded" in data.rows():
        count = data.raw["lengths"]["crowd"]
        yield Result(f"not root, 1 stream beside {count:,} idle sessions", "≥", 0.9,
                     data.median("crowded", "pamtunnel-nobody", "ratio"), "× without them",
                     "; ".join(data.errors("crowded", "pamtunnel-nobody")))


def results(raw):
    """All goals whose rows were part of the run."""
    data = Data(raw)
    groups = (("bulk", _throughput), ("bulk", _not_worse), ("ping", _latency),
              ("set-up", _set_up), ("idle", _idle),
              ("crowded", _not_root), ("age ", _age), ("keystroke", _keystroke),
              ("memory", _memory), ("split", _split), ("bad ", _bad_lines), ("answer", _answer))
    there = " ".join(data.rows())
    return [result for word, check in groups if word in there for result in check(data)]
