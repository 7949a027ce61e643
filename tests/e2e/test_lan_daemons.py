"""The daemons of real LANs are asked for their names, each alone: what tests/e2e/lan_daemons.py
fetched, or none of this."""

import json

import lan_daemons
import netns
import pytest
from agents import World
from util import Folder, eventually

NAME = "nas-7"


@pytest.fixture(scope="module")
def lan_world(internet):
    with World(net=internet, bot=False) as world, internet.lan.listen("0.0.0.0", 22):
        yield world


@pytest.mark.slow
@pytest.mark.parametrize("daemon, found_by", [
    ("avahi", "mdns"), ("llmnrd", "llmnr"), ("nmbd", "netbios"), ("resolved", "llmnr")])
def test_a_machine_is_found_by_what_its_daemon_answers(lan_world, internet, daemon, found_by):
    if not lan_daemons.place(daemon):
        pytest.skip(f"{daemon} is not there: /usr/bin/python3 tests/e2e/lan_daemons.py")

    def ask():
        result = lan_world.pamctl("ssh", NAME.upper())
        return result if result.returncode == 0 else None

    with Folder() as folder, lan_daemons.Daemon(internet.lan, folder, daemon, NAME) as machine:
        eventually(lambda: ask() or (machine.process.poll() is not None and pytest.fail(machine.log)),
                   f"{daemon} answers", 30)
        records = [json.loads(line) for line in lan_world.pamctl("audit", "--json").stdout.splitlines()]
        opened = [r for r in records if r["what"] == "session.opened"][-1]
        assert opened["found_by"] == found_by and opened["resolved"] == f"{netns.TARGET}:22"
        lan_world.close_all()
    lan_world.settle()
