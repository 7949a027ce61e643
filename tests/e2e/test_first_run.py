"""The first five minutes: --setup, --invite and --join, and the agents that come of them."""

import os
import re
import signal
import stat
import subprocess
import time

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


def ask_for_invite(place, name="home", *args, **options):
    """The command and the join string are on lines of their own, with nothing around them."""
    result = run("vps-agent", "--invite", name, "--env-file", place["vps"], *args, **options)
    assert result.returncode == 0, result
    command, empty, string = result.stdout.splitlines()
    assert command == "sudo gateway-agent --join -" and not empty, result
    assert re.fullmatch(r"pamtunnel[12]\.[A-Za-z0-9_-]+", string), result
    return string, result.stderr


def invite(place, name="home", *args):
    return ask_for_invite(place, name, *args)[0]


def join(place, string, *args, **options):
    return run("gateway-agent", "--join", "-", "--env-file", place["gateway"], *args,
               input=string + "\n", **options)


def start_again(vps):
    before = vps.count_log("telegram: online")
    vps.start()
    eventually(lambda: vps.count_log("telegram: online") > before, "it is online again")


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
        api.say(42, "/start")
        api.wait_message("the code that the terminal shows", chat=42)
        api.say(666, "/start 000000" if code != "000000" else "/start 111111")
        api.say(42, f"/start {code}")
        terminal.wait("user ID 42")
        terminal.answer(r"IP address.*: ", "not a host")
        terminal.answer(r"VPS_HOST is \"not a host\"(.|\n)*IP address.*: ", "192.168.1.5")
        terminal.answer(r"192.168.1.5 is a private address, which only machines in the same network can reach. Clients and "
                        r"gateways elsewhere need the public name(.|\n)*anyway.*: ?", "n")
        terminal.answer(r"IP address.*: ", "127.0.0.1")
        terminal.answer(r"127.0.0.1 is this machine's own name for itself(.|\n)*anyway.*: ?", "y")
        terminal.answer(r"name of a gateway.*: ", "Home LAN")
        terminal.wait("1 to 63 letters, digits, dots, hyphens or underscores")
        terminal.answer(r"name of a gateway.*: ", "home")
        terminal.wait(r"\nStart it: ")
        terminal.wait(r"\nsudo gateway-agent --join -\n")
        string = terminal.wait(r"\n(pamtunnel2\.\S+)\n")[1]
        status, text = terminal.end()
    assert status == 0 and TOKEN not in text and settings_in(place["vps"])["TUNNEL_KEY"][5:69] not in text
    written = settings_in(place["vps"])
    assert written["TELEGRAM_TOKEN"] == TOKEN and written["ALLOWED_USERS"] == "42"
    assert written["VPS_HOST"] == "127.0.0.1"
    assert re.fullmatch(r"home:[0-9a-f]{64}@\d+", written["TUNNEL_KEY"])
    assert mode_of(place["vps"]) == (0o640 if os.geteuid() == 0 else 0o600)
    api.wait_message("take commands from you", chat=42)

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
        assert not api.called("sendMessage")[2:], "the /start of the set-up is not dealt with again"
    finally:
        if gateway:
            gateway.stop()
        vps.stop()


