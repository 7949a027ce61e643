"""Small proxies on loopback, for the way to the Bot API: HTTP (also over TLS) and SOCKS 5."""

import base64
import socket
import socketserver
import struct
import threading


class Proxy:
    """A proxy that wants USER:PASSWORD, or nothing: a context manager. `seen` holds what was asked of it.

    address: where it listens. ports: the only ones that it CONNECTs to. says: its answer to everything, in its place.
    """

    def __init__(self, kind="http", credentials=None, tls=None, address=("127.0.0.1", 0), ports=None, says=None):
        self.kind, self.credentials, self.tls, self.seen = kind, credentials, tls, []
        self.ports, self.says = ports, says
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                try:
                    if proxy.tls:
                        self.request = proxy.tls.wrap_socket(self.request, server_side=True)
                    (proxy.serve_socks if proxy.kind == "socks5h" else proxy.serve_http)(self.request)
                except (OSError, ValueError, IndexError):
                    pass

        socketserver.ThreadingTCPServer.daemon_threads = True
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self.server = socketserver.ThreadingTCPServer(address, Handler)
        self.port = self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def url(self, credentials=None):
        return f"{self.kind}://{credentials + '@' if credentials else ''}127.0.0.1:{self.port}"

    # -- HTTP: CONNECT, and requests with the whole URL

    def serve_http(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            data = client.recv(4096)
            if not data:
                return
            head += data
        head, _, rest = head.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split()
        given = next((line.split(" ", 2)[2] for line in lines[1:]
                      if line.lower().startswith("proxy-authorization: basic ")), "")
        self.seen.append((method, target.split("/bot")[0], base64.b64decode(given).decode()))
        if self.credentials and self.seen[-1][2] != self.credentials:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n"
                           b'Proxy-Authenticate: Basic realm="x"\r\nConnection: close\r\n\r\n')
            return
        if self.says is not None:
            client.sendall(self.says)
            return
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            if self.ports is not None and int(port) not in self.ports:
                client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nno!\n")
                return
            with socket.create_connection((host.strip("[]"), int(port)), 10) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                pump(client, server)
            return
        host, _, path = target.removeprefix("http://").partition("/")
        name, _, port = host.partition(":")
        with socket.create_connection((name, int(port or 80)), 10) as server:
            kept = [line for line in lines[1:] if not line.lower().startswith(("proxy-", "connection:"))]
            server.sendall(("\r\n".join([f"{method} /{path} HTTP/1.1", *kept, "Connection: close"]) + "\r\n\r\n")
                           .encode("latin-1") + rest)
            pump(client, server)

    # -- SOCKS 5 (RFC 1928, 1929)

    def serve_socks(self, client):
        methods = exactly(client, exactly(client, 2)[1])
        wanted = 2 if self.credentials else 0
        if wanted not in methods:
            client.sendall(b"\x05\xff")
            return
        client.sendall(bytes([5, wanted]))
        given = ""
        if wanted:
            user = exactly(client, exactly(client, 2)[1]).decode()
            given = f"{user}:{exactly(client, exactly(client, 1)[0]).decode()}"
            right = given == self.credentials
            client.sendall(b"\x01\x00" if right else b"\x01\x01")
            if not right:
                self.seen.append(("SOCKS", "", given))
                return
        kind = exactly(client, 4)[3]
        host = (socket.inet_ntoa(exactly(client, 4)) if kind == 1 else
                exactly(client, exactly(client, 1)[0]).decode() if kind == 3 else
                socket.inet_ntop(socket.AF_INET6, exactly(client, 16)))
        port, = struct.unpack(">H", exactly(client, 2))
        self.seen.append(("SOCKS", f"{host}:{port}", given))
        with socket.create_connection((host, port), 10) as server:
            client.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
            pump(client, server)


def exactly(client, size):
    data = b""
    while len(data) < size:
        more = client.recv(size - len(data))
        if not more:
            raise OSError("closed")
        data += more
    return data


def pump(client, server):
    """Both ways, until either end is over."""
    def one_way(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
    back = threading.Thread(target=one_way, args=(server, client), daemon=True)
    back.start()
    one_way(client, server)
    back.join(10)

