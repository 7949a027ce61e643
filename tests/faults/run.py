"""Runs circumstances, each in namespaces of its own, and says what was seen: scripts/faults."""

import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
BEFORE = HERE / "before.json"
DOCUMENT = HERE.parents[1] / "docs" / "reliability.md"
MARK = "<!-- written by scripts/faults --document -->\n"
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
ENVIRONMENT = dict(os.environ)  # before there are threads: pytest keeps changing it
WORDS = {"ok": "ok", "failed": "FAILED", "missing": "--", "broken": "BROKEN"}


def load():
    """All circumstances, in the order of the table."""
    import admission, telegram, gateways, strict, lookups, limits, crash, hostile  # noqa: E401, F401
    from harness import CIRCUMSTANCES
    return CIRCUMSTANCES


# ---------------------------------------------------------------- inside the namespaces

def run_inside(name, folder, patience):
    """One of them, here and now; its result as a dict."""
    import agents
    import harness
    import places

    def too_long(*_):
        raise harness.Unmet(f"given up after {circumstance.limit:.0f} s")

    circumstance = load()[name]
    harness.install()
    folder = pathlib.Path(folder)
    status, found = "broken", None
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(int(circumstance.limit * harness.TIME_SCALE + 2 * patience))
    try:
        with contextlib.ExitStack() as stack:
            places.settle_in(folder)
            run = harness.Run(stack, folder, patience)
            try:
                found = circumstance.function(run)
                run.check_agents()
                status = "ok" if found.ok else "failed"
            finally:
                signal.alarm(0)
                if status != "ok":
                    (folder / "report.txt").write_text(run.report())
    except harness.Unmet as error:
        status, found = "failed", harness.Found(False, str(error))
    except ConnectionRefusedError:
        status, found = "failed", harness.Found(False, "the port is closed: connection refused")
    except harness.Missing as error:
        status, found = "missing", harness.Found(False, f"needs {error}")
    except BaseException as error:  # whatever it is, the others have to run
        traceback.print_exc()
        status, found = "broken", harness.Found(False, f"{type(error).__name__}: {str(error).splitlines()[:1]}")
    agents.REPORTS.clear()
    seen = re.sub(re.escape(str(folder)) + r"/(pt-\w+/)?", "", found.seen)
    return {"name": name, "status": status, "seen": seen, "seconds": found.seconds}


# ---------------------------------------------------------------- outside