def test_from_nothing_to_a_gateway_that_is_online_by_comparing_a_code(api, place):
    """As the README has it: no key is carried anywhere."""
    with Terminal("vps-agent", "--setup", "--env-file", place["vps"],
                  env={**place["env"], "TELEGRAM_TOKEN": TOKEN, "VPS_HOST": "127.0.0.1"}) as terminal:
        terminal.answer(r"user ID.*: ", "")
        api.say(42, "/start " + terminal.wait(r"/start (\d{6})\n")[1])
        terminal.answer(r"name of a gateway.*or Enter: it asks in the chat to be let in.*: ", "")
        port = place["env"]["CONTROL_PORT"]
        terminal.wait(rf"Gateway:   sudo gateway-agent --join 127.0.0.1:{port}\n +on a Linux machine in your LAN, within ten minutes")
        status, text = terminal.end()
    assert status == 0 and "pamtunnel2." not in text and "TUNNEL_KEY" not in settings_in(place["vps"]), text

    vps = Daemon("vps-agent", place["folder"], {}, ["--env-file", str(place["vps"])]).start()
    gateway = None
    try:
        vps.wait_log("telegram: online")
        with Terminal("gateway-agent", "--join", f"127.0.0.1:{port}", "--env-file", place["gateway"]) as terminal:
            code = terminal.wait(r" (\d{3} \d{3})\n")[1]
            card = api.wait_message(lambda m: m.says("asks to be paired", code), chat=42)
            api.wait_answer(api.tap(42, card, f"It shows {code}: let in"))
            terminal.answer(r"Was it you, .*: ?", "y")
            status, text = terminal.end()
        assert status == 0 and f"Wrote {place['gateway']}" in text, text
        gateway = Daemon("gateway-agent", place["folder"], {}, ["--env-file", str(place["gateway"])]).start()
        gateway.wait_log("connected to the VPS")
        assert settings_in(place["gateway"])["TUNNEL_KEY"] not in text + vps.log + gateway.log
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
        terminal.answer(r"Enter keeps the current one\): ", "")
        terminal.answer(r"Another user: .*\[42,43\]: ", "")
        terminal.answer(r"\[192.0.2.1\]: ", "192.0.2.9")
        terminal.answer(r"another gateway, or Enter for none: ", "office")     # home is in use
        status, text = terminal.end()
    assert status == 0 and f"Wrote {place['vps']}" in text and "Note: " not in text, text
    text = place["vps"].read_text()
    assert text.startswith(f"# mine\nTELEGRAM_TOKEN={TOKEN}\nALLOWED_USERS=42,43\nVPS_HOST=192.0.2.9\n"
                           f"TUNNEL_KEY=home:{KEY},office:")
    assert "\nMAX_SESSIONS=7\n#SOMETHING=else\n" in text
    assert mode_of(place["vps"]) == 0o600


def test_set_up_again_and_nothing_new_prints_no_join_string(api, place):
    """The gateway has its key since long; what is not as it should be, but was meant, is only noted."""
    place["vps"].write_text(f"TELEGRAM_TOKEN={TOKEN}\nALLOWED_USERS=42\nVPS_HOST=10.1.2.3\nTUNNEL_KEY=home:{KEY}\n" +
                            "".join(f"{name}={value}\n" for name, value in place["env"].items()))
    before = place["vps"].read_text()
    with Terminal("vps-agent", "--setup", "--env-file", place["vps"], env={}) as terminal:
        terminal.answer(r"Enter keeps the current one\): ", "")
        terminal.answer(r"or Enter for nobody else \[42\]: ", "")
        terminal.answer(r"\[10.1.2.3\]: ", "")
        terminal.answer(r"Note: 10.1.2.3 is a private address(.|\n)*another gateway, or Enter for none: ", "")
        status, text = terminal.end()
    assert status == 0 and f"Nothing has changed in {place['vps']}.\n" in text, text
    assert "--join" not in text and "pamtunnel1" not in text and "anyway" not in text, text
    assert place["vps"].read_text() == before
    result = run("vps-agent", "--setup", "--env-file", place["vps"], stdin=subprocess.DEVNULL)
    assert result.returncode == 0 and "Note: 10.1.2.3 is a private address" in result.stderr, result
    assert "Gateway:" not in result.stdout, result


