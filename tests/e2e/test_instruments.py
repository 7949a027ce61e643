"""The tests' own tools, without agents: a test that cannot fail proves nothing."""

import http.client
import json
import random
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

import botapi
import netns
import peers
import pytest
import rdp
import sshd as openssh
import util
from botapi import BadRequest, BotApi, Fault, parse_html

pytestmark = pytest.mark.instrument
TOKEN = "123:abc"


@pytest.fixture
def api():
    with BotApi(TOKEN) as server:
        yield server


def call(api, method, body=None, token=TOKEN, context=None, headers=None, raw=None, timeout=10):
    """(status, JSON answer)"""
    data = raw if raw is not None else json.dumps(body or {}).encode()
    request = urllib.request.Request(f"{api.url}/bot{token}/{method}", data,
                                     headers or {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=timeout, context=context) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_html_is_parsed_as_the_bot_api_does():
    text, entities = parse_html('<b>a &lt; b</b> &amp; <code>ssh -p 1 x</code> <a href="https://x">l</a>')
    assert text == "a < b & ssh -p 1 x l"
    assert [(e["type"], e["offset"], e["length"]) for e in entities] == [
        ("bold", 0, 5), ("code", 8, 10), ("text_link", 19, 1)]
    assert parse_html("&#65;&#x42;\U0001f600<i>c</i>")[1][0]["offset"] == 4  # UTF-16 units
    assert parse_html('<pre><code class="language-sh">x</code></pre>')[0] == "x"


@pytest.mark.parametrize("html", [
    "a & b", "a &nbsp; b", "a < b", "a > b", "<b>x", "x</b>", "<b><i>x</b></i>", "<p>x</p>",
    "<script>x</script>", "<b onclick='x'>y</b>", "<code><b>x</b></code>", "<br>", "<B>x</B>",
    "&#0;", "&#xD800;", "<a href=x>y</a>",
])
def test_bad_html_is_refused(html):
    with pytest.raises(BadRequest):
        parse_html(html)


def test_a_conversation(api):
    update = api.say(42, "/start")
    status, answer = call(api, "getUpdates", {"timeout": 10})
    assert status == 200 and answer["result"][0]["message"]["text"] == "/start"
    again = call(api, "getUpdates", {})[1]["result"]
    assert again == answer["result"], "what is not acknowledged comes again"
    markup = {"inline_keyboard": [[{"text": "Copy", "copy_text": {"text": "ssh x"}},
                                   {"text": "Close", "callback_data": "close:1"}]]}
    status, sent = call(api, "sendMessage", {"chat_id": 42, "text": "<code>ssh x</code>",
                                             "parse_mode": "HTML", "reply_markup": markup})
    assert status == 200
    message = api.wait_message("ssh x")
    assert message.code == ["ssh x"] and message.button("close")
    query = api.tap(42, message, "Close")
    got = call(api, "getUpdates", {"offset": update + 1, "timeout": 5})[1]["result"]
    api.wait_read(update)
    assert got[0]["callback_query"]["data"] == "close:1"
    assert call(api, "answerCallbackQuery", {"callback_query_id": query.id, "text": "Done."})[0] == 200
    assert api.wait_answer(query)
    assert call(api, "answerCallbackQuery", {"callback_query_id": query.id, "text": "Done."})[0] == 400
    edit = {"chat_id": 42, "message_id": sent["result"]["message_id"], "text": "ended"}
    assert call(api, "editMessageText", edit)[0] == 200
    status, answer = call(api, "editMessageText", edit)
    assert status == 400 and "not modified" in answer["description"]
    assert call(api, "deleteMessage", {"chat_id": 42, "message_id": edit["message_id"]})[0] == 200
    status, answer = call(api, "editMessageText", edit)
    assert status == 400 and "not found" in answer["description"]
    assert not api.violations
    assert "ssh x" in api.transcript() and "ended" in api.transcript()


def test_long_polling_wakes_up_and_the_newer_poll_wins(api):
    answers = []
    api.conflicts_are_expected = True
    older = threading.Thread(target=lambda: answers.append(call(api, "getUpdates", {"timeout": 50})))
    older.start()
    api.wait_polling()
    newer = threading.Thread(target=lambda: answers.append(call(api, "getUpdates", {"timeout": 50, "offset": 1})))
    newer.start()
    older.join(5)
    assert answers[0][0] == 409
    began = time.monotonic()
    api.say(42, "hello")
    newer.join(5)
    assert answers[1][1]["result"][0]["message"]["text"] == "hello"
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("method, body, why", [
    ("sendMessage", {"chat_id": 42, "text": ""}, "empty"),
    ("sendMessage", {"chat_id": 42, "text": "x" * 4097}, "too long"),
    ("sendMessage", {"chat_id": "42x", "text": "x"}, "integer"),
    ("sendMessage", {"chat_id": 42, "text": 5}, "string"),
    ("sendMessage", {"chat_id": 42}, "required"),
    ("sendMessage", {"chat_id": 42, "text": "x", "colour": "red"}, "unknown parameter"),
    ("sendMessage", {"chat_id": 42, "text": "x", "disable_web_page_preview": True}, "unknown parameter"),
    ("sendMessage", {"chat_id": 42, "text": "a\x1bb"}, "control"),
    ("sendMessage", {"chat_id": 42, "text": "x", "reply_markup": {"inline_keyboard": [[
        {"text": "b", "callback_data": "x" * 65}]]}}, "BUTTON_DATA"),
    ("sendMessage", {"chat_id": 42, "text": "x", "reply_markup": {"inline_keyboard": [[
        {"text": "b", "copy_text": {"text": "x" * 257}}]]}}, "COPY_TEXT"),
    ("sendMessage", {"chat_id": 42, "text": "x", "reply_markup": {"inline_keyboard": [[
        {"text": "b", "url": "ssh://x"}]]}}, "protocol"),
    ("sendMessage", {"chat_id": 42, "text": "x", "reply_markup": {"inline_keyboard": [[
        {"text": "b"}]]}}, "one action"),
    ("sendMessage", {"chat_id": 77, "text": "x"}, "initiate"),
    ("sendDocument", {"chat_id": 42, "document": "x"}, "file"),
    ("setMyCommands", {"commands": [{"command": "RDP", "description": "x"}]}, "COMMAND_INVALID"),
    ("sendPhoto", {"chat_id": 42}, "Not Found"),
    ("answerCallbackQuery", {"callback_query_id": "7", "text": "Done."}, "too old"),
])
def test_violations_are_refused_and_written_down(api, method, body, why):
    api.say(42, "hi")
    status, answer = call(api, method, body)
    assert status in (400, 403, 404) and not answer["ok"]
    assert why in answer["description"]
    assert len(api.violations) == 1


def multipart(parts, boundary="B"):
    body = b""
    for head, data in parts:
        body += f"--{boundary}\r\n{head}\r\n\r\n".encode() + data + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def test_documents_come_as_multipart(api):
    api.say(42, "hi")
    markup = json.dumps({"inline_keyboard": [[{"text": "x", "callback_data": "y"}]]}).encode()
    data = b"full address:s:x\r\n\r\n--not-a-boundary\r\n"
    body, headers = multipart([
        ('Content-Disposition: form-data; name="chat_id"', b"42"),
        ('Content-Disposition: form-data; name="caption"', b"for &lt;you&gt;"),
        ('Content-Disposition: form-data; name="parse_mode"', b"HTML"),
        ('Content-Disposition: form-data; name="reply_markup"', markup),
        ('Content-Disposition: form-data; name="document"; filename="HOME-PC.rdp"\r\n'
         "Content-Type: application/x-rdp", data)])
    status, answer = call(api, "sendDocument", raw=body, headers=headers)
    assert status == 200, answer
    message = api.wait_message("for <you>")
    assert message.document.data == data and message.document.file_name == "HOME-PC.rdp"
    assert message.buttons and not api.violations


@pytest.mark.parametrize("disposition", [
    'Content-Disposition: attachment; name="document"; filename="x.rdp"',
    'Content-Disposition: form-data; name="document"; filename="a/b%2e.rdp"',
])
def test_a_bad_document_part_is_written_down(api, disposition):
    api.say(42, "hi")
    body, headers = multipart([('Content-Disposition: form-data; name="chat_id"', b"42"),
                               (disposition, b"x")])
    call(api, "sendDocument", raw=body, headers=headers)
    assert api.violations


def test_duplicate_names_and_wrong_content_types_are_written_down(api):
    api.say(42, "hi")
    assert call(api, "sendMessage", raw=b'{"chat_id":42,"chat_id":42,"text":"x"}')[0] == 400
    assert call(api, "sendMessage", raw=b'{"chat_id":42,"text":"x"}', headers={"Content-Type": "text/plain"})[0] == 400
    form = urllib.parse.urlencode({"chat_id": 42, "text": "x & y"}).encode()
    assert call(api, "sendMessage", raw=form, headers={"Content-Type": "application/x-www-form-urlencoded"})[0] == 200
    assert len(api.violations) == 2


def test_faults(api):
    api.say(42, "hi")
    api.inject("sendMessage", Fault("status", 429, "Too Many Requests: retry after 2", 2))
    status, answer = call(api, "sendMessage", {"chat_id": 42, "text": "x"})
    assert status == 429 and answer["parameters"]["retry_after"] == 2
    assert call(api, "sendMessage", {"chat_id": 42, "text": "x"})[0] == 429
    assert len(api.violations) == 1, "too early"
    api.heal()
    assert call(api, "sendMessage", {"chat_id": 42, "text": "x"})[0] == 200
    api.inject("getMe", Fault("drop"))
    with pytest.raises((http.client.HTTPException, OSError)):
        call(api, "getMe")
    api.inject("getMe", Fault("garbage"))
    with pytest.raises(ValueError):
        call(api, "getMe")
    api.inject("sendMessage", Fault("lost"))
    with pytest.raises((http.client.HTTPException, OSError)):
        call(api, "sendMessage", {"chat_id": 42, "text": "lost answer"})
    assert api.wait_message("lost answer"), "carried out all the same"
    api.inject("getMe", Fault("slow", seconds=0.5))
    began = time.monotonic()
    assert call(api, "getMe")[0] == 200 and time.monotonic() - began >= 0.5
    api.wrong_token_is_expected = True
    assert call(api, "getMe", token="123:wrong")[0] == 401


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_https_server(folder, version):
    context, ca = botapi.make_tls(folder, version, version)
    with BotApi(TOKEN, tls=context) as api:
        client = ssl.create_default_context(cafile=ca)
        assert call(api, "getMe", context=client)[1]["result"]["is_bot"]


def test_real_ssh_and_scp_against_the_own_sshd(sshd, folder):
    command = f"ssh -p {sshd.port} -o HostKeyAlias={sshd.alias('HOME-PC')} {openssh.USER}@127.0.0.1"
    config = sshd.client_config("HOME-PC")
    result = openssh.ssh(command, config, "cat; echo done", data=b"in")
    assert result.stdout == b"indone\n", result.stderr + sshd.log.encode()
    source = openssh.random_file(folder / "a", 1)
    result = openssh.scp(command, config, [source], f"REMOTE:{folder}/b")
    assert result.returncode == 0, result.stderr
    assert (folder / "b").read_bytes() == source.read_bytes()
    wrong_alias = openssh.ssh(command.replace("home-pc", "other"), config, "true")
    assert wrong_alias.returncode != 0, "the alias decides which host key is right"


RDP_FILE = """\
full address:s:127.0.0.1:{port}\r
prompt for credentials:i:1\r
authentication level:i:2\r
enablecredsspsupport:i:1\r
negotiate security layer:i:1\r
autoreconnection enabled:i:0\r
loadbalanceinfo:s:Cookie: mstshash=abcdefghijk\r
"""


@pytest.mark.slow
def test_real_xfreerdp_shows_the_login_screen_and_nothing_else_passes_for_one(folder):
    with rdp.Display() as display, rdp.Xrdp() as server:
        empty = display.screenshot(folder / "empty.png")
        assert not empty.is_login_screen(), "an empty display"
        file = folder / "HOME-PC.rdp"
        file.write_text(RDP_FILE.format(port=server.port), newline="")
        with rdp.Client(display, file, log_path=folder / "client.log") as client:
            screen = rdp.wait_login_screen(display, client, folder, "instrument-login")
            assert screen.share(rdp.DIALOG) > 0.1
        # The same pixels, but the dialog's inside painted over: a screen without text.
        image = screen.image.copy()
        left, top, right, bottom = screen.box(rdp.DIALOG)
        image.paste(rdp.DIALOG, (left, top, right + 1, bottom + 1))
        image.save(folder / "blank.png")
        assert not rdp.Screen(folder / "blank.png").is_login_screen()
        # A window that only has the background: connected, but no dialog.
        image.paste(rdp.BACKGROUND, (0, 0, rdp.WIDTH, rdp.HEIGHT))
        image.save(folder / "background.png")
        assert not rdp.Screen(folder / "background.png").is_login_screen()
    with rdp.Display() as display, peers.Recorder() as silent:
        # A server that never answers: the client has no window, or a black one.
        file.write_text(RDP_FILE.format(port=silent.port), newline="")
        with rdp.Client(display, file, log_path=folder / "client.log") as client:
            silent.wait_client()
            sent = silent.talked[0].wait(11)
            assert sent.startswith(b"\x03\x00") and b"Cookie: mstshash=abcdefghijk\r\n" in sent
            assert not display.screenshot(folder / "silent.png").is_login_screen()


def test_connection_requests_are_what_a_real_client_sends():
    assert peers.connection_request(b"", 3).hex() == "030000130ee000000000000100080003000000"
    token = peers.connection_request(b"tsv://VMResource.1.AH\r\n", 0x0B)
    assert token.hex() == ("0300002a25e00000000000" "7473763a2f2f564d5265736f757263652e312e41480d0a"
                           "010008000b000000")
    assert len(peers.CONNECTION_CONFIRM) == 19


def test_recorder_tells_fin_from_rst():
    with peers.Recorder() as target:
        first = peers.dial(target.port)
        first.sendall(b"abc")
        first.close()
        connection = target.wait_client()
        assert connection.wait_end() == "fin" and connection.data == b"abc"
        second = peers.dial(target.port, source="127.0.0.9")
        second.sendall(b"x")
        connection = target.wait_client(2)
        assert connection.address[0] == "127.0.0.9"
        util.reset(second)
        assert connection.wait_end() == "rst"


def test_rdp_files_with_traps_are_refused():
    good = "full address:s:1.2.3.4:5\r\nloadbalanceinfo:s:Cookie: mstshash=x\r\n"
    assert peers.RdpFile(good.encode()).secret == "x"
    for bad in (good.replace("\r\n", "\n"), "\ufeff" + good, good + "Full Address:s:x\r\n",
                good + "a:i:x\r\n", good[:-2], good + "full address:s:1.2.3.4:6\r\n"):
        with pytest.raises((AssertionError, UnicodeError, ValueError)):
            peers.RdpFile(bad.encode())


def test_the_little_internet(internet):
    with peers.Recorder(listener=internet.vps.listen("0.0.0.0")) as vps, \
            peers.Recorder(listener=internet.lan.listen("0.0.0.0"), reply=peers.echo) as target:
        for number, source in enumerate([netns.CLIENT, *netns.SCANNERS], 1):
            with internet.client.connect(netns.VPS, vps.port, source) as sock:
                sock.sendall(b"x")
                assert vps.wait_client(number)
        assert {c.address[0] for c in vps.connections} == {netns.CLIENT, *netns.SCANNERS}
        assert internet.gateway.connect(netns.TARGET, target.port)
        assert internet.gateway.connect(netns.VPS_FOR_GATEWAY, vps.port)
        with pytest.raises(OSError):
            internet.vps.connect(netns.TARGET, target.port, timeout=1)
        with pytest.raises(OSError):
            internet.client.connect(netns.GATEWAY, 22, timeout=1)
        with pytest.raises(TimeoutError):
            internet.gateway.connect(netns.DEAF, 22, timeout=1)
        with pytest.raises(OSError) as no_route:
            internet.gateway.connect("10.9.9.9", 22, timeout=1)
        assert not isinstance(no_route.value, TimeoutError)
        with pytest.raises(ConnectionRefusedError):
            internet.gateway.connect(netns.TARGET, 1, timeout=1)
        internet.cut()
        with pytest.raises(OSError):
            internet.gateway.connect(netns.VPS_FOR_GATEWAY, vps.port, timeout=1)
        internet.mend()
        assert internet.gateway.connect(netns.VPS_FOR_GATEWAY, vps.port)
        assert internet.client.connect(netns.VPS6, internet_listener6(internet), timeout=2)


def internet_listener6(internet):
    listener = internet.vps.listen("::")
    internet.kept = listener
    return listener.getsockname()[1]


def test_names_in_the_namespaces(internet):
    def getent(name):
        command = internet.gateway.command("getent", "ahostsv4", name)
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout

    assert netns.TARGET in getent("HOME-PC")
    assert getent("no-such-pc.test") == "" and "no-such-pc.test" in internet.dns.asked
    internet.dns.answers["vps.test"] = netns.VPS_FOR_GATEWAY
    assert netns.VPS_FOR_GATEWAY in getent("vps.test")

def test_ports_that_are_held_are_nobody_elses():
    def meet(held):     # 12,000 ports: more than once through all of them
        return any(abs(start - held) < 40 for start in [util.free_range(40) for _ in range(300)])

    with util.held_range(40) as held:
        assert not meet(held)
    assert meet(held), "they are free again"


def test_helpers_find_free_ports():
    start = util.free_range(50)
    port = start + random.randrange(50)
    with socket.create_server(("127.0.0.1", port)):
        assert port in util.ports_in_use() and peers.listening(port)
    util.eventually(lambda: not peers.listening(port), "the port is closed")


def test_processes_that_run_tests_have_ports_of_their_own():
    ours = util.ports()
    if not ours.claim:
        pytest.skip("more than five processes run tests here")
    ask = "import util; print(util.free_port(), util.free_range(600), util.ports().claim is None)"
    said = subprocess.run([sys.executable, "-c", ask], cwd=util.REPOSITORY / "tests" / "e2e", check=True,
                          capture_output=True, text=True).stdout.split()
    assert all(int(port) not in range(ours.single.start, ours.many.stop) for port in said[:2]) or said[2] == "True"
    single, start = util.free_port(), util.free_range(600)
    assert single in ours.single and start in ours.many and util.free_port() != single
    assert abs(util.free_range(600) - start) >= 600, "not the same again"
