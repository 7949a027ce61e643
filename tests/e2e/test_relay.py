"""The relay with raw sockets: every FIN, every RST, every byte."""

import contextlib
import hashlib
import os
import socket
import subprocess
import threading

import pytest
from peers import BANNER, Recorder, dial, echo, listening
from util import (SANITIZED, TIME_SCALE, VALGRIND, eventually, how_it_ends, is_open, read_exactly, read_some,
                  read_to_end, reset, stays)

# Strict sessions: they end with their one connection.
WORLD = {"bot": False, "vps": {"ADMIT": "auto", "RECONNECT_GRACE": 0, "MAX_CONNECTIONS": 1}}


@contextlib.contextmanager
def tunnel(world, reply=None, prefix=BANNER):
    """(client socket, target's connection, session, Recorder)"""
    with Recorder(reply) as recorder:
        session = world.pamctl.json("ssh", recorder.name)["session"]
        with dial(session["public_port"]) as client:
            client.sendall(prefix)
            connection = recorder.wait_client()
            connection.wait(len(prefix))
            yield client, connection, session, recorder


def test_the_first_bytes_arrive_once_and_in_order(world):
    extra = os.urandom(1000)
    with tunnel(world, echo, BANNER + extra) as (client, target, _, _):
        assert target.data == BANNER + extra
        assert read_exactly(client, len(BANNER + extra)) == BANNER + extra
        client.sendall(b"more")
        assert read_exactly(client, 4) == b"more"


def connections_of(daemon):
    """What ss tells of each established TCP connection of an agent."""
    told = subprocess.run(["ss", "-tnoHp", "state", "established"], capture_output=True, text=True,
                          check=True).stdout
    return [line for line in told.splitlines() if f"pid={daemon.pid}," in line]


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone sees whose connections they are")
def test_every_connection_of_both_agents_is_asked_for_signs_of_life(world):
    with tunnel(world, echo) as (client, _, _, _):
        assert read_exactly(client, len(BANNER)) == BANNER
        for daemon in (world.vps, world.gateway):
            eventually(lambda d=daemon: len(connections_of(d)) == 3 and
                       all("timer:(keepalive," in line for line in connections_of(d)),
                       f"control, data channel and client or target of {daemon.name} have keepalive")


def test_a_banner_that_comes_byte_by_byte(world):
    with Recorder(echo) as recorder:
        session = world.pamctl.json("ssh", recorder.name)["session"]
        with dial(session["public_port"]) as client:
            for byte in BANNER:
                client.sendall(bytes([byte]))
            assert read_exactly(client, len(BANNER)) == BANNER
        assert recorder.talked[0].data == BANNER


def test_the_target_is_dialled_when_the_first_bytes_come(world):
    """sshd's LoginGraceTime does not run while nobody is there."""
    with Recorder() as recorder:
        session = world.pamctl.json("ssh", recorder.name)["session"]
        eventually(lambda: all(c.end for c in recorder.connections), "the look is over")
        probes = len(recorder.connections)
        assert probes <= 1
        with dial(session["public_port"]) as client:
            stays(lambda: len(recorder.connections) == probes, "nobody dialled", 0.3)
            client.sendall(BANNER)
            recorder.wait_client()
            assert len(recorder.connections) == probes + 1


def test_fin_of_the_client_passes_alone(world):
    with tunnel(world) as (client, target, session, _):
        client.sendall(b"bye")
        client.shutdown(socket.SHUT_WR)
        assert target.wait_end() == "fin" and target.data == BANNER + b"bye"
        target.send(b"x" * 100000)
        assert read_exactly(client, 100000)
        assert world.session(session["id"])["state"] == "connected"
        target.socket.close()
        assert read_to_end(client) == b""
        world.wait_state(session["id"], "ended")


def test_fin_of_the_target_passes_alone(world):
    with tunnel(world) as (client, target, session, _):
        target.send(b"last words")
        target.socket.shutdown(socket.SHUT_WR)
        assert read_to_end(client) == b"last words"
        client.sendall(b"y" * 100000)
        target.wait(len(BANNER) + 100000)
        assert target.end is None and world.session(session["id"])
        client.close()
        assert target.wait_end() == "fin"
        world.wait_state(session["id"], "ended")


def test_rst_of_the_client_resets_the_target(world):
    with tunnel(world) as (client, target, session, _):
        reset(client)
        assert target.wait_end() == "rst"
        world.wait_state(session["id"], "ended")


def test_rst_of_the_target_resets_the_client(world):
    with tunnel(world) as (client, target, session, _):
        target.socket.shutdown(socket.SHUT_RD)  # its reader thread lets go
        eventually(lambda: target.end, "the reader ended")
        reset(target.socket)
        assert how_it_ends(client) == "rst"
        world.wait_state(session["id"], "ended")


def test_nothing_before_a_fin_is_lost(world):
    data = os.urandom(5_000_000)
    with tunnel(world) as (client, target, _, _):
        client.sendall(data)
        client.close()
        assert target.wait_end(30) == "fin"
        assert target.data == BANNER + data
    with tunnel(world) as (client, target, _, _):
        sender = threading.Thread(target=lambda: (target.send(data), target.socket.shutdown(socket.SHUT_WR)))
        sender.start()
        assert read_to_end(client, 30) == data
        sender.join()


