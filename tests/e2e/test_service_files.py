"""What is installed beside the programs: env files, man pages, service files. Nothing here
is started as a service; what can be asked without a service manager is asked."""

import os
import re
import shutil
import subprocess

import pytest
from agents import environment, program, run
from util import REPOSITORY

PACKAGING = REPOSITORY / "packaging"
AGENTS = {"vps": "vps-agent", "gateway": "gateway-agent"}
EXPOSURE_MAX = 1.5
REQUIRED = {"vps-agent": {"TELEGRAM_TOKEN": "123456:ABC-DEF", "ALLOWED_USERS": "42", "VPS_HOST": "vps.example",
                          "TUNNEL_KEY": "ab" * 32},
            "gateway-agent": {"VPS_HOST": "vps.example"}}


def tool(name):
    path = shutil.which(name) or pytest.fail(f"{name} is missing: scripts/bootstrap installs it")
    return path


def settings_in_help(agent):
    """{name: (default or None, required)}"""
    text = run(agent, "--help").stdout.partition("\nSettings")[2]
    text = re.sub(r"(?<=;)\n {25}", "", text).replace("\n" + 25 * " ", " ")    # what was wrapped
    found = {}
    for name, rest in re.findall(r"^  ([A-Z_]+) +(.*)$", text, re.M):
        default = re.search(r"\(default: (.*)\)$", rest)
        found[name] = (default and default[1], rest.endswith("(required)"))
    assert len(found) > 5, text
    return found


def example(agent):
    return REPOSITORY / agent / f"{agent}.env.example"


def lines_of_example(agent):
    """{name: (value, commented out)}"""
    text = example(agent).read_text()
    lines = re.findall(r"^(#?)([A-Z_]+)=(.*)$", text, re.M)
    assert len({name for _, name, _ in lines}) == len(lines), "no setting stands there twice"
    return {name: (value, bool(mark)) for mark, name, value in lines}


# ---------------------------------------------------------------- env files

@pytest.mark.parametrize("agent", AGENTS.values())
def test_the_env_file_has_every_setting_with_its_default(agent):
    known, lines = settings_in_help(agent), lines_of_example(agent)
    assert set(lines) == set(known)
    for name, (default, required) in known.items():
        value, commented = lines[name]
        assert commented != required, f"{name}: what has to be filled in is not commented out, all else is"
        assert not required or not value
        if default:
            assert value == default, name


@pytest.mark.parametrize("agent", AGENTS.values())
def test_the_env_file_names_what_is_not_filled_in_and_is_complete_with_that(agent, folder):
    result = run(agent, "--check", "--env-file", example(agent))
    assert result.returncode == 2 and next(iter(REQUIRED[agent])) in result.stderr
    text = example(agent).read_text()
    for name, value in REQUIRED[agent].items():
        text = text.replace(f"\n{name}=\n", f"\n{name}={value}\n")
    (folder / "filled.env").write_text(text)
    assert run(agent, "--check", "--env-file", folder / "filled.env").returncode == 0
    # with every default written out, too
    (folder / "filled.env").write_text(re.sub(r"^#(?=[A-Z_]+=)", "", text, flags=re.M))
    result = run(agent, "--check", "--env-file", folder / "filled.env")
    assert result.returncode == 0, result.stderr


# ---------------------------------------------------------------- man pages

PAGES = {"vps-agent": "vps-agent.8", "gateway-agent": "gateway-agent.8", "pamctl": "pamctl.1"}


def text_of(page):
    text = subprocess.run([tool("mandoc"), "-Tascii", PACKAGING / "man" / page], capture_output=True, text=True,
                          check=True).stdout
    return re.sub(".\b", "", text)


@pytest.mark.parametrize("page", PAGES.values())
def test_mandoc_has_nothing_to_say_of_a_man_page(page):
    result = subprocess.run([tool("mandoc"), "-Tlint", "-Wstyle", PACKAGING / "man" / page], capture_output=True, text=True)
    # Whether other pages are installed is a matter of the machine.
    lines = [line for line in (result.stdout + result.stderr).splitlines()
             if "referenced manual not found" not in line and "mandoc.db" not in line]
    assert not lines


@pytest.mark.parametrize("name", PAGES)
def test_a_man_page_has_every_option_of_its_program(name):
    options = set(re.findall(r"^  (--[a-z-]+)", run(name, "--help").stdout, re.M))
    assert "--version" in options
    page = text_of(PAGES[name])
    # pages that set a double hyphen as one are wrong, too
    assert not {option for option in options if not re.search(rf"(?<![\w-]){option}(?![\w-])", page)}


@pytest.mark.parametrize("name", AGENTS.values())
def test_a_man_page_has_every_setting_with_its_default(name):
    page = text_of(PAGES[name])
    for setting, (default, _) in settings_in_help(name).items():
        assert re.search(rf"\b{setting}\b", page), setting
        if default and len(default) < 20 and not default.startswith("http"):
            paragraph = page[re.search(rf"^ +(\w+, )?{setting}\b", page, re.M).start():]
            assert default in paragraph[:700], setting


