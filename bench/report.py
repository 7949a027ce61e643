"""What is written about a run: the table of goals, docs/benchmarks.md and its plots."""

import re
import statistics

import goals
import plot

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
QUIET = 0.3     # processors that others may use before we say so
FOLDER = "benchmarks"


def fixed(value, digits=2):
    if value is None:
        return "–"
    if value and abs(value) < 0.005 and digits == 2:
        return f"{value:.4f}"
    return f"{value:,.{digits}f}" if abs(value) < 100 else f"{value:,.0f}"


def table(head, lines):
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|",
                      *("| " + " | ".join(line) + " |" for line in lines)])


def table_of_goals(raw):
    words = {True: "met", False: "**not met**", None: "not measured"}
    found = goals.results(raw)
    met = sum(bool(result.met) for result in found)
    lines = [[r.what, f"{r.relation} {r.goal:g} {r.unit}".rstrip(), fixed(r.value, r.digits),
              words[r.met] + (f": {r.why}" if r.met is None and r.why else "")] for r in found]
    return table(["what", "goal", "measured", ""], lines) + \
        f"\n\n{met} of {len(found)} met.\n"


class Tables:
    """The numbers of all contenders, row by row."""

    def __init__(self, raw):
        self.raw = raw
        self.data = goals.Data(raw)
        self.names = list(raw["contenders"])
        self.titles = {name: about["title"] for name, about in raw["contenders"].items()}

    def cell(self, row, name, key, digits=2, versus=None):
        value = self.data.median(row, name, key)
        if value is None:
            return "failed" if self.data.errors(row, name) else "–"
        text = fixed(value, digits)
        if versus and name != versus:
            ratio = self.data.ratio(row, key, name, versus)
            text += f" ({ratio:.2f})" if ratio else ""
        return text

    def with_any(self, rows):
        """Those who have something to say in one of the rows, if only that it failed."""
        there = {sample["contender"] for sample in self.raw["samples"] if sample["row"] in rows}
        return [name for name in self.names if name in there]

    def table(self, columns, names=None):
        """columns: (title, row, key, digits, versus)"""
        took_part = self.with_any([column[1] for column in columns])
        lines = [[self.titles[name], *(self.cell(row, name, key, digits, versus)
                                       for _, row, key, digits, versus in columns)]
                 for name in names or self.names if name in took_part]
        return table(["", *(column[0] for column in columns)], lines)

    BULK = (("bulk 1 up", "1 up"), ("bulk 1 down", "1 down"), ("bulk 8 up", "8 up"),
            ("bulk 8 down", "8 down"))

    def throughput(self):
        columns = [(title, row, "gbps", 1, "direct") for row, title in
                   (*self.BULK, ("bulk 1 up zero", "1 up, zero-copy ends"))]
        return self.table(columns)

    def cpu(self):
        columns = [(title, row, "cpu_per_gib", 3, None) for row, title in
                   (*self.BULK, ("bulk 1 up zero", "1 up, zero-copy ends"))]
        return self.table(columns, [name for name in self.names if name != "direct"])

    def latency(self):
        columns = []
        for row, title in (("ping 1", "1 B"), ("ping 1024", "1 KiB"),
                           ("ping 1 after bulk", "1 B after bulk"),
                           ("ping 1024 after bulk", "1 KiB after bulk")):
            columns.append((f"{title}: p50", row, "p50_us", 1, None))
            columns.append(("p99", row, "p99_us", 0, None))
            columns.append(("p99.9", row, "p999_us", 0, None))
        return self.table(columns)

    def stalls(self):
        rows = [row for row in self.data.rows() if row.startswith("ping")]
        lines = []
        for name in self.names:
            count = sum(sum(self.data.values(row, name, "count")) for row in rows)
            stalls = sum(sum(self.data.values(row, name, "stalls")) for row in rows)
            longest = max((max(self.data.values(row, name, "max_us"), default=0) for row in rows),
                          default=0)
            lines.append([self.titles[name], f"{count:,}", f"{stalls:,}", fixed(longest / 1000, 1)])
        return table(["", "round trips", "of 30 ms and more", "longest, ms"], lines)

    def set_up(self):
        columns = []
        for row, title in (("set-up", "set-ups"), ("reconnect", "reconnects")):
            columns += [(f"{title} a second", row, "per_second", 0, None),
                        ("CPU, µs", row, "cpu_us", 0, None), ("p50, µs", row, "p50_us", 0, None),
                        ("p99, µs", row, "p99_us", 0, None)]
        return self.table(columns)

    def idle(self, count):
        row = f"idle {count}"
        lines = []
        for name in self.names:
            if name == "direct" or not any(s["row"] == row and s["contender"] == name
                                           for s in self.raw["samples"]):
                continue
            ends, kernel = (self.data.median(row, who, "kernel_kib") for who in ("direct", name))
            per_hop = (kernel - ends) / 2 if kernel is not None and ends is not None else None
            lines.append([self.titles[name], self.cell(row, name, "rss_kib"),
                          self.cell(row, name, "pss_kib"), self.cell(row, name, "descriptors", 1),
                          self.cell(row, name, "pipes", 1), fixed(per_hop, 1),
                          self.cell(row, name, "cpu_percent")])
        return table(["", "RSS KiB", "PSS KiB, all processes", "descriptors", "pipes",
                      "kernel slab KiB per hop", "idle CPU, % of a core"], lines)

    def crowded(self):
        names = [name for name in self.names if name.startswith("pamtunnel")]
        return self.table([("alone, Gb/s", "crowded", "alone_gbps", 1, None),
                           ("beside them, Gb/s", "crowded", "gbps", 1, None),
                           ("ratio", "crowded", "ratio", 2, None),
                           ("alone, CPU-s/GiB", "crowded", "alone_cpu_per_gib", 3, None),
                           ("beside them, CPU-s/GiB", "crowded", "cpu_per_gib", 3, None)], names)

    AGES = (("age down 1 client", "1, down"), ("age up 1 gateway", "1, up"),
            ("age down 10 client", "10, down"), ("age up 10 gateway", "10, up"),
            ("age down 10 gateway", "10, down, gateway's line"),
            ("age up 10 target", "10, up, target's line"),
            ("age down 100 client", "100, down"), ("age up 100 gateway", "100, up"))

    def age(self):
        return self.table([(title, row, "p50_ms", 0, "direct") for row, title in self.AGES])

    def age_at_most(self):
        return self.table([(title, row, "p99_ms", 0, "direct") for row, title in self.AGES])

    def changes(self):
        return self.table([(f"at {mbit} Mbit/s", "age changes", f"p50_ms_{mbit}", 0, "direct")
                           for mbit in (10, 1, 100)]
                          + [("kept during a pause, MiB", "age pause", "kept_mib", 1, None),
                             ("then old bytes for, s", "age pause", "until_fresh_s", 1, None)])

    def keystroke(self):
        return self.table([("without scp", "keystroke", "alone_ms", 1, None),
                           ("beside scp: p50", "keystroke", "p50_ms", 0, "direct"),
                           ("p95", "keystroke", "p95_ms", 0, "direct")])

    def memory(self):
        lines = []
        rows = [row for row in self.data.rows() if row.startswith("memory")]
        keys = ("kernel_kib", "kernel_max_kib", "rss_kib", "target_kib")
        for name in self.with_any(rows):
            held = [self.data.median(row, name, key) for row in rows for key in keys]
            lines.append([self.titles[name], *(fixed(kib / 1024, 1) if kib is not None else "–"
                                               for kib in held)])
        return table(["", *(f"{title}" for row in rows for title in (
            f"{row.split()[1]}: in the kernel", "at most", "RSS more", "at the target"))], lines)

    def paths(self):
        """A line for each path; Mbit/s and age of direct and of ours."""
        lines = []
        for row in self.data.rows():
            if row.startswith(("path client", "path gateway")):
                _, leg, mbit, round_trip, loss = row.split()
                lines.append([f"{leg}'s line, {round_trip} ms, {int(mbit):,} Mbit/s, {loss} % loss",
                              *self._flow(row, "direct"), *self._flow(row, goals.OURS)])
        return table(["", "direct, Mbit/s", "age, ms", "pamtunnel, Mbit/s", "age, ms"], lines)

    def path_alone(self):
        gbps = self.data.median("path alone", "direct", "gbps")
        return f"The path program by itself carried {fixed(gbps, 1)} Gb/s." if gbps else ""

    def split(self):
        lines = []
        for prefix, what in (("split", "500 Mbit/s, no loss"), ("bad", "100 Mbit/s, 1 % loss")):
            for leg in ("gateway", "client"):
                row = f"{prefix} {leg}"
                lines += [[f"{leg}'s line, 100 ms, {what}", self.titles[name],
                           *self._flow(row, name)] for name in self.with_any([row])]
        return table(["", "", "Mbit/s", "age, ms"], lines)

    def _flow(self, row, name):
        versus = None if name == "direct" else "direct"
        return self.cell(row, name, "mbps", 1, versus), self.cell(row, name, "p50_ms", 0)

    def answer(self):
        columns = [(f"{what}, {ms} ms", f"answer {ms}", key, 1, None)
                   for key, what in (("answer_ms", "answer"), ("byte_ms", "first byte"))
                   for ms in (0, 20, 100)]
        return self.table(columns)

    def answer_round_trips(self):
        lines = [[self.titles[name], *(fixed(self.data.round_trips(ms, name, key), 2) for key in
                                       ("answer_ms", "byte_ms") for ms in (20, 100))]
                 for name in self.with_any(["answer 0"])]
        return table(["", "answer, 20 ms", "100 ms", "first byte, 20 ms", "100 ms"], lines)

    def failures(self):
        lines = []
        for name in self.names:
            for row in self.data.rows():
                for error in self.data.errors(row, name):
                    lines.append(f"- {self.titles[name]}, {row}: {error}")
        return "\n".join(lines)


