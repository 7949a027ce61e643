"""Settings, options and how the programs end: what an operator meets first."""

import os
import re
import shutil
import socket
import stat
import subprocess

import peers
import pytest
import util
from agents import Daemon, World, environment, program, run

KEY = "0123456789abcdef" * 4
TOKEN = "1234567890:AAbbCCddEEffGGhhIIjjKKllMMnnOOpp"
VPS = {"TELEGRAM_TOKEN": TOKEN, "ALLOWED_USERS": "42", "VPS_HOST": "vps.example", "TUNNEL_KEY": KEY}
GATEWAY = {"VPS_HOST": "vps.example", "TUNNEL_KEY": KEY}


def check(program, settings, *args):
    """--env-file /dev/null: this machine may have an installed file."""
    file = [] if "--env-file" in args else ["--env-file", "/dev/null"]
    return run(program, "--check", *file, *args, env=settings)


def refused(result, name):
    """Exit status 2 and one line that names the variable and no secret."""
    assert result.returncode == 2, result
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert name in lines[0]
    assert KEY not in result.stderr and TOKEN not in result.stderr
    return lines[0]


@pytest.mark.parametrize("name", ["TELEGRAM_TOKEN", "ALLOWED_USERS", "VPS_HOST"])
@pytest.mark.parametrize("value", [None, ""])
def test_vps_agent_names_what_is_missing(name, value):
    refused(check("vps-agent", {**VPS, name: value}), name)


@pytest.mark.parametrize("value", [None, ""])
def test_vps_agent_needs_no_key(value):
    result = check("vps-agent", {**VPS, "TUNNEL_KEY": value})
    assert result.returncode == 0 and "pamctl gateway add NAME" in result.stdout
    assert "pamctl gateway" not in check("vps-agent", VPS).stdout


@pytest.mark.parametrize("value", [None, ""])
def test_gateway_agent_needs_no_key(value, folder):
    result = check("gateway-agent", {**GATEWAY, "TUNNEL_KEY": value, "GATEWAY_NAME": "office", "STATE_DIR": str(folder)})
    assert result.returncode == 0 and f"gateway office will ask to be paired, and keep its key in {folder}" in result.stdout
    assert "paired" not in check("gateway-agent", GATEWAY).stdout


def test_an_empty_file_is_no_key_and_a_name_like_a_code_cannot_be_paired(folder):
    (folder / "key").write_text("")
    settings = {**GATEWAY, "TUNNEL_KEY": None, "TUNNEL_KEY_FILE": str(folder / "key"), "STATE_DIR": str(folder / "state")}
    assert "will ask to be paired" in check("gateway-agent", settings).stdout
    settings["GATEWAY_NAME"] = "482913"
    assert "GATEWAY_NAME" in refused(check("gateway-agent", settings), "482913")


@pytest.mark.parametrize("name", ["VPS_HOST"])
def test_gateway_agent_names_what_is_missing(name):
    refused(check("gateway-agent", {**GATEWAY, name: None}), name)


@pytest.mark.parametrize("name, value", [
    ("TELEGRAM_TOKEN", "no-token"), ("TELEGRAM_TOKEN", "123:with space"),
    ("ALLOWED_USERS", "alice"), ("ALLOWED_USERS", ","), ("ALLOWED_USERS", "42;43"),
    ("ALLOWED_USERS", "-100123"), ("ALLOWED_USERS", "99999999999999999999999"),
    ("VPS_HOST", "a b"), ("VPS_HOST", "http://vps"), ("VPS_HOST", "vps:22"), ("VPS_HOST", "-x"),
    ("VPS_HOST", "vps\nfull address:s:evil"),
    ("TUNNEL_KEY", "1234"), ("TUNNEL_KEY", "g" * 64), ("TUNNEL_KEY", KEY + "00"),
    ("TUNNEL_KEY", f"lan:{KEY},lan:{KEY[::-1]}"), ("TUNNEL_KEY", f"la n:{KEY}"),
    ("CONTROL_PORT", "0"), ("CONTROL_PORT", "65536"), ("CONTROL_PORT", "9000x"), ("CONTROL_PORT", "-1"),
    ("PORT_RANGE_START", "port"), ("PORT_RANGE_END", "70000"), ("PORT_RANGE_END", "19999"),
    ("BIND_ADDRESS", "eth0"), ("SESSION_TIMEOUT", "-5"), ("SESSION_TIMEOUT", "2 minutes"),
    ("SESSION_TIMEOUT", "0"), ("IDLE_TIMEOUT", "1e3"), ("MAX_SESSION_TIME", "never"),
    ("RECONNECT_GRACE", "x"), ("MAX_SESSIONS", "0"), ("MAX_SESSIONS_PER_USER", "many"),
    ("ADMIT", "everyone"), ("LOG_LEVEL", "loud"), ("STATE_DIR", "relative/path"),
    ("TELEGRAM_API_URL", "ftp://x"), ("TELEGRAM_API_URL", "not a url"),
])
def test_vps_agent_names_what_is_wrong_and_what_it_takes(name, value):
    line = refused(check("vps-agent", {**VPS, name: value}), name)
    if name not in ("TELEGRAM_TOKEN", "TUNNEL_KEY") and "\n" not in value:
        assert value in line, f"what it held: {line}"


@pytest.mark.parametrize("name, value", [
    ("TUNNEL_KEY", "xyz"), ("CONTROL_PORT", "none"), ("GATEWAY_NAME", "a b"), ("GATEWAY_NAME", "x" * 64),
    ("KEEPALIVE_SECS", "0"), ("KEEPALIVE_SECS", "soon"), ("LOG_LEVEL", "9"),
    ("ALLOWED_TARGETS", "192.168.1.0/33:22"), ("ALLOWED_TARGETS", "192.168.1.0/24"),
    ("ALLOWED_TARGETS", "192.168.1.0/24:0"), ("ALLOWED_TARGETS", "192.168.1.0/24:22-"),
    ("ALLOWED_TARGETS", "192.168.1.0/24:70000"), ("ALLOWED_TARGETS", "PC;"),
    ("ALLOWED_TARGETS", "[fd00::/8:22"), ("ALLOWED_TARGETS", "a b:22"),
])
def test_gateway_agent_names_what_is_wrong(name, value):
    refused(check("gateway-agent", {**GATEWAY, name: value}), name)


