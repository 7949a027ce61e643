"""Peers that hold a key and mean harm."""

import re
import secrets
import struct
import subprocess
import threading
import time
import unicodedata

import util
import wire as protocol
from agents import LOOPBACK_TARGETS, OWNER
from harness import Found, circumstance, need

PART = "Hostile peers"
ODD = "‮evil⁦​ ﻿"     # direction, invisible, line separator


def odd(text):
    """Characters that change how what stands around them is shown."""
    return sorted({f"U+{ord(c):04X}" for c in text
                   if unicodedata.category(c) in ("Cf", "Zl", "Zp", "Cc") and c not in "\n\t"})


def says(run, program="gateway 1", detail="locked"):
    """A hostile gateway's words, as they are shown: where -> text. Empty if it was sent off for them."""
    world = run.world(gateways=())
    gateway = run.use(protocol.Control(world.control_port, world.key, "evil"))
    gateway.send(protocol.hello(program=program))
    known = run.until(lambda: world.status()["gateways"], 5)
    screen = world.pamctl("status").stdout
    since = world.api.mark()
    if known:
        world.api.say(OWNER, "/ssh evil/host")
        session = protocol.read_open_tunnel(gateway.receive(protocol.OPEN_TUNNEL))[0]
        gateway.send(protocol.tunnel_failed(session, 0, 8, detail))
    told = lambda: [m for m in world.api.all_messages(OWNER, since) if m.says("locked")]
    if not known or not run.until(told, 5):
        need(not world.status()["gateways"], "neither shown nor sent off")
        return {"log": world.vps.log}, []
    return {"chat": told()[0].text, "log": world.vps.log, "pamctl": screen + world.pamctl("sessions").stdout}, told()[0].code


@circumstance(PART, "a gateway's texts hold direction marks, invisible characters, links and commands", "none of the characters reaches chat, log or "
              "screen; links are not live", short=True)
def gateways_words(run):
    fates = []
    for words in ({"program": f"gateway{ODD}1"}, {"detail": f"locked{ODD}"}):
        shown, _ = says(run, **words)
        for where, text in shown.items():
            need(not odd(text), f"{where}: {', '.join(odd(text))}")
        fates.append("cleaned" if "chat" in shown else "sent off")
    _, code = says(run, detail="locked, log in at https://evil.example/ with /start 123 to @evil_bot")
    need(any("https://evil.example" in text for text in code), f"{' and '.join(fates)}, but the link is live in the chat")
    return Found(True, f"characters: {' and '.join(fates)}; the link stands in <code>")


class PaperVps:
    """What a gateway logs in to, by `openssl s_server`."""

    def __init__(self, port, key, name):
        self.argv = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-quiet", "-nocert", "-tls1_3",
                     "-psk", key, "-psk_identity", name, "-ciphersuites", "TLS_AES_128_GCM_SHA256", "-no_ticket"]

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def lone_gateway(run):
    """A gateway that talks to a PaperVps; (Daemon, PaperVps)."""
    port, key = util.free_port(), secrets.token_hex(32)
    vps = run.use(PaperVps(port, key, "lan"))
    gateway = run.agent("gateway-agent", {
        "VPS_HOST": "127.0.0.1", "CONTROL_PORT": port, "TUNNEL_KEY": key, "GATEWAY_NAME": "lan",
        "ALLOWED_TARGETS": LOOPBACK_TARGETS, "LOG_LEVEL": "info"})
    need(vps.process.stdout.read(10), "the gateway does not log in")
    vps.process.stdin.write(protocol.hello(keepalive=0))
    threading.Thread(target=lambda: [None for _ in iter(lambda: vps.process.stdout.read(65536), b"")], daemon=True).start()
    return gateway, vps


@circumstance(PART, "a hostile VPS asks for 60,000 targets that are not allowed", "hundreds of lines in the gateway's log at most, and it lives", short=True)
def vps_floods_the_log(run):
    gateway, vps = lone_gateway(run)
    host, token = protocol.text("192.0.2.1"), bytes(32)
    frames = [protocol.frame(protocol.OPEN_TUNNEL, struct.pack(">QHHH", n, 0, 22, 9) + host + token) for n in range(1, 60001)]

    def send():
        for at in range(0, len(frames), 100):
            vps.process.stdin.write(b"".join(frames[at:at + 100]))

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    sender.join(20)
    time.sleep(1)
    need(gateway.alive(), "gateway-agent ended")
    lines = gateway.log.count("\n")
    return Found(lines < 1000, f"{lines} lines")


@circumstance(PART, "who does not hold the key tries to log in 300 times", "a few lines in the log", short=True)
def wrong_keys(run):
    world = run.world(bot=False, vps={"LOG_LEVEL": "info"})
    before = world.vps.log.count("\n")
    hello = bytes.fromhex("160301007a010000760303") + bytes(118)
    import socket
    for _ in range(300):
        with socket.create_connection(("127.0.0.1", world.control_port), 5) as sock:
            sock.sendall(hello)
    time.sleep(2)
    lines = world.vps.log.count("\n") - before
    need(world.status()["gateways"], "the gateway is not online any more")
    return Found(lines < 40, f"{lines} lines")
