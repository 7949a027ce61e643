"""What is in an archive of a release, and what its programs are made of."""

import hashlib
import json
import re
import subprocess
import tarfile

import agents
import pytest
from archive import DIST, FOLDER, PREFIX, PROGRAMS, REPOSITORY, STATIC, TARGET, VERSION, program

LINKED = {"sqlite3", "mbedtls", "curl", "libuv1", "jansson", "libyaml", "qrencode", "libseccomp",
          "ca-certificates"}
LINKED |= {"musl"} if STATIC else set()
CONTENTS = {
    "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "sbom.cdx.json", "install.sh",
    "bin/vps-agent", "bin/gateway-agent", "bin/pamctl",
    "env/vps-agent.env.example", "env/policy.yaml.example", "env/gateway-agent.env.example",
    "man/vps-agent.8", "man/gateway-agent.8", "man/pamctl.1",
    "systemd/pamtunnel-vps.service", "systemd/pamtunnel-gateway.service", "sysusers/pamtunnel.conf",
    "openrc/pamtunnel-vps", "openrc/pamtunnel-gateway", "openwrt/pamtunnel-gateway",
    "logrotate/pamtunnel", "prometheus/pamtunnel.rules.yml", "grafana/pamtunnel.json",
    "bbr/sysctl.d/90-pamtunnel-bbr.conf", "bbr/modules-load.d/pamtunnel-bbr.conf",
}
CONTENTS |= {f"completions/{name.format(program)}" for program in PROGRAMS for name in ("bash/{}", "zsh/_{}", "fish/{}.fish")}
CONTENTS |= {str(path.relative_to(REPOSITORY)) for folder in ("docs", "docs/benchmarks", "docs/pictures")
             for path in (REPOSITORY / folder).iterdir() if path.is_file()}
MACHINES = {"x86_64": "X86-64", "aarch64": "AArch64", "arm": "ARM"}
FLOOR = (2, 34)     # of glibc
MEGABYTE = 1000 * 1000


def readelf(name, *options):
    return subprocess.run(["readelf", "-W", *options, program(name)], check=True, text=True,
                          capture_output=True).stdout


def test_the_archive_holds_what_it_should_and_says_nothing_of_its_builder():
    with tarfile.open(DIST / f"{FOLDER.name}.tar.gz") as archive:
        members = archive.getmembers()
    files = {m.name.partition("/")[2] for m in members if m.isfile()}
    assert {name for name in files if not name.startswith("licenses/")} == CONTENTS
    assert members == sorted(members, key=lambda m: m.name.split("/"))
    assert {(m.uid, m.gid, m.uname, m.gname) for m in members} == {(0, 0, "", "")}
    assert len({m.mtime for m in members}) == 1
    assert all(m.isfile() or m.isdir() for m in members)
    runnable = {m.name.partition("/")[2] for m in members if m.isfile() and m.mode == 0o755}
    assert runnable == {name for name in CONTENTS if name.startswith(("bin/", "openrc/", "openwrt/", "install.sh"))}
    assert not [m.name for m in members if m.mode not in (0o644, 0o755)]
    assert all((FOLDER / name).stat().st_size for name in CONTENTS)


def test_what_the_texts_link_to_is_there():
    """But for the project's page of releases, which is none of its files."""
    linked = 0
    for text in FOLDER.rglob("*.md"):
        for target in re.findall(r'\]\(([^)#\s]+)|<img src="([^"]+)"', text.read_text()):
            path = "".join(target)
            if not re.match("https?:|mailto:", path) and not path.endswith("../releases"):
                assert (text.parent / path).exists(), f"{text.name} links to {path}"
                linked += 1
    assert linked > 30


def test_the_licences_of_all_that_is_linked_in_are_there_in_full():
    found = {path.name: path.read_text() for path in (FOLDER / "licenses").iterdir()}
    assert set(found) >= LINKED
    for text in found.values():
        for name in re.findall(r"/usr/share/common-licenses/([\w.-]*\w)", text):
            assert len(found[name]) > 1000, name


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_hardened_and_needs_no_more_than_the_c_library(name):
    head, segments, dynamic = readelf(name, "-h"), readelf(name, "-l"), readelf(name, "-d")
    assert MACHINES[TARGET.partition("-")[0]] in head and "DYN (" in head
    assert "GNU_RELRO" in segments and "BIND_NOW" in dynamic
    assert re.search(r"GNU_STACK .* RW +0x", segments), "a stack that cannot be executed"
    assert not re.search(r"\.(symtab|debug_\w+)", readelf(name, "-S")), "stripped"
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic))
    if STATIC:
        assert not needed and "INTERP" not in segments
    else:
        assert needed <= {"libc.so.6", "libm.so.6", "ld-linux-aarch64.so.1", "ld-linux-armhf.so.3",
                          "ld-linux-x86-64.so.2"}
        versions = {tuple(map(int, v.split("."))) for v in re.findall(r"GLIBC_([\d.]+)", readelf(name, "-V"))}
        assert versions and max(versions) <= FLOOR


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_path_of_the_machine_that_built_it_is_in_a_program(name):
    data = program(name).read_bytes()
    for path in (REPOSITORY, PREFIX, PREFIX.parent):
        assert str(path).encode() not in data


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_runs_and_tells_its_version(name):
    result = agents.run(name, "--version")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.split() == [name, VERSION]


@pytest.mark.skipif(not STATIC, reason="the sizes are promised for the static programs")
def test_the_programs_are_small():
    sizes = {name: program(name).stat().st_size for name in PROGRAMS}
    assert sum(sizes.values()) < 4 * MEGABYTE, sizes
    assert sizes["gateway-agent"] <= 800_000, sizes
    if TARGET == "x86_64-linux-musl": # others have longer instructions
        assert sizes["vps-agent"] <= 2.4 * MEGABYTE, sizes


def test_the_sbom_names_every_library_with_version_and_hashes():
    sbom = json.loads((FOLDER / "sbom.cdx.json").read_text())
    assert (DIST / f"{FOLDER.name}.cdx.json").read_bytes() == (FOLDER / "sbom.cdx.json").read_bytes()
    assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.5")
    found = {c["name"]: c for c in sbom["components"]}
    assert set(found) == LINKED
    lines = [line.split() for line in (PREFIX / "manifest.txt").read_text().splitlines()
             if not line.startswith(("#", "cmocka "))]
    assert lines
    for package, version, digest, file in lines:
        assert found[package]["version"] == version
        hashes = {c["name"]: c["hashes"][0]["content"] for c in found[package]["components"]}
        assert hashes[file] == digest
    for component in sbom["metadata"]["component"]["components"]:
        data = program(component["name"]).read_bytes()
        assert component["hashes"][0]["content"] == hashlib.sha256(data).hexdigest()
    assert [c["name"] for c in sbom["metadata"]["component"]["components"]] == PROGRAMS
