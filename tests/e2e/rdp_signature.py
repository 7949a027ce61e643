"""A second reader of signed .rdp files, from the form as others have published it, with nothing but
Python: what is signed is put together anew from the file, and the signature is verified with numbers."""

import base64
import hashlib
import re

# All that rdpsign of today's Windows signs, in its order.
NAMES = """Full Address;Alternate Full Address;PCB;Use Redirection Server Name;Server Port;Negotiate Security Layer;
EnableCredSspSupport;DisableConnectionSharing;AutoReconnection Enabled;GatewayHostname;GatewayUsageMethod;GatewayProfileUsageMethod;
GatewayCredentialsSource;Support URL;PromptCredentialOnce;Require pre-authentication;Pre-authentication server address;
Alternate Shell;Shell Working Directory;RemoteApplicationProgram;RemoteApplicationExpandWorkingdir;RemoteApplicationMode;
RemoteApplicationGuid;RemoteApplicationName;RemoteApplicationIcon;RemoteApplicationFile;RemoteApplicationFileExtensions;
RemoteApplicationCmdLine;RemoteApplicationExpandCmdLine;Prompt For Credentials;Authentication Level;AudioMode;RedirectDrives;
RedirectPrinters;RedirectCOMPorts;RedirectSmartCards;RedirectPOSDevices;RedirectClipboard;DevicesToRedirect;DrivesToRedirect;
LoadBalanceInfo;RedirectDirectX;RDGIsKDCProxy;KDCProxyName;EventLogUploadAddress;RedirectWebAuthn;EnableRdsAadAuth""".replace("\n", "").split(";")
SHA256_RSA = bytes.fromhex("3031300d060960864801650304020105000420")    # RFC 8017, 9.2
P256 = {"p": 2**256 - 2**224 + 2**192 + 2**96 - 1, "a": -3,
        "n": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        "g": (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
              0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)}


def element(data):
    """(tag, content, the element whole, what is behind it)"""
    tag, length, at = data[0], data[1], 2
    if length & 0x80:
        at = 2 + (length & 0x7f)
        length = int.from_bytes(data[2:at], "big")
        assert length >= 128 and data[2], "a length longer than it needs to be"
    assert len(data) >= at + length, "cut off"
    return tag, data[at:at + length], data[:at + length], data[at + length:]


def children(content):
    found = []
    while content:
        tag, inside, whole, content = element(content)
        found.append((tag, inside, whole))
    return found


def one(data, tag):
    got, content, _, rest = element(data)
    assert (got, rest) == (tag, b""), (hex(got), rest)
    return content


def number(content):
    return int.from_bytes(content, "big")


def add(p, q):
    if p is None or q is None:
        return p or q
    prime = P256["p"]
    if p[0] == q[0]:
        if p != q:
            return None
        slope = (3 * p[0] * p[0] + P256["a"]) * pow(2 * p[1], -1, prime) % prime
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, prime) % prime
    x = (slope * slope - p[0] - q[0]) % prime
    return x, (slope * (p[0] - x) - p[1]) % prime


def multiply(k, point):
    result = None
    while k:
        if k & 1:
            result = add(result, point)
        point, k = add(point, point), k >> 1
    return result


def rsa_says(key, digest, signature):
    modulus, exponent = (number(c) for _, c, _ in children(one(key, 0x30)))
    size = (modulus.bit_length() + 7) // 8
    block = pow(number(signature), exponent, modulus).to_bytes(size, "big")
    rest = SHA256_RSA + digest
    return len(signature) == size and block == b"\0\1" + b"\xff" * (size - 3 - len(rest)) + b"\0" + rest


def p256_says(key, digest, signature):
    r, s = (number(c) for _, c, _ in children(one(signature, 0x30)))
    n, point = P256["n"], (number(key[1:33]), number(key[33:]))
    assert key[0] == 4 and 0 < r < n and 0 < s < n
    w = pow(s, -1, n)
    found = add(multiply(number(digest) * w % n, P256["g"]), multiply(r * w % n, point))
    return found is not None and found[0] % n == r


def message_of(text):
    """What is signed: by the file's own signscope, whose order and fullness are checked."""
    lines = [line for line in text.split("\r\n") if line]
    by_name = {line.split(":")[0].lower(): line for line in lines}
    assert len(by_name) == len(lines), "a setting twice"
    scope = by_name["signscope"].removeprefix("signscope:s:").split(",")
    assert scope == [n for n in NAMES if n.lower() in by_name], "all that can be signed, in the list's order"
    assert "Alternate Full Address" in scope
    signed = [by_name[name.lower()] for name in scope] + [by_name["signscope"]]
    return ("\r\n".join(signed) + "\r\n\0").encode("utf-16-le")


def der_of(text):
    blob = base64.b64decode(re.search(r"^signature:s:(.*)\r$", text, re.M)[1].replace(" ", ""), validate=True)
    assert blob[:8] == bytes.fromhex("0100010001000000"), "version 1.1, and 1"
    assert int.from_bytes(blob[8:12], "little") == len(blob) - 12
    return blob[12:]


def verify(data):
    """Whether the signature holds, and the certificates in it, in DER. AssertionError: it has not the form."""
    text = data.decode("ascii")
    kind, wrapped = children(one(der_of(text), 0x30))
    assert kind[1] == bytes.fromhex("2a864886f70d010702") and wrapped[0] == 0xa0, "SignedData"
    version, digests, content, certificates, signers = children(one(wrapped[1], 0x30))
    assert version[1] == b"\1" and [d[1][:11] for d in children(digests[1])] == [bytes.fromhex("0609608648016503040201")]
    assert content[1] == bytes.fromhex("06092a864886f70d010701"), "detached"
    assert certificates[0] == 0xa0 and signers[0] == 0x31
    chain = [whole for _, _, whole in children(certificates[1])]
    signer, = children(signers[1])
    version, who, digest, _, signature = children(signer[1])    # no attributes
    assert version[1] == b"\1" and b"\x60\x86\x48\x01\x65\x03\x04\x02\x01" in digest[1]
    issuer, serial = children(who[1])
    to_be_signed = children(children(one(chain[0], 0x30))[0][1])
    assert serial[2] == to_be_signed[1][2] and issuer[2] == to_be_signed[3][2], "the first certificate is the signer's"
    algorithm, key = children(to_be_signed[6][1])
    is_rsa = bytes.fromhex("2a864886f70d010101") in algorithm[1]
    says = rsa_says if is_rsa else p256_says
    return says(key[1][1:], hashlib.sha256(message_of(text)).digest(), signature[1]), chain
