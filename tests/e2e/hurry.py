"""Minutes that pass at once: the clock of programs, by which they measure how long something takes, leaps ahead."""

import pathlib
import subprocess

import pytest
import util

HERE = pathlib.Path(__file__).parent


class Hurry:
    """settings: those of an agent that lives by this clock. It keeps no sandbox, since it takes a library along."""

    def __init__(self, folder):
        if util.SANITIZED or util.VALGRIND:
            pytest.skip("a sanitizer takes no library in front of it")
        folder = pathlib.Path(folder)
        library, self.file, self.ahead = folder / "hurry.so", folder / "ahead", 0
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, HERE / "hurry.c"], check=True)
        self.file.write_bytes(bytes(8))
        self.settings = {"LD_PRELOAD": library, "HURRY_FILE": self.file, "SANDBOX": "off"}

    def leap(self, seconds):
        self.ahead += seconds
        with open(self.file, "r+b") as out:
            out.write(self.ahead.to_bytes(8, "little", signed=True))
