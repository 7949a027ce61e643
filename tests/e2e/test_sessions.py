"""Sessions: how long they last, how many there can be, why they do not come to be, and what
pamctl says about all that."""

import json
import os
import re
import resource
import secrets
import shutil
import socket
import stat
import subprocess
import time

import agents
import netns
import peers
import pytest
import util
from agents import FRIEND, OWNER, World, port_of
from peers import BANNER, RdpFile, connection_request, cookie, dial
from util import TIME_SCALE, eventually, stays

WORLD = {"vps": {"ADMIT": "auto"}}
SHORT = round(2 * TIME_SCALE)   # seconds, for a limit that a test waits for
SESSION_KEYS = {"id", "kind", "target", "gateway", "state", "owner", "public_port", "data_port", "client",
                "since", "age", "expires_in", "bytes_to_target", "bytes_to_client", "connections",
                "connections_total", "note", "parked", "reason"}

SESSION_KEYS |= {"waiting", "knocking", "shown", "end", "name", "time_ends_in", "idle_ends_in"}


@pytest.fixture
def as_root_with_etc(folder):
    """pamctl, and the /etc/pamtunnel/vps-agent.env that it sees, in a mount namespace of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    (folder / "etc" / "pamtunnel").mkdir(parents=True)
    command = 'mount --bind "$1" /etc && shift && exec "$@"'

    def pamctl(*args, **env):
        return subprocess.run(["unshare", "--mount", "sh", "-c", command, "sh", folder / "etc", agents.program("pamctl"),
                               *args], env=agents.environment(env), capture_output=True, text=True, check=False)
    return pamctl, folder / "etc" / "pamtunnel" / "vps-agent.env"


@pytest.fixture
def target():
    with peers.Recorder(peers.echo) as recorder:
        yield recorder


def wait_text(world, message, *words, timeout=10):
    world.api.wait(lambda: message.says(*words), timeout * TIME_SCALE, f"{words} in {message}")


def ask(world, command, user=OWNER):
    """A command that opens nothing: the bot's answer."""
    before = {m.id for m in world.api.all_messages(user)}
    world.api.say(user, command)
    return world.api.wait_message(lambda m: m.id not in before and "Close" not in [b["text"] for b in m.buttons],
                                  15 * TIME_SCALE, chat=user)


def enter(port, source=None):
    client = dial(port, source)
    client.sendall(BANNER)
    assert util.read_exactly(client, len(BANNER)) == BANNER
    return client


def assert_closed(*sessions):
    """Both ports of each are closed."""
    for session in sessions:
        for port in (session["public_port"], session["data_port"]):
            assert not peers.listening(port)
            with pytest.raises(ConnectionRefusedError):
                dial(port)


# ---------------------------------------------------------------- how long

@pytest.mark.parametrize("kind", ["ssh", "rdp"])
def test_a_session_that_nobody_comes_to_ends_at_session_timeout(target, kind):
    with World(vps={"SESSION_TIMEOUT": SHORT}) as world:
        began = time.monotonic()
        document, message = world.rdp(target.name) if kind == "rdp" else (None, world.ssh(target.name))
        session = world.newest_session()
        assert SHORT - 1 <= session["expires_in"] <= SHORT
        waiting = dial(session["public_port"])      # parked: asked about, but not in
        waiting.sendall(BANNER if kind == "ssh" else connection_request())
        eventually(lambda: world.newest_session()["parked"], "it is parked")
        wait_text(world, message, "has ended", f"Nobody connected within {SHORT} s.")
        assert SHORT - 0.1 < time.monotonic() - began < 2 * SHORT
        assert [b["text"] for b in message.buttons] == ["Again"] and not message.code
        assert util.how_it_ends(waiting) in ("fin", "rst")
        assert_closed(session)
        assert not target.talked
        if document:
            world.api.wait(lambda: document.deleted, what="the file is taken out of the chat")


def test_idle_timeout_ends_it_when_nothing_moves_and_not_before(target):
    with World(vps={"IDLE_TIMEOUT": SHORT, "ADMIT": "auto"}) as world:
        message = world.ssh(target.name)
        session = world.newest_session()
        client = enter(session["public_port"])

        def goes_on():
            client.sendall(b".")
            return util.read_exactly(client, 1) == b"."

        stays(goes_on, "bytes keep it alive", SHORT * 1.6, interval=0.25)
        wait_text(world, message, "has ended", f"Nothing was sent or received for {SHORT} s.",
                  "Connected from 127.0.0.1 for ")
        assert util.how_it_ends(client) in ("fin", "rst")
        assert target.talked[0].wait_end() in ("fin", "rst")
        assert_closed(session)


