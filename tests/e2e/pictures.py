"""Draws docs/pictures from what the programs really say: scripts/pictures FOLDER.

The agents run in the tests' small Internet, so that the addresses look like those of a
real installation; the chat is what the strict Bot API server was sent, and the page of a
session's link is what Chromium makes of it.
"""

import contextlib
import html
import pathlib
import re
import secrets
import shutil
import sys

import botapi
import browser
import netns
import peers
import rdp
from agents import OWNER, World, port_of
from lan_names import MDNS, NETBIOS
from sleeper import Sleeper
from sshd import Sshd
from terminal import Terminal
from test_discover import Shouter
from util import Folder, eventually

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
MONO = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"
SIZE, LINE, PAD = 14, 20, 12
WIDTH, BUBBLE = 440, 372
# Drawn, since not every reader has a font with them: colour, and what stands inside.
SIGNS = {"🟡": ("#f4b400", ""), "🟢": ("#34a853", ""), "🟠": ("#f57c00", ""), "🔴": ("#d93025", ""),
         "⚪": ("#c4ccd4", ""), "❓": ("#d93025", "?"), "✅": ("#34a853", "✓"), "⛔": ("#d93025", "–"),
         "⏳": ("#7b6bb5", "…"), "⚠": ("#f57c00", "!")}
NARROW, WIDE = "iljtfr.,:;'|!()[] ", "mwMW@%"


def width_of(char, style):
    """Of one character, on the safe side: the reader's fonts are not known."""
    if style == "code":
        return 8.5
    if ord(char) > 0x2fff or ord(char) in range(0x2600, 0x2b60):
        return 19
    return (5 if char in NARROW else 12.5 if char in WIDE else 8.6) + (0.6 if style == "bold" else 0)


def styled(message):
    """The text as [(character, style)]; entities count UTF-16 units."""
    out, at = [], 0
    for char in message.text:
        style = ""
        for entity in message.entities:
            if entity["offset"] <= at < entity["offset"] + entity["length"]:
                style = {"pre": "code"}.get(entity["type"], entity["type"])
        out.append((char, style))
        at += len(char.encode("utf-16-le")) // 2
    return out


def wrap(chars, most):
    """Lines of at most `most` pixels, broken at spaces where there are any."""
    lines, line, used, space = [], [], 0, None
    for char, style in [*chars, ("\n", "")]:
        if char == "\n":
            lines.append(line)
            line, used, space = [], 0, None
            continue
        line.append((char, style))
        used += width_of(char, style)
        if char == " ":
            space = len(line)
        if used > most:
            cut = space or len(line) - 1
            lines.append(line[:cut])
            line, space = line[cut:], None
            used = sum(width_of(*c) for c in line)
    return lines


def spans(line):
    """One line as <tspan>s of one style each."""
    out, at = "", 0
    while at < len(line):
        style, text = line[at][1], ""
        while at < len(line) and line[at][1] == style:
            text += line[at][0]
            at += 1
        kind = f' class="{style}"' if style else ""
        out += f"<tspan{kind}>{html.escape(text)}</tspan>"
    return out


class Picture:
    def __init__(self, width, background):
        self.width, self.background = width, background
        self.parts, self.y = [], PAD

    def box(self, x, y, width, height, fill, radius=10):
        self.parts.append(f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" '
                          f'rx="{radius}" fill="{fill}"/>')

    def line(self, x, y, content, extra=""):
        self.parts.append(f'<text x="{x:.0f}" y="{y:.0f}" xml:space="preserve"{extra}>{content}</text>')

    def write(self, path, style):
        body = "\n".join(self.parts)
        path.write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{self.y}" '
            f'viewBox="0 0 {self.width} {self.y}">\n<style>{style}</style>\n'
            f'<rect width="{self.width}" height="{self.y}" rx="12" fill="{self.background}"/>\n{body}\n</svg>\n')


