"""The first five minutes: --setup, --invite and --join, and the agents that come of them."""

import os
import re
import signal
import stat
import subprocess

import botapi
import pytest
import util
from agents import Daemon, environment, program, run
from terminal import Terminal
from util import eventually

TOKEN = "1234567890:AAbbCCddEEffGGhhIIjjKKllMMnnOOpp"
KEY = "0123456789abcdef" * 4


@pytest.fixture
def api():
    with botapi.BotApi(TOKEN) as server:
        yield server
        assert not server.violations, server.violations


@pytest.fixture
def place(folder, api):
    """The surroundings of an installation: a folder, and settings that no person is asked for."""
    (folder / "state").mkdir(mode=0o700)
    start = util.free_range(101)
    return {"folder": folder, "vps": folder / "vps.env", "gateway": folder / "gateway.env",
            "env": {"TELEGRAM_API_URL": api.url, "STATE_DIR": folder / "state",
                    "CONTROL_PORT": start, "PORT_RANGE_START": start + 1,
                    "PORT_RANGE_END": start + 100}}


def settings_in(path):
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def given(place, **more):
    return {**place["env"], "TELEGRAM_TOKEN": TOKEN, "ALLOWED_USERS": 42, "VPS_HOST": "127.0.0.1", **more}


def set_up(place, *args, **more):
    """Without a terminal."""
    return run("vps-agent", "--setup", "--env-file", place["vps"], *args, env=given(place, **more),
               stdin=subprocess.DEVNULL)


def invite(place, name="home", *args):
    result = run("vps-agent", "--invite", name, "--env-file", place["vps"], *args)
    assert result.returncode == 0, result
    line = result.stdout.strip()
    return re.fullmatch(r"gateway-agent --join (pamtunnel1\.[A-Za-z0-9_-]+)", line)[1]


def join(place, string, *args, **options):
    return run("gateway-agent", "--join", "-", "--env-file", place["gateway"], *args,
               input=string + "\n", **options)


@pytest.fixture
def vps(place):
    """A vps-agent that was set up without a terminal, for the gateway home."""
    result = set_up(place, "--gateway", "home")
    assert result.returncode == 0, result
    daemon = Daemon("vps-agent", place["folder"], {}, ["--env-file", str(place["vps"])]).start()
    daemon.wait_log("telegram: online")
    yield daemon
    daemon.stop()


# ---------------------------------------------------------------- with a person

def test_from_nothing_to_a_gateway_that_is_online(api, place):
    """As a person does it: questions, the code in Telegram, the line on the other machine."""
    with Terminal("vps-agent", "--setup", "--env-file", place["vps"], env=place["env"]) as terminal:
        terminal.wait(r"Bot token.*: ")
        eventually(lambda: not terminal.shows_what_is_typed(), "the terminal hides the token")
        terminal.type(TOKEN)
        terminal.wait("That is @pam_test_bot")
        assert terminal.shows_what_is_typed()
        terminal.answer(r"user ID.*: ", "")
        code = terminal.wait(r"/start (\d{6})\n")[1]
        api.say(666, "/start 000000" if code != "000000" else "/start 111111")
        api.say(42, f"/start {code}")
        terminal.wait("user ID 42")
        terminal.answer(r"IP address.*: ", "not a host")
        terminal.answer(r"VPS_HOST is \"not a host\"(.|\n)*IP address.*: ", "127.0.0.1")
        terminal.answer(r"gateway.*\[home\]: ", "")
        string = terminal.wait(r"gateway-agent --join (pamtunnel1\.\S+)")[1]
        status, text = terminal.end()
    assert status == 0 and TOKEN not in text and settings_in(place["vps"])["TUNNEL_KEY"][5:] not in text
    written = settings_in(place["vps"])
    assert written["TELEGRAM_TOKEN"] == TOKEN and written["ALLOWED_USERS"] == "42"
    assert written["VPS_HOST"] == "127.0.0.1"
    assert re.fullmatch(r"home:[0-9a-f]{64}", written["TUNNEL_KEY"])
    assert mode_of(place["vps"]) == (0o640 if os.geteuid() == 0 else 0o600)
    api.wait_message("obey you", chat=42)

    vps = Daemon("vps-agent", place["folder"], {}, ["--env-file", str(place["vps"])]).start()
    gateway = None
    try:
        vps.wait_log("telegram: online")
        with Terminal("gateway-agent", "--join", "-", "--env-file", place["gateway"]) as terminal:
            terminal.wait("Join string.*: ")
            eventually(lambda: not terminal.shows_what_is_typed(), "the terminal hides it")
            terminal.type(string)
            status, text = terminal.end()
        assert status == 0 and string not in text, text
        assert "accepts the key" in text and f"Wrote {place['gateway']}" in text
        gateway = Daemon("gateway-agent", place["folder"], {}, ["--env-file", str(place["gateway"])]).start()
        gateway.wait_log("connected to the VPS")
        api.wait_polling()
        assert not api.called("sendMessage")[1:], "the /start of the set-up is not dealt with again"
    finally:
        if gateway:
            gateway.stop()
        vps.stop()


