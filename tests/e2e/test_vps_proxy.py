"""VPS_PROXY and HTTPS_PROXY: a gateway that reaches the VPS through an HTTP proxy alone."""

import contextlib
import re
import shutil
import subprocess

import netns
import peers
import pytest
import util
from agents import World, run
from proxies import Proxy
from util import eventually

LOGIN, PLAIN = "some%40one:h%3Ash%2Fx", "some@one:h:sh/x"      # in the URL, and as the proxy gets it
HUSH = ("h:sh/x", "h%3Ash", "aDpzaC94")
ONE_PORT = {"DATA_PORT": "control", "ADMIT": "auto"}


@contextlib.contextmanager
def world_behind(proxy, credentials=LOGIN, vps=ONE_PORT, **gateway):
    settings = {"VPS_PROXY": proxy.url(credentials), **gateway}
    with World(bot=False, vps=vps, gateway=settings, wait_ready=False) as world:
        yield world
        assert not [word for word in HUSH if word in world.gateway.log], "the password is in the log"
        if world.gateway.alive():
            with open(f"/proc/{world.gateway.pid}/cmdline") as file:
                assert not [word for word in HUSH if word in file.read()]


def use(world, target, count=2):
    session = world.pamctl.json("ssh", target.name)["session"]
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(peers.dial(session["public_port"]))
            client.sendall(peers.BANNER)
            assert util.read_exactly(client, len(peers.BANNER)) == peers.BANNER
            client.sendall(b"and on")
            assert util.read_exactly(client, 6) == b"and on"
    world.pamctl("close", session["id"])


@pytest.fixture
def target():
    """Hangs up when its client has: a proxy may make that of a reset."""
    def serve(connection):
        with connection.socket as sock:
            while data := sock.recv(65536):
                sock.sendall(data)

    with peers.Recorder(on_connect=serve) as recorder:
        yield recorder


# ---------------------------------------------------------------- it works

def test_login_and_channels_go_through_it(target):
    with Proxy("http", PLAIN) as proxy, world_behind(proxy) as world:
        world.ready()
        use(world, target)
        world.gateway.wait_log(rf"to the VPS through the proxy http://127.0.0.1:{proxy.port} \(VPS_PROXY\)")
        asked = {(method, where, login) for method, where, login in proxy.seen}
        assert asked == {("CONNECT", f"127.0.0.1:{world.control_port}", PLAIN)}, asked
        assert len(proxy.seen) >= 3, "the login and two channels"


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY"])
def test_what_the_environment_says_is_taken(target, variable):
    with Proxy() as proxy, World(bot=False, vps=ONE_PORT, gateway={
            variable: proxy.url().removeprefix("http://" if variable == "HTTPS_PROXY" else "")}) as world:
        use(world, target)
        world.gateway.wait_log(rf"through the proxy http://127.0.0.1:{proxy.port} \({variable}\)")
        assert proxy.seen
        told = run("gateway-agent", "--doctor", env=world.gateway.settings, timeout=60).stdout
        assert f"--  proxy: {variable} is of the environment here" in told, told


def test_what_the_environment_excepts_is_reached_straight(target):
    with Proxy() as proxy, World(bot=False, vps=ONE_PORT, gateway={
            "https_proxy": proxy.url(), "NO_PROXY": "example.org,127.0.0.1"}) as world:
        use(world, target)
        assert not proxy.seen


def test_the_proxy_looks_the_name_up(target):
    """The gateway has no name server for it."""
    with Proxy() as proxy, world_behind(proxy, None, VPS_HOST="localhost") as world:
        world.ready()
        use(world, target)
        assert {where for _, where, _ in proxy.seen} == {f"localhost:{world.control_port}"}


def test_an_ipv6_address_is_put_in_brackets(target):
    with Proxy() as proxy, world_behind(proxy, None, {**ONE_PORT, "BIND_ADDRESS": "::"}, VPS_HOST="::1") as world:
        world.ready()
        use(world, target)
        assert {where for _, where, _ in proxy.seen} == {f"[::1]:{world.control_port}"}


def test_a_reload_moves_to_the_proxy(target):
    with Proxy() as proxy, World(bot=False, vps=ONE_PORT, env_files=True) as world:
        line = world.gateway.reload(VPS_PROXY=proxy.url())
        assert "VPS_PROXY" in line and "restart" not in line, line
        eventually(lambda: proxy.seen, "it is asked")
        world.ready()
        use(world, target)
        assert "not reloaded" in world.gateway.reload(VPS_PROXY="https://127.0.0.1:1")
        use(world, target)


# ---------------------------------------------------------------- it does not

