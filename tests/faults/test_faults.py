"""The short form of scripts/faults. Each circumstance has namespaces of its own, and most of
the time is waiting, so several go on at once while pytest asks for one after the other."""

import argparse
import concurrent.futures
import os
import re

import pytest
import run

from places import isolation

SHORT = [c.name for c in run.load().values() if c.short]
JOBS = int(os.environ.get("JOBS") or 0) or 6    # processes that wait, not processors


@pytest.fixture(scope="module")
def outcomes(request):
    """The runs of what was selected, under way: name -> future."""
    argv = isolation()
    if not argv:
        pytest.skip("namespaces take root, or a kernel that lets users make them")
    options = argparse.Namespace(build=os.environ.get("PAMTUNNEL_BUILD") or run.HERE.parents[1] / "build", patience=0, logs=None)
    names = [item.callspec.params["name"] for item in request.session.items
             if item.path == request.path and "name" in getattr(item, "callspec", argparse.Namespace(params={})).params]
    pool = concurrent.futures.ThreadPoolExecutor(JOBS)
    try:
        yield {name: pool.submit(run.run_one, name, options, argv) for name in names}
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@pytest.mark.parametrize("name", SHORT)
def test_circumstance(name, outcomes):
    outcome = outcomes[name].result()
    if outcome["status"] == "missing":
        pytest.skip(outcome["seen"])
    assert outcome["status"] == "ok", f"{outcome['seen']}\n{outcome.get('logs', '')[-20000:]}"


def test_the_document_has_a_row_for_each_circumstance():
    text = run.DOCUMENT.read_text()
    assert [name for name in run.load() if f"(`{name}`)" not in text] == []


def test_the_threat_model_names_circumstances_and_tests_that_there_are():
    known, root = run.load(), run.HERE.parents[1]
    text = (root / "docs" / "threat-model.md").read_text()
    table = text.partition("## Threat by threat")[2].partition("\n### ")[0]
    proofs = [name for line in table.splitlines() if line.count("|") == 4
              for name in re.findall(r"`([^`]+)`", line.split("|")[3])]
    assert proofs
    for name in proofs:
        folder = "tests/fuzz/" if name.startswith("fuzz_") else ""
        assert name in known or (root / folder / name.split()[0]).exists(), name