@pytest.mark.slow
def test_both_directions_at_full_rate(world):
    count, block = 256, os.urandom(1 << 18)      # 64 MB each way
    if VALGRIND:
        count = 32
    expected = hashlib.sha256(block * count).hexdigest()
    with Recorder(on_connect=lambda c: None) as recorder:
        session = world.pamctl.json("ssh", recorder.name)["session"]
        with dial(session["public_port"]) as client:
            client.sendall(BANNER)
            eventually(lambda: len(recorder.connections) == 2, "the target is dialled")
            target = recorder.connections[1].socket
            assert read_exactly(target, len(BANNER)) == BANNER
            digests = {}

            def send(name, sock):
                for _ in range(count):
                    sock.sendall(block)
                sock.shutdown(socket.SHUT_WR)

            def receive(name, sock):
                digest = hashlib.sha256()
                sock.settimeout(60 * TIME_SCALE)
                while data := sock.recv(1 << 18):
                    digest.update(data)
                digests[name] = digest.hexdigest()

            threads = [threading.Thread(target=work, args=(name, sock))
                       for name, sock in (("client", client), ("target", target))
                       for work in (send, receive)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert digests == {"client": expected, "target": expected}
    world.wait_state(session["id"], "ended")


def test_a_side_that_does_not_read_stops_the_other(world):
    """Backpressure: the agents do not collect what nobody takes, and lose none of it."""
    with Recorder(on_connect=lambda c: None) as recorder:
        session = world.pamctl.json("ssh", recorder.name)["session"]
        with dial(session["public_port"]) as client:
            client.sendall(BANNER)
            eventually(lambda: len(recorder.connections) == 2, "the target is dialled")
            target = recorder.connections[1].socket
            target.settimeout(1.5)
            before = [daemon.rss_kb() for daemon in world.daemons()]
            block, sent = os.urandom(1 << 16), 0
            with contextlib.suppress(TimeoutError):
                while sent < 512 << 20:
                    sent += target.send(block[sent % len(block):])
            assert sent < 512 << 20, "512 MB went nowhere"
            after = [daemon.rss_kb() for daemon in world.daemons()]
            if not SANITIZED and not VALGRIND:
                assert all(b - a < 4096 for a, b in zip(before, after)), (before, after)
            target.shutdown(socket.SHUT_WR)
            data = read_to_end(client, 60)
            assert len(data) == sent
            whole = block * (sent // len(block) + 1)
            assert data == whole[:sent]


def test_both_ports_close_when_it_ends(world):
    with tunnel(world) as (client, target, session, _):
        client.close()
        target.wait_end()
        target.socket.close()
        world.wait_state(session["id"], "ended")
    eventually(lambda: not listening(session["public_port"]) and not listening(session["data_port"]),
               "both ports are closed")


def test_a_strict_session_takes_nobody_else_once_somebody_is_in(world):
    with tunnel(world, echo) as (client, _, session, recorder):
        read_exactly(client, len(BANNER))
        with contextlib.suppress(OSError), dial(session["public_port"]) as second:
            second.sendall(BANNER)
            how_it_ends(second)
        client.sendall(b"still here")
        assert read_exactly(client, 10) == b"still here"
        assert len(recorder.talked) == 1


def test_a_target_that_speaks_first_is_heard_after_the_client(world):
    def greet(connection):
        connection.socket.sendall(b"SSH-2.0-target\r\n")
        connection.data = connection.socket.recv(1000)

    with Recorder(on_connect=greet) as recorder:
        session = world.pamctl.json("ssh", recorder.name)["session"]
        with dial(session["public_port"]) as client:
            client.sendall(BANNER)
            assert read_some(client) == b"SSH-2.0-target\r\n"


def test_a_target_that_is_gone_when_the_user_comes(world):
    with Recorder() as recorder:
        session = world.pamctl.json("ssh", recorder.name)["session"]
    with dial(session["public_port"]) as client:
        client.sendall(BANNER)
        how_it_ends(client)
    world.wait_state(session["id"], "ended")
    world.gateway.wait_log("refuse")


def test_many_sessions_side_by_side(world):
    """Each gets its own bytes and only those."""
    with Recorder(echo) as recorder:
        clients = []
        for number in range(8):
            session = world.pamctl.json("ssh", recorder.name)["session"]
            client = dial(session["public_port"])
            client.sendall(BANNER)
            clients.append((number, client))
        for number, client in clients:
            read_exactly(client, len(BANNER))
            client.sendall(b"%d" % number * 50000)
        for number, client in clients:
            assert read_exactly(client, 50000) == b"%d" % number * 50000
            client.close()


def test_an_idle_session_costs_no_processor_time(world):
    with tunnel(world, echo) as (client, _, _, _):
        read_exactly(client, len(BANNER))
        before = [daemon.cpu_seconds() for daemon in world.daemons()]
        stays(lambda: is_open(client), "the session is there", 1.5)
        after = [daemon.cpu_seconds() for daemon in world.daemons()]
        assert all(b - a < 0.2 * TIME_SCALE for a, b in zip(before, after)), (before, after)


def test_ipv6_clients(world):
    with Recorder(echo) as recorder:
        session = world.pamctl.json("ssh", recorder.name)["session"]
        with dial(session["public_port"], host="::1") as client:
            client.sendall(BANNER)
            assert read_exactly(client, len(BANNER)) == BANNER
            assert world.session(session["id"])["client"] == "::1"
