"""Alert rules, dashboard and docs speak of the numbers that the agents have, and promtool understands them."""

import json
import re
import shutil
import subprocess

import pytest
import util
import yaml
from agents import World
from openmetrics import scrape
from util import REPOSITORY

RULES = REPOSITORY / "packaging" / "prometheus" / "pamtunnel.rules.yml"
DASHBOARD = REPOSITORY / "packaging" / "grafana" / "pamtunnel.json"
ALERT_TESTS = REPOSITORY / "tests" / "e2e" / "alerts.test.yml"
METRIC = r"\b(?:pamtunnel|process)_\w+\b"
OF_PROMETHEUS = {"up"}


def promtool(*args, **options):
    path = shutil.which("promtool") or pytest.fail("promtool is missing: scripts/bootstrap installs it")
    result = subprocess.run([path, *map(str, args)], capture_output=True, text=True, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def pages():
    """A scrape of each agent, when a round trip has been measured."""
    vps, gateway = (f"127.0.0.1:{port}" for port in (util.free_range(2), util.free_range(2) + 1))
    with World(vps={"METRICS_LISTEN": vps, "ENTRANCE_PORT": util.free_range(1)}, gateway={"METRICS_LISTEN": gateway, "KEEPALIVE_SECS": 1}):
        util.eventually(lambda: scrape(vps)("pamtunnel_gateway_round_trip_seconds", gateway="lan"), "a round trip")
        util.eventually(lambda: scrape(gateway)("pamtunnel_uplink_round_trip_seconds"), "a round trip")
        yield {"vps-agent": scrape(vps), "gateway-agent": scrape(gateway)}


def all_rules():
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def all_queries():
    """Of the dashboard: (panel's title, expression)."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [(panel["title"], target["expr"]) for panel in panels for target in panel.get("targets", [])]


def labels_of(pages, name):
    return {label for page in pages.values() for (sample, labels) in page.samples if sample == name for label, _ in labels}


def test_promtool_takes_the_rules_and_every_alert_fires_when_it_should(folder):
    assert "SUCCESS" in promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    shutil.copy(RULES, folder)
    shutil.copy(ALERT_TESTS, folder)
    assert "SUCCESS" in promtool("test", "rules", ALERT_TESTS.name, cwd=folder)
    tested = set(re.findall(r"alertname=\"(\w+)\"", ALERT_TESTS.read_text()))
    assert {rule["alert"] for rule in all_rules()} - tested == {"PamtunnelVersionsDiffer"}, "that takes a day"


def test_an_alert_says_what_to_do_and_how_bad_it_is():
    for rule in all_rules():
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert set(rule["annotations"]) == {"summary", "description"} and rule["annotations"]["description"].endswith((".", "?"))


@pytest.mark.parametrize("where", ["rules", "dashboard"])
def test_what_is_asked_for_is_there(pages, where):
    expressions = [rule["expr"] for rule in all_rules()] if where == "rules" else [expr for _, expr in all_queries()]
    known = set().union(*(page.names() for page in pages.values()))
    assert len(expressions) > 10
    for expression in expressions:
        names = set(re.findall(METRIC, re.sub(r"\{[^}]*\}|by \([a-z_, ]+\)", "", expression)))
        assert names <= known or names <= OF_PROMETHEUS, (expression, names - known)
        # by (state), {code!="200"}
        labels = {label for group in re.findall(r"by \(([a-z_, ]+)\)", expression) for label in group.split(", ")}
        labels |= set(re.findall(r"([a-z_]+)(?:=|!=|=~)\"", expression))
        allowed = {"instance", "job"}.union(*(labels_of(pages, name) for name in names))
        assert labels <= allowed, (expression, labels - allowed)


def test_the_dashboard_can_be_imported(folder):
    dashboard = json.loads(DASHBOARD.read_text())
    assert "id" not in dashboard and dashboard["uid"] == "pamtunnel", "of no one installation"
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [(x, y) for panel in panels for place in [panel["gridPos"]]
              for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])]
    assert len(set(places)) == len(places), "two panels are in one place"
    assert max(x for x, _ in places) == 23
    assert {target["datasource"]["uid"] for panel in panels for target in panel.get("targets", [])} == {"${datasource}"}
    # as recording rules, which promtool parses
    rules = [{"record": f"panel:{number}", "expr": re.sub(r"\$__rate_interval", "5m", expr)}
             for number, (_, expr) in enumerate(all_queries())]
    (folder / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", folder / "panels.yml")


@pytest.mark.parametrize("agent", ["vps-agent", "gateway-agent"])
def test_promtool_has_nothing_to_say_of_a_page(pages, agent):
    """It reads the older text format alone, in which a counter's family has the name of its samples."""
    page = pages[agent]
    text = page.text.removesuffix("# EOF\n")
    for name, kind in page.families.items():
        if kind != "gauge":
            suffix, older = ("_total", "counter") if kind == "counter" else ("_info", "gauge")
            text = text.replace(f"# HELP {name} ", f"# HELP {name}{suffix} ")
            text = text.replace(f"# TYPE {name} {kind}\n", f"# TYPE {name}{suffix} {older}\n")
    assert promtool("check", "metrics", input=text) == ""


def test_the_docs_have_every_number_and_no_other_one(pages):
    text = (REPOSITORY / "docs" / "metrics.md").read_text()
    parts = {title: body for title, body in re.findall(r"^### ([\w -]+)\n(.*?)(?=^### |\Z)", text, re.M | re.S)}
    both = set(re.findall(METRIC, parts["both"]))
    for agent, page in pages.items():
        assert set(re.findall(rf"`({METRIC})", parts[agent])) | both == page.names(), agent
        for name, labels in re.findall(r"`(\w+)\{([a-z,]+)\}`", parts[agent] + parts["both"]):
            assert labels_of({agent: page}, name) == set(labels.split(",")), name