def run_one(name, options, isolation):
    """One of them in a process of its own."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pf-"))
    result = folder / "result.json"
    environment = {**ENVIRONMENT, "PAMTUNNEL_BUILD": str(options.build), "TMPDIR": str(folder),
                   "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [*isolation, sys.executable, str(HERE / "run.py"), "--inside", name, str(folder),
            "--patience", str(options.patience)]
    began = time.monotonic()
    try:
        with open(folder / "output", "w+") as output:
            status = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                    env=environment, timeout=1800).returncode
        if result.exists():
            outcome = json.loads(result.read_text())
        else:
            outcome = {"name": name, "status": "broken", "seen": f"ended with status {status}", "seconds": None}
        outcome["took"] = time.monotonic() - began
        keep_logs(folder, outcome, options)
        return outcome
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def keep_logs(folder, outcome, options):
    """What the agents and the harness said, of one that is not as it has to be."""
    if outcome["status"] in ("ok", "missing"):
        return
    outcome["logs"] = "".join((folder / file).read_text(errors="replace")
                              for file in ("output", "report.txt") if (folder / file).exists())
    if options.logs:
        options.logs.mkdir(parents=True, exist_ok=True)
        (options.logs / f"{outcome['name']}.txt").write_text(outcome["logs"])


def show(outcome, known):
    circumstance = known[outcome["name"]]
    print(f"{WORDS[outcome['status']]:7} {outcome['name']}: {circumstance.what}\n"
          f"        {outcome['seen']}", flush=True)


def run_all(names, known, options):
    from places import isolation
    argv = isolation()
    if not argv:
        sys.exit("faults: needs namespaces: root, or a kernel that lets users make them "
                 "(sysctl kernel.unprivileged_userns_clone or user.max_user_namespaces)")
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        jobs = [pool.submit(run_one, name, options, argv) for name in names]
        for job in concurrent.futures.as_completed(jobs):
            show(job.result(), known)
        return [job.result() for job in jobs]


def escaped(text):
    """For a table: what agents and gateways said may hold anything."""
    return re.sub(r"([|<>*_])", r"\\\1", " ".join(text.split()))


def rows(outcomes, known):
    """The tables of docs/reliability.md."""
    before = {o["name"]: o for o in json.loads(BEFORE.read_text())} if BEFORE.exists() else {}
    lines, part = [], None
    for outcome in outcomes:
        circumstance, was = known[outcome["name"]], before.get(outcome["name"])
        if circumstance.part != part:
            part = circumstance.part
            lines += ["", f"### {part}", "", "| circumstance | must | before | now | recovery |", "|---|---|---|---|---|"]
        old = ("" if was["status"] == "ok" else "**no**: ") + escaped(was["seen"]) if was else ""
        new = ("" if outcome["status"] == "ok" else f"**{WORDS[outcome['status']]}**: ") + escaped(outcome["seen"])
        seconds = f"{outcome['seconds']:.1f} s" if outcome["seconds"] is not None else ""
        what = circumstance.what[0].upper() + circumstance.what[1:]
        lines.append(f"| {what} (`{outcome['name']}`) | {circumstance.must} | {old} | {new} | {seconds} |")
    return "\n".join(lines) + "\n"


def write_document(outcomes, known):
    """Replaces what stands below the line of docs/reliability.md."""
    above, mark, _ = DOCUMENT.read_text().partition(MARK)
    DOCUMENT.write_text(above + mark + "\n" + rows(outcomes, known))


def print_list(circumstances):
    """For a person who asks what there is; the headings are those of docs/reliability.md."""
    part = None
    for circumstance in circumstances:
        if circumstance.part != part:
            part = circumstance.part
            print(f"{part}:")
        print(f"  {circumstance.name}\n      when  {circumstance.what}\n      must  {circumstance.must}")


def parse():
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; without: all")
    parser.add_argument("--list", action="store_true", help="name them and what must happen")
    parser.add_argument("--short", action="store_true", help="those that scripts/test runs")
    parser.add_argument("--build", type=pathlib.Path, help="folder of the programs; without: build/")
    parser.add_argument("--jobs", type=int, default=3, help="so many at once; most of them only wait")
    parser.add_argument("--patience", type=float, default=0, metavar="SECONDS",
                        help="wait so long for what is late, to say how late")
    parser.add_argument("--document", action="store_true", help="write the tables of docs/reliability.md")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the outcomes")
    parser.add_argument("--logs", type=pathlib.Path, metavar="FOLDER", help="keep what the agents said where it failed")
    parser.add_argument("--inside", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    options = parse()
    if options.inside:
        name, folder = options.inside
        outcome = run_inside(name, folder, options.patience)
        (pathlib.Path(folder) / "result.json").write_text(json.dumps(outcome))
        return 0
    options.build = (options.build or pathlib.Path(os.environ.get("PAMTUNNEL_BUILD") or HERE.parents[1] / "build")).resolve()
    os.environ["PAMTUNNEL_BUILD"] = str(options.build)
    known = load()
    unknown = [name for name in options.names if name not in known]
    if unknown:
        sys.exit(f"faults: no such circumstance: {', '.join(unknown)}; --list names them")
    names = [c.name for c in known.values()
             if (c.name in options.names or not options.names) and (c.short or not options.short)]
    if options.list:
        print_list([known[name] for name in names])
        return 0
    outcomes = run_all(names, known, options)
    if options.json:
        plain = [{key: o[key] for key in ("name", "status", "seen", "seconds")} for o in outcomes]
        options.json.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n")
    if options.document:
        write_document(outcomes, known)
    count = {word: sum(o["status"] == word for o in outcomes) for word in WORDS}
    print(f"{count['ok']} as they have to be, {count['failed'] + count['broken']} not, {count['missing']} could not be tried")
    return 1 if count["failed"] + count["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
