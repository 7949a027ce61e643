"""The static programs where nothing else is: a root directory with them, their settings, and no
more; no /dev, no /proc, no C library. Names come from a DNS server, certificates from a chain."""

import contextlib
import json
import shutil
import ssl
import subprocess
import uuid

import botapi
import netns
import peers
import pytest
import util
from agents import OWNER, Daemon, environment, port_of
from archive import NATIVE, PREFIX, PROGRAMS, STATIC, program
from peers import BANNER
from util import TIME_SCALE

pytestmark = [
    pytest.mark.skipif(not (STATIC and NATIVE), reason="for static programs of this machine"),
    pytest.mark.skipif(not netns.available(), reason="network namespaces take root and iproute2"),
]

API, VPS = "api.release.test", "vps.release.test"
TOKEN = "1234567890:AAEqWoRtThIsIsAsEcReTaNdNoLoGhOlDsIt"
KEY = "5a" * 32
USUAL_FILE, USUAL_FOLDER = "etc/ssl/certs/ca-certificates.crt", "etc/ssl/certs/own.pem"


class Root:
    """A root directory and a network. As a `namespace` of a Daemon it runs the program inside."""

    def __init__(self, folder, net):
        self.folder = folder / "root"
        self.net = net
        (self.folder / "state").mkdir(parents=True, mode=0o700)
        self.write("etc/resolv.conf", "nameserver 127.0.0.1\n")
        for name in PROGRAMS:
            shutil.copy(program(name), self.folder / name)

    def write(self, path, text):
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def command(self, path, *args):
        name = path.rpartition("/")[2]
        return ["nsenter", f"--net=/run/netns/{self.net.name}", "chroot", str(self.folder),
                f"/{name}", *map(str, args)]

    def run(self, name, *args, **env):
        return subprocess.run(self.command(name, *args), env=environment(env), text=True, capture_output=True,
                              timeout=20 * TIME_SCALE)


@pytest.fixture
def folder():
    with util.Folder() as path:
        yield path


@pytest.fixture
def root(folder):
    net = netns.Namespace(f"pt{uuid.uuid4().hex[:6]}-root")
    try:
        with netns.NameServer(net) as dns:
            dns.answers.update({API: "127.0.0.1", VPS: "127.0.0.1"})
            empty = Root(folder, net)
            empty.dns = dns
            yield empty
    finally:
        net.delete()


@pytest.fixture(scope="module")
def chain():
    with util.Folder() as folder:
        yield make_chain(folder)


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


def make_chain(folder):
    """(server context, the authority in PEM, in DER): a root, an intermediate and a server's."""
    (folder / "ca.ext").write_text("basicConstraints=critical,CA:TRUE,pathlen:0\n"
                                   "keyUsage=critical,keyCertSign,cRLSign\n")
    (folder / "leaf.ext").write_text(f"subjectAltName=DNS:{API}\nbasicConstraints=critical,CA:FALSE\n"
                                     "keyUsage=critical,digitalSignature\n"
                                     "extendedKeyUsage=serverAuth\n")
    root, middle, leaf = folder / "root", folder / "middle", folder / "leaf"
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{root}.key", "-out",
            f"{root}.pem", "-days", 2, "-subj", "/CN=own root",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    for name, above, extensions, subject in ((middle, root, "ca.ext", "/CN=own intermediate"),
                                             (leaf, middle, "leaf.ext", f"/CN={API}")):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{above}.pem", "-CAkey", f"{above}.key",
                "-CAcreateserial", "-days", 2, "-extfile", folder / extensions, "-out", f"{name}.pem")
    shown = folder / "shown.pem"
    shown.write_bytes((folder / "leaf.pem").read_bytes() + (folder / "middle.pem").read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown, f"{leaf}.key")
    pem = (folder / "root.pem").read_text()
    return context, pem, ssl.PEM_cert_to_DER_cert(pem)


@contextlib.contextmanager
def bot_api(root, context):
    with botapi.BotApi(TOKEN, root.net.listen("127.0.0.1"), context) as api:
        yield api


