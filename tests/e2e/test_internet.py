"""The whole journey over a small Internet: a gateway that nobody can reach, a LAN behind
it, a user and scanners with addresses of their own, and lines that break."""

import threading

import netns
import pytest
import rdp
import sshd as openssh
from agents import OWNER, World, now, port_of
from junk import Storm
from peers import BANNER, RdpFile, Recorder, connection_request, cookie, echo, listening
from sshd import USER, Sshd, random_file
from util import TIME_SCALE, eventually, read_exactly

KEEPALIVE = 1


@pytest.fixture(scope="module")
def far_world(internet):
    with World(net=internet, gateway={"KEEPALIVE_SECS": KEEPALIVE}, vps={"RECONNECT_GRACE": 3}) as world:
        yield world


@pytest.fixture(autouse=True)
def settled(far_world):
    yield
    far_world.settle()


@pytest.fixture
def lan_target(internet):
    """A target at the usual port, since the gateway serves no others."""
    with Recorder(echo, listener=internet.lan.listen("0.0.0.0", 22)) as recorder:
        yield recorder


def storm(world, internet, session, count=150):
    ports = [session["public_port"], session["data_port"], world.control_port]
    return Storm(ports, count, netns.SCANNERS, netns.VPS, run=internet.client.inside, at_once=4)


def let_in(world, session, address):
    """Taps [Admit] if somebody asks; an address that was in before is not asked about."""
    def look():
        found = world.session(session["id"])
        if not found or found["state"] == "connected":
            return "in"     # a quick one may even be through
        return "parked" if address in found["parked"] else None

    if eventually(look, f"{address} is in or parked", 20) == "parked":
        question = world.api.wait_message(
            lambda m: m.says(address, "wants in") and m.button("admit"), 20 * TIME_SCALE, 0, OWNER)
        world.api.wait_answer(world.api.tap(OWNER, question, "admit"))


def ssh_in(world, internet):
    """A raw SSH client of the user, admitted; (socket, session)."""
    port = port_of(world.ssh("HOME-PC").code[0])
    session = world.newest_session()
    client = internet.client.connect(netns.VPS, port, netns.CLIENT)
    client.sendall(BANNER)
    let_in(world, session, netns.CLIENT)
    assert read_exactly(client, len(BANNER)) == BANNER
    return client, session


@pytest.mark.slow
def test_ssh_and_scp_to_a_name_in_the_lan_while_scanners_are_at_the_door(far_world, internet, folder):
    with Sshd("0.0.0.0", internet.lan, 22) as server:
        config = server.client_config("HOME-PC")
        live = far_world.ssh(f"{USER}@HOME-PC")
        command = live.code[0]
        assert openssh.without_key(command) == f"ssh -p {port_of(command)} -o HostKeyAlias=home-pc {USER}@{netns.VPS}"
        source = random_file(folder / "source", 10)
        outcome = []
        client = threading.Thread(target=lambda: outcome.append(openssh.ssh(
            command, config, f"cat > {folder}/copy; hostname -I || true; echo done",
            data=source.read_bytes(), namespace=internet.client)))
        session = far_world.newest_session()
        with storm(far_world, internet, session) as junk:
            client.start()
            let_in(far_world, session, netns.CLIENT)
            client.join(60 * TIME_SCALE)
        assert outcome and outcome[0].stdout.endswith(b"done\n"), (outcome, server.log)
        assert (folder / "copy").read_bytes() == source.read_bytes()
        far_world.api.wait(lambda: live.says("ended", netns.CLIENT), 15, "the end is said")
        assert junk.accepted > 0
        peers = {line.split("Connection from ")[1].split()[0]
                 for line in server.log.splitlines() if "Connection from" in line}
        assert peers == {netns.GATEWAY_IN_LAN}, "only the gateway reaches the target"


@pytest.mark.slow
def test_a_real_rdp_client_sees_the_login_screen_of_a_machine_in_the_lan(far_world, internet, folder):
    with rdp.Xrdp("0.0.0.0", internet.lan, 3389) as server, rdp.Display() as display:
        document, live = far_world.rdp("HOME-PC")
        assert document.document.file_name == "HOME-PC.rdp"
        path = folder / document.document.file_name
        path.write_bytes(document.document.data)
        session = far_world.newest_session()
        with storm(far_world, internet, session), \
                rdp.Client(display, path, namespace=internet.client, log_path=folder / "client.log") as client:
            rdp.wait_login_screen(display, client, folder, "internet-login")
            # one of several addresses of the client's machine, none of a scanner alone
            far_world.api.wait(lambda: live.says("connected from 203.0.113."), 15, "the chat says who came")
            far_world.api.wait_answer(far_world.api.tap(OWNER, live, "close"))
            far_world.wait_state(session["id"], "ended")
            eventually(lambda: not listening(session["public_port"], far_world.vps.pid), "the port is closed")
        assert server.log.count("connection received") <= 2, "the gateway's probe and the user"
        far_world.api.wait(lambda: document.deleted and live.says("ended"), 15, "the end is said")