def test_a_wrong_token_is_told_and_asked_for_again(api, place):
    api.wrong_token_is_expected = True
    with Terminal("vps-agent", "--setup", "--env-file", place["vps"], env=place["env"]) as terminal:
        terminal.answer(r"Bot token.*: ", "nonsense")
        terminal.answer(r"TELEGRAM_TOKEN is wrong(.|\n)*Bot token.*: ", "1:wrong")
        terminal.answer(r"does not know this token(.|\n)*Bot token.*: ", TOKEN)
        terminal.wait("That is @pam_test_bot")
    assert not place["vps"].exists(), "an aborted set-up leaves nothing"


def test_only_the_owner_of_the_terminal_becomes_the_owner_of_the_bot(api, place):
    """A group, a forwarded message and a wrong code do not count; five wrong codes end it."""
    with Terminal("vps-agent", "--setup", "--env-file", place["vps"],
                  env={**place["env"], "TELEGRAM_TOKEN": TOKEN, "VPS_HOST": "127.0.0.1"}) as terminal:
        terminal.answer(r"user ID.*: ", "")
        code = terminal.wait(r"/start (\d{6})\n")[1]
        api.say(666, f"/start {code}", chat={"id": -5, "type": "group"})
        api.say(666, f"/start {code}", forward_origin={"type": "user"})
        wrong = f"{(int(code) + 1) % 1000000:06}"
        for _ in range(5):
            api.say(666, f"/start {wrong}")
        terminal.wait("5 wrong codes")
        status, _ = terminal.end()
    assert status == 1 and not place["vps"].exists()


def test_an_agent_that_receives_the_messages_is_told(api, vps, place):
    """Both would get a part of them: it is said who to stop."""
    api.conflicts_are_expected = True
    api.wait_polling()
    with Terminal("vps-agent", "--setup", "--env-file", place["folder"] / "other.env",
                  env={**place["env"], "TELEGRAM_TOKEN": TOKEN, "VPS_HOST": "127.0.0.1"}) as terminal:
        terminal.answer(r"user ID.*: ", "")
        terminal.wait("another program receives this bot's messages: stop vps-agent", 30)
        assert terminal.end()[0] == 1
    api.wait_polling()


def test_a_webhook_does_not_keep_the_code_away(api, place):
    api.webhook = True
    with Terminal("vps-agent", "--setup", "--env-file", place["vps"],
                  env={**place["env"], "TELEGRAM_TOKEN": TOKEN, "VPS_HOST": "127.0.0.1"}) as terminal:
        terminal.answer(r"user ID.*: ", "")
        api.say(42, "/start " + terminal.wait(r"/start (\d{6})\n")[1])
        terminal.wait("user ID 42")
    assert not api.webhook


def test_ctrl_c_at_the_hidden_question_leaves_the_terminal_as_it_was(place):
    with Terminal("vps-agent", "--setup", "--env-file", place["vps"], env=place["env"]) as terminal:
        terminal.wait(r"Bot token.*: ")
        eventually(lambda: not terminal.shows_what_is_typed(), "the terminal hides the token")
        os.write(terminal.fd, b"\x03")
        eventually(terminal.shows_what_is_typed, "the terminal shows again what is typed")
        status, _ = terminal.end()
    assert status == -signal.SIGINT


def test_set_up_again_proposes_what_there_is_and_keeps_the_rest(api, place):
    place["vps"].write_text(f"# mine\nTELEGRAM_TOKEN={TOKEN}\nALLOWED_USERS=42,43\nVPS_HOST=192.0.2.1\n"
                            f"TUNNEL_KEY=home:{KEY}\nMAX_SESSIONS=7\n#SOMETHING=else\n")
    place["vps"].chmod(0o604)
    with Terminal("vps-agent", "--setup", "--env-file", place["vps"], env=place["env"]) as terminal:
        terminal.answer(r"Enter keeps the one there is\): ", "")
        terminal.answer(r"\[42,43\]: ", "")
        terminal.answer(r"\[192.0.2.1\]: ", "192.0.2.9")
        terminal.answer(r"\[home\]: ", "office")
        status, _ = terminal.end()
    assert status == 0
    text = place["vps"].read_text()
    assert text.startswith(f"# mine\nTELEGRAM_TOKEN={TOKEN}\nALLOWED_USERS=42,43\nVPS_HOST=192.0.2.9\n"
                           f"TUNNEL_KEY=home:{KEY},office:")
    assert "\nMAX_SESSIONS=7\n#SOMETHING=else\n" in text
    assert mode_of(place["vps"]) == 0o600