class Chat(Picture):
    STYLE = (f"text{{font:{SIZE}px {FONT};fill:#111}} .bold{{font-weight:600}} "
             f".code{{font-family:{MONO};font-size:13px;fill:#0a5a9c}} .button{{fill:#fff;font-weight:500}} "
             f".sign{{fill:#fff;font-size:11px;font-weight:700}} .small{{font-size:12px;fill:#5b7083}}")

    def __init__(self):
        super().__init__(WIDTH, "#cfdce6")

    def bubble(self, chars, mine=False, title=None, rows=()):
        lines = wrap(chars, BUBBLE - 2 * PAD)
        width = max([sum(width_of(*c) for c in line) for line in lines] + [200 if title else 0]) + 2 * PAD
        width = BUBBLE if rows else min(BUBBLE, width)
        head = 34 if title else 0
        height = head + LINE * len(lines) + PAD
        x = self.width - PAD - width if mine else PAD
        self.box(x, self.y, width, height, "#e3fdcd" if mine else "#fff")
        if title:
            self.box(x + PAD, self.y + 9, 24, 26, "#4a9be0", 5)
            self.line(x + PAD + 34, self.y + 27, html.escape(title), ' class="bold"')
        for number, line in enumerate(lines):
            base, left = self.y + head + LINE * (number + 1) - 1, x + PAD
            if line and line[0][0] in SIGNS:
                self.sign(left + 7, base - 5, *SIGNS[line[0][0]])
                behind = [c for c, _ in line].index(" ") + 1
                left, line = left + 21, line[behind:]
            self.line(left, base, spans(line))
        self.y += height + 4
        for row in rows:
            each = (BUBBLE - 4 * (len(row) - 1)) / len(row)
            for number, button in enumerate(row):
                left = PAD + number * (each + 4)
                self.box(left, self.y, each, 30, "#7795ac", 8)
                self.line(left + each / 2, self.y + 20, html.escape(button["text"]),
                          ' class="button" text-anchor="middle"')
            self.y += 34
        self.y += 4

    def sign(self, x, y, colour, inside):
        self.parts.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="7" fill="{colour}"/>')
        if inside:
            self.line(x, y + 4, inside, ' class="sign" text-anchor="middle"')

    def person(self, text):
        self.bubble([(c, "") for c in text], mine=True)

    def bot(self, message):
        title = message.document.file_name if message.document else None
        self.bubble(styled(message), title=title, rows=message.rows)

    def later(self, text):
        """Between two states of the same message."""
        self.line(self.width / 2, self.y + 14, html.escape(text), ' class="small" text-anchor="middle"')
        self.y += 26


def draw_terminal(text, path):
    """What stood on a terminal of 100 columns."""
    picture = Picture(900, "#1d2430")
    style = (f"text{{font:14px {MONO};fill:#d8dee9}} .prompt{{fill:#8fbc8f}}")
    picture.y += 4
    for line in text.rstrip().split("\n"):
        for piece in [line[i:i + 100] for i in range(0, len(line), 100)] or [""]:
            kind = ' class="prompt"' if piece.startswith("$ ") else ""
            picture.line(18, picture.y + 14, html.escape(piece), kind)
            picture.y += 19
    picture.y += PAD
    picture.write(path, style)


# ---------------------------------------------------------------- the scenes

def draw_setup(net, folder):
    token = f"{secrets.randbelow(10**9) + 10**9}:{secrets.token_urlsafe(26)}"
    with Folder() as place, botapi.BotApi(token, net.vps.listen("127.0.0.1")) as api:
        env = {"TELEGRAM_API_URL": api.url, "STATE_DIR": place}
        path = place / "vps-agent.env"
        with Terminal("vps-agent", "--setup", "--env-file", path, env=env,
                      prefix=net.vps.command()) as terminal:
            terminal.answer(r"Bot token.*: ", token)
            terminal.answer(r"user ID.*: ", "")
            code = terminal.wait(r"/start (\d{6})\n")[1]
            api.say(OWNER, f"/start {code}")
            terminal.answer(r"IP address.*: ", netns.VPS)
            terminal.answer(r"gateway.*: ", "")
            status, text = terminal.end()
        assert status == 0, text
    # Where it is written by default, and then a package's service reads it.
    text = text.replace(f"vps-agent --env-file {path}",
                        "systemctl enable pamtunnel-vps && systemctl restart pamtunnel-vps")
    text = text.replace(f" --env-file {path}", "").replace(str(path), "/etc/pamtunnel/vps-agent.env")
    text = re.sub(r"(pamtunnel2\.[\w-]{30})\S+", r"\1…", text)
    draw_terminal("$ sudo vps-agent --setup\n" + text, folder / "setup.svg")


def draw_ssh(world, net, folder):
    chat = Chat()
    with Sshd(netns.TARGET, net.lan, 22):
        chat.person("/ssh you@192.168.1.22")
        live = world.ssh("you@192.168.1.22")
        chat.bot(live)
        client = net.client.connect(netns.VPS, port_of(live.code[0]), netns.CLIENT)
        client.sendall(peers.BANNER)
        question = world.api.wait_message(lambda m: m.says("wants in") and m.button("admit"), 20, 0, OWNER)
        chat.bot(question)
        world.api.wait_answer(world.api.tap(OWNER, question, "admit"))
        world.api.wait_message(lambda m: m.id == live.id and m.says("connected from"), 20)
        chat.later("you press Admit, and both messages become:")
        world.api.wait_message(lambda m: m.id == question.id and m.says("was admitted"), 20)
        chat.bot(live)
        chat.bot(question)
        client.close()
        world.close_all()
        world.api.wait_message(lambda m: m.id == live.id and m.says("ended"), 20)
    chat.write(folder / "ssh.svg", Chat.STYLE)