@pytest.mark.parametrize("program, settings", [
    ("vps-agent", VPS), ("gateway-agent", GATEWAY),
    ("vps-agent", {**VPS, "TUNNEL_KEY": f"lan:{KEY},office:{KEY[::-1]}", "RUST_LOG": "debug",
                   "BIND_ADDRESS": "0.0.0.0", "ADMIT": "ask", "IDLE_TIMEOUT": 0,
                   "MAX_SESSION_TIME": 0, "ALLOWED_USERS": "42, 43"}),
    ("gateway-agent", {**GATEWAY, "ALLOWED_TARGETS":
                       "192.168.1.0/24:22,3389;HOME-PC:3389;[fd00::]/8:22;127.0.0.0/8:1-65535"}),
])
def test_check_accepts_what_is_right(program, settings):
    assert check(program, settings).returncode == 0


def test_check_with_local_needs_no_telegram():
    settings = {"VPS_HOST": "vps.example", "TUNNEL_KEY": KEY}
    assert check("vps-agent", settings, "--local").returncode == 0
    assert check("vps-agent", settings).returncode == 2


def test_nothing_is_bound_when_a_setting_is_wrong():
    """The control port is taken here; a wrong setting is told before that is noticed."""
    port = util.free_port()
    with util.Folder() as folder:
        result = run("vps-agent", "--local", env={
            "VPS_HOST": "x", "TUNNEL_KEY": KEY, "CONTROL_PORT": port, "STATE_DIR": folder,
            "ADMIT": "nobody"})
        refused(result, "ADMIT")
        assert not os.listdir(folder)


def test_secrets_come_from_files(folder):
    (folder / "token").write_text(TOKEN + "\n")
    (folder / "key").write_text(KEY + "\n")
    settings = {**VPS, "TELEGRAM_TOKEN": None, "TELEGRAM_TOKEN_FILE": folder / "token",
                "TUNNEL_KEY": None, "TUNNEL_KEY_FILE": folder / "key"}
    assert check("vps-agent", settings).returncode == 0
    refused(check("vps-agent", {**settings, "TUNNEL_KEY_FILE": folder / "absent"}), "TUNNEL_KEY")
    (folder / "key").write_text("short\n")
    refused(check("vps-agent", settings), "TUNNEL_KEY")


def test_env_file(folder):
    file = folder / "agent.env"
    file.write_text(f"# the gateway\nexport VPS_HOST=\"vps.example\"\n\nTUNNEL_KEY='{KEY}'\nCONTROL_PORT=9001\n")
    assert check("gateway-agent", {}, "--env-file", str(file)).returncode == 0
    # the environment comes first
    refused(check("gateway-agent", {"CONTROL_PORT": "x"}, "--env-file", str(file)), "CONTROL_PORT")
    result = check("gateway-agent", {}, "--env-file", str(folder / "absent"))
    assert result.returncode == 2 and "absent" in result.stderr
    file.write_text("this is no setting\n")
    assert check("gateway-agent", GATEWAY, "--env-file", str(file)).returncode == 2


@pytest.mark.parametrize("program", ["vps-agent", "gateway-agent", "pamctl"])
def test_version_and_help(program):
    result = run(program, "--version")
    assert result.returncode == 0 and re.search(r"\d+\.\d+\.\d+", result.stdout)
    result = run(program, "--help")
    assert result.returncode == 0 and program in result.stdout and not result.stderr


def test_help_lists_every_setting():
    text = run("vps-agent", "--help").stdout
    for name in ("TELEGRAM_TOKEN", "ALLOWED_USERS", "VPS_HOST", "TUNNEL_KEY", "CONTROL_PORT",
                 "PORT_RANGE_START", "PORT_RANGE_END", "BIND_ADDRESS", "SESSION_TIMEOUT", "ADMIT",
                 "STATE_DIR", "TELEGRAM_API_URL", "LOG_LEVEL"):
        assert name in text
    text = run("gateway-agent", "--help").stdout
    for name in ("VPS_HOST", "TUNNEL_KEY", "CONTROL_PORT", "GATEWAY_NAME", "KEEPALIVE_SECS",
                 "ALLOWED_TARGETS", "LOG_LEVEL"):
        assert name in text


def test_generated_keys_are_64_hex_digits_and_never_the_same():
    keys = {run("vps-agent", "--generate-key").stdout.strip() for _ in range(5)}
    assert len(keys) == 5 and all(re.fullmatch(r"[0-9a-f]{64}", key) for key in keys)


@pytest.mark.parametrize("program", ["vps-agent", "gateway-agent"])
def test_unknown_options_are_usage_errors(program):
    for option in ("--frobnicate", "stray"):
        result = run(program, option, env=VPS)
        assert result.returncode == 2 and result.stderr


def test_an_occupied_control_port_is_a_clear_error(folder):
    with util.server() as taken:
        port = taken.getsockname()[1]
        result = run("vps-agent", "--local", env={
            "VPS_HOST": "x", "TUNNEL_KEY": KEY, "CONTROL_PORT": port, "BIND_ADDRESS": "127.0.0.1",
            "STATE_DIR": folder, "PORT_RANGE_START": 40000, "PORT_RANGE_END": 40001})
        assert result.returncode == 1 and str(port) in result.stderr


def test_sigterm_ends_both_agents_with_status_0_and_leaves_no_socket():
    with World(bot=False) as world:
        socket_path = world.state_dir / "pamtunnel.sock"
        assert stat.S_ISSOCK(socket_path.stat().st_mode)
        assert stat.S_IMODE(socket_path.stat().st_mode) == 0o600
        world.stop()
        assert not socket_path.exists()


