"""Keys of gateways that come and go while vps-agent runs: pamctl gateway add, rotate, remove, list."""

import os
import re
import shutil
import sqlite3
import subprocess

import peers
import pytest
import sshd as openssh
import util
from agents import FRIEND, OWNER, World, run
from util import TIME_SCALE, eventually, stays

NO_KEYS = {"vps": {"TUNNEL_KEY": None, "ADMIT": "auto", "RECONNECT_GRACE": 1}, "gateways": ()}


class Keys(World):
    """Each gateway that is online is one descriptor more than there were without any."""

    def settle(self):
        if self.vps.alive() and not self.gateway_names:
            self.alone = getattr(self, "alone", self.vps.baseline)
            self.vps.baseline = self.alone + len(self.status()["gateways"])
        super().settle()


@pytest.fixture
def target():
    with peers.Recorder(reply=peers.echo) as recorder:
        yield recorder


def add(world, name, *args):
    """What a person copies: the join string."""
    result = world.pamctl("gateway", "add", name, *args)
    assert result.returncode == 0, result
    return string_in(result, name)


def string_in(result, name):
    command, empty, string = result.stdout.splitlines()
    assert command == "sudo gateway-agent --join -" and not empty, result
    assert re.fullmatch(r"pamtunnel[12]\.[A-Za-z0-9_-]+", string), result
    assert f"The string holds the key of {name}: show it to nobody" in result.stderr, result
    assert string not in result.stderr
    return string


def rotate(world, name, *args):
    result = world.pamctl("gateway", "rotate", name, *args)
    assert result.returncode == 0, result
    return string_in(result, name), result.stderr


def join(world, string, path, *args):
    return run("gateway-agent", "--join", "-", "--env-file", path, *args, input=string + "\n")


def settings_in(path):
    return dict(line.split("=", 1) for line in path.read_text().splitlines()
                if "=" in line and not line.startswith("#"))


def start_joined(world, string):
    """A gateway-agent whose settings --join has written."""
    path = world.folder / f"{len(world.gateways)}.env"
    result = join(world, string, path)
    assert result.returncode == 0 and "accepts the key" in result.stdout, result
    settings = settings_in(path)
    daemon = world.add_gateway(settings["GATEWAY_NAME"], **settings)
    world.ready([settings["GATEWAY_NAME"]])
    return daemon


def listed(world):
    return {gateway["name"]: gateway for gateway in world.pamctl.json("gateway", "list")["gateways"]}


def state_of(world, name):
    return listed(world).get(name, {}).get("state")


def secrets_in(folder):
    with sqlite3.connect(f"file:{folder}/state.db?mode=ro", uri=True) as db:
        return [row[0] for row in db.execute("SELECT key FROM gateway_key ORDER BY id")]


def no_secret_was_logged(world):
    logs = "".join(daemon.log for daemon in (world.vps, *world.gateways.values()))
    for secret in secrets_in(world.state_dir):
        assert secret not in logs
    assert not re.search(r"pamtunnel[12]\.", logs)


class Client:
    """Somebody at work behind a gateway."""

    def __init__(self, world, target, gateway):
        session = world.pamctl.json("ssh", f"{gateway}/{target.name}")["session"]
        self.id, self.world = session["id"], world
        self.socket = peers.dial(session["public_port"])
        self.socket.sendall(peers.BANNER)
        util.read_exactly(self.socket, len(peers.BANNER))

    def works(self):
        line = os.urandom(500)
        self.socket.sendall(line)
        return util.read_exactly(self.socket, len(line)) == line

    def is_cut(self):
        try:
            return not util.read_some(self.socket)
        except ConnectionError:
            return True


# ---------------------------------------------------------------- none at all

