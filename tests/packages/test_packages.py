"""The Debian packages in dist/, for all three architectures: what is in them, and what becomes of
a machine, and of its settings, when they are installed, upgraded, removed and purged.
"""

import contextlib
import hashlib
import os
import re
import secrets
import subprocess

import agents
import botapi
import peers
import pytest
import sshd as openssh
import util
from agents import LOOPBACK_TARGETS, OWNER, World, port_of
from debian import Debian
from peers import BANNER, dial
from util import eventually

DIST = util.REPOSITORY / "dist"
# Debian's name, the ELF header's, the C library's triplet, qemu's
ARCHITECTURES = {
    "amd64": ("Advanced Micro Devices X86-64", "x86_64-linux-gnu", None),
    "arm64": ("AArch64", "aarch64-linux-gnu", "qemu-aarch64"),
    "armhf": ("ARM", "arm-linux-gnueabihf", "qemu-arm"),
}
AGENTS = {"vps": "vps-agent", "gateway": "gateway-agent"}
PROGRAMS = {"vps": ["vps-agent", "pamctl"], "gateway": ["gateway-agent"]}
COMPLETIONS = ["usr/share/bash-completion/completions/{}", "usr/share/zsh/vendor-completions/_{}",
               "usr/share/fish/vendor_completions.d/{}.fish"]
NAMES = [f"pamtunnel-{agent}" for agent in AGENTS]
SECRET = "0123456789abcdef" * 4


def output(*argv):
    return subprocess.run(list(map(str, argv)), check=True, capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C"}).stdout


def package(agent, architecture):
    (found,) = DIST.glob(f"pamtunnel-{agent}_*_{architecture}.deb")
    return found


def packages(architecture):
    return [package(agent, architecture) for agent in AGENTS]


def fields(deb):
    control = re.sub(r"\n ", " ", output("dpkg-deb", "-f", deb))
    return dict(line.split(": ", 1) for line in control.splitlines())


def next_version(deb, folder):
    """The same package as a later version."""
    tree = folder / deb.stem
    subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
    control = tree / "DEBIAN/control"
    version = re.search(r"^Version: (.*)$", control.read_text(), re.M)[1]
    control.write_text(control.read_text().replace(f"Version: {version}\n",
                                                   f"Version: {version}+next\n"))
    result = folder / f"{deb.stem}-next.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, result], check=True,
                   stdout=subprocess.DEVNULL)
    return result


# ---------------------------------------------------------------- what they are