def test_sigint_ends_them_too():
    import signal
    with World(bot=False) as world:
        for daemon in world.daemons():
            daemon.process.send_signal(signal.SIGINT)
            assert daemon.wait_exit() == 0


def test_a_socket_left_by_a_killed_agent_does_not_hinder_the_next():
    with World(bot=False) as world:
        world.vps.kill()
        assert (world.state_dir / "pamtunnel.sock").exists()
        world.vps.start()
        world.ready(timeout=30)


def test_a_second_vps_agent_on_the_same_state_does_not_take_over():
    """It says so and ends; the first one keeps its socket."""
    with World(bot=False) as world:
        ports = util.free_range(3)
        settings = {**world.vps.settings, "PORT_RANGE_START": ports, "PORT_RANGE_END": ports + 1,
                    "CONTROL_PORT": ports + 2}
        second = Daemon("vps-agent", world.folder, settings, ["--local"], tag="second").start()
        try:
            assert second.wait_exit() == 1, second.log
        finally:
            second.kill()
        assert world.status()


def test_gateway_agent_waits_for_a_vps_that_is_not_there_yet():
    with World(bot=False, wait_ready=False, start_gateways=False) as world:
        world.vps.kill()
        world.gateway.start()
        world.gateway.wait_log("refused|cannot|fail|retry|again")
        world.vps.start()
        world.ready(["lan"], timeout=30)


# ---------------------------------------------------------------- what exactly is said

WRONG_VPS = {
    "TELEGRAM_TOKEN": ["987654", "abc:def", "98765:a/../b", "98765:", TOKEN + "\u00e9", "1:" + "x" * 300],
    "ALLOWED_USERS": ["0", "42 43", "42,,43", "0x2a", "4.2", ",".join(["42"] * 1001)],
    "TELEGRAM_API_URL": ["http://", "https:///x", "api.telegram.org", "http://a b", "HTTP//x", "http://" + "x" * 600],
    "VPS_HOST": ["1.2.3", "a..b", "[::1]", "x" * 300, "vps.example.", "$(id)", "хост"],
    "TUNNEL_KEY": [KEY[:63], KEY + "0", f"lan:{KEY[:63]}", f"{KEY},{KEY}", f"{KEY},{KEY[::-1]}", f"lan:{KEY},{KEY}", f":{KEY}", f"-x:{KEY}",
                   f"lan {KEY}", f"lan:{KEY},", "0x" + KEY[2:]],
    "CONTROL_PORT": ["70000", "+9000", "9000.0", "0x2328", " 9000 9001", "99999999999999999999", "25000"],
    "PORT_RANGE_START": ["0", "30000", "30001"], "PORT_RANGE_END": ["0", "65536", "20000"],
    "DATA_PORT": ["9000", "Control", "on", "random,control"],
    "BIND_ADDRESS": ["localhost", "1.2.3", "::g", "0.0.0.0:9000", "[::]"],
    "MAX_CONNECTIONS": ["0", "65", "few"],
    "SESSION_TIMEOUT": ["86401", "1.5", "-0"], "RECONNECT_GRACE": ["-1", "3601"],
    "IDLE_TIMEOUT": ["604801", "-1"], "MAX_SESSION_TIME": ["604801", "1h"],
    "MAX_SESSIONS": ["10001"], "MAX_SESSIONS_PER_USER": ["0", "10001"], "RELAY_WORKERS": ["0", "65", "all"],
    "ADMIT": ["KNOWN", "auto,known", "yes"], "KNOWN_DAYS": ["0", "3651", "30d", "-1"], "STATE_DIR": [".", "~/state", "/" + "x" * 200],
    "AUDIT_FULL": ["Refuse", "on", "refuse,continue"], "AUDIT_DAYS": ["-1", "36501", "30d"],
    "APPROVAL_TIMEOUT": ["0", "86401", "10m"], "FACTOR_MINUTES": ["-1", "1441", "15m"],
    "RDP_SIGN_CERT": ["on", "cert.pem", "/" + "x" * 201], "RDP_SIGN_KEY": ["off", "~/key.pem"],
    "MULTIPATH": ["yes", "mptcp"], "RDP_CLIPBOARD": ["yes", "1", "ON"], "CONGESTION_CONTROL": ["BBR", "bbr,cubic", "x" * 16],
    "LOG_LEVEL": ["verbose", "3", "info,debug"],
}
WRONG_GATEWAY = {
    "VPS_HOST": ["1.2.3", "http://vps", "vps:9000"],
    "TUNNEL_KEY": [KEY[:63], "g" * 64, f"lan:{KEY}", f"{KEY},{KEY}"],
    "VPS_PROXY": ["proxy:3128", "https://proxy:3128", "http://proxy", "http://me@proxy:3128", "socks5h://proxy:1080"],
    "CONTROL_PORT": ["0", "65536", "x"], "GATEWAY_NAME": ["-x", ".x", "x" * 64, "a/b", "a:b", "ö"],
    "KEEPALIVE_SECS": ["0", "3601", "30s", "-1"], "RELAY_WORKERS": ["0", "65"], "LOG_LEVEL": ["verbose"],
    "CONGESTION_CONTROL": ["Bbr", "b.b.r"],
    "ALLOWED_TARGETS": [";", "PC", "PC:", ":22", "PC:0", "PC:65536", "PC:22,", "PC:30-20", "PC:22-", "10.0.0.0/33:22",
                        "10.0.0.0/-1:22", "10.0.0.0/8", "[fd00::]/129:22", "fd00::/8:22", "[fd00::/8:22",
                        "PC:22;;PC:23", "*:22", "10.0.0.*:22", "$(id):22"],
}
TAKES = {
    "TELEGRAM_TOKEN": "@BotFather", "ALLOWED_USERS": "numeric", "VPS_HOST": "name or", "TUNNEL_KEY": "64 hex digits",
    "TELEGRAM_API_URL": "http", "CONTROL_PORT": "port", "PORT_RANGE_START": "port", "PORT_RANGE_END": "port", "DATA_PORT": "random or control",
    "BIND_ADDRESS": "IP address", "SESSION_TIMEOUT": "seconds", "RECONNECT_GRACE": "seconds",
    "MAX_CONNECTIONS": "connections", "IDLE_TIMEOUT": "seconds",
    "MAX_SESSION_TIME": "seconds", "MAX_SESSIONS": "number", "MAX_SESSIONS_PER_USER": "number", "ADMIT": "auto, known or ask",
    "APPROVAL_TIMEOUT": "seconds", "FACTOR_MINUTES": "minutes", "KNOWN_DAYS": "days", "RDP_CLIPBOARD": "on or off", "MULTIPATH": "on or off",
    "RDP_SIGN_CERT": "absolute path", "RDP_SIGN_KEY": "absolute path",
    "AUDIT_FULL": "refuse or continue", "AUDIT_DAYS": "days",
    "CONGESTION_CONTROL": "like cubic or bbr", "RELAY_WORKERS": "threads", "STATE_DIR": "absolute path", "LOG_LEVEL": "error, warn, info, debug or trace",
    "GATEWAY_NAME": "letters, digits", "VPS_PROXY": "http://[USER:PASSWORD@]HOST:PORT", "KEEPALIVE_SECS": "seconds", "ALLOWED_TARGETS": "192.168.1.0/24:22,3389",
}
SECRETS = ("TELEGRAM_TOKEN", "TUNNEL_KEY", "VPS_PROXY")