def about(raw):
    machine = raw["machine"]
    others = statistics.median([s["others"] for s in raw["samples"]] or [0])
    workers = f"{raw['workers']} worker threads each" if raw["workers"] else \
        "as many worker threads as each program starts by itself"
    lines = [f"Measured {raw['date']} on {machine['processor']}, {machine['cores']} cores, "
             f"{machine['memory_gib']} GiB, Linux {machine['kernel']}, {machine['system']}; "
             f"congestion control {machine['congestion_control']}, descriptor limit "
             f"{machine['descriptor_limit']:,}. Medians of {raw['repeats']}, interleaved; "
             f"{workers}. "
             f"Other processes used {others:.2f} processors meanwhile (median).", ""]
    if others > QUIET:
        lines += ["**The machine was not quiet: take these numbers as a rough picture.**", ""]
    if raw["quick"]:
        lines += ["**A quick run: a smoke test, not a measurement.**", ""]
    lines += [f"- {c['title']}: {c['version']}" for c in raw["contenders"].values() if c["version"]]
    lines += [f"- {name}: not part of it ({why})" for name, why in raw["missing"].items()]
    return "\n".join(lines)


def plots(tables):
    """File name to SVG."""
    def groups(names, columns):
        return [(tables.titles[name], [tables.data.median(row, name, key) for row, key in columns])
                for name in names]
    everybody = tables.names
    relays = [name for name in everybody if name != "direct"]
    bulk = [row for row, _ in tables.BULK]
    four = ["1 stream up", "1 stream down", "8 streams up", "8 streams down"]
    pings = [("ping 1", "p50_us"), ("ping 1", "p99_us"), ("ping 1024 after bulk", "p50_us"),
             ("ping 1024 after bulk", "p99_us")]
    return {
        "throughput.svg": plot.bars("Throughput over two hops, Gb/s", four, groups(
            everybody, [(row, "gbps") for row in bulk])),
        "cpu.svg": plot.bars("Processor time of both hops, seconds per GiB (less is better)", four,
                             groups(relays, [(row, "cpu_per_gib") for row in bulk])),
        "latency.svg": plot.bars("Round trips, one CPU, µs (less is better)",
                                 ["1 B p50", "1 B p99", "1 KiB after bulk p50",
                                  "1 KiB after bulk p99"], groups(everybody, pings)),
        **plots_over_time(tables),
        "setup.svg": plot.bars("Connections a second; pamtunnel's are whole sessions",
                               ["set-ups", "reconnects to a session"], groups(
                                   everybody, [("set-up", "per_second"),
                                               ("reconnect", "per_second")])),
    }


