"""/ssh with real OpenSSH on both ends, through the command line that the bot sent."""

import hashlib
import re
import shutil
import subprocess

import pytest
import sshd as openssh
from agents import OWNER, World, median, now, port_of
from sshd import USER, Sshd, random_file, scp, ssh
from util import TIME_SCALE

WORLD = {"vps": {"ADMIT": "auto", "RECONNECT_GRACE": 1}}


def is_over(message):
    return not message.deleted and not message.button("close")


def wait_over(world, live, *words):
    """Waits until the live message says that it is over; returns it."""
    world.api.wait_message(lambda m: m.id == live.id and is_over(m) and m.says("ended", *words),
                           15 * TIME_SCALE)
    return live


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def test_login_by_key_and_a_command(world, sshd):
    live = world.ssh(f"{USER}@{sshd.name}")
    command = live.code[0]
    assert openssh.without_key(command) == (f"ssh -p {port_of(command)} -o HostKeyAlias=127.0.0.1+{sshd.port} "
                                            f"{USER}@127.0.0.1")
    assert live.button("copy")["copy_text"]["text"] == command, "the button copies the same"
    result = ssh(command, sshd.client_config("127.0.0.1"), "cat; echo $((6*7)); exit 3", data=b"in\n")
    assert result.returncode == 3 and result.stdout == b"in\n42\n", result
    wait_over(world, live, "disconnected")


def test_without_a_user_the_client_chooses(world, sshd):
    command = world.ssh(sshd.name).code[0]
    assert openssh.without_key(command) == f"ssh -p {port_of(command)} -o HostKeyAlias=127.0.0.1+{sshd.port} 127.0.0.1"
    result = ssh(command, sshd.client_config("127.0.0.1"), "whoami")
    assert result.stdout.decode().strip() == USER, result


def test_a_target_with_an_ipv6_address(world):
    with Sshd(host="::1") as server:
        command = world.ssh(f"{USER}@{server.name}").code[0]
        assert f"-o HostKeyAlias=::1+{server.port} " in command
        result = ssh(command, server.client_config("::1"), "echo", "over", "six")
        assert result.stdout == b"over six\n", result


def test_one_known_hosts_entry_serves_all_sessions(world):
    """HostKeyAlias: the ports change, the entry does not, and an impostor is noticed."""
    with Sshd() as server:
        config = server.client_config("127.0.0.1")
        first, second = world.ssh(server.name).code[0], world.ssh(server.name).code[0]
        assert port_of(first) != port_of(second)
        for command in (first, second):
            assert ssh(command, config, "true").returncode == 0
        server.process.terminate()
        server.process.wait(10)
        with Sshd(port=server.port) as impostor:
            result = ssh(world.ssh(impostor.name).code[0], config, "true")
            assert result.returncode != 0 and b"erification failed" in result.stderr, result


def known(hosts, alias):
    return subprocess.run(["ssh-keygen", "-F", alias, "-f", str(hosts)], capture_output=True).returncode == 0


def test_two_machines_are_two_to_ssh(sshd, folder):
    """Two ports of one address, and one address behind two gateways; as ssh itself writes them down, hashed."""
    with World(gateways=("home", "Office"), vps={"ADMIT": "auto", "RECONNECT_GRACE": 1}) as world, Sshd() as other:
        hosts = folder / "known_hosts"
        config = folder / "config"
        config.write_text(f"UserKnownHostsFile {hosts}\nGlobalKnownHostsFile /dev/null\nStrictHostKeyChecking accept-new\n"
                          f"HashKnownHosts yes\nBatchMode yes\nIdentityFile {sshd.key}\nIdentityFile {other.key}\n")
        aliases = []
        for gateway, server in (("home", sshd), ("home", other), ("Office", sshd), ("Office", other)):
            live = world.ssh(f"{USER}@{gateway}/{server.name}")
            assert live.says(f"SSH to {gateway}/{server.name} is ready")
            alias = f"{gateway.lower()}/127.0.0.1+{server.port}"
            command = openssh.without_key(live.code[0])
            assert f" -o HostKeyAlias={alias} {USER}@" in command
            assert not known(hosts, alias)
            assert f"{gateway}/{server.name}" in world.pamctl("sessions").stdout
            assert ssh(command, config, "echo in").stdout == b"in\n"
            aliases.append(alias)
        assert all(known(hosts, alias) for alias in aliases)
        assert len(hosts.read_text().splitlines()) == 4
        subprocess.run(["ssh-keygen", "-q", "-R", aliases[2], "-f", str(hosts)], check=True, capture_output=True)
        assert [known(hosts, alias) for alias in aliases] == [True, True, False, True]
        document, _ = world.rdp(f"Office/{sshd.name}")
        assert document.document.file_name == "Office-127.0.0.1.rdp" and document.says(f"to reach Office/{sshd.name}")
        made = [world.pamctl("rdp", f"{gateway}/{sshd.name}", cwd=folder) for gateway in ("Office", "home", "Office")]
        assert [result.returncode for result in made] == [0, 0, 1], "the last one is there already"
        assert {file.name for file in folder.glob("*.rdp")} == {"Office-127.0.0.1.rdp", "home-127.0.0.1.rdp"}


SHELLS = [shell for shell in ("sh", "bash", "zsh", "fish") if shutil.which(shell)]


