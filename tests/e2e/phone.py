"""An authenticator app on somebody's phone (RFC 6238)."""

import base64
import hashlib
import hmac
import struct
import time
import urllib.parse

STEP = 30


class Phone:
    """Made of what its camera has read."""

    def __init__(self, uri):
        parts = urllib.parse.urlsplit(uri)
        query = dict(urllib.parse.parse_qsl(parts.query))
        assert (parts.scheme, parts.netloc, query["issuer"]) == ("otpauth", "totp", "pamtunnel")
        self.label = urllib.parse.unquote(parts.path).removeprefix("/pamtunnel:")
        self.key = base64.b32decode(query["secret"])
        assert len(self.key) == 20 and "=" not in query["secret"]
        self.last = 0       # the step whose code was given last
        self.given = []     # all of these codes

    def code_of(self, step):
        mac = hmac.new(self.key, struct.pack(">Q", step), hashlib.sha1).digest()
        at = mac[-1] & 15
        return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 10**6:06}"

    @staticmethod
    def _now():
        """The step, when it still lasts for a moment."""
        while time.time() % STEP > STEP - 5:
            time.sleep(0.2)
        return int(time.time()) // STEP

    def code(self):
        """One that was not given yet: that of a clock up to a step off; or the next one."""
        step = max(self.last + 1, self._now() - 1)
        while step > self._now() + 1:
            time.sleep(0.2)
        self.last = step
        self.given.append(self.code_of(step))
        return self.given[-1]

    def again(self):
        """The one that was given last."""
        return self.code_of(self.last)

    def wrong(self):
        now = self._now()
        right = {self.code_of(now + off) for off in range(-2, 4)}
        return next(code for code in ("000000", "123456", "654321", *map(str, range(100000, 100009)))
                    if code not in right)
