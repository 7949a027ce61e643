"""Several connections of one session: what people do with one ssh line and the tools that
they have, one after the other and side by side; who is turned away; and a gateway that goes."""

import contextlib
import os
import re
import shlex
import subprocess
import time

import netns
import peers
import pytest
import sshd as openssh
import util
from agents import OWNER, World, now, port_of
from peers import BANNER, CONNECTION_CONFIRM, RdpFile, connection_request, cookie, dial
from sshd import USER
from util import TIME_SCALE, eventually, stays

WORLD = {"vps": {"ADMIT": "auto"}}
MOST_SSH, MOST_RDP = 8, 3      # MAX_CONNECTIONS, if it is unset


@pytest.fixture
def target():
    with peers.Recorder(reply=peers.echo) as recorder:
        yield recorder


def wait_text(world, message, *words):
    """For longer than the numbers in a card may be old."""
    world.api.wait(lambda: message.says(*words), 40 * TIME_SCALE, f"{words} in {message}")


class Line:
    """One /ssh, and what people do with its line."""

    def __init__(self, world, sshd, folder):
        self.world, self.folder = world, folder
        self.live = world.ssh(f"{USER}@{sshd.name}")
        self.command = self.live.code[0]
        self.id = world.newest_session()["id"]
        self.config = sshd.client_config("127.0.0.1")
        self.options = ["-F", str(self.config), "-o", f"HostKeyAlias={sshd.alias('127.0.0.1')}"]
        self.port = str(port_of(self.command))
        self.remote = f"{USER}@127.0.0.1"

    @property
    def session(self):
        return self.world.session(self.id)

    def run(self, *argv, ok=True, env=None, timeout=60, **options):
        result = subprocess.run([str(word) for word in argv], capture_output=True, text=True,
                                stdin=subprocess.DEVNULL, timeout=timeout * TIME_SCALE,
                                env={**os.environ, **(env or {})}, **options)
        assert (result.returncode == 0) == ok, f"{argv}\n{result.stdout}{result.stderr}"
        return result

    def ssh(self, *remote, **options):
        return self.run(*openssh.with_config(self.command, self.config), *remote, **options)

    def open(self, *remote):
        """An ssh that stays: what is written to it comes back."""
        client = subprocess.Popen([*openssh.with_config(self.command, self.config), "cat", *remote],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, bufsize=0)
        return client

    def scp(self, *paths, **options):
        return self.run("scp", "-q", "-P", self.port, *self.options, *paths, **options)

    @property
    def ssh_words(self):
        return shlex.join(["ssh", "-p", self.port, *self.options])


@pytest.fixture
def line(world, sshd, folder):
    return Line(world, sshd, folder)


def echoes(client, word=b"hello\n"):
    client.stdin.write(word)
    return client.stdout.read(len(word)) == word


def end(clients):
    for client in clients:
        client.stdin.close()
    for client in clients:
        client.wait(20 * TIME_SCALE)
        client.stdout.close()
        client.stderr.close()


# ---------------------------------------------------------------- one after the other

def test_a_mistyped_login_and_then_everything_that_uses_ssh(line):
    denied = line.run("ssh", "-p", line.port, *line.options, "-o", "PubkeyAuthentication=no", line.remote, ok=False)
    assert "Permission denied" in denied.stderr
    assert line.ssh("echo in").stdout == "in\n"
    file = line.folder / "file"
    file.write_bytes(os.urandom(300_000))
    line.scp(file, f"{line.remote}:{line.folder}/by-scp")
    line.scp("-O", f"{line.remote}:{line.folder}/by-scp", line.folder / "back")
    (line.folder / "batch").write_text(f"put {file} {line.folder}/by-sftp\nls {line.folder}\n")
    line.run("sftp", "-q", "-P", line.port, *line.options, "-b", line.folder / "batch", line.remote)
    tree = line.folder / "tree"
    tree.mkdir()
    for number in range(200):
        (tree / f"{number}.txt").write_text(f"file {number}")
    for _ in range(2):
        line.run("rsync", "-a", "-e", line.ssh_words, f"{tree}/", f"{line.remote}:{line.folder}/mirror/")
    for name in ("by-scp", "back", "by-sftp"):
        assert (line.folder / name).read_bytes() == file.read_bytes(), name
    assert len(list((line.folder / "mirror").iterdir())) == 200
    assert line.session["connections_total"] >= 7
    wait_text(line.world, line.live, "connections")


