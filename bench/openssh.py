"""Real OpenSSH: as a contender's tunnel, and as what a person works with."""

import json
import socket
import subprocess

from hosts import Failed

CLIENT = ("-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
          "-o", "LogLevel=ERROR", "-o", "BatchMode=yes")


def keys(folder):
    """A host key, and id that may log in."""
    for key in ("host_key", "id"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key],
                       check=True)


def daemon(folder, address, port):
    """The command of an sshd of its own, with what keys() made there."""
    config = folder / "sshd_config"
    config.write_text(f"""
ListenAddress {address}:{port}
GatewayPorts clientspecified
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/id.pub
Subsystem sftp internal-sftp
PermitRootLogin yes
PidFile none
UsePAM no
StrictModes no
PrintLastLog no
PrintMotd no
MaxSessions 10000
""")
    return ["/usr/sbin/sshd", "-D", "-e", "-f", config]


def ask_for_session(admin, target):
    """The public port of a session that vps-agent opens."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(admin)
        connection.sendall(json.dumps({"command": "ssh", "target": target}).encode() + b"\n")
        answer = connection.makefile().readline()
    words = answer.replace('"', " ").split()
    if "-p" not in words:
        raise Failed(f"vps-agent opened no session: {answer.strip()}")
    return int(words[words.index("-p") + 1])