def test_max_session_time_ends_it_whatever_moves(target):
    with World(vps={"MAX_SESSION_TIME": 1, "ADMIT": "auto"}) as world:
        message = world.ssh(target.name)
        session = world.newest_session()
        client = enter(session["public_port"])

        def ended():
            try:
                client.sendall(b".")
            except OSError:
                return True
            return message.says("has ended")

        eventually(ended, "it ends", 4, interval=0.1)
        wait_text(world, message, "has ended", "It reached the time limit for a session: 1 s.")
        assert_closed(session)


def test_with_zero_for_both_a_session_lasts(target):
    settings = {"MAX_SESSION_TIME": 0, "IDLE_TIMEOUT": 0, "ADMIT": "auto", "SESSION_TIMEOUT": SHORT}
    with World(vps=settings) as world:
        world.ssh(target.name)
        session = world.newest_session()
        client = enter(session["public_port"])
        stays(lambda: util.is_open(client) and world.session(session["id"]), "it lasts", SHORT + 0.5)
        assert world.session(session["id"])["expires_in"] is None


# ---------------------------------------------------------------- how many

def test_a_user_can_have_so_many_sessions_and_all_together_so_many(target):
    with World(vps={"MAX_SESSIONS_PER_USER": 2, "MAX_SESSIONS": 3}) as world:
        for _ in range(2):
            world.ssh(target.name)
        answer = ask(world, f"/rdp {target.name}")
        assert answer.text.startswith("You have too many sessions open: 2 is the limit. Close one first.\n1. SSH to ")
        assert [b["text"] for b in answer.buttons] == ["Close 1: 127.0.0.1", "Close 2: 127.0.0.1"]
        world.ssh(target.name, FRIEND)
        answer = ask(world, f"/ssh {target.name}", FRIEND)
        assert answer.text == "Too many sessions are open on this server: 3 is the limit. Try again later."
        local = world.pamctl("ssh", target.name)
        assert local.returncode == 1 and "Too many sessions are open on this server" in local.stderr
        assert world.pamctl.json("ssh", target.name, ok=False)["error"] == "sessions_limit"
        mine = [s for s in world.sessions() if s["owner"] == f"telegram:{OWNER}"]
        for session in mine:
            world.pamctl.json("close", session["id"])
        for _ in range(2):
            world.pamctl.json("ssh", target.name)
        assert len(world.sessions()) == 3, "places that became free are taken again"
        world.close_all()
        for _ in range(2):
            world.pamctl.json("ssh", target.name)
        refused = world.pamctl.json("ssh", target.name, ok=False)
        assert refused["error"] == "user_limit"
        assert refused["message"] == ("You have too many sessions open: 2 is the limit. Close one first. "
                                      "pamctl sessions lists them, pamctl close ID ends one.")


def test_without_a_free_port_the_user_is_told_so_and_used_ports_rest(target):
    with World(ports=2) as world:
        world.ssh(target.name)
        session = world.newest_session()
        wanted = (f"No port is free between {world.port_start} and {world.port_start + 1}; a used one rests "
                  "for 60 s. Try again in a moment, or widen PORT_RANGE_START and PORT_RANGE_END.")
        assert ask(world, f"/ssh {target.name}").text == wanted
        world.pamctl.json("close", session["id"])
        assert ask(world, f"/rdp {target.name}").text == wanted, \
            "who knows the old port must not find a new session"
        refused = world.pamctl("ssh", target.name)
        assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", f"pamctl: {wanted}\n")
        assert world.pamctl.json("rdp", target.name, ok=False)["error"] == "no_port"
        assert world.sessions() == [] and world.status()["sessions"] == 0
        assert_closed(session)


def test_a_range_with_an_odd_port_left_opens_no_half_session(target):
    with World(ports=3) as world:
        world.rdp(target.name)      # keeps both of its ports, though no channel is expected at one
        assert ask(world, f"/ssh {target.name}").says("No port is free")
        listening = [p for p in range(world.port_start, world.port_start + 3) if peers.listening(p)]
        session = world.newest_session()
        assert listening == [session["public_port"]]


def test_a_port_that_another_program_has_is_left_alone(target):
    with World(ports=3) as world:
        with socket.create_server(("127.0.0.1", world.port_start + 1)):
            world.ssh(target.name)
            session = world.newest_session()
            assert world.port_start + 1 not in (session["public_port"], session["data_port"])


