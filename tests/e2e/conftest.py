"""Fixtures. `world` is a vps-agent, a gateway and a Bot API server, shared by the
tests of a module; the module's WORLD says how they are set up. A test that needs
its own takes `with World(...)`.

PAMTUNNEL_BUILD      folder of the programs (default: build/ of this repository)
PAMTUNNEL_VALGRIND   1: run the agents under valgrind
PAMTUNNEL_ARTIFACTS  folder for screenshots and transcripts
PAMTUNNEL_TIME_SCALE factor for all deadlines
"""

import shutil
import signal

import agents
import netns
import pytest
import sshd as openssh
import util


def pytest_configure(config):
    # Who starts the tests in the background of a shell has them ignore SIGINT, and with
    # them every program that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "slow: takes more than five seconds")
    config.addinivalue_line("markers", "instrument: needs no agents; tests the tests' own tools")


# These take longest and begin, so that all streams of scripts/test end together. What computes
# (the first, and test_sources) goes beside what waits.
LONGEST = ["test_anywhere", "test_bot_hearing", "test_control_channel", "test_connections", "test_help", "test_faults",
           "test_sources", "test_bot", "test_sessions", "test_crash", "test_ways", "test_state", "test_ssh_session"]


def pytest_collection_modifyitems(items):
    """Without the programs only the tools can be tested; all else fails at once."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))
    if (util.BUILD / "vps-agent").exists():
        return
    for item in items:
        if not item.get_closest_marker("instrument"):
            item.fixturenames.insert(0, "programs")


@pytest.fixture
def programs():
    pytest.fail(f"no vps-agent in {util.BUILD}: build first, or set PAMTUNNEL_BUILD", pytrace=False)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what every agent and every chat said."""
    report = (yield).get_result()
    if report.failed:
        keeper = item.funcargs.get("world_keeper")
        if keeper and keeper.world:
            report.sections.append(("the shared agents", keeper.world.report()))
        for text in agents.REPORTS:
            report.sections.append(("the agents", text))
    if call.when != "setup":
        agents.REPORTS.clear()


class Keeper:
    """Makes the module's world when it is first asked for, and anew if it broke."""

    def __init__(self, options):
        self.options = options
        self.world = None

    def get(self):
        if self.world and not all(d.alive() for d in self.world.daemons()):
            self.close(RuntimeError)
        if not self.world:
            world = agents.World(**self.options)
            world.__enter__()
            self.world = world
        return self.world

    def close(self, error=None):
        world, self.world = self.world, None
        if world:
            world.__exit__(error, None, None)


@pytest.fixture(scope="module")
def world_keeper(request):
    keeper = Keeper(getattr(request.module, "WORLD", {}))
    yield keeper
    keeper.close()


@pytest.fixture
def world(world_keeper):
    world = world_keeper.get()
    yield world
    world.settle()


@pytest.fixture
def folder():
    with util.Folder() as path:
        yield path


@pytest.fixture(scope="module")
def sshd():
    with openssh.Sshd() as server:
        yield server


@pytest.fixture(scope="module")
def internet():
    if not netns.available():
        pytest.skip("network namespaces take root and iproute2")
    with netns.Internet() as net:
        yield net


@pytest.fixture
def as_nobody():
    """A command line that runs what follows as another user."""
    import os
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("becoming another user takes root and setpriv")
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