def test_a_vps_agent_without_keys_waits_and_says_what_to_do():
    with Keys(**NO_KEYS) as world:
        world.vps.wait_log("no gateway can log in yet: start gateway-agent with nothing but VPS_HOST.*pamctl gateway add NAME")
        assert "none can log in yet: pamctl gateway pending" in world.pamctl("status").stdout
        assert world.status()["keys"] == 0
        assert world.pamctl("gateway", "list").stdout.startswith("No gateway can log in yet")
        since = world.api.mark()
        world.api.say(OWNER, "/ssh nas")
        world.api.wait_message("pamctl gateway pair", since=since, chat=OWNER)
        doctor = run("vps-agent", "--doctor", env=world.vps.settings, timeout=60)
        assert doctor.returncode == 1 and "!!  keys: no gateway can log in yet" in doctor.stdout, doctor
        stranger = world.add_gateway("home")
        stranger.wait_log("does not accept our TUNNEL_KEY.*pamctl gateway list, on the VPS")
        world.vps.wait_log('unknown gateway name "home"')


# ---------------------------------------------------------------- add

def test_a_gateway_is_added_while_the_agent_runs(target):
    with Keys(**NO_KEYS) as world:
        home = add(world, "home")
        assert state_of(world, "home") == "new" and listed(world)["home"]["until"] > 0
        start_joined(world, home)
        start_joined(world, add(world, "Office.2", "--valid", "7d"))
        found = listed(world)
        assert {name: (one["key"], one["state"]) for name, one in found.items()} == {
            "home": ("added", "online"), "Office.2": ("added", "online")}
        assert found["home"]["until"] == 0 and found["home"]["joined"] > 0
        for name in found:
            assert Client(world, target, name).works()
        text = world.pamctl("gateway", "list").stdout
        assert re.search(r"^home +online from 127\.0\.0\.1 for \d+ s; key added \d{4}-", text, re.M), text
        assert "TUNNEL_KEY" not in text
        world.close_all()
        no_secret_was_logged(world)


def test_what_cannot_be_added_is_explained(target):
    key = "ab" * 32
    with Keys(vps={"TUNNEL_KEY": f"lan:{key}"}, gateways=("lan",), gateway={"TUNNEL_KEY": key}) as world:
        for name, status, says in (("a b", 2, "1 to 63 letters"), ("../x", 2, "1 to 63 letters"),
                                   ("x" * 64, 2, "1 to 63 letters"), ("LAN", 1, "in TUNNEL_KEY")):
            result = world.pamctl("gateway", "add", name)
            assert result.returncode == status and says in result.stderr and not result.stdout, result
        for verb in ("rotate", "remove"):
            result = world.pamctl("gateway", verb, "lan")
            assert result.returncode == 1 and "in TUNNEL_KEY" in result.stderr, result
            result = world.pamctl("gateway", verb, "attic")
            assert result.returncode == 1 and "There is no gateway attic" in result.stderr, result
        add(world, "home")
        assert "rotate HOME replaces it" in world.pamctl("gateway", "add", "HOME").stderr
        assert world.pamctl.json("gateway", "add", "home", ok=False)["error"] == "exists"
        assert world.pamctl.json("gateway", "rotate", "lan", ok=False)["error"] == "in_settings"
        assert world.pamctl("gateway", "add", "x", "--valid", "3w").returncode == 2
        text = world.pamctl("gateway", "list").stdout
        assert re.search(r"^lan +online .*; key in TUNNEL_KEY$", text, re.M), text
        assert text.endswith("Keys in TUNNEL_KEY are changed in the env file: vps-agent --invite NAME --new-key.\n")
        assert state_of(world, "lan") == "online", "nobody touched it"


def test_a_join_string_that_came_too_late_is_refused_and_replaced():
    with Keys(**NO_KEYS) as world:
        path = world.folder / "late.env"
        string = world.pamctl.json("gateway", "add", "home")["join"]
        with sqlite3.connect(world.state_dir / "state.db") as db:
            eventually(lambda: db.execute("SELECT 1 FROM gateway_key").fetchone(), "it is in the file")
            db.execute("UPDATE gateway_key SET until=1764200000")
        db.close()
        world.vps.stop()
        world.vps.start()
        world.ready([])
        late = join(world, string, path)
        assert late.returncode == 1 and "pamctl gateway rotate home" in late.stderr, late
        assert "its join string expired at 2025-11-26 23:33 UTC" in world.pamctl("gateway", "list").stdout
        string, said = rotate(world, "home")
        assert "goes on with the key" not in said, "there was none in use"
        start_joined(world, string)


