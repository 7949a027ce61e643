"""Who a Remote Desktop is: its certificate, from a real xrdp, which changes; and a real xfreerdp."""

import json
import subprocess
import time

import pytest

import rdp
from agents import OWNER, World
from util import TIME_SCALE

DAY = 24 * 3600


@pytest.fixture
def world():
    with World(vps={"RECONNECT_GRACE": 1}) as world:
        yield world


@pytest.fixture
def server():
    with rdp.Xrdp() as server:
        yield server


def make_certificate(server, since, until):
    """Another one, with a key of its own; xrdp reads it for each connection. since, until: seconds from now."""
    def when(seconds):
        return time.strftime("%y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))

    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=server.folder)

    (server.folder / "ca.cnf").write_text("[ca]\ndefault_ca=a\n[a]\ndatabase=index\nserial=serial\nnew_certs_dir=.\n"
                                          "default_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n")
    (server.folder / "index").write_text("")
    (server.folder / "serial").write_text(f"{int(time.time() * 1000):X}"[-10:] + "\n")
    openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "new-key.pem", "-out", "csr.pem", "-subj", "/CN=HOME-PC")
    openssl("ca", "-batch", "-config", "ca.cnf", "-selfsign", "-keyfile", "new-key.pem", "-in", "csr.pem", "-notext",
            "-out", "new-cert.pem", "-startdate", when(since), "-enddate", when(until))
    (server.folder / "new-key.pem").replace(server.folder / "key.pem")
    (server.folder / "new-cert.pem").replace(server.folder / "cert.pem")


def fingerprint(server, digest="sha256"):
    said = subprocess.run(["openssl", "x509", "-in", str(server.folder / "cert.pem"), "-noout", "-fingerprint", f"-{digest}"],
                          capture_output=True, text=True, check=True).stdout
    return said.split("=", 1)[1].strip().replace(":", "").lower()


def wait(world, *words, since=0):
    return world.api.wait_message(lambda m: m.says(*words), 15 * TIME_SCALE, since, OWNER)


def gateway_forgets(world):
    """What it has seen is in its memory alone, and counts for a minute."""
    world.gateway.stop()
    world.gateway.start()
    world.ready()


def keys(world):
    records = [json.loads(line) for line in world.pamctl("audit", "--json").stdout.splitlines()]
    return [record for record in records if record["what"].startswith("key.")]


def test_a_certificate_that_is_another_one_is_asked_about_before_there_is_a_file(world, server, folder):
    make_certificate(server, -10 * DAY, 170 * DAY)
    document, _ = world.rdp(server.name)
    old = fingerprint(server)
    assert document.says("The machine's certificate, seen for the first time", fingerprint(server, "sha1"), old)
    world.pamctl("close", world.newest_session()["id"])
    make_certificate(server, -DAY, 180 * DAY)
    gateway_forgets(world)
    since = world.api.mark()
    world.api.say(OWNER, f"/rdp {server.name}")
    wait(world, "could not be opened", "shows another certificate than on", since=since)
    question = wait(world, "shows another certificate than the one known since", old, fingerprint(server), since=since)
    assert not [m for m in world.api.all_messages(OWNER) if m.document and m.id > question.id]
    world.api.wait_answer(world.api.tap(OWNER, question, "reinstalled"))

    document, _ = world.rdp(server.name)
    assert document.says("The machine's certificate, known since", fingerprint(server, "sha1"), fingerprint(server))
    file = folder / "HOME-PC.rdp"
    file.write_bytes(document.document.data)
    with rdp.Display() as display, rdp.Client(display, file, log_path=folder / "xfreerdp.log") as client:
        rdp.wait_login_screen(display, client, folder)
    assert [record["what"] for record in keys(world)] == ["key.new", "key.changed", "key.accepted"]
    assert keys(world)[-1]["text"] == fingerprint(server) and keys(world)[-1]["why"] == old


def test_one_that_was_renewed_near_its_end_is_taken_and_said_so(world, server):
    make_certificate(server, -170 * DAY, 10 * DAY)
    world.rdp(server.name)
    old = fingerprint(server)
    world.pamctl("close", world.newest_session()["id"])
    make_certificate(server, -DAY, 179 * DAY)
    gateway_forgets(world)
    document, _ = world.rdp(server.name)
    assert document.says("has a new certificate, as was to be expected", fingerprint(server, "sha1"), fingerprint(server))
    assert not [m for m in world.api.all_messages(OWNER) if m.button("reinstalled")]
    assert [(record["what"], record["text"], record.get("why")) for record in keys(world)] == [
        ("key.new", old, None), ("key.new", fingerprint(server), old)]
