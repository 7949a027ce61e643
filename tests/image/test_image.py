"""The root file systems of the images: what is in them, and whole sessions with both agents
in them. scripts/image --test makes them and says in PAMTUNNEL_IMAGES where they are;
PAMTUNNEL_BUILD has the programs, each run in its image (in-image).
"""

import json
import os
import pathlib
import re
import stat
import subprocess

import pytest
import sshd as openssh
import util
import yaml
from agents import World, run

IMAGES = pathlib.Path(os.environ["PAMTUNNEL_IMAGES"])
BYTES_MAX = 3_000_000
USER = 65532
AGENTS = {"vps": "vps-agent", "gateway": "gateway-agent"}
PROGRAMS = {"vps": {"vps-agent", "pamctl"}, "gateway": {"gateway-agent"}}
COMPOSE = {"vps": "docker-compose.yml", "gateway": "docker-compose.gateway.yml"}


def dockerfile(image):
    """Its instructions after the last FROM: a list of (instruction, arguments)."""
    text = (util.REPOSITORY / f"Dockerfile.{AGENTS[image]}").read_text()
    lines = [line for line in text.replace("\\\n", " ").splitlines()
             if line and not line.startswith("#")]
    last = max(i for i, line in enumerate(lines) if line.startswith("FROM "))
    return [tuple(line.split(None, 1)) for line in lines[last:]]


def argument(image, instruction):
    found = [rest for name, rest in dockerfile(image) if name == instruction]
    assert len(found) == 1, found
    return found[0]


def healthcheck(image):
    """The command that the image runs to see whether it is well."""
    return yaml.safe_load(argument(image, "HEALTHCHECK").partition(" CMD ")[2])


def compose(image):
    """(the whole file, its one service)"""
    data = yaml.safe_load((util.REPOSITORY / COMPOSE[image]).read_text())
    (service,) = data["services"].values()
    return data, service


# ---------------------------------------------------------------- what is in them

@pytest.mark.parametrize("image", AGENTS)
def test_an_image_holds_the_programs_and_little_else(image):
    files = {str(p.relative_to(IMAGES / image)): p for p in (IMAGES / image).rglob("*")
             if p.is_file()}
    rest = {name for name in files if not name.startswith("licences/")}
    assert rest == PROGRAMS[image] | {"etc/passwd", "etc/group", "etc/hosts"}
    assert {"licences/pamtunnel", "licences/musl", "licences/mbedtls"} <= set(files)
    assert sum(p.stat().st_size for p in files.values()) <= BYTES_MAX
    for path in files.values():
        assert path.stat().st_uid == 0 and not path.stat().st_mode & 0o022, path


@pytest.mark.parametrize("image", AGENTS)
def test_the_programs_need_no_interpreter_and_no_library(image):
    for program in PROGRAMS[image]:
        headers = subprocess.run(["readelf", "-hlWd", IMAGES / image / program], text=True,
                                 capture_output=True, check=True,
                                 env={**os.environ, "LC_ALL": "C"}).stdout
        assert "INTERP" not in headers and "(NEEDED)" not in headers
        assert "DYN (" in headers, "position-independent"


@pytest.mark.parametrize("image", AGENTS)
def test_the_user_of_the_dockerfile_is_the_one_in_passwd(image):
    assert argument(image, "USER") == f"{USER}:{USER}"
    assert f":x:{USER}:{USER}:" in (IMAGES / image / "etc/passwd").read_text()
    assert f":x:{USER}:" in (IMAGES / image / "etc/group").read_text()


@pytest.mark.parametrize("image", AGENTS)
def test_an_image_says_what_its_dockerfile_does(image):
    """Those that were built with one."""
    if not (IMAGES / f"{image}.json").exists():
        pytest.skip("scripts/image --test-dockerfiles builds them")
    docker = json.loads((IMAGES / f"{image}.json").read_text())["Docker"]
    config = docker["config"]
    assert docker["architecture"] in ("amd64", "arm64")
    assert config["User"] == f"{USER}:{USER}"
    assert config["Entrypoint"] == [f"/{AGENTS[image]}"] and not config.get("Cmd")
    assert config["Healthcheck"]["Test"] == ["CMD", *healthcheck(image)]
    place = "/var/lib/pamtunnel" if image == "vps" else "/var/lib/pamtunnel-gateway"
    assert set(config["Volumes"]) == {place}
    assert config["Labels"]["org.opencontainers.image.title"] == f"pamtunnel-{image}"
    state = (IMAGES / image / place[1:]).stat()
    assert (state.st_uid, state.st_gid, stat.S_IMODE(state.st_mode)) == (USER, USER, 0o700)


