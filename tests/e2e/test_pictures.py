"""The pictures of the README can be drawn, and say what they have to."""

import browser
import netns
import pictures
import pytest


@pytest.mark.skipif(not netns.available(), reason="network namespaces take root and iproute2")
def test_they_are_drawn(folder, internet):
    pictures.draw_all(internet, folder)
    setup, ssh, rdp, waking, discover = ((folder / f"{name}.svg").read_text()
                                         for name in ("setup", "ssh", "rdp", "waking", "discover"))
    assert "That is @" in setup and "sudo gateway-agent --join " in setup and "it shows a code" in setup
    assert "wants in: " in ssh and "was admitted to" in ssh and ">Admit<" in ssh
    assert "Host key, seen for the first time" in ssh
    assert "HOME-PC.rdp" in rdp and "has ended" in rdp
    assert ">Wake it<" in waking and "Waking the machine" in waking and "office-pc.rdp" in waking
    assert ">nas (192.168.1.30)<" in discover and ">/ssh nas<" in discover
    for name in "link", "link-dark":
        assert not browser.CHROMIUM or (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_lines_are_broken_at_spaces():
    def lines(text, most):
        return ["".join(c for c, _ in line) for line in pictures.wrap([(c, "") for c in text], most)]
    assert lines("one two", 1000) == ["one two"]
    assert lines("one two three", 80) == ["one two ", "three"]
    assert lines("a\n\nb", 80) == ["a", "", "b"]
    assert "".join(lines("x" * 100, 80)) == "x" * 100