def open_until_refused(world, target, folder):
    """Sessions of both kinds: (session, secret of its .rdp file) of each, and the refusal."""
    opened = []
    while True:
        file = folder / f"{len(opened)}.rdp"
        arguments = ("ssh",) if len(opened) % 2 else ("rdp", "--out", file)
        answer = json.loads(world.pamctl("--json", *arguments, target.name).stdout)
        if not answer["ok"]:
            return opened, answer
        secret = RdpFile(file.read_bytes()).secret if file.exists() else None
        opened.append((answer["session"], secret))


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone sees the agents' descriptors")
def test_short_of_descriptors_new_sessions_are_refused_and_the_others_go_on(target, folder):
    most = 160
    many = {"MAX_SESSIONS": 1000, "MAX_SESSIONS_PER_USER": 1000}
    with World(ports=400, vps={"ADMIT": "auto", **many}) as world:
        resource.prlimit(world.vps.pid, resource.RLIMIT_NOFILE, (most, most))
        opened, refusal = open_until_refused(world, target, folder)
        assert refusal["error"] == "sessions_limit"
        assert refusal["message"].startswith("This server has most of its file descriptors in use.")
        in_use = len(os.listdir(f"/proc/{world.vps.pid}/fd"))
        assert most * 0.6 < in_use < most * 0.72
        clients = []
        for session, secret in opened:
            client = dial(session["public_port"])
            client.sendall(connection_request(cookie(secret)) if secret else BANNER)
            assert client.recv(1), "the target's echo"
            clients.append(client)
        assert world.pamctl.json("rdp", target.name, ok=False)["error"] == "sessions_limit"
        world.close_all()
        world.pamctl.json("ssh", target.name)
        for client in clients:
            client.close()


# ---------------------------------------------------------------- gateways

def test_without_a_gateway_the_user_is_told_so(target):
    with World(start_gateways=False) as world:
        # Right after its start the gateway may be on its way: the bot waits a moment for it.
        assert re.fullmatch(r"No gateway is online. None has logged in since vps-agent started \d+ s ago. "
                            "(Try again in a moment.|Is gateway-agent running, and does it reach this server\\?)",
                            ask(world, f"/ssh {target.name}").text)
        refused = world.pamctl("rdp", f"office/{target.name}")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith("pamctl: No gateway is online. None has logged in since vps-agent started ")
        assert world.pamctl.json("ssh", target.name, ok=False)["error"] == "no_gateway"
        assert world.status()["gateways"] == []
        assert "gateway:   none is online\n" in world.pamctl("status").stdout


@pytest.fixture(scope="module")
def two_gateways():
    """home reaches 127.0.0.1, office reaches 127.0.0.2; each has a key of its own."""
    world = World(gateways=(), vps={"ADMIT": "auto"})
    other_key = secrets.token_hex(32)
    world.secrets.append(other_key)
    world.vps_extra = {**world.vps_extra, "TUNNEL_KEY": f"home:{world.key},office:{other_key}"}
    with world:
        world.add_gateway("home", ALLOWED_TARGETS="127.0.0.1:1-65535")
        world.add_gateway("office", TUNNEL_KEY=other_key, ALLOWED_TARGETS="127.0.0.2:1-65535")
        world.ready({"home", "office"})
        for daemon in world.daemons():
            daemon.take_baseline()
        yield world


def test_a_command_right_after_a_restart_waits_for_the_gateway(target):
    """vps-agent starts, the command is there at once, and the gateway a moment later."""
    with World(start_gateways=False, wait_ready=False) as world:
        since = world.api.mark()
        asked = world.api.say(OWNER, f"/ssh {target.name}")
        world.api.wait_read(asked)
        stays(lambda: not world.api.all_messages(OWNER, since), "nothing is said yet", 0.3)
        world.gateway.start()
        world.api.wait_message(lambda m: m.code and m.code[0].startswith("ssh "), 15 * TIME_SCALE, since, OWNER)
        assert not [m for m in world.api.all_messages(OWNER, since) if m.says("No gateway")]
        world.close_all()


def test_a_gateway_that_left_is_said_to_have_left_and_when(target):
    with World() as world:
        world.gateway.stop()
        world.vps.wait_log("gateway lan: offline")
        refused = world.pamctl("rdp", target.name)
        assert re.fullmatch(r"pamctl: No gateway is online. Gateway lan was last here \d+ s ago, from 127.0.0.1. "
                            r"Try again in a moment.\n", refused.stderr), refused


def test_with_two_gateways_the_user_says_which(two_gateways):
    world = two_gateways
    with peers.Recorder(peers.echo, host="127.0.0.2") as target:
        message = world.ssh(f"office/alice@{target.name}")
        session = world.newest_session()
        assert session["gateway"] == "office" and session["target"] == target.name
        assert message.code[0].endswith(f" -o HostKeyAlias=office/127.0.0.2+{target.port} alice@127.0.0.1")
        client = enter(session["public_port"])
        client.close()
        document, _ = world.rdp(f"office/{target.name}")
        assert document.document.file_name == "office-127.0.0.2.rdp"
        assert ask(world, f"/ssh home/{target.name}").says("could not be opened", "Not allowed: gateway home")
        assert world.pamctl.json("ssh", f"office/{target.name}")["session"]["gateway"] == "office"
    world.settle()


