"""Strict networks: what becomes of gateways behind a proxy, and of a server with one port, when that goes wrong."""

import contextlib
import select
import socket
import threading
import time

import peers
import util
import wire as protocol
from agents import OWNER
from gateways import far_target, knock_without_end, on_a_wire, online, user_is_served
from harness import Found, Session, answered, circumstance, is_in, need
from places import USER

PART = "Strict networks"
ONE_PORT = {"DATA_PORT": "control", "ADMIT": "auto"}
GO_ON = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Proxy:
    """An HTTP proxy with moods: a context manager, up in the beginning."""

    def __init__(self):
        self.slow = 0           # seconds until it answers CONNECT
        self.silent = False     # it takes connections, and says nothing
        self.idle = None        # seconds without a byte after which it ends a connection
        self.listener, self.pairs, self.forgotten = None, [], []
        self.port = util.free_port()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        """As when its process ends: nobody listens, and all that went through it is over."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for sock in [*self.pairs, *self.forgotten]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self.pairs, self.forgotten = [], []

    def forget(self):
        """What goes through it now carries nothing any more, and nobody is told."""
        self.forgotten, self.pairs = self.pairs, []

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError, ValueError), client:
            self.pairs.append(client)
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096) or b"\r\n\r\n"
            while self.silent and client in self.pairs:
                time.sleep(0.05)
            time.sleep(self.slow)
            host, _, port = head.split()[1].decode().rpartition(":")
            with socket.create_connection((host, int(port)), 10) as server:
                self.pairs.append(server)
                client.sendall(GO_ON)
                self._pump(client, server)

    def _pump(self, client, server):
        other = {client: server, server: client}
        while True:
            ready = select.select([client, server], [], [], self.idle)[0]
            if not ready:
                return
            for sock in ready:
                data = sock.recv(65536)
                if not data:
                    return
                if sock not in self.forgotten:
                    other[sock].sendall(data)


def behind_a_proxy(run, *, ready=True, keepalive=30, **settings):
    proxy = run.use(Proxy())
    for name, value in settings.items():
        setattr(proxy, name, value)
    world = run.world(vps=ONE_PORT, start_gateways=ready, wait_ready=ready, gateway={
        "VPS_PROXY": f"http://127.0.0.1:{proxy.port}", "KEEPALIVE_SECS": keepalive})
    return world, proxy


# ---------------------------------------------------------------- the proxy

@circumstance(PART, "the gateway's proxy is restarted while a session is connected; it is away for 2 s",
              "the gateway is back within seconds, and the user's next connection is served", short=True)
def proxy_restarts(run):
    world, proxy = behind_a_proxy(run)
    session = Session(world, run.target())
    client = session.knock(USER)
    need(is_in(client), "not in")
    proxy.stop()
    need(run.until(lambda: not util.is_open(client), 10) is not None, "the user's connection hangs")
    time.sleep(2)
    proxy.start()
    back = run.until(online(world), 20)
    need(back is not None, "the gateway does not come back")
    found = user_is_served(run, session, 20)
    return Found(found.ok and bool(world.session(session.id)), f"gateway back after {back:.1f} s; {found.seen}", found.seconds)


@circumstance(PART, "the same while the session waits for its user", "bytes flow, or the session ends with a message", short=True)
def proxy_restarts_while_waiting(run):
    world, proxy = behind_a_proxy(run)
    session = Session(world, run.target())
    proxy.stop()
    time.sleep(2)
    proxy.start()
    return user_is_served(run, session, 30)


@circumstance(PART, "the gateway's proxy is gone for a minute", "the log says that it is the proxy; the gateway is back within a quarter of a minute")
def proxy_gone(run):
    world, proxy = behind_a_proxy(run)
    proxy.stop()
    need(run.until(lambda: not online(world)(), 10) is not None, "nobody notices")
    time.sleep(60)
    lines = world.gateway.count_log(r" warn .*the proxy 127.0.0.1:\d+ \(VPS_PROXY\) cannot be reached")
    need(lines, "the log does not say so")
    proxy.start()
    found = run.recovers(online(world), 20, "back", "not back")
    return Found(found.ok, f"{found.seen}; {lines} line{'s' * (lines > 1)} about it", found.seconds)


@circumstance(PART, "the proxy takes 3 s for each connection", "sessions open, and the user's connections are served", short=True)
def proxy_slow(run):
    world, _ = behind_a_proxy(run, ready=False, slow=3)
    world.ready(gateways=())
    world.gateway.start()
    need(run.until(online(world), 20) is not None, "not online")
    began = time.monotonic()
    session = Session(world, run.target())
    opened = time.monotonic() - began
    found = user_is_served(run, session, 20)
    need(found.ok, found.seen)
    second = session.knock(USER)
    began = time.monotonic()
    need(is_in(second, timeout=15), "a second connection is not served")
    return Found(True, f"open after {opened:.1f} s, {found.seen}; a second connection after {time.monotonic() - began:.1f} s", opened)


@circumstance(PART, "the proxy takes 30 s for each connection once the gateway is online", "the user reads that it is the proxy", short=True)
def proxy_too_slow(run):
    world, proxy = behind_a_proxy(run)
    target = run.target()
    proxy.slow = 30
    mark = world.api.mark()
    world.api.say(OWNER, f"/ssh {target.name}")
    said = lambda: [m for m in world.api.all_messages(OWNER, mark) if m.says("proxy")]
    took = run.until(said, 20)
    need(took is not None, f"the chat says “{' '.join(world.api.all_messages(OWNER, mark)[-1].text.split())[:150]}”")
    return Found(True, f"“{' '.join(said()[0].text.split())[:260]}”", took)


@circumstance(PART, "the proxy ends connections without a byte for 5 s; the user comes after 12 s (KEEPALIVE_SECS=2)", "bytes flow", short=True)
def proxy_ends_idle(run):
    world, _ = behind_a_proxy(run, keepalive=2, idle=5)
    session = Session(world, run.target())
    time.sleep(12)
    need(online(world)(), "the gateway was sent off")
    return user_is_served(run, session, 20)


@circumstance(PART, "the proxy forgets what goes through it, and tells nobody; the user comes when the gateway is back (KEEPALIVE_SECS=2)",
              "bytes flow")
def proxy_forgets(run):
    """Who comes before that has to try again: a proxy acknowledges in the place of the far end."""
    world, proxy = behind_a_proxy(run, keepalive=2)
    session = Session(world, run.target())
    proxy.forget()
    back = run.until(lambda: world.vps.count_log("gateway lan: online from") == 2, 30)
    need(back is not None, "the gateway does not come back")
    need(run.until(lambda: world.vps.count_log("data channel 1 is there"), 10) is not None, "no other channel comes")
    found = user_is_served(run, session, 20)
    return Found(found.ok, f"gateway back after {back:.1f} s; {found.seen}", found.seconds)


@circumstance(PART, "the proxy takes connections and answers nothing for 30 s", "the log says so, and the gateway is back within half a minute")
def proxy_silent(run):
    world, proxy = behind_a_proxy(run)
    proxy.stop()
    proxy.silent = True
    proxy.start()
    need(run.until(lambda: not online(world)(), 10) is not None, "nobody notices")
    time.sleep(30)
    need(world.gateway.count_log("the proxy does not answer CONNECT in time"), "the log does not say so")
    proxy.silent = False
    return run.recovers(online(world), 30, "back", "not back")


# ---------------------------------------------------------------- one port

@circumstance(PART, "DATA_PORT=control, and 100 connections a second to it, from the gateway's own address too; the line takes 100 ms each way",
              "the gateway logs in, a session opens and the user's connections are served", short=True)
def one_port_under_storm(run):
    world, wire = on_a_wire(run, ready=False, **ONE_PORT)
    world.ready(gateways=())
    wire.delay = 0.1
    for number in range(8):
        wire.far.ip("address", "add", f"198.51.100.{20 + number}/24", "dev", "wire")
    stop = threading.Event()
    storm = threading.Thread(target=wire.far.inside, args=(lambda: knock_without_end(world.control_port, stop),), daemon=True)
    storm.start()
    try:
        time.sleep(2)
        world.gateway.start()
        back = run.until(online(world), 25)
        need(back is not None, "the gateway is not online")
        began = time.monotonic()
        session = Session(world, far_target(run, wire))
        opened = time.monotonic() - began
        clients = [session.knock(USER) for _ in range(4)]
        served = sum(is_in(client, timeout=15) for client in clients)
    finally:
        stop.set()
        storm.join()
    return Found(served == 4, f"online after {back:.1f} s, a session after {opened:.1f} s, {served} of 4 connections are served", opened)


@circumstance(PART, "DATA_PORT=control, a NAT forgets everything; the user comes 1 s later (KEEPALIVE_SECS=5)", "bytes flow when the gateway is back")
def one_port_forgotten(run):
    world, wire = on_a_wire(run, keepalive=5, **ONE_PORT)
    session = Session(world, far_target(run, wire))
    wire.forget()
    time.sleep(1)
    return user_is_served(run, session, 60)


@circumstance(PART, "somebody behind the gateway's address (a NAT, a proxy) asks to be paired twenty times a second", "the gateway logs in", short=True)
def neighbour_without_a_key(run):
    world = run.world(vps=ONE_PORT, start_gateways=False, wait_ready=False)
    world.ready(gateways=())
    flight, stop = first_flight(run), threading.Event()

    def ask():
        while not stop.wait(0.05):
            with contextlib.suppress(OSError), protocol.connect(world.control_port) as sock:
                sock.sendall(flight)
                sock.recv(100)

    neighbour = threading.Thread(target=ask, daemon=True)
    neighbour.start()
    time.sleep(3)
    world.gateway.start()
    found = run.recovers(online(world), 10, "online", "not online")
    stop.set()
    neighbour.join()
    return found


def first_flight(run):
    """What a gateway says first that has no key."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        run.agent("gateway-agent", {"VPS_HOST": "127.0.0.1", "CONTROL_PORT": listener.getsockname()[1],
                                    "STATE_DIR": run.folder / "office", "GATEWAY_NAME": "office"}, tag="office")
        sock, _ = listener.accept()
        with sock:
            return sock.recv(4096)
