"""Runs the comparison; started by scripts/bench, which gives it namespaces of its own.

    hosts       the namespace, processes, what they use
    network     loopback, or a small Internet with lines that are slow, long or bad
    contenders  who is compared, and how each is started
    measure     the rows on loopback
    calm        the rows behind slow lines
    paths       the rows over long and bad ones
    run         repeats of them, and the raw numbers
    goals       what we want to reach
    report      tables, docs/benchmarks.md
    plot        its pictures
    ends/       the programs at both ends of every contender, in C
"""

import argparse
import datetime
import itertools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

import calm
import contenders
import hosts
import measure
import network
import paths
import report
from hosts import Failed
from run import Results, run_repeat, say

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
ENDS = {"target": ("way", "pump", "stamps"), "bulk": ("way", "pump"), "ping": ("way",),
        "sessions": ("way",), "age": ("way", "stamps"), "path": ("way",)}
PARTS = (measure, calm, paths)
GROUPS = tuple(group for part in PARTS for group in part.GROUPS)
COMPILER = ("gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-pthread")


class Bench:
    """What all measurements share: the programs, loopback, a folder for files that go away."""

    def __init__(self, options):
        self.lengths = measure.Lengths(options.quick)
        self.workers = options.workers
        self.scratch = pathlib.Path(options.scratch)
        self.scratch.mkdir(mode=0o711)  # also a user who is not root gets at what is their own
        self.build = self._copy_programs("bin", options.build)
        self.before = self._copy_programs("before", options.before) if options.before else None
        self._compile_ends()
        self.folders = itertools.count(1)
        self.loopback = None

    def _copy_programs(self, name, build):
        """Every user may run them, and a build meanwhile changes nothing."""
        folder = self.scratch / name
        folder.mkdir()
        for program in ("vps-agent", "gateway-agent"):
            shutil.copy2(pathlib.Path(build) / program, folder / program)
        return folder

    def _compile_ends(self):
        for name, parts in ENDS.items():
            sources = [HERE / "ends" / f"{part}.c" for part in (name, *parts)]
            subprocess.run([*COMPILER, "-o", self.program(name), *sources], check=True)

    def program(self, name):
        return self.scratch / "bin" / f"bench-{name}"

    def new_folder(self, name):
        folder = self.scratch / f"{next(self.folders)}-{name}"
        folder.mkdir()
        return folder


def parse_options():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Compares pamtunnel's "
                                     "agents with other relays, two hops each, on this machine.")
    parser.add_argument("--quick", action="store_true", help="two short repeats: only a smoke test")
    parser.add_argument("--repeats", type=int, metavar="N", help="medians are of N (default 4)")
    parser.add_argument("--only", action="append", metavar="ROW", help="only these rows: "
                        + ", ".join(GROUPS) + ", or how the name of one begins")
    parser.add_argument("--contenders", metavar="NAME,NAME", help="only these: "
                        + ", ".join(c.name for c in contenders.ALL))
    parser.add_argument("--workers", type=int, metavar="N", help="worker threads of each program "
                        "that has such a setting (default: what each program does by itself)")
    parser.add_argument("--with-peers", action="store_true",
                        help="try to install rathole, frp and bore first")
    parser.add_argument("--against", metavar="COMMIT", help="also our agents as they were at that "
                        "commit, as pamtunnel-before")
    parser.add_argument("--no-install", action="store_true",
                        help="install nothing: who is not there does not take part")
    parser.add_argument("--no-docs", action="store_true", help="leave docs/ as it is")
    parser.add_argument("--report", metavar="FILE", help="measure nothing; write docs/ anew from "
                        "the raw numbers of an earlier run")
    parser.add_argument("--only-parse", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--build", help=argparse.SUPPRESS)
    parser.add_argument("--before", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", help=argparse.SUPPRESS)
    parser.add_argument("--results", help=argparse.SUPPRESS)
    options = parser.parse_args()
    for word in options.only or ():
        if not rows_of(measure.Lengths(options.quick), [word]):
            parser.error(f"no row is called {word}")
    return options


def rows_of(lengths, wanted):
    """wanted: groups, or how the names of rows begin; none: all of them."""
    return [row for part in PARTS for row in part.rows(lengths) if not wanted
            or row.group in wanted or row.name.startswith(tuple(wanted))]


def choose(options):
    """The contenders that are there; says which are not."""
    wanted = options.contenders.split(",") if options.contenders else None
    unknown = set(wanted or ()) - {c.name for c in contenders.ALL}
    if unknown:
        sys.exit(f"bench: no contender is called {' or '.join(sorted(unknown))}")
    chosen, missing = [], {}
    for contender in contenders.ALL:
        if wanted is None or contender.name in wanted:
            why = contender.missing(options)
            if why:
                missing[contender.name] = why
                say(f"bench: without {contender.title}: {why}")
            else:
                contender.everywhere |= wanted is not None      # named is asked for
                chosen.append(contender)
    return chosen, missing


def measure_all(options):
    chosen, missing = choose(options)
    repeats = options.repeats or (2 if options.quick else 4)
    hosts.set_up_namespace()
    bench = Bench(options)
    rows = rows_of(bench.lengths, options.only)
    folder = pathlib.Path(options.results)
    folder.mkdir(parents=True, exist_ok=True)
    head = {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "machine": hosts.describe(), "repeats": repeats, "quick": options.quick,
            "workers": options.workers, "lengths": vars(bench.lengths), "missing": missing,
            "contenders": {c.name: {"title": c.title, "version": c.version(options)}
                           for c in chosen}}
    results = Results(folder / "raw.json", head)
    started = time.monotonic()
    try:
        with network.Place(bench) as bench.loopback:
            for repeat in range(1, repeats + 1):
                say(f"repeat {repeat} of {repeats}, {time.monotonic() - started:.0f} s so far")
                run_repeat(bench, results, repeat, rows, chosen)
    finally:
        results.save()
        say(f"bench: all raw numbers are in {results.path}")
    results.data["seconds"] = round(time.monotonic() - started)
    results.save()
    return results.data


def end_with_stdin():
    """scripts/bench holds the other end of stdin; when it is gone, nothing may stay behind."""
    def watch():
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
        os._exit(143)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    threading.Thread(target=watch, daemon=True).start()


def main():
    options = parse_options()
    if options.only_parse:      # before anything is installed and built for them
        return
    if options.report:
        data = json.loads(pathlib.Path(options.report).read_text())
        whole = True
    else:
        end_with_stdin()
        data = measure_all(options)
        whole = not (options.quick or options.only or options.contenders)
    print(report.table_of_goals(data))
    if whole and not options.no_docs:
        report.write_docs(data, ROOT / "docs")
        say("bench: docs/benchmarks.md and its plots are written anew")


try:
    main()
except KeyboardInterrupt:
    sys.exit(130)
except Failed as failure:
    sys.exit(f"bench: {failure}")