def plots_over_time(tables):
    found = {}
    for name, row, title in (
            ("age.svg", "age changes", "Age of data, ms: 10, then 1, then 100 Mbit/s"),
            ("pause.svg", "age pause", "Age of data, ms: the client does not read for a while"),
            ("memory.svg", "memory 1", "Kernel memory of both hops, KiB, for one slow client")):
        groups = [(tables.titles[who], [(at, value) for at, value, _ in
                                        tables.data.series(row, who) or ()])
                  for who in tables.with_any([row]) if (name, who) != ("memory.svg", "direct")]
        if any(points for _, points in groups):
            found[name] = plot.lines(title, groups)
    return found


AGES = ("Records with the time in them, from a sender that never pauses. Mbit/s, way, and whose "
        "line it is: down the client's, up the gateway's where nothing else is said.")
CHANGES = "When the rate of the client's line changes, and when the client stops reading:"


def calm_sections(tables, picture):
    """Each with the row that it needs."""
    return (("age", ["## Age of data behind a slow line, ms, p50 (× direct)", "", AGES, "",
                     tables.age(), "", "The same, p99:", "", tables.age_at_most(), "", CHANGES, "",
                     tables.changes(), "", picture.format("Age of data", "age.svg"),
                     picture.format("A client that pauses", "pause.svg")]),
            ("keystroke", ["## A key beside scp on one connection, 10 Mbit/s, ms (× direct)", "",
                           tables.keystroke(), ""]),
            ("memory", ["## Memory of both hops with slow clients, MiB", "", tables.memory(), "",
                        picture.format("Memory", "memory.svg")]),
            ("split", ["## Long and bad lines, one stream down (× direct)", "", tables.split(),
                       ""]),
            ("path", [tables.paths(), "", tables.path_alone(), ""]),
            ("answer", ["## From command to answer, and to the target's first byte, ms", "",
                        tables.answer(), "", "What the distance adds, in round trips between VPS "
                        "and gateway:", "", tables.answer_round_trips(), ""]))