@pytest.mark.parametrize("name", ["vps-agent", "gateway-agent", "pamctl"])
def test_a_program_runs_in_its_image_as_its_user(name):
    result = run(name, "--version")
    assert (result.returncode, result.stdout.split()[0]) == (0, name), result.stderr


# ---------------------------------------------------------------- at work

def status_of(daemon):
    lines = pathlib.Path(f"/proc/{daemon.pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def health(image, daemon):
    """What the HEALTHCHECK of the Dockerfile does."""
    program, *args = healthcheck(image)
    result = run(program.lstrip("/"), *args, env=daemon.settings)
    return result.returncode, result.stdout.strip()


@pytest.fixture(scope="module")
def secrets():
    """Files with the secrets, as compose mounts them: (write them, settings of both agents)."""
    folder = IMAGES / "secrets"
    return {
        "write": lambda name, text: ((folder / name).write_text(text + "\n"),
                                     os.chown(folder / name, USER, USER),
                                     os.chmod(folder / name, 0o400)),
        "token": {"TELEGRAM_TOKEN_FILE": "/run/secrets/telegram_token", "TELEGRAM_TOKEN": None},
        "key": {"TUNNEL_KEY_FILE": "/run/secrets/tunnel_key", "TUNNEL_KEY": None},
    }


class Images(World):
    """Both agents in their images, with the secrets in files."""

    def __init__(self, secrets, **options):
        super().__init__(vps={"ADMIT": "auto"} | secrets["token"] | secrets["key"],
                         gateway=secrets["key"], **options)
        secrets["write"]("telegram_token", self.token)
        secrets["write"]("tunnel_key", self.key)


def test_a_whole_session_through_both_images(secrets):
    """The target by name: looked up in the image, with nothing but /etc/hosts to go by."""
    with openssh.Sshd() as sshd, Images(secrets) as world:
        line = world.ssh(f"{openssh.USER}@localhost:{sshd.port}").code[0]
        config = sshd.client_config("localhost")
        sent = os.urandom(5_000_000)
        result = subprocess.run([*openssh.with_config(line, config), "cat"], input=sent,
                                capture_output=True, timeout=60 * util.TIME_SCALE)
        assert result.returncode == 0, result.stderr
        assert result.stdout == sent


def test_an_agent_has_the_images_user_and_root_and_no_privileges(secrets):
    with Images(secrets) as world:
        for daemon in world.daemons():
            status = status_of(daemon)
            assert set(status["Uid"].split()) == set(status["Gid"].split()) == {str(USER)}
            assert set(status["Groups"].split()) <= {str(USER)}
            assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == 0
            assert status["NoNewPrivs"] == "1"
            names = {entry.name for entry in os.scandir(f"/proc/{daemon.pid}/root")}
            assert {"proc", "dev", "usr", "lib"}.isdisjoint(names) and daemon.name in names
            mounts = pathlib.Path(f"/proc/{daemon.pid}/mountinfo").read_text()
            assert re.search(r" / ro[, ]", mounts), mounts


def test_the_health_check_tells_whether_the_agent_is_well(secrets):
    with Images(secrets) as world:
        vps, gateway = world.vps, world.gateway
        assert health("vps", vps) == (0, "healthy: Telegram online, 1 gateway, 0 sessions")
        assert health("gateway", gateway) == (0, "healthy: connected to the VPS, 0 tunnels")
        gateway.stop()
        vps.stop()
        assert health("vps", vps)[0] == health("gateway", gateway)[0] == 1


def test_a_missing_setting_is_one_clear_line_and_status_2():
    result = run("gateway-agent", env={"GATEWAY_NAME": "office"})
    assert result.returncode == 2
    assert "VPS_HOST" in result.stderr and result.stderr.count("\n") == 1


# ---------------------------------------------------------------- compose

@pytest.mark.parametrize("image", AGENTS)
def test_compose_takes_every_privilege_away(image):
    _, service = compose(image)
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] == argument(image, "USER")
    assert not {"privileged", "cap_add", "devices", "pid", "ipc"} & set(service)


@pytest.mark.parametrize("image", AGENTS)
def test_compose_checks_health_as_the_image_does(image):
    _, service = compose(image)
    check = service["healthcheck"]
    assert check["test"] == ["CMD", *healthcheck(image)]
    assert healthcheck(image)[0] == yaml.safe_load(argument(image, "ENTRYPOINT"))[0]
    flags = dict(re.findall(r"--([a-z-]+)=(\w+)", argument(image, "HEALTHCHECK")))
    assert flags == {name.replace("_", "-"): value for name, value in check.items() if name != "test"}
