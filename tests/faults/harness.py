"""What a circumstance is, and what a run of one finds out."""

import contextlib
import dataclasses
import itertools
import pathlib
import resource
import socket
import subprocess
import time

import agents
import botapi
import peers
import places
import util
from agents import OWNER
from util import TIME_SCALE

CIRCUMSTANCES = {}


class Unmet(Exception):
    """What must happen did not; the message says what was seen instead."""


class Missing(Exception):
    """This machine lacks something that the circumstance takes."""


@dataclasses.dataclass
class Circumstance:
    name: str       # on the command line
    part: str       # of the table
    what: str       # the circumstance
    must: str       # what must happen
    function: object
    short: bool     # part of scripts/test
    limit: float    # seconds after which a run is given up


@dataclasses.dataclass
class Found:
    ok: bool
    seen: str
    seconds: float = None   # until all was well again


def circumstance(part, what, must, *, short=False, limit=240):
    """Decorates a function of a Run that returns what it Found."""
    def register(function):
        name = function.__name__.replace("_", "-")
        assert name not in CIRCUMSTANCES
        CIRCUMSTANCES[name] = Circumstance(name, part, what, must, function, short, limit)
        return function
    return register


def need(condition, seen):
    if not condition:
        raise Unmet(seen)
    return condition


class Run:
    """One run: what it opens is closed at its end. patience: how long to wait for what should
    have come much earlier, to say how late it was."""

    def __init__(self, stack, folder, patience=0):
        self.stack, self.folder, self.patience = stack, pathlib.Path(folder), patience
        self.worlds, self.lone = [], []

    def use(self, context):
        return self.stack.enter_context(context)

    def world(self, **options):
        world = World(**options)
        self.worlds.append(world)
        world.__enter__()
        # As after a failure: what a fault leaves behind is no concern of the agents' usual checks.
        self.stack.push(lambda *_: world.__exit__(Unmet, None, None) and False)
        return world

    def agent(self, name, settings, tag=None):
        """One that belongs to no World."""
        daemon = agents.Daemon(name, self.folder, settings, tag=tag).start()
        self.stack.callback(daemon.kill)
        self.lone.append(daemon)
        return daemon

    def target(self, reply=peers.echo, **options):
        return self.use(Target(reply, **options))

    def until(self, check, bound, patient=False):
        """Seconds until check() is true, None if it does not come to be within the bound, or
        within the run's patience."""
        began = time.monotonic()
        bound = max(bound, self.patience / TIME_SCALE) if patient else bound
        with contextlib.suppress(AssertionError):
            util.eventually(check, "", bound)
            return time.monotonic() - began
        return None

    def recovers(self, check, bound, good, bad):
        """Found, from how long it takes until check() is true."""
        took = self.until(check, bound, patient=True)
        if took is None:
            return Found(False, f"{bad} within {max(bound * TIME_SCALE, self.patience):.0f} s")
        return Found(took <= bound * TIME_SCALE, f"{good} after {took:.1f} s", took)

    def check_agents(self):
        """None of them fell over."""
        for daemon in itertools.chain(self.lone, *([w.vps, *w.gateways.values()] for w in self.worlds)):
            need(daemon.alive() or not daemon.expected_to_live, f"{daemon.name} ended by itself")
            for report in agents.SANITIZER_REPORTS:
                need(report not in daemon.log, f"{daemon.name}: {report}")

    def report(self):
        """What everybody said."""
        alone = [f"---- {d.log_path.name}\n{d.log[:3000]}\n[...]\n{d.log[-3000:]}" for d in self.lone]
        return "\n".join([*(w.report() for w in self.worlds), *alone])


class Target(peers.Recorder):
    """Closes when the client has, as sshd does."""

    def _serve(self, connection):
        super()._serve(connection)
        with contextlib.suppress(OSError):
            connection.socket.shutdown(socket.SHUT_WR)


# ---------------------------------------------------------------- agents

class World(agents.World):
    """Settings may be functions of the world: some are known only when it stands.
    api: where the Bot API listens, for agents that live elsewhere."""

    def __init__(self, *, api=None, **options):
        super().__init__(**options)
        self.api_place = api

    def _vps_settings(self, undo):
        if not self.api_place:
            return self._known(super()._vps_settings(undo))
        # World asks the place of vps-agent for the listener, which is somewhere else here.
        net, self.net = self.net, places.Net(self.api_place, self.net.gateway)
        try:
            return self._known(super()._vps_settings(undo))
        finally:
            self.net = net

    def add_gateway(self, name, start=True, **settings):
        self.gateway_extra = self._known(self.gateway_extra)
        return super().add_gateway(name, start, **settings)

    def _known(self, settings):
        return {key: value(self) if callable(value) else value for key, value in settings.items()}

    def restart(self, ready=True):
        self.vps.stop()
        self.vps.start()
        if ready:
            self.ready(timeout=40)


