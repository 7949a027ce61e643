"""Who is compared: each is two hops from a client to the target, and knows how to start them."""

import os
import pathlib
import re
import shutil
import subprocess
import time

import hosts
import openssh
from hosts import AS_NOBODY, NOBODY, Failed, Process, free_port

START_TIMEOUT = 15      # seconds until the first connection has to come through
IDLE_FOREVER = 86400    # seconds, where a program would end idle connections


class Contender:
    """name: in the results. title: for people. way: what bench/ends programs take.

    It runs wherever the place has its hosts: all on loopback, or on machines of their own.
    """

    name = title = ""
    nobody = False      # runs as another user than root
    everywhere = True   # or only in the rows that name it, and where --contenders does
    whole_sessions = False

    def __init__(self, bench, place):
        self.bench = bench
        self.place = place
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

    def run(self, machine, name, *argv, **options):
        prefix = [*self.place.inside(machine), *(AS_NOBODY if self.nobody else ())]
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

    def public_port(self, port):
        """The way of those that listen at the vps for whoever comes."""
        self.way = f"{self.place.public}:{port}"

    def port_for_client(self):
        """Where a program that is none of ours connects to."""
        return self.way.split(":")

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
                with self.place.helper("sessions", self.way, 1, 1, 5) as helper:
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
        self.way = f"{self.place.target}:{self.place.target_port}"


class Pamtunnel(Contender):
    name, title = "pamtunnel", "pamtunnel"
    whole_sessions = True
    congestion_control = None   # what the agents take by themselves
    multipath = False
    data_port = None            # DATA_PORT
    proxy = None                # of the gateway's, HOST:PORT

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
        both = {"CONTROL_PORT": str(free_port()), "LOG_LEVEL": "warn",
                "TUNNEL_KEY_FILE": str(self.file("key", key, 0o600))}
        if self.congestion_control:
            both["CONGESTION_CONTROL"] = self.congestion_control
        if self.multipath:
            both["MULTIPATH"] = "on"
        if self.bench.workers:
            both["RELAY_WORKERS"] = str(self.bench.workers)
        first, last = hosts.SESSION_PORTS
        self.run("vps", "vps-agent", build / "vps-agent", "--local", env={
            **both, "VPS_HOST": self.place.public, "BIND_ADDRESS": self.place.bind,
            "STATE_DIR": str(state), "ADMIT": "auto",
            **({"DATA_PORT": self.data_port} if self.data_port else {}),
            "PORT_RANGE_START": str(first), "PORT_RANGE_END": str(last),
            "MAX_SESSIONS": "10000", "MAX_SESSIONS_PER_USER": "10000"})
        self.run("gateway", "gateway-agent", build / "gateway-agent", env={
            **both, "VPS_HOST": self.place.vps, "GATEWAY_NAME": "bench",
            **({"VPS_PROXY": f"http://{self.proxy}"} if self.proxy else {}),
            "ALLOWED_TARGETS": f"{self.place.target}:1-65535"})
        self.way = (f"{self.place.public},{state}/pamtunnel.sock,"
                    f"{self.place.target}:{self.place.target_port}")

    def port_for_client(self):
        host, admin, target = self.way.split(",")
        return host, openssh.ask_for_session(admin, target)


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


class PamtunnelSystem(Pamtunnel):
    """Told which congestion control to use on the legs that leave its machine."""

    name, title = "pamtunnel-system", "pamtunnel, system's congestion control"
    congestion_control = "system"
    everywhere = False

    @classmethod
    def missing(cls, options):
        program = pathlib.Path(options.build) / "vps-agent"
        return None if b"CONGESTION_CONTROL" in program.read_bytes() else \
            "the agents have no such setting"


class PamtunnelBbr(PamtunnelSystem):
    name, title = "pamtunnel-bbr", "pamtunnel, bbr"
    congestion_control = "bbr"


class PamtunnelMultipath(PamtunnelSystem):
    name, title = "pamtunnel-multipath", "pamtunnel, MULTIPATH=on"
    congestion_control = None
    multipath = True


class PamtunnelOnePort(Pamtunnel):
    name, title = "pamtunnel-control", "pamtunnel, DATA_PORT=control"
    data_port = "control"
    everywhere = False


class PamtunnelProxy(PamtunnelOnePort):
    """Its gateway's connections go through a proxy, whose processor time counts as ours."""

    name, title = "pamtunnel-proxy", "pamtunnel, through tinyproxy"

    @classmethod
    def missing(cls, options):
        return None if shutil.which("tinyproxy") else "no tinyproxy (Debian: tinyproxy-bin)"

    @classmethod
    def version(cls, options):
        return hosts.version_of("tinyproxy", "-v")

    def launch(self):
        port = free_port()
        config = self.file("tinyproxy.conf", f"Port {port}\nListen {self.place.vps}\nTimeout {IDLE_FOREVER}\n"
                           f"MaxClients 1000\nLogFile \"{self.folder}/tinyproxy\"\nLogLevel Critical\n")
        self.run("vps", "tinyproxy", shutil.which("tinyproxy"), "-d", "-c", config)
        self.proxy = f"{self.place.vps}:{port}"
        super().launch()


class PamtunnelNobody(Pamtunnel):
    name, title = "pamtunnel-nobody", "pamtunnel, not root"
    nobody = True


def two_hops(place):
    """(machine, what it listens at, where it passes that on to) of the gateway and of the vps."""
    first, second = f"{place.public}:{free_port()}", f"{place.gateway}:{free_port()}"
    return (("gateway", second, f"{place.target}:{place.target_port}"), ("vps", first, second))


