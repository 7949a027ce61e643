"""A real browser, to see what somebody sees who opens a page of ours."""

import os
import pathlib
import shutil
import subprocess
import tempfile

CHROMIUM = shutil.which("chromium")


def _run(page, *arguments):
    """Chromium, once, without a window; what it printed."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             f"--user-data-dir={home}", "--hide-scrollbars", "--enable-logging=stderr", "--v=0", *arguments,
             pathlib.Path(page).resolve().as_uri()],
            capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": home})
    assert done.returncode == 0, done.stderr[-2000:]
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert not complaints, complaints
    return done.stdout


def document(page):
    """The page as the browser has understood it."""
    return _run(page, "--dump-dom")


def picture(page, path, width=1100, height=1600, dark=False):
    _run(page, f"--window-size={width},{height}", f"--screenshot={path}",
         *(["--blink-settings=preferredColorScheme=0"] if dark else []))


def printed(page, path):
    _run(page, "--no-pdf-header-footer", f"--print-to-pdf={path}")