SAYS = [
    (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "wants a user name and a password (407)"),
    (b"HTTP/1.1 403 Forbidden\r\n\r\n", "does not let connections to 127.0.0.1:{port} through (403)"),
    (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "cannot reach 127.0.0.1:{port} (502)"),
    (b"HTTP/1.1 302 Found\r\nLocation: http://login.lan/\r\n\r\n", "a page of its own (302), as networks do where one has to log in"),
    (b"HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\nContent-Length: 2\r\n\r\nno", "another kind of login than basic (407)"),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 Forbidden\r\n\r\n", "does not let connections to 127.0.0.1:{port} through (403)"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "does not answer like an HTTP proxy"),
    (b"\x15\3\1\0\2\2\x46", "it speaks TLS, and is to be asked without"),
    (b"", "the proxy broke the connection off"),
]


@pytest.mark.parametrize("says, words", SAYS, ids=["407", "403", "502", "302", "NTLM", "100", "ssh", "TLS", "nothing"])
def test_why_it_does_not_work_is_said(says, words):
    with Proxy(says=says) as proxy, world_behind(proxy, None) as world:
        words = words.format(port=world.control_port)
        eventually(lambda: words in world.gateway.log, words)
        told = run("gateway-agent", "--doctor", env=world.gateway.settings, timeout=60).stdout
        assert f"!!  VPS: cannot reach 127.0.0.1:{world.control_port}: " in told and words in told, told
        assert not eventually(world.status, "vps-agent answers")["gateways"], "nothing else was tried"


def test_one_that_looks_into_tls_is_thought_of():
    """As one that answers in the server's place: what it says there is no vps-agent's."""
    with Proxy(says=b"HTTP/1.1 200 OK\r\n\r\n<html>") as proxy, world_behind(proxy, None) as world:
        world.gateway.wait_log("Or the proxy looks into TLS: have it pass this server as it is")
        told = run("gateway-agent", "--doctor", env=world.gateway.settings, timeout=60).stdout
        assert "does the proxy pass TLS to it without looking into it?" in told, told


def test_a_wrong_password_is_not_tried_over_and_over():
    with Proxy("http", "another:one") as proxy, world_behind(proxy) as world:
        world.gateway.wait_log(r"does not accept the user name or password \(407\); next try in 60.0 s")
        assert len(proxy.seen) == 1, proxy.seen


def test_a_proxy_that_is_down_is_said_and_nothing_else_tried():
    with World(bot=False, vps=ONE_PORT, wait_ready=False,
               gateway={"VPS_PROXY": f"http://127.0.0.1:{util.free_port()}"}) as world:
        world.gateway.wait_log(r"the proxy 127.0.0.1:\d+ \(VPS_PROXY\) cannot be reached: Connection refused")
        assert not eventually(world.status, "vps-agent answers")["gateways"]


def test_a_proxy_that_lets_one_port_through_takes_one_port(target):
    """With random ports the user reads what to do about it."""
    with Proxy(ports=[]) as proxy:
        with world_behind(proxy, None, {"ADMIT": "auto"}) as world:
            proxy.ports = [world.control_port]
            world.ready(timeout=30)
            answer = world.pamctl.json("ssh", target.name, ok=False)
            assert "does not let connections to" in str(answer) and "DATA_PORT=control on the server" in str(answer), answer
        with world_behind(proxy, None) as world:
            proxy.ports = [world.control_port]
            world.ready(timeout=30)
            use(world, target)


@pytest.mark.parametrize("value", ["socks5h://127.0.0.1:1", "https://me:hush@127.0.0.1:1", "http://127.0.0.1", "127.0.0.1:1",
                                   "http://hush@127.0.0.1:1"])
def test_what_is_no_such_proxy_stops_it_at_the_start(value):
    settings = {"VPS_HOST": "127.0.0.1", "TUNNEL_KEY": "0" * 64, "VPS_PROXY": value}
    result = run("gateway-agent", env=settings)
    assert result.returncode == 2 and "VPS_PROXY" in result.stderr and "hush" not in result.stderr, result
    del settings["VPS_PROXY"]
    if "://" in value:
        result = run("gateway-agent", env={**settings, "HTTPS_PROXY": value})
        assert result.returncode == 2 and "HTTPS_PROXY in the environment: " in result.stderr, result
        assert "hush" not in result.stderr


# ---------------------------------------------------------------- before it runs

def test_doctor_goes_through_it():
    with Proxy("http", PLAIN) as proxy, world_behind(proxy) as world:
        world.ready()
        seen = len(proxy.seen)
        told = run("gateway-agent", "--doctor", env=world.gateway.settings, timeout=60).stdout
        assert f"ok  proxy: the VPS is reached through http://127.0.0.1:{proxy.port} (from VPS_PROXY)" in told, told
        assert "of the environment" not in told, told
        assert "answers through the proxy" in told and "ok  key: both sides have the same one" in told, told
        assert len(proxy.seen) == seen + 1 and not [word for word in HUSH if word in told]