class Haproxy(Contender):
    name, title = "haproxy", "HAProxy, forced splice"

    @classmethod
    def missing(cls, options):
        return None if shutil.which("haproxy") else "haproxy is not installed"

    @classmethod
    def version(cls, options):
        return hosts.version_of("haproxy", "-v")

    def launch(self):
        hops = two_hops(self.place)
        threads = f"nbthread {self.bench.workers}" if self.bench.workers else ""
        for machine, here, there in hops:
            config = self.file(f"{machine}.cfg", f"""
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
    bind {here}
    default_backend out
backend out
    server next {there}
""")
            self.run(machine, f"haproxy-{machine}", "haproxy", "-db", "-f", config)
        self.way = hops[1][1]


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
        hops = two_hops(self.place)
        for machine, here, there in hops:
            config = self.file(f"{machine}.conf", f"""
load_module {self.module};
daemon off;
pid {self.folder}/{machine}.pid;
error_log {self.folder}/{machine}.error warn;
worker_processes {self.bench.workers or 'auto'};
events {{ worker_connections 16000; }}
stream {{
    server {{
        listen {here};
        proxy_pass {there};
        proxy_timeout {IDLE_FOREVER}s;
    }}
}}
""")
            self.run(machine, f"nginx-{machine}", "nginx", "-e", f"{self.folder}/{machine}.error",
                     "-c", config)
        self.way = hops[1][1]


class Socat(Contender):
    name, title = "socat", "socat"

    @classmethod
    def missing(cls, options):
        return None if shutil.which("socat") else "socat is not installed"

    @classmethod
    def version(cls, options):
        return hosts.version_of("socat", "-V")

    def launch(self):
        hops = two_hops(self.place)
        for machine, here, there in hops:
            address, port = here.split(":")
            self.run(machine, f"socat-{machine}", "socat",
                     f"TCP-LISTEN:{port},bind={address},fork,nodelay,reuseaddr,"
                     "backlog=1024",
                     f"TCP:{there},nodelay")
        self.way = hops[1][1]


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
        openssh.keys(self.folder)
        control, public = free_port(), free_port()
        self.run("vps", "sshd", *openssh.daemon(self.folder, self.place.vps, control))
        time.sleep(0.2)
        self.run("gateway", "ssh", "ssh", *openssh.CLIENT, "-N", "-i", self.folder / "id",
                 "-p", control, "-c", "aes128-gcm@openssh.com",
                 "-o", "ExitOnForwardFailure=yes", "-o", "ConnectionAttempts=20",
                 "-R", f"{self.place.public}:{public}:{self.place.target}:{self.place.target_port}",
                 f"root@{self.place.vps}")
        self.public_port(public)


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
bind_addr = "{self.place.vps}:{control}"
default_token = "bench"
[server.services.bench]
bind_addr = "{self.place.public}:{public}"
""")
        client = self.file("client.toml", f"""
[client]
remote_addr = "{self.place.vps}:{control}"
default_token = "bench"
[client.services.bench]
local_addr = "{self.place.target}:{self.place.target_port}"
""")
        env = {"RUST_LOG": "warn"}
        if self.bench.workers:
            env["TOKIO_WORKER_THREADS"] = str(self.bench.workers)
        self.run("vps", "rathole-server", self.path("rathole"), "--server", server, env=env)
        self.run("gateway", "rathole-client", self.path("rathole"), "--client", client, env=env)
        self.public_port(public)


class Frp(Peer):
    name, title, programs = "frp", "frp", ("frps", "frpc")

    def launch(self):
        control, public = free_port(), free_port()
        server = self.file("frps.ini", f"""
[common]
bind_addr = {self.place.vps}
proxy_bind_addr = {self.place.public}
bind_port = {control}
log_level = warn
""")
        client = self.file("frpc.ini", f"""
[common]
server_addr = {self.place.vps}
server_port = {control}
log_level = warn
[bench]
type = tcp
local_ip = {self.place.target}
local_port = {self.place.target_port}
remote_port = {public}
""")
        env = {"GOMAXPROCS": str(self.bench.workers)} if self.bench.workers else {}
        self.run("vps", "frps", self.path("frps"), "-c", server, env=env)
        self.run("gateway", "frpc", self.path("frpc"), "-c", client, env=env)
        self.public_port(public)


class Bore(Peer):
    name, title, programs = "bore", "bore", ("bore",)

    def launch(self):
        public = free_port()
        env = {"RUST_LOG": "warn", "BORE_SECRET": "bench"}
        if self.bench.workers:
            env["TOKIO_WORKER_THREADS"] = str(self.bench.workers)
        self.run("vps", "bore-server", self.path("bore"), "server", "--min-port",
                 hosts.FIRST_FIXED_PORT, "--bind-addr", self.place.bind, env=env)
        time.sleep(0.2)
        self.run("gateway", "bore-client", self.path("bore"), "local", self.place.target_port,
                 "--local-host", self.place.target, "--to", self.place.vps, "--port", public,
                 env=env)
        self.public_port(public)


ALL = (Direct, Pamtunnel, PamtunnelBefore, PamtunnelNobody, PamtunnelSystem, PamtunnelBbr, PamtunnelMultipath,
       PamtunnelOnePort, PamtunnelProxy,
       Haproxy, Nginx, Socat, Ssh, Rathole, Frp, Bore)
