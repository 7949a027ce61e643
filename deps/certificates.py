"""Writes the authorities that are trusted with web servers as a C array.

    certificates.py FOLDER OUTPUT     of Mozilla's certdata.txt in it: those that Debian's
                                      ca-certificates installs, which are trusted delegators for
                                      servers, without the labels in blacklist.txt
    certificates.py BUNDLE OUTPUT     of a file of certificates in PEM
The format of certdata.txt is a list of objects, each a list of lines ATTRIBUTE TYPE VALUE.
"""

import hashlib
import pathlib
import re
import ssl
import sys


def objects(lines):
    """Each object as {attribute: value}; octal values as bytes."""
    found = {}
    lines = iter(lines)
    for line in lines:
        words = line.split(None, 2)
        if not words or not words[0].startswith("CKA_"):
            continue
        if words[0] == "CKA_CLASS" and found:
            yield found
            found = {}
        value = words[2].strip() if len(words) > 2 else ""
        if words[1] == "MULTILINE_OCTAL":
            value = b""
            for part in lines:
                if part.strip() == "END":
                    break
                value += bytes(int(byte, 8) for byte in re.findall(r"\\([0-7]{3})", part))
        found[words[0]] = value
    if found:
        yield found


def authorities(certdata, blacklist):
    certificates, trusted = {}, set()
    for item in objects(certdata):
        name = item.get("CKA_ISSUER"), item.get("CKA_SERIAL_NUMBER")
        if item["CKA_CLASS"] == "CKO_CERTIFICATE":
            certificates[name] = item
        elif item["CKA_CLASS"] == "CKO_NSS_TRUST":
            if (item["CKA_TRUST_SERVER_AUTH"] == "CKT_NSS_TRUSTED_DELEGATOR"
                    and item["CKA_LABEL"].strip('"') not in blacklist):
                trusted.add(name)
    for name, item in certificates.items():
        if name in trusted:
            yield item["CKA_LABEL"].strip('"'), item["CKA_VALUE"]


def from_certdata(folder):
    with open(folder / "blacklist.txt", encoding="utf-8") as lines:
        unwanted = {line.strip().strip('"') for line in lines if not line.startswith("#")}
    with open(folder / "certdata.txt", encoding="utf-8") as lines:
        return list(authorities(lines, unwanted))


def from_bundle(path):
    pem = re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n",
                     path.read_text(encoding="utf-8"), re.S)
    return [("", ssl.PEM_cert_to_DER_cert(one)) for one in pem]


def main(source, output):
    source = pathlib.Path(source)
    found = from_certdata(source) if source.is_dir() else from_bundle(source)
    found = sorted(set(found), key=lambda one: hashlib.sha256(one[1]).digest())
    if len(found) < 100:
        sys.exit(f"{source}: only {len(found)} authorities: has the format changed?")
    with open(output, "w", encoding="ascii") as out:
        out.write('#include "ca_certificates.h"\n\nconst unsigned char ca_certificates[] = {\n')
        for label, der in found:
            label = label.encode("ascii", "replace").decode().replace("*/", "")
            out.write(f"/* {label} */\n" + ",".join(map(str, der)) + ",\n")
        out.write("};\nconst size_t ca_certificates_len = sizeof ca_certificates;\n")
    print(f"{len(found)} authorities")


main(*sys.argv[1:])