def test_git_pushes_and_fetches_with_the_same_line(line):
    there, here = line.folder / "there.git", line.folder / "here"
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", "-C", here]
    line.run("git", "init", "-q", "--bare", "-b", "main", there)
    line.run("git", "init", "-q", "-b", "main", here)
    line.run(*git, "commit", "-q", "--allow-empty", "-m", "one")
    line.run(*git, "remote", "add", "origin", f"ssh://{line.remote}{there}")
    for command in (["push", "-q", "origin", "main"], ["fetch", "-q"], ["ls-remote", "origin"]):
        result = line.run(*git, *command, env={"GIT_SSH_COMMAND": line.ssh_words})
    assert "refs/heads/main" in result.stdout
    assert line.session["connections_total"] == 3


def test_ansible_works_on_when_its_connection_was_given_up(line):
    """It keeps one connection for a minute (ControlPersist), and dials anew after that."""
    inventory, control = line.folder / "hosts", line.folder / "cp"
    inventory.write_text(f"pc ansible_host=127.0.0.1 ansible_port={line.port} ansible_user={USER} "
                         f"ansible_python_interpreter=/usr/bin/python3\n")
    env = {"ANSIBLE_SSH_ARGS": shlex.join([*line.options, "-o", "ControlMaster=auto", "-o",
                                           "ControlPersist=60"]),
           "ANSIBLE_SSH_CONTROL_PATH_DIR": str(control), "HOME": str(line.folder),
           "ANSIBLE_LOCAL_TEMP": str(line.folder / "tmp")}
    for number in (1, 2):
        result = line.run("ansible", "-i", inventory, "pc", "-m", "ping", env=env)
        assert '"ping": "pong"' in result.stdout
        assert line.session["connections_total"] == number
        socket, = control.iterdir()
        line.run("ssh", "-F", line.config, "-o", f"ControlPath={socket}", "-O", "exit", "pc")
        eventually(lambda: not list(control.iterdir()), "the shared connection is given up")


def test_the_session_ends_after_the_grace_and_not_before(sshd, folder):
    with World(vps={"ADMIT": "auto", "RECONNECT_GRACE": 2}) as world:
        line = Line(world, sshd, folder)
        for _ in range(3):
            line.ssh("true")
            stays(lambda: line.session, "it waits for more", 1)
        wait_text(world, line.live, "has ended", "Disconnected.", "3 connections")
        assert not peers.listening(int(line.port))
        assert "onnection refused" in line.ssh("true", ok=False).stderr


def test_the_lines_for_scp_and_for_ssh_config_work_as_they_stand(line):
    assert [code for code in line.live.code if not code.startswith("SHA256:")] == [line.command], "they are shown to who asks"
    assert line.world.api.wait_answer(line.world.api.tap(OWNER, line.live, "scp, config"))["text"]
    eventually(lambda: len(line.live.code) == 9, "the lines are there")
    _, fingerprint, scp, block, *parts, option, known_host = line.live.code
    assert re.fullmatch(r"\S+ ssh-ed25519 AAAA\S+", known_host) and option == f"-hostkey {fingerprint}"
    assert parts == ["127.0.0.1", line.port, USER], "to be copied apart, for PuTTY and FileZilla"
    file = line.folder / "file"
    file.write_bytes(os.urandom(1000))
    words = shlex.split(scp.replace("FILE", str(file)))
    line.run(words[0], "-F", line.config, *words[1:-1], f"{words[-1]}{line.folder}/copy")
    assert (line.folder / "copy").read_bytes() == file.read_bytes()
    (line.folder / "config").write_text(f"{block}\nHost *\n{line.config.read_text()}")
    name = block.split()[1]
    assert line.run("ssh", "-F", line.folder / "config", name, "echo in").stdout == "in\n"
    wait_text(line.world, line.live, "2 connections", "To connect again:", "scp -P")
    line.world.api.tap(OWNER, line.live, "Less")
    eventually(lambda: not line.live.says("scp -P"), "the lines are gone")


