"""Rows over long and bad lines, and what setting up takes there in round trips."""

import os

import calm
from hosts import Failed
from measure import Row, throughput
from network import Line

# Other relays split a path in two as well; who is compared is what that does.
SPLIT = ("direct", "pamtunnel", "pamtunnel-before")
SHORT_MS = 10                   # of the other
QUEUE_MS = 50                   # in front of each rate
AS_FAST_AS_IT_GOES = 100000     # Mbit/s
ANSWER_MS = (0, 20, 100)


def legs(long, mbit, round_trip_ms, loss):
    short = "gateway" if long == "client" else "client"
    return {long: Line(mbit, round_trip_ms / 2, loss, QUEUE_MS),
            short: Line(mbit, SHORT_MS / 2, 0, QUEUE_MS)}


def over(bench, contender):
    """One stream down: how much, and how old it is."""
    return calm.age(bench, contender, "down", *bench.lengths.path)


def answer(bench, contender):
    """From command to answer, and to the first byte of the target, one after the other."""
    count = bench.lengths.answers
    with contender.place.helper("sessions", contender.way, count, 1, 60, timeout=90) as helper:
        found = helper.run()
    if found["opened"] != count:
        raise Failed(f"{found['opened']} of {count} could be opened: {found['why']}")
    return {"answer_ms": found["answer_p50_us"] / 1000, "byte_ms": found["p50_us"] / 1000}


def _long_rows(lengths):
    for long in ("gateway", "client"):
        for mbit in lengths.path_rates:
            for round_trip in lengths.round_trips:
                for loss in lengths.losses:
                    yield Row(f"path {long} {mbit} {round_trip} {loss:g}", "paths",
                              f"{round_trip} ms, {mbit} Mbit/s, {loss:g} % loss, "
                              f"{calm.LEG_NAMES[long]}", over,
                              lines=legs(long, mbit, round_trip, loss), only=SPLIT[:2],
                              narrow=mbit <= 100 or loss > 0, times=1)
        yield Row(f"split {long}", "paths", f"100 ms, 500 Mbit/s, {calm.LEG_NAMES[long]}", over,
                  lines=legs(long, 500, 100, 0), only=SPLIT, times=2)
        yield Row(f"bad {long}", "badlines",
                  f"100 ms, 100 Mbit/s, 1 % loss, {calm.LEG_NAMES[long]}", over,
                  lines=legs(long, 100, 100, 1), narrow=True, times=2,
                  only=(*SPLIT, "pamtunnel-system", "pamtunnel-bbr", "haproxy", "rathole"))


def rows(lengths):
    if not os.path.exists("/dev/net/tun"):
        return []       # as in some containers
    found = [Row("path alone", "paths", "the path program by itself, one stream",
                 lambda b, c: throughput(b, c, 1, "down"), only=("direct",), times=1,
                 lines={"gateway": Line(AS_FAST_AS_IT_GOES, 0, 0, QUEUE_MS)}),
             *_long_rows(lengths)]
    for round_trip in ANSWER_MS:
        found.append(Row(f"answer {round_trip}", "answer",
                         f"command to answer, {round_trip} ms between VPS and gateway", answer,
                         lines={"gateway": Line(1000, round_trip / 2, 0, QUEUE_MS)},
                         only=(*SPLIT, "rathole"), narrow=True, times=2))
    return found


GROUPS = ("paths", "badlines", "answer")
