"""The scripts do not depend on whose machine they run on, nor on how it is set up."""

import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]
CACHE = os.environ.get("PAMTUNNEL_CACHE") or pathlib.Path(
    os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "pamtunnel"


def made_here(folder, names):
    """What is in no archive."""
    return {name for name in names if name == "__pycache__" or pathlib.Path(folder) == ROOT
            and (name in (".git", "dist") or name.startswith("build"))}


class Tree:
    """A copy of the work tree as an archive would lay it: without .git, here below a path with
    blanks, and with the environment of somebody who has next to none."""

    def __init__(self, folder):
        self.root = folder / "my own" / "pam tunnel"
        self.temporary = folder / "other tmp"
        self.temporary.mkdir()
        shutil.copytree(ROOT, self.root, symlinks=True, ignore=made_here)
        self.cache = self.root.with_name(self.root.name + " cache")     # its path begins with the tree's
        self.cache.symlink_to(CACHE)

    def run(self, script, *arguments, **environment):
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "tr_TR.UTF-8", "LC_ALL": "POSIX",
                       "TMPDIR": str(self.temporary), "PAMTUNNEL_CACHE": str(self.cache)} | environment
        return subprocess.run([self.root / "scripts" / script, *arguments], env=environment, umask=0o077,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return Tree(tmp_path_factory.mktemp("tree"))


def test_the_demo_works_in_a_tree_without_git_in_a_path_with_blanks(tree):
    done = tree.run("demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The demo worked." in done.stdout.splitlines()[-1]
    assert not list(tree.temporary.iterdir())
    assert not list((tree.root / "build").glob("tests/*/test_*.o")), "the demo builds the programs only"
    assert not (tree.root / "build/tests/unit/test_text").exists()


def test_a_warning_breaks_no_build_but_where_it_is_asked_for(tree):
    source = tree.root / "src/base/addresses.c"     # among the first that are compiled: the error comes soon
    source.write_text(source.read_text() + "\nstatic int nobody_calls_this(void) { return 1; }\n")
    done = tree.run("build", "--programs")
    assert done.returncode == 0 and "nobody_calls_this" in done.stdout + done.stderr
    for arguments, environment in ((["--strict"], {}), ([], {"CI": "true"})):
        done = tree.run("build", "--programs", *arguments, **environment)
        assert done.returncode != 0 and "-Werror=unused-function" in done.stdout + done.stderr


def test_a_cache_that_will_not_do_is_named(tree):
    inside = tree.root / "cache"
    for cache, why in (("/proc/none", "cannot write to /proc/none"), (inside, f"{inside} is in the work tree")):
        done = tree.run("deps", PAMTUNNEL_CACHE=str(cache))
        assert done.returncode == 1
        assert done.stderr == f"deps: {why}: PAMTUNNEL_CACHE names another folder\n"


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
def test_a_checkout_as_on_windows_has_scripts_that_run(tmp_path):
    """docker build there takes the work tree as it is."""
    subprocess.run(["git", "-c", "core.autocrlf=true", "clone", "--quiet", ROOT, tmp_path / "clone"], check=True)
    changed = [name for name in ("scripts/image", "scripts/lib.sh", "Dockerfile.vps-agent", "docker-compose.yml",
                                 "vps-agent/vps-agent.env.example", "tests/fuzz/corpus/settings/windows")
               if (tmp_path / "clone" / name).read_bytes() != (ROOT / name).read_bytes()]
    assert not changed