# ---------------------------------------------------------------- side by side

def test_four_at_once_as_an_editor_does_and_a_copy_beside_them(line):
    clients = [line.open() for _ in range(4)]
    assert all(echoes(client) for client in clients)
    file = line.folder / "file"
    file.write_bytes(os.urandom(5_000_000))
    line.scp(file, f"{line.remote}:{line.folder}/copy")
    assert (line.folder / "copy").read_bytes() == file.read_bytes()
    eventually(lambda: line.session["connections"] == 4, "the copy is done")
    wait_text(line.world, line.live, "4 connections")
    text = line.world.pamctl("sessions").stdout
    assert "  4 connections now, 5 in all  " in text
    assert "sessions:  1, connections: 4\n" in line.world.pamctl("status").stdout
    end(clients[:1])    # the first one goes, the others stay
    eventually(lambda: line.session["connections"] == 3, "one is gone")
    assert all(echoes(client) for client in clients[1:])
    end(clients[1:])
    log = line.world.vps.log
    line.world.pamctl("close", line.id)
    over = line.world.vps.wait_log(f"session {line.id}: over: closed on request")[-1]
    for words in (f"for telegram:{OWNER}", "through gateway lan", f"to 127.0.0.1:", "from 127.0.0.1 (ADMIT=auto)",
                  "5 connections", " to the target, "):
        assert words in over, over
    assert f"session {line.id}: opening ssh to" in log and f" for telegram:{OWNER} through" in log


def test_scp_sftp_and_rsync_side_by_side(line):
    file = line.folder / "file"
    file.write_bytes(os.urandom(3_000_000))
    (line.folder / "batch").write_text(f"put {file} {line.folder}/by-sftp\n")
    here = f"{line.remote}:{line.folder}"
    commands = [["scp", "-q", "-P", line.port, *line.options, file, f"{here}/by-scp"],
                ["sftp", "-q", "-P", line.port, *line.options, "-b", line.folder / "batch", line.remote],
                ["rsync", "-a", "-e", line.ssh_words, file, f"{here}/by-rsync"],
                ["ssh", "-p", line.port, *line.options, line.remote, f"cat {file} > {line.folder}/by-ssh"]]
    running = [subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL) for argv in commands]
    assert [process.wait(60 * TIME_SCALE) for process in running] == [0, 0, 0, 0]
    for name in ("by-scp", "by-sftp", "by-rsync", "by-ssh"):
        assert (line.folder / name).read_bytes() == file.read_bytes(), name
    assert line.session["connections_total"] == 4


@pytest.mark.slow
def test_rclone_copies_every_file(line):
    """Its defaults: four files and eight looks at once, each over a connection of its own."""
    tree = line.folder / "tree"
    tree.mkdir()
    for number in range(80):
        (tree / f"{number}.bin").write_bytes(os.urandom(2000))
    line.run("rclone", "copy", tree, f":sftp:{line.folder}/copy", "--sftp-host", "127.0.0.1", "--sftp-port",
             line.port, "--sftp-user", USER, "--sftp-key-file", line.config.parent / "id_ed25519",
             "--retries", "1", "--config", "/dev/null", timeout=120)
    copies = {path.name: path.read_bytes() for path in (line.folder / "copy").iterdir()}
    assert copies == {path.name: path.read_bytes() for path in tree.iterdir()}


