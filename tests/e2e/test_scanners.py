"""Scanners: they never get, burn or block a session, and leave nothing behind."""

import contextlib
import threading

import pytest
from agents import OWNER, World, port_of
from junk import NMAP_RDP, Storm
from peers import BANNER, RdpFile, Recorder, connection_request, cookie, dial, echo
from sshd import USER, ssh
from util import SANITIZED, TIME_SCALE, VALGRIND, eventually, is_open, read_exactly, reset, stays

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
        ports = [session["public_port"], world.control_port]     # no channel is expected at a data port
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
    ports = [session["public_port"], world.control_port]
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


@pytest.fixture(scope="module")
def shown():
    """The same at the log level that an operator has, with somebody who was there before."""
    with World(vps={"LOG_LEVEL": "info", "RECONNECT_GRACE": 5}) as world:
        with Recorder(echo) as target:
            client, session = enter_ssh(world, target, admit=True)
            client.close()
            target.wait_client().wait_end()
        world.wait_state(session["id"], "ended", 15)    # Close would take the Admit back
        yield world


def enter_ssh(world, target, admit=False):
    """An SSH client from this address: (socket, session)."""
    since = world.api.mark()
    message = world.ssh(target.name)
    client = dial(port_of(message.code[0]))
    client.sendall(BANNER)
    if admit:
        world.api.tap(OWNER, world.api.wait_message("wants in", 10 * TIME_SCALE, since), "Admit")
    assert read_exactly(client, len(BANNER)) == BANNER
    return client, world.newest_session()


def enter_rdp(file):
    client = dial(file.port)
    client.sendall(connection_request(cookie(file.secret)))
    assert read_exactly(client, len(PLAIN)) == PLAIN
    return client


def grown(world, before):
    """By how many kB, those agents that have."""
    more = {daemon.name: daemon.rss_kb() - kb for daemon, kb in zip(world.daemons(), before)}
    return {name: kb for name, kb in more.items() if kb >= 600 and not SANITIZED and not VALGRIND}


@pytest.mark.slow
def test_a_thousand_at_every_port_leave_no_trace(shown):
    """The user comes in the middle of it, from a known address and with the secret; comes back in the
    middle of it; and afterwards everything is as it was: descriptors, memory, the log, the chat."""
    world = shown
    since = world.api.mark()
    with Recorder(echo) as target, Recorder(echo) as waited_for:
        document, _ = world.rdp(target.name)
        file = RdpFile(document.document.data)
        rdp_session = world.newest_session()
        world.ssh(waited_for.name)                      # its user never comes: its port is open all the time
        ssh_session = world.newest_session()
        ports = [rdp_session["public_port"], ssh_session["public_port"], world.control_port]
        with Storm(ports, JUNK // 4, SCANNERS):
            client = enter_rdp(file)
            known, _ = enter_ssh(world, target)         # unasked
            reset(known)
        settled_descriptors = [eventually(lambda d=d: stable(d), "the first junk is gone", 20) for d in world.daemons()]
        rss = [daemon.rss_kb() for daemon in world.daemons()]
        log = len(world.vps.log.splitlines())

        with Storm(ports, JUNK, SCANNERS, seed=2) as storm:
            reset(client)
            world.wait_state(rdp_session["id"], "reconnecting")
            client = enter_rdp(file)                    # the same secret from the same address
            storm.wait()

        def wait_settled():
            for daemon, before in zip(world.daemons(), settled_descriptors):
                eventually(lambda d=daemon, n=before: len(d.descriptors()) <= n, "the descriptors are back", 20)

        wait_settled()
        lines = world.vps.log.splitlines()[log:]
        assert len(lines) < 40, "\n".join(lines)
        questions = [m for m in world.api.all_messages(OWNER, since, deleted=True) if m.says("wanted in")
                     or m.says("wants in")]
        assert len(questions) <= 12, "five at once, then one in ten seconds"
        if grown(world, rss):
            # What the allocator keeps depends on how many happen to be there at once; a leak grows each time.
            rss = [daemon.rss_kb() for daemon in world.daemons()]
            with Storm(ports, JUNK, SCANNERS, seed=3) as storm:
                storm.wait()
            wait_settled()
            assert not grown(world, rss)
        client.sendall(b"still here")
        assert read_exactly(client, 10) == b"still here"
        # the known client's session ends by itself, when its grace is over
        eventually(lambda: {s["id"]: s["state"] for s in world.sessions() if s["state"] != "ended"} == {
            rdp_session["id"]: "connected", ssh_session["id"]: "waiting"}, "the states", 15)
        assert [c.data for c in target.talked] == [PLAIN, BANNER, PLAIN + b"still here"], "not one byte of junk"
        assert not waited_for.talked
        after, _ = enter_ssh(world, target)
        reset(after)
        client.close()
    world.settle()


def stable(daemon):
    """How many descriptors it has, once that no longer changes."""
    before = len(daemon.descriptors())
    with contextlib.suppress(AssertionError):
        stays(lambda: len(daemon.descriptors()) == before, "it is quiet", 1)
        return before
    return None
