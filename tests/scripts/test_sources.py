"""scripts/sources, which takes the libraries' sources, with mirrors that list what they have not got."""

import os
import pathlib
import subprocess

import pytest
from mirror import Key, Mirror

ROOT = pathlib.Path(__file__).parents[2]

# The lowest version of each that will do.
LOWEST = {"musl": "1.2.5", "sqlite3": "3.40", "mbedtls": "3.6.6", "curl": "8.14.1", "libuv1": "1.50.0",
          "jansson": "2.14", "libyaml": "0.2.5", "qrencode": "4.1.1", "libseccomp": "2.6.0",
          "ca-certificates": "20250419", "cmocka": "1.1.7"}
# What follows the lowest version, in the order in which they are to be taken.
WANTED = {"trixie-security": ".3-1+deb13u1", "trixie-updates": ".3~git1-1", "trixie": ".1-1",
          "bookworm": "-1~deb12u1", "sid": ".5-1", "forky": ".4-1"}
OLDER = {"bookworm-updates": "0.2-1", "bookworm-security": "0.1-1"}


def versions(package):
    """[(version, suite)] in the order in which they are to be taken."""
    return [(LOWEST[package] + tail, suite) for suite, tail in WANTED.items()]


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    key = Key(tmp_path_factory.mktemp("key"))
    yield key
    key.close()


@pytest.fixture
def mirror(key):
    suites = {suite: {package: LOWEST[package] + tail for package in LOWEST}
              for suite, tail in WANTED.items()}
    suites |= {suite: dict.fromkeys(LOWEST, version) for suite, version in OLDER.items()}
    mirror = Mirror(key, suites)
    yield mirror
    mirror.close()


class Machine:
    """One whose apt is set up for Debian 12 with the mirror, and whose cache is empty."""

    def __init__(self, folder, key, mirror):
        self.cache = folder / "cache"
        lists = folder / "sources.list"
        lists.write_text("".join(
            f"deb [signed-by={key.keyring}] {mirror.uri(archive)} {suite} main\n"
            for archive, suite in (("debian", "bookworm"), ("debian-security", "bookworm-security"))))
        (folder / "lists" / "partial").mkdir(parents=True)
        config = folder / "apt.conf"
        config.write_text(f'Dir::Etc::sourcelist "{lists}";\nDir::Etc::sourceparts "-";\n'
                          f'Dir::State::Lists "{folder}/lists";\nDir::Cache "{folder}/apt";\n')
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.lower().endswith("_proxy")}
        self.environment |= {"APT_CONFIG": str(config), "PAMTUNNEL_CACHE": str(self.cache),
                             "DEPS_KEYRING": str(key.keyring)}

    def run(self, *packages):
        return subprocess.run([ROOT / "scripts/sources", *packages], env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60)

    def take(self, *packages):
        """{package: (version, where from)}"""
        done = self.run(*packages)
        assert done.returncode == 0, done.stderr
        taken = {}
        for line in done.stdout.splitlines():
            package, version, suite = line.split()
            taken[package] = version, suite
            assert (self.cache / "sources" / package / ".version").read_text() == version + "\n"
        return taken

    def files(self, package):
        return {path.name for path in (self.cache / "sources" / package).iterdir()}


@pytest.fixture
def machine(tmp_path, key, mirror):
    return Machine(tmp_path, key, mirror)


def test_the_newest_of_the_stable_suites_is_taken(machine):
    assert machine.take(*LOWEST) == {package: versions(package)[0] for package in LOWEST}
    assert machine.files("curl") == {
        ".version", "curl_8.14.1.3-1+deb13u1.dsc", "curl_8.14.1.3.orig.tar.xz"}


def test_lists_that_are_not_needed_are_not_fetched(machine, mirror):
    machine.take("curl")
    assert not [path for path in mirror.asked if "/sid/" in path or "/bookworm/main/source" in path]


@pytest.mark.parametrize("package", LOWEST)
def test_without_the_newest_the_next_is_taken(machine, mirror, package):
    mirror.missing = {(package, versions(package)[0][0])}
    assert machine.take(package) == {package: versions(package)[1]}


@pytest.mark.parametrize("suite", ["bookworm", "forky"]) # the lowest version, and what comes last
def test_what_is_left_is_taken(machine, mirror, suite):
    left = {package: (LOWEST[package] + WANTED[suite], suite) for package in LOWEST}
    mirror.missing = {(package, version) for package in LOWEST for version, where in versions(package)
                      if where != suite}
    assert machine.take(*LOWEST) == left


