"""--doctor of both agents: every line says ok, or what to do; nothing is disturbed."""

import contextlib
import json
import os
import re
import secrets
import socket
import sqlite3
import subprocess
import threading
import time

import botapi
import peers
import pytest
import util
from agents import World, environment, program, run

WORLD = {}


def doctor(daemon, *args, status=0, **settings):
    """The lines by what they are about."""
    result = run(daemon.name, "--doctor", *args, env={**daemon.settings, **settings}, timeout=60)
    assert result.returncode == status, result.stdout + result.stderr
    assert not result.stderr, result.stderr
    lines = {}
    for line in result.stdout.splitlines():
        mark, what, text = re.fullmatch(r"(ok|!!|--)  ([^:]+): (.*)", line).groups()
        lines.setdefault(what, []).append((mark, text))
    bad = any(mark == "!!" for marks in lines.values() for mark, _ in marks)
    assert bad == (status != 0), result.stdout
    for secret in (daemon.settings["TUNNEL_KEY"], daemon.settings.get("TELEGRAM_TOKEN")):
        assert not secret or secret not in result.stdout
    return lines


def doctor_of_an_idle(daemon, *args, **settings):
    """The same for one that does not run, which is all that is wrong."""
    lines = doctor(daemon, *args, status=1, **settings)
    assert [what for what, found in lines.items() if "!!" in dict(found)] == [daemon.name], lines
    return lines


def doctor_without_findings(daemon, what, **settings):
    result = run(daemon.name, "--doctor", env={**daemon.settings, **settings}, timeout=60)
    found = re.findall(rf"^(ok|!!|--)  {what}: (.*)$", result.stdout, re.M)
    assert found and not any(mark == "!!" for mark, _ in found), result.stdout
    return {what: found}


