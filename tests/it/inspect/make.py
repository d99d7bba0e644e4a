#!/usr/bin/env python3
"""Makes the CSRs of tests/it/inspect.rs: those that no tool makes are DER written by hand. They are kept, because
keys and ECDSA signatures differ each time. Needs `pip install cryptography`; writes beside itself."""

import base64
import os
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, padding, rsa

HERE = os.path.dirname(os.path.abspath(sys.argv[0]))


def tlv(tag, *parts):
    body = b"".join(parts)
    length = len(body)
    if length < 0x80:
        return bytes([tag, length]) + body
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + body


def seq(*parts): return tlv(0x30, *parts)
def set_(*parts): return tlv(0x31, *parts)
def octets(*parts): return tlv(0x04, *parts)
def utf8(text): return tlv(0x0C, text.encode())
def printable(text): return tlv(0x13, text.encode())
def ia5(text): return tlv(0x16, text.encode("latin-1"))
def bmp(text): return tlv(0x1E, text.encode("utf-16-be"))
def bits(data, unused=0): return tlv(0x03, bytes([unused]), data)


def integer(number):
    return tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def oid(dotted):
    arcs = [int(arc) for arc in dotted.split(".")]
    out = b""
    for arc in [arcs[0] * 40 + arcs[1]] + arcs[2:]:
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(0x80 | arc & 0x7F)
        out += bytes(reversed(septets))
    return tlv(0x06, out)


def rdn(*pairs): return set_(*[seq(oid(kind), value) for kind, value in pairs])
def attribute(kind, *values): return seq(oid(kind), set_(*values))


def extension(kind, value, critical=False):
    return seq(oid(kind), b"\x01\x01\xff" if critical else b"", octets(value))


CN, C, O, OU, EMAIL = "2.5.4.3", "2.5.4.6", "2.5.4.10", "2.5.4.11", "1.2.840.113549.1.9.1"
SAN = "2.5.29.17"
REQUEST = "1.2.840.113549.1.9.14"
SHA256_RSA = seq(oid("1.2.840.113549.1.1.11"), b"\x05\x00")
SHA256_ECDSA = seq(oid("1.2.840.10045.4.3.2"))


def spki(key):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.DER, form)


def info(subject, public_key, attributes, version=integer(0)):
    return seq(version, subject, public_key, attributes)


def csr(signed, algorithm, signature):
    return seq(signed, algorithm, bits(signature))


def by_ec(key, signed):
    return csr(signed, SHA256_ECDSA, key.sign(signed, ec.ECDSA(hashes.SHA256())))


def write(name, der, label="CERTIFICATE REQUEST", before="", after=""):
    if name.endswith(".der"):
        data = der
    else:
        text = base64.encodebytes(der).decode().replace("\n", "")
        lines = "\n".join(text[at:at + 64] for at in range(0, len(text), 64))
        data = f"{before}-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n{after}".encode()
    with open(os.path.join(HERE, name), "wb") as file:
        file.write(data)


