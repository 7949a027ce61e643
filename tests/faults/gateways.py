"""Gateways: whether they can log in, and what becomes of sessions when they come from elsewhere."""

import contextlib
import itertools
import random
import re
import secrets
import socket
import subprocess
import threading
import time

import agents
import netns
import peers
import util
import wire as protocol
from agents import LOOPBACK_TARGETS, OWNER
from harness import Found, RdpSession, Session, answered, circumstance, is_in, need
from places import USER, WIRE_FAR, WIRE_FAR_LATER, WIRE_HERE, Here, Net, Wire, far_away
from telegram import dead_listener

PART = "Gateways"


def on_a_wire(run, *, keepalive=30, ready=True, **options):
    """A gateway far away at the other end of a Wire; (World, Wire)."""
    far = run.use(far_away())
    wire = run.use(Wire(far))
    world = run.world(net=Net(gateway=far), start_gateways=ready, wait_ready=ready, vps={
        "VPS_HOST": "127.0.0.1", "ADMIT": "auto", **options}, gateway={
        "VPS_HOST": WIRE_HERE, "ALLOWED_TARGETS": LOOPBACK_TARGETS, "KEEPALIVE_SECS": keepalive})
    return world, wire


def far_target(run, wire):
    return run.target(listener=wire.far.listen("127.0.0.1"))


def online(world, name="lan"):
    def look():
        status = world.status()
        return status and any(g["name"] == name for g in status["gateways"])
    return look


# ---------------------------------------------------------------- logging in

@circumstance(PART, "100 connections a second to the control port, from the gateway's own address too; the line takes 100 ms each way",
              "it logs in", short=True)
def login_under_storm(run):
    world, wire = on_a_wire(run, ready=False)
    world.ready(gateways=())
    wire.delay = 0.1
    for number in range(8):
        wire.far.ip("address", "add", f"198.51.100.{20 + number}/24", "dev", "wire")
    stop = threading.Event()
    storm = threading.Thread(target=wire.far.inside, args=(lambda: knock_without_end(world.control_port, stop),), daemon=True)
    storm.start()
    time.sleep(2)
    world.gateway.start()
    found = run.recovers(online(world), 25, "online", "not online")
    stop.set()
    storm.join()
    return found


def knock_without_end(port, stop):
    """100 connections a second from the gateway's own address, and as many from eight others."""
    held = []
    for number in itertools.count():
        if stop.wait(0.005):
            return
        source = WIRE_FAR if number % 2 else f"198.51.100.{20 + number // 2 % 8}"
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        with contextlib.suppress(OSError):
            sock.bind((source, 0))
            sock.connect((WIRE_HERE, port))
        held.append(sock)
        while len(held) > 400:
            held.pop(0).close()


@circumstance(PART, "somebody tries names of gateways with a wrong key", "known and unknown names fail alike", short=True)
def names_fail_alike(run):
    world = run.world(bot=False, vps={"TUNNEL_KEY": lambda w: f"lan:{w.key},office:{secrets.token_hex(32)}"})
    key, alerts = secrets.token_hex(32), {}
    for name in ("lan", "nobody"):
        argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{world.control_port}", "-tls1_3", "-psk", key,
                "-psk_identity", name]
        result = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=20)
        alerts[name] = re.findall(r"alert number (\d+)", result.stderr)
    need(alerts["lan"], "no alert at all")
    return Found(alerts["lan"] == alerts["nobody"], f"alerts {alerts['lan'][0]} and {(alerts['nobody'] or ['none'])[0]}")


@circumstance(PART, "the holder of a key without a name logs in as 100 gateways", "their number is bounded, and users are not locked out")
def many_names(run):
    world, target = run.world(), run.target()
    controls = []
    for number in range(100):
        control = run.use(protocol.Control(world.control_port, world.key, f"g{number}"))
        control.send(protocol.hello())
        controls.append(control)
    run.until(lambda: len(world.status()["gateways"]) > 64, 10)
    count = len(world.status()["gateways"])
    need(count <= 64, f"{count} gateways are online")
    need(run.until(answered(world, OWNER, f"/ssh lan/{target.name}"), 10), "lan is not heard any more")
    return Found(True, f"{count} gateways are online; lan works")


# ---------------------------------------------------------------- IPv6 that carries nothing

def over_dead_v6(run, reset):
    Here().hosts("::1 dual.test\n127.0.0.1 dual.test\n")
    target = run.target()
    world = run.world(vps={"BIND_ADDRESS": "127.0.0.1"}, gateway={"VPS_HOST": "dual.test"}, start_gateways=False)
    taken = dead_listener(run, "::1", world.control_port, reset)
    world.gateway.start()
    found = run.recovers(online(world), 60, "online", "not online")
    need(found.ok, f"{found.seen}; {len(taken)} tries over IPv6")
    need(run.until(answered(world, OWNER, f"/ssh {target.name}"), 20), "online, but no session can be opened")
    return found


@circumstance(PART, "IPv6 to the VPS connects and carries nothing, IPv4 works", "the gateway is online over IPv4", short=True)
def gateway_v6_silent(run):
    return over_dead_v6(run, False)