class FakeAgent:
    """An admin socket that answers with what it is given, and knows nothing else."""

    def __init__(self, path, **answers):
        self.path, self.answers = path, answers

    def __enter__(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return self

    def serve(self):
        while True:
            client, _ = self.listener.accept()
            with client, client.makefile("rw") as lines:
                request = lines.readline()
                if not request:
                    return
                answer = self.answers.get(json.loads(request)["command"], {"ok": False, "error": "unknown_command"})
                lines.write(json.dumps(answer) + "\n")
                lines.flush()

    def __exit__(self, *_):
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(str(self.path))
            last.shutdown(socket.SHUT_WR)
            self.thread.join(10)
        self.listener.close()
        self.path.unlink()


def says(lines, what, mark, text):
    assert any(m == mark and text in t for m, t in lines[what]), lines[what]


# ---------------------------------------------------------------- all is well

def test_a_vps_agent_that_runs(world):
    lines = doctor(world.vps)
    says(lines, "vps-agent", "ok", "is running")
    says(lines, "gateways", "ok", "lan")
    says(lines, "CONTROL_PORT", "ok", "is in use by the running vps-agent")
    says(lines, "Bot API", "ok", "@pam_test_bot")
    says(lines, "clock", "ok", "the same as the Bot API's")
    says(lines, "VPS_HOST", "--", "only points to this server for programs that run on it")


def test_a_gateway_that_runs_is_not_disturbed(world):
    before = world.status()["gateways"][0]["since"]
    lines = doctor(world.gateway)
    says(lines, "key", "ok", "both sides have the same one; gateway lan is online")
    says(lines, "VPS", "ok", "vps-agent")
    says(lines, "gateway-agent", "ok", "running, connected to the VPS, 0 tunnels")
    assert world.status()["gateways"][0]["since"] == before
    assert world.vps.count_log("a new login replaces") == 0


def test_an_ipv6_address_as_the_server_is_better_a_name():
    with World(vps={"VPS_HOST": "::1"}) as world:
        says(doctor(world.vps), "VPS_HOST", "--", "FreeRDP cannot open .rdp files with one; use a name")


def test_before_anything_runs(folder):
    """That is a finding, with how it is started; settings may be in the environment, or in a file."""
    with World(start_gateways=False) as world:
        says(doctor_of_an_idle(world.gateway), "gateway-agent", "!!",
             "not running with these settings; start it: gateway-agent")
        world.vps.stop()
        lines = doctor_of_an_idle(world.vps)
        says(lines, "vps-agent", "!!", "not running with these settings; start it: vps-agent")
        says(lines, "CONTROL_PORT", "ok", "is free")
        if os.geteuid() == 0:   # who may listen there, unlike the service
            says(doctor_of_an_idle(world.vps, ENTRANCE_PORT=1011), "ENTRANCE_PORT", "ok", "CAP_NET_BIND_SERVICE")
        path = folder / "vps.env"
        path.write_text("".join(f"{k}={v}\n" for k, v in world.vps.settings.items() if v is not None and "SSL" not in k))
        path.chmod(0o600)
        result = run("vps-agent", "--doctor", "--local", "--env-file", path)
        assert result.returncode == 1 and f"start it: vps-agent --local --env-file {path}\n" in result.stdout, result
        result = run("vps-agent", "--doctor", "--env-file", path)
        assert result.returncode == 1 and f"start it: vps-agent --env-file {path}\n" in result.stdout, result


def test_a_container_that_was_made_for_the_check_cannot_tell(world):
    """It has a STATE_DIR of its own, and perhaps a network of its own."""
    for daemon, other in ((world.vps, {"STATE_DIR": world.folder / "new"}), (world.gateway, {"GATEWAY_NAME": "other"})):
        result = subprocess.run(["unshare", "--user", "--map-root-user", "--pid", "--fork", program(daemon.name), "--doctor"],
                                env=environment({**daemon.settings, **other}), capture_output=True, text=True, timeout=60)
        assert re.search(f"^--  {daemon.name}: .* another container .*: .*exec {daemon.name} /{daemon.name} --doctor",
                         result.stdout, re.M), result


def test_a_gateway_that_runs_and_is_not_connected():
    with World(bot=False) as world:
        world.vps.stop()
        world.gateway.wait_log("lost|closed|cannot reach")
        lines = doctor(world.gateway, status=1)
        says(lines, "gateway-agent", "!!", "running, but not connected to the VPS, 0 tunnels: if everything else is fine, its log")
        says(lines, "VPS", "!!", "no vps-agent is listening on that port")


def test_an_agent_that_hangs_is_no_matter_of_rights(world):
    for daemon in (world.vps, world.gateway):
        daemon.freeze()
        try:
            says(doctor(daemon, status=1), daemon.name, "!!", "the agent does not answer; its log may say why")
        finally:
            daemon.thaw()


# ---------------------------------------------------------------- the gateway's troubles

@pytest.mark.parametrize("settings, what, text", [
    ({"TUNNEL_KEY": "0" * 64}, "key", "does not accept the key"),
    ({"VPS_HOST": "no-such-name.invalid"}, "VPS_HOST", "no-such-name.invalid"),
    ({"ALLOWED_TARGETS": "0.0.0.0/0:22"}, "targets", "/0"),
])
def test_what_is_wrong_with_a_gateway_is_told(world, settings, what, text):
    says(doctor(world.gateway, status=1, **settings), what, "!!", text)


def test_a_vps_that_is_not_there(world):
    lines = doctor(world.gateway, status=1, CONTROL_PORT=util.free_port())
    says(lines, "VPS", "!!", "no vps-agent is listening on that port")


def test_another_service_on_the_port(world):
    with peers.Recorder(reply=lambda data: b"HTTP/1.1 400 Bad Request\r\n\r\n") as other:
        lines = doctor(world.gateway, status=1, CONTROL_PORT=other.port)
        says(lines, "VPS", "!!", "does not answer like a vps-agent")


def test_wrong_settings_are_exit_status_2(world):
    result = run("gateway-agent", "--doctor", env={**world.gateway.settings, "CONTROL_PORT": "x"})
    assert result.returncode == 2 and result.stdout.startswith("!!  settings: CONTROL_PORT"), result
    result = run("vps-agent", "--doctor", env={**world.vps.settings, "ADMIT": "x"})
    assert result.returncode == 2 and result.stdout.startswith("!!  settings: ADMIT"), result


def test_names_that_are_none_and_names_that_stand_twice(world, folder):
    path = folder / "gateway.env"
    good = "".join(f"{k}={v}\n" for k, v in world.gateway.settings.items() if v is not None)
    path.write_text(good + "ALLOWED_TARGET=192.168.1.22:22\n")
    path.chmod(0o640)
    result = run("gateway-agent", "--doctor", "--env-file", path)
    assert result.returncode == 2 and "!!  settings: " in result.stdout, result
    assert "did you mean ALLOWED_TARGETS?" in result.stdout, result
    path.write_text(good + "KEEPALIVE_SECS=29\nKEEPALIVE_SECS=31\n")
    result = run("gateway-agent", "--doctor", "--env-file", path)
    assert result.returncode == 1 and re.search("!!  settings: .* sets KEEPALIVE_SECS in line", result.stdout), result


def test_a_key_that_everybody_may_read(world, folder):
    path = folder / "gateway.env"
    path.write_text("".join(f"{k}={v}\n" for k, v in world.gateway.settings.items() if v is not None))
    path.chmod(0o644)
    result = run("gateway-agent", "--doctor", "--env-file", path)
    assert result.returncode == 1 and f"chmod o-rwx {path}" in result.stdout, result
    path.chmod(0o640)
    assert run("gateway-agent", "--doctor", "--env-file", path).returncode == 0
    key = folder / "key"
    key.write_text(world.gateway.settings["TUNNEL_KEY"])
    key.chmod(0o604)
    result = run("gateway-agent", "--doctor",
                 env={**world.gateway.settings, "TUNNEL_KEY": None, "TUNNEL_KEY_FILE": key})
    assert result.returncode == 1 and f"chmod o-rwx {key}" in result.stdout, result


# ---------------------------------------------------------------- the server's troubles

def test_gateways_that_are_away_are_told_beside_one_that_is_online(world, folder):
    """What should be here for a while is a finding; what never was, and what may come in a moment, is said."""
    keys = {name: secrets.token_hex(32) for name in ("lan", "office", "attic", "back", "new")}
    away = [{"name": "office", "seconds": 7200, "address": "203.0.113.7"}, {"name": "attic", "seconds": 90, "address": None},
            {"name": "back", "seconds": 3, "address": "203.0.113.8"}, {"name": "new", "seconds": 7200, "address": None}]
    status = {"ok": True, "version": "9", "telegram": "online", "gateways": [{"name": "lan"}], "away": away}
    with FakeAgent(folder / "pamtunnel.sock", status=status):
        lines = doctor(world.vps, status=1, STATE_DIR=folder, TUNNEL_KEY=",".join(
            f"{name}:{key}" + f"@{int(time.time()) + 1000}" * (name == "new") for name, key in keys.items()))
    assert lines["gateways"] == [
        ("ok", "online, with the right key: lan"),
        ("!!", "office: away for 2 h (was at 203.0.113.7): gateway-agent --doctor there says why"),
        ("!!", "attic: has not logged in since vps-agent started 1 min 30 s ago: gateway-agent --doctor there says why"),
        ("--", "back: away for 3 s (was at 203.0.113.8)"),
        ("--", "new: has not logged in since vps-agent started 2 h ago")], lines["gateways"]
    with FakeAgent(folder / "pamtunnel.sock", status=status):   # one key for all: they may have other names today
        lines = doctor_without_findings(world.vps, "gateways", STATE_DIR=folder)
    assert [mark for mark, _ in lines["gateways"]] == ["ok", "--", "--", "--", "--"]


def test_no_gateway_is_online():
    with World(gateways=()) as world:
        says(doctor(world.vps, status=1), "gateways", "!!", "gateway-agent --doctor")


def test_a_bot_token_that_is_wrong(world):
    world.api.wrong_token_is_expected = True
    lines = doctor(world.vps, status=1, TELEGRAM_TOKEN="1:x")
    says(lines, "Bot API", "!!", "does not know this token")
    world.api.wrong_token_is_expected = False


def test_no_bot_api(world):
    lines = doctor(world.vps, status=1, TELEGRAM_API_URL=f"http://127.0.0.1:{util.free_port()}")
    says(lines, "Bot API", "!!", "does not answer")


def test_a_webhook_is_told(folder):
    with World(start_gateways=False, gateways=()) as world:
        world.vps.stop()
        world.api.webhook = True
        says(doctor(world.vps, status=1), "webhook", "!!", "another program gets its messages")
        assert world.api.webhook, "it is told, not taken away"


def test_a_clock_that_is_wrong(world, monkeypatch):
    monkeypatch.setattr(botapi.Handler, "date_time_string",
                        lambda self, timestamp=None: "Sun, 22 Nov 2020 10:00:00 GMT")
    says(doctor(world.vps, status=1), "clock", "!!", "ahead of the Bot API's")


def test_ports_that_are_taken():
    with World(start_gateways=False, gateways=()) as world:
        world.vps.stop()
        start = util.free_range(41)
        with contextlib.ExitStack() as stack:
            for port in range(start, start + 20):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
            lines = doctor(world.vps, status=1, PORT_RANGE_START=start, PORT_RANGE_END=start + 39,
                           CONTROL_PORT=start + 40)
            says(lines, "ports", "!!", f"only 20 of {start} to {start + 39} are free")
            lines = doctor(world.vps, status=1, PORT_RANGE_START=start, PORT_RANGE_END=start + 3,
                           CONTROL_PORT=start + 40)
            says(lines, "ports", "!!", f"only 0 of {start} to {start + 3} are free")
        lines = doctor_of_an_idle(world.vps, PORT_RANGE_START=start, PORT_RANGE_END=start + 3,
                                  CONTROL_PORT=start + 40)
        says(lines, "ports", "ok", "room for 2 more sessions")   # a small range is a choice
        with socket.create_server(("127.0.0.1", world.control_port)):
            says(doctor(world.vps, status=1), "CONTROL_PORT", "!!", "ss -ltnp")
        with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
            low = int(file.read().split()[0])
        says(doctor(world.vps, status=1, PORT_RANGE_START=low, PORT_RANGE_END=low + 200),
             "ports", "!!", "outgoing connections")


def test_a_host_that_is_another_one(world):
    """Wrong on a server with a public address; behind a translated one it cannot be told."""
    result = run("vps-agent", "--doctor", env={**world.vps.settings, "VPS_HOST": "203.0.113.250"})
    assert re.search(r"^(!!|--)  VPS_HOST: .*203\.0\.113\.250", result.stdout, re.M), result


def test_a_private_address_of_this_server_is_no_public_one(world):
    """In a network of its own, with no other: clients of a VPN come to it, others do not."""
    script = 'ip link set lo up && ip address add 10.1.2.3/32 dev lo && exec "$0" --doctor --local'
    result = subprocess.run(["unshare", "--user", "--map-root-user", "--net", "sh", "-c", script, program("vps-agent")],
                            env=environment({**world.vps.settings, "VPS_HOST": "10.1.2.3"}),
                            capture_output=True, text=True, timeout=60)
    assert re.search("^--  VPS_HOST: it points to this server, but 10.1.2.3 is a private address, which only",
                     result.stdout, re.M), result


def test_a_state_dir_that_others_may_write_to(folder):
    with World(start_gateways=False, gateways=()) as world:
        world.vps.stop()
        os.chmod(world.state_dir, 0o777)
        says(doctor(world.vps, status=1), "STATE_DIR", "!!", "chmod o-w")
        says(doctor_of_an_idle(world.vps, STATE_DIR=folder / "new"), "STATE_DIR", "--", "does not exist yet")


def test_the_state_file(folder):
    with World(start_gateways=False, gateways=()) as world:
        world.vps.stop()
        says(doctor_of_an_idle(world.vps), "state file", "ok", "state.db, schema ")
        says(doctor_of_an_idle(world.vps, STATE_DIR=folder / "new"), "state file", "--", "does not exist yet")
        assert not (folder / "new").exists(), "it only looks"
        path = world.state_dir / "state.db"
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA user_version=99")
        connection.close()
        says(doctor(world.vps, status=1), "state file", "!!", "its schema is 99")
        if os.geteuid() == 0:
            with sqlite3.connect(path) as connection:
                connection.execute("PRAGMA user_version=1")
            connection.close()
            os.chown(path, 12345, 12345)
            says(doctor(world.vps, status=1), "state file", "!!", "belongs to uid 12345")
        path.write_bytes(b"no database" * 100)
        says(doctor(world.vps, status=1), "state file", "!!", "is damaged")


def test_it_ends_in_time_when_nobody_answers(world):
    """A server that takes the connection and says nothing."""
    with util.server() as silent:
        began = time.monotonic()
        lines = doctor(world.gateway, status=1, CONTROL_PORT=silent.getsockname()[1])
        says(lines, "VPS", "!!", "took too long")
        assert time.monotonic() - began < 25 * util.TIME_SCALE
