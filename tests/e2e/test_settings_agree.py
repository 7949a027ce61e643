"""The settings stand in --help, the README's tables, man pages, example env files and compose files:
the same names everywhere, and the same defaults. What --help says is what the programs do."""

import re
import shlex
import subprocess

import pytest
import yaml
from agents import program
from test_service_files import AGENTS, REQUIRED, lines_of_example, settings_in_help
from util import REPOSITORY

COMPOSE = {"vps-agent": "docker-compose.yml", "gateway-agent": "docker-compose.gateway.yml"}
SECRETS = {"TELEGRAM_TOKEN", "TUNNEL_KEY"}  # are files in a container
PLACES = {"STATE_DIR"}                      # is fixed in a container, and chosen outside of it
agents = pytest.mark.parametrize("agent", AGENTS.values())


def table_of_readme(agent):
    """{name: the cell of its default}"""
    text = (REPOSITORY / "README.md").read_text().partition(f"### Settings of {agent}\n")[2].partition("\n### ")[0]
    found = {}
    for names, defaults in re.findall(r"^\| ((?:`[A-Z_]+`(?:, )?)+) \| (.*?) \|", text, re.M):
        names = re.findall(r"[A-Z_]+", names)
        defaults = defaults.replace("`", "")
        found |= zip(names, defaults.split(", ") if len(names) > 1 else [defaults])
    assert len(found) > 5, text
    return found


def compose(agent):
    """(the whole file, its one service)"""
    data = yaml.safe_load((REPOSITORY / COMPOSE[agent]).read_text())
    (service,) = data["services"].values()
    return data, service


@agents
def test_the_readme_has_every_setting_with_its_default(agent):
    known, table = settings_in_help(agent), table_of_readme(agent)
    assert set(table) | {"RUST_LOG"} == set(known), "RUST_LOG stands with LOG_LEVEL"
    for name, (default, required) in known.items():
        cell = table.get(name, "")
        assert cell.startswith("required") == required, name
        if default and len(default) < 20:
            assert cell == default, name


@agents
def test_a_compose_file_passes_every_setting_on_and_has_no_defaults_of_its_own(agent):
    data, service = compose(agent)
    secrets = SECRETS & set(settings_in_help(agent))
    passed = set(service["environment"])
    assert passed == set(settings_in_help(agent)) - secrets | {f"{name}_FILE" for name in secrets}
    for name, value in service["environment"].items():
        if name.removesuffix("_FILE") in secrets:
            assert value == f"/run/secrets/{name.removesuffix('_FILE').lower()}"
            assert value.rpartition("/")[2] in service["secrets"]
        elif name in PLACES:
            assert [f"${{{name}:-state}}:{value}"] == service["volumes"]
        else:
            assert re.fullmatch(rf"\$\{{{name}:(-|\?.+)\}}", value), "comes from .env"
            assert (":?" in value) == (name in REQUIRED[agent]), name
    assert set(service["secrets"]) == set(data["secrets"])


@agents
def test_the_files_that_a_compose_file_names_are_there(agent):
    _, service = compose(agent)
    assert service["build"] == {"context": ".", "dockerfile": f"Dockerfile.{agent}"}
    assert (REPOSITORY / service["build"]["dockerfile"]).is_file()
    text = (REPOSITORY / COMPOSE[agent]).read_text()
    assert f"{agent}/{agent}.env.example" in text and lines_of_example(agent)


@agents
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["unix", "windows"])
def test_the_example_can_be_exported_line_by_line(agent, newline, folder):
    """The line that users were told for running an agent by hand."""
    text = (REPOSITORY / agent / f"{agent}.env.example").read_text()
    for name, value in REQUIRED[agent].items():
        text = text.replace(f"\n{name}=\n", f"\n{name}={value}\n")
    text = text.replace("\n#ALLOWED_TARGETS=", "\nALLOWED_TARGETS=")
    file = folder / f"{agent}.env"
    file.write_text(text, newline=newline)
    line = f"export $(cat {shlex.quote(str(file))} | grep -v '^#' | tr -d '\\r' | xargs)"
    result = subprocess.run(["sh", "-euc", f'{line}; exec "$0" --check', program(agent)], capture_output=True, text=True,
                            env={"PATH": "/usr/bin:/bin"}, timeout=30)
    assert result.returncode == 0, result.stderr