def test_set_up_again_adds_a_person_and_keeps_the_first(api, place):
    """By number, or by a message to the bot; a failure does not end it."""
    place["vps"].write_text(f"TELEGRAM_TOKEN={TOKEN}\nALLOWED_USERS=42\nVPS_HOST=192.0.2.1\n"
                            f"TUNNEL_KEY={KEY}\n")
    with Terminal("vps-agent", "--setup", "--env-file", place["vps"],
                  env={**place["env"], "TELEGRAM_TOKEN": TOKEN, "VPS_HOST": "127.0.0.1"}) as terminal:
        terminal.answer(r"\[42\]: ", "bob")
        terminal.answer(r"ALLOWED_USERS is \"bob\"(.|\n)*\[42\]: ", "+")
        api.say(777, "/start " + terminal.wait(r"/start (\d{6})\n")[1])
        terminal.wait("user ID 777")
        terminal.answer(r"another gateway, or Enter for none: ", "")
        status, text = terminal.end()
    assert status == 0 and "pamtunnel" not in text.split("Check it")[1].split("--env-file")[0], text
    written = settings_in(place["vps"])
    assert written["ALLOWED_USERS"] == "42,777" and written["TUNNEL_KEY"] == KEY


def test_set_up_beside_a_running_agent_says_how_to_reload_it(api, vps, place):
    result = set_up(place, "--user", "42,43", "--gateway", "home")
    assert result.returncode == 0 and re.search(r"^Reload it: sudo pamctl .*reload$", result.stdout, re.M), result
    assert "Start it" not in result.stdout
    with Terminal("vps-agent", "--setup", "--env-file", place["vps"],
                  env={**place["env"], "TELEGRAM_TOKEN": TOKEN, "VPS_HOST": "127.0.0.1"}) as terminal:
        terminal.answer(r"ID, which the bot tells anyone who writes to it, or Enter for nobody else \[42,43\]: ", "+")
        terminal.answer(r"have them write to the bot(.|\n)*\[42,43\]: ", "777")
        terminal.answer(r"new or existing; - for none \[home\]: ", "-")     # which has not joined yet
        terminal.wait("Reload it: sudo pamctl")
        status, text = terminal.end()
    assert status == 0 and "--join" not in text, text
    assert settings_in(place["vps"])["ALLOWED_USERS"] == "42,43,777"


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


def test_without_a_terminal_pairing_comes_first_as_well(api, place):
    """A key that nobody has asked for would keep gateways without one from being heard."""
    result = set_up(place)
    assert result.returncode == 0 and "TUNNEL_KEY" not in settings_in(place["vps"]), result
    assert "sudo gateway-agent --join 127.0.0.1:" in result.stdout and "--invite" not in result.stdout, result
    daemon = Daemon("vps-agent", place["folder"], {}, ["--env-file", str(place["vps"])]).start()
    daemon.wait_log("gateways that have no key and ask to be paired are heard for ten minutes")
    daemon.stop()
    # who speaks of a join string wants one
    assert set_up(place, "--valid", "1h").returncode == 0
    assert settings_in(place["vps"])["TUNNEL_KEY"].startswith("home:")


def test_an_ipv6_address_as_the_server_is_advised_against(api, place):
    for host, advised in (("2001:db8::1", True), ("192.0.2.1", False), ("vps.example.org", False)):
        result = set_up(place, VPS_HOST=host)
        assert result.returncode == 0, result
        assert ("FreeRDP cannot open .rdp files with an IPv6 address" in result.stdout) == advised, result
        place["vps"].unlink()


def test_a_secret_in_a_file_of_its_own_stays_there(api, place):
    token, key = place["folder"] / "token", place["folder"] / "key"
    token.write_text(TOKEN + "\n")
    key.write_text(f"home:{KEY}\n")
    place["vps"].write_text(f"TELEGRAM_TOKEN_FILE={token}\nTUNNEL_KEY_FILE={key}\n")
    result = set_up(place, TELEGRAM_TOKEN=None)
    assert result.returncode == 0, result
    assert TOKEN not in place["vps"].read_text() and KEY not in place["vps"].read_text()
    invite(place, "office")
    assert re.fullmatch(f"home:{KEY},office:[0-9a-f]{{64}}@[0-9]+\n", key.read_text())
    assert token.read_text() == TOKEN + "\n"