# ---------------------------------------------------------------- without one

@pytest.mark.parametrize("name", ["TELEGRAM_TOKEN", "ALLOWED_USERS", "VPS_HOST"])
def test_without_a_terminal_what_is_missing_is_named(api, place, name):
    result = set_up(place, **{name: None})
    assert result.returncode == 2 and name in result.stderr, result
    assert not place["vps"].exists()


def test_options_and_a_token_from_standard_input(api, place):
    result = run("vps-agent", "--setup", "--env-file", place["vps"], "--host", "vps.example.org",
                 "--user", "42", "--gateway", "office", input=TOKEN + "\n",
                 env={**place["env"], "TELEGRAM_TOKEN_FILE": "/dev/stdin"})
    assert result.returncode == 0, result
    assert "pamtunnel1." not in result.stdout + result.stderr, "the key shows on request only"
    written = settings_in(place["vps"])
    assert written["TELEGRAM_TOKEN"] == TOKEN and written["VPS_HOST"] == "vps.example.org"
    assert written["TUNNEL_KEY"].startswith("office:")
    assert invite(place, "office") == invite(place, "OFFICE".lower()), "the same key again"


def test_a_secret_in_a_file_of_its_own_stays_there(api, place):
    token, key = place["folder"] / "token", place["folder"] / "key"
    token.write_text(TOKEN + "\n")
    key.write_text(f"home:{KEY}\n")
    place["vps"].write_text(f"TELEGRAM_TOKEN_FILE={token}\nTUNNEL_KEY_FILE={key}\n")
    result = set_up(place, TELEGRAM_TOKEN=None)
    assert result.returncode == 0, result
    assert TOKEN not in place["vps"].read_text() and KEY not in place["vps"].read_text()
    invite(place, "office")
    assert re.fullmatch(f"home:{KEY},office:[0-9a-f]{{64}}\n", key.read_text())
    assert token.read_text() == TOKEN + "\n"


def test_a_key_changes_on_request_only(api, place):
    assert set_up(place).returncode == 0
    before = place["vps"].read_text()
    first = invite(place)
    assert invite(place) == first and place["vps"].read_text() == before
    assert invite(place, "home", "--new-key") != first
    assert set_up(place).returncode == 0
    assert place["vps"].read_text() != before


def test_invite_says_whose_key_the_line_holds(place):
    for key, whose in ((KEY, "the key that all gateways share"), (f"office:{KEY}", "the key of office")):
        place["vps"].write_text(f"VPS_HOST=127.0.0.1\nTUNNEL_KEY={key}\n")
        before = place["vps"].read_text()
        result = run("vps-agent", "--invite", "office", "--env-file", place["vps"])
        assert result.returncode == 0 and f"It holds {whose}: show it to nobody." in result.stderr, result
        assert place["vps"].read_text() == before


def test_without_vps_host_no_key_is_made(place):
    for there in (False, True):
        if there:
            place["vps"].write_text("SESSION_TIMEOUT=60\n")
        result = run("vps-agent", "--invite", "home", "--env-file", place["vps"])
        assert result.returncode == 2 and "VPS_HOST" in result.stderr and not result.stdout, result
        assert place["vps"].exists() == there
    assert place["vps"].read_text() == "SESSION_TIMEOUT=60\n"


def test_no_secret_goes_into_a_folder_of_others(api, place):
    assert set_up(place, "--gateway", "home").returncode == 0
    string, before = invite(place), place["vps"].read_text()
    place["folder"].chmod(0o1777)
    for result in (set_up(place, "--gateway", "office"), join(place, string, "--force"),
                   run("vps-agent", "--invite", "office", "--env-file", place["vps"])):
        assert result.returncode == 1 and "others may write to the folder" in result.stderr, result
        assert "no secret is put there" in result.stderr and KEY not in result.stdout
    assert place["vps"].read_text() == before and not place["gateway"].exists()