def test_a_control_master_needs_one_connection(line):
    socket = line.folder / "cm"
    master = subprocess.Popen([*openssh.with_config(line.command, line.config), "-M", "-S", str(socket), "cat"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    assert echoes(master)
    for number in range(5):
        assert line.ssh("-S", socket, f"echo {number}").stdout == f"{number}\n"
    assert line.session["connections_total"] == 1
    end([master])


def test_the_ninth_is_turned_away_and_the_eight_work_on(line):
    clients = [line.open() for _ in range(MOST_SSH)]
    assert all(echoes(client) for client in clients)
    for _ in range(2):
        assert line.ssh("true", ok=False).returncode == 255
    assert all(echoes(client) for client in clients)
    assert line.session["connections"] == MOST_SSH
    wait_text(line.world, line.live, f"8 connections", f"{MOST_SSH} at once is the limit (MAX_CONNECTIONS)")
    assert "MAX_CONNECTIONS" in line.world.pamctl("sessions").stdout
    end(clients[:1])
    eventually(lambda: line.session["connections"] == MOST_SSH - 1, "a place is free")
    assert line.ssh("echo in").stdout == "in\n"
    end(clients[1:])


def test_many_rdp_connections_are_three(world):
    with peers.Recorder(reply=lambda _: CONNECTION_CONFIRM) as target:
        file = RdpFile(world.rdp(target.name)[0].document.data)
        clients = []
        for _ in range(60):
            clients.append(dial(file.port))
            clients[-1].sendall(connection_request(cookie(file.secret)))
        assert util.read_exactly(clients[-1], 19) == CONNECTION_CONFIRM
        assert {util.how_it_ends(client) for client in clients[:-MOST_RDP]} <= {"fin", "rst"}
        assert world.newest_session()["connections"] <= MOST_RDP
        clients[-1].sendall(b"on")
        eventually(lambda: any(c.data.endswith(b"on") for c in target.talked), "the newest works")


# ---------------------------------------------------------------- strangers

def test_a_stranger_meanwhile_is_dropped_unasked(world, target):
    message = world.ssh(target.name)
    port = port_of(message.code[0])
    clients = [dial(port)]
    clients[0].sendall(BANNER)
    target.wait_client().wait(len(BANNER))
    since = world.api.mark()
    stranger = dial(port, "127.0.0.2")
    stranger.sendall(BANNER)
    assert util.how_it_ends(stranger, 3) in ("fin", "rst")
    world.vps.wait_log("127.0.0.2 is turned away: somebody else is in")
    assert not [m for m in world.api.all_messages(OWNER, since) if m.says("wants in")]
    clients.append(dial(port))
    clients[1].sendall(BANNER)
    assert util.read_exactly(clients[1], len(BANNER)) == BANNER
    assert len(target.talked) == 2


def test_the_right_file_from_elsewhere_is_said_in_the_chat_once(world):
    with peers.Recorder(reply=lambda _: CONNECTION_CONFIRM) as target:
        document, live = world.rdp(target.name)
        file = RdpFile(document.document.data)
        client = dial(file.port)
        client.sendall(connection_request(cookie(file.secret)))
        assert util.read_exactly(client, 19) == CONNECTION_CONFIRM
        for number in (2, 3, 2):
            other = dial(file.port, f"127.0.0.{number}")
            other.sendall(connection_request(cookie(file.secret)))
            assert util.how_it_ends(other) in ("fin", "rst")
        wait_text(world, live, "A client at 127.0.0.2 came with the right file, but from another address")
        assert not live.says("127.0.0.3")
        world.vps.wait_log("127.0.0.3 is turned away: the right secret, but another address")


# ---------------------------------------------------------------- the strict session

@pytest.mark.parametrize("kind", ["ssh", "rdp"])
def test_the_strict_session_is_one_connection_and_every_port_closes(target, kind):
    with World(vps={"ADMIT": "auto", "RECONNECT_GRACE": 0, "MAX_CONNECTIONS": 1}) as world:
        hello = BANNER
        if kind == "ssh":
            live = world.ssh(target.name)
        else:
            document, live = world.rdp(target.name)
            hello = connection_request(cookie(RdpFile(document.document.data).secret))
        session = world.newest_session()
        client = dial(session["public_port"])
        client.sendall(hello)
        connection = target.wait_client()
        for port in (session["public_port"], session["data_port"]):
            eventually(lambda: not peers.listening(port), "nobody else comes in")
        client.sendall(b"on")
        eventually(lambda: connection.data.endswith(b"on"), "it works")
        client.close()
        wait_text(world, live, "has ended", "Disconnected.")
        assert not world.session(session["id"])


# ---------------------------------------------------------------- a gateway that goes

def test_a_gateway_that_goes_ends_the_connections_and_its_return_the_wait(sshd, folder):
    with World(vps={"ADMIT": "auto"}) as world:
        line = Line(world, sshd, folder)
        clients = [line.open() for _ in range(3)]
        assert all(echoes(client) for client in clients)
        world.gateway.kill()
        assert [client.wait(10 * TIME_SCALE) for client in clients] == [255] * 3
        world.wait_state(line.id, "reconnecting")
        assert line.ssh("true", ok=False).returncode == 255
        wait_text(world, line.live, "the gateway is offline")
        world.gateway.start()
        world.ready()
        world.gateway.take_baseline()
        assert line.ssh("echo back").stdout == "back\n"
        end(clients)


# ---------------------------------------------------------------- in network namespaces

needs_namespaces = pytest.mark.skipif(not netns.available(), reason="network namespaces need root")


@pytest.fixture
def net():
    with netns.Internet() as internet:
        yield internet


@needs_namespaces
def test_an_ipv6_client_comes_back_with_another_address_of_its_network(net):
    """Windows takes a new temporary address with each attach to a Wi-Fi."""
    with peers.Recorder(reply=lambda _: CONNECTION_CONFIRM, listener=net.lan.listen(netns.TARGET)) as target, \
            World(net=net, gateway={"ALLOWED_TARGETS": f"{netns.TARGET}:1-65535"}) as world:
        file = RdpFile(world.rdp(target.name)[0].document.data)
        first = net.client.connect(netns.VPS6, file.port, netns.CLIENT6)
        first.sendall(connection_request(cookie(file.secret)))
        assert util.read_exactly(first, 19) == CONNECTION_CONFIRM
        util.reset(first)
        again = net.client.connect(netns.VPS6, file.port, netns.NEIGHBOUR6)
        again.sendall(connection_request(cookie(file.secret)))
        assert util.read_exactly(again, 19) == CONNECTION_CONFIRM
        assert world.newest_session()["client"] == netns.NEIGHBOUR6


def replace_address(net):
    """The gateway's only address becomes another one, and nobody is told."""
    net.gateway.ip("address", "del", f"{netns.GATEWAY}/29", "dev", "wan")
    net.gateway.ip("address", "add", "198.51.100.3/29", "dev", "wan")


@needs_namespaces
@pytest.mark.slow
@pytest.mark.parametrize("when", ["before the gateway knows", "while it is away", "after it logged in anew"])
def test_a_reserve_that_leads_nowhere_costs_the_user_seconds(net, when):
    """It was 130 s: the reserve was used unseen."""
    with peers.Recorder(peers.echo, listener=net.lan.listen(netns.TARGET)) as target, \
            World(net=net, vps={"ADMIT": "auto"},
                  gateway={"ALLOWED_TARGETS": f"{netns.TARGET}:1-65535", "KEEPALIVE_SECS": 2}) as world:
        port = port_of(world.ssh(target.name).code[0])
        time.sleep(1.2)     # a reserve that came just now would be used without a trial
        replace_address(net)
        if when.startswith("while"):
            world.gateway.freeze()
            time.sleep(2)   # two pings go unanswered before the reserve's trial is over
        if when.startswith("after"):
            eventually(lambda: world.vps.count_log("gateway lan: online") == 2, "the gateway is back", 30)
        began = now()
        client = net.client.connect(netns.VPS, port, timeout=60)
        client.settimeout(60)
        client.sendall(BANNER)
        if when.startswith("while"):
            world.vps.wait_log("gateway lan: offline")
            world.vps.wait_log("channel 0 does not answer, another one is taken")
            world.gateway.thaw()
        assert util.read_exactly(client, len(BANNER)) == BANNER
        print(f"{when}: {now() - began:.1f} s")
        assert now() - began < 20 * TIME_SCALE
        assert len(target.talked) == 1
        with contextlib.suppress(OSError):
            client.close()