def test_a_key_changes_on_request_only(api, place):
    assert set_up(place, "--gateway", "home").returncode == 0
    before = place["vps"].read_text()
    first = invite(place)
    assert invite(place) == first and place["vps"].read_text() == before
    assert invite(place, "home", "--new-key") != first
    assert set_up(place).returncode == 0
    assert place["vps"].read_text() != before


def test_invite_makes_a_key_of_its_own_beside_one_without_a_name(place):
    place["vps"].write_text(f"VPS_HOST=127.0.0.1\nSTATE_DIR={place['env']['STATE_DIR']}\nTUNNEL_KEY={KEY}\n")
    string, said = ask_for_invite(place, "office")
    assert "The string holds the key of office: show it to nobody, and use it before 20" in said
    assert "office cannot log in with the key that has no name" in said
    assert "The key is new: vps-agent will know it when it starts." in said
    own = settings_in(place["vps"])["TUNNEL_KEY"]
    assert re.fullmatch(KEY + r",office:[0-9a-f]{64}@\d+", own)
    again, said = ask_for_invite(place, "office")
    assert again == string and settings_in(place["vps"])["TUNNEL_KEY"] == own
    assert "without a name" not in said
    assert ask_for_invite(place, "office", "--new-key")[0] != string
    assert settings_in(place["vps"])["TUNNEL_KEY"].startswith(f"{KEY},office:")


def test_the_time_of_a_join_string(place):
    place["vps"].write_text(f"VPS_HOST=127.0.0.1\nSTATE_DIR={place['env']['STATE_DIR']}\n"
                            f"TUNNEL_KEY=old:{KEY},late:{KEY[::-1]}@1000000000\n")
    assert "use it before" in ask_for_invite(place, "a", "--valid", "30m")[1]
    string, said = ask_for_invite(place, "b", "--valid=0")
    assert string.startswith("pamtunnel1.") and "use it before" not in said
    written = dict(entry.split(":") for entry in settings_in(place["vps"])["TUNNEL_KEY"].split(","))
    until = int(written["a"].split("@")[1])
    assert 0 <= time.time() + 1800 - until < 60 and "@" not in written["b"]
    for args, status, says in ((("late",), 1, "expired at 2001-09-09 01:46 UTC"),
                               (("old", "--valid", "1h"), 2, "--valid needs --new-key"),
                               (("c", "--valid", "soon"), 2, "30m, 24h or 7d")):
        result = run("vps-agent", "--invite", *args, "--env-file", place["vps"])
        assert result.returncode == status and says in result.stderr and not result.stdout, result


def test_a_key_that_comes_from_elsewhere_goes_back_there_or_nowhere(place):
    """A container's: TUNNEL_KEY_FILE, or TUNNEL_KEY itself, in the environment."""
    file = place["folder"] / "key"
    file.write_text(KEY + "\n")
    env = {"VPS_HOST": "127.0.0.1", "STATE_DIR": place["env"]["STATE_DIR"]}
    ask_for_invite(place, "office", env={**env, "TUNNEL_KEY_FILE": file})
    assert re.fullmatch(KEY + r",office:[0-9a-f]{64}@\d+\n", file.read_text())
    assert not place["vps"].exists()
    result = run("vps-agent", "--invite", "office", "--env-file", place["vps"], env={**env, "TUNNEL_KEY": KEY})
    assert result.returncode == 1 and '",office:KEY"' in result.stderr and not result.stdout, result
    assert "TUNNEL_KEY is set in the environment" in result.stderr
    assert not place["vps"].exists()
    ask_for_invite(place, "office", env={**env, "TUNNEL_KEY": f"office:{KEY}"})


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
        assert "no secret will be written there" in result.stderr and KEY not in result.stdout
    assert place["vps"].read_text() == before and not place["gateway"].exists()