def test_with_two_gateways_and_none_named_the_answer_lists_them(two_gateways):
    world = two_gateways
    since = len(world.sessions())
    for command in ("/ssh 127.0.0.1:1", "/rdp HOME-PC"):
        answer = ask(world, command)
        assert answer.says("home", "office", "/"), answer
        name, host = command.split()
        assert sorted(b["text"] for b in answer.buttons) == [f"{name} home/{host}", f"{name} office/{host}"]
    chosen = world.api.mark()
    world.api.tap(OWNER, answer, "/rdp home/HOME-PC")
    world.api.wait_message(lambda m: m.says("RDP to HOME-PC") or m.says("RDP to home/HOME-PC"), 15 * TIME_SCALE, chosen)
    refused = world.pamctl("ssh", "127.0.0.1:1")
    assert refused.returncode == 1 and "home" in refused.stderr and "office" in refused.stderr
    assert world.pamctl.json("ssh", "127.0.0.1:1", ok=False)["error"] == "which_gateway"
    assert ask(world, "/ssh attic/127.0.0.1").says("No gateway named attic is online; ", "home", "office", " are.")
    assert world.pamctl.json("ssh", "attic/127.0.0.1", ok=False)["error"] == "no_such_gateway"
    eventually(lambda: len(world.sessions()) == since, "HOME-PC is not there: nobody in the LAN knows it")
    world.settle()


def test_one_gateway_cannot_take_the_name_of_another(two_gateways):
    """Its key is its own: the thief does not get past the handshake."""
    world = two_gateways
    thief = world.add_gateway("home", TUNNEL_KEY=world.secrets[0])
    thief.wait_log("does not accept our TUNNEL_KEY")
    stays(lambda: {g["name"] for g in world.status()["gateways"]} == {"home", "office"},
          "both are there", 0.3)
    assert world.gateway.alive()
    thief.stop()
    thief.baseline = None
    world.settle()


def test_a_gateway_that_goes_away_while_it_opens_a_session_is_said_so():
    with World() as world:
        world.gateway.freeze()
        since = world.api.mark()
        world.api.say(OWNER, "/ssh 127.0.0.1:22")
        message = world.api.wait_message("Opening", 5 * TIME_SCALE, since)
        world.gateway.kill()
        wait_text(world, message, "could not be opened", "Gateway lan went offline or did not answer.")
        assert world.sessions() == []


def test_a_gateway_that_is_away_is_told_beside_one_that_is_online(two_gateways):
    world = two_gateways
    office = next(daemon for daemon in world.gateways.values() if daemon.settings["GATEWAY_NAME"] == "office")
    office.stop()
    try:
        eventually(lambda: [away["name"] for away in world.status()["away"]] == ["office"], "it is missed")
        away, = world.status()["away"]
        assert away["address"] == "127.0.0.1" and 0 <= away["seconds"] < 60
        told = world.pamctl("status").stdout
        assert re.search(r"^gateway:   office: away for \d+ s \(was at 127\.0\.0\.1\)$", told, re.M), told
        assert re.search("^gateway:   home from ", told, re.M), told
    finally:
        office.start()
        world.ready({"home", "office"})
    office.take_baseline()
    assert world.status()["away"] == []


# ---------------------------------------------------------------- why not

@pytest.fixture(scope="module")
def far_world(internet):
    """A gateway in a LAN of its own, with the default list of allowed targets."""
    with World(net=internet) as world:
        yield world


REASONS = {
    # target: (first words, what it names besides)
    "NO-SUCH-PC": ("unknown name: ", "NO-SUCH-PC"),
    "HOME-PC": ("refused: ", "port {port}"),
    "10.9.9.9": ("no route: ", "10.9.9.9"),
    netns.DEAF: ("timed out: ", netns.DEAF),
    "127.0.0.1": ("not allowed: ", "ALLOWED_TARGETS"),
    "localhost": ("not allowed: ", "ALLOWED_TARGETS"),
    "169.254.169.254": ("not allowed: ", "ALLOWED_TARGETS"),
    "192.168.1.22:80": ("not allowed: ", "port 80"),
}


@pytest.mark.parametrize("where", REASONS)
def test_every_reason_is_told_in_the_chat_and_by_pamctl(far_world, where):
    words, also = REASONS[where]
    since = far_world.api.mark()
    far_world.api.say(OWNER, f"/rdp {where}")
    refused = far_world.pamctl("ssh", where)
    assert refused.returncode == 1 and refused.stdout == ""
    assert refused.stderr.startswith(f"pamctl: {words}") and also.format(port=22) in refused.stderr
    answer = far_world.api.wait_message(lambda m: m.says("could not be opened"), 15 * TIME_SCALE, since, OWNER)
    assert answer.says(f"RDP to {where}", words, also.format(port=3389)) and [b["text"] for b in answer.buttons] == ["Again"]
    assert far_world.sessions() == [] and not [m for m in far_world.api.all_messages(OWNER) if m.document]
    far_world.settle()


