"""A real RDP session without a person: xrdp, and xfreerdp on an X display of its own.

xrdp shows its login dialog in colours that nothing else uses, so that a picture
of the screen tells a working session from a black window, from an empty screen
and from a dialog about a lost connection.
"""

import contextlib
import os
import signal
import subprocess

from PIL import Image

import util
from util import eventually

BACKGROUND = (0x33, 0x66, 0x99)     # behind the login dialog
DIALOG = (0xC8, 0xF0, 0xA0)         # the dialog itself
WIDTH, HEIGHT = 800, 600


class Xrdp:
    """xrdp with its own configuration on a free port; a login screen and no sesman."""

    def __init__(self, host="127.0.0.1", namespace=None, port=None):
        self.host = host
        self.namespace = namespace
        self.port = port or util.free_port()

    def __enter__(self):
        self._folder = util.Folder()
        folder = self.folder = self._folder.path
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"),
                        "-subj", "/CN=HOME-PC"], check=True, capture_output=True)

        def colour(rgb):
            return "".join(f"{part:02x}" for part in rgb)

        (folder / "xrdp.ini").write_text(f"""\
[Globals]
ini_version=1
fork=true
port=tcp://{self.host}:{self.port}
tcp_nodelay=true
tcp_keepalive=true
security_layer=negotiate
crypt_level=high
certificate={folder}/cert.pem
key_file={folder}/key.pem
ssl_protocols=TLSv1.2, TLSv1.3
bitmap_cache=true
bitmap_compression=true
bulk_compression=true
allow_channels=true
max_bpp=32
new_cursors=true
use_fastpath=both
ls_title=pamtunnel target
ls_top_window_bg_color={colour(BACKGROUND)}
ls_bg_color={colour(DIALOG)}
ls_width=350
ls_height=430
ls_logo_filename=
ls_label_x_pos=30
ls_label_width=65
ls_input_x_pos=110
ls_input_width=210
ls_input_y_pos=220
ls_btn_ok_x_pos=142
ls_btn_ok_y_pos=370
ls_btn_ok_width=85
ls_btn_ok_height=30
ls_btn_cancel_x_pos=237
ls_btn_cancel_y_pos=370
ls_btn_cancel_width=85
ls_btn_cancel_height=30

[Logging]
LogFile={folder}/xrdp.log
LogLevel=INFO
EnableSyslog=false

[Channels]
rdpdr=true
drdynvc=true
cliprdr=true
rdpsnd=true

[Test]
name=Test
lib=libvnc.so
username=ask
password=ask
ip=127.0.0.1
port=-1
""")
        argv = ["/usr/sbin/xrdp", "--nodaemon", "--config", str(folder / "xrdp.ini")]
        if self.namespace:
            argv = self.namespace.command(*argv)
        self.output = open(folder / "output", "wb")
        self.process = subprocess.Popen(argv, stdout=self.output, stderr=self.output,
                                        stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            eventually(lambda: self.process.poll() is not None or self._listens(), "xrdp listens")
            assert self.process.poll() is None, self.log
        except BaseException:
            self.__exit__()
            raise
        return self

    def _listens(self):
        # the log line, not a connection: xrdp would show it in its log as a client; "listening to" comes too early
        return "xrdp_listen_pp done" in self.log

    @property
    def log(self):
        return "".join(path.read_text(errors="replace")
                       for path in (self.folder / "xrdp.log", self.folder / "output") if path.exists())

    @property
    def name(self):
        return f"{self.host}:{self.port}"

    def __exit__(self, *_):
        # its own process group: the listener and a child per connection
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.output.close()
        self._folder.__exit__()


class Display:
    """An Xvfb on a display number that it found free itself."""

    def __enter__(self):
        read, write = os.pipe()
        self.process = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", "1024x768x24", "-nolisten", "tcp",
             "-noreset"], pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as pipe:
            number = pipe.readline().strip()
        assert number, f"Xvfb ended with {self.process.wait()}"
        self.name = f":{number}"
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def screenshot(self, path):
        subprocess.run(["import", "-silent", "-window", "root", str(path)], check=True,
                       env={**os.environ, "DISPLAY": self.name}, capture_output=True, timeout=60)
        return Screen(path)


class Screen:
    """A picture of the display, and what is to be seen on it."""

    def __init__(self, path):
        self.path = path
        with Image.open(path) as image:
            self.image = image.convert("RGB")
        counted = self.image.getcolors(1 << 24)
        self.total = self.image.width * self.image.height
        self.colours = {colour: count for count, colour in counted}

    def share(self, colour, tolerance=8):
        """How much of the screen has this colour (a session may have 16 bits a pixel)."""
        near = sum(count for found, count in self.colours.items()
                   if all(abs(a - b) <= tolerance for a, b in zip(found, colour)))
        return near / self.total

    def box(self, colour, tolerance=8):
        """The smallest rectangle around a colour: (left, top, right, bottom)."""
        pixels = self.image.load()
        found = [(x, y) for x in range(0, self.image.width, 2) for y in range(0, self.image.height, 2)
                 if all(abs(a - b) <= tolerance for a, b in zip(pixels[x, y], colour))]
        if not found:
            return None
        xs, ys = zip(*found)
        return min(xs), min(ys), max(xs), max(ys)

    def is_login_screen(self):
        """xrdp's dialog (350 x 430) within its background, with text on it.

        Background and dialog in their own colours, at their own sizes; and
        between them dark text, a white input field and a title bar.
        """
        window = WIDTH * HEIGHT / self.total
        background, dialog = self.share(BACKGROUND), self.share(DIALOG)
        box = self.box(DIALOG)
        if not box or not 0.5 * window < background < 0.9 * window or dialog < 0.1 * window:
            return False
        width, height = box[2] - box[0], box[3] - box[1]
        if not (320 <= width <= 360 and 380 <= height <= 440):
            return False
        inside = self.image.crop((box[0], box[1], box[2] + 1, box[3] + 1))
        pixels = list(inside.getdata())
        white = sum(min(p) > 240 for p in pixels) / len(pixels)
        dark = sum(max(p) < 60 for p in pixels) / len(pixels)
        return white > 0.02 and dark > 0.001


class Client:
    """xfreerdp with a .rdp file, on a display."""

    def __init__(self, display, rdp_file, *flags, namespace=None, log_path):
        self.log_path = log_path
        argv = ["xfreerdp", str(rdp_file), "/cert:ignore", f"/size:{WIDTH}x{HEIGHT}", *flags]
        if namespace:
            argv = namespace.command(*argv)
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen(
                argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, "DISPLAY": display.name, "HOME": str(log_path.parent)})

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(3)    # while it reconnects it does not listen
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def wait_login_screen(display, client, folder, name="login", timeout=30):
    """Waits until the login screen is to be seen; returns the Screen."""
    path = folder / f"{name}.png"

    def look():
        assert client.process.poll() is None, f"xfreerdp ended:\n{client.log}"
        screen = display.screenshot(path)
        return screen if screen.is_login_screen() else None

    try:
        return eventually(look, "xrdp's login screen is on the display", timeout, interval=0.3)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{client.log}") from None
    finally:
        keep = util.artifacts()
        if keep and path.exists():
            (keep / path.name).write_bytes(path.read_bytes())
