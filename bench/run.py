"""One repeat after the other, row by row, and the raw numbers as they come."""

import concurrent.futures
import json

import hosts
from hosts import Failed
from network import Network

SIDE_BY_SIDE = 6    # of what leaves the processors idle


class Results:
    """All raw numbers, in a file that is written as they come."""

    def __init__(self, path, head):
        self.path = path
        self.data = {**head, "samples": []}
        self.save()

    def add(self, repeat, row, contender, sample):
        self.data["samples"].append({"repeat": repeat, "row": row.name,
                                     "contender": contender.name, **sample})
        say(f"  {row.name:22} {contender.name:17} {brief(sample)}")

    def save(self):
        self.path.write_text(json.dumps(self.data, indent=1) + "\n")


def say(text):
    print(text, flush=True)


def brief(sample):
    if "error" in sample:
        return f"FAILED: {sample['error']}"
    shown = {key: value for key, value in sample.items() if isinstance(value, (int, float))}
    return "  ".join(f"{key} {value:.4g}" for key, value in shown.items())


def take(bench, row, contender):
    others = hosts.Others()
    try:
        contender.check()
        sample = row.take(bench, contender)
    except Failed as failure:
        sample = {"error": str(failure)}
    sample["others"] = round(others.cpus(), 3)
    return sample


def start(contender):
    try:
        contender.start()
    except Failed as failure:
        say(f"  {contender.name}: {failure}")
        return False
    return True


def takes_part(contender, row):
    return contender.name in row.only if row.only else contender.everywhere


def on_loopback(bench, results, repeat, rows, field):
    """Row by row through all contenders, so that what changes on the machine meets all of them."""
    shared = [row for row in rows if not row.fresh]
    contenders = [kind(bench, bench.loopback) for kind in field
                  if any(takes_part(kind, row) for row in rows)]
    running = [contender for contender in contenders if start(contender)] if shared else []
    try:
        for row in shared:
            for contender in running:
                if takes_part(contender, row):
                    results.add(repeat, row, contender, take(bench, row, contender))
    finally:
        for contender in running:
            contender.stop()
    for row in rows:
        for contender in contenders:
            if row.fresh and takes_part(contender, row) and start(contender):
                try:
                    results.add(repeat, row, contender, take(bench, row, contender))
                finally:
                    contender.stop()


def in_network(bench, row, kind):
    """In a network of its own, which is there for this one sample."""
    try:
        with Network(bench, row.lines, row.target_is) as network:
            contender = kind(bench, network)
            contender.start()
            try:
                return take(bench, row, contender)
            finally:
                contender.stop()
    except Failed as failure:
        return {"error": str(failure), "others": 0}


def in_networks(bench, results, repeat, rows, field):
    """One after the other what may need all of the machine, then side by side what does not."""
    cells = [(row, kind) for row in rows for kind in field
             if takes_part(kind, row)]
    narrow = [cell for cell in cells if cell[0].narrow or bench.lengths.quick]
    for row, kind in cells:
        if (row, kind) not in narrow:
            results.add(repeat, row, kind, in_network(bench, row, kind))
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        try:
            running = {pool.submit(in_network, bench, row, kind): (row, kind)
                       for row, kind in narrow}
            for done in concurrent.futures.as_completed(running):
                results.add(repeat, *running[done], done.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def run_repeat(bench, results, repeat, rows, field):
    rows = [row for row in rows if repeat <= row.times]
    on_loopback(bench, results, repeat, [row for row in rows if row.lines is None], field)
    in_networks(bench, results, repeat, [row for row in rows if row.lines is not None], field)
    results.save()
