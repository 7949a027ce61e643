"""Signed .rdp files: verified by openssl and by a second implementation, and what becomes of them when the certificate is
renewed, expires or cannot be read while vps-agent runs."""

import datetime
import os
import re
import shutil
import subprocess

import peers
import pytest
import rdp
import rdp_signature
import util
from agents import OWNER, World, program, run
from peers import CONNECTION_CONFIRM, RdpFile

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl to make certificates with")
NAME = "vps.example.org"


def openssl(*args, **options):
    result = subprocess.run(["openssl", *map(str, args)], capture_output=True, **options)
    assert result.returncode == 0, result.stderr
    return result.stdout


class Authority:
    """With an intermediate one, as public ones have. What it issues goes to cert.pem and key.pem, as certbot leaves it:
    a new file in the place of the old one."""

    def __init__(self, folder):
        self.folder = folder
        self.certificate, self.key = folder / "cert.pem", folder / "key.pem"
        self.root, self.middle = folder / "root.pem", folder / "middle.pem"
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "root.key", "-out", self.root,
                "-days", 30, "-subj", "/CN=Root")
        self._sign("middle", "rsa", "/CN=Middle", "basicConstraints=critical,CA:true\nkeyUsage=keyCertSign", "root", 30)

    def _sign(self, name, kind, subject, extensions, by, days, start=None):
        files = {what: self.folder / f"{name}.{what}" for what in ("csr", "ext", "pem", "key")}
        how = ["rsa:2048"] if kind == "rsa" else ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        openssl("req", "-new", "-newkey", *how, "-nodes", "-keyout", files["key"], "-out", files["csr"], "-subj", subject)
        files["ext"].write_text(extensions)
        (self.folder / "index.txt").write_text("")
        (self.folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=x\n[x]\nrand_serial=yes\ndatabase=index.txt\nnew_certs_dir=.\npolicy=p\ndefault_md=sha256\n"
            "unique_subject=no\n[p]\ncommonName=optional\norganizationName=optional\n")
        begin = start or datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
        end = begin + datetime.timedelta(days=days)
        openssl("ca", "-batch", "-notext", "-config", "ca.cnf", "-in", files["csr"], "-out", files["pem"],
                "-cert", f"{by}.pem", "-keyfile", f"{by}.key", "-extfile", files["ext"],
                "-startdate", f"{begin:%y%m%d%H%M%SZ}", "-enddate", f"{end:%y%m%d%H%M%SZ}", cwd=self.folder)
        return files["pem"], files["key"]

    def issue(self, kind="rsa", days=20, start=None, usage="serverAuth", name=f"DNS:{NAME}"):
        pem, key = self._sign("leaf", kind, f"/CN={NAME}", f"subjectAltName={name}\nextendedKeyUsage={usage}", "middle",
                              days, start)
        util_replace(self.certificate, pem.read_bytes() + self.middle.read_bytes())
        util_replace(self.key, key.read_bytes())
        return self

    @property
    def settings(self):
        return {"RDP_SIGN_CERT": self.certificate, "RDP_SIGN_KEY": self.key}

    def sha256(self):
        shown = openssl("x509", "-in", self.certificate, "-noout", "-fingerprint", "-sha256").decode()
        return shown.strip().split("=")[1].replace(":", "").lower()


def util_replace(path, content):
    other = path.with_suffix(".new")
    other.touch(mode=0o600)
    other.write_bytes(content)
    os.replace(other, path)


@pytest.fixture
def authority(folder):
    return Authority(folder)


@pytest.fixture
def target():
    with peers.Recorder(reply=lambda _: CONNECTION_CONFIRM) as recorder:
        yield recorder


def openssl_says(data, authority, folder):
    """Whether openssl takes the signature for that of somebody who is vouched for by the root."""
    text = data.decode()
    (folder / "message").write_bytes(rdp_signature.message_of(text))
    (folder / "signature.der").write_bytes(rdp_signature.der_of(text))
    return subprocess.run(["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", folder / "signature.der",
                           "-content", folder / "message", "-CAfile", authority.root, "-purpose", "any",
                           "-out", "/dev/null"], capture_output=True).returncode == 0


