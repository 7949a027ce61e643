"""A Debian mirror on the loopback, signed with a key of its own, whose lists may name more than it
has. Its packages hold next to nothing: what is tested is which of them are taken."""

import hashlib
import http.server
import subprocess
import threading
import urllib.parse

ARCHITECTURE = subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip()

PROGRAMS = f"""Package: nothing
Version: 1
Architecture: {ARCHITECTURE}
Filename: pool/nothing.deb
Size: 0
SHA256: {hashlib.sha256().hexdigest()}
""".encode()


class Key:
    """Signs lists. The keyring is what a sources list names in signed-by."""

    def __init__(self, folder):
        self.home = folder / "gpg"
        self.home.mkdir(mode=0o700)
        self.keyring = folder / "keyring.gpg"
        self._gpg("--passphrase", "", "--quick-generate-key", "mirror of the tests", "ed25519", "sign")
        self.keyring.write_bytes(self._gpg("--export"))

    def _gpg(self, *arguments, data=b""):
        command = ["gpg", "--homedir", self.home, "--batch", "--quiet", *arguments]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout

    def sign(self, text):
        return self._gpg("--clearsign", data=text.encode())

    def close(self):
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"], check=True)


def source_package(name, version):
    """Its files, {name: content}."""
    upstream = version.rpartition("-")[0] or version
    return {f"{name}_{version}.dsc": f"{name} {version}\n".encode(),
            f"{name}_{upstream}.orig.tar.xz": f"{name} {upstream}, the tarball\n".encode()}


def paragraph(name, version, directory):
    lines = [f"Package: {name}", "Format: 3.0 (quilt)", f"Binary: {name}", "Architecture: any",
             f"Version: {version}", f"Directory: {directory}", "Checksums-Sha256:"]
    lines += [f" {hashlib.sha256(content).hexdigest()} {len(content)} {file}"
              for file, content in source_package(name, version).items()]
    return "\n".join(lines) + "\n"


class Mirror:
    """Serves suites, {suite: {package: version}}. Whatever is in `missing` is listed, but not there:
    (package, version) wherever it is listed, or a suite. What is in `spoilt` is not what was signed."""

    def __init__(self, key, suites):
        self.key = key
        self.files = {}
        self.suites = {}
        self.missing = set()
        self.spoilt = set()
        self.asked = []
        for suite, packages in suites.items():
            self.add_suite(suite, packages)
        mirror = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                content = mirror._answer(urllib.parse.unquote(self.path))
                self.send_response(200 if content is not None else 404)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def uri(self, archive):
        return f"http://127.0.0.1:{self.server.server_address[1]}/{archive}/"

    def _answer(self, path):
        self.asked.append(path)
        content, owner = self.files.get(path, (None, None))
        if content is None or owner in self.missing:
            return None
        return content.replace(b" ", b"_") if owner in self.spoilt else content

    def version(self, package, suite):
        return self.suites[suite][package]

    def add_suite(self, suite, packages):
        self.suites[suite] = packages
        archive = "debian-security" if suite.endswith("-security") else "debian"
        sources = []
        for name, version in packages.items():
            directory = f"pool/{name}"
            sources.append(paragraph(name, version, directory))
            for file, content in source_package(name, version).items():
                self.files[f"/{archive}/{directory}/{file}"] = content, (name, version)
        indexes = {"main/source/Sources": "\n".join(sources).encode(),
                   f"main/binary-{ARCHITECTURE}/Packages": PROGRAMS}
        label = "Debian-Security" if archive == "debian-security" else "Debian"
        release = ["Origin: Debian", f"Label: {label}", f"Suite: {suite}", f"Codename: {suite}",
                   "Date: Sat, 01 Nov 2025 00:00:00 UTC", f"Architectures: {ARCHITECTURE}",
                   "Components: main", "SHA256:"]
        for path, content in indexes.items():
            release.append(f" {hashlib.sha256(content).hexdigest()} {len(content)} {path}")
            self.files[f"/{archive}/dists/{suite}/{path}"] = content, suite
        signed = self.key.sign("\n".join(release) + "\n")
        self.files[f"/{archive}/dists/{suite}/InRelease"] = signed, suite
