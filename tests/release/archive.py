"""The archive under test."""

import os
import pathlib

TARGET = os.environ["PAMTUNNEL_TARGET"]
DIST = pathlib.Path(os.environ["PAMTUNNEL_DIST"])
FOLDER = pathlib.Path(os.environ["PAMTUNNEL_RELEASE"])
PREFIX = pathlib.Path(os.environ["PAMTUNNEL_PREFIX"])
VERSION = os.environ["PAMTUNNEL_VERSION"]
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

PROGRAMS = ["vps-agent", "gateway-agent", "pamctl"]
STATIC = TARGET.endswith("-musl")
NATIVE = TARGET.partition("-")[0] == os.uname().machine


def program(name):
    return FOLDER / "bin" / name