def is_signed(data):
    return b"\r\nsignature:s:" in data


# What somebody who gets hold of a file must not change, nor add: where it goes, what it starts, what it lends.
PRECIOUS = """full address;alternate full address;loadbalanceinfo;gatewayusagemethod;authentication level;enablecredsspsupport;
negotiate security layer;prompt for credentials;alternate shell;shell working directory;remoteapplicationmode;redirectdrives;
drivestoredirect;devicestoredirect;redirectclipboard;redirectprinters;redirectsmartcards;redirectcomports;redirectposdevices;
redirectwebauthn;kdcproxyname;rdgiskdcproxy;use redirection server name""".replace("\n", "").split(";")


def forged(data):
    """This file with each of the precious settings changed, and with one bit of its signature."""
    for name in PRECIOUS:
        line = re.search(f"(?m)^{name}:([is]):(.*)\r$".encode(), data)
        other = line[2] + b"1" if line[2] else b"evil.example.net"
        yield data[:line.start(2)] + other + data[line.end(2):]
    last = data.rindex(b"\r\n") - 8
    yield data[:last] + (b"B" if data[last:last + 1] == b"A" else b"A") + data[last + 1:]


# ---------------------------------------------------------------- the signature

@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_signed_file_verifies_and_none_that_was_changed(authority, target, folder, kind):
    authority.issue(kind)
    with World(vps=authority.settings) as world:
        document, live = world.rdp(target.name)
        data = document.document.data
        file = RdpFile(data)    # what all clients read
        assert file.settings["alternate full address"] == file.settings["full address"]
        holds, chain = rdp_signature.verify(data)
        assert holds and len(chain) == 2, "with the intermediate certificate, or a PC without it shows red"
        assert openssl_says(data, authority, folder)
        for other in forged(data):
            assert not rdp_signature.verify(other)[0] and not openssl_says(other, authority, folder)
        assert document.says("Verify the publisher", NAME, f"127.0.0.1:{file.port}") and not document.says("Caution")
        assert live.says("is ready")
        client = peers.dial(file.port)
        client.sendall(peers.connection_request(peers.cookie(file.secret)))
        assert util.read_exactly(client, len(CONNECTION_CONFIRM)) == CONNECTION_CONFIRM


def test_pamctl_gets_the_signed_file_and_says_by_whom(authority, target):
    authority.issue()
    with World(vps=authority.settings, bot=False) as world:
        path = authority.folder / "saved.rdp"
        world.pamctl.json("rdp", f"CORP\\anna@{target.name}", "--out", path)
        assert rdp_signature.verify(path.read_bytes())[0]
        world.secrets.append(RdpFile(path.read_bytes()).secret)
        assert f"rdp files: signed as {NAME}, until " in world.pamctl("status").stdout
        signing = world.status()["signing"]
        assert signing["publisher"] == NAME and signing["sha256"] == authority.sha256()
        lines = world.pamctl("audit", "--json").stdout.splitlines()
        assert any("rdp.publisher" in line and authority.sha256() in line for line in lines), lines
        assert "PRIVATE" not in world.vps.log


def test_freerdp_loads_a_signed_file(authority, target, folder):
    authority.issue()
    with rdp.Display() as display, World(vps=authority.settings) as world:
        path = folder / "signed.rdp"
        path.write_bytes(world.rdp(target.name)[0].document.data)
        with rdp.Client(display, path, "/p:x", log_path=folder / "log") as client:
            assert util.eventually(lambda: client.process.poll() is not None, "xfreerdp gives up", 20)
            assert "[WARN][com.freerdp.client" not in client.log, client.log
        assert target.connections, "it came as far as the target"


def test_without_the_settings_nothing_is_signed(target):
    with World() as world:
        document, _ = world.rdp(target.name)
        assert not is_signed(document.document.data) and document.says("Caution: Unknown remote connection")
        assert b"alternate full address" not in document.document.data
        assert world.status()["signing"] is None


# ---------------------------------------------------------------- over time