def test_who_reads_settings_from_a_folder_of_others_is_warned(api, place):
    assert set_up(place, "--gateway", "home").returncode == 0
    place["folder"].chmod(0o777)
    daemon = Daemon("vps-agent", place["folder"], {}, ["--env-file", str(place["vps"])]).start()
    daemon.wait_log("others can change the settings: others may write to the folder")
    daemon.wait_log("telegram: online")
    daemon.stop()


@pytest.mark.parametrize("args", [("--invite",), ("--invite", "two words"), ("--host",)])
def test_wrong_usage(api, place, args):
    set_up(place)
    assert run("vps-agent", *args[:2], "--env-file", place["vps"]).returncode == 2


@pytest.mark.parametrize("name, args", [("vps-agent", ["--setup"]), ("gateway-agent", ["--join", "-"])])
def test_a_file_that_cannot_be_written_is_told_before_anything_is_asked(as_nobody, place, folder, name, args):
    folder.chmod(0o755)
    result = subprocess.run([*as_nobody, program(name), *args, "--env-file", place["vps"]],
                            env=environment(place["env"]), capture_output=True, text=True,
                            stdin=subprocess.DEVNULL)
    if "No such file" in result.stderr or "cannot execute" in result.stderr:
        pytest.skip("another user does not reach the program")
    assert result.returncode == 1 and "run this as root (with sudo)" in result.stderr, result


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


@pytest.mark.parametrize("paste", [
    lambda s: f"sudo gateway-agent --join -\n\n{s}",
    lambda s: f"gateway-agent --join '{s}'",
    lambda s: f"{s[:60]}\n  {s[60:]}",
])
def test_a_paste_with_more_than_the_string(vps, place, paste):
    result = join(place, paste(invite(place)))
    assert result.returncode == 0 and place["gateway"].exists(), result


def test_a_paste_of_several_lines_at_a_terminal(vps, place):
    string = invite(place)
    with Terminal("gateway-agent", "--join", "-", "--env-file", place["gateway"]) as terminal:
        terminal.wait("Join string.*: ")
        eventually(lambda: not terminal.shows_what_is_typed(), "the terminal hides it")
        terminal.type("sudo gateway-agent --join -")
        terminal.wait("and the rest of it, or Enter: ")
        terminal.type(string[:60] + "\n" + string[60:])
        status, text = terminal.end()
    assert status == 0 and string[20:60] not in text, text
    with Terminal("gateway-agent", "--join", "-", "--env-file", place["gateway"]) as terminal:
        terminal.answer("Join string.*: ", string[:60])
        terminal.answer("and the rest of it, or Enter: ", "")
        terminal.wait("the end of the join string is missing")
        assert terminal.end()[0] == 2