def test_a_gateway_that_shared_a_key_gets_its_own(target):
    with Keys(vps={"ADMIT": "auto", "RECONNECT_GRACE": 1}, gateways=("lan", "office")) as world:
        result = world.pamctl("gateway", "add", "office")
        string = string_in(result, "office")
        assert "it cannot log in with the key that has no name any more" in result.stderr
        office = world.gateways["gateway-1"]
        stays(lambda: state_of(world, "office") == "online", "it goes on with the old one")
        client = Client(world, target, "office")
        office.stop()
        office.start()      # also if it is restarted meanwhile
        world.ready(["office"])
        client.socket.close()
        office.stop()
        own = start_joined(world, string)
        assert listed(world)["office"]["key"] == "added"
        own.stop()
        office.start()
        office.wait_log("does not accept our TUNNEL_KEY")
        office.stop()


# ---------------------------------------------------------------- rotate

def test_a_key_is_replaced_under_a_running_session():
    """With real ssh: bytes go on while the gateway changes its key, and the old one is good for nothing then."""
    with Keys(**NO_KEYS, env_files=True) as world, openssh.Sshd() as sshd:
        gateway = start_joined(world, add(world, "home"))
        old = gateway.settings["TUNNEL_KEY"]
        line = world.ssh(f"{openssh.USER}@{sshd.name}").code[0]
        client = subprocess.Popen([*openssh.with_config(line, sshd.client_config("127.0.0.1")), "cat"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        def works():
            client.stdin.write(b"still here\n")
            client.stdin.flush()
            return client.stdout.readline() == b"still here\n"

        assert works()
        string, said = rotate(world, "home")
        assert "home goes on with the key that it has until it has joined with this string" in said
        assert listed(world)["home"]["next"]["until"] > 0
        assert "its new join string is good until" in world.pamctl("gateway", "list").stdout
        assert works() and state_of(world, "home") == "online"

        # The gateway loses its connection meanwhile: it comes back with what it has.
        before = world.vps.count_log("gateway home: online")
        world.vps.freeze()
        world.vps.thaw()
        gateway.reload(LOG_LEVEL="trace")
        assert works() and world.vps.count_log("gateway home: online") == before

        path = gateway.env_file
        asked = join(world, string, path)
        assert asked.returncode == 1 and "is online already" in asked.stderr, "a person has to say that it is this one"
        assert join(world, string, path, "--force").returncode == 0
        assert works() and "next" in listed(world)["home"], "a look is no login"
        gateway.settings = settings_in(path)
        gateway.reload()
        world.vps.wait_log("gateway home: logged in with its new key")
        assert works() and "next" not in listed(world)["home"]
        thief = world.add_gateway("home", TUNNEL_KEY=old)
        thief.wait_log("does not accept our TUNNEL_KEY")
        thief.stop()
        assert works()
        client.stdin.close()
        assert client.wait(30 * TIME_SCALE) == 0
        no_secret_was_logged(world)


def test_a_second_rotation_takes_the_place_of_the_first():
    with Keys(**NO_KEYS) as world:
        gateway = start_joined(world, add(world, "home"))
        first, _ = rotate(world, "home")
        second, _ = rotate(world, "home", "--valid", "0")
        assert len(secrets_in(world.state_dir)) == 2
        path = world.folder / "second.env"
        assert join(world, first, path).returncode == 1
        gateway.stop()
        start_joined(world, second)
        assert len(secrets_in(world.state_dir)) == 1
        gateway.start()
        gateway.wait_log("does not accept our TUNNEL_KEY")
        gateway.stop()


# ---------------------------------------------------------------- remove

def test_a_gateway_that_is_removed_is_out_at_once(target):
    with Keys(**NO_KEYS) as world:
        start_joined(world, add(world, "home"))
        office = start_joined(world, add(world, "office"))
        stay, go = Client(world, target, "home"), Client(world, target, "office")
        since = world.api.mark()
        card = world.ssh(f"office/{target.name}")
        result = world.pamctl("gateway", "remove", "office")
        assert result.stdout == "Gateway office is removed: its key is gone, and so are 2 sessions.\n", result
        assert go.is_cut() and stay.works()
        world.api.wait(lambda: card.says("gateway office no longer belongs to this server"), 10, "the card says why")
        office.wait_log("this gateway was removed on the VPS")
        office.wait_log("does not accept our TUNNEL_KEY.*add and rotate print a new join string")
        assert "office" not in listed(world) and not world.status()["away"]
        answer = world.pamctl("ssh", f"office/{target.name}")
        assert answer.returncode == 1 and "No gateway named office is online" in answer.stderr
        assert stay.works() and since is not None
        office.stop()
        start_joined(world, add(world, "office"))     # it may come again, with another key
        world.close_all()


# ---------------------------------------------------------------- --invite and --setup

def test_invite_asks_the_agent_where_keys_are_its_own():
    """Without TUNNEL_KEY: nothing is written, and nothing has to be read again."""
    with Keys(**NO_KEYS, env_files=True) as world:
        path = world.vps.env_file
        before = path.read_bytes()

        def invite(*args):
            return run("vps-agent", "--invite", *args, "--env-file", path)

        start_joined(world, string_in(invite("home"), "home"))
        again = invite("home")
        assert again.returncode == 1 and "pamctl gateway rotate home" in again.stderr and not again.stdout, again
        assert invite("a b").returncode == 2
        string_in(invite("home", "--new-key", "--valid", "7d"), "home")
        assert "next" in listed(world)["home"]
        assert path.read_bytes() == before


def test_a_key_in_the_state_file_is_not_put_in_the_shade(target):
    """--invite and --setup write into TUNNEL_KEY, which comes first: not a name that is kept already."""
    key = "ef" * 32
    with Keys(vps={"TUNNEL_KEY": f"lan:{key}", "ADMIT": "auto"}, gateways=("lan",), gateway={"TUNNEL_KEY": key},
              env_files=True) as world:
        home = start_joined(world, add(world, "home"))
        path = world.vps.env_file
        for args in (["--invite", "Home"], ["--invite", "home", "--new-key"], ["--setup", "--gateway", "home"]):
            result = run("vps-agent", *args, "--env-file", path, timeout=60)
            assert result.returncode == 1 and "pamctl gateway rotate" in result.stderr, result
        assert settings_in(path)["TUNNEL_KEY"] == f"lan:{key}"
        assert "office:" not in path.read_text()
        assert run("vps-agent", "--invite", "office", "--env-file", path).returncode == 0
        assert settings_in(path)["TUNNEL_KEY"].startswith(f"lan:{key},office:"), "and others as ever"
        home.stop()


# ---------------------------------------------------------------- in the chat

def test_the_administrator_is_told_of_one_that_has_gone_and_of_its_return():
    with Keys(**NO_KEYS) as world:
        home = start_joined(world, add(world, "home"))
        office = start_joined(world, add(world, "office"))
        for user in (OWNER, FRIEND):
            before = world.api.mark()
            world.api.say(user, "/help")
            world.api.wait_message("/ssh", since=before, chat=user)
        since = world.api.mark()
        home.stop()
        office.stop()
        world.pamctl.json("gateway", "remove", "office")    # this one is nobody's loss
        told = world.api.wait_message("has been offline for", 45 * TIME_SCALE, since, OWNER)
        assert told.says("⚠️ Gateway home has been offline for 3") and told.says("127.0.0.1"), told
        home.start()
        back = world.api.wait_message("is back after", 15 * TIME_SCALE, since, OWNER)
        assert back.says("✅ Gateway home is back after"), back
        assert not world.api.all_messages(FRIEND, since), "the owner, and nobody else"
        assert len(world.api.all_messages(OWNER, since)) == 2, world.api.transcript()


# ---------------------------------------------------------------- the file

def test_keys_survive_a_restart_and_the_file_is_for_nobody_else(target):
    with Keys(**NO_KEYS) as world:
        start_joined(world, add(world, "home"))
        add(world, "office")
        for kill in (False, True):
            if kill:
                world.vps.kill()
            else:
                world.vps.stop()
            world.vps.start()
            world.ready(["home"])
            assert {name: one["state"] for name, one in listed(world).items()} == {"home": "online", "office": "new"}
        assert Client(world, target, "home").works()
        files = [path for path in world.state_dir.iterdir() if path.name.startswith("state.db")]
        assert len(files) == 3 and all(path.stat().st_mode & 0o777 == 0o600 for path in files), files
        world.close_all()


def memory_of(pid):
    """All that a process can write to."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            where, rights = line.split()[:2]
            start, end = (int(part, 16) for part in where.split("-"))
            if rights.startswith("rw") and "[vvar" not in line:
                memory.seek(start)
                yield memory.read(end - start)


@pytest.mark.skipif(util.SANITIZED, reason="a sanitizer keeps what is freed")
def test_a_join_string_does_not_stay_in_memory():
    with World(vps={"TUNNEL_KEY": None, "ADMIT": "auto"}, gateways=(), bot=False) as world:
        strings = [world.pamctl.json("gateway", "add", f"office{number}")["join"] for number in range(8)]
        world.pamctl.json("status")
        found = [string for page in memory_of(world.vps.process.pid) for string in strings
                 if string.encode()[20:60] in page]
        assert not found


def test_one_who_copied_the_file_is_out_after_a_removal(target):
    """A copy is as good as the keys, as the documentation says: removing the gateway ends that."""
    with Keys(**NO_KEYS) as world:
        gateway = start_joined(world, add(world, "home"))
        gateway.stop()
        copy = world.folder / "copy"
        copy.mkdir()
        for path in world.state_dir.glob("state.db*"):
            shutil.copy(path, copy)
        stolen = secrets_in(copy)
        assert stolen == [gateway.settings["TUNNEL_KEY"]]
        thief = world.add_gateway("home", TUNNEL_KEY=stolen[0])
        world.ready(["home"])
        world.pamctl.json("gateway", "remove", "home")
        thief.wait_log("this gateway was removed on the VPS")
        string = add(world, "home")
        thief.wait_log("does not accept our TUNNEL_KEY")
        thief.stop()
        start_joined(world, string)


def test_without_the_file_gateways_have_to_be_added_again():
    with Keys(**NO_KEYS) as world:
        world.api.say(OWNER, "/start")      # who will be told that the server is locked
        world.api.wait_message("nothing stays open afterwards", chat=OWNER)
        gateway = start_joined(world, add(world, "home"))
        gateway.stop()
        world.vps.stop()
        (world.state_dir / "state.db").write_bytes(b"garbage" * 1000)
        for name in ("state.db-wal", "state.db-shm"):
            (world.state_dir / name).unlink(missing_ok=True)
        world.vps.start()
        world.vps.wait_log("is damaged: it is kept as")
        eventually(lambda: world.vps.count_log("no gateway can log in yet") == 2, "it says so again")
        world.api.wait_message("server is locked", chat=OWNER)
        start_joined(world, add(world, "home"))


def test_a_name_in_the_settings_comes_first(target):
    key = "cd" * 32
    with Keys(**NO_KEYS, env_files=True) as world:
        added = start_joined(world, add(world, "home"))
        assert "settings reloaded" in world.vps.reload(TUNNEL_KEY=f"home:{key}")
        world.vps.wait_log("gateway home has a key in TUNNEL_KEY, which is the one that counts")
        added.wait_log("this gateway has another TUNNEL_KEY now")
        added.wait_log("does not accept our TUNNEL_KEY")
        added.stop()
        own = world.add_gateway("home", TUNNEL_KEY=key)
        world.ready(["home"])
        assert "not used: the key in TUNNEL_KEY is" in world.pamctl("gateway", "list").stdout
        result = world.pamctl("gateway", "remove", "home")
        assert "It can still log in with a key in TUNNEL_KEY" in result.stdout, result
        assert state_of(world, "home") == "online"
        world.vps.reload(TUNNEL_KEY=None)
        own.wait_log("this gateway has no TUNNEL_KEY any more")
        own.stop()