def vps_agent(root, api, **settings):
    return Daemon("vps-agent", root.folder.parent, {
        "VPS_HOST": VPS, "TUNNEL_KEY": KEY, "STATE_DIR": "/state", "TELEGRAM_TOKEN": TOKEN,
        "ALLOWED_USERS": OWNER, "TELEGRAM_API_URL": f"https://{API}:{api.port}", "ADMIT": "auto",
        "CONTROL_PORT": 8443, "PORT_RANGE_START": 20000, "PORT_RANGE_END": 20099,
        "LOG_LEVEL": "debug", **settings}, namespace=root)


@contextlib.contextmanager
def running(*daemons):
    try:
        for daemon in daemons:
            daemon.start()
        yield
        for daemon in daemons:
            daemon.stop()
    except BaseException:
        for daemon in daemons:
            print(daemon.log)
        raise
    finally:
        for daemon in daemons:
            daemon.kill()


def put_into_program(root, der):
    """Replaces the certificates that are built in by one, in the very program of the archive."""
    object_file, array = root.folder.parent / "ca.o", root.folder.parent / "array"
    with open(object_file, "wb") as out:
        subprocess.run(["ar", "p", PREFIX / "lib/libcacertificates.a", "ca_certificates.o"],
                       check=True, stdout=out)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".rodata.ca_certificates", object_file, array],
                   check=True)
    old = array.read_bytes()
    rest = len(old) - len(der) - 6
    new = der + b"\x04\x84" + rest.to_bytes(4, "big") + bytes(rest)
    data = (root.folder / "vps-agent").read_bytes()
    assert len(new) == len(old) > 100_000 and data.count(old) == 1
    (root.folder / "vps-agent").write_bytes(data.replace(old, new))


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_programs_start_with_nothing_around_them(root, name):
    result = root.run(name, "--version")
    assert (result.returncode, result.stdout.split()[0], result.stderr) == (0, name, "")


@pytest.mark.parametrize("where", ["SSL_CERT_FILE", "the usual file", "the usual folder", "built in"])
def test_https_trusts_the_authorities(root, chain, where):
    context, pem, der = chain
    settings = {}
    if where == "SSL_CERT_FILE":
        root.write("own.pem", pem)
        root.write(USUAL_FILE, "of no use\n")   # comes after it
        settings["SSL_CERT_FILE"] = "/own.pem"
    elif where == "the usual file":
        root.write(USUAL_FILE, pem)
    elif where == "the usual folder":
        root.write(USUAL_FOLDER, pem)
    else:
        put_into_program(root, der)
    with bot_api(root, context) as api:
        agent = vps_agent(root, api, **settings)
        with running(agent):
            agent.wait_log("online as")
        assert bool(agent.count_log("trusting those built in")) == (where == "built in")
    assert API in root.dns.asked


def test_https_does_not_trust_an_authority_that_only_others_know(root, chain):
    with bot_api(root, chain[0]) as api:
        agent = vps_agent(root, api)
        with running(agent):
            agent.wait_log("certificate is not trusted")
        assert agent.count_log("trusting those built in") == 1
        assert not api.calls


def test_a_whole_session_between_agents_that_have_nothing_else(root, chain):
    context, pem, _ = chain
    root.write(USUAL_FILE, pem)
    with bot_api(root, context) as api, \
            peers.Recorder(reply=peers.echo, listener=root.net.listen("127.0.0.1")) as target:
        vps = vps_agent(root, api)
        gateway = Daemon("gateway-agent", root.folder.parent, {
            "VPS_HOST": VPS, "TUNNEL_KEY": KEY, "CONTROL_PORT": 8443, "GATEWAY_NAME": "lan",
            "ALLOWED_TARGETS": "127.0.0.0/8:1-65535", "LOG_LEVEL": "debug"}, namespace=root)
        with running(vps, gateway):
            vps.wait_log("online as")
            util.eventually(lambda: json.loads(root.run(
                "pamctl", "status", "--json", STATE_DIR="/state").stdout or "{}").get("gateways"),
                "the gateway is there", interval=0.1)
            api.wait_polling()
            since = api.mark()
            api.say(OWNER, f"/ssh {target.name}")
            message = api.wait_message(lambda m: m.code, 10 * TIME_SCALE, since, OWNER)
            with root.net.connect("127.0.0.1", port_of(message.code[0])) as client:
                client.sendall(BANNER)
                assert util.read_exactly(client, len(BANNER)) == BANNER
        assert VPS in root.dns.asked
        assert TOKEN not in vps.log + gateway.log and KEY not in vps.log + gateway.log
