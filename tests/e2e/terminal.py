"""A program on a pseudo-terminal, and somebody who reads and types."""

import contextlib
import os
import pty
import re
import select
import signal
import termios
import time

from agents import environment, program
from util import TIME_SCALE


class Terminal:
    """Runs a program of ours on a terminal: a context manager."""

    def __init__(self, name, *args, env=None, prefix=()):
        """prefix: a command line that runs what follows, for example in a namespace."""
        self.argv = [*prefix, program(name), *map(str, args)]
        self.env = environment(env or {})
        self.text = ""
        self.at = 0             # what was already waited for
        self.status = None

    def __enter__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(self.argv[0], self.argv, self.env)
        return self

    def __exit__(self, *_):
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def _read(self, deadline):
        """False at the end."""
        left = deadline - time.monotonic()
        assert left > 0, f"nothing more came; so far:\n{self.text}"
        if select.select([self.fd], [], [], left)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:     # EIO: nobody has the other side any more
                return False
            self.text += data.decode().replace("\r\n", "\n")
        return True

    def wait(self, pattern, timeout=15):
        """Waits for a text (a regular expression) behind what was waited for before."""
        deadline = time.monotonic() + timeout * TIME_SCALE
        while not (match := re.compile(pattern).search(self.text, self.at)):
            assert self._read(deadline), f"it ended without {pattern!r}:\n{self.text}"
        self.at = match.end()
        return match

    def type(self, line):
        os.write(self.fd, line.encode() + b"\n")

    def answer(self, question, line, timeout=15):
        self.wait(question, timeout)
        self.type(line)

    def shows_what_is_typed(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def end(self, timeout=15):
        """Waits for the end: (exit status, everything that was shown)."""
        deadline = time.monotonic() + timeout * TIME_SCALE
        while self._read(deadline):
            pass
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status, self.text