@pytest.mark.parametrize("package", [name for name in LOWEST if name != "ca-certificates"])
def test_of_a_package_that_is_nowhere_all_that_was_tried_is_told(machine, mirror, package):
    mirror.missing = {(package, version) for version, suite in versions(package)}
    assert told(machine.run(package), package) == {
        f"{version} @ {suite}: listed, but cannot be fetched" for version, suite in versions(package)
    } | {f"{version} @ {suite}: older than {LOWEST[package]}" for suite, version in OLDER.items()}
    assert not (machine.cache / "sources" / package).exists()
    assert not list(machine.cache.glob("fetch.*"))


def told(done, package):
    """What was tried for a package, as the error says."""
    assert done.returncode == 1
    tried = done.stderr.partition(f"cannot get the source of {package}; tried:\n")[2]
    return {line.strip() for line in tried.splitlines()}


def installed_certificates():
    return subprocess.check_output(["dpkg-query", "-W", "-f", "${Version}", "ca-certificates"], text=True)


def test_certificates_may_be_as_old_as_the_installed_ones(machine, mirror):
    mirror.missing = {("ca-certificates", version) for version, suite in versions("ca-certificates")}
    mirror.add_suite("bookworm-updates", {"ca-certificates": installed_certificates()})
    assert machine.take("ca-certificates") == {
        "ca-certificates": (installed_certificates(), "bookworm-updates")}


def test_certificates_may_be_those_of_the_installed_package(machine, mirror, tmp_path):
    mirror.missing = {("ca-certificates", version) for version, suite in versions("ca-certificates")}
    taken = machine.take("curl", "ca-certificates")
    assert taken["ca-certificates"] == (installed_certificates(), "installed")
    assert machine.files("ca-certificates") == {".version", "ca-certificates.crt", "copyright"}
    made = subprocess.check_output(
        ["/usr/bin/python3", ROOT / "deps/certificates.py",
         machine.cache / "sources/ca-certificates/ca-certificates.crt", tmp_path / "made.c"], text=True)
    count = len(list(pathlib.Path("/usr/share/ca-certificates/mozilla").glob("*.crt")))
    assert made == f"{count} authorities\n"
    assert (tmp_path / "made.c").read_text().count("\n48,130,") == count # each a DER sequence


def test_a_new_major_version_is_not_taken_blindly(machine, key, mirror):
    mirror.add_suite("sid", {"cmocka": "2.0.2-1", "mbedtls": "4.0.0~beta1-1", "curl": "8.99.0~rc3-1"})
    for package, why in (("cmocka", "not older than 2"), ("mbedtls", "not older than 4"),
                         ("curl", "not released yet")):
        mirror.missing = {(package, version) for version, suite in versions(package)}
        assert [line for line in told(machine.run(package), package) if "@ sid" in line] == [
            f"{mirror.version(package, 'sid')} @ sid: {why}"]


def test_suites_that_the_mirror_has_not_got_are_gone_without(machine, mirror):
    mirror.missing = {"trixie", "trixie-updates", "trixie-security", "bookworm-updates"}
    assert machine.take("curl") == {"curl": versions("curl")[3]}
    mirror.missing |= {"bookworm", "sid", "forky"}
    assert told(machine.run("curl"), "curl") == {
        f"{suite}: no list of sources" for suite in mirror.missing} | {
            "0.1-1 @ bookworm-security: older than 8.14.1"}


def test_files_that_were_not_signed_are_not_taken(machine, mirror):
    mirror.spoilt = {("curl", versions("curl")[0][0])}
    assert machine.take("curl") == {"curl": versions("curl")[1]}


def test_lists_that_debian_did_not_sign_are_not_taken(machine):
    del machine.environment["DEPS_KEYRING"]
    done = machine.run("curl")
    assert told(done, "curl") == {f"{suite}: no list of sources" for suite in [*WANTED, *OLDER]}
    assert "NO_PUBKEY" in done.stderr


def test_what_was_taken_before_stays_until_there_is_another(machine, mirror):
    machine.take("curl")
    before = machine.files("curl")
    mirror.missing = {("curl", version) for version, suite in versions("curl")}
    assert machine.run("curl").returncode == 1
    assert machine.files("curl") == before