@pytest.mark.parametrize("program, name", [*(("vps-agent", name) for name in WRONG_VPS),
                                           *(("gateway-agent", name) for name in WRONG_GATEWAY)])
def test_one_line_names_the_variable_what_it_held_and_what_it_takes(program, name, folder):
    """The same with and without --check, and before anything is made or bound."""
    good, wrong = (VPS, WRONG_VPS) if program == "vps-agent" else (GATEWAY, WRONG_GATEWAY)
    for value in wrong[name]:
        settings = {**good, "STATE_DIR": folder / "state", name: value}
        results = [run(program, "--env-file", "/dev/null", env=settings), check(program, settings)]
        for result in results:
            assert result.returncode == 2 and not result.stdout, (value, result)
            assert result.stderr.count("\n") == 1 and result.stderr.endswith("\n"), result.stderr
            assert name in result.stderr and TAKES[name] in result.stderr, result.stderr
            if name in SECRETS:
                assert value[8:40] not in result.stderr if len(value) > 40 else value not in result.stderr, result.stderr
            else:
                assert value[:60] in result.stderr, result.stderr
        assert results[0].stderr == results[1].stderr
        assert not (folder / "state").exists()


@pytest.mark.parametrize("value", ["1\nvps-agent: all is well", "1\r\x1b[2Kall is well", "1\x1b]0;x\x07", "1\x9b2J"],
                         ids=["newline", "carriage return", "title", "C1"])
@pytest.mark.parametrize("program", ["vps-agent", "gateway-agent"])
def test_a_value_with_control_characters_is_still_one_line(program, value):
    result = check(program, {**(VPS if program == "vps-agent" else GATEWAY), "CONTROL_PORT": value})
    line = refused(result, "CONTROL_PORT")
    assert not [c for c in line if ord(c) < 32 or 0x7f <= ord(c) < 0xa0], repr(line)


@pytest.mark.parametrize("name", ["VPS_HOST", "TELEGRAM_TOKEN", "ALLOWED_USERS"])
def test_what_is_missing_is_told_with_what_it_takes(name):
    line = refused(check("vps-agent", {**VPS, name: None}), name)
    assert "not set" in line and TAKES[name] in line


def test_all_settings_of_the_readme_are_those_of_the_help_and_the_other_way_round():
    readme = (util.REPOSITORY / "README.md").read_text()
    for program in ("vps-agent", "gateway-agent"):
        table = readme.partition(f"### Settings of {program}\n")[2].partition("\n\n")[0]
        documented = set(re.findall(r"`([A-Z][A-Z_]+)`", "\n".join(row.split("|")[1] for row in table.splitlines())))
        assert len(documented) > 5
        listed = set(re.findall(r"^  ([A-Z][A-Z_]+) ", run(program, "--help").stdout, re.M)) - {"RUST_LOG"}
        assert documented == listed


# ---------------------------------------------------------------- where values come from

def probe(text, folder, *, env=None, name="CONTROL_PORT"):
    """What the program took for CONTROL_PORT from an env file of this text: it is no port, so it says so."""
    file = folder / "probe.env"
    file.write_bytes(text.encode())
    result = check("gateway-agent", {**GATEWAY, **(env or {})}, "--env-file", file)
    line = refused(result, name)
    return re.search(r'is "(.*)"(: [^"]*)?; it takes', line)[1]


@pytest.mark.parametrize("text, held", [
    ("CONTROL_PORT=x1", "x1"), ("CONTROL_PORT=x1\n", "x1"), ("CONTROL_PORT=x1\r\n", "x1"),
    ('CONTROL_PORT="x1"\n', "x1"), ("CONTROL_PORT='x1'\r\n", "x1"), ("export CONTROL_PORT=x1\n", "x1"),
    ("  CONTROL_PORT = x1  \n", "x1"), ("# CONTROL_PORT=no\n\n  # no\nCONTROL_PORT=x1\n", "x1"),
    ("CONTROL_PORT=no\nCONTROL_PORT=x1\n", "x1"), ('CONTROL_PORT=" x1 "\n', " x1 "), ("CONTROL_PORT=x#1\n", "x#1"),
    ("CONTROL_PORT=$HOME\n", "$HOME"), ("CONTROL_PORT=`id`\n", "`id`"), ("CONTROL_PORT=a=b\n", "a=b"),
    ("CONTROL_PORT='a\"b'\n", 'a"b'),
], ids=range(15))
def test_an_env_file_is_read_as_shells_and_service_managers_would(folder, text, held):
    assert probe(text, folder) == held


