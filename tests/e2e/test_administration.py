"""docs/administration.md: what it tells people to type exists, what it shows is what they see, and its
path from nothing to a restored backup can be walked."""

import os
import re
import shlex
import shutil

import peers
import pytest
import qr
from agents import OWNER, World, port_of, run
from phone import Phone
from terminal import Terminal
from util import REPOSITORY, TIME_SCALE, eventually

GUIDE = (REPOSITORY / "docs" / "administration.md").read_text()
PROGRAMS = ("vps-agent", "gateway-agent", "pamctl")
ANNA, BERT, CARLA = OWNER, 43, 777
PATIENCE = 15 * TIME_SCALE
WHY = "kernel update"


def blocks(language=""):
    return [text for named, text in re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE, re.M | re.S) if named == language]


def typed():
    """Each command of ours that the guide has, in a block or in a line, as words."""
    lines = [line for block in blocks() for line in block.splitlines()] + re.findall(r"(?<!`)`([^`\n]+)`(?!`)", GUIDE)
    for line in lines:
        for part in re.split(r" && | \| ", line.removeprefix("$ ")):
            words = shlex.split(part) if re.match(r"(sudo|[a-z-]+) ", part) and re.search("|".join(PROGRAMS), part) else []
            while words and (words[0] == "sudo" or re.fullmatch("[A-Z_]+=.*", words[0])):
                words = words[1:]
            if words and words[0] in PROGRAMS:
                yield words


# ---------------------------------------------------------------- what it says

def test_every_command_and_option_exists():
    found = list(typed())
    assert len(found) > 40 and {words[0] for words in found} == set(PROGRAMS)
    commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?) ", run("pamctl", "--help").stdout, re.M)
    for program, *words in found:
        asked = [program, "--help"]
        if program == "pamctl" and words:
            name = next((n for n in (" ".join(words[:2]), words[0]) if n in commands), None)
            assert name, words
            asked[1:1] = name.split()
            plain = len([w for w in words if not w.startswith("-")]) - len(name.split())
            assert plain or not re.search(r"Usage: pamctl \S+(?: [a-z]+)? [A-Z]", run(*asked).stdout) or words == [name], words
        text = run(*asked).stdout
        assert not [w for w in words if w.startswith("--") and not re.search(rf"{w}\b", text)], (program, words)


def test_every_setting_exists():
    known = {name for agent in ("vps-agent", "gateway-agent")
             for name in re.findall(r"^  ([A-Z_]+) ", run(agent, "--help").stdout, re.M)}
    named = set(re.findall(r"\b(?!CAP_)([A-Z]{2,}(?:_[A-Z]+)+)\b", GUIDE))   # but for what the kernel calls so
    assert {"POLICY_FILE", "AUDIT_DAYS", "AUDIT_FULL", "STATE_DIR"} <= named <= known


def test_its_policy_decides_as_it_says(folder):
    path, env = folder / "policy.yaml", {"POLICY_FILE": folder / "policy.yaml", "VPS_HOST": "vps.example.org",
                                         "TELEGRAM_TOKEN": "123456:ABC-DEF"}
    path.write_text(blocks("yaml")[0])
    path.chmod(0o600)
    assert run("vps-agent", "--check", env=env).returncode == 0
    (shown,) = [block for block in blocks() if "--explain" in block]
    asked = re.findall(r"^\$ sudo vps-agent (--explain .*)\n((?:(?!\$).*\n)+)", shown, re.M)
    assert len(asked) == 3
    for question, answer in asked:
        said = run("vps-agent", *shlex.split(question), env=env)
        assert said.stdout.replace(str(path), "/etc/pamtunnel/policy.yaml") == answer
        assert said.returncode == ("refused" in answer)


# ---------------------------------------------------------------- the path

class Site(World):
    def __init__(self):
        super().__init__(vps={"TUNNEL_KEY": None}, gateways=(), env_files=True)

    def say(self, user, text, words="", **more):
        since = self.api.mark()
        self.api.say(user, text, **more)
        return self.api.wait_message(lambda m: m.says(words), PATIENCE, since, user)

    def card(self, user, button, since=0):
        return self.api.wait_message(lambda m: m.button(button), PATIENCE, since, user)

    def press(self, user, message, button):
        return self.api.wait_answer(self.api.tap(user, message, button))["text"]

    def done(self, *args, **options):
        """What a command of the guide prints."""
        result = self.pamctl(*args, **options)
        assert result.returncode == 0, result
        return result.stdout

    def join(self, name):
        """A site whose person compares the codes on a terminal."""
        gateway = self.add_gateway(name, start=False, TUNNEL_KEY=None, STATE_DIR=self.folder / name)
        where = f"{gateway.settings['VPS_HOST']}:{self.control_port}"
        since = self.api.mark()
        with Terminal("gateway-agent", "--join", where, "--env-file", gateway.env_file, env={"GATEWAY_NAME": name}) as screen:
            code = screen.wait(r" (\d{3} \d{3})\n")[1]
            card = self.card(ANNA, f"It shows {code}: let in", since)
            self.press(ANNA, card, "let in")
            screen.answer(r"Was it you.*: ?", "y")
            assert screen.end()[0] == 0
        return self.settled(gateway)

    def settled(self, gateway):
        written = dict(line.split("=", 1) for line in gateway.env_file.read_text().splitlines())
        gateway.settings |= written
        gateway.start()
        self.ready([written["GATEWAY_NAME"]])
        return gateway

    def enrol(self, name):
        with Terminal("pamctl", "totp", name, env={"STATE_DIR": self.state_dir, "LC_ALL": "C.UTF-8"}) as screen:
            screen.wait("The six digits that the app shows")
            phone = Phone(qr.read(screen.text))
            screen.type(phone.code())
            assert screen.end()[0] == 0
        return phone

    def listed(self):
        """What has to outlive a restore."""
        gateways = {g["name"]: g["key"] for g in self.pamctl.json("gateway", "list")["gateways"]}
        return gateways, re.findall(r"^(\w+) +(\S+)", self.done("user", "list"), re.M), self.done("totp", "list")


