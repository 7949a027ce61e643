"""Who is compared: each is two hops from a client to the target, and knows how to start them."""

import os
import pathlib
import re
import shutil
import subprocess
import time

import hosts
from hosts import AS_NOBODY, NOBODY, Failed, Helper, Process, free_port

START_TIMEOUT = 15      # seconds until the first connection has to come through
IDLE_FOREVER = 86400    # seconds, where a program would end idle connections


class Contender:
    """name: in the results. title: for people. way: what bench/ends programs take."""

    name = title = ""
    nobody = False      # runs as another user than root
    whole_sessions = False

    def __init__(self, bench):
        self.bench = bench
        self.folder = None
        self.processes = []
        self.way = None

    @classmethod
    def missing(cls, options):
        """Why it cannot take part, or None. options: of the run."""
        return None

    @classmethod
    def version(cls, options):
        return ""

    def launch(self):
        raise NotImplementedError

    def start(self):
        """Starts afresh, and waits until a connection comes through."""
        self.folder = self.bench.new_folder(self.name)
        if self.nobody:
            os.chown(self.folder, NOBODY, NOBODY)
        try:
            self.launch()
            self._await_connection()
        except BaseException:
            self.stop()
            raise

    def stop(self):
        for process in reversed(self.processes):
            process.stop()
        self.processes = []

    def run(self, name, *argv, **options):
        prefix = AS_NOBODY if self.nobody else ()
        process = Process(name, argv, self.folder, prefix, **options)
        self.processes.append(process)
        return process

    def file(self, name, text, mode=0o644):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        if self.nobody:
            os.chown(path, NOBODY, NOBODY)
        return path

    @property
    def pids(self):
        return [process.pid for process in self.processes]

    def check(self):
        for process in self.processes:
            process.check()

    def _await_connection(self):
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            self.check()
            try:
                with Helper(self.bench.program("sessions"), self.way, 1, 1, 5) as helper:
                    answer = helper.run()
            except Failed as failure:
                answer = {"opened": 0, "why": str(failure)}
            if answer["opened"] == 1:
                return
            if time.monotonic() > deadline:
                raise Failed(f"{self.title} does not come up: {answer['why']}")
            time.sleep(0.05)


class Direct(Contender):
    name, title = "direct", "direct"

    def launch(self):
        self.way = str(self.bench.target_port)


class Pamtunnel(Contender):
    name, title = "pamtunnel", "pamtunnel"
    whole_sessions = True

    @classmethod
    def version(cls, options):
        return "commit " + hosts.version_of("git", "-C", pathlib.Path(__file__).parent, "describe",
                                            "--always", "--dirty")

    @property
    def build(self):
        return self.bench.build

    def launch(self):
        build = self.build
        key = subprocess.run([build / "vps-agent", "--generate-key"], check=True,
                             capture_output=True, text=True).stdout.strip()
        state = self.folder / "state"
        state.mkdir(mode=0o700)
        if self.nobody:
            os.chown(state, NOBODY, NOBODY)
        both = {"VPS_HOST": "127.0.0.1", "CONTROL_PORT": str(free_port()), "LOG_LEVEL": "warn",
                "TUNNEL_KEY_FILE": str(self.file("key", key, 0o600))}
        if self.bench.workers:
            both["RELAY_WORKERS"] = str(self.bench.workers)
        first, last = hosts.SESSION_PORTS
        self.run("vps-agent", build / "vps-agent", "--local", env={
            **both, "STATE_DIR": str(state), "BIND_ADDRESS": "127.0.0.1", "ADMIT": "auto",
            "PORT_RANGE_START": str(first), "PORT_RANGE_END": str(last),
            "MAX_SESSIONS": "10000", "MAX_SESSIONS_PER_USER": "10000"})
        self.run("gateway-agent", build / "gateway-agent", env={
            **both, "GATEWAY_NAME": "bench", "ALLOWED_TARGETS": "127.0.0.1:1-65535"})
        self.way = f"{state}/pamtunnel.sock:{self.bench.target_port}"


