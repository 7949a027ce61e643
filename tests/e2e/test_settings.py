"""Settings, options and how the programs end: what an operator meets first."""

import os
import re
import stat

import pytest
import util
from agents import Daemon, World, run

KEY = "0123456789abcdef" * 4
TOKEN = "1234567890:AAbbCCddEEffGGhhIIjjKKllMMnnOOpp"
VPS = {"TELEGRAM_TOKEN": TOKEN, "ALLOWED_USERS": "42", "VPS_HOST": "vps.example", "TUNNEL_KEY": KEY}
GATEWAY = {"VPS_HOST": "vps.example", "TUNNEL_KEY": KEY}


def check(program, settings, *args):
    return run(program, "--check", *args, env=settings)


def refused(result, name):
    """Exit status 2 and one line that names the variable and no secret."""
    assert result.returncode == 2, result
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert name in lines[0]
    assert KEY not in result.stderr and TOKEN not in result.stderr
    return lines[0]


@pytest.mark.parametrize("name", ["TELEGRAM_TOKEN", "ALLOWED_USERS", "VPS_HOST", "TUNNEL_KEY"])
@pytest.mark.parametrize("value", [None, ""])
def test_vps_agent_names_what_is_missing(name, value):
    refused(check("vps-agent", {**VPS, name: value}), name)


@pytest.mark.parametrize("name", ["VPS_HOST", "TUNNEL_KEY"])
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
    import socket
    with socket.create_server(("127.0.0.1", 0)) as taken:
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
        settings = {**world.vps.settings, "CONTROL_PORT": util.free_port()}
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