class Api(botapi.BotApi):
    """A Bot API server that takes so many messages: (count, seconds)."""

    sends_in = None

    def _do_sendmessage(self, params):
        if self.sends_in:
            count, seconds = self.sends_in
            recent = [c.at for c in self.called("sendMessage") if c.status == 200 and c.at > time.monotonic() - seconds]
            if len(recent) >= count:
                wait = int(recent[0] + seconds - time.monotonic()) + 1
                raise botapi.BadRequest(f"Too Many Requests: retry after {wait}", 429, False)
        return super()._do_sendmessage(params)


def install():
    """From now on a World's Bot API server is an Api."""
    botapi.BotApi = Api


# ---------------------------------------------------------------- what people do

class Session:
    """An ssh session of a user, and who comes to its port."""

    def __init__(self, world, target, user=OWNER):
        self.world, self.target, self.user = world, target, user
        self.since = world.api.mark()
        try:
            self.card = world.ssh(target.name, user)
        except AssertionError:
            said = [" ".join(m.text.split()) for m in world.api.all_messages(user, self.since)]
            raise Unmet(f"/ssh opens no session: {said[0] if said else 'no answer'}") from None
        self.port = agents.port_of(self.card.code[0])
        self.id = world.newest_session()["id"]

    def knock(self, address, banner=peers.BANNER):
        return knock(self.port, address, banner)

    def parked(self):
        session = self.world.session(self.id)
        return [p["address"] if isinstance(p, dict) else p for p in session["parked"]] if session else []

    def question(self, address):
        """The message that asks about the address, or None."""
        for message in self.world.api.all_messages(self.user, self.since):
            if message.says(address) and message.button("admit"):
                return message
        return None

    def questions(self):
        return [m for m in self.world.api.all_messages(self.user, self.since, deleted=True)
                if any(text.count("wants in") or text.count("want in") for _, text in m.history)]

    def admit(self, address, timeout=10):
        """Waits for the question and presses the button."""
        with contextlib.suppress(AssertionError):
            util.eventually(lambda: self.question(address), "", timeout)
        question = need(self.question(address), f"nobody asks about {address}")
        self.world.api.tap(self.user, question, "admit")

    def close(self):
        self.world.pamctl("close", self.id)
        self.world.wait_state(self.id, "ended")


class RdpSession:
    """An rdp session of a user. `file` is what the user opens, `document` the message with it."""

    def __init__(self, world, target, user=OWNER):
        self.world = world
        self.document, self.card = world.rdp(target.name, user)
        self.file = peers.RdpFile(self.document.document.data)
        self.id = world.newest_session()["id"]

    def knock(self, address, first=None):
        return knock(self.file.port, address, first or peers.connection_request(peers.cookie(self.file.secret)))


PLAIN = peers.connection_request()      # what the target gets of a client with the secret


def knock(port, address, first):
    client = peers.dial(port, address, "::1" if ":" in address else "127.0.0.1")
    client.sendall(first)
    return client


def is_in(client, sent=peers.BANNER, timeout=5):
    """The target's echo came back."""
    with contextlib.suppress(AssertionError, OSError):
        return util.read_exactly(client, len(sent), timeout) == sent
    return False


def echoes(client, data=b"still here"):
    """The target answers to what is sent now."""
    with contextlib.suppress(OSError):
        client.sendall(data)
        return is_in(client, data)
    return False


def answered(world, user, text, since=None):
    """Says it; a function that tells whether the bot said something that looks like the answer."""
    mark = world.api.mark() if since is None else since
    world.api.say(user, text)
    wanted = (lambda m: m.code and m.code[0].startswith("ssh ")) if text.startswith("/ssh") else \
        (lambda m: m.says("/ssh", "/rdp"))
    return lambda: any(wanted(m) for m in world.api.all_messages(user, mark))


# ---------------------------------------------------------------- things that go wrong

def preloaded(folder, name):
    """A library from the C file of that name, for LD_PRELOAD."""
    if util.SANITIZED or util.VALGRIND:
        raise Missing("a build that takes a library in front of all others (no sanitizer)")
    source, library = pathlib.Path(__file__).with_name(f"{name}.c"), pathlib.Path(folder) / f"{name}.so"
    argv = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source)]
    compiler = subprocess.run(argv, capture_output=True, text=True)
    if compiler.returncode:
        raise Missing(f"a C compiler: {compiler.stderr.strip()[:200]}")
    return {"LD_PRELOAD": library, "SANDBOX": "off"}


class Clock:
    """The wall clock of a program, wrong by as many seconds as one likes."""

    def __init__(self, folder, shift=0):
        self.file = pathlib.Path(folder) / "shift"
        self._settings = {**preloaded(folder, "clock"), "FAULTS_CLOCK": self.file}
        self.set(shift)

    def set(self, shift):
        with open(self.file, "r+b" if self.file.exists() else "wb") as out:
            out.write(int(shift).to_bytes(8, "little", signed=True))

    def settings(self):
        return self._settings


def limit_descriptors(daemon, count):
    """Returns what undoes it."""
    old = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (count, old[1]))
    return lambda: resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, old)


def cpu_over(daemon, seconds):
    """CPU seconds that it takes during the next ones."""
    before = daemon.cpu_seconds()
    time.sleep(seconds)
    return daemon.cpu_seconds() - before
