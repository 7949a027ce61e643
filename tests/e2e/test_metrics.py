"""METRICS_LISTEN: both agents are scraped while people work, and say how they are."""

import socket
import subprocess

import agents
import peers
import pytest
import sshd as openssh
import util
from agents import FRIEND, OWNER, World
from openmetrics import get, health, scrape
from util import TIME_SCALE, eventually


@pytest.fixture
def target():
    with peers.Recorder(reply=peers.echo) as recorder:
        yield recorder


@pytest.fixture
def places(folder):
    """Where the two are watched: a port, and a Unix socket."""
    return f"127.0.0.1:{util.free_range(1)}", f"{folder}/gateway.sock"


def watched(places, **options):
    vps, gateway = places
    return World(vps={"METRICS_LISTEN": vps, "RECONNECT_GRACE": 1, **options.pop("vps", {})},
                 gateway={"METRICS_LISTEN": gateway, "KEEPALIVE_SECS": 1}, **options)


def test_an_ssh_session_leaves_its_numbers_with_both(places, sshd):
    vps, gateway = places
    with watched(places, vps={"ADMIT": "ask"}) as world:
        before = scrape(vps)
        assert before("pamtunnel_gateways") == before("pamtunnel_gateway_up", gateway="lan") == 1
        assert before("pamtunnel_bot_up") == before("pamtunnel_store_up") == 1
        assert before("pamtunnel_telegram_answers_total", method="getMe", code="200") >= 1
        assert before("pamtunnel_build_info", program="vps-agent", version=program_version()) == 1
        assert before("process_resident_memory_bytes") == pytest.approx(world.vps.rss_kb() * 1024, rel=0.2)
        assert scrape(gateway)("pamtunnel_uplink_up") == 1

        line = world.ssh(f"{openssh.USER}@{sshd.name}").code[0]
        assert scrape(vps)("pamtunnel_sessions", state="waiting", kind="ssh") == 1
        client = subprocess.Popen([*openssh.with_config(line, sshd.client_config("127.0.0.1")), "cat"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        question = world.api.wait_message("wants in")
        assert scrape(vps)("pamtunnel_clients_waiting") == 1
        world.api.tap(OWNER, question, "Admit")
        client.stdin.write(b"x" * 50_000)
        client.stdin.flush()
        assert len(client.stdout.read(50_000)) == 50_000
        page = scrape(vps)
        assert page("pamtunnel_relay_pairs") == page("pamtunnel_connections") == 1
        assert page("pamtunnel_sessions", state="connected", kind="ssh") == 1
        assert page("pamtunnel_relayed_bytes_total", to="target") > 50_000, "of what runs"
        assert scrape(gateway)("pamtunnel_tunnels") == scrape(gateway)("pamtunnel_relay_pairs") == 1
        assert page("pamtunnel_admissions_total", verdict="asked") == 1
        assert page("pamtunnel_admissions_total", verdict="admitted") == 1
        client.stdin.close()
        assert client.wait(10 * TIME_SCALE) == 0
        eventually(lambda: scrape(vps)("pamtunnel_sessions_ended_total", end="disconnected") == 1, "it is over")
        vps_page, gateway_page = scrape(vps), scrape(gateway)
        assert not any(vps_page("pamtunnel_sessions", state=state, kind="ssh") for state in ("waiting", "connected"))
        assert vps_page("pamtunnel_sessions_opened_total", kind="ssh") == 1
        assert vps_page("pamtunnel_sessions_opened_total", kind="rdp") == 0
        for page in vps_page, gateway_page:
            assert 50_000 < page("pamtunnel_relayed_bytes_total", to="target") < 100_000
            assert 50_000 < page("pamtunnel_relayed_bytes_total", to="client") < 100_000
        assert gateway_page("pamtunnel_dials_total", result="connected") == 1
        assert gateway_page("pamtunnel_targets_found_total", by="dns") == 1
        assert gateway_page("pamtunnel_targets_found_total", by="mdns") == 0
        # every number has its family, and counters only grow
        for name, value in before.samples.items():
            if name[0].endswith("_total"):
                assert vps_page.samples[name] >= value, name
        eventually(lambda: 0 < scrape(vps)("pamtunnel_gateway_round_trip_seconds", gateway="lan") < 1, "a round trip")
        eventually(lambda: 0 < scrape(gateway)("pamtunnel_uplink_round_trip_seconds") < 1, "a round trip")


def program_version():
    return agents.run("pamctl", "--version").stdout.split()[1]


def test_what_is_refused_is_counted_by_its_reason(places, target):
    vps, gateway = places
    with watched(places, vps={"MAX_SESSIONS_PER_USER": 1}) as world:
        world.pamctl.json("ssh", "attic/x", ok=False)
        world.ssh(target.name, user=FRIEND)
        world.api.say(FRIEND, f"/ssh {target.name}")
        world.api.wait_message("too many sessions", chat=FRIEND)
        dead = util.free_range(1)
        assert world.pamctl.json("ssh", f"127.0.0.1:{dead}", ok=False)["error"] == "not_opened"
        page = scrape(vps)
        assert page("pamtunnel_sessions_refused_total", reason="no_such_gateway") == 1
        assert page("pamtunnel_sessions_refused_total", reason="user_limit") == 1
        assert page("pamtunnel_sessions_refused_total", reason="not_allowed") == 0
        assert page("pamtunnel_sessions_ended_total", end="refused") == 1
        assert scrape(gateway)("pamtunnel_dials_total", result="refused") == 1
        # a stranger at the control port
        with socket.create_connection(("127.0.0.1", world.control_port), 5) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            stranger.recv(100)
        eventually(lambda: scrape(vps)("pamtunnel_control_port_failures_total") == 1, "the stranger is counted")


def test_who_comes_to_the_entrance_is_counted(places, target):
    vps, _ = places
    entrance = util.free_range(1)
    with watched(places, vps={"ENTRANCE_PORT": entrance, "ADMIT": "auto"}) as world:
        def results():
            page = scrape(vps)
            return {result: page("pamtunnel_entrance_total", result=result)
                    for result in ("taken", "nobodys", "several", "left", "made_room")}

        world.ssh(target.name)
        with peers.dial(world.newest_session()["public_port"]) as known:
            known.sendall(peers.BANNER)
            assert util.read_exactly(known, len(peers.BANNER)) == peers.BANNER, "its party is known"
            assert not any(results().values())
            with socket.create_connection(("127.0.0.1", entrance), 5) as scanner:
                scanner.sendall(b"\x00\xff nonsense\r\n\r\n" * 40)
                eventually(lambda: results()["nobodys"] == 1, "a scanner is nobody's")
            with socket.create_connection(("127.0.0.1", entrance), 5):
                pass
            eventually(lambda: results()["left"] == 1, "one has left")
            with socket.create_connection(("127.0.0.1", entrance), 5) as client:
                client.sendall(peers.BANNER)
                eventually(lambda: results()["taken"] == 1, "its session has taken it")
        assert results() == {"taken": 1, "nobodys": 1, "several": 0, "left": 1, "made_room": 0}
    with watched(places) as world:
        assert not any(name[0].startswith("pamtunnel_entrance") for name in scrape(vps).samples)


def test_health_turns_bad_and_good_again(places):
    vps, gateway = places
    with watched(places) as world:
        assert health(vps) == (200, "ok\n") and health(gateway) == (200, "ok\n")
        world.gateway.freeze()
        world.gateway.kill()
        eventually(lambda: health(vps) == (503, "no gateway is online\n"), "it is missed")
        page = scrape(vps)
        assert page("pamtunnel_gateways") == 0 and page("pamtunnel_gateway_up", gateway="lan") == 0
        assert page("pamtunnel_gateway_losses_total") == 1
        world.gateway.start()
        eventually(lambda: health(vps) == (200, "ok\n"), "it is back")
        assert scrape(vps)("pamtunnel_gateway_logins_total") == 2
        world.gateway.take_baseline()

        world.vps.stop()
        eventually(lambda: health(gateway) == (503, "not connected to the VPS\n"), "the VPS is missed")
        assert scrape(gateway)("pamtunnel_uplink_up") == 0
        world.vps.start()
        world.ready()
        eventually(lambda: health(gateway) == (200, "ok\n"), "the VPS is back", 30)


def test_nothing_else_is_there_and_the_others_are_served(places):
    """Also while as many as there may be say nothing."""
    vps, gateway = places
    with watched(places, bot=False) as world:
        for where in places:
            for method, path in (("GET", "/"), ("POST", "/metrics"), ("GET", "/metrics/x"), ("DELETE", "/healthz")):
                assert get(where, path, method)[0] == 404, (method, path)
        host, port = vps.split(":")
        crowd = [socket.create_connection((host, int(port)), 5) for _ in range(100)]
        assert health(vps)[0] == 200 and scrape(vps)("pamtunnel_gateways") == 1
        for one in crowd:
            one.close()
        # it is for this machine
        assert world.vps.count_log("listen") == 0
        assert scrape(vps)("pamtunnel_bot_up") is None, "there is none with --local"


def test_the_numbers_hold_nobodys_name_or_secret(places, target):
    vps, gateway = places
    with watched(places) as world:
        world.ssh(f"zaphod@{target.name}")
        for page in scrape(vps), scrape(gateway):
            for secret in (world.token, world.key, "zaphod", target.name):
                assert secret not in page.text, secret


@pytest.mark.parametrize("agent", ["vps-agent", "gateway-agent"])
@pytest.mark.parametrize("address, reason", [
    ("0.0.0.0:9477", "0.0.0.0 is not a loopback address: what is served there is for this machine alone"),
    ("[2001:db8::1]:9477", "2001:db8::1 is not a loopback address"),
    ("9477", "ADDRESS:PORT with a loopback address"), ("localhost:9477", "ADDRESS:PORT with a loopback address"),
    ("metrics.sock", "the path of a Unix socket")])
def test_only_this_machine_can_be_served(agent, address, reason):
    args = ["--local"] if agent == "vps-agent" else []
    result = agents.run(agent, "--check", *args, env={"VPS_HOST": "vps.example", "TUNNEL_KEY": "ab" * 32,
                                                      "METRICS_LISTEN": address})
    assert result.returncode == 2 and reason in result.stderr and "METRICS_LISTEN" in result.stderr, result


def test_an_address_that_is_taken_keeps_nobody_from_working(places, target):
    vps, _ = places
    host, port = vps.split(":")
    with socket.create_server((host, int(port))), watched(places) as world:
        world.vps.wait_log(rf"METRICS_LISTEN: cannot listen on {vps}: Address already in use; the agent runs on")
        world.ssh(target.name)


def test_a_socket_that_a_killed_agent_left_behind_is_taken_over(places):
    _, gateway = places
    with watched(places) as world:
        world.gateway.kill()
        world.gateway.start()
        world.ready()
        eventually(lambda: health(gateway)[0] == 200, "served again")
        world.gateway.take_baseline()