@pytest.mark.parametrize("damage, says", [
    (lambda s: s[:-5], "end of the join string is missing"),
    (lambda s: s[:30] + ("a" if s[30] != "a" else "b") + s[31:], "a character of the join string"),
    (lambda s: s + "AAAA", "something follows"),
    (lambda s: "hello", "not a join string"),
    (lambda s: s.replace("pamtunnel2", "pamtunnel9"), "version 9"),
    (lambda s: "", "not a join string"),
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


def test_a_key_that_vps_agent_has_not_read_is_told_on_both_sides(vps, place):
    assert "pamctl" not in ask_for_invite(place, "home")[1], "it knows this one"
    for args in (["--new-key"], []):    # and it is said as long as it is so
        string, said = ask_for_invite(place, "home", *args)
        assert re.search(r"does not know this key yet:  sudo pamctl .*reload$", said, re.M), said
    result = join(place, string)
    assert result.returncode == 1 and "does not accept the key" in result.stderr, result
    assert "sudo pamctl reload" in result.stderr
    vps.wait_log("does not hold the right key")
    doctor = run("vps-agent", "--doctor", "--env-file", place["vps"]).stdout
    assert re.search(r"!!  keys: .*does not know the key of home: sudo pamctl .*reload", doctor), doctor


def test_keys_that_come_from_elsewhere_are_not_shadowed(vps, place):
    """A service with a credential: this command sees no TUNNEL_KEY, but the agent has one."""
    bare = place["folder"] / "bare.env"
    bare.write_text(f"VPS_HOST=127.0.0.1\nSTATE_DIR={place['env']['STATE_DIR']}\n")
    before = bare.read_text()
    result = run("vps-agent", "--invite", "office", "--env-file", bare)
    assert result.returncode == 1 and "TUNNEL_KEY from elsewhere" in result.stderr and not result.stdout, result
    assert bare.read_text() == before


def test_a_join_string_that_was_not_used_in_time(vps, place):
    """vps-agent decides, by its clock; what was used in time is good for ever."""
    vps.stop()
    late = f"TUNNEL_KEY=late:{KEY}@1000000000,"
    place["vps"].write_text(place["vps"].read_text().replace("TUNNEL_KEY=", late))
    string = invite(place, "home")
    start_again(vps)
    doctor = run("vps-agent", "--doctor", "--env-file", place["vps"]).stdout
    assert re.search("!!  keys: the join string of late expired at 2001-09-09 01:46 UTC", doctor), doctor
    assert re.search("--  keys: home has not used its join string yet", doctor), doctor

    settings = {"VPS_HOST": "127.0.0.1", "CONTROL_PORT": place["env"]["CONTROL_PORT"], "TUNNEL_KEY": KEY,
                "GATEWAY_NAME": "late"}
    gateway = Daemon("gateway-agent", place["folder"], settings, tag="late").start()
    gateway.wait_log("the join string expired at 2001-09-09 01:46 UTC.*--invite late --new-key")
    vps.wait_log("join string of gateway late expired at 2001.*vps-agent --invite late --new-key")
    gateway.stop()
    result = run("gateway-agent", "--doctor", env=settings)
    assert "!!  key: the join string expired" in result.stdout, result

    assert join(place, string).returncode == 0
    doctor = run("vps-agent", "--doctor", "--env-file", place["vps"]).stdout
    assert not re.search("keys: .*home", doctor), doctor
    vps.stop()
    passed = re.sub(r"(home:\w{64})@\d+", r"\1@1000000001", place["vps"].read_text())
    place["vps"].write_text(passed)
    start_again(vps)
    assert join(place, string).returncode == 0, "also when the time is over"
    ask_for_invite(place, "office")
    assert re.search(r"home:\w{64},office", place["vps"].read_text()), "it needs no time any more"
    assert f"late:{KEY}@1000000000," in place["vps"].read_text()


def test_a_gateway_with_a_wrong_clock_leaves_it_to_the_vps(vps, place):
    """No clock of its own, like a Raspberry Pi's: a string that looks expired is tried."""
    text = place["vps"].read_text()
    place["vps"].write_text(re.sub(r"@\d+", f"@{int(time.time()) + 1}", text))
    string = invite(place)
    place["vps"].write_text(text)
    eventually(lambda: "By this machine's clock, the join string expired" in join(place, string).stderr,
               "the time passes")
    assert place["gateway"].exists()


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
            # What is pasted in the wrong place is asked again, and nothing of it is left for the shell.
            terminal.answer(r"Is it this machine\? \[y/N\]: ", f"y; gateway-agent --join {string}")
            terminal.answer(r"Is it this machine\? \[y/N\]: ", "perhaps")
            terminal.answer(r"Is it this machine\? \[y/N\]: ", "y")
            assert terminal.end()[0] == 0
        assert join(place, string, "--force").returncode == 0
        assert gateway.count_log("lost|another gateway") == 0
    finally:
        gateway.stop()