@pytest.fixture
def target():
    with peers.Recorder(reply=peers.echo, host="0.0.0.0") as recorder:     # at each address of 127/8
        yield recorder


def policy_of(target):
    """The guide's, with people and machines that are here, and at any hour."""
    text = blocks("yaml")[0]
    for old, new in {"123456789, uid: 0": f"{ANNA}, uid: {os.getuid()}", "234567890": str(BERT), "192.168.1.22": "127.0.0.1",
                     "192.168.1.30": "127.0.0.2", "10.20.0.5": "127.0.0.3", "ssh: 22": f"ssh: {target.port}",
                     "mon-fri 08:00-18:00": "mon-sun 00:00-24:00", "2027-03-31": "2099-03-31"}.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def in_force(world, target):
    path = world.folder / "policy.yaml"
    path.write_text(policy_of(target))
    path.chmod(0o600)
    world.vps.write_settings(POLICY_FILE=path)
    assert "POLICY_FILE" in world.done("reload")
    return path


def let_carla_in(world):
    link = world.done("user", "invite", "carla").splitlines()[0]
    since = world.api.mark()
    world.say(CARLA, f"/start {link.partition('start=')[2]}", "I have asked")
    assert world.press(ANNA, world.card(ANNA, "Let in", since), "Let in") == "Let in."
    world.api.wait_message("You are in", PATIENCE, since, CARLA)


def a_day(world, phone):
    """A request, a code, an approval, a client, and the number and hash below the last message."""
    since = world.api.mark()
    card = world.say(CARLA, f"/ssh vault why: {WHY}", "six digits")
    world.api.say(CARLA, phone.code())
    question = world.card(BERT, "Approve", since)
    assert question.says("carla asks for SSH to vault", WHY, "for at most 4 h")
    assert world.done("approvals").splitlines()[1].strip() == f"why: {WHY}"
    assert world.press(BERT, question, "Approve") == "You approved it."
    world.api.wait(lambda: card.code and card.code[0].startswith("ssh "), PATIENCE, "the ssh command")
    with peers.dial(port_of(card.code[0])) as client:
        client.sendall(peers.BANNER)
        world.press(CARLA, world.card(CARLA, "Admit", since), "Admit")
        assert client.recv(100)
        assert "vault" in world.say(ANNA, "/sessions", "carla").text or world.newest_session()["owner"] == f"telegram:{CARLA}"
        world.done("close", world.newest_session()["id"])
    world.api.wait(lambda: card.says("has ended", "Audit #"), PATIENCE, "the end")
    return re.search(r"Audit #(\d+) ([0-9a-f]{32})", card.text).groups()


def rotate(world, gateway, name):
    string = next(line for line in world.done("gateway", "rotate", name).splitlines() if line.startswith("pamtunnel"))
    with Terminal("gateway-agent", "--join", "-", "--env-file", gateway.env_file) as screen:
        screen.answer("Join string.*: ", string)
        screen.answer(r"Is it this machine\?.*: ?", "y")
        assert screen.end()[0] == 0
    gateway.settings |= dict(line.split("=", 1) for line in gateway.env_file.read_text().splitlines())
    gateway.reload()
    eventually(lambda: "join string" not in world.done("gateway", "list"), "the new key is in use")


def test_the_way_from_nothing_to_a_restored_backup(target):
    with Site() as world:
        world.say(ANNA, "/start", "I connect you")
        world.join("office")
        assert "are heard for 10 min" in world.done("gateway", "pair")
        plant = world.join("plant")
        path = in_force(world, target)
        world.say(BERT, "/start", "I connect you")
        nobody = world.pamctl("audit", "--user", "carla")
        assert nobody.returncode == 2 and "carla has no account at the moment" in nobody.stderr, "which is not everybody"
        let_carla_in(world)
        phones = {name: world.enrol(name) for name in ("anna", "carla")}
        anchor = a_day(world, phones["carla"])
        rotate(world, plant, "plant")
        world.done("panic")
        assert "locked" in world.pamctl("ssh", "press").stderr
        world.done("unlock")
        audit = world.done("audit", "--user", "carla", "--since", "1h")
        assert WHY in audit and "people.let_in" in audit and "gateway.paired" not in audit
        assert f"#{anchor[0]} is the record that was noted" in world.done("audit", "verify", *anchor)

        before, backup = world.listed(), world.folder / "state.db"
        world.done("backup", backup, "--force")
        # carla leaves, in the order of the guide, and what she had is gone
        path.write_text(re.sub("(?m)^  carla: .*\n", "", path.read_text()))
        world.done("reload")
        world.done("user", "remove", "carla")
        world.done("totp", "remove", "carla")
        world.done("gateway", "remove", "plant")
        plant.wait_log("does not accept")
        path.write_text(policy_of(target))

        # another server with the same name, settings and policy
        world.vps.stop()
        world.state_dir = world.folder / "new"
        world.state_dir.mkdir(mode=0o700)
        shutil.copy(backup, world.state_dir / "state.db")
        world.vps.write_settings(STATE_DIR=world.state_dir)
        world.pamctl.state_dir = world.state_dir
        world.vps.start()
        world.ready(["office", "plant"], timeout=40)
        assert world.listed() == before, "also what was removed since"
        assert f"#{anchor[0]} is the record that was noted" in world.done("audit", "verify", *anchor)
        a_day(world, phones["carla"])
        world.vps.take_baseline()
