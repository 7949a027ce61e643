"""The programs of a release, used: a whole session through both agents, with the bot."""

import ssl

import botapi
import peers
import pytest
import util
from agents import World, port_of
from peers import BANNER, dial


@pytest.fixture
def folder():
    with util.Folder() as path:
        yield path


def test_a_session_from_the_command_in_the_chat_to_its_end_over_https(folder):
    tls = botapi.make_tls(folder, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    with peers.Recorder(reply=peers.echo) as target, World(tls=tls, vps={"ADMIT": "auto"}) as world:
        message = world.ssh(target.name)
        client = dial(port_of(message.code[0]))
        client.sendall(BANNER + b"some bytes, and back")
        assert util.read_exactly(client, len(BANNER) + 20) == BANNER + b"some bytes, and back"
        assert target.wait_client().data.startswith(BANNER)
        session = world.newest_session()
        assert session["state"] == "connected"
        assert world.pamctl("close", session["id"]).returncode == 0
        assert util.how_it_ends(client) in ("fin", "rst")
        world.wait_state(session["id"], "ended")


def test_an_rdp_session_is_opened_with_its_file():
    with peers.Recorder(reply=peers.echo) as target, World() as world:
        document, _ = world.rdp(target.name)
        assert peers.RdpFile(document.document.data).port
