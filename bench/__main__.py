"""Runs the comparison; started by scripts/bench, which gives it namespaces of its own.

    hosts       the namespace, processes, what they use
    contenders  who is compared, and how each is started
    measure     the rows
    goals       what we want to reach
    report      tables, docs/benchmarks.md
    plot        its pictures
    ends/       the programs at both ends of every contender, in C
"""

import argparse
import datetime
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

import contenders
import hosts
import measure
import report
from hosts import Failed, Process

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
ENDS = {"target": ("pump",), "bulk": ("pump",), "ping": (), "sessions": ()}
COMPILER = ("gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-pthread")


class Bench:
    """What all measurements share: the target, the programs, a folder for files that go away."""

    def __init__(self, options):
        self.lengths = measure.Lengths(options.quick)
        self.workers = options.workers
        self.scratch = pathlib.Path(options.scratch)
        self.scratch.mkdir(mode=0o711)  # also a user who is not root gets at what is their own
        self.build = self._copy_programs("bin", options.build)
        self.before = self._copy_programs("before", options.before) if options.before else None
        self._compile_ends()
        self.counter = self.scratch / "counter"
        self.target = None
        self.target_port = 0
        self.folders = 0

    def _copy_programs(self, name, build):
        """Every user may run them, and a build meanwhile changes nothing."""
        folder = self.scratch / name
        folder.mkdir()
        for program in ("vps-agent", "gateway-agent"):
            shutil.copy2(pathlib.Path(build) / program, folder / program)
        return folder

    def _compile_ends(self):
        for name, parts in ENDS.items():
            sources = [HERE / "ends" / f"{part}.c" for part in (name, "way", *parts)]
            subprocess.run([*COMPILER, "-o", self.program(name), *sources], check=True)

    def program(self, name):
        return self.scratch / "bin" / f"bench-{name}"

    def new_folder(self, name):
        self.folders += 1
        folder = self.scratch / f"{self.folders}-{name}"
        folder.mkdir()
        return folder

    def start_target(self):
        folder = self.new_folder("target")
        self.target = Process("target", [self.program("target"), self.counter], folder)
        deadline = time.monotonic() + 5
        while not (line := self.target.log_path.read_text()).endswith("\n"):
            self.target.check()
            if time.monotonic() > deadline:
                raise Failed("the target does not start")
            time.sleep(0.01)
        self.target_port = int(line)


class Results:
    """All raw numbers, in a file that is written as they come."""

    def __init__(self, path, head):
        self.path = path
        self.data = {**head, "samples": []}
        self.save()

    def add(self, repeat, row, contender, sample):
        self.data["samples"].append({"repeat": repeat, "row": row.name,
                                     "contender": contender.name, **sample})

    def save(self):
        self.path.write_text(json.dumps(self.data, indent=1) + "\n")


def say(text):
    print(text, flush=True)


def brief(sample):
    if "error" in sample:
        return f"FAILED: {sample['error']}"
    shown = {key: value for key, value in sample.items() if isinstance(value, (int, float))}
    return "  ".join(f"{key} {value:.4g}" for key, value in shown.items())


def take(bench, results, repeat, row, contender):
    others = hosts.Others()
    try:
        contender.check()
        sample = row.take(bench, contender)
    except Failed as failure:
        sample = {"error": str(failure)}
    sample["others"] = round(others.cpus(), 3)
    results.add(repeat, row, contender, sample)
    say(f"  {row.name:18} {contender.name:17} {brief(sample)}")


def start(contender):
    try:
        contender.start()
    except Failed as failure:
        say(f"  {contender.name}: {failure}")
        return False
    return True


def takes_part(contender, row):
    return row.only is None or contender.name in row.only


def run_repeat(bench, results, repeat, rows, field):
    """Row by row through all contenders, so that what changes on the machine meets all of them."""
    shared = [row for row in rows if not row.fresh]
    running = [contender for contender in field if start(contender)] if shared else []
    try:
        for row in shared:
            for contender in running:
                if takes_part(contender, row):
                    take(bench, results, repeat, row, contender)
    finally:
        for contender in running:
            contender.stop()
    for row in rows:
        for contender in field:
            if row.fresh and takes_part(contender, row) and start(contender):
                try:
                    take(bench, results, repeat, row, contender)
                finally:
                    contender.stop()
    results.save()


def parse_options():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Compares pamtunnel's "
                                     "agents with other relays, two hops each, on this machine.")
    parser.add_argument("--quick", action="store_true", help="two short repeats: only a smoke test")
    parser.add_argument("--repeats", type=int, metavar="N", help="medians are of N (default 5)")
    parser.add_argument("--only", choices=measure.GROUPS, action="append", metavar="ROW",
                        help="only these rows: " + ", ".join(measure.GROUPS))
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
    return parser.parse_args()


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
                chosen.append(contender)
    return chosen, missing


def measure_all(options):
    chosen, missing = choose(options)
    repeats = options.repeats or (2 if options.quick else 5)
    hosts.set_up_namespace()
    bench = Bench(options)
    rows = [row for row in measure.rows(bench.lengths)
            if not options.only or row.group in options.only]
    folder = pathlib.Path(options.results)
    folder.mkdir(parents=True, exist_ok=True)
    head = {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "machine": hosts.describe(), "repeats": repeats, "quick": options.quick,
            "workers": options.workers, "lengths": vars(bench.lengths), "missing": missing,
            "contenders": {c.name: {"title": c.title, "version": c.version(options)} for c in chosen}}
    results = Results(folder / "raw.json", head)
    bench.start_target()
    started = time.monotonic()
    try:
        for repeat in range(1, repeats + 1):
            say(f"repeat {repeat} of {repeats}, {time.monotonic() - started:.0f} s so far")
            run_repeat(bench, results, repeat, rows, [c(bench) for c in chosen])
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