def test_the_environment_wins_over_the_file_and_a_name_over_its_file(folder):
    (folder / "secret").write_text("from-file\nsecond line\n")
    assert probe("CONTROL_PORT=file\n", folder, env={"CONTROL_PORT": "env"}) == "env"
    assert probe("CONTROL_PORT=file\n", folder, env={"CONTROL_PORT": ""}) == "file", "empty is not set"
    by_file = {"CONTROL_PORT_FILE": folder / "secret"}
    assert probe("CONTROL_PORT=file\n", folder, env=by_file) == "from-file", "the environment, too"
    assert probe("CONTROL_PORT=file\n", folder, env={**by_file, "CONTROL_PORT": "env"}) == "env"
    assert probe(f"CONTROL_PORT_FILE={folder}/secret\n", folder) == "from-file"


def test_an_empty_list_of_targets_in_a_file_does_not_open_the_private_networks(folder):
    """Whoever empties it means something. In the environment, a compose file's, it is as good as none."""
    file = folder / "agent.env"
    file.write_text("# nothing\nALLOWED_TARGETS=\n")
    line = refused(check("gateway-agent", GATEWAY, "--env-file", file), f"{file}, line 2: ALLOWED_TARGETS is empty")
    assert "take the line out for the default" in line
    file.write_text("KEEPALIVE_SECS=\n")
    assert check("gateway-agent", {**GATEWAY, "ALLOWED_TARGETS": ""}, "--env-file", file).returncode == 0


def test_lines_that_do_not_count_are_told(folder):
    (folder / "targets").write_text("10.0.0.0/8:22\n192.168.1.0/24:22\n")
    result = check("gateway-agent", {**GATEWAY, "ALLOWED_TARGETS_FILE": folder / "targets"})
    assert result.returncode == 0
    assert f"But ALLOWED_TARGETS_FILE is {folder}/targets, of which only the first line counts" in result.stdout, result


@pytest.mark.parametrize("line", [f"TUNNEL_KEY {KEY}", f"TUNNEL_KEY: {KEY}", f'TUNNEL_KEY="{KEY}', f"={KEY}",
                                  f"TUNNEL KEY={KEY}", "A" * 9000])
def test_a_line_that_is_none_is_named_by_its_number_and_not_repeated(folder, line):
    file = folder / "agent.env"
    file.write_text(f"# first\nVPS_HOST=x\n{line}\n")
    result = check("gateway-agent", GATEWAY, "--env-file", file)
    told = refused(result, "line 3")
    assert str(file) in told and "A" * 50 not in told


@pytest.mark.parametrize("content", [KEY, KEY + "\n", KEY + "\r\n", f"  {KEY}  \nsecond line\n"])
def test_secrets_in_files_are_the_first_line_without_blanks(folder, content):
    (folder / "key").write_bytes(content.encode())
    assert check("gateway-agent", {**GATEWAY, "TUNNEL_KEY": None, "TUNNEL_KEY_FILE": folder / "key"}).returncode == 0


@pytest.mark.parametrize("kind", ["absent", "a folder", "a blank line", "too long"])
def test_a_secret_file_that_cannot_be_used_is_named(folder, kind):
    path = folder / "key"
    {"absent": lambda: None, "a folder": path.mkdir,
     "a blank line": lambda: path.write_text(f"  \n{KEY}\n"), "too long": lambda: path.write_text(KEY * 200)}[kind]()
    line = refused(check("gateway-agent", {**GATEWAY, "TUNNEL_KEY": None, "TUNNEL_KEY_FILE": path}), "TUNNEL_KEY_FILE")
    assert str(path) in line


@pytest.mark.parametrize("path", ["absent.env", "."])
def test_an_env_file_that_cannot_be_read_is_named(folder, path):
    result = check("vps-agent", VPS, "--env-file", folder / path)
    assert str(folder) in refused(result, "env file")


def test_files_that_only_others_may_read_are_refused_with_the_reason(folder, as_nobody):
    folder.chmod(0o755)
    secret = folder / "key"
    secret.write_text(KEY)
    secret.chmod(0o600)
    for env, args in (({**GATEWAY, "TUNNEL_KEY": None, "TUNNEL_KEY_FILE": str(secret)}, []),
                      (GATEWAY, ["--env-file", str(secret)])):
        result = subprocess.run([*as_nobody, program("gateway-agent"), "--check", *args], env=environment(env),
                                capture_output=True, text=True, timeout=20)
        if "execute" in result.stderr or "exec" in result.stderr:
            pytest.skip("that user may not run the programs")
        assert "Permission denied" in refused(result, str(secret))


def test_the_agents_work_with_what_stands_in_files(folder):
    """All of it from --env-file, the secrets from files of their own; nothing is in argv."""
    world = World(vps={"TUNNEL_KEY": None}, gateway={"TUNNEL_KEY": None})
    (folder / "key").write_text(world.key + "\r\n")
    (folder / "token").write_text(world.token + "\n")
    world.vps_extra |= {"TUNNEL_KEY_FILE": folder / "key", "TELEGRAM_TOKEN": None,
                        "TELEGRAM_TOKEN_FILE": folder / "token"}
    file = folder / "gateway.env"
    world.gateway_extra |= {"VPS_HOST": None, "CONTROL_PORT": None, "GATEWAY_NAME": None, "ALLOWED_TARGETS": None}
    world.start_gateways, world.wait_ready = False, False
    with world:
        file.write_text(f"export VPS_HOST='127.0.0.1'\r\nCONTROL_PORT={world.control_port}\r\n"
                        f"GATEWAY_NAME=\"lan\"\r\nTUNNEL_KEY_FILE={folder}/key\r\n")
        world.gateway.args = ["--env-file", str(file)]
        world.gateway.start()
        world.ready(["lan"])
        for daemon in world.daemons():
            with open(f"/proc/{daemon.pid}/cmdline") as cmdline:
                argv = cmdline.read()
            assert world.key not in argv and world.token not in argv