def everything():
    """Every extension that is explained, and nothing wrong."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = spki(key)
    digest = hashes.Hash(hashes.SHA1())
    digest.update(public[-65:])
    subject = seq(rdn((C, printable("NL"))), rdn((O, utf8("Example"))), rdn((CN, utf8("www.example.com"))))
    names = seq(
        tlv(0x82, b"www.example.com"), tlv(0x82, b"xn--bcher-kva.example.com"), tlv(0x82, b"*.a.example.com"),
        tlv(0x87, bytes([192, 0, 2, 1])), tlv(0x87, bytes.fromhex("20010db8") + bytes(11) + b"\x01"),
        tlv(0x81, b"a@example.com"), tlv(0x86, b"https://example.com/a"), tlv(0x88, oid("1.2.3.4")[2:]),
        tlv(0xA4, seq(rdn((CN, utf8("a"))))),
        tlv(0xA0, oid("1.3.6.1.4.1.311.20.2.3"), tlv(0xA0, utf8("user@example.com"))),
        tlv(0xA0, oid("1.3.6.1.5.5.7.8.9"), tlv(0xA0, utf8("ü@example.com"))),
        tlv(0xA0, oid("1.2.3.4"), tlv(0xA0, utf8("text"))))
    notice = seq(oid("1.3.6.1.5.5.7.2.2"), seq(utf8("a notice")))
    policies = seq(
        seq(oid("2.23.140.1.2.2"), seq(seq(oid("1.3.6.1.5.5.7.2.1"), ia5("https://example.com/cps")), notice)),
        seq(oid("2.5.29.32.0")))
    extensions = seq(
        extension(SAN, names),
        extension("2.5.29.15", bits(b"\x86", 1), True),
        extension("2.5.29.37", seq(oid("1.3.6.1.5.5.7.3.1"), oid("1.3.6.1.4.1.311.20.2.2"), oid("1.2.3.5"))),
        extension("2.5.29.19", seq(b"\x01\x01\xff", integer(1)), True),
        extension("2.5.29.32", policies),
        extension("2.5.29.30", seq(tlv(0xA0, seq(tlv(0x82, b"example.com"))),
                                   tlv(0xA1, seq(tlv(0x87, bytes([192, 0, 2, 0, 255, 255, 255, 0]))))), True),
        extension("2.5.29.14", octets(digest.finalize())),
        extension("1.3.6.1.5.5.7.1.24", seq(integer(5), integer(17))),
        extension("1.3.6.1.4.1.311.20.2", bmp("WebServer")),
        extension("1.3.6.1.4.1.311.21.7", seq(oid("1.3.6.1.4.1.311.21.8.1.2"), integer(100), integer(3))),
        extension("1.2.3.4.5", b"\x05\x00"))
    attributes = tlv(0xA0, *sorted([
        attribute(REQUEST, extensions), attribute("1.2.840.113549.1.9.7", printable("secret-canary")),
        attribute("1.2.840.113549.1.9.2", ia5("a name")), attribute("1.2.3.6", b"\x05\x00")]))
    write("everything.pem", by_ec(key, info(subject, public, attributes)), before="Some text around it\n\n")


def microsoft():
    """As certreq writes them."""
    key = rsa.generate_private_key(65537, 2048)
    info_2 = tlv(0x02, b"\x05"), utf8("host.corp.example"), utf8("CORP\\user"), utf8("certreq.exe")
    extensions = seq(extension("2.5.29.15", bits(b"\xa0", 5), True), extension("1.3.6.1.4.1.311.20.2", bmp("WebServer")))
    attributes = tlv(0xA0, *sorted([
        attribute("1.3.6.1.4.1.311.13.2.3", ia5("10.0.20348.2")),
        attribute("1.3.6.1.4.1.311.21.20", seq(*info_2)),
        attribute("1.3.6.1.4.1.311.13.2.2", seq(integer(1), bmp("Microsoft Software Key Storage Provider"), bits(b""))),
        attribute(REQUEST, extensions)]))
    signed = info(seq(rdn((CN, bmp("www.example.com")))), spki(key), attributes)
    der = csr(signed, SHA256_RSA, key.sign(signed, padding.PKCS1v15(), hashes.SHA256()))
    write("microsoft.pem", der, "NEW CERTIFICATE REQUEST")


def weak():
    key = rsa.generate_private_key(3, 1024)
    signed = info(seq(rdn((CN, utf8("www.example.com")))), spki(key), tlv(0xA0))
    algorithm = seq(oid("1.2.840.113549.1.1.5"))
    write("weak.der", csr(signed, algorithm, key.sign(signed, padding.PKCS1v15(), hashes.SHA1())))


def pss():
    key = rsa.generate_private_key(65537, 2048)
    sha256 = seq(oid("2.16.840.1.101.3.4.2.1"), b"\x05\x00")
    params = seq(tlv(0xA0, sha256), tlv(0xA1, seq(oid("1.2.840.113549.1.1.8"), sha256)), tlv(0xA2, integer(32)))
    signed = info(seq(rdn((CN, utf8("a person")))), spki(key), tlv(0xA0))
    made = key.sign(signed, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    write("pss.pem", csr(signed, seq(oid("1.2.840.113549.1.1.10"), params), made))


def unverifiable():
    key = ed448.Ed448PrivateKey.generate()
    signed = info(seq(rdn((CN, utf8("a person")))), spki(key), tlv(0xA0))
    write("ed448.pem", csr(signed, seq(oid("1.3.101.113")), key.sign(signed)))
    algorithm = seq(oid("2.16.840.1.101.3.4.3.18"))
    signed = info(seq(rdn((CN, utf8("a person")))), seq(algorithm, bits(bytes(1952))), tlv(0xA0))
    write("ml-dsa.der", csr(signed, algorithm, bytes(3309)))


def wrong():
    """As much as possible is wrong."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = seq(
        rdn((C, utf8("Netherlands"))), rdn((O, tlv(0x14, "Bücher".encode("latin-1")))),
        rdn((CN, utf8("n" * 65))), rdn((CN, utf8("www.example.com\x1b[31m"))), rdn((OU, utf8("b")), (OU, utf8("a"))),
        rdn((CN, utf8("other.example.com"))))
    names = [tlv(0x82, name.encode()) for name in [
        "bücher.example.com", "a.*.example.com", "*.com", "a_b.example.com", "192.0.2.1", "host.local", "host",
        "host", "xn--zzzzzz.example.com"]]
    names += [tlv(0x87, bytes(3)), tlv(0x81, "ü@example.com".encode()), tlv(0x86, b"no uri")]
    extensions = seq(
        extension(SAN, seq(*names), True),
        seq(oid("2.5.29.15"), b"\x01\x01\x00", octets(bits(b"\x25\x00", 0))),
        extension("2.5.29.19", seq(b"\x01\x01\x01")),
        extension("2.5.29.14", octets(bytes(20))),
        extension("2.5.29.14", octets(bytes(20))),
        extension("2.5.29.37", b"\x30\x01"),
        extension("1.2.3.4.5", b"\x05\x00", True))
    attributes = tlv(0xA0, attribute(REQUEST, extensions), attribute("1.2.3", b"\x05\x00"), attribute("1.2.3"),
                     attribute("1.3.6.1.4.1.311.2.1.14", seq()))
    signed = info(subject, spki(key), attributes, integer(2))
    der = csr(signed, SHA256_ECDSA, key.sign(signed + b"x", ec.ECDSA(hashes.SHA256())))
    other = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
    write("wrong.pem", der + b"\x00", after=other)


def ber():
    """Indefinite and long lengths, no field `attributes`."""
    key = ec.generate_private_key(ec.SECP256R1())
    signed = b"\x30\x80" + integer(0) + seq(rdn((CN, utf8("a person")))) + spki(key) + b"\x00\x00"
    signature = key.sign(signed, ec.ECDSA(hashes.SHA256()))
    body = signed + SHA256_ECDSA + b"\x03\x82" + (len(signature) + 1).to_bytes(2, "big") + b"\x00" + signature
    write("ber.der", b"\x30\x82" + len(body).to_bytes(2, "big") + body)


for make in [everything, microsoft, weak, pss, unverifiable, wrong, ber]:
    make()