class PamtunnelBefore(Pamtunnel):
    """Our agents as they were at the commit of --against."""

    name, title = "pamtunnel-before", "pamtunnel, before"

    @classmethod
    def missing(cls, options):
        return None if options.before else "no commit was given; see --against"

    @classmethod
    def version(cls, options):
        return "commit " + pathlib.Path(options.before).name

    @property
    def build(self):
        return self.bench.before


class PamtunnelNobody(Pamtunnel):
    name, title = "pamtunnel-nobody", "pamtunnel, not root"
    nobody = True


class Haproxy(Contender):
    name, title = "haproxy", "HAProxy, forced splice"

    @classmethod
    def missing(cls, options):
        return None if shutil.which("haproxy") else "haproxy is not installed"

    @classmethod
    def version(cls, options):
        return hosts.version_of("haproxy", "-v")

    def launch(self):
        ports = [free_port(), free_port(), self.bench.target_port]
        threads = f"nbthread {self.bench.workers}" if self.bench.workers else ""
        for hop in (2, 1):
            config = self.file(f"haproxy{hop}.cfg", f"""
global
    {threads}
    maxconn 5500
defaults
    mode tcp
    option splice-request
    option splice-response
    timeout connect 5s
    timeout client {IDLE_FOREVER}s
    timeout server {IDLE_FOREVER}s
frontend in
    bind 127.0.0.1:{ports[hop - 1]}
    default_backend out
backend out
    server next 127.0.0.1:{ports[hop]}
""")
            self.run(f"haproxy{hop}", "haproxy", "-db", "-f", config)
        self.way = str(ports[0])


class Nginx(Contender):
    name, title = "nginx", "nginx stream"
    module = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")

    @classmethod
    def missing(cls, options):
        return None if shutil.which("nginx") and cls.module.exists() else "nginx is not installed"

    @classmethod
    def version(cls, options):
        return hosts.version_of("nginx", "-v")

    def launch(self):
        ports = [free_port(), free_port(), self.bench.target_port]
        for hop in (2, 1):
            config = self.file(f"nginx{hop}.conf", f"""
load_module {self.module};
daemon off;
pid {self.folder}/nginx{hop}.pid;
error_log {self.folder}/nginx{hop}.error warn;
worker_processes {self.bench.workers or 'auto'};
events {{ worker_connections 16000; }}
stream {{
    server {{
        listen 127.0.0.1:{ports[hop - 1]};
        proxy_pass 127.0.0.1:{ports[hop]};
        proxy_timeout {IDLE_FOREVER}s;
    }}
}}
""")
            self.run(f"nginx{hop}", "nginx", "-e", f"{self.folder}/nginx{hop}.error", "-c", config)
        self.way = str(ports[0])


class Socat(Contender):
    name, title = "socat", "socat"

    @classmethod
    def missing(cls, options):
        return None if shutil.which("socat") else "socat is not installed"

    @classmethod
    def version(cls, options):
        return hosts.version_of("socat", "-V")

    def launch(self):
        ports = [free_port(), free_port(), self.bench.target_port]
        for hop in (2, 1):
            self.run(f"socat{hop}", "socat",
                     f"TCP-LISTEN:{ports[hop - 1]},bind=127.0.0.1,fork,nodelay,reuseaddr,"
                     "backlog=1024",
                     f"TCP:127.0.0.1:{ports[hop]},nodelay")
        self.way = str(ports[0])


class Ssh(Contender):
    name, title = "ssh", "ssh -R, aes128-gcm"

    @classmethod
    def missing(cls, options):
        there = shutil.which("ssh") and os.path.exists("/usr/sbin/sshd")
        return None if there else "OpenSSH is not installed"

    @classmethod
    def version(cls, options):
        return hosts.version_of("ssh", "-V")

    def launch(self):
        os.makedirs("/run/sshd", exist_ok=True)     # a /run of our own, see scripts/bench
        for key in ("host_key", "id"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / key],
                           check=True)
        control, public = free_port(), free_port()
        config = self.file("sshd_config", f"""
ListenAddress 127.0.0.1:{control}
HostKey {self.folder}/host_key
AuthorizedKeysFile {self.folder}/id.pub
PermitRootLogin yes
PidFile none
UsePAM no
StrictModes no
MaxSessions 10000
""")
        self.run("sshd", "/usr/sbin/sshd", "-D", "-e", "-f", config)
        time.sleep(0.2)
        self.run("ssh", "ssh", "-F", "none", "-N", "-i", self.folder / "id", "-p", control,
                 "-c", "aes128-gcm@openssh.com", "-o", "StrictHostKeyChecking=no",
                 "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
                 "-o", "ExitOnForwardFailure=yes", "-o", "BatchMode=yes",
                 "-o", "ConnectionAttempts=20",
                 "-R", f"127.0.0.1:{public}:127.0.0.1:{self.bench.target_port}", "root@127.0.0.1")
        self.way = str(public)


