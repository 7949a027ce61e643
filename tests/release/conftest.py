"""The tests of a release: one archive, taken apart and used. scripts/release --verify runs them.

PAMTUNNEL_TARGET   what it was built for, as scripts/deps calls it
PAMTUNNEL_DIST     the folder with the archives
PAMTUNNEL_RELEASE  the folder that the archive was unpacked to
PAMTUNNEL_PREFIX   the libraries that it was built with
PAMTUNNEL_VERSION  the version it has to have
PAMTUNNEL_BUILD    the programs, with what is needed to run those for other machines
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