def test_the_reason_is_in_the_json_too(far_world):
    answer = far_world.pamctl.json("ssh", "HOME-PC", ok=False)
    assert answer["ok"] is False and answer["error"] == "not_opened"
    assert answer["message"].startswith("refused: HOME-PC")


def test_a_machine_of_the_lan_is_reached_by_its_name_and_the_usual_port(far_world, internet):
    with peers.Recorder(peers.echo, listener=internet.lan.listen("0.0.0.0", 22)) as target:
        message = far_world.ssh("bob@HOME-PC")
        port = port_of(message.code[0])
        assert message.code[0] == f"ssh -p {port} -o HostKeyAlias=home-pc bob@{netns.VPS}"
        assert message.says("SSH to HOME-PC is ready")
        client = internet.client.connect(netns.VPS, port, netns.CLIENT)
        client.sendall(BANNER)
        question = far_world.api.wait_message(f"{netns.CLIENT} wants in: SSH to HOME-PC.")
        far_world.api.tap(OWNER, question, "Admit")
        assert util.read_exactly(client, len(BANNER)) == BANNER
        assert target.talked[0].address[0] == netns.GATEWAY_IN_LAN
        far_world.settle()
        client.close()


# ---------------------------------------------------------------- pamctl

def test_pamctl_ssh_prints_the_line_and_what_to_know(world, target):
    result = world.pamctl("ssh", f"alice@{target.name}")
    session = world.newest_session()
    line, note, *page = result.stdout.splitlines()
    assert page[-1].startswith("http://127.0.0.1:"), "the page that lets a computer in"
    assert result.returncode == 0 and result.stderr == ""
    assert line == f"ssh -p {session['public_port']} -o HostKeyAlias=127.0.0.1+{target.port} alice@127.0.0.1"
    assert note.startswith(f"Session {session['id']} to {target.name}, 120 s to connect.")
    assert session["owner"] == f"uid:{os.geteuid()}" and session["kind"] == "ssh"
    enter(session["public_port"])


def test_pamctl_ssh_json_is_one_line_with_everything(world, target):
    result = world.pamctl("--json", "ssh", target.name)
    assert result.stdout.count("\n") == 1
    answer = json.loads(result.stdout)
    session = answer["session"]
    assert set(answer) == {"ok", "session", "command", "hints", "warning", "link"} and answer["ok"] is True
    assert set(session) == SESSION_KEYS
    assert answer["command"].startswith(f"ssh -p {session['public_port']} ")
    assert (session["kind"], session["target"], session["gateway"]) == ("ssh", target.name, "lan")
    assert (session["state"], session["client"], session["parked"]) == ("waiting", None, [])
    assert session["reason"] is None and 110 < session["expires_in"] <= 120
    assert abs(session["since"] - time.time()) < 10


def test_a_session_whose_file_cannot_be_written_is_closed_again(world, target, folder):
    answer = world.pamctl.json("rdp", target.name, "--out", folder / "no" / "such", ok=False)
    assert answer["error"] == "not_written" and "cannot write" in answer["message"]
    assert not world.sessions(), "nobody has its secret"


def test_a_file_that_was_there_is_closed_to_others_before_it_holds_a_secret(world, target, folder):
    path = folder / "old.rdp"
    path.write_text("old")
    path.chmod(0o664)
    world.pamctl.json("rdp", target.name, "--out", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and RdpFile(path.read_bytes()).secret
    assert world.pamctl("rdp", target.name, "--out", "/dev/null").returncode == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode) and stat.S_IMODE(os.stat("/dev/null").st_mode) == 0o666
    world.close_all()


def test_pamctl_rdp_writes_a_file_that_works_and_overwrites_none(world, target, folder):
    result = world.pamctl("rdp", target.name, cwd=folder)
    path = folder / "127.0.0.1.rdp"
    assert result.returncode == 0 and result.stdout.splitlines()[0] == "127.0.0.1.rdp"
    file = RdpFile(path.read_bytes())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600, "it holds a secret"
    assert file.secret not in result.stdout
    client = dial(file.port)
    client.sendall(connection_request(cookie(file.secret)))
    assert util.read_exactly(client, 19) == connection_request()
    ids = set(re.findall(r"session (\w{8})\b", world.vps.log))
    assert ids
    again = world.pamctl("rdp", target.name, cwd=folder)
    assert again.returncode == 1
    assert "127.0.0.1.rdp: File exists; choose a name with --out FILE, or replace it with --force" in again.stderr
    assert RdpFile(path.read_bytes()).secret == file.secret
    assert set(re.findall(r"session (\w{8})\b", world.vps.log)) == ids, "none was opened for it"
    forced = world.pamctl("rdp", "--force", target.name, cwd=folder)
    assert forced.returncode == 0 and forced.stdout.splitlines()[0] == "127.0.0.1.rdp"
    assert RdpFile(path.read_bytes()).port == world.newest_session()["public_port"]
    assert os.listdir(folder) == [path.name]