@pytest.mark.parametrize("name", ["CORP\\mxu", "mxu@corp.local", "mx.u+tag", "First Last", "CORP\\First Last", "CORP\\nxu"])
def test_user_names_as_they_are_in_practice(world, sshd, folder, name):
    """The server hears the very name from ssh in every shell, from scp, and from the block for ~/.ssh/config."""
    live = world.ssh(f"{name}@{sshd.name}")
    config = sshd.client_config("127.0.0.1")
    heard = f"Invalid user {name} from".replace("\\", "\\\\")
    world.api.tap(OWNER, live, "scp, config")
    world.api.wait(lambda: live.says("To copy files"), 10 * TIME_SCALE, "the further lines")
    line, copy = (next(code for code in live.code if code.startswith(word)) for word in ("ssh ", "scp "))
    with open(config, "a") as file:
        file.write("".join(re.findall(r"Host pam-.*", live.text, re.S)).partition("\n\n")[0] + "\n")
    alias = re.search(r"Host (pam-\S+)", live.text)[1]
    assert live.says(f"User {name}"), "to be copied apart"
    lines = [*((shell, line.replace("ssh ", f"ssh -F {config} ", 1)) for shell in SHELLS),
             ("sh", copy.replace("scp ", f"scp -F {config} ", 1).replace("FILE", str(config))),
             ("sh", f"ssh -F {config} {alias} true")]
    for shell, text in lines:
        before = sshd.log.count(heard)
        result = subprocess.run([shell, "-c", text], stdin=subprocess.DEVNULL, capture_output=True, timeout=30 * TIME_SCALE)
        assert b"Permission denied" in result.stderr, (text, result)
        assert sshd.log.count(heard) > before, (shell, text, sshd.log[-600:])


@pytest.mark.slow
def test_scp_of_100_mb_both_ways(world, sshd, folder):
    config = sshd.client_config("127.0.0.1")
    source = random_file(folder / "source", 100)
    began = now()
    live = world.ssh(f"{USER}@{sshd.name}")
    up = scp(live.code[0], config, [source], f"REMOTE:{folder}/copy")
    assert up.returncode == 0, up.stderr
    middle = now()
    wait_over(world, live)
    assert "sent" in live.text and "10" in live.text, live.text
    live = world.ssh(f"{USER}@{sshd.name}")
    down = scp(live.code[0], config, [f"REMOTE:{folder}/copy"], folder / "back")
    assert down.returncode == 0, down.stderr
    print(f"100 MB up in {middle - began:.1f} s, down in {now() - middle:.1f} s")
    assert sha256(source) == sha256(folder / "copy") == sha256(folder / "back")


def test_standard_input_and_output_end_on_their_own(world, sshd, folder):
    """`ssh host cat > x`: the end of the input arrives, the rest of the output too."""
    config = sshd.client_config("127.0.0.1")
    data = random_file(folder / "in", 3).read_bytes()
    command = world.ssh(f"{USER}@{sshd.name}").code[0]
    result = ssh(command, config, f"cat > {folder}/x; echo stored; cat {folder}/x", data=data)
    assert result.stdout == b"stored\n" + data
    assert (folder / "x").read_bytes() == data


def test_an_interactive_session_is_not_slowed_down(world, sshd):
    """Single keys come back at once: no Nagle, no waiting for full buffers."""
    config = sshd.client_config("127.0.0.1")
    command = world.ssh(f"{USER}@{sshd.name}").code[0]
    client = subprocess.Popen([*openssh.with_config(command, config), "cat"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    try:
        times = []
        for key in range(40):
            began = now()
            client.stdin.write(b"%d\n" % (key % 10))
            assert client.stdout.read(2) == b"%d\n" % (key % 10)
            times.append(now() - began)
        print(f"a key and its echo: median {median(times) * 1000:.2f} ms")
        assert median(times) < 0.03 * TIME_SCALE
    finally:
        client.stdin.close()
        assert client.wait(10 * TIME_SCALE) == 0


def test_the_live_message_follows_the_session(world, sshd):
    """waiting (time left) -> connected (address, bytes) -> ended (how, how long, bytes)."""
    config = sshd.client_config("127.0.0.1")
    live = world.ssh(f"{USER}@{sshd.name}")
    assert live.says("left") and live.says("2 min")
    client = subprocess.Popen([*openssh.with_config(live.code[0], config), "echo hi; cat"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    try:
        assert client.stdout.read(3) == b"hi\n"
        world.api.wait_message(lambda m: m.id == live.id and m.says("connected from 127.0.0.1"), 15 * TIME_SCALE)
        assert live.button("close") and not live.code[1:] and not live.button("copy")
    finally:
        client.stdin.close()
        client.wait(10 * TIME_SCALE)
    wait_over(world, live, "disconnected", "127.0.0.1")
    assert live.says("received") and live.says("sent")
    assert [button["text"] for button in live.buttons] == ["Again"]
    print(world.api.transcript())


def test_close_by_button_cuts_the_client(world, sshd):
    config = sshd.client_config("127.0.0.1")
    live = world.ssh(f"{USER}@{sshd.name}")
    client = subprocess.Popen([*openssh.with_config(live.code[0], config), "echo hi; sleep 600"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
                              stderr=subprocess.PIPE)
    assert client.stdout.read(3) == b"hi\n"
    query = world.api.tap(OWNER, live, "close")
    world.api.wait_answer(query)
    assert client.wait(10 * TIME_SCALE) != 0
    client.communicate()
    wait_over(world, live, "closed")


def test_the_answer_is_one_message(world, sshd):
    """A quick target: no 'opening' first, and no second message besides."""
    since = world.api.mark()
    world.ssh(sshd.name)
    assert len(world.api.all_messages(OWNER, since)) == 1