def test_the_server_itself_has_no_way_into_the_lan(internet, lan_target):
    with pytest.raises(OSError):
        internet.vps.connect(netns.TARGET, lan_target.port, timeout=1)
    with pytest.raises(OSError):
        internet.vps.connect(netns.GATEWAY, 22, timeout=1)


def test_ipv6_all_the_way(far_world, internet):
    listener = internet.lan.listen("::", 22)
    with Recorder(echo, listener=listener) as target:
        far_world.ssh(f"[{netns.TARGET6}]")
        session = far_world.newest_session()
        client = internet.client.connect(netns.VPS6, session["public_port"], netns.CLIENT6)
        client.sendall(BANNER)
        let_in(far_world, session, netns.CLIENT6)
        assert read_exactly(client, len(BANNER)) == BANNER
        assert target.talked[0].address[0] == "fd00:1::1"
        assert far_world.session(session["id"])["client"] == netns.CLIENT6
        client.close()


def test_admit_lets_in_the_address_that_it_names_and_not_its_neighbour(far_world, internet):
    with Recorder(echo, listener=internet.lan.listen("0.0.0.0", 22)) as target:
        session = far_world.pamctl.json("ssh", "HOME-PC")["session"]
        asked = []
        for address, says in ((netns.CLIENT6, BANNER), (netns.NEIGHBOUR6, b"SSH-2.0-neighbour\r\n")):
            client = internet.client.connect(netns.VPS6, session["public_port"], address)
            client.sendall(says)
            eventually(lambda: address in far_world.session(session["id"])["parked"], "it is parked")
            asked.append(client)
        far_world.pamctl("admit", session["id"], netns.CLIENT6)
        assert read_exactly(asked[0], len(BANNER)) == BANNER
        assert [c.data for c in target.talked] == [BANNER]
        for client in asked:
            client.close()


def test_the_rdp_secret_works_from_one_address_at_a_time(far_world, internet):
    with Recorder(echo, listener=internet.lan.listen("0.0.0.0", 3389)) as target:
        document, _ = far_world.rdp("HOME-PC")
        file = RdpFile(document.document.data)
        request, plain = connection_request(cookie(file.secret)), connection_request()
        assert file.host == netns.VPS
        user = internet.client.connect(netns.VPS, file.port, netns.CLIENT)
        user.sendall(request)
        assert read_exactly(user, len(plain)) == plain
        thief = internet.client.connect(netns.VPS, file.port, netns.SCANNERS[0])
        thief.sendall(request)
        thief.settimeout(10)
        try:
            assert thief.recv(100) == b""
        except ConnectionError:
            pass
        assert len(target.talked) == 1
        user.close()


@pytest.mark.slow
def test_a_cut_line_is_noticed_by_both_and_a_session_lives_through_it(far_world, internet, lan_target):
    """Silence, as when a modem loses power: no FIN, no RST. And then it is back."""
    client, session = ssh_in(far_world, internet)
    log_before = far_world.gateway.count_log("lost|dead|unanswered|broke|closed|timed out|silent")
    internet.cut()
    began = now()
    client.sendall(b"sent into the dark")
    eventually(lambda: not far_world.status()["gateways"], "vps-agent notices", 3 * KEEPALIVE + 1.5)
    eventually(lambda: far_world.gateway.count_log("lost|dead|unanswered|broke|closed|timed out|silent") > log_before,
               "gateway-agent notices", 3 * KEEPALIVE + 1.5)
    print(f"both noticed after {now() - began:.1f} s")
    assert far_world.session(session["id"])["state"] == "connected"
    since = far_world.api.mark()
    far_world.api.say(OWNER, "/ssh HOME-PC")
    far_world.api.wait_message(lambda m: m.says("gateway") and not m.buttons, 10 * TIME_SCALE, since, OWNER)
    internet.mend()
    assert read_exactly(client, 18, 30) == b"sent into the dark"
    far_world.ready(timeout=90)
    client.sendall(b"and on")
    assert read_exactly(client, 6) == b"and on"
    assert [c.data for c in lan_target.talked] == [BANNER + b"sent into the dark" + b"and on"]
    client.close()


@pytest.mark.slow
def test_a_change_of_the_servers_address_is_picked_up(internet):
    """VPS_HOST is a name; the server moves, the name follows, the gateway too."""
    moved = "198.51.100.3"
    internet.dns.answers["vps.test"] = netns.VPS_FOR_GATEWAY
    with World(net=internet, bot=False, gateway={"KEEPALIVE_SECS": KEEPALIVE, "VPS_HOST": "vps.test"}) as world:
        move(internet, netns.VPS_FOR_GATEWAY, moved)
        try:
            internet.dns.answers["vps.test"] = moved
            eventually(lambda: not world.status()["gateways"], "the old line is given up", 10)
            world.ready(["lan"], timeout=60)
            world.gateway.wait_log(moved)
        finally:
            move(internet, moved, netns.VPS_FOR_GATEWAY)


def move(internet, old, new):
    internet.vps.ip("address", "del", f"{old}/29", "dev", "gw")
    internet.vps.ip("address", "add", f"{new}/29", "dev", "gw")