def told(world, since, *words):
    return world.api.wait_message(lambda m: m.says(*words), 10 * util.TIME_SCALE, since, OWNER)


def test_a_renewed_certificate_signs_the_next_file(authority, target):
    authority.issue()
    with World(vps=authority.settings) as world:
        first = world.rdp(target.name)[0].document.data
        authority.issue("ec")
        second = world.rdp(target.name)[0].document.data
        assert all(rdp_signature.verify(data)[0] for data in (first, second))
        assert rdp_signature.verify(first)[1][0] != rdp_signature.verify(second)[1][0]
        assert world.vps.count_log(".rdp files are signed as") == 2
        assert world.status()["signing"]["sha256"] == authority.sha256()


def test_what_cannot_sign_is_told_once_and_files_come_unsigned(authority, target):
    authority.issue()
    with World(vps=authority.settings) as world:
        assert is_signed(world.rdp(target.name)[0].document.data)
        since = world.api.mark()
        authority.key.unlink()
        assert is_signed(world.rdp(target.name)[0].document.data), "it may be in the middle of a renewal"
        told(world, since, ".rdp files are not signed", "key.pem", "No such file")
        document = world.rdp(target.name)[0]
        assert not is_signed(document.document.data) and document.says("Caution: Unknown remote connection")
        world.rdp(target.name)
        assert world.vps.count_log(".rdp files are not signed") == 1
        assert "rdp files: not signed: " in world.pamctl("status").stdout
        since = world.api.mark()
        authority.issue()
        assert is_signed(world.rdp(target.name)[0].document.data)
        told(world, since, ".rdp files are signed again")