def test_join_goes_through_it_and_keeps_it(folder):
    """What a shell's environment says is not the service's."""
    with World(bot=False, gateways=(), vps=ONE_PORT) as world, Proxy("http", PLAIN) as proxy:
        added = world.pamctl("gateway", "add", "office")
        text = next(word for word in added.stdout.split() if word.startswith("pamtunnel2.") or word.startswith("pamtunnel1."))
        file = folder / "gateway.env"
        result = run("gateway-agent", "--join", text, "--env-file", file,
                     env={"HTTPS_PROXY": proxy.url(LOGIN)}, timeout=60)
        assert result.returncode == 0, result
        assert f"Through the proxy http://127.0.0.1:{proxy.port} (HTTPS_PROXY)." in result.stdout
        assert proxy.seen and not [word for word in HUSH if word in result.stdout + result.stderr]
        assert f"VPS_PROXY={proxy.url(LOGIN)}\n" in file.read_text().replace('"', "").replace("'", "")


def test_pairing_goes_through_it(folder, target):
    with Proxy("http", PLAIN) as proxy, World(bot=False, gateways=(), vps={**ONE_PORT, "TUNNEL_KEY": None}) as world:
        world.add_gateway("office", VPS_PROXY=proxy.url(LOGIN), TUNNEL_KEY=None, STATE_DIR=folder)
        line = world.gateway.wait_log(r"\d{3} \d{3}", 20)[0]
        code = re.search(r"(\d{3}) (\d{3})", line)
        eventually(lambda: world.pamctl("gateway", "accept", code[1] + code[2]).returncode == 0, "it is let in", 20)
        world.ready(["office"], timeout=30)
        use(world, target)
        assert {login for _, _, login in proxy.seen} == {PLAIN}


# ---------------------------------------------------------------- a network with nothing but a proxy

@pytest.fixture
def shut_in(internet):
    """The gateway reaches one port of the VPS's machine, where a proxy listens."""
    if not shutil.which("iptables"):
        pytest.skip("no iptables here")
    rule = ["INPUT", "-i", "gw", "-p", "tcp", "!", "--dport", "3128", "-j", "DROP"]
    netns.run(*internet.vps.command("iptables", "-w", "-A", *rule))
    yield internet
    netns.run(*internet.vps.command("iptables", "-w", "-D", *rule))


def lan_use(world, internet):
    with peers.Recorder(peers.echo, listener=internet.lan.listen("0.0.0.0", 22)):
        session = world.pamctl.json("ssh", "HOME-PC")["session"]
        with internet.client.connect(netns.VPS, session["public_port"], netns.CLIENT) as client:
            client.sendall(peers.BANNER)
            assert util.read_exactly(client, len(peers.BANNER)) == peers.BANNER


def test_only_the_proxy_is_reachable(shut_in):
    proxy = shut_in.vps.inside(lambda: Proxy(address=("198.51.100.1", 3128)).__enter__())
    with contextlib.ExitStack() as undo, World(net=shut_in, bot=False, vps=ONE_PORT,
                  gateway={"VPS_HOST": netns.VPS, "VPS_PROXY": "http://198.51.100.1:3128"}) as world:
        undo.callback(proxy.__exit__)
        lan_use(world, shut_in)
        assert {where for _, where, _ in proxy.seen} == {f"{netns.VPS}:{world.control_port}"}


def unpacked(package, name):
    """A daemon of Debian's, not installed: its path."""
    if found := shutil.which(name):
        return found
    folder = util.BUILD / "daemons" / package
    if not folder.exists():
        folder.mkdir(parents=True)
        if subprocess.run(["apt-get", "download", "-q", package], cwd=folder, capture_output=True).returncode == 0:
            subprocess.run(["sh", "-c", "dpkg -x *.deb ."], cwd=folder, check=True)
    for found in folder.glob(f"**/{name}"):
        if found.is_file():
            return str(found)
    return pytest.skip(f"no {name} here")


def test_a_tinyproxy(shut_in, folder):
    """As it comes: CONNECT to few ports, and basic authentication."""
    daemon = unpacked("tinyproxy-bin", "tinyproxy")
    with World(net=shut_in, bot=False, vps=ONE_PORT, gateways=()) as world:
        (folder / "tinyproxy.conf").write_text(
            "Port 3128\nListen 198.51.100.1\nTimeout 600\nMaxClients 50\nAllow 198.51.100.2\n"
            f"BasicAuth someone secret\nConnectPort {world.control_port}\nLogFile \"{folder}/log\"\n")
        process = subprocess.Popen(shut_in.vps.command(daemon, "-d", "-c", folder / "tinyproxy.conf"),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            settings = {"VPS_HOST": netns.VPS, "VPS_PROXY": "http://someone:secret@198.51.100.1:3128"}
            world.add_gateway("lan", **settings)
            world.ready(["lan"], timeout=30)
            lan_use(world, shut_in)
            wrong = world.add_gateway("wrong", **{**settings, "VPS_PROXY": "http://someone:else@198.51.100.1:3128"})
            wrong.wait_log(r"the proxy does not accept the user name or password \(401\)", 20)
        finally:
            process.terminate()
            process.wait(10)
