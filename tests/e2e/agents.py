"""The programs under test: started, asked, stopped, and looked at from outside."""

import contextlib
import json
import os
import pathlib
import re
import secrets
import signal
import subprocess
import time

import botapi
import util
from util import BUILD, TIME_SCALE, VALGRIND, eventually

OWNER, FRIEND, STRANGER = 42, 43, 666   # Telegram users; the first two are allowed
LOOPBACK_TARGETS = "127.0.0.0/8:1-65535;[::1]:1-65535"
SANITIZER_REPORTS = ("AddressSanitizer", "ThreadSanitizer", "LeakSanitizer", "MemorySanitizer",
                     "runtime error:", "definitely lost", "Invalid read", "Invalid write",
                     "uninitialised value")


REPORTS = []    # of worlds that a failing test left, for the test report


def program(name):
    path = BUILD / name
    assert path.exists(), f"{path} is not there: build first, or set PAMTUNNEL_BUILD"
    return str(path)


def run(name, *args, env=None, timeout=20, prefix=(), **options):
    """Runs a program to its end; CompletedProcess with text. prefix: of its command, as of a namespace."""
    return subprocess.run([*prefix, program(name), *map(str, args)], env=environment(env or {}),
                          capture_output=True, text=True, timeout=timeout * TIME_SCALE, **options)


def environment(settings):
    """The settings and nothing of ours that a program could take for a setting."""
    base = {key: value for key, value in os.environ.items()
            if key in ("PATH", "LANG", "TMPDIR", "SANDBOX") or key.endswith("SAN_OPTIONS")}
    if VALGRIND:
        base["SANDBOX"] = "off"     # valgrind needs what it forbids
    return {**base, **{key: str(value) for key, value in settings.items() if value is not None}}


class Daemon:
    """One agent. Its log is a file in its folder."""

    def __init__(self, name, folder, settings, args=(), namespace=None, tag=None):
        self.name = name
        self.folder = pathlib.Path(folder)
        self.settings = dict(settings)
        self.args = list(args)
        self.namespace = namespace
        self.log_path = self.folder / f"{tag or name}.log"
        self.process = None
        self.expected_to_live = False
        self.baseline = None
        self.ignored_ports = set()  # of helpers whose connections are not counted
        self.env_file = None        # the settings stand there, and not in the environment

    def start(self):
        argv = [program(self.name), *self.args]
        if self.env_file:
            self.write_settings()
            argv += ["--env-file", str(self.env_file)]
        if VALGRIND:
            argv = ["valgrind", "-q", "--leak-check=full", "--errors-for-leak-kinds=definite",
                    "--error-exitcode=99", *argv]
        if self.namespace:
            argv = self.namespace.command(*argv)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(argv, env=environment({} if self.env_file else self.settings), stderr=log,
                                            stdout=log, stdin=subprocess.DEVNULL, cwd=self.folder)
        self.expected_to_live = True
        return self

    def write_settings(self, **changes):
        """Into the env file, in the place of the one that is there, as --invite does. None takes one away."""
        self.settings |= changes
        self.replace_env_file("".join(f"{name}={value}\n" for name, value in self.settings.items()
                                      if value is not None).encode())

    def replace_env_file(self, content):
        new = self.env_file.with_suffix(".new")
        new.write_bytes(content)
        new.chmod(0o600)
        new.rename(self.env_file)

    def reload(self, **changes):
        """SIGHUP, with these settings changed in the env file. The line that the log has then."""
        if changes:
            self.write_settings(**changes)
        before = self.count_log("settings (not )?reloaded")
        self.process.send_signal(signal.SIGHUP)
        return eventually(lambda: self._reloads()[before:], f"{self.name} has read its settings again")[-1]

    def _reloads(self):
        return [line for line in self.log.splitlines() if re.search("settings (not )?reloaded", line)]

    @property
    def pid(self):
        return self.process.pid

    @property
    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def wait_log(self, text, timeout=10):
        """Waits for a line that contains text (a regular expression, in any case)."""
        def look():
            return [line for line in self.log.splitlines() if re.search(text, line, re.I)]
        return eventually(look, f"{self.name} logs {text!r}", timeout)

    def count_log(self, text):
        return sum(bool(re.search(text, line, re.I)) for line in self.log.splitlines())

    def wait_exit(self, timeout=15):
        try:
            status = self.process.wait(timeout * TIME_SCALE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} does not end\n{self.log[-4000:]}") from None
        self.expected_to_live = False
        return status

    def stop(self, status=0):
        """SIGTERM; it ends in order."""
        if not self.process:
            return
        if self.alive():
            self.process.terminate()
        found = self.wait_exit()
        assert found == status, f"{self.name} ended with status {found}\n{self.log[-4000:]}"

    def kill(self):
        """As if the machine lost power."""
        if self.alive():
            self.process.kill()
            self.process.wait()
        self.expected_to_live = False

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    # -- from outside

    def descriptors(self):
        """Open descriptors, without connections to helpers such as the Bot API. None are seen by
        others than root: of processes that leave no dumps, the kernel tells nobody else."""
        folder = f"/proc/{self.pid}/fd"
        if not os.access(folder, os.R_OK):
            return []
        ignored = self._ignored_inodes()
        found = []
        for number in os.listdir(folder):
            with contextlib.suppress(OSError):
                link = os.readlink(f"{folder}/{number}")
                # The relay keeps a few pipes ready; how many is its own tests' business.
                if link not in ignored and not link.startswith("pipe:"):
                    found.append(f"{number} -> {link}")
        return found

    def _ignored_inodes(self):
        inodes = set()
        for table in ("tcp", "tcp6"):
            with contextlib.suppress(OSError), open(f"/proc/{self.pid}/net/{table}") as lines:
                next(lines)
                for line in lines:
                    fields = line.split()
                    if int(fields[2].rpartition(":")[2], 16) in self.ignored_ports:
                        inodes.add(f"socket:[{fields[9]}]")
        return inodes

    def rss_kb(self):
        with open(f"/proc/{self.pid}/status") as lines:
            for line in lines:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        raise AssertionError("no VmRSS")

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def take_baseline(self):
        # SQLite keeps the descriptor of a reader that is gone for the next one, while the writer has the file.
        self.baseline = len(self.descriptors()) + (self.name == "vps-agent")


