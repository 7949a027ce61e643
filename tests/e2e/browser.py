"""A real browser, to see what somebody sees who opens a page of ours."""

import base64
import fcntl
import json
import os
import pathlib
import select
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


def _move_up(fd):
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(fd)
    return moved


class Browser:
    """A page that is open in Chromium, driven through its debugging pipe: a context manager."""

    def __init__(self, width, height, dark=False, trusts=None):
        self.width, self.height, self.dark = width, height, dark
        self.trusts = trusts    # the hash of a server's key
        self.complaints = []
        self._number = 0
        self._buffer = b""
        self._loaded = False

    def __enter__(self):
        self._home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        # none of the two numbers that it uses
        theirs_in, self._out, self._in, theirs_out = map(_move_up, (*os.pipe(), *os.pipe()))
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                   "--hide-scrollbars", f"--user-data-dir={self._home.name}", "--remote-debugging-pipe",
                   f"--window-size={self.width},{self.height}",
                   *([f"--ignore-certificate-errors-spki-list={self.trusts}"] if self.trusts else []), "about:blank"]
        # it reads at 3 and writes at 4
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec 3<&{theirs_in} 4>&{theirs_out} {theirs_in}<&- {theirs_out}>&-; exec "$@"', "bash", *command],
            pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": self._home.name})
        os.close(theirs_in)
        os.close(theirs_out)
        self._session = None
        page = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in "Page", "Runtime", "Log":
            self._call(f"{domain}.enable")
        self._call("Emulation.setDeviceMetricsOverride", width=self.width, height=self.height, deviceScaleFactor=1,
                   mobile=self.width < 600)
        self._call("Emulation.setEmulatedMedia",
                   features=[{"name": "prefers-color-scheme", "value": "dark" if self.dark else "light"}])
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        os.close(self._in)
        os.close(self._out)
        self._home.cleanup()

    def _hear(self):
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], 60)
            data = os.read(self._in, 1 << 16) if ready else b""
            assert data, "the browser says nothing"
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(message)
        if message.get("method") == "Log.entryAdded":
            self.complaints.append(message["params"]["entry"]["text"])
        self._loaded |= message.get("method") == "Page.loadEventFired"
        return message

    def _call(self, method, navigates=False, **params):
        self._number += 1
        call = {"id": self._number, "method": method, "params": params}
        if self._session:
            call["sessionId"] = self._session
        os.write(self._out, json.dumps(call).encode() + b"\0")
        while (message := self._hear()).get("id") != self._number:
            pass
        assert navigates or "error" not in message, message
        return message.get("result", {})

    def open(self, url):
        self._loaded = False
        answer = self._call("Page.navigate", url=url)
        assert not answer.get("errorText"), answer
        while not self._loaded:     # it may have been before the answer
            self._hear()

    def run(self, expression):
        """None as well while it is on its way to another page."""
        answer = self._call("Runtime.evaluate", navigates=True, expression=expression, returnByValue=True)
        return answer.get("result", {}).get("value")

    def press(self, selector):
        """With the mouse, where a person would."""
        box = self.run(f"(b => ({{x: b.x + b.width / 2, y: b.y + b.height / 2}}))"
                       f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())")
        for kind in "mousePressed", "mouseReleased":
            self._call("Input.dispatchMouseEvent", type=kind, x=box["x"], y=box["y"], button="left", clickCount=1)

    def picture(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self._call("Page.captureScreenshot")["data"]))
