"""The daemons that answer to names in real LANs: avahi, llmnrd, Samba's nmbd and systemd-resolved.

None has to be installed: `/usr/bin/python3 tests/e2e/lan_daemons.py` fetches Debian's packages and
unpacks them into a folder of the cache (or PAMTUNNEL_LAN_DAEMONS). Without that, their tests skip.
"""

import os
import pathlib
import shlex
import signal
import subprocess
import sys

PACKAGES = ["avahi-daemon", "libavahi-core7", "libavahi-common3", "libdaemon0", "libdbus-1-3", "llmnrd", "samba",
            "samba-common", "samba-libs", "liblmdb0", "libtalloc2", "libtdb1", "libtevent0", "libldb2",
            "libwbclient0", "systemd-resolved", "libsystemd-shared"]
ROOT = pathlib.Path(os.environ.get("PAMTUNNEL_LAN_DAEMONS")
                    or pathlib.Path.home() / ".cache/pamtunnel/lan-daemons")
PLACES = {"avahi": "usr/sbin/avahi-daemon", "llmnrd": "usr/sbin/llmnrd", "nmbd": "usr/sbin/nmbd",
          "resolved": "lib/systemd/systemd-resolved"}
LIBRARIES = ["usr/lib/{0}", "usr/lib/{0}/samba", "lib/{0}", "usr/lib/{0}/systemd", "lib/{0}/systemd", "lib/systemd"]

AVAHI = """[server]
host-name={name}
use-ipv4=yes
use-ipv6=no
allow-interfaces=eth
enable-dbus=no
[publish]
publish-workstation={workstation}
"""
NMBD = """[global]
netbios name = {name}
workgroup = EXAMPLE
interfaces = eth
bind interfaces only = yes
state directory = /run/samba
cache directory = /run/samba
lock directory = /run/samba
pid directory = /run/samba
private dir = /run/samba
log file = /run/samba/log
"""
# Those that they become, or ask for, in this mount namespace alone.
USERS = " && ".join(
    ["cp /etc/passwd /etc/group /run/"]
    + [f"echo {user}:x:{number}:{number}::/:/bin/false >>/run/passwd && echo {user}:x:{number}: >>/run/group"
       for user, number in (("avahi", 990), ("systemd-resolve", 991))]
    + ["mount --bind /run/passwd /etc/passwd", "mount --bind /run/group /etc/group"])


def place(name):
    """Where it is, or None."""
    path = ROOT / PLACES[name]
    if not path.exists():
        path = ROOT / "usr" / PLACES[name]
    return path if path.exists() else None


class Daemon:
    """One of them in a namespace, called by that name: a context manager.

    Its /run is its own, and so is its host name.
    """

    def __init__(self, namespace, folder, daemon, name, workstation=False):
        self.namespace, self.folder, self.daemon = namespace, folder, daemon
        self.conf = folder / f"{daemon}.conf"
        workstation = "yes" if workstation else "no"
        self.conf.write_text({"avahi": AVAHI, "nmbd": NMBD}.get(daemon, "").format(name=name, workstation=workstation))
        self.log_path = folder / f"{daemon}.log"
        self.name = name

    def _script(self):
        path = shlex.quote(str(place(self.daemon)))
        start = {
            "avahi": f"mkdir -p /run/avahi-daemon && exec {path} -f {self.conf} --no-drop-root --no-chroot --no-rlimits",
            "llmnrd": f"exec {path} -H {self.name} -i eth",
            "nmbd": f"mkdir -p /run/samba/nmbd && exec {path} -F --debug-stdout -s {self.conf}",
            "resolved": "mkdir -p /run/systemd/resolve /run/systemd/resolved.conf.d /run/dbus && "
                        "printf '[Resolve]\\nLLMNR=yes\\nMulticastDNS=yes\\nDNSStubListener=no\\n' "
                        ">/run/systemd/resolved.conf.d/lan.conf && "
                        f"chown -R 991:991 /run/systemd/resolve && exec {path}",
        }[self.daemon]
        return f"mount -t tmpfs none /run && hostname {self.name} && {USERS} && {start}"

    def __enter__(self):
        triplet = subprocess.run(["dpkg-architecture", "-qDEB_HOST_MULTIARCH"], capture_output=True, text=True).stdout
        paths = ":".join(str(ROOT / p.format(triplet.strip() or "x86_64-linux-gnu")) for p in LIBRARIES)
        argv = self.namespace.command("unshare", "-m", "-u", "env", f"LD_LIBRARY_PATH={paths}", "sh", "-c", self._script())
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")


def fetch():
    """Only those that this Debian has."""
    ROOT.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        subprocess.run(["apt-get", "download", "-q", package], cwd=ROOT)
    for package in ROOT.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, ROOT], check=True)
        package.unlink()
    print({name: str(place(name)) for name in PLACES})


if __name__ == "__main__":
    sys.exit(fetch())