def test_pamctl_rdp_out_names_the_file_and_minus_is_standard_output(world, target, folder):
    path = folder / "my own name.rdp"
    path.write_text("older, and longer than what comes now" * 100)
    result = world.pamctl("rdp", target.name, "--out", path, cwd=folder)
    assert result.returncode == 0 and result.stdout.splitlines()[0] == str(path)
    assert RdpFile(path.read_bytes()).port == world.newest_session()["public_port"]
    result = world.pamctl("rdp", "--out", "-", target.name, cwd=folder)
    # text mode makes \n of \r\n
    assert RdpFile(result.stdout.replace("\n", "\r\n").encode()).port == world.newest_session()["public_port"]
    assert os.listdir(folder) == [path.name]
    answer = world.pamctl.json("rdp", target.name, "--out", path)
    assert answer["file"] == str(path) and "rdp" not in answer and set(answer["session"]) == SESSION_KEYS
    assert RdpFile(path.read_bytes()).port == answer["session"]["public_port"]


def test_pamctl_rdp_says_when_it_cannot_write(world, target, folder):
    result = world.pamctl("rdp", target.name, "--out", folder / "no" / "such" / "folder")
    assert result.returncode == 1 and "No such file or directory" in result.stderr


def test_pamctl_status_tells_who_is_there(world, target):
    text = world.pamctl("status").stdout
    status = world.pamctl.json("status")
    assert set(status) == {"ok", "version", "uptime", "telegram", "gateways", "sessions", "connections",
                           "draining", "telegram_trouble", "telegram_deaf", "away", "keys", "locked", "audit",
                           "signing", "doubts"}
    assert status["away"] == []
    assert status["draining"] is False
    assert text.startswith(f"vps-agent {status['version']}, up for ")
    assert "telegram:  online\n" in text and "sessions:  0, connections: 0\n" in text
    assert "gateway:   lan from 127.0.0.1 for " in text and "round trip " in text
    assert not re.search(r"\d\.\d{4}", world.pamctl("status", "--json").stdout), "0.035000000000000003"
    gateway, = status["gateways"]
    assert set(gateway) == {"name", "address", "version", "since", "age", "rtt_ms"}
    assert gateway["name"] == "lan" and gateway["version"].startswith("gateway-agent ")
    world.pamctl.json("ssh", target.name)
    assert world.status()["sessions"] == 1 and "sessions:  1, connections: 0\n" in world.pamctl("status").stdout


def test_pamctl_sessions_tells_what_goes_on(world, target):
    assert world.pamctl("sessions").stdout == "No session is open.\n"
    world.ssh(target.name)
    session = world.newest_session()
    line = world.pamctl("sessions").stdout
    port = session["public_port"]
    assert line.startswith(f"{session['id']}  ssh {target.name}  waiting  port {port}  for ")
    assert line.endswith(f" s left  (telegram:{OWNER})\n")
    client = enter(session["public_port"])
    client.sendall(b"x" * 1000)
    util.read_exactly(client, 1000)
    told = "\n          from 127.0.0.1  1 connection now, 1 in all  1.0 kB received, 1.0 kB sent\n"
    eventually(lambda: told in world.pamctl("sessions").stdout, "what went through is counted")
    line = world.pamctl("sessions").stdout
    assert "  connected  " in line and "left" not in line
    session = world.newest_session()
    assert session["bytes_to_target"] == session["bytes_to_client"] == 1000 + len(BANNER)
    assert session["client"] == "127.0.0.1" and session["expires_in"] is None


@pytest.mark.parametrize("kind", ["ssh", "rdp"])
def test_pamctl_close_ends_a_session_of_anybody(world, target, kind):
    message = world.ssh(target.name) if kind == "ssh" else world.rdp(target.name)[1]
    session = world.newest_session()
    result = world.pamctl("close", session["id"])
    assert (result.returncode, result.stdout) == (0, f"Closed session {session['id']}.\n")
    assert_closed(session)
    wait_text(world, message, "has ended", "Closed on request.")
    again = world.pamctl("close", session["id"])
    assert again.returncode == 1
    assert again.stderr == "pamctl: There is no open session with that ID; see pamctl sessions.\n"
    answer = world.pamctl.json(kind, target.name, *(["--out", "/dev/null"] if kind == "rdp" else []))
    ended = world.pamctl.json("close", answer["session"]["id"])["session"]
    assert (ended["state"], ended["reason"]) == ("ended", "closed on request")
    assert_closed(answer["session"])


