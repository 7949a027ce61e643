"""A minimal Debian to install packages in: a folder with a root file system, and, where it is
needed, booted: systemd as process 1 in namespaces of its own. The network is this machine's, so
that the tests' Bot API and clients are on the same loopback.
"""

import os
import pathlib
import shutil
import subprocess

import util
from util import eventually

ROOT_TAR = os.environ.get("PAMTUNNEL_DEBIAN_ROOT")
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root",
               "DEBIAN_FRONTEND": "noninteractive"}

# What a root needs before anything can run in it: as in a container, a few devices and no more.
MOUNTS = """
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
ln -s /proc/self/fd dev/fd
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
"""
BOOT = MOUNTS + """
mount -t cgroup2 cgroup sys/fs/cgroup
mkdir run/before
pivot_root . run/before
umount -l /run/before
exec env -i container=pamtunnel-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
    /lib/systemd/systemd --log-target=console --log-color=no </dev/null
"""
CHROOT = MOUNTS + """
root=$1
shift
exec chroot "$root" "$@"
"""


class Debian:
    """A context manager. boot: with systemd running."""

    def __init__(self, boot=False):
        self.boots = boot
        self.process = None
        self.cgroup = None

    def __enter__(self):
        self._folder = util.Folder()
        self.path = self._folder.path
        self.root = self.path / "root"
        self.root.mkdir()
        subprocess.run(["tar", "-C", self.root, "-xf", ROOT_TAR], check=True)
        if self.boots:
            try:
                self._boot()
            except BaseException:
                self.__exit__()
                raise
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.kill()     # and with it everything in its namespace
            self.process.wait()
        if self.cgroup:
            self._remove_cgroup()
        self._folder.__exit__()

    # -- booting

    def _boot(self):
        """Its processes are a group of their own, below which systemd may do as it likes."""
        self._mount_cgroups()
        with open(self.path / "boot.log", "wb") as log:
            self.process = subprocess.Popen(
                ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--uts", "--ipc",
                 "--cgroup", "--propagation", "private", "sh", "-euc", BOOT, "sh", self.root],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=self._enter_cgroup)
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")

        def booted():
            assert self.process.poll() is None, self.boot_log
            found = children.read_text().split()
            if not found:
                return False
            self.init = found[0]
            result = self.run("systemctl", "is-system-running", check=False)
            return result.stdout.strip() in ("running", "degraded")
        try:
            eventually(booted, "systemd has booted", 60, interval=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.boot_log}") from None

    def _mount_cgroups(self):
        found = [line.split()[1] for line in open("/proc/mounts") if line.split()[2] == "cgroup2"]
        assert found, "the kernel's cgroups, version 2, are not mounted"
        self.cgroup = pathlib.Path(found[0]) / f"pamtunnel-test-{os.getpid()}"
        self.cgroup.mkdir()

    def _enter_cgroup(self):
        (self.cgroup / "cgroup.procs").write_text(str(os.getpid()))

    def _remove_cgroup(self):
        def gone():
            for folder, _, _ in os.walk(self.cgroup, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    return False
            return True
        eventually(gone, "its processes are gone", 20)

    @property
    def boot_log(self):
        return (self.path / "boot.log").read_text(errors="replace")[-8000:]

    # -- working in it

    def command(self, *argv):
        """argv, run in it."""
        if self.process:
            return ["nsenter", "--target", self.init, "--mount", "--pid", "--uts", "--ipc",
                    "--cgroup", "--root", *map(str, argv)]
        return ["unshare", "--mount", "--propagation", "private", "sh", "-euc", CHROOT, "sh",
                str(self.root), *map(str, argv)]

    def run(self, *argv, check=True, input=None):
        """CompletedProcess, with what it said on both outputs in stdout."""
        result = subprocess.run(self.command(*argv), env=ENVIRONMENT, text=True, input=input,
                                stdin=None if input else subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        assert not check or result.returncode == 0, f"{argv}: {result.returncode}\n{result.stdout}"
        return result

    def dpkg(self, *arguments):
        """What it said. Packages are files of this machine."""
        inside = []
        for argument in map(str, arguments):
            if argument.endswith(".deb"):
                shutil.copy(argument, self.root / "root")
                argument = "/root/" + os.path.basename(argument)
            inside.append(argument)
        return self.run("dpkg", *inside).stdout

    def file(self, path):
        """A path in it, as seen from here."""
        return self.root / str(path).lstrip("/")

    def unit(self, name, *properties):
        """Properties of a systemd unit, as a list."""
        wanted = [f"--property={p}" for p in properties]
        lines = self.run("systemctl", "show", *wanted, name).stdout.splitlines()
        values = dict(line.split("=", 1) for line in lines)
        return [values[p] for p in properties]