def windows_pc(net):
    """Whatever plays one: the closest that there is."""
    if shutil.which("xrdp"):
        return rdp.Xrdp(netns.TARGET, net.lan, 3389)
    return peers.Recorder(listener=net.lan.listen("0.0.0.0", 3389))


def draw_rdp(world, net, folder):
    chat = Chat()
    with windows_pc(net):
        chat.person("/rdp HOME-PC")
        document, live = world.rdp("HOME-PC")
        chat.bot(document)
        chat.bot(live)
        draw_link(live, net, folder)
        file = peers.RdpFile(document.document.data)
        client = net.client.connect(netns.VPS, file.port, netns.CLIENT)
        client.sendall(peers.connection_request(peers.cookie(file.secret)))
        world.api.wait_message(lambda m: m.id == live.id and m.says("connected from"), 20)
        chat.later("you open the file:")
        chat.bot(live)
        client.close()
        world.close_all()
        world.api.wait_message(lambda m: m.id == live.id and m.says("ended"), 20)
        chat.later("and when it is over:")
        chat.bot(live)
    chat.write(folder / "rdp.svg", Chat.STYLE)


def page_of(live, net):
    """What the client gets for the session's link."""
    link = re.search(r"http://([^:/]+):(\d+)(/\S+)", live.text)
    with net.client.connect(link[1], int(link[2]), netns.CLIENT) as browser_to_be:
        browser_to_be.sendall(f"GET {link[3]} HTTP/1.1\r\nHost: {link[1]}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: browser_to_be.recv(65536), b""))
    return answer.partition(b"\r\n\r\n")[2]


def draw_link(live, net, folder):
    page = folder / "link.html"
    page.write_bytes(page_of(live, net))
    for name, dark in ("link", False), ("link-dark", True):
        if browser.CHROMIUM:
            browser.picture(page, folder / f"{name}.png", 500, 400, dark)
    page.unlink()


def draw_waking(world, net, folder):
    chat = Chat()
    with Sleeper(net, ports=(22, 3389)) as pc:
        net.gateway.hosts(f"{pc.address} office-pc\n{netns.TARGET} HOME-PC home-pc\n")
        world.ssh("office-pc")
        eventually(lambda: world.pamctl.json("wake", "list")["machines"], "its MAC address is known")
        world.close_all()
        pc.sleep()
        pc.slow = 8       # the card counts in steps of five
        since = world.api.mark()
        chat.person("/rdp office-pc")
        world.api.say(OWNER, "/rdp office-pc")
        live = world.api.wait_message(lambda m: m.button("wake"), 30, since, OWNER)
        chat.bot(live)
        world.api.wait_answer(world.api.tap(OWNER, live, "wake"))
        world.api.wait(lambda: live.says("Waking") and not live.says("0 s"), 20, "it is being woken")
        chat.later("you press Wake it:")
        chat.bot(live)
        document = world.api.wait_message(lambda m: m.document, 30, since, OWNER)
        world.api.wait(lambda: live.says("is ready"), 20, "it is awake")
        world.secrets.append(peers.RdpFile(document.document.data).secret)
        chat.later("and as soon as it answers:")
        chat.bot(live)
        world.close_all()
    chat.write(folder / "waking.svg", Chat.STYLE)


def draw_discover(world, net, folder):
    chat = Chat()
    with Shouter(net.lan, MDNS, {"nas": "192.168.1.30"}, "192.168.1.30"), \
            Shouter(net.lan, NETBIOS, {"home-pc": netns.TARGET}, netns.TARGET):
        since = world.api.mark()
        chat.person("/discover")
        world.api.say(OWNER, "/discover")
        listed = world.api.wait_message(lambda m: len(m.buttons) == 2, 30, since, OWNER)
        chat.bot(listed)
        since = world.api.mark()
        world.api.wait_answer(world.api.tap(OWNER, listed, "nas"))
        chat.later("you press the second one:" if "nas" in listed.buttons[1]["text"] else "you press the first one:")
        chat.bot(world.api.wait_message(lambda m: m.button("/ssh nas"), 30, since, OWNER))
    chat.write(folder / "discover.svg", Chat.STYLE)


def draw_all(net, folder):
    draw_setup(net, folder)
    with contextlib.suppress(netns.subprocess.CalledProcessError):  # it is there already
        net.lan.ip("address", "add", "192.168.1.30/24", "dev", "eth")
    with World(net=net, gateway={"DISCOVER": "on"}) as world:
        for draw in draw_ssh, draw_rdp, draw_waking, draw_discover:
            draw(world, net, folder)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    assert netns.available(), "network namespaces take root and iproute2"
    with netns.Internet() as net:
        draw_all(net, folder)


if __name__ == "__main__":
    main()