@circumstance(PART, "IPv6 to the VPS resets at the first bytes, IPv4 works", "the gateway is online over IPv4", short=True)
def gateway_v6_resets(run):
    return over_dead_v6(run, True)


# ---------------------------------------------------------------- sessions whose gateway comes from elsewhere

def user_is_served(run, session, bound, first=peers.BANNER):
    """The user connects, again when closed; bytes come back, or the chat says that it is over."""
    began, world, tries = time.monotonic(), session.world, []

    def come():
        with contextlib.suppress(OSError):
            tries.append(session.knock(USER, first))
            tries[-1].setblocking(False)

    def served():
        if not tries:       # its port is closed, mostly since it is over
            come()
            return not world.session(session.id)
        try:
            data = tries[-1].recv(100)
        except BlockingIOError:
            return not world.session(session.id)
        except ConnectionError:
            data = b""
        if not data:
            come()
        return data or not world.session(session.id)

    come()
    took = run.until(served, bound, patient=True)
    if took is None:
        return Found(False, f"the user looks at nothing for {time.monotonic() - began:.0f} s; the chat says "
                     f"“{session.card.text.splitlines()[0]}”")
    how = "bytes flow" if world.session(session.id) else "the session ended with a message"
    again = f" at try {len(tries)}" if len(tries) > 1 else ""
    return Found(took <= bound * util.TIME_SCALE, f"{how} after {took:.1f} s{again}", took)


@circumstance(PART, "the gateway's address is replaced while a session waits; the user comes 3 s later",
              "bytes flow, or the session ends with a message", short=True)
def gateway_moves_while_waiting(run):
    world, wire = on_a_wire(run)
    session = Session(world, far_target(run, wire))
    wire.move()
    time.sleep(3)
    return user_is_served(run, session, 40)


@circumstance(PART, "the same, and the user comes when the gateway has logged in anew", "bytes flow", short=True)
def gateway_moves_and_returns(run):
    world, wire = on_a_wire(run, keepalive=3)
    session = Session(world, far_target(run, wire))
    wire.move()
    back = run.until(lambda: any(g["name"] == "lan" and WIRE_FAR_LATER in g["address"] for g in world.status()["gateways"]), 60)
    need(back, "the gateway does not come back")
    found = user_is_served(run, session, 20)
    return Found(found.ok, f"gateway back after {back:.1f} s; {found.seen}", found.seconds)


@circumstance(PART, "a NAT forgets the idle data channel of a waiting session, the control channel lives", "bytes flow over another channel", short=True)
def data_channel_forgotten(run):
    world, wire = on_a_wire(run)
    session = Session(world, far_target(run, wire))
    time.sleep(2)
    wire.forget(but=[world.control_port])
    return user_is_served(run, session, 30)


@circumstance(PART, "a router between resets the idle data channel of a waiting session when it is used", "bytes flow over another channel", short=True)
def data_channel_reset(run):
    world, wire = on_a_wire(run)
    session = Session(world, far_target(run, wire))
    time.sleep(2)
    wire.reset(but=[world.control_port])
    return user_is_served(run, session, 30)


@circumstance(PART, "a NAT forgets everything; the user comes 1 s later (KEEPALIVE_SECS=5)", "bytes flow when the gateway is back")
def nat_forgets_all(run):
    world, wire = on_a_wire(run, keepalive=5)
    session = Session(world, far_target(run, wire))
    wire.forget()
    time.sleep(1)
    return user_is_served(run, session, 60)


@circumstance(PART, "the same with RDP", "bytes flow when the gateway is back, if not at the first try then at the next")
def nat_forgets_rdp(run):
    world, wire = on_a_wire(run, keepalive=5)
    session = RdpSession(world, far_target(run, wire))
    time.sleep(2)
    wire.forget()
    time.sleep(1)
    return user_is_served(run, session, 60, peers.connection_request(peers.cookie(session.file.secret)))


@circumstance(PART, "the gateway's own address is taken away, and it gets another one (KEEPALIVE_SECS=30)", "it is back within seconds", short=True)
def own_address_gone(run):
    world, wire = on_a_wire(run)
    wire.move()
    here = lambda: any(WIRE_FAR_LATER in g["address"] for g in world.status()["gateways"])
    return run.recovers(here, 20, "back", "not back")


@circumstance(PART, "the gateway is gone for good while a session is connected; the user's second connection comes",
              "the second ends within seconds, nothing hangs, and the agent says why", short=True)
def gateway_goes_meanwhile(run):
    world, target = run.world(vps={"ADMIT": "auto"}), run.target()
    session = Session(world, target)
    first = session.knock(USER)
    need(is_in(first), "not in")
    world.gateway.kill()
    try:
        second = session.knock(USER)
    except OSError:
        return Found(True, "the session has ended with its gateway")
    took = run.until(lambda: not util.is_open(second), 30)
    need(took is not None, "the second connection hangs")
    need(session.card.says("gateway") or session.id in world.vps.log, "nobody is told")
    return Found(True, f"the second connection is closed after {took:.1f} s; the card: “{' '.join(session.card.text.split())[:120]}”", took)


