"""docs/targets.md: what it shows is what people see, what it has them write is understood, and links lead somewhere."""

import re
import shutil
import socket
import subprocess

import pytest
from agents import World, run
from sshd import Sshd
from util import REPOSITORY

PAGE = (REPOSITORY / "docs" / "targets.md").read_text()
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


def block(word, language=""):
    """The one block of the page that has this word."""
    (found,) = [text for named, text in re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.M | re.S)
                if named == language and word in text]
    return found


def section(title):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)[1]


def rows(title):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in section(title).splitlines()
            if line.startswith("|") and not line.startswith("|--")]


def anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_pages_and_sections(page):
    for link in re.findall(r"\]\((?!https?:|\.\./\.\./)([^)\s]+)\)", page.read_text()):
        name, _, section_of = link.partition("#")
        other = page.parent / name if name else page
        assert other.exists(), link
        if section_of:
            headings = re.findall(r"^#+ (.*)$", other.read_text(), re.M)
            assert section_of in [anchor(re.sub(r"[`*]", "", heading)) for heading in headings], link


def test_the_readme_leads_here():
    assert "(docs/targets.md)" in PAGES[0].read_text()


def test_its_list_of_targets_is_one():
    line = block("ALLOWED_TARGETS")
    name, value = line.strip().split("=", 1)
    env = {"VPS_HOST": "vps.example.org", "TUNNEL_KEY": "0" * 63 + "1"}
    assert run("gateway-agent", "--check", env=env | {name: value}).returncode == 0
    assert run("gateway-agent", "--check", env=env | {name: value + ";192.168.1.5:"}).returncode == 2


def test_its_policy_is_one(folder):
    path = folder / "policy.yaml"
    path.write_text(block("targets:", "yaml") + "users:\n  anna: {telegram: 42}\n"
                    "rules:\n  - {who: anna, targets: nas, kinds: [ssh, tcp]}\n")
    path.chmod(0o600)
    env = {"POLICY_FILE": path, "VPS_HOST": "vps.example.org", "TELEGRAM_TOKEN": "123456:ABC-DEF"}
    asked = run("vps-agent", "--explain", "anna", "tcp", "nas", env=env)
    assert asked.returncode == 0 and "192.168.1.9:5001" in asked.stdout


def test_refusals_begin_as_it_says():
    explain = (REPOSITORY / "src/vps/session/explain.c").read_text()
    said = {words for row in rows("What the card shows") for words in re.findall(r"^`([a-z ]+)`$", row[0])}
    assert said == {"refused", "timed out", "no route", "unknown name", "not allowed"}
    for words in said:
        assert f'"{words}: ' in explain


def test_lines_on_cards_look_as_it_says():
    shown = {row[0].strip("`").split()[0]: re.findall(r"`([^`]+)`", row[1])[0]
             for row in rows("What the card shows") if row[0].startswith("`/")}
    assert set(shown) == {"/ssh", "/rdp", "/vnc", "/tcp"}
    with socket.create_server(("127.0.0.1", 0)) as target, World(bot=False) as world:
        where = f"127.0.0.1:{target.getsockname()[1]}"
        for kind in ("ssh", "vnc", "tcp"):
            given = world.pamctl.json(kind, ("anna@" if kind == "ssh" else "") + where)["command"]
            alike = re.escape(shown[f"/{kind}"]).replace("23144", r"\d+").replace("=nas", r"=\S+").replace(
                re.escape("vps.example.org"), r"\S+?")
            assert re.fullmatch(alike, given), (kind, given)


def test_an_older_sshd_does_not_know_the_word_for_exempting():
    option = re.search(r"echo '(PerSource\w+ [\d.]+)'", block("PerSource"))[1]
    with Sshd() as sshd:
        config = sshd.folder / "with_option"
        config.write_text((sshd.folder / "sshd_config").read_text() + option + "\n")
        checked = subprocess.run([shutil.which("sshd") or "/usr/sbin/sshd", "-t", "-f", str(config)],
                                 capture_output=True, text=True)
    version = subprocess.run(["ssh", "-V"], capture_output=True, text=True).stderr
    major, minor = map(int, re.search(r"OpenSSH_(\d+)\.(\d+)", version).groups())
    knows = (major, minor) >= (9, 8)
    assert (checked.returncode == 0) == knows, checked.stderr
    assert knows or "Bad configuration option" in checked.stderr


def test_the_fingerprint_is_the_one_that_ssh_shows():
    command = re.search(r"`(ssh-keygen -lf) /etc/ssh/ssh_host_ed25519_key.pub`", PAGE)[1]
    with Sshd() as sshd:
        said = subprocess.run([*command.split(), str(sshd.folder / "host_key.pub")],
                              check=True, capture_output=True, text=True).stdout.split()[1]
        asked = subprocess.run(["ssh", "-v", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes",
                                "-o", "UserKnownHostsFile=/dev/null", "-p", str(sshd.port), "127.0.0.1"],
                               capture_output=True, text=True)
    assert said.startswith("SHA256:") and f"Server host key: ssh-ed25519 {said}" in asked.stderr