def test_the_man_page_has_every_command_of_pamctl():
    page = text_of("pamctl.1")
    commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?) ", run("pamctl", "--help").stdout, re.M)
    assert {"ssh", "rdp", "status"} <= set(commands)
    assert not [command for command in commands if not re.search(rf"^ +{command}\b", page, re.M)]


def usages_of_pamctl():
    """{command: "rdp [USER@]HOST[:PORT] [--out FILE] [--force]"}"""
    commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?) ", run("pamctl", "--help").stdout, re.M)
    helps = {command: run("pamctl", *command.split(), "--help").stdout for command in commands}
    return {command: " ".join(text.partition("\n\n")[0].split()).removeprefix("Usage: pamctl ")
            for command, text in helps.items()}


def test_man_page_and_readme_have_the_commands_of_pamctl_as_they_are():
    """Each with its arguments and options, and no other ones."""
    usages = usages_of_pamctl()
    page, readme = text_of("pamctl.1"), (REPOSITORY / "README.md").read_text()
    listed = page[page.index("The commands are as follows:"):page.index("A host is a name")]
    listed = re.sub(r"\n +(?=\[--)", " ", listed).replace("[--csv | --cef]", "[--csv] [--cef]")
    assert re.findall(r"^     (\S.*?)(?:  .*)?$", listed, re.M) == sorted(usage.lower() for usage in usages.values())
    table = readme[readme.index("\n## Commands\n"):readme.index("\n## Settings\n")]
    in_table = set(re.findall(r"`pamctl ([^`]*)`", table))
    assert in_table == set(usages.values())


@pytest.mark.parametrize("name", PAGES)
def test_a_man_page_has_no_option_that_its_program_has_not(name):
    known = set(re.findall(r"--[a-z][a-z-]*", run(name, "--help").stdout))
    page = text_of(PAGES[name])
    assert set(re.findall(r"^     (--[a-z-]+)", page, re.M)) <= known


# ---------------------------------------------------------------- systemd

def plain(agent, folder):
    """The program, by a path without blanks: neither units nor these scripts quote it."""
    link = folder / agent
    if not link.is_symlink():
        link.symlink_to(program(agent))
    return str(link)


def unit(name, folder):
    """The unit with programs that are there."""
    text = (PACKAGING / "systemd" / f"pamtunnel-{name}.service").read_text()
    assert f"ExecStart=/usr/bin/{AGENTS[name]} --env-file /etc/pamtunnel/{AGENTS[name]}.env\n" in text
    path = folder / f"pamtunnel-{name}.service"
    for agent in (AGENTS[name], "pamctl"):
        text = text.replace("/usr/bin/" + agent, plain(agent, folder))
    path.write_text(text)
    return path


def analyze(*args, **options):
    return subprocess.run([tool("systemd-analyze"), "--no-pager", *map(str, args)], capture_output=True, text=True, **options)


@pytest.mark.parametrize("name", AGENTS)
def test_systemd_finds_nothing_wrong_with_a_unit(name, folder):
    result = analyze("verify", "--man=no", unit(name, folder))
    assert result.returncode == 0 and not result.stdout + result.stderr


@pytest.mark.parametrize("name", AGENTS)
def test_the_exposure_of_a_service_is_small(name):
    path = PACKAGING / "systemd" / f"pamtunnel-{name}.service"
    result = analyze("security", "--offline=yes", f"--threshold={EXPOSURE_MAX * 10:.0f}", path)
    exposure = float(re.search(r"Overall exposure level for \S+ ([\d.]+)", result.stdout)[1])
    assert result.returncode == 0 and exposure <= EXPOSURE_MAX, result.stdout


@pytest.mark.parametrize("name", AGENTS)
def test_the_credentials_of_the_man_page_are_understood(name, folder):
    page = text_of(f"{AGENTS[name]}.8")
    lines = page[page.index("[Service]"):page.index("SEE ALSO")].splitlines()
    drop_in = folder / f"pamtunnel-{name}.service.d" / "credentials.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("".join(line.strip() + "\n" for line in lines))
    assert "LoadCredential=tunnel-key:/" in drop_in.read_text()
    assert "Environment=TUNNEL_KEY_FILE=%d/tunnel-key\n" in drop_in.read_text()
    result = analyze("verify", "--man=no", unit(name, folder))
    assert result.returncode == 0 and not result.stdout + result.stderr


