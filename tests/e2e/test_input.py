"""What users type: hints instead of errors, and nothing of it gets anywhere it could do harm."""

import pytest
from agents import OWNER
from peers import Recorder
from util import TIME_SCALE

WORLD = {}


def answer(world, text, **overrides):
    since = world.api.mark()
    world.api.say(OWNER, text, **overrides)
    return world.api.wait_message(lambda m: True, 10 * TIME_SCALE, since, OWNER)


MALFORMED = [
    "", " ", "a b", "host extra words", "host:0", "host:65536", "host:99999999999", "host:-1", "host:22x",
    "host:", ":22", "host:22:22", "host: 22", "-host", "host-", ".host", "host..name", "a" * 64,
    "a." * 130 + "a", "x" * 300, "host/22", "http://host", "ssh://host?x", "host?x", "host#x", "ho%73t", "ho%00st",
    "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4/24", "0x7f.1", "127.1", "2130706433", "[::1", "::1]",
    "[::1]:", "[::1]:0", "[host]:22", "fe80::1%eth0", ":::1", "1::2::3", "[]", "[]:22", "g::x",
    "host;reboot", "host&&reboot", "host|cat", "$(reboot)", "`reboot`", "${HOME}", "host>x", "host<x",
    "host'x", 'host"x', "host\\x", "host\nname", "host\rname", "host\tname", "host\x1b[2J",
    "<b>host</b>", "&amp;", "host&lt;", "<script>", "хост", "hôst", "主机", "h\u202eöst", "😀", "host\u2028x", "*", "ho*st", "host,other", "host=x", "host!", "(host)", "{host}", "~",
    "--help", "-oProxyCommand=reboot", "a@b@c@host", "@host", "us  er@host", "us -l@host", "-x@host", "u;x@host", "u$x@host",
    "u\\\\x@host", "u\\@host", "user@", "x" * 100 + "@host", "u'x@host", "root@@host",
]


@pytest.mark.parametrize("command", ["/ssh", "/rdp"])
def test_malformed_targets_get_a_hint(world, command):
    for text in MALFORMED:
        message = answer(world, f"{command} {text}")
        assert message.says(command), f"{text!r}: a hint shows how it is used: {message}"
        assert not message.buttons and not message.document, (text, message)
    assert world.sessions() == []


@pytest.mark.parametrize("host, words", [("_x.lan", "must begin and end with a letter or a digit"), ("fe80::1%eth0", "leave out the %"),
                                         ("192.168.077.22", "without leading zeros"), ("192.168.1.0/24", "one machine, not a whole network"),
                                         ("http://host", "Leave out the ://"), ("u$x@host", "CORP\\mxu, mxu@corp.local or First Last")])
def test_what_is_refused_says_what_is_wrong_with_it(world, host, words):
    assert answer(world, f"/ssh {host}").says(words)
    assert answer(world, f"/rdp {host}").says(words)


@pytest.mark.parametrize("text", ["/help", "/start", "/start payload", "  /help  "])
def test_help_lists_the_commands(world, text):
    message = answer(world, text)
    assert message.says("/rdp", "/ssh")
    assert world.pamctl.json("status")["telegram"] == "online"


@pytest.mark.parametrize("text", ["hello", "/frobnicate", "ssh a b", "/", "😀", "/sshhost", "/ssh_host",
                                  "<b>&amp;</b>", "x" * 4096, "/" + "x" * 4095, "\u202e/ssh host"])
def test_anything_else_gets_a_friendly_word(world, text):
    message = answer(world, text)
    assert not message.buttons and len(message.text) < 600
    assert world.sessions() == []


def test_the_commands_are_announced(world):
    names = {command["command"] for command in world.api.commands}
    assert {"rdp", "ssh", "help"} <= names


def test_good_targets_of_every_form_are_understood(world):
    with Recorder() as target, Recorder(host="::1") as six:
        for text, shown in [
            (f"/ssh 127.0.0.1:{target.port}", "127.0.0.1"), (f"/ssh alice@127.0.0.1:{target.port}", "alice@"),
            (f"/ssh [::1]:{six.port}", f"-o HostKeyAlias=::1+{six.port} "), (f"/ssh LOCALHOST:{target.port}", f"HostKeyAlias=localhost+{target.port} "),
            (f"/ssh   127.0.0.1:{target.port}  ", "127.0.0.1"), (f"/SSH 127.0.0.1:{target.port}", "127.0.0.1"),
            (f"/ssh a.b-c_d9@127.0.0.1:{target.port}", "a.b-c_d9@"), (f"/ssh lan/127.0.0.1:{target.port}", "127.0.0.1"),
            (f"/ssh bob@lan/127.0.0.1:{target.port}", "bob@"), (f"/ssh ssh://bob@127.0.0.1:{target.port}/", "bob@"),
            (f"/ssh \u200b\u202aLOCALHOST.\u202c:{target.port}", "=localhost+"),
        ]:
            since = world.api.mark()
            world.api.say(OWNER, text)
            message = world.api.wait_message(lambda m: m.code and m.code[0].startswith("ssh ") or not m.buttons,
                                             10 * TIME_SCALE, since, OWNER)
            assert message.code and shown in message.code[0], (text, message)
            world.close_all()
            world.api.wait(lambda message=message: message.says("ended"), 10 * TIME_SCALE, "the end is said")


def test_a_name_with_an_underscore_and_a_long_one(world):
    """Both are fine names; what the gateway makes of them is another matter."""
    for name in ("HOME_PC.invalid", ("a" * 63 + ".") * 3 + "invalid"):
        since = world.api.mark()
        world.api.say(OWNER, f"/ssh {name}")
        world.api.wait_message(lambda m: m.says(name[:60]) and not m.button("close"), 20 * TIME_SCALE, since, OWNER)