# ---------------------------------------------------------------- what may stand in an env file

MISTAKES = [
    ("gateway-agent", "ALLOWED_TARGET=192.168.1.22:22", "did you mean ALLOWED_TARGETS?"),
    ("gateway-agent", "KEEPALIVE_SEC=5", "did you mean KEEPALIVE_SECS?"),
    ("gateway-agent", "ADMIT=ask", "a setting of vps-agent"),
    ("vps-agent", "ADMITT=ask", "did you mean ADMIT?"),
    ("vps-agent", "MAX_SESSION_TIMES=600", "did you mean MAX_SESSION_TIME?"),
    ("vps-agent", "BIND_ADRESS=127.0.0.1", "did you mean BIND_ADDRESS?"),
    ("vps-agent", "ALOWED_USERS=2", "did you mean ALLOWED_USERS?"),
    ("vps-agent", "ALLOWED_TARGETS=10.0.0.0/8:22", "a setting of gateway-agent"),
    ("vps-agent", "SSL_CERT_FILE=/x", "only read from the environment"),
    ("vps-agent", "https_proxy=http://x:1", "only read from the environment"),
    ("vps-agent", "HOMEPAGE=x", "there is no setting HOMEPAGE; --help lists them"),
]


@pytest.mark.parametrize("program, line, says", MISTAKES)
def test_a_name_that_is_no_setting_is_an_error_before_anything_is_bound(folder, program, line, says):
    good = VPS if program == "vps-agent" else GATEWAY
    text = "".join(f"{name}={value}\n" for name, value in good.items()) + f"STATE_DIR={folder}/state\n" * (program == "vps-agent")
    file = folder / "agent.env"
    file.write_text(text + line + "\n")
    number = text.count("\n") + 1
    for arguments in (["--check"], [], ["--health"]):
        result = run(program, "--env-file", file, *arguments)
        told = refused(result, f"{file}, line {number}: ")
        assert says in told and line.split("=")[0] in told
    result = run(program, "--env-file", file, "--doctor")
    assert result.returncode == 2 and says in result.stdout and result.stdout.startswith("!!  settings: "), result
    assert not (folder / "state").exists()
    file.write_text(text)
    assert check(program, {}, "--env-file", file).returncode == 0, "without it all is well"


def test_who_sets_up_over_a_file_with_a_mistake_is_told_before_anything_is_asked_and_nothing_is_lost(folder):
    file = folder / "agent.env"
    for program, arguments in (("vps-agent", ["--setup"]), ("vps-agent", ["--invite", "home"]),
                               ("gateway-agent", ["--join", "-"])):
        file.write_text("# mine\nVPS_HOST=x\nTUNEL_KEY=y\n")
        result = run(program, *arguments, "--env-file", file, stdin=subprocess.DEVNULL)
        assert result.returncode == 2 and "line 3" in result.stderr and "did you mean TUNNEL_KEY?" in result.stderr, result
        assert file.read_text() == "# mine\nVPS_HOST=x\nTUNEL_KEY=y\n"


def test_the_names_that_each_agent_takes_for_the_others_are_the_others(folder):
    """All that the one has and the other has not, so that none is told to be unknown."""
    listed = {program: set(re.findall(r"^  ([A-Z][A-Z_]+) ", run(program, "--help").stdout, re.M))
              for program in ("vps-agent", "gateway-agent")}
    file = folder / "agent.env"
    for program, other in (("vps-agent", "gateway-agent"), ("gateway-agent", "vps-agent")):
        for name in listed[other] - listed[program]:
            file.write_text(f"{name}=x\n")
            assert f"{name} is a setting of {other}" in check(program, {}, "--env-file", file).stderr


def test_what_windows_editors_write_is_read_or_named(folder):
    text = "".join(f"{name}={value}\r\n" for name, value in GATEWAY.items())
    file, key = folder / "agent.env", folder / "key"
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert check("gateway-agent", {}, "--env-file", file).returncode == 0
    for coding in ("utf-16-le", "utf-16-be"):
        file.write_bytes("\ufeff".encode(coding) + text.encode(coding))
        assert "UTF-16" in refused(check("gateway-agent", {}, "--env-file", file), str(file))
    key.write_bytes(b"\xef\xbb\xbf" + KEY.encode() + b"\r\n")
    by_file = {**GATEWAY, "TUNNEL_KEY": None, "TUNNEL_KEY_FILE": key}
    assert check("gateway-agent", by_file).returncode == 0
    key.write_bytes(("\ufeff" + KEY).encode("utf-16-le"))
    assert "UTF-16" in refused(check("gateway-agent", by_file), str(key))


def test_what_stands_twice_with_different_values_is_said_and_the_last_counts(folder):
    file = folder / "agent.env"
    file.write_text(f"VPS_HOST=x\nTUNNEL_KEY={KEY}\nKEEPALIVE_SECS=29\nKEEPALIVE_SECS=31\n")
    result = check("gateway-agent", {}, "--env-file", file)
    assert result.returncode == 0 and "KEEPALIVE_SECS in line 3" in result.stdout and "line 4" in result.stdout
    gateway = Daemon("gateway-agent", folder, {}, ["--env-file", str(file)]).start()
    try:
        gateway.wait_log("warn .*sets KEEPALIVE_SECS in line 3")
        gateway.wait_log(f"settings: from {file} and the environment")
        gateway.wait_log("started as gateway")  # from here on SIGTERM ends it in order
        gateway.stop()
    finally:
        gateway.kill()


# ---------------------------------------------------------------- the installed file