class Pamctl:
    def __init__(self, state_dir):
        self.state_dir = state_dir

    def __call__(self, *args, **options):
        """CompletedProcess with text."""
        return run("pamctl", *args, env={"STATE_DIR": self.state_dir}, **options)

    def json(self, *args, ok=True):
        """What it prints with --json. ok: what its exit status has to say; None: anything."""
        result = self(*args, "--json")
        assert ok is None or (result.returncode == 0) == ok, \
            f"pamctl {args}: {result.returncode}\n{result.stdout}{result.stderr}"
        return json.loads(result.stdout)


class World:
    """A vps-agent with its gateways and its Bot API server: a context manager.

    vps, gateway: settings to add or replace; None takes one away.
    gateways: their names. net: a netns.Internet to live in.
    env_files: settings stand in files, and can be changed: Daemon.reload().
    """

    def __init__(self, *, bot=True, gateways=("lan",), vps=None, gateway=None, net=None, tls=None,
                 start_gateways=True, wait_ready=True, ports=600, env_files=False):
        self.with_bot = bot
        self.gateway_names = list(gateways)
        self.net = net
        self.tls = tls
        self.start_gateways = start_gateways
        self.wait_ready = wait_ready
        self.env_files = env_files
        self.secrets = []
        self.gateways = {}
        self.api = None
        self.key = secrets.token_hex(32)
        self.token = f"{secrets.randbelow(10**9) + 10**9}:{secrets.token_urlsafe(26)}"
        self.vps_extra, self.gateway_extra = vps or {}, gateway or {}
        self.port_count = ports

    # -- life

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            self.folder = undo.enter_context(util.Folder())
            # from here on, failures show the logs
            undo.callback(self._end_processes)
            self.port_start = undo.enter_context(util.held_range(self.port_count + 1))
            self.control_port = self.port_start + self.port_count
            self.state_dir = self.folder / "state"
            self.state_dir.mkdir(mode=0o700)
            self.vps_host = _vps_host(self.net)
            self.vps = Daemon("vps-agent", self.folder, self._vps_settings(undo),
                              [] if self.with_bot else ["--local"],
                              self.net and self.net.vps)
            if self.api:
                self.vps.ignored_ports.add(self.api.port)
            self.pamctl = Pamctl(self.state_dir)
            if self.env_files:
                self.vps.env_file = self.folder / "vps.env"
            self.vps.start()
            for name in self.gateway_names:
                self.add_gateway(name, start=self.start_gateways)
            if self.wait_ready:
                self.ready()
                for daemon in self.daemons():
                    daemon.take_baseline()
            self.stack = undo.pop_all()
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.settle()
                self.stop()
                self.check_logs()
        except BaseException:
            REPORTS.append(self.report())
            raise
        else:
            if kind is not None:
                REPORTS.append(self.report())
        finally:
            self._keep_transcript()
            self.stack.close()

    def _keep_transcript(self):
        keep = util.artifacts()
        if keep and self.api:
            with open(keep / "transcripts.txt", "a") as out:
                out.write(f"{os.environ.get('PYTEST_CURRENT_TEST')}\n{self.api.transcript()}\n")

    def _end_processes(self):
        for daemon in self.daemons():
            daemon.kill()

    def stop(self):
        """Everything ends in order."""
        for daemon in self.daemons():
            if daemon.expected_to_live:
                daemon.stop()

    def _vps_settings(self, undo):
        settings = {
            "VPS_HOST": self.vps_host, "TUNNEL_KEY": self.key, "CONTROL_PORT": self.control_port,
            "PORT_RANGE_START": self.port_start,
            "PORT_RANGE_END": self.port_start + self.port_count - 1,
            "STATE_DIR": self.state_dir, "LOG_LEVEL": "debug",
        }
        if self.with_bot:
            listener = self.net.vps.listen("127.0.0.1") if self.net else None
            context, ca = self.tls or (None, None)
            self.api = undo.enter_context(botapi.BotApi(self.token, listener, context))
            settings |= {"TELEGRAM_TOKEN": self.token, "ALLOWED_USERS": f"{OWNER},{FRIEND}",
                         "TELEGRAM_API_URL": self.api.url, "SSL_CERT_FILE": ca}
        return settings | self.vps_extra

    def add_gateway(self, name, start=True, **settings):
        """One more gateway. The same name twice is allowed: a second machine."""
        tag = f"gateway-{len(self.gateways)}"
        values = {
            "VPS_HOST": "198.51.100.1" if self.net else "127.0.0.1", "TUNNEL_KEY": self.key,
            "CONTROL_PORT": self.control_port, "GATEWAY_NAME": name,
            "ALLOWED_TARGETS": None if self.net else LOOPBACK_TARGETS, "LOG_LEVEL": "debug",
            **self.gateway_extra, **settings,
        }
        daemon = Daemon("gateway-agent", self.folder, values, (), self.net and self.net.gateway, tag)
        if self.env_files:
            daemon.env_file = self.folder / f"{tag}.env"
        self.gateways[tag] = daemon
        if start:
            daemon.start()
        return daemon

    @property
    def gateway(self):
        """The first one."""
        return next(iter(self.gateways.values()))

    def daemons(self):
        return [d for d in [getattr(self, "vps", None), *self.gateways.values()] if d and d.process]

    def ready(self, gateways=None, timeout=15):
        """Waits until the agents are at work together."""
        wanted = set(self.gateway_names if gateways is None else gateways)
        if not self.start_gateways and gateways is None:
            wanted = set()

        def look():
            if not self.vps.alive():
                raise AssertionError(f"vps-agent ended: {self.vps.process.returncode}\n{self.vps.log}")
            status = self.status()
            if not status or not wanted <= {g["name"] for g in status["gateways"]}:
                return None
            if self.with_bot and status["telegram"] != "online":
                return None
            return status

        try:
            status = eventually(look, "the agents are ready", timeout, interval=0.05)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.report()}") from None
        if self.with_bot:
            self.api.wait_polling()
            self.api.wait(lambda: self.api.commands is not None, 10, "setMyCommands")
        return status

    def status(self):
        """pamctl status, or None if nobody answers."""
        result = self.pamctl("status", "--json")
        return json.loads(result.stdout) if result.returncode == 0 else None

    def sessions(self):
        return self.pamctl.json("sessions")["sessions"]

    def session(self, session_id):
        """What pamctl says of one session, or None once it is gone."""
        found = [s for s in self.sessions() if s["id"] == session_id and s["state"] != "ended"]
        return found[0] if found else None

    def wait_state(self, session_id, state, timeout=10):
        """Waits for a state; "ended" is also a session that is gone."""
        def look():
            session = self.session(session_id)
            if not session:
                return state == "ended" or None
            return session if session["state"] == state else None
        return eventually(look, f"session {session_id} is {state}", timeout)

    # -- what users do

    def ssh(self, target, user=OWNER, timeout=10):
        """/ssh through the bot. Returns the live message once it holds the command."""
        since = self.api.mark()
        self.api.say(user, f"/ssh {target}")
        message = self.api.wait_message(lambda m: m.code and m.code[0].startswith("ssh "),
                                        timeout * TIME_SCALE, since, user)
        return message

    def rdp(self, target, user=OWNER, timeout=10):
        """/rdp through the bot. Returns (document message, live message)."""
        since = self.api.mark()
        self.api.say(user, f"/rdp {target}")
        document = self.api.wait_message(lambda m: m.document, timeout * TIME_SCALE, since, user)
        live = self.api.wait_message(lambda m: not m.document and m.button("close"),
                                     timeout * TIME_SCALE, since, user)
        self.secrets.append(secret_of(document.document.data))
        return document, live

    def newest_session(self):
        sessions = [s for s in self.sessions() if s["state"] != "ended"]
        assert sessions, "no session"
        return sessions[-1]

    def admit(self, session_id):
        """Admits whoever waits there, with pamctl."""
        waiting = self.session(session_id)["waiting"]
        assert len(waiting) == 1, waiting
        return self.pamctl.json("admit", session_id, waiting[0]["address"])

    def close_all(self):
        for session in self.sessions():
            if session["state"] != "ended":
                self.pamctl("close", session["id"])

    # -- what has to be true after every test

    def settle(self):
        """Closes what is open, and checks that nothing is left and nobody fell over."""
        for daemon in self.daemons():
            assert daemon.alive() or not daemon.expected_to_live, \
                f"{daemon.name} ended by itself: {daemon.process.returncode}\n{daemon.log[-4000:]}"
        if self.vps.alive() and self.status():
            self.close_all()
            eventually(lambda: not [s for s in self.sessions() if s["state"] != "ended"],
                       "all sessions are closed")
        for daemon in self.daemons():
            if daemon.alive() and daemon.baseline is not None:
                self._check_descriptors(daemon)
        if self.api:
            violations, self.api.violations = self.api.violations, []
            assert not violations, "\n".join(violations) + "\n" + self.api.transcript()

    @staticmethod
    def _check_descriptors(daemon):
        try:
            eventually(lambda: len(daemon.descriptors()) <= daemon.baseline,
                       "descriptors are back", 15, interval=0.1)
        except AssertionError:
            left = "\n".join(daemon.descriptors())
            raise AssertionError(f"{daemon.name} had {daemon.baseline} descriptors, now:\n{left}") from None

    def check_logs(self):
        """No secret in a log, no report of a sanitizer, no line that a user forged."""
        hidden = [self.token, self.token.partition(":")[2], self.key, *self.secrets]
        for daemon in [self.vps, *self.gateways.values()]:
            log = daemon.log
            for secret in hidden:
                assert secret not in log, f"{daemon.log_path.name} holds a secret: {secret[:4]}…"
            for report in SANITIZER_REPORTS:
                assert report not in log, f"{daemon.log_path.name}:\n{log[-6000:]}"

    def report(self):
        """For a failed test: what everybody said."""
        parts = []
        for daemon in [getattr(self, "vps", None), *self.gateways.values()]:
            if daemon:
                parts.append(f"---- {daemon.log_path.name}\n{daemon.log[-6000:]}")
        if self.api:
            parts.append(self.api.transcript())
        return "\n".join(parts)


def _vps_host(net):
    return "203.0.113.1" if net else "127.0.0.1"


def secret_of(rdp_file):
    return re.search(rb"loadbalanceinfo:s:Cookie: mstshash=([^\r\n]+)", rdp_file)[1].decode()


def port_of(command):
    """The public port in an ssh command."""
    return int(re.search(r"-p (\d+)", command)[1])


def median(values):
    values = sorted(values)
    return values[len(values) // 2]


def now():
    return time.monotonic()
