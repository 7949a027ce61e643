"""The way to the Bot API through a proxy: TELEGRAM_PROXY, and what the environment says."""

import contextlib
import ssl
import subprocess

import botapi
import pytest
import util
from agents import Daemon, run
from proxies import Proxy

TOKEN = "1234567890:AAbbCCddEEffGGhhIIjjKKllMMnnOOpp"
LOGIN = "someone:h%40sh/x".replace("/", "%2F")      # as it is written in a URL
PLAIN = "someone:h@sh/x"                           # and as the proxy gets it


@contextlib.contextmanager
def agent(folder, api, **settings):
    """A vps-agent that has nothing but a bot."""
    ports = util.free_range(3)
    daemon = Daemon("vps-agent", folder, {
        "TELEGRAM_TOKEN": TOKEN, "ALLOWED_USERS": "42", "VPS_HOST": "127.0.0.1", "TUNNEL_KEY": "0" * 64,
        "CONTROL_PORT": ports, "PORT_RANGE_START": ports + 1, "PORT_RANGE_END": ports + 2,
        "STATE_DIR": folder / "state", "TELEGRAM_API_URL": api.url, "LOG_LEVEL": "debug", **settings})
    daemon.start()
    try:
        yield daemon
        daemon.stop()
        assert "h@sh" not in daemon.log and "h%40sh" not in daemon.log and TOKEN not in daemon.log
    finally:
        daemon.kill()


def doctor(daemon):
    result = run("vps-agent", "--doctor", env=daemon.settings, timeout=60)
    assert "h@sh" not in result.stdout and "h%40sh" not in result.stdout
    return result.stdout


@pytest.mark.parametrize("kind", ["http", "socks5h"])
def test_the_bot_works_through_a_proxy_with_a_password(folder, kind):
    with botapi.BotApi(TOKEN) as api, Proxy(kind, PLAIN) as proxy:
        with agent(folder, api, TELEGRAM_PROXY=proxy.url(LOGIN), no_proxy="127.0.0.1") as vps:
            vps.wait_log("telegram: online as")
            vps.wait_log(rf"telegram: through the proxy {kind}://127.0.0.1:{proxy.port} \(TELEGRAM_PROXY\)")
            told = doctor(vps)
            assert f"ok  proxy: {kind}://127.0.0.1:{proxy.port}, of TELEGRAM_PROXY" in told, told
            assert "ok  Bot API: it answers" in told, told
        assert proxy.seen and all(login == PLAIN for _, _, login in proxy.seen), proxy.seen
        assert all(str(api.port) in asked for _, asked, _ in proxy.seen), proxy.seen


@pytest.mark.parametrize("kind", ["http", "https"])
def test_an_https_server_is_reached_through_connect(folder, kind):
    context, ca = botapi.make_tls(folder, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    with botapi.BotApi(TOKEN, tls=context) as api, Proxy(kind, PLAIN, context if kind == "https" else None) as proxy:
        with agent(folder, api, TELEGRAM_PROXY=proxy.url(LOGIN), SSL_CERT_FILE=ca) as vps:
            vps.wait_log("telegram: online as")
        assert {method for method, _, _ in proxy.seen} == {"CONNECT"}, proxy.seen


@pytest.mark.parametrize("kind, tls", [("http", False), ("http", True), ("socks5h", False)])
def test_a_wrong_password_is_said_as_that(folder, kind, tls):
    context, ca = botapi.make_tls(folder, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3) if tls else (None, None)
    with botapi.BotApi(TOKEN, tls=context) as api, Proxy(kind, "someone:else") as proxy:
        with agent(folder, api, TELEGRAM_PROXY=proxy.url(LOGIN), SSL_CERT_FILE=ca) as vps:
            vps.wait_log("telegram: trouble with receiving: the proxy does not accept the user name or password")
            told = doctor(vps)
            assert "!!  Bot API: " in told and "the proxy does not accept the user name or password" in told, told
        assert not api.calls, "nothing went past the proxy"


def test_a_proxy_that_is_down_is_said_as_that(folder):
    with botapi.BotApi(TOKEN) as api:
        with agent(folder, api, TELEGRAM_PROXY=f"http://127.0.0.1:{util.free_port()}") as vps:
            vps.wait_log("telegram: trouble with receiving: the proxy cannot be reached")
        assert not api.calls


def test_the_proxy_of_the_environment_is_taken_and_said(folder):
    with botapi.BotApi(TOKEN) as api, Proxy("http", PLAIN) as proxy:
        with agent(folder, api, http_proxy=proxy.url(LOGIN)) as vps:
            vps.wait_log("telegram: online as")
            vps.wait_log(rf"telegram: through the proxy http://127.0.0.1:{proxy.port} \(http_proxy\)")
            assert "of http_proxy" in doctor(vps)
        assert proxy.seen


def test_setting_up_goes_through_the_proxy_and_keeps_it(folder):
    """In an environment that reaches the Bot API only so."""
    with botapi.BotApi(TOKEN) as api, Proxy("http", PLAIN) as proxy:
        result = run("vps-agent", "--setup", "--env-file", folder / "vps.env", "--host", "vps.example", "--user", "42", env={
            "TELEGRAM_TOKEN": TOKEN, "TELEGRAM_API_URL": api.url, "TELEGRAM_PROXY": proxy.url(LOGIN)},
            stdin=subprocess.DEVNULL)
        assert result.returncode == 0, result
        assert proxy.seen and f"TELEGRAM_PROXY={proxy.url(LOGIN)}\n" in (folder / "vps.env").read_text()
        assert "h%40sh" not in result.stdout + result.stderr
        seen = len(proxy.seen)
        result = run("vps-agent", "--doctor", "--env-file", folder / "vps.env", env={"STATE_DIR": folder}, timeout=60)
        assert f"ok  proxy: http://127.0.0.1:{proxy.port}, of TELEGRAM_PROXY" in result.stdout and len(proxy.seen) > seen
