"""A strict reader of OpenMetrics 1.0, as far as the agents write it: what it does not expect, it refuses."""

import http.client
import re
import socket

NAME, LABEL = r"[a-zA-Z_:][a-zA-Z0-9_:]*", r"[a-zA-Z_][a-zA-Z0-9_]*"
VALUE = r"(?:[^\"\\\n]|\\[\\\"n])*"
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL}=\"{VALUE}\",?)*)\}})? ([0-9]+(?:\.[0-9]+)?)")
SUFFIXES = {"gauge": "", "counter": "_total", "info": "_info"}


class Page:
    """families: {name: kind}; samples: {(name, ((label, value), …)): number}"""

    def __init__(self, text):
        assert text.endswith("# EOF\n"), "no end"
        self.text, self.families, self.samples = text, {}, {}
        family = helped = None
        for line in text.removesuffix("# EOF\n").splitlines():
            if line.startswith("# HELP "):
                _, _, helped, sentence = line.split(" ", 3)
                assert sentence.endswith(".") and not re.search(r"\\[^\\\"n]", sentence), line
                assert helped not in self.families, f"{helped} comes twice"
            elif line.startswith("# TYPE "):
                _, _, family, kind = line.split(" ")
                assert family == helped and re.fullmatch(NAME, family) and kind in SUFFIXES, line
                assert not family.endswith(("_total", "_info")), line
                self.families[family] = kind
            else:
                self._sample(line, family)

    def _sample(self, line, family):
        match = SAMPLE.fullmatch(line)
        assert match, f"no sample: {line!r}"
        name, labels, value = match.groups()
        assert name == family + SUFFIXES[self.families[family]], f"{line!r} does not belong to {family}"
        pairs = re.findall(rf"({LABEL})=\"({VALUE})\"", labels or "")
        assert (labels or "") == ",".join(f'{key}="{text}"' for key, text in pairs), f"a comma too many: {line!r}"
        assert len(dict(pairs)) == len(pairs), f"a label twice: {line!r}"
        key = name, tuple(sorted(pairs))
        assert key not in self.samples, f"{line!r} comes twice"
        self.samples[key] = float(value)

    def __call__(self, name, **labels):
        """A sample's value; None if there is none."""
        return self.samples.get((name, tuple(sorted(labels.items()))))

    def names(self):
        """Of all that may have samples."""
        return {name + SUFFIXES[kind] for name, kind in self.families.items()}


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def get(where, path, method="GET", timeout=10):
    """where: METRICS_LISTEN. (status, content type, body)"""
    connection = (_UnixConnection(where, timeout) if where.startswith("/") else
                  http.client.HTTPConnection(where, timeout=timeout))
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type"), answer.read().decode()
    finally:
        connection.close()


def scrape(where):
    status, kind, body = get(where, "/metrics")
    assert (status, kind) == (200, "application/openmetrics-text; version=1.0.0; charset=utf-8")
    return Page(body)


def health(where):
    status, _, body = get(where, "/healthz")
    return status, body