def test_the_user_can_be_made(folder):
    (folder / "etc").mkdir()
    result = subprocess.run([tool("systemd-sysusers"), f"--root={folder}", PACKAGING / "sysusers" / "pamtunnel.conf"],
                            capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    fields = [line for line in (folder / "etc/passwd").read_text().splitlines() if line.startswith("pamtunnel:")][0].split(":")
    assert fields[5] == "/var/lib/pamtunnel" and fields[6].endswith("nologin")


# ---------------------------------------------------------------- other service managers

SCRIPTS = sorted([*(PACKAGING / "openrc").iterdir(), *(PACKAGING / "openwrt").iterdir()])
# The functions that openrc-run and rc.common have, as far as the scripts use them.
SURROUNDINGS = """
checkpath() { echo "checkpath $*"; }
need() { echo "need $*"; }; use() { echo "use $*"; }; after() { echo "after $*"; }
procd_open_instance() { echo open; }; procd_close_instance() { echo close; }
procd_set_param() { echo "$*"; }
chown() { echo "chown $*"; }
procd_send_signal() { echo "procd_send_signal $*"; }
"""


def in_shell(script, folder, line, **settings):
    """A line after the script was read, by the shell that small boards have."""
    text = script.read_text()
    for agent in AGENTS.values():
        text = text.replace(f"/usr/bin/{agent}", plain(agent, folder)).replace(f"/etc/pamtunnel/{agent}.env", f"{folder}/env")
    (folder / "script").write_text(SURROUNDINGS + text)
    (folder / "supervise-daemon").write_text('#!/bin/sh\necho "supervise-daemon $*"\n')    # no name for a function
    (folder / "supervise-daemon").chmod(0o755)
    settings["PATH"] = f"{folder}:{os.environ['PATH']}"
    return subprocess.run([tool("busybox"), "sh", "-euc", f". {folder}/script; {line}"], capture_output=True, text=True,
                          env=environment(settings))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_script_checks_the_settings_before_it_starts_anything(script, folder):
    agent = AGENTS[script.name.partition("-")[2]]
    start = "start_pre" if script.parent.name == "openrc" else "start_service"
    assert os.access(script, os.X_OK)
    assert subprocess.run([tool("busybox"), "sh", "-n", script]).returncode == 0
    (folder / "env").write_text("LOG_LEVEL=info\n")
    result = in_shell(script, folder, start)
    assert result.returncode != 0 and "is not set" in result.stderr and "open" not in result.stdout
    (folder / "env").write_text("".join(f"{n}={v}\n" for n, v in REQUIRED[agent].items()))
    result = in_shell(script, folder, start)
    assert result.returncode == 0 and not result.stderr, result


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_script_checks_the_settings_before_it_has_them_read_again(script, folder):
    agent = AGENTS[script.name.partition("-")[2]]
    openrc = script.parent.name == "openrc"
    reload = "RC_SVCNAME=it; reload" if openrc else "reload_service"
    (folder / "env").write_text("LOG_LEVEL=info\n")
    result = in_shell(script, folder, reload)
    assert result.returncode != 0 and "is not set" in result.stderr and not result.stdout
    (folder / "env").write_text("".join(f"{n}={v}\n" for n, v in REQUIRED[agent].items()))
    result = in_shell(script, folder, reload)
    assert result.returncode == 0 and not result.stderr, result
    assert result.stdout == ("supervise-daemon it --signal HUP --pidfile /run/it.pid\n" if openrc
                             else "procd_send_signal pamtunnel-gateway * HUP\n")


@pytest.mark.parametrize("name", AGENTS)
def test_a_unit_says_when_its_settings_cannot_be_read_again(name, folder):
    commands = re.findall("^ExecReload=(.*)$", unit(name, folder).read_text(), re.M)
    if name == "vps":
        assert commands == [f"{plain('pamctl', folder)} reload"]
    else:
        assert commands[0].split()[1:] == ["--check", "--env-file", "/etc/pamtunnel/gateway-agent.env"]
        assert commands[1:] == ['/bin/sh -c "kill -HUP ${MAINPID}"']


@pytest.mark.parametrize("name", AGENTS)
def test_openrc_has_what_it_starts(name, folder):
    script = PACKAGING / "openrc" / f"pamtunnel-{name}"
    result = in_shell(script, folder, 'depend; echo "$supervisor $command $command_args as $command_user"')
    assert "need net" in result.stdout
    assert f"supervise-daemon {plain(AGENTS[name], folder)} --env-file {folder}/env as pamtunnel:pamtunnel" in result.stdout


def test_procd_has_what_it_starts(folder):
    (folder / "env").write_text("".join(f"{n}={v}\n" for n, v in REQUIRED["gateway-agent"].items()))
    result = in_shell(PACKAGING / "openwrt" / "pamtunnel-gateway", folder, "start_service")
    lines = result.stdout.splitlines()
    state = folder / "state"
    assert lines[:2] == [f"chown pamtunnel:pamtunnel {state}", "open"] and lines[-1] == "close"
    assert state.stat().st_mode & 0o777 == 0o700 and f"env STATE_DIR={state}" in lines
    assert f"command {plain('gateway-agent', folder)} --env-file {folder}/env" in lines
    assert "user pamtunnel" in lines and "respawn 3600 5 0" in lines