WRONG = [
    [], ["nonsense"], ["ssh"], ["rdp"], ["close"], ["admit"], ["ssh", "a", "b"], ["status", "x"],
    ["sessions", "x"], ["close", "a", "b"], ["admit", "a"], ["block", "a"], ["admit", "a", "b", "c"], ["ssh", "a", "--out", "f"],
    ["rdp", "a", "--out"], ["--nonsense", "status"], ["--socket"], ["-j", "status"], ["status", "--wait"], ["drain", "x"],
    ["drain", "--wait", "--off"], ["drain", "--timeout"], ["drain", "--timeout", "-1"], ["drain", "--timeout", "1.5"],
    ["drain", "--timeout=1", "--off"], ["rdp", "a", "--out="], ["--json=1", "status"], ["help", "nonsense"], ["--", "--help"],
    ["version", "x"], ["status", "--force"],
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_wrong_usage_is_status_2_and_one_line(world, arguments):
    result = world.pamctl(*arguments)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.startswith("pamctl: ") and result.stderr.count("\n") == 1
    assert world.sessions() == []


@pytest.mark.parametrize("arguments", [["nonsense"], ["ssh"], ["--nonsense", "status"], ["ssh", "a b"], ["close", "a", "\x80"],
                                       ["admit", "a", "b", "--wait"]], ids=repr)
def test_wrong_usage_with_json_is_json(world, arguments):
    for words in (["--json", *arguments], [*arguments, "--json"]):
        result = world.pamctl(*words)
        answer = json.loads(result.stdout)
        assert (result.returncode, result.stderr) == (2, "") and answer["ok"] is False
        assert answer["error"] in ("usage", "invalid") and answer["message"]


@pytest.mark.parametrize("typed, meant", [
    (["statsu"], "status"), (["session"], "sessions"), (["Drain"], "drain"), (["help", "clsoe"], "close"),
    (["--sokcet=x", "status"], "--socket"), (["rdp", "a", "--ouf", "x"], "--out"), (["drain", "-wait"], "--wait"),
], ids=repr)
def test_a_slip_of_the_finger_is_answered_with_what_was_meant(typed, meant):
    result = agents.run("pamctl", *typed)
    assert result.returncode == 2 and result.stderr.endswith(f"; did you mean {meant}?\n")


@pytest.mark.parametrize("arguments", [["-h"], ["--help"], ["help"], ["help", "help", "-h"]], ids=" ".join)
def test_help_is_100_columns_wide_at_most(arguments):
    result = agents.run("pamctl", *arguments)
    assert result.returncode == 0 and not result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 100


def test_each_command_has_a_help_of_its_own():
    commands = re.findall(r"^  ([a-z]+) ", agents.run("pamctl", "help").stdout, re.M)
    assert {"ssh", "drain", "version"} <= set(commands)
    for command in commands:
        texts = [agents.run("pamctl", *words).stdout
                 for words in (["help", command], [command, "--help"], ["-h", command])]
        assert texts[0].startswith(f"Usage: pamctl {command}") and len(set(texts)) == 1
        assert max(len(line) for text in texts for line in text.splitlines()) <= 100
    assert "--timeout SECONDS" in agents.run("pamctl", "help", "drain").stdout
    assert "--timeout" not in agents.run("pamctl", "help", "rdp").stdout


@pytest.mark.parametrize("arguments", [["-V"], ["--version"], ["version"], ["status", "-V"]], ids=" ".join)
def test_the_version_is_printed(arguments):
    result = agents.run("pamctl", *arguments)
    assert result.returncode == 0 and re.fullmatch(r"pamctl \d+\.\d+\.\d+\S*\n", result.stdout)


def test_options_are_taken_in_each_form_and_place(world):
    path = world.state_dir / "pamtunnel.sock"
    for words in (["--socket", path, "status"], ["status", f"--socket={path}"], [f"--socket={path}", "--", "status"]):
        assert agents.run("pamctl", *words).stdout.startswith("vps-agent "), words


def test_the_state_dir_is_taken_from_the_agents_settings_file(world, as_root_with_etc):
    """As vps-agent has it: the environment before the file, the file before the default."""
    pamctl, settings = as_root_with_etc
    assert "cannot reach vps-agent at /var/lib/pamtunnel/pamtunnel.sock" in pamctl("status").stderr
    settings.write_text(f"VPS_HOST=x\nSTATE_DIR='{world.state_dir}'\n")
    assert pamctl("status").stdout.startswith("vps-agent ")
    assert "at /elsewhere/pamtunnel.sock" in pamctl("status", STATE_DIR="/elsewhere").stderr


def test_who_is_admitted_is_an_address_of_one_who_waits(target):
    with World(bot=False) as world:
        session = world.pamctl.json("ssh", target.name)["session"]["id"]
        for typed in ("bogus", "1.2.3", "home#1"):
            result = world.pamctl("admit", session, typed)
            assert result.returncode == 2 and f"{typed} is not an address" in result.stderr
        nobody = world.pamctl("admit", session, "192.0.2.1")
        assert (nobody.returncode, nobody.stderr) == (1, "pamctl: No such client is waiting to be admitted.\n")
        client = dial(world.newest_session()["public_port"])
        client.sendall(BANNER)
        eventually(lambda: world.newest_session()["parked"], "it is parked")
        other = world.pamctl("admit", session, "192.0.2.1")
        assert other.returncode == 1 and "these are: 127.0.0.1#1." in other.stderr
        client.close()


@pytest.mark.parametrize("bad", ["", "a b", "-oProxyCommand=x", "$(id)", "a;b", "x@y@z@w", "host:0", "host:65536",
                                 "[::1", "1.2.3", "u$er@host", "a" * 300, "../x/y"])
def test_what_is_no_target_is_refused_with_a_hint(world, bad):
    result = world.pamctl("ssh", "--json", bad) if not bad.startswith("-") else None
    if result is None:      # taken for an option
        assert world.pamctl("ssh", bad).returncode == 2
        return
    answer = json.loads(result.stdout)
    assert result.returncode == 2 and answer["error"] == "invalid" and len(answer["message"]) > 10
    assert world.sessions() == []


def test_without_an_agent_pamctl_says_so(folder):
    path = f"{folder}/pamtunnel.sock"
    for arguments in (["status"], ["ssh", "HOME-PC"]):
        result = agents.run("pamctl", *arguments, env={"STATE_DIR": folder})
        assert (result.returncode, result.stdout) == (1, "")
        assert result.stderr == (f"pamctl: cannot reach vps-agent at {path}: No such file or directory; is "
                                 "vps-agent running, and with this STATE_DIR? Start it, or name its socket with "
                                 "--socket PATH\n")
    result = agents.run("pamctl", "status", "--json", env={"STATE_DIR": folder})
    answer = json.loads(result.stdout)
    assert result.returncode == 1 and answer["ok"] is False and answer["error"] == "unreachable"
    left = socket.socket(socket.AF_UNIX)
    left.bind(path)     # as a killed agent leaves it
    result = agents.run("pamctl", "--socket", path, "status")
    assert result.returncode == 1 and "Connection refused" in result.stderr
    left.close()


def test_the_admin_socket_is_for_its_owner_only(world, as_nobody, folder):
    path = world.state_dir / "pamtunnel.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    folder.chmod(0o755)
    program = shutil.copy(util.BUILD / "pamctl", folder / "pamctl")
    command = [*as_nobody, program, "--socket", path, "status"]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "Permission denied; only root and the user of vps-agent may use it: try it with sudo" in refused.stderr
    # Even where the file system would let them: the agent looks at who asks.
    modes = {p: stat.S_IMODE(p.stat().st_mode) for p in (world.folder, world.state_dir, path)}
    try:
        for place in modes:
            place.chmod(0o777)
        refused = subprocess.run(command, capture_output=True, text=True)
    finally:
        for place, mode in modes.items():
            place.chmod(mode)
    assert refused.returncode == 1 and refused.stdout == ""
    assert "hung up without an answer; only root and the user of vps-agent may ask" in refused.stderr
    world.vps.wait_log("admin socket: uid 65534 may not use it")
    assert world.status()


def test_the_socket_answers_each_line_in_order_and_hangs_up_on_nonsense(world):
    def connect():
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(10 * TIME_SCALE)
        client.connect(str(world.state_dir / "pamtunnel.sock"))
        return client

    with connect() as client:
        client.sendall(b'{"command":"sessions"}\n{"command":"dance"}\n{"command":"stat')
        client.sendall(b'us"}\n')
        with client.makefile() as lines:
            answers = [json.loads(lines.readline()) for _ in range(3)]
    assert answers[0] == {"ok": True, "sessions": []}
    assert answers[1]["error"] == "unknown_command"
    assert answers[2]["telegram"] == "online"
    for nonsense in (b"nonsense\n", b'{"command":\n', b"x" * 5000):
        with connect() as client:
            client.sendall(nonsense)
            assert util.how_it_ends(client) in ("fin", "rst")
    assert world.status()
