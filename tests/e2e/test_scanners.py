"""Scanners: they never get, burn or block a session, and leave nothing behind."""

import contextlib
import threading

import pytest
from agents import OWNER, World
from junk import NMAP_RDP, Storm
from peers import BANNER, RdpFile, Recorder, connection_request, cookie, dial, echo
from sshd import USER, ssh
from util import SANITIZED, TIME_SCALE, VALGRIND, eventually, is_open, read_exactly

SCANNERS = [f"127.0.3.{n}" for n in range(1, 30)]
JUNK = 200 if VALGRIND else 1000
PLAIN = connection_request()


@pytest.fixture(scope="module")
def scanned():
    """Agents of their own, so that the descriptors and the memory are only these tests'."""
    with World() as world:
        yield world


@pytest.fixture(autouse=True)
def settled(scanned):
    yield
    scanned.settle()


def judge_memory(world, work):
    """Descriptors and memory are where they were when the same work was done before.

    The first round is for what the allocator keeps and the programs cache."""
    work()
    for daemon in world.daemons():
        eventually(lambda: len(daemon.descriptors()) <= daemon.baseline + 12, "the junk is gone", 20)
    before = {daemon: daemon.rss_kb() for daemon in world.daemons()}
    work()
    for daemon in world.daemons():
        eventually(lambda: len(daemon.descriptors()) <= daemon.baseline + 12, "the junk is gone", 20)
        grown = daemon.rss_kb() - before[daemon]
        print(f"{daemon.name}: {before[daemon]} kB, {grown:+d} kB after {JUNK} more")
        if not SANITIZED and not VALGRIND:
            assert grown < 1500, f"{daemon.name} grew by {grown} kB"


@pytest.mark.slow
def test_1000_junk_connections_while_the_user_is_expected_and_while_connected(scanned):
    world = scanned
    with Recorder(echo) as target:
        document, _ = world.rdp(target.name)
        file = RdpFile(document.document.data)
        session = world.newest_session()
        ports = [session["public_port"], session["data_port"], world.control_port]
        judge_memory(world, lambda: blow(ports, JUNK // 2))
        assert world.session(session["id"])["state"] == "waiting"
        with Storm(ports, JUNK // 4, SCANNERS):
            # the user comes in the middle of it
            client = dial(file.port)
            client.sendall(connection_request(cookie(file.secret)))
            assert read_exactly(client, len(PLAIN)) == PLAIN
        judge_memory(world, lambda: blow(ports, JUNK // 2))
        client.sendall(b"still here")
        assert read_exactly(client, 10) == b"still here"
        assert [c.data for c in target.talked] == [PLAIN + b"still here"], "not one byte of junk"
        client.close()


def blow(ports, count):
    with Storm(ports, count, SCANNERS) as storm:
        storm.wait()
    assert storm.accepted == count, "a test that does not get its junk in proves nothing"


@pytest.mark.slow
def test_junk_at_an_ssh_session_and_a_real_login_through_it(scanned, sshd):
    world = scanned
    since = world.api.mark()
    live = world.ssh(f"{USER}@{sshd.name}")
    session = world.newest_session()
    ports = [session["public_port"], session["data_port"], world.control_port]
    config = sshd.client_config("127.0.0.1")
    connections_before = sshd.log.count("Connection from")
    outcome = []
    client = threading.Thread(
        target=lambda: outcome.append(ssh(live.code[0], config, "echo", "through")))
    with Storm(ports, JUNK // 2, SCANNERS):
        client.start()
        # whoever is asked about and is not the user has to wait; an address that was in
        # in a test before is known
        asked = world.api.wait(
            lambda: outcome or [m for m in world.api.all_messages(OWNER, since)
                                if m.says("127.0.0.1 wants in") and m.button("admit")],
            20 * TIME_SCALE, "the user is asked about or in")
        if asked is not outcome:
            world.api.tap(OWNER, asked[0], "admit")
        client.join(60 * TIME_SCALE)
    assert outcome and outcome[0].stdout == b"through\n", outcome
    log = sshd.log
    assert "Bad protocol" not in log and "invalid" not in log.lower(), "a byte of junk reached sshd"
    # the gateway's probe and the user: whoever came besides said nothing
    assert log.count("Connection from") - connections_before <= 2


def test_silent_connections_in_bulk_do_not_close_the_door(scanned):
    world = scanned
    with Recorder(echo) as target:
        document, _ = world.rdp(target.name)
        file = RdpFile(document.document.data)
        with contextlib.ExitStack() as stack:
            for number in range(300):
                with contextlib.suppress(OSError):
                    stack.enter_context(dial(file.port, SCANNERS[number % len(SCANNERS)]))
            client = stack.enter_context(dial(file.port))
            client.sendall(connection_request(cookie(file.secret)))
            assert read_exactly(client, len(PLAIN)) == PLAIN


def test_silent_connections_from_the_users_own_address_do_not_either(scanned):
    """Behind a carrier's NAT the scanner and the user have one address."""
    world = scanned
    with Recorder(echo) as target:
        document, _ = world.rdp(target.name)
        file = RdpFile(document.document.data)
        with contextlib.ExitStack() as stack:
            for _ in range(50):
                stack.enter_context(dial(file.port))
            client = stack.enter_context(dial(file.port))
            client.sendall(connection_request(cookie(file.secret)))
            assert read_exactly(client, len(PLAIN)) == PLAIN


def test_nmap_like_requests_do_not_use_up_the_places_of_questions(scanned):
    """A hundred well-formed requests without the secret, and then the user."""
    world = scanned
    with Recorder(echo) as target:
        since = world.api.mark()
        document, _ = world.rdp(target.name)
        file = RdpFile(document.document.data)
        with contextlib.ExitStack() as stack:
            for number in range(100):
                sock = stack.enter_context(dial(file.port, f"127.0.4.{number + 1}"))
                with contextlib.suppress(OSError):
                    sock.sendall(NMAP_RDP)
            client = stack.enter_context(dial(file.port))
            client.sendall(connection_request(cookie(file.secret)))
            assert read_exactly(client, len(PLAIN)) == PLAIN
            assert is_open(client)
        assert [c.data for c in target.talked] == [PLAIN]
        questions = [m for m in world.api.all_messages(OWNER, since, deleted=True) if m.says("want")]
        assert len(questions) <= 40, "strangers cannot flood the chat"


def test_ssh_scanners_with_banners_reach_no_target(scanned):
    world = scanned
    with Recorder(echo) as target:
        world.ssh(target.name)
        session = world.newest_session()
        with contextlib.ExitStack() as stack:
            for number in range(30):
                sock = stack.enter_context(dial(session["public_port"], f"127.0.5.{number + 1}"))
                with contextlib.suppress(OSError):
                    sock.sendall(BANNER)
            eventually(lambda: world.session(session["id"])["parked"], "some wait")
        assert not target.talked



def test_logs_do_not_grow_with_every_scanner(scanned):
    """One line without spam: a thousand scanners are not ten thousand lines."""
    lines = len(scanned.vps.log.splitlines())
    blow([scanned.control_port], 300)
    # the level of these tests is debug; for an operator it is info
    shown = [line for line in scanned.vps.log.splitlines()[lines:] if " debug " not in line]
    assert len(shown) < 60, "\n".join(shown[:20])