def test_lintian_finds_nothing():
    debs = [deb for architecture in ARCHITECTURES for deb in packages(architecture)]
    # In two megabytes of code and tables some bytes always spell a word that is almost another one.
    result = subprocess.run(["lintian", "--allow-root", "--no-tag-display-limit",
                             "--suppress-tags", "spelling-error-in-binary",
                             "--display-info", "--pedantic", *debs],
                            capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, ""), result.stdout + result.stderr


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_packaging_again_gives_the_same_bytes(architecture, tmp_path):
    before = {deb: hashlib.sha256(deb.read_bytes()).hexdigest() for deb in packages(architecture)}
    subprocess.run([util.REPOSITORY / "scripts/package", architecture], check=True,
                   capture_output=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert before == {deb: hashlib.sha256(deb.read_bytes()).hexdigest()
                      for deb in packages(architecture)}


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_package_says_what_it_needs_and_holds_what_it_should(agent, architecture, tmp_path):
    deb = package(agent, architecture)
    found = fields(deb)
    assert found["Architecture"] == architecture
    assert re.fullmatch(r"adduser, libc6 \(>= 2\.3\d\)", found["Depends"])
    assert "mbedtls (= " in found["Static-Built-Using"]
    assert ("curl (= " in found["Static-Built-Using"]) == (agent == "vps")

    subprocess.run(["dpkg-deb", "-x", deb, tmp_path], check=True)
    files = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    name = f"pamtunnel-{agent}"
    manuals = {"vps": ["man8/vps-agent.8.gz", "man1/pamctl.1.gz"],
               "gateway": ["man8/gateway-agent.8.gz"]}[agent]
    assert files >= {f"usr/bin/{program}" for program in PROGRAMS[agent]} | {
        f"usr/share/man/{page}" for page in manuals} | {
        f"lib/systemd/system/{name}.service", f"usr/share/doc/{name}/copyright",
        f"usr/share/doc/{name}/changelog.gz", f"usr/share/doc/{name}/libraries/mbedtls.copyright",
        f"usr/share/{name}/{AGENTS[agent]}.env.example",
        f"usr/share/{name}/bbr/sysctl.d/90-pamtunnel-bbr.conf", f"usr/share/{name}/bbr/modules-load.d/pamtunnel-bbr.conf"}
    watching = {f"usr/share/{name}/prometheus/pamtunnel.rules.yml", f"usr/share/{name}/grafana/pamtunnel.json"}
    assert files & watching == (watching if agent == "vps" else set())
    assert not [f for f in files if f.startswith(("etc/sysctl.d", "usr/lib/sysctl.d", "usr/lib/modules-load.d"))], "off"
    assert files >= {path.format(program) for program in PROGRAMS[agent] for path in COMPLETIONS}
    assert not [f for f in files if f.startswith(("etc/pamtunnel", "var"))], "no secrets' place"
    for program in PROGRAMS[agent]:
        header = output("readelf", "-hd", tmp_path / "usr/bin" / program)
        assert f"Machine:                           {ARCHITECTURES[architecture][0]}\n" in header
        needed = set(re.findall(r"NEEDED.*\[(.*?)\.so", header))
        assert needed <= {"libc", "ld-linux-aarch64", "ld-linux-armhf", "libm", "libgcc_s"}, needed


# ---------------------------------------------------------------- on a machine

def settings_file(debian, agent):
    return debian.file(f"/etc/pamtunnel/{AGENTS[agent]}.env")


def owner_and_mode(debian, path):
    return debian.run("stat", "-c", "%U:%G %a", path).stdout.strip()


def edit(debian, agent):
    """As an administrator does; what it is now: (bytes, inode, owner, mode, time)."""
    path = settings_file(debian, agent)
    path.write_text(re.sub("^#?TUNNEL_KEY=$", f"TUNNEL_KEY={SECRET}", path.read_text(), flags=re.M)
                    + "# and a remark, without a newline at the end")
    return content(debian, agent)


def content(debian, agent):
    path = settings_file(debian, agent)
    info = path.stat()
    return path.read_bytes(), info.st_ino, info.st_uid, info.st_gid, info.st_mode, info.st_mtime_ns


@pytest.fixture(params=ARCHITECTURES)
def architecture(request):
    return request.param


def test_settings_survive_everything_but_a_purge(architecture, tmp_path):
    with Debian() as debian:
        said = debian.dpkg("-i", *packages(architecture))
        assert "/etc/pamtunnel/vps-agent.env" in said and "systemctl start pamtunnel-vps" in said
        assert debian.run("id", "-nG", "pamtunnel").stdout.split() == ["pamtunnel"]
        assert debian.run("getent", "passwd", "pamtunnel").stdout.strip().endswith("nologin")
        assert owner_and_mode(debian, "/etc/pamtunnel") == "root:pamtunnel 750"
        for state in ("/var/lib/pamtunnel", "/var/lib/pamtunnel-gateway"):
            assert owner_and_mode(debian, state) == "pamtunnel:pamtunnel 700"
        wants = debian.file("/etc/systemd/system/multi-user.target.wants")
        for agent, name in zip(AGENTS, NAMES):
            example = util.REPOSITORY / f"{AGENTS[agent]}/{AGENTS[agent]}.env.example"
            assert settings_file(debian, agent).read_bytes() == example.read_bytes()
            assert owner_and_mode(debian, f"/etc/pamtunnel/{AGENTS[agent]}.env") == \
                "root:pamtunnel 640"
            assert os.path.islink(wants / f"{name}.service"), "enabled"

        edited = {agent: edit(debian, agent) for agent in AGENTS}
        debian.dpkg("-i", *[next_version(deb, tmp_path) for deb in packages(architecture)])
        assert "+next" in debian.run("dpkg-query", "-W", "pamtunnel-vps").stdout
        assert {agent: content(debian, agent) for agent in AGENTS} == edited
        debian.dpkg("-r", *NAMES)
        assert {agent: content(debian, agent) for agent in AGENTS} == edited
        assert not debian.file("/usr/bin/vps-agent").exists()
        said = debian.dpkg("-i", *packages(architecture))
        assert {agent: content(debian, agent) for agent in AGENTS} == edited
        assert "fill in" not in said

        debian.file("/var/lib/pamtunnel/telegram.offset").write_text("1\n")
        debian.dpkg("-P", "pamtunnel-gateway")
        assert not debian.file("/var/lib/pamtunnel-gateway").exists()
        assert not settings_file(debian, "gateway").exists()
        assert content(debian, "vps") == edited["vps"], "the other package's"
        assert debian.file("/var/lib/pamtunnel/telegram.offset").exists()
        debian.dpkg("-P", "pamtunnel-vps")
        left = debian.run("find", "/etc", "/var/lib", "/usr", "/lib/systemd", "-name", "*pamtunnel*",
                          "-not", "-path", "/var/lib/dpkg/*").stdout
        assert left == "", "nothing is left but the user"


def test_settings_that_were_there_before_the_package_stay():
    """Somebody ran vps-agent by hand first, as the README says."""
    with Debian() as debian:
        debian.run("useradd", "--system", "--home-dir", "/var/lib/pamtunnel", "pamtunnel")
        debian.file("/etc/pamtunnel").mkdir(mode=0o755)
        path = settings_file(debian, "gateway")
        path.write_text("VPS_HOST=192.0.2.1\n")
        before = content(debian, "gateway")
        debian.dpkg("-i", package("gateway", "amd64"))
        assert content(debian, "gateway") == before


def test_a_whole_session_through_the_installed_programs(architecture, tmp_path, monkeypatch):
    """Those of other architectures run under qemu-user, with the C library that is installed."""
    _, _, qemu = ARCHITECTURES[architecture]
    with Debian() as debian:
        debian.dpkg("-i", *packages(architecture))
        for program in ["vps-agent", "gateway-agent", "pamctl"]:
            runner = [qemu, "-L", str(debian.root)] if qemu else []
            script = tmp_path / program
            script.write_text(f'#!/bin/sh\nexec {" ".join(runner)} {debian.root}/usr/bin/{program} "$@"\n')
            script.chmod(0o755)
        monkeypatch.setattr(agents, "BUILD", tmp_path)
        version = output(util.REPOSITORY / "scripts/version").strip()
        assert version in agents.run("vps-agent", "--version").stdout
        with openssh.Sshd() as sshd, World(vps={"ADMIT": "auto"}) as world:
            line = world.ssh(f"{openssh.USER}@{sshd.name}").code[0]
            sent = os.urandom(3_000_000)
            result = subprocess.run(
                [*openssh.with_config(line, sshd.client_config("127.0.0.1")), "cat"], input=sent,
                capture_output=True, timeout=60 * util.TIME_SCALE)
            assert result.returncode == 0, result.stderr
            assert result.stdout == sent


# ---------------------------------------------------------------- with systemd

class Services(contextlib.ExitStack):
    """Both packages in a Debian that is booted, set up to work together on loopback, with a bot."""

    ssh = World.ssh     # through the bot

    def __init__(self):
        super().__init__()
        self.token = f"{secrets.randbelow(10**9) + 10**9}:{secrets.token_urlsafe(26)}"

    def __enter__(self):
        super().__enter__()
        with contextlib.ExitStack() as undo:
            self.debian = undo.enter_context(Debian(boot=True))
            self._install()
            self.api = undo.enter_context(botapi.BotApi(self.token))
            self._fill_in()
            self.push(undo.pop_all())
        return self

    def _install(self):
        self.debian.dpkg("-i", *packages("amd64"))

    def _fill_in(self):
        ports = util.free_range(61)
        shared = {"VPS_HOST": "127.0.0.1", "TUNNEL_KEY": secrets.token_hex(32),
                  "CONTROL_PORT": ports}
        self._append("vps", shared | {
            "TELEGRAM_TOKEN": self.token, "ALLOWED_USERS": OWNER, "ADMIT": "auto", "RECONNECT_GRACE": 1,
            "TELEGRAM_API_URL": self.api.url, "PORT_RANGE_START": ports + 1,
            "PORT_RANGE_END": ports + 60})
        self._append("gateway", shared | {"ALLOWED_TARGETS": LOOPBACK_TARGETS})

    def _append(self, agent, values):
        """In the place of the empty lines of the example."""
        path = settings_file(self.debian, agent)
        text = path.read_text()
        for name, value in values.items():
            text = re.sub(rf"^#?{name}=.*$", f"{name}={value}", text, flags=re.M)
        path.write_text(text)

    def start(self):
        self.debian.run("systemctl", "start", *NAMES)
        self.api.wait_polling()
        self.wait_healthy("gateway", "connected to the VPS")
        self.wait_healthy("vps", "1 gateway")
        self.api.wait(lambda: self.api.commands is not None, 10, "setMyCommands")

    def health(self, agent):
        return self.debian.run(AGENTS[agent], "--env-file", f"/etc/pamtunnel/{AGENTS[agent]}.env",
                               "--health", check=False).stdout

    def wait_healthy(self, agent, text):
        eventually(lambda: "healthy: " in self.health(agent) and text in self.health(agent),
                   f"{agent}: {text}", 15, interval=0.1)

    def pids(self):
        return [self.debian.unit(name, "MainPID")[0] for name in NAMES]

    def states(self):
        return [self.debian.unit(name, "ActiveState")[0] for name in NAMES]


def test_units_are_enabled_but_start_when_somebody_has_set_them_up():
    with Services() as services:
        for name in NAMES:
            assert services.debian.unit(name, "UnitFileState", "ActiveState") == \
                ["enabled", "inactive"]
        services.start()    # Type=notify: it says itself when it is at work
        assert services.states() == ["active", "active"]
        reload_both(services)


def reload_both(services):
    """It works with settings that are right, and fails, and changes nothing, with others."""
    pids = services.pids()
    for agent, name in zip(AGENTS, NAMES):
        path = settings_file(services.debian, agent)
        right = path.read_text()
        path.write_text(right + "LOG_LEVEL=debug\n")
        services.debian.run("systemctl", "reload", name)
        eventually(lambda: "LOG_LEVEL: info → debug" in journal(services, name), "it has read them")
        path.write_text(right + "LOG_LEVEL=loud\n")
        assert services.debian.run("systemctl", "reload", name, check=False).returncode != 0
        assert 'LOG_LEVEL is "loud"' in journal(services, name)
        path.write_text(right)
    assert services.pids() == pids and services.states() == ["active", "active"]


def journal(services, name):
    return services.debian.run("journalctl", "--no-pager", "-u", name).stdout


def test_a_start_with_the_settings_unfilled_fails_and_says_which():
    with Debian(boot=True) as debian:
        debian.dpkg("-i", *packages("amd64"))
        for name, setting in zip(NAMES, ["TELEGRAM_TOKEN", "VPS_HOST"]):
            assert debian.run("systemctl", "start", name, check=False).returncode != 0
            assert debian.unit(name, "ActiveState", "ExecMainStatus") == ["failed", "2"]
            assert setting in debian.run("journalctl", "--no-pager", "-u", name).stdout


def test_an_upgrade_restarts_an_idle_service_and_never_one_with_sessions(tmp_path):
    with peers.Recorder() as target, Services() as services:
        services.start()
        first = services.pids()
        newer = [next_version(deb, tmp_path) for deb in packages("amd64")]

        message = services.ssh(target.name)
        client = dial(port_of(message.code[0]))
        client.sendall(BANNER)
        at_target = target.wait_client(1)
        services.wait_healthy("gateway", "1 tunnel")
        said = services.debian.dpkg("-i", *newer)
        assert services.pids() == first, said
        for name in NAMES:
            assert re.search(rf"{name}: .*keeps running", said), said
            assert f"systemctl restart {name}" in said
        client.sendall(b"still here")
        eventually(lambda: b"still here" in at_target.data, "the session goes on")
        util.reset(client)
        services.wait_healthy("vps", "0 sessions")
        services.wait_healthy("gateway", "0 tunnels")

        said = services.debian.dpkg("-i", *packages("amd64"))     # back again
        second = services.pids()
        assert not set(first) & set(second) and "keeps running" not in said, said
        assert services.states() == ["active", "active"]


def test_a_removed_package_leaves_nothing_running():
    with Services() as services:
        services.start()
        pids = services.pids()
        for pid in pids:
            services.debian.run("test", "-e", f"/proc/{pid}")
        services.debian.dpkg("-r", *NAMES)
        for pid in pids:
            assert services.debian.run("test", "-e", f"/proc/{pid}", check=False).returncode == 1
        services.debian.dpkg("-P", *NAMES)
        assert not services.debian.file("/etc/pamtunnel").exists()


# ---------------------------------------------------------------- the archive, by its script

class Unpacked(Services):
    """The same of an archive, as somebody does it who has no package manager for it."""

    def _install(self):
        name = f"pamtunnel-{output(util.REPOSITORY / 'scripts/version').strip()}-x86_64-unknown-linux-gnu"
        archive = DIST / f"{name}.tar.gz"
        if not archive.exists():
            pytest.skip("scripts/release makes the archive")
        subprocess.run(["tar", "-C", self.debian.file("/root"), "-xzf", archive], check=True)
        self.script = f"/root/{name}/install.sh"
        self.said = "".join(self.debian.run(self.script, agent).stdout for agent in AGENTS)


def test_an_archive_installs_itself_as_a_service_and_goes_again():
    with Unpacked() as services:
        debian = services.debian
        assert "vps-agent --setup" in services.said and "gateway-agent --join HOST" in services.said
        for agent, name in zip(AGENTS, NAMES):
            assert debian.unit(name, "UnitFileState", "ActiveState") == ["enabled", "inactive"]
            assert owner_and_mode(debian, f"/etc/pamtunnel/{AGENTS[agent]}.env") == "root:pamtunnel 640"
        assert owner_and_mode(debian, "/etc/pamtunnel") == "root:pamtunnel 750"
        services.start()
        pids, before = services.pids(), {agent: content(debian, agent) for agent in AGENTS}

        said = debian.run(services.script, "vps").stdout
        assert "keeps running" in said and "systemctl restart pamtunnel-vps" in said
        assert services.pids() == pids and {agent: content(debian, agent) for agent in AGENTS} == before

        for agent in AGENTS:
            debian.run(services.script, agent, "--uninstall")
        for pid in pids:
            assert debian.run("test", "-e", f"/proc/{pid}", check=False).returncode == 1
        assert {agent: content(debian, agent) for agent in AGENTS} == before
        left = debian.run("find", "/etc/systemd", "/usr", "-name", "*pamtunnel*", "-not", "-path", "/usr/share/doc/*").stdout
        assert left == ""


def test_an_archive_leaves_a_package_alone():
    with Unpacked() as services:
        services.debian.run(services.script, "vps", "--uninstall")
        services.debian.dpkg("-i", package("vps", "amd64"))
        result = services.debian.run(services.script, "vps", check=False)
        assert result.returncode == 1 and "package pamtunnel-vps" in result.stdout
