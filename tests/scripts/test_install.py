"""install.sh of a release's archive, in a root directory with busybox, the programs and stand-ins for
the service managers. tests/packages has it in a Debian that is booted."""

import os
import pathlib
import shutil
import stat
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("PAMTUNNEL_BUILD") or ROOT / "build")
AGENTS = {"vps": "vps-agent", "gateway": "gateway-agent"}
FOLDERS = ["man", "systemd", "sysusers", "openrc", "openwrt", "logrotate", "bbr", "prometheus", "grafana"]
# What is called, by name: a line in /calls, and nothing else happens.
MANAGERS = {"systemd": ["systemctl"], "openrc": ["openrc-run", "rc-update", "rc-service"], "procd": [], "nothing": []}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="chroot needs root")


class Machine:
    """A root directory with a C library, busybox, the unpacked archive in /archive, a service manager."""

    def __init__(self, folder, manager):
        self.root = folder / "root"
        for path in ("bin", "usr/bin", "sbin", "usr/sbin", "etc", "tmp", "dev", "var/lib", "proc", "run"):
            (self.root / path).mkdir(parents=True)
        self.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
        self.write("etc/group", "root:x:0:\n")
        (self.root / "dev/null").touch()
        self._copy_with_libraries(shutil.which("busybox"), "bin/busybox")
        self._lay_archive()
        for applet in subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True).stdout.split():
            if not (self.root / "bin" / applet).exists():
                (self.root / "bin" / applet).symlink_to("busybox")
        if manager == "systemd":
            (self.root / "run/systemd/system").mkdir(parents=True)
        if manager == "procd":
            self.program("etc/rc.common", 'echo "$1 $2" >>/calls; [ "$2" != running ]')
        if manager == "openrc":             # as in Alpine; Debian's busybox has no such applets
            self.program("usr/sbin/addgroup", '[ "$*" = "-S pamtunnel" ] && echo pamtunnel:x:101: >>/etc/group')
            self.program("usr/sbin/adduser", '[ "$*" = "-S -D -H -h /var/lib/pamtunnel -s /sbin/nologin -G pamtunnel '
                         'pamtunnel" ] && echo pamtunnel:x:100:101:x:/var/lib/pamtunnel:/sbin/nologin >>/etc/passwd')
        for name in MANAGERS[manager]:
            self.answer(name, "status" if name == "rc-service" else "is-active", 3)

    def _copy_with_libraries(self, source, target):
        shutil.copy(source, self.root / target)
        libraries = subprocess.run(["ldd", source], capture_output=True, text=True).stdout.split()
        for library in (word for word in libraries if word.startswith("/")):
            (self.root / library[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, self.root / library[1:])

    def _lay_archive(self):
        archive = self.root / "archive"
        for name in FOLDERS:
            shutil.copytree(ROOT / "packaging" / name, archive / name)
        (archive / "bin").mkdir()
        (archive / "env").mkdir()
        for name in ("vps-agent", "gateway-agent", "pamctl"):
            self._copy_with_libraries(BUILD / name, f"archive/bin/{name}")
        for name in AGENTS.values():
            shutil.copy(ROOT / name / f"{name}.env.example", archive / "env")
        shutil.copy(ROOT / "vps-agent/policy.yaml.example", archive / "env")
        shutil.copy(ROOT / "packaging/install.sh", archive)
        for program in ("gateway-agent", "pamctl"):
            for name in (f"bash/{program}", f"zsh/_{program}", f"fish/{program}.fish"):
                self.write(f"archive/completions/{name}", f"# completion of {program}\n")

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def program(self, path, text):
        self.write(path, "#!/bin/sh\n" + text + "\n")
        (self.root / path).chmod(0o755)

    def answer(self, name, word, status):
        """A stand-in that notes how it was called; called with word, it ends with the status."""
        self.program(f"usr/bin/{name}", f'echo "{name} $*" >>/calls\ncase " $* " in *" {word} "*) exit {status} ;; esac')

    @property
    def calls(self):
        path = self.root / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def run(self, *arguments, user=0):
        return subprocess.run(["chroot", f"--userspec={user}:{user}", self.root, "/bin/sh", "/archive/install.sh", *arguments],
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)

    def installed(self, *arguments):
        done = self.run(*arguments)
        assert done.returncode == 0 and not done.stderr, done
        return done.stdout

    def files(self):
        """All that is not the machine's own: {path: mode}."""
        words = ("pamtunnel", "vps-agent", "gateway-agent", "pamctl")
        files = {str(path.relative_to(self.root)): path for path in self.root.rglob("*") if path.is_file()}
        return {name: stat.S_IMODE(path.stat().st_mode) for name, path in files.items()
                if any(word in name for word in words) and not name.startswith("archive/")}

    def owner(self, path):
        """user:group mode, by the names in there."""
        info = (self.root / path).stat()

        def name_of(file, number):
            lines = [line.split(":") for line in (self.root / file).read_text().splitlines()]
            return next(fields[0] for fields in lines if fields[2] == str(number))
        return f"{name_of('etc/passwd', info.st_uid)}:{name_of('etc/group', info.st_gid)} {stat.S_IMODE(info.st_mode):o}"


@pytest.fixture(params=MANAGERS)
def machine(request, tmp_path):
    machine = Machine(tmp_path, request.param)
    machine.manager = request.param
    return machine


@pytest.fixture
def openrc(tmp_path):
    return Machine(tmp_path, "openrc")


SERVICES = {"systemd": {"usr/lib/systemd/system/pamtunnel-gateway.service": 0o644, "usr/lib/sysusers.d/pamtunnel.conf": 0o644},
            "openrc": {"etc/init.d/pamtunnel-gateway": 0o755, "etc/logrotate.d/pamtunnel": 0o644},
            "procd": {"etc/init.d/pamtunnel-gateway": 0o755}, "nothing": {}}
ENABLED = {"systemd": "systemctl --quiet enable pamtunnel-gateway", "openrc": "rc-update --quiet add pamtunnel-gateway default",
           "procd": "/etc/init.d/pamtunnel-gateway enable"}


STATES = {"procd": "etc/pamtunnel/state"}


def test_everything_that_a_gateway_needs_is_put_in_its_place_and_taken_away_again(machine):
    said = machine.installed("gateway")
    assert "sudo gateway-agent --join -" in said and ("systemctl restart" in said) == (machine.manager == "systemd")
    expected = SERVICES[machine.manager] | {
        "usr/bin/gateway-agent": 0o755, "usr/share/man/man8/gateway-agent.8": 0o644,
        "usr/share/bash-completion/completions/gateway-agent": 0o644,
        "usr/local/share/zsh/site-functions/_gateway-agent": 0o644,
        "usr/share/fish/vendor_completions.d/gateway-agent.fish": 0o644, "etc/pamtunnel/gateway-agent.env": 0o640}
    if machine.manager != "procd":
        expected |= {f"usr/share/pamtunnel-gateway/bbr/{file}": 0o644
                     for file in ("sysctl.d/90-pamtunnel-bbr.conf", "modules-load.d/pamtunnel-bbr.conf")}
    assert machine.files() == expected
    assert machine.owner("etc/pamtunnel") == "root:pamtunnel 750"
    assert machine.owner("etc/pamtunnel/gateway-agent.env") == "root:pamtunnel 640"
    assert machine.owner("usr/bin/gateway-agent") == "root:root 755"
    assert machine.owner(STATES.get(machine.manager, "var/lib/pamtunnel-gateway")) == "pamtunnel:pamtunnel 700"
    if machine.manager != "nothing":
        assert ENABLED[machine.manager] in machine.calls
    assert not [call for call in machine.calls if call.endswith((" start", " restart"))], "it is started by its owner"

    said = machine.installed("gateway", "--uninstall")
    assert set(machine.files()) == {"etc/pamtunnel/gateway-agent.env"} and "still there" in said
    assert f"state in /{STATES.get(machine.manager, 'var/lib/pamtunnel-gateway')} " in said
    if machine.manager != "nothing":
        assert ENABLED[machine.manager].replace(" enable", " disable").replace(" add ", " delete ") in machine.calls


def test_the_key_of_a_gateway_outlives_a_reboot_where_var_is_in_memory(tmp_path):
    """Service, --doctor and whoever else reads the settings know the same place for it."""
    machine = Machine(tmp_path, "procd")
    machine.installed("gateway")
    settings = (machine.root / "etc/pamtunnel/gateway-agent.env").read_text()
    script = (machine.root / "etc/init.d/pamtunnel-gateway").read_text()
    assert "\nSTATE_DIR=/etc/pamtunnel/state\n" in settings
    assert "grep -q '^STATE_DIR='" in script and "STATE_FOLDER=${ENV_FILE%/*}/state" in script


def test_a_server_gets_pamctl_and_a_place_for_its_state(openrc):
    said = openrc.installed("vps")
    assert "sudo vps-agent --setup\n    sudo /etc/init.d/pamtunnel-vps restart\n" in said
    assert {"usr/bin/vps-agent", "usr/bin/pamctl", "usr/share/man/man8/vps-agent.8", "usr/share/man/man1/pamctl.1",
            "usr/share/bash-completion/completions/pamctl", "usr/local/share/zsh/site-functions/_pamctl",
            "usr/share/fish/vendor_completions.d/pamctl.fish"} <= set(openrc.files())
    completion = openrc.root / "usr/local/share/zsh/site-functions/_pamctl"
    assert completion.read_text() == "# completion of pamctl\n"
    assert openrc.owner("var/lib/pamtunnel") == "pamtunnel:pamtunnel 700"
    shared = {f"usr/share/pamtunnel-vps/{file}" for file in (
        "policy.yaml.example", "prometheus/pamtunnel.rules.yml", "grafana/pamtunnel.json")}
    assert shared <= set(openrc.files())    # as in the package, where docs/administration.md looks for them


def test_again_it_upgrades_and_leaves_settings_and_what_runs_alone(openrc):
    openrc.installed("vps")
    settings = openrc.root / "etc/pamtunnel/vps-agent.env"
    settings.write_text("VPS_HOST=vps.example\n")
    settings.chmod(0o600)
    (openrc.root / "var/lib/pamtunnel/state.db").write_text("state")
    (openrc.root / "usr/bin/vps-agent").write_text("an older one")
    before, passwd = settings.stat(), (openrc.root / "etc/passwd").read_text()
    openrc.answer("rc-service", "nothing", 0)   # it runs
    said = openrc.installed("vps")
    assert "keeps running" in said and "pamctl drain --wait" in said and "--setup" not in said
    assert settings.read_text() == "VPS_HOST=vps.example\n"
    assert (settings.stat().st_mode, settings.stat().st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
    assert (openrc.root / "etc/passwd").read_text() == passwd
    assert (openrc.root / "usr/bin/vps-agent").read_bytes() == (openrc.root / "archive/bin/vps-agent").read_bytes()
    assert not [call for call in openrc.calls if "restart" in call or "stop" in call]
    openrc.installed("vps", "--uninstall")
    assert settings.exists() and (openrc.root / "var/lib/pamtunnel/state.db").exists()


def test_what_both_agents_have_stays_for_the_other(openrc):
    openrc.installed("vps")
    openrc.installed("gateway")
    openrc.installed("gateway", "--uninstall")
    assert "etc/logrotate.d/pamtunnel" in openrc.files() and "usr/bin/vps-agent" in openrc.files()
    openrc.installed("vps", "--uninstall")
    assert "etc/logrotate.d/pamtunnel" not in openrc.files()


@pytest.mark.parametrize("arguments, status, what", [
    ((), 2, "say what this machine is"), (("vps", "gateway"), 2, "one after the other"),
    (("server",), 2, "unknown: server"), (("vps", "--purge"), 2, "unknown: --purge")])
def test_a_wrong_call_installs_nothing_and_says_how_to(openrc, arguments, status, what):
    done = openrc.run(*arguments)
    assert done.returncode == status and what in done.stderr and "install.sh vps " in done.stderr and not openrc.files()


def test_help_is_for_everybody_and_installing_for_root(openrc):
    done = openrc.run("--help", user=65534)
    assert done.returncode == 0 and "install.sh gateway" in done.stdout
    done = openrc.run("vps", user=65534)
    assert done.returncode == 1 and "root: sudo" in done.stderr and not openrc.files()


def test_where_the_package_is_installed_it_keeps_its_hands_off(openrc):
    openrc.write("var/lib/dpkg/info/pamtunnel-vps.list", "/usr/bin/vps-agent\n")
    for arguments in (("vps",), ("vps", "--uninstall")):
        done = openrc.run(*arguments)
        assert done.returncode == 1 and "package pamtunnel-vps" in done.stderr and "usr/bin/vps-agent" not in openrc.files()


def test_what_is_not_there_is_not_said_to_be_removed(openrc):
    openrc.installed("vps")
    done = openrc.run("gateway", "--uninstall")
    assert done.returncode == 1 and "gateway-agent is not installed here" in done.stderr
    assert "usr/bin/vps-agent" in openrc.files()


def test_an_archive_for_another_machine_is_told_before_anything_is_installed(openrc):
    openrc.write("archive/bin/vps-agent", "\x7fELF of another processor")
    done = openrc.run("vps")
    assert done.returncode == 1 and "take the archive for" in done.stderr and "usr/bin/pamctl" not in openrc.files()


def test_a_log_is_rotated_in_place(tmp_path):
    """copytruncate: the supervisor goes on writing to the file that it has open."""
    log = tmp_path / "pamtunnel-vps.log"
    with open(log, "a") as supervisor:
        supervisor.write("before\n" * 100)
        supervisor.flush()
        text = (ROOT / "packaging/logrotate/pamtunnel").read_text().replace("/var/log/", f"{tmp_path}/")
        (tmp_path / "conf").write_text(text)
        subprocess.run([shutil.which("logrotate") or "/usr/sbin/logrotate", "--force", "--state", tmp_path / "state",
                        tmp_path / "conf"], check=True)
        supervisor.write("after\n")
    assert log.read_text() == "after\n"
    assert (tmp_path / "pamtunnel-vps.log.1.gz").exists()