@pytest.fixture
def installed(folder):
    """A function that runs a command where /etc/pamtunnel holds a file of ours."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("an /etc of its own takes root and unshare")

    def run_there(name, content, *command, env=None, mode=0o640):
        source = folder / name
        source.write_text(content)
        source.chmod(mode)
        script = ('mount -t tmpfs none /etc && mkdir /etc/pamtunnel && cp -p "$1" /etc/pamtunnel/ && chmod 755 /etc && '
                  'shift && exec "$@"')
        return subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", source, *command], env=environment(env or {}),
                              capture_output=True, text=True, timeout=20)
    return run_there


def test_every_action_reads_the_installed_file_where_the_environment_is_not_enough(installed):
    path = "/etc/pamtunnel/gateway-agent.env"
    content = "".join(f"{name}={value}\n" for name, value in GATEWAY.items())

    def there(*arguments, env=None, text=content):
        return installed("gateway-agent.env", text, program("gateway-agent"), *arguments, env=env)

    result = there("--check")
    assert result.returncode == 0 and result.stdout == f"The configuration is complete. It comes from {path}.\n", result
    result = there("--check", env=GATEWAY)
    assert result.stdout == "The configuration is complete. It comes from the environment.\n", result
    assert there("--check", env={"VPS_HOST": "x"}).returncode == 0, "a part of it is"
    assert "CONTROL_PORT" in there("--check", env={"CONTROL_PORT": "x"}).stderr, "the environment comes first"
    assert there("--health").stdout.startswith("not healthy"), "and not: VPS_HOST is not set"
    refused(there(text=content + "CONTROL_PRT=1\n"), f"{path}, line 3: there is no setting CONTROL_PRT")
    refused(there("--check", "--env-file", "/dev/null"), "VPS_HOST is not set")
    assert there("--check", env=GATEWAY, text="NONSENSE\n").returncode == 0, "what is not needed is not read"


def test_an_installed_file_that_may_not_be_read_is_named_if_it_is_needed(installed, as_nobody):
    def there(env):
        return installed("vps-agent.env", "VPS_HOST=x\n", *as_nobody, program("vps-agent"), "--check", env=env, mode=0o600)

    result = there(VPS)
    if "execute" in result.stderr or "exec" in result.stderr:
        pytest.skip("that user may not run the programs")
    assert result.returncode == 0, result
    line = refused(there({**VPS, "VPS_HOST": None}), "/etc/pamtunnel/vps-agent.env")
    assert "Permission denied; run this as root" in line


# ---------------------------------------------------------------- the journal

def test_lines_for_the_journal_have_its_priorities(folder):
    """JOURNAL_STREAM is device and inode of stderr, as systemd sets it."""
    with open(folder / "journal", "w+b") as journal:
        found = os.fstat(journal.fileno())
        env = {**local_settings(folder, BIND_ADDRESS="203.0.113.99"), "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        for more, says in (({}, b"<3>error .*BIND_ADDRESS"), ({"ADMIT": "x"}, b"<3>vps-agent: ADMIT is")):
            journal.truncate(0)
            journal.seek(0)
            subprocess.run([program("vps-agent"), "--local"], env=environment({**env, **more}), stderr=journal, timeout=20)
            journal.seek(0)
            lines = journal.read().splitlines()
            assert lines and all(re.match(rb"<[3-7]>(error|warn |info |debug|trace|vps-agent:) ", line) for line in lines), lines
            assert re.match(says, lines[-1]), lines
        del env["JOURNAL_STREAM"]
        result = run("vps-agent", "--local", env=env)
        assert re.search(r"^\d{4}-\d\d-\d\dT.*Z error .*BIND_ADDRESS", result.stderr, re.M), result.stderr


# ---------------------------------------------------------------- options

@pytest.mark.parametrize("program", ["vps-agent", "gateway-agent"])
def test_help_is_at_most_100_columns_wide_and_has_short_names(program):
    text = run(program, "--help").stdout
    assert max(map(len, text.splitlines())) <= 100
    for short in ("-h", "help"):
        assert run(program, short).stdout == text
    assert run(program, "-V").stdout == run(program, "--version").stdout


@pytest.mark.parametrize("program, arguments, says", [
    ("vps-agent", ["--host", "x", "--check"], "no effect with --check: --host (goes with --setup, --make-rdp-certificate)"),
    ("vps-agent", ["--gateway", "y", "--new-key", "--check"], "--gateway (goes with --setup), --new-key (goes with "),
    ("vps-agent", ["--doctor", "--setup"], "only one of --setup, --doctor at a time"),
    ("vps-agent", ["--local", "--setup"], "no effect with --setup: --local"),
    ("vps-agent", ["--user=1"], "no effect with a plain start: --user"),
    ("vps-agent", ["--chekc"], "did you mean --check?"),
    ("gateway-agent", ["--force", "--check"], "no effect with --check: --force (goes with --join)"),
    ("gateway-agent", ["--doctor", "--check"], "only one of --check, --doctor at a time"),
    ("gateway-agent", ["doctor"], "did you mean --doctor?"),
])
def test_options_without_effect_and_options_that_are_none_are_said(program, arguments, says):
    result = run(program, *arguments, env=VPS)
    assert result.returncode == 2 and says in result.stderr and result.stderr.count("\n") == 1, result


@pytest.mark.parametrize("arguments", [["--token=" + TOKEN], ["--token", TOKEN], ["-k" + KEY], [KEY], ["TUNNEL_KEY=" + KEY],
                                       ["--check", "--", KEY], ["--env-file="], ["--env-file"], ["--locally"]])
def test_wrong_options_are_status_2_and_one_line_that_repeats_no_value(arguments):
    result = run("vps-agent", *arguments, env=VPS)
    assert result.returncode == 2 and not result.stdout
    assert result.stderr.count("\n") == 1
    assert TOKEN not in result.stderr and KEY not in result.stderr


def test_version_help_and_generate_key_need_no_settings():
    for option in ("--version", "--help", "--generate-key"):
        result = run("vps-agent", option)
        assert result.returncode == 0 and result.stdout and not result.stderr
    assert run("gateway-agent", "--generate-key").returncode == 2, "that is the other program's"


# ---------------------------------------------------------------- the log

LEVELS = ["error", "warn", "info", "debug", "trace"]


@pytest.mark.parametrize("settings, level", [
    *(({"LOG_LEVEL": level}, level) for level in LEVELS), ({"LOG_LEVEL": "DEBUG"}, "debug"), ({"LOG_LEVEL": None}, "info"),
    ({"LOG_LEVEL": None, "RUST_LOG": "debug"}, "debug"), ({"LOG_LEVEL": None, "RUST_LOG": "net=trace,warn"}, "warn"),
    ({"LOG_LEVEL": None, "RUST_LOG": "hyper=info"}, "info"), ({"LOG_LEVEL": "warn", "RUST_LOG": "trace"}, "warn"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_log_levels(settings, level):
    """At each level there are lines up to it and none beyond."""
    with World(bot=False, gateways=(), vps=settings) as world:
        with socket.create_connection(("127.0.0.1", world.control_port)) as junk:
            junk.sendall(b"GET / HTTP/1.1\r\n\r\n")      # a line of level warn
            util.how_it_ends(junk)
        world.pamctl("status")
        log = world.vps.log
        seen = {line.split()[1] for line in log.splitlines()}
        allowed = set(LEVELS[:LEVELS.index(level) + 1])
        assert seen <= allowed, log
        assert ("warn" in seen) == ("warn" in allowed) and ("info" in seen) == ("info" in allowed), log
        for line in log.splitlines():
            assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn |info |debug|trace) \S", line), line


# ---------------------------------------------------------------- starting

def local_settings(folder, **settings):
    start = util.free_range(11)
    return {"VPS_HOST": "127.0.0.1", "TUNNEL_KEY": KEY, "CONTROL_PORT": start + 10, "PORT_RANGE_START": start,
            "PORT_RANGE_END": start + 9, "STATE_DIR": folder, **settings}


def test_an_occupied_control_port_is_named_in_one_line(folder):
    with util.server() as taken:
        port = taken.getsockname()[1]
        result = run("vps-agent", "--local", env=local_settings(folder, CONTROL_PORT=port, BIND_ADDRESS="127.0.0.1"))
    assert result.returncode == 1
    errors = [line for line in result.stderr.splitlines() if " error " in line]
    assert len(errors) == 1 and "CONTROL_PORT" in errors[0] and str(port) in errors[0], result.stderr
    assert all(name.startswith(("state.db", "audit.reserve")) for name in os.listdir(folder)), "nothing else is left behind"


def test_an_address_that_is_not_ours_is_a_clear_error(folder):
    result = run("vps-agent", "--local", env=local_settings(folder, BIND_ADDRESS="203.0.113.99"))
    assert result.returncode == 1 and "BIND_ADDRESS" in result.stderr and "203.0.113.99" in result.stderr


@pytest.mark.parametrize("state", ["/proc/pamtunnel", "/dev/null", "/dev/null/state", "/absent/deeper/state"])
def test_a_state_dir_that_cannot_be_is_a_clear_error(state, folder):
    result = run("vps-agent", "--local", env=local_settings(folder, STATE_DIR=state))
    assert result.returncode == 1 and state in result.stderr
    lines = [line for line in result.stderr.splitlines() if "the sandbox is not complete" not in line]
    assert len(lines) == 1, result.stderr


def test_a_state_dir_that_is_not_writable_is_a_clear_error(folder, as_nobody):
    folder.chmod(0o755)
    result = subprocess.run([*as_nobody, program("vps-agent"), "--local"], env=environment(local_settings(folder)),
                            capture_output=True, text=True, timeout=20)
    if "execute" in result.stderr:
        pytest.skip("that user may not run the programs")
    assert result.returncode == 1 and str(folder) in result.stderr and "Permission denied" in result.stderr


def test_who_may_not_make_the_state_dir_is_told_what_to_set(folder, as_nobody):
    folder.chmod(0o755)
    result = subprocess.run([*as_nobody, program("vps-agent"), "--local"], env=environment(local_settings(folder / "state")),
                            capture_output=True, text=True, timeout=20)
    if "execute" in result.stderr:
        pytest.skip("that user may not run the programs")
    assert result.returncode == 1 and f"{folder}/state: Permission denied; set STATE_DIR to" in result.stderr


def test_a_state_dir_is_made_if_it_is_missing_for_its_owner_only(folder):
    daemon = Daemon("vps-agent", folder, local_settings(folder / "state"), ["--local"]).start()
    try:
        util.eventually(lambda: run("pamctl", "status", env={"STATE_DIR": folder / "state"}).returncode == 0, "it answers")
        assert stat.S_IMODE((folder / "state").stat().st_mode) == 0o700
        daemon.stop()
    finally:
        daemon.kill()


def test_a_file_in_the_place_of_the_socket_is_not_removed(folder):
    (folder / "pamtunnel.sock").write_text("precious")
    result = run("vps-agent", "--local", env=local_settings(folder))
    assert result.returncode == 1 and "pamtunnel.sock" in result.stderr
    assert (folder / "pamtunnel.sock").read_text() == "precious"


@pytest.mark.parametrize("address, others", [("127.0.0.1", ["127.0.0.2", "::1"]), ("::1", ["127.0.0.1"]),
                                             ("0.0.0.0", ["::1"]), ("::", [])])
def test_bind_address_is_where_everything_listens_and_nowhere_else(address, others):
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
    with peers.Recorder(reply=peers.echo) as target, \
            World(vps={"BIND_ADDRESS": address, "VPS_HOST": here, "ADMIT": "auto"}, gateway={"VPS_HOST": here}) as world:
        message = world.ssh(target.name)
        assert message.code[0].endswith(" " + here)
        session = world.newest_session()
        for port in (world.control_port, session["public_port"]):
            for other in others:
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection((other, port), 5).close()
        if address == "::":
            socket.create_connection(("127.0.0.1", world.control_port), 5).close()
        with peers.dial(session["public_port"], host=here) as client:
            client.sendall(peers.BANNER)
            assert util.read_exactly(client, len(peers.BANNER)) == peers.BANNER