@circumstance(PART, "a session relays while the control channel is forgotten", "its bytes flow on, the gateway logs in again")
def control_channel_forgotten(run):
    world, wire = on_a_wire(run, keepalive=3)
    session = Session(world, far_target(run, wire))
    client = session.knock(USER)
    need(is_in(client, timeout=10), "not in")
    wire.forget(only=[world.control_port])
    began = time.monotonic()
    gone = run.until(lambda: not online(world)(), 30)
    need(gone, "nobody notices")
    need(run.until(online(world), 60), "the gateway does not come back")
    took = time.monotonic() - began
    client.sendall(b"and on")
    need(is_in(client, b"and on"), "the session's bytes do not flow")
    return Found(True, f"noticed after {gone:.1f} s, back after {took:.1f} s, bytes flow", took)


@circumstance(PART, "the line between gateway and VPS is silent for 10 s in the middle of a session", "nothing is lost, the session goes on", short=True)
def line_stalls(run):
    world, wire = on_a_wire(run)
    session = Session(world, far_target(run, wire))
    client = session.knock(USER)
    need(is_in(client, timeout=10), "not in")
    wire.silent = True
    client.sendall(b"sent into the dark")
    time.sleep(10)
    wire.silent = False
    began = time.monotonic()
    need(is_in(client, b"sent into the dark", 30), "the bytes are lost")
    took = time.monotonic() - began
    need(online(world)(), "the gateway was sent off")
    return Found(True, f"all of it is there {took:.1f} s after", took)


@circumstance(PART, "`--doctor` of the gateway where IPv6 to the VPS carries nothing", "it says that IPv6 is the trouble", short=True)
def doctor_sees_dead_v6(run):
    Here().hosts("::1 dual.test\n127.0.0.1 dual.test\n")
    world = run.world(bot=False, vps={"BIND_ADDRESS": "127.0.0.1"}, gateway={"VPS_HOST": "dual.test"}, start_gateways=False)
    dead_listener(run, "::1", world.control_port, False)
    result = agents.run("gateway-agent", "--doctor", env=world.gateway.settings, timeout=60)
    lines = [" ".join(line.split()) for line in (result.stdout + result.stderr).splitlines()]
    trouble = [line for line in lines if line.startswith("!!") and ("IPv6" in line or "::1" in line)]
    need(trouble, "“" + " / ".join(line for line in lines if line.startswith("!!")) + "”")
    need(any("key" in line for line in lines if line.startswith("ok")), "it does not look further over IPv4")
    return Found(True, f"“{trouble[0]}”")


@circumstance(PART, "eight connections of the user at the same moment; the line to the gateway takes 150 ms each way", "all of them are relayed", short=True)
def eight_at_once(run):
    world, wire = on_a_wire(run)
    session = Session(world, far_target(run, wire))
    wire.delay = 0.15
    began = time.monotonic()
    clients = [session.knock(USER) for _ in range(8)]
    good = sum(is_in(client, timeout=15) for client in clients)
    took = time.monotonic() - began
    return Found(good == 8, f"{good} of 8, after {took:.1f} s", took)


@circumstance(PART, "the line to the gateway loses one packet in 30", "what is sent arrives whole", short=True)
def lossy_line(run):
    world, wire = on_a_wire(run)
    session = Session(world, far_target(run, wire))
    client = session.knock(USER)
    need(is_in(client, timeout=15), "not in")
    wire.loses, wire.delay = 1 / 30, 0.01
    data = random.randbytes(300_000)
    began = time.monotonic()
    threading.Thread(target=lambda: client.sendall(data), daemon=True).start()
    good = is_in(client, data, 60)
    took = time.monotonic() - began
    return Found(good, f"{len(data) // 1000} kB there and back in {took:.1f} s" if good else "not all of it came back", took)


@circumstance(PART, "gateway-agent gets no processor for 8 s, and a connection comes meanwhile", "it, or the next try, is served when it is back; the first goes on", short=True)
def gateway_frozen(run):
    world, wire = on_a_wire(run)
    session = Session(world, far_target(run, wire))
    first = session.knock(USER)
    need(is_in(first, timeout=10), "not in")
    world.gateway.freeze()
    second = session.knock(USER)
    time.sleep(8)
    world.gateway.thaw()
    began, tries = time.monotonic(), [second]

    def served():
        if is_in(tries[-1], timeout=0.5):
            return True
        if not util.is_open(tries[-1]):     # the user tries again
            time.sleep(0.5)
            tries.append(session.knock(USER))
        return False

    took = run.until(served, 20)
    need(took is not None, "no further connection is served")
    need(is_in_still(first), "the first connection broke")
    return Found(True, f"served {took:.1f} s after, at try {len(tries)}; the first goes on", took)


def is_in_still(client):
    client.sendall(b"still")
    return is_in(client, b"still", 10)


@circumstance(PART, "vps-agent is away for a minute", "the gateway is back within half a minute")
def vps_away(run):
    world = run.world()
    world.vps.kill()
    time.sleep(60)
    world.vps.start()
    return run.recovers(online(world), 30, "back", "not back")