class Peer(Contender):
    """Installed with --with-peers into a folder of their own, see bench/peers.sh."""

    programs = ()

    @classmethod
    def path(cls, program):
        ours = os.environ.get("BENCH_PEERS", "")
        return shutil.which(program, path=ours) or shutil.which(program)

    @classmethod
    def missing(cls, options):
        absent = [program for program in cls.programs if not cls.path(program)]
        return f"{' and '.join(absent)} not there; see --with-peers" if absent else None

    @classmethod
    def version(cls, options):
        text = hosts.version_of(cls.path(cls.programs[0]), "--version")
        number = re.search(r"\b\d+\.\d+\.\d+\b", text)
        return number.group(0) if number else text


class Rathole(Peer):
    name, title, programs = "rathole", "rathole", ("rathole",)

    def launch(self):
        control, public = free_port(), free_port()
        server = self.file("server.toml", f"""
[server]
bind_addr = "127.0.0.1:{control}"
default_token = "bench"
[server.services.bench]
bind_addr = "127.0.0.1:{public}"
""")
        client = self.file("client.toml", f"""
[client]
remote_addr = "127.0.0.1:{control}"
default_token = "bench"
[client.services.bench]
local_addr = "127.0.0.1:{self.bench.target_port}"
""")
        env = {"RUST_LOG": "warn"}
        if self.bench.workers:
            env["TOKIO_WORKER_THREADS"] = str(self.bench.workers)
        self.run("rathole-server", self.path("rathole"), "--server", server, env=env)
        self.run("rathole-client", self.path("rathole"), "--client", client, env=env)
        self.way = str(public)


class Frp(Peer):
    name, title, programs = "frp", "frp", ("frps", "frpc")

    def launch(self):
        control, public = free_port(), free_port()
        server = self.file("frps.ini", f"""
[common]
bind_addr = 127.0.0.1
proxy_bind_addr = 127.0.0.1
bind_port = {control}
log_level = warn
""")
        client = self.file("frpc.ini", f"""
[common]
server_addr = 127.0.0.1
server_port = {control}
log_level = warn
[bench]
type = tcp
local_ip = 127.0.0.1
local_port = {self.bench.target_port}
remote_port = {public}
""")
        env = {"GOMAXPROCS": str(self.bench.workers)} if self.bench.workers else {}
        self.run("frps", self.path("frps"), "-c", server, env=env)
        self.run("frpc", self.path("frpc"), "-c", client, env=env)
        self.way = str(public)


class Bore(Peer):
    name, title, programs = "bore", "bore", ("bore",)

    def launch(self):
        public = free_port()
        env = {"RUST_LOG": "warn", "BORE_SECRET": "bench"}
        if self.bench.workers:
            env["TOKIO_WORKER_THREADS"] = str(self.bench.workers)
        self.run("bore-server", self.path("bore"), "server", "--min-port",
                 hosts.FIRST_FIXED_PORT, "--bind-addr", "127.0.0.1", env=env)
        time.sleep(0.2)
        self.run("bore-client", self.path("bore"), "local", self.bench.target_port,
                 "--local-host", "127.0.0.1", "--to", "127.0.0.1", "--port", public, env=env)
        self.way = str(public)


ALL = (Direct, Pamtunnel, PamtunnelBefore, PamtunnelNobody, Haproxy, Nginx, Socat, Ssh, Rathole,
       Frp, Bore)
