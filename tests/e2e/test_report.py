"""pamctl report: what the audit comes to, as a page that a real browser opens."""

import re

import browser
import pytest
from agents import World, port_of
from PIL import Image
from peers import BANNER, Recorder, dial, echo
from util import eventually, read_exactly

AUTO = {"ADMIT": "auto", "RECONNECT_GRACE": 0}


@pytest.fixture
def target():
    with Recorder(echo) as recorder:
        yield recorder


def use(world, target):
    """A session from the command to its end, with bytes through it."""
    message = world.ssh(target.name)
    with dial(port_of(message.code[0])) as client:
        client.sendall(BANNER)
        assert read_exactly(client, len(BANNER)) == BANNER
        world.pamctl.json("close", world.newest_session()["id"])
    eventually(lambda: not world.sessions(), "the session ends")


def brightness(path):
    return Image.open(path).convert("L").getpixel((4, 4))


def test_a_report_is_a_page_by_itself(target, tmp_path):
    page = tmp_path / "report.html"
    with World(vps=AUTO) as world:
        use(world, target)
        use(world, target)
        world.pamctl("ssh", "elsewhere/host")
        written = world.pamctl.json("report", "--out", page)
        assert written["file"] == str(page) and written["records"] >= 3
        assert page.stat().st_mode & 0o777 == 0o600
        text = page.read_text()
        assert not re.search(r"https?:|src=|<script|@import|url\(", text)
        seen = browser.document(page)
        assert "<b>2</b><span>sessions</span>" in seen and f">{target.name}" in seen
        assert "Refused: why" in seen and "elsewhere" in seen
        assert seen.count("<rect") == 31
        for name, options in {"light": {}, "dark": {"dark": True}, "narrow": {"width": 500}}.items():
            browser.picture(page, tmp_path / f"{name}.png", **options)
        assert brightness(tmp_path / "light.png") > 240 and brightness(tmp_path / "dark.png") < 60
        browser.printed(page, tmp_path / "report.pdf")
        assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_the_time_and_the_file_are_the_users_to_choose(target, tmp_path):
    with World(vps=AUTO) as world:
        use(world, target)
        assert "<b>1</b><span>sessions</span>" in world.pamctl("report", "--since", "1h", "--out", "-").stdout
        before = world.pamctl("report", "--until", "2001-01-01", "--since", "2000-12-01", "--out", "-").stdout
        assert "No session ended in this time." in before and "2000-12-01 to 2001-01-01" in before
        assert world.pamctl("report", "--since", "yesterday", "--out", "-").returncode == 2
        first = world.pamctl("report", cwd=tmp_path)
        name = first.stdout.splitlines()[0]
        assert re.fullmatch(r"pamtunnel-\d{4}-\d\d-\d\d\.html", name) and (tmp_path / name).exists()
        again = world.pamctl("report", cwd=tmp_path)
        assert again.returncode == 1 and "replace it with --force; nothing was written" in again.stderr
        assert world.pamctl("report", "--force", cwd=tmp_path).returncode == 0
