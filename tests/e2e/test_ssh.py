"""/ssh with real OpenSSH on both ends, through the command line that the bot sent."""

import hashlib
import subprocess

import pytest
import sshd as openssh
from agents import OWNER, median, now, port_of
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
    assert command == f"ssh -p {port_of(command)} -o HostKeyAlias=127.0.0.1 {USER}@127.0.0.1"
    assert live.button("copy")["copy_text"]["text"] == command, "the button copies the same"
    result = ssh(command, sshd.client_config("127.0.0.1"), "cat; echo $((6*7)); exit 3", data=b"in\n")
    assert result.returncode == 3 and result.stdout == b"in\n42\n", result
    wait_over(world, live, "disconnected")


def test_without_a_user_the_client_chooses(world, sshd):
    command = world.ssh(sshd.name).code[0]
    assert command == f"ssh -p {port_of(command)} -o HostKeyAlias=127.0.0.1 127.0.0.1"
    result = ssh(command, sshd.client_config("127.0.0.1"), "whoami")
    assert result.stdout.decode().strip() == USER, result


def test_a_target_with_an_ipv6_address(world):
    with Sshd(host="::1") as server:
        command = world.ssh(f"{USER}@{server.name}").code[0]
        assert "-o HostKeyAlias=::1 " in command
        result = ssh(command, server.client_config("::1"), "echo", "over", "six")
        assert result.stdout == b"over six\n", result


def test_one_known_hosts_entry_serves_all_sessions(world, sshd):
    """HostKeyAlias: the ports change, the entry does not, and an impostor is noticed."""
    config = sshd.client_config("127.0.0.1")
    first, second = world.ssh(sshd.name).code[0], world.ssh(sshd.name).code[0]
    assert port_of(first) != port_of(second)
    for command in (first, second):
        assert ssh(command, config, "true").returncode == 0
    with Sshd() as impostor:
        command = world.ssh(impostor.name).code[0]
        result = ssh(command, config, "true")
        assert result.returncode != 0 and b"erification failed" in result.stderr + b"" or \
            b"CHANGED" in result.stderr, result


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
    assert not live.buttons
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
