"""Real OpenSSH on both ends: an sshd of our own and ssh and scp with our own files."""

import getpass
import os
import pathlib
import re
import shlex
import shutil
import subprocess

import util
from util import TIME_SCALE, eventually

USER = getpass.getuser()


class Sshd:
    """An sshd with its own keys on a free port. Logs in the user who runs the tests."""

    def __init__(self, host="127.0.0.1", namespace=None, port=None, keygen=("-t", "ed25519"), second=None, config=""):
        """keygen: what makes its host key, and maybe a second one; config: more lines for sshd_config"""
        self.host = host
        self.namespace = namespace
        self.port = port or util.free_port()
        self.keygen = keygen
        self.second = second
        self.config = config

    def __enter__(self):
        self._folder = util.Folder()
        self.folder = self._folder.path
        self.key = self.folder / "id_ed25519"
        for name, keygen in ("host_key", self.keygen), ("id_ed25519", ("-t", "ed25519")):
            subprocess.run(["ssh-keygen", "-q", *keygen, "-N", "", "-C", "", "-f",
                            str(self.folder / name)], check=True)
        if self.second:
            subprocess.run(["ssh-keygen", "-q", *self.second, "-N", "", "-C", "", "-f", str(self.folder / "second_key")],
                           check=True)
            self.config += f"HostKey {self.folder}/second_key\n"
        (self.folder / "authorized_keys").write_text((self.folder / "id_ed25519.pub").read_text())
        (self.folder / "sshd_config").write_text(f"""\
AddressFamily any
ListenAddress {self.host}
Port {self.port}
HostKey {self.folder}/host_key
AuthorizedKeysFile {self.folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
LogLevel VERBOSE
MaxStartups 1000
Subsystem sftp internal-sftp
{self.config}""")
        # As root it insists on this folder, which a service manager makes elsewhere. It
        # stays: another sshd that runs beside this one needs it for every login.
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", 0o755, exist_ok=True)
        self.log_path = self.folder / "sshd.log"
        argv = [shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-e", "-f",
                str(self.folder / "sshd_config")]
        if self.namespace:
            argv = self.namespace.command(*argv)
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(argv, stderr=log, stdout=log, stdin=subprocess.DEVNULL)
        try:
            eventually(lambda: "Server listening" in self.log or self.process.poll() is not None,
                       "sshd listens")
            assert self.process.poll() is None, self.log
        except AssertionError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self._folder.__exit__()

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    @property
    def name(self):
        """As a user writes it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def alias(self, host):
        """What HostKeyAlias is for it, when it is reached under that name through the only gateway."""
        return host.lower() if self.port == 22 else f"{host.lower()}+{self.port}"

    def client_config(self, host):
        """A config file for ssh -F: identity and known hosts, nothing else.

        The host key is known under the alias only, so that a login proves that
        HostKeyAlias is right.
        """
        alias = self.alias(host)
        public = (self.folder / "host_key.pub").read_text().split()
        (self.folder / "known_hosts").write_text(f"{alias} {public[0]} {public[1]}\n")
        config = self.folder / "config"
        config.write_text(f"""\
IdentityFile {self.key}
IdentitiesOnly yes
UserKnownHostsFile {self.folder}/known_hosts
GlobalKnownHostsFile /dev/null
StrictHostKeyChecking yes
BatchMode yes
LogLevel ERROR
""")
        return config


def with_config(command, config):
    """The command line word by word as the bot sent it, plus -F."""
    argv = shlex.split(command)
    assert argv[0] == "ssh"
    return [argv[0], "-F", str(config), *argv[1:]]


def without_key(command):
    """The bot's command line as it was for a machine whose host key is not known: test_identity.py has that."""
    return re.sub(r'-o "IgnoreUnknown=\*" -o KnownHostsCommand="[^"]*" ', "", command)


def ssh(command, config, *remote, data=b"", namespace=None, timeout=60):
    """Runs the bot's command line; data is its standard input. CompletedProcess with bytes."""
    argv = [*with_config(command, config), *remote]
    if namespace:
        argv = namespace.command(*argv)
    return subprocess.run(argv, capture_output=True, timeout=timeout * TIME_SCALE, input=data)


def scp(command, config, sources, destination, timeout=120):
    """scp with the options of the bot's command line; "REMOTE:" stands for its user@host."""
    argv = shlex.split(command)
    remote = argv[-1] + ":"
    options = ["-P" if word == "-p" else word for word in argv[1:-1]]
    paths = [str(path).replace("REMOTE:", remote) for path in [*sources, destination]]
    return subprocess.run(["scp", "-q", "-F", str(config), *options, *paths], capture_output=True,
                          timeout=timeout * TIME_SCALE, stdin=subprocess.DEVNULL)


def random_file(path, megabytes):
    """A file of bytes that no compression makes smaller."""
    with open(path, "wb") as out:
        for _ in range(megabytes):
            out.write(os.urandom(1 << 20))
    return pathlib.Path(path)
