"""Rows behind slow lines: how old bytes are when they arrive, and what is held for them meanwhile."""

import time

from hosts import Failed
from measure import Row
from network import Line

# Where the slow leg is, for both ways: the relay is in front of it, or no relay could help.
AGES = (("down", "client", (1, 10, 100)), ("up", "gateway", (1, 10, 100)),
        ("down", "gateway", (10,)), ("up", "target", (10,)))
LEG_NAMES = {"client": "the client's line", "gateway": "the gateway's line",
             "target": "the target's line"}
NARROW_MBIT = 10        # contenders that move no more than this can be measured side by side
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
                      lines={leg: Line(mbit)}, narrow=mbit <= NARROW_MBIT, times=3)
    yield Row("age changes", "age", "10, 1 and 100 Mbit/s one after the other",
              lambda b, c: age_of_changes(b, c, lengths.stage),
              lines={"client": Line(RATES[0])}, narrow=True, times=1)
    yield Row("age pause", "age", "a client that stops reading for a while",
              lambda b, c: age_of_pause(b, c, *lengths.pause),
              lines={"client": Line(10)}, narrow=True, times=1)


def rows(lengths):
    return [*_age_rows(lengths)]


GROUPS = ("age",)