def test_a_renewal_as_certbot_does_it_is_seen_by_nobody(authority, target):
    """One link after the other, each gone for a moment; and by its hook, which writes files from their beginning."""
    live = authority.folder / "live"
    live.mkdir()
    links = {"fullchain.pem": authority.certificate, "privkey.pem": authority.key}

    def renew(kind, how):
        authority.issue(kind)
        for name, source in links.items():
            (live / name).unlink(missing_ok=True)
            yield
            content = source.read_bytes()
            if how == "hook":
                (live / name).touch(mode=0o600)
                (live / name).write_bytes(content[:len(content) // 2])
                yield
                (live / name).write_bytes(content)
            else:
                kept = authority.folder / f"{name}.{kind}"
                kept.touch(mode=0o600)
                kept.write_bytes(content)
                (live / name).symlink_to(kept)
            yield

    list(renew("rsa", "certbot"))
    with World(vps={"RDP_SIGN_CERT": live / "fullchain.pem", "RDP_SIGN_KEY": live / "privkey.pem",
                    "MAX_SESSIONS_PER_USER": 20}) as world:
        chains = []
        for kind, how in (("ec", "certbot"), ("rsa", "hook")):
            for _ in renew(kind, how):
                path = authority.folder / "saved.rdp"
                path.unlink(missing_ok=True)
                world.pamctl.json("rdp", target.name, "--out", path)
                world.secrets.append(RdpFile(path.read_bytes()).secret)
                holds, chain = rdp_signature.verify(path.read_bytes())
                assert holds
                chains.append(chain[0])
            assert world.status()["signing"]["sha256"] == authority.sha256()
        assert len(set(chains)) == 3
        assert not world.vps.count_log("not signed") and world.vps.count_log(".rdp files are signed as") == 3


def test_to_switch_it_off_in_trouble_is_no_good_news(authority, target):
    authority.issue()
    with World(vps=authority.settings, env_files=True) as world:
        world.rdp(target.name)
        since = world.api.mark()
        authority.certificate.write_bytes(b"")
        world.status()  # it looks, as each minute
        told(world, since, ".rdp files are not signed", "holds no certificates")
        world.vps.reload(RDP_SIGN_CERT="off", RDP_SIGN_KEY=None)
        assert world.status()["signing"] is None
        assert not is_signed(world.rdp(target.name)[0].document.data)
        with pytest.raises(AssertionError, match="in vain"):
            world.api.wait_message(lambda m: m.says("signed again"), 1, since, OWNER)


def test_a_certificate_that_comes_after_the_start_is_taken(authority, target):
    """Into a folder that was there, and so is in the sandbox."""
    with World(vps=authority.settings, bot=False) as world:
        assert "cert.pem cannot be read: No such file" in world.status()["signing"]["trouble"]
        authority.issue()
        path = authority.folder / "saved.rdp"
        world.pamctl.json("rdp", target.name, "--out", path)
        assert is_signed(path.read_bytes())


def make(folder, kind, *options, subject=f"/CN={NAME}"):
    """A certificate and its key in PEM, by itself."""
    how = {"p384": ["ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"], "ed25519": ["ed25519"]}.get(kind, [kind])
    openssl("req", "-x509", "-newkey", *how, *(options or ["-nodes"]), "-keyout", folder / "x.key", "-out", folder / "x.pem",
            "-days", 20, "-subj", subject)
    return (folder / "x.pem").read_bytes(), (folder / "x.key").read_bytes()


def chain_of(folder, *others):
    chain, key = make(folder, "rsa:2048")
    return chain + b"".join(others), key


def long_chain(folder):
    names = ",".join(f"DNS:{i}.{'x' * 60}.example.org" for i in range(40))
    other, _ = make(folder, "rsa:2048", "-nodes", "-addext", f"subjectAltName={names}")
    return chain_of(folder, other * 5)


BROKEN = b"-----BEGIN CERTIFICATE-----\nMIIBAAAA\n-----END CERTIFICATE-----\n"
FILES = {
    "RSA of 4096 bits": (lambda f: make(f, "rsa:4096"), None),
    "P-384": (lambda f: make(f, "p384"), "ok .*not RSA is not known"),
    "line ends of Windows": (lambda f: [part.replace(b"\n", b"\r\n") for part in make(f, "rsa:2048")], None),
    "a mark in front": (lambda f: [b"\xef\xbb\xbfBag Attributes\n" + part for part in make(f, "rsa:2048")], None),
    "both in each": (lambda f: [b"".join(make(f, "rsa:2048")[::-1])] * 2, None),
    "RSA of 1024 bits": (lambda f: make(f, "rsa:1024"), "!! .*of 1024 bits can be broken"),
    "RSA of 6144 bits": (lambda f: make(f, "rsa:6144"), "!! .*of 6144 bits makes everybody wait"),
    "Ed25519": (lambda f: make(f, "ed25519"), "!! .*cannot be read|!! .*holds no|!! .*neither RSA"),
    "a password": (lambda f: make(f, "rsa:2048", "-passout", "pass:secret"), "!! .*holds no key in PEM without a password"),
    "seven": (lambda f: chain_of(f, *[make(f, "rsa:2048")[0]] * 6), "!! .*more than 6 certificates"),
    "long ones": (long_chain, "!! .*certificates of more than 12288 bytes"),
    "a broken one": (lambda f: chain_of(f, BROKEN), "!! .*1 of the certificates in .* cannot be read"),
    "too much": (lambda f: chain_of(f, b"#" * 40000), "!! .*cannot be read: File too large"),
    "UTF-16": (lambda f: [part.decode().encode("utf-16") for part in make(f, "rsa:2048")], "!! .*holds no certificates"),
    "nothing": (lambda f: (b"", b""), "!! .*holds no certificates"),
}


@pytest.mark.parametrize("what", FILES)
def test_files_as_people_have_them(folder, what):
    how, says = FILES[what]
    settings = {"VPS_HOST": NAME, "TUNNEL_KEY": "11" * 32, "RDP_SIGN_CERT": folder / "cert.pem", "RDP_SIGN_KEY": folder / "key.pem",
                "STATE_DIR": folder, "CONTROL_PORT": 1}
    for path, content in zip((folder / "cert.pem", folder / "key.pem"), how(folder)):
        util_replace(path, content)
    result = run("vps-agent", "--doctor", "--local", env=settings, timeout=60)
    says = says or f"ok .*signed as {NAME} until"
    assert re.search("|".join(f"^{one[:2]}  signing: {one[3:]}" for one in says.split("|")), result.stdout, re.M), result.stdout


@pytest.mark.parametrize("wrong", ["expired", "not yet", "of another", "for mail", "no PEM"])
def test_a_certificate_of_no_use_is_no_reason_not_to_start(authority, target, wrong):
    now = datetime.datetime.now(datetime.UTC)
    begin = {"expired": now - datetime.timedelta(days=3), "not yet": now + datetime.timedelta(days=1)}
    authority.issue(days=2, start=begin.get(wrong), usage="emailProtection" if wrong == "for mail" else "serverAuth")
    if wrong == "of another":
        authority.key.write_bytes((authority.folder / "root.key").read_bytes())
    if wrong == "no PEM":
        authority.certificate.write_text("hello\n")
    why = {"expired": "expired on", "not yet": "not valid before", "of another": "does not belong",
           "for mail": "for other things", "no PEM": "holds no certificates"}[wrong]
    with World(vps=authority.settings, bot=False) as world:
        assert why in world.status()["signing"]["trouble"]
        path = authority.folder / "saved.rdp"
        world.pamctl.json("rdp", target.name, "--out", path)
        assert not is_signed(path.read_bytes())
        assert world.vps.count_log(".rdp files are not signed") == 1
        result = run("vps-agent", "--doctor", "--local", env=world.vps.settings, timeout=60)
        assert re.search(f"^!!  signing: .*{why}", result.stdout, re.M), result.stdout
        assert result.returncode == 1


def test_doctor_says_by_whom_and_what_is_doubtful(authority):
    authority.issue()
    with World(vps=authority.settings) as world:
        result = run("vps-agent", "--doctor", env=world.vps.settings, timeout=60)
        assert re.search(f"^ok  signing: .rdp files are signed as {NAME} until 2", result.stdout, re.M), result.stdout
        authority.key.chmod(0o644)
        result = run("vps-agent", "--doctor", env=world.vps.settings, timeout=60)
        assert re.search("^!!  signing: .*others can read the key .*chmod 600", result.stdout, re.M), result.stdout


# An /etc of its own, where certbot's folders are root's alone, and a vps-agent of another user's that starts there.
OF_ROOT = r"""
mount -t tmpfs none /etc && chmod 755 /etc && umask 077 && mkdir -p /etc/letsencrypt/live/127.0.0.1 && chmod 755 /etc/letsencrypt
cp "$1/x.pem" /etc/letsencrypt/live/127.0.0.1/fullchain.pem && cp "$1/x.key" /etc/letsencrypt/live/127.0.0.1/privkey.pem || exit 9
setpriv --reuid 65532 --regid 65532 --clear-groups "$1/vps-agent" --local >/dev/null 2>&1 &
until "$2" status >/dev/null 2>&1; do kill -0 $! || exit 8; sleep 0.05; done
echo "as root: $("$1/vps-agent" --doctor --local | grep signing)"
echo "refused: $("$2" status | grep "rdp files")"
chown -R 65532 /etc/letsencrypt/live
echo "given: $("$2" status | grep "rdp files")"
echo "then: $("$1/vps-agent" --doctor --local | grep signing)"
kill $!; wait $!
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv") or not shutil.which("unshare"),
                    reason="takes root, to become somebody else")
@pytest.mark.parametrize("is_named", [True, False])
def test_what_root_alone_can_read_is_not_taken_for_signed(folder, is_named):
    make(folder, "rsa:2048", subject="/CN=127.0.0.1")
    state = folder / "state"
    state.mkdir()
    shutil.copy(program("vps-agent"), folder / "vps-agent")
    for path in folder, folder / "vps-agent", state:
        path.chmod(0o755)
    os.chown(state, 65532, 65532)
    live = "/etc/letsencrypt/live/127.0.0.1"
    settings = {"VPS_HOST": "127.0.0.1", "TUNNEL_KEY": "11" * 32, "CONTROL_PORT": str(util.free_port()), "STATE_DIR": str(state),
                "PORT_RANGE_START": "41000", "PORT_RANGE_END": "41100", "PATH": os.environ["PATH"]}
    if is_named:
        settings |= {"RDP_SIGN_CERT": f"{live}/fullchain.pem", "RDP_SIGN_KEY": f"{live}/privkey.pem"}
    result = subprocess.run(["unshare", "-m", "sh", "-c", OF_ROOT, "sh", folder, program("pamctl")], env=settings,
                            capture_output=True, text=True, timeout=60 * util.TIME_SCALE)
    said = dict(line.split(": ", 1) for line in result.stdout.splitlines())
    if is_named:
        assert re.match("!!  signing: vps-agent does not sign .rdp files: vps-agent's user may not read", said["as root"]), result
        assert "not signed: vps-agent's user may not read" in said["refused"], result
    else:
        assert re.match("--  signing: .*fullchain.pem would do, but vps-agent's user cannot read it", said["as root"]), result
        assert said["refused"] == "", result
    assert "signed as 127.0.0.1, until" in said["given"], "noticed by itself"
    assert re.match("ok  signing: .rdp files are signed as 127.0.0.1 until", said["then"]), result


def test_doctor_says_whether_links_are_https_with_it(authority, folder):
    for number, (name, says) in enumerate({"IP:127.0.0.1": "sessions' links are https://127.0.0.1",
                                           "DNS:x.example.org": "sessions' links are http://"}.items()):
        authority.issue(name=name)
        settings = {"VPS_HOST": "127.0.0.1", "STATE_DIR": str(folder / f"s{number}")} | {k: str(v) for k, v in authority.settings.items()}
        result = run("vps-agent", "--local", "--doctor", env=settings, timeout=60)
        assert says in result.stdout, result


def test_a_reload_takes_other_files_and_off(authority, target):
    authority.issue()
    with World(vps=authority.settings, env_files=True) as world:
        world.vps.reload(RDP_SIGN_CERT="off", RDP_SIGN_KEY=None)
        assert not is_signed(world.rdp(target.name)[0].document.data)
        assert world.status()["signing"] is None
        world.vps.reload(**authority.settings)
        assert is_signed(world.rdp(target.name)[0].document.data)


# ---------------------------------------------------------------- a certificate of one's own

def test_a_certificate_of_its_own_signs_and_is_not_replaced(target, folder):
    folder.chmod(0o700)
    made = run("vps-agent", "--make-rdp-certificate", folder, "--host", NAME, timeout=60)
    assert made.returncode == 0, made.stderr
    certificate, key = folder / "rdp-sign.crt", folder / "rdp-sign.key"
    assert key.stat().st_mode & 0o007 == 0
    shown = openssl("x509", "-in", certificate, "-noout", "-fingerprint", "-sha1", "-text").decode()
    thumbprint = re.search("Fingerprint=(.*)", shown)[1].replace(":", "")
    assert f"/d {thumbprint} /f" in made.stdout and "certutil -addstore Root rdp-sign.crt" in made.stdout
    assert "Code Signing" in shown and "CA:FALSE" in shown and "3072 bit" in shown and f"CN = {NAME}" in shown
    settings = dict(re.findall("^  (RDP_SIGN_[A-Z]+)=(.*)$", made.stdout, re.M))
    assert settings == {"RDP_SIGN_CERT": str(certificate), "RDP_SIGN_KEY": str(key)}
    again = run("vps-agent", "--make-rdp-certificate", folder, "--host", NAME, timeout=60)
    assert again.returncode == 1 and "is there already" in again.stderr
    with World(vps=settings) as world:
        document, _ = world.rdp(target.name)
        holds, chain = rdp_signature.verify(document.document.data)
        assert holds and len(chain) == 1
        assert document.says(f"It is signed by {NAME}", "any other warns")


def test_a_certificate_needs_a_name_and_a_place(folder):
    for arguments, why in (([folder], "in whose name"), ([folder, "--host", "a b"], "a name or an IP address"),
                           ([folder / "none", "--host", NAME], "No such file")):
        result = run("vps-agent", "--env-file", "/dev/null", "--make-rdp-certificate", *arguments, env={}, timeout=60)
        assert result.returncode == 1 and why in result.stderr, result
