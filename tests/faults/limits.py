"""Descriptors, memory and processor time, when somebody asks for too much of them."""

import contextlib
import socket
import time

import agents
import util
from agents import OWNER
from harness import Found, answered, circumstance, cpu_over, limit_descriptors, need

PART = "Limits"


def admin_socket(world):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(str(world.state_dir / "pamtunnel.sock"))
    sock.settimeout(5)
    return sock


def health_socket(world):
    """The abstract one of gateway-agent."""
    settings = world.gateway.settings
    name = f"\0pamtunnel-gateway:{settings['CONTROL_PORT']}:{settings['GATEWAY_NAME']}:{settings['VPS_HOST']}"
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(name[:108])
    return sock


def without_descriptors(run, daemon, connect, works):
    """CPU while somebody connects who cannot be taken, and afterwards."""
    mend = limit_descriptors(daemon, 3)
    clients = []
    for _ in range(3):
        with contextlib.suppress(OSError):
            clients.append(connect())
    during = cpu_over(daemon, 2)
    for client in clients:
        client.close()
    after = cpu_over(daemon, 2)
    mend()
    need(during < 0.5 and after < 0.5, f"{during * 50:.0f} % CPU while a client waits, {after * 50:.0f} % after it has gone")
    return run.recovers(works, 15, f"{during * 50:.0f} % CPU; it works with descriptors again", "it does not work with descriptors again")


@circumstance(PART, "no descriptor is left (EMFILE), and somebody connects to the admin socket", "it rests, and works when there are some again",
              short=True)
def emfile_admin(run):
    world = run.world(bot=False, gateways=())
    return without_descriptors(run, world.vps, lambda: admin_socket(world), world.status)


@circumstance(PART, "the same at the gateway's health socket, as a container's health check does every 30 s", "it rests, and works when there are some again",
              short=True)
def emfile_health(run):
    world = run.world(bot=False)
    healthy = lambda: agents.run("gateway-agent", "--health", env=world.gateway.settings).returncode == 0
    need(healthy(), "not healthy at first")
    return without_descriptors(run, world.gateway, lambda: health_socket(world), healthy)


@circumstance(PART, "the same at the control port", "it rests, and works when there are some again", short=True)
def emfile_control(run):
    world = run.world(bot=False)
    connect = lambda: socket.create_connection(("127.0.0.1", world.control_port), 5)
    return without_descriptors(run, world.vps, connect, world.status)


@circumstance(PART, "an admin client sends 60,000 requests and reads no answer", "memory is bounded, others are served", short=True)
def unread_answers(run):
    world = run.world(bot=False, gateways=())
    before, client = world.vps.rss_kb(), admin_socket(world)
    client.setblocking(False)
    rest, until = b'{"command":"status"}\n' * 60000, time.monotonic() + 10
    while rest and time.monotonic() < until:
        try:
            rest = rest[client.send(rest):]
        except BlockingIOError:
            time.sleep(0.01)
        except OSError:
            break
    while cpu_over(world.vps, 0.5) > 0.1 and time.monotonic() < until + 10:
        pass    # it is still at work on them
    need(world.status(), "pamctl is not served meanwhile")
    more = (world.vps.rss_kb() - before) / 1024
    return Found(more < 8, f"{more:.1f} MiB more")


@circumstance(PART, "40 idle clients at the admin socket", "pamctl is served", short=True)
def idle_admin_clients(run):
    world = run.world(bot=False, gateways=())
    for _ in range(40):
        with contextlib.suppress(OSError):
            run.use(admin_socket(world))
    return run.recovers(world.status, 15, "served", "pamctl is not served")


@circumstance(PART, "descriptors run out while sessions are opened and clients come", "refused with a sentence, and all is well when sessions have ended")
def descriptors_run_out(run):
    world, target = run.world(vps={"ADMIT": "auto", "MAX_SESSIONS_PER_USER": 200}), run.target()
    limit_descriptors(world.vps, 120)
    refused = None
    for _ in range(60):
        result = world.pamctl("ssh", target.name)
        if result.returncode:
            refused = (result.stdout + result.stderr).strip().splitlines()[-1]
            break
    need(refused, "sixty sessions with 120 descriptors")
    need(world.status(), "pamctl is not served when descriptors are short")
    need(run.until(answered(world, OWNER, "/help"), 15), "the bot is not served when descriptors are short")
    idle = cpu_over(world.vps, 2)
    world.close_all()
    util.eventually(lambda: not [s for s in world.sessions() if s["state"] != "ended"], "sessions end")
    again = run.until(answered(world, OWNER, f"/ssh {target.name}"), 15)
    need(again, "no session when descriptors are there again")
    return Found(idle < 0.5, f"“{refused}”; {idle * 50:.0f} % CPU; a new session when the others have ended", again)