def test_who_reads_settings_from_a_folder_of_others_is_warned(api, place):
    assert set_up(place, "--gateway", "home").returncode == 0
    place["folder"].chmod(0o777)
    daemon = Daemon("vps-agent", place["folder"], {}, ["--env-file", str(place["vps"])]).start()
    daemon.wait_log("the settings may be changed by others: others may write to the folder")
    daemon.wait_log("telegram: online")
    daemon.stop()


@pytest.mark.parametrize("args", [("--invite",), ("--invite", "two words"), ("--host",)])
def test_wrong_usage(api, place, args):
    set_up(place)
    assert run("vps-agent", *args[:2], "--env-file", place["vps"]).returncode == 2


def test_a_file_that_cannot_be_written_is_told_before_anything_is_asked(as_nobody, place, folder):
    folder.chmod(0o755)
    result = subprocess.run([*as_nobody, program("vps-agent"), "--setup", "--env-file", place["vps"]],
                            env=environment(place["env"]), capture_output=True, text=True,
                            stdin=subprocess.DEVNULL)
    if "No such file" in result.stderr or "cannot execute" in result.stderr:
        pytest.skip("another user does not reach the program")
    assert result.returncode == 1 and "run this as root" in result.stderr, result


# ---------------------------------------------------------------- joining

def test_a_join_string_with_everything_else_in_the_file_kept(vps, place):
    place["gateway"].write_text("ALLOWED_TARGETS=10.0.0.0/8:22\nVPS_HOST=old.example\n# end\n")
    string = invite(place)
    result = join(place, string)
    assert result.returncode == 0, result
    assert string not in result.stdout + result.stderr
    lines = place["gateway"].read_text().splitlines()
    assert lines[:3] == ["ALLOWED_TARGETS=10.0.0.0/8:22", "VPS_HOST=127.0.0.1", "# end"]
    assert {f"CONTROL_PORT={place['env']['CONTROL_PORT']}", "GATEWAY_NAME=home"} <= set(lines)


def test_on_the_command_line_it_warns_and_hides_it(vps, place):
    string = invite(place)
    vps.freeze()    # so that there is time to look
    try:
        process = subprocess.Popen([program("gateway-agent"), "--join", string, "--env-file", place["gateway"]],
                                   env=environment({}), stdin=subprocess.DEVNULL, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert "checking" in process.stdout.readline()
        with open(f"/proc/{process.pid}/cmdline") as line:
            assert string not in line.read()
    finally:
        vps.thaw()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0 and "command line" in errors


@pytest.mark.parametrize("damage, says", [
    (lambda s: s[:-5], "end of the join string is missing"),
    (lambda s: s[:30] + ("a" if s[30] != "a" else "b") + s[31:], "a character of the join string"),
    (lambda s: s + "AAAA", "something follows"),
    (lambda s: "hello", "no join string"),
    (lambda s: s.replace("pamtunnel1", "pamtunnel9"), "version 9"),
    (lambda s: "", "no join string"),
])
def test_a_damaged_join_string_is_told(vps, place, damage, says):
    string = invite(place)
    result = join(place, damage(string))
    assert result.returncode == 2 and says in result.stderr, result
    assert not place["gateway"].exists()


def test_a_server_that_is_not_there_is_told(vps, place):
    string = invite(place)
    vps.stop()
    result = join(place, string)
    assert result.returncode == 1 and "is it running" in result.stderr, result
    assert not place["gateway"].exists()
    result = join(place, string, "--force")
    assert result.returncode == 0 and place["gateway"].exists(), result


def test_a_key_that_is_not_accepted_is_told(vps, place):
    string = invite(place, "home", "--new-key")     # vps-agent still has the old one
    result = join(place, string)
    assert result.returncode == 1 and "does not accept the key" in result.stderr, result
    assert "restart vps-agent" in result.stderr
    vps.wait_log("does not hold the right key")


def test_a_name_that_is_taken_is_not_taken_over(vps, place):
    string = invite(place)
    assert join(place, string).returncode == 0
    gateway = Daemon("gateway-agent", place["folder"], {}, ["--env-file", str(place["gateway"])]).start()
    try:
        gateway.wait_log("connected to the VPS")
        result = join(place, string)
        assert result.returncode == 1 and "online already" in result.stderr, result
        assert vps.count_log("a new login replaces") == 0, "looking does not disturb"
        with Terminal("gateway-agent", "--join", "-", "--env-file", place["gateway"]) as terminal:
            terminal.answer("Join string.*: ", string)
            terminal.answer(r"Is it this machine\? \[y/N\]: ", "y")
            assert terminal.end()[0] == 0
        assert join(place, string, "--force").returncode == 0
        assert gateway.count_log("lost|another gateway") == 0
    finally:
        gateway.stop()