def sections(raw):
    tables = Tables(raw)
    picture = "![{0}](" + FOLDER + "/{1})\n"
    parts = [about(raw), "", "## Goals", "", table_of_goals(raw),
             "## Throughput, Gb/s (× direct)", "", tables.throughput(), "",
             picture.format("Throughput", "throughput.svg"),
             "## Processor time of both hops, CPU-seconds per GiB", "", tables.cpu(), "",
             picture.format("Processor time", "cpu.svg"),
             "## Round trips on one CPU, µs", "", tables.latency(), "", tables.stalls(), "",
             picture.format("Latency", "latency.svg"),
             "## Set-up", "", tables.set_up(), "", picture.format("Set-up", "setup.svg")]
    for count in tables.data.idle_counts():
        parts += [f"## {count:,} idle sessions, per session; the larger of both hops", "",
                  tables.idle(count), ""]
    parts += ["## Beside idle sessions", "", tables.crowded(), ""]
    for word, part in calm_sections(tables, picture):
        if any(row.startswith(word) for row in tables.data.rows()):
            parts += part
    failures = tables.failures()
    if failures:
        parts += ["## What failed", "", failures, ""]
    return "\n".join(parts)


def write_docs(raw, folder):
    """The part of benchmarks.md between the markers, and the plots beside it."""
    (folder / FOLDER).mkdir(exist_ok=True)
    for name, svg in plots(Tables(raw)).items():
        (folder / FOLDER / name).write_text(svg)
    path = folder / "benchmarks.md"
    generated = f"{BEGIN}\n{sections(raw)}\n{END}"
    text = path.read_text()
    if BEGIN not in text:
        text += f"\n{BEGIN}\n{END}\n"
    path.write_text(re.sub(re.escape(BEGIN) + ".*" + re.escape(END), lambda _: generated, text,
                           flags=re.S))
