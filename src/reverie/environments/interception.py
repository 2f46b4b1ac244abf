"""An authority for certificates that one sandbox trusts, and nobody else.

Its key lives in this process. Keys of certificates touch the disk, in a folder of ours alone, for the moment
in which OpenSSL reads them: Python has no other way to hand them over.
"""

from __future__ import annotations

import os
import shutil
import ssl
import weakref
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

from reverie.domain.clock import Clock
from reverie.plugins import Mount

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

__all__ = ["Authority"]

_LIFE: Final = timedelta(days=30)
_SYSTEM_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",
)


class Authority:
    """Makes certificates, one for each host it speaks for; all end with it."""

    file_name: Final = "authorities.pem"
    """In the mounted folder: the system's authorities and this one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._contexts: dict[str, ssl.SSLContext] = {}
        top = Path(mkdtemp(prefix="reverie-ca-"))
        self._remove = weakref.finalize(self, shutil.rmtree, top, ignore_errors=True)
        top.chmod(0o711)  # a sandbox may run as somebody else
        self._private, self._public = top / "private", top / "public"
        self._private.mkdir(mode=0o700)
        self._public.mkdir(mode=0o755)
        bundle = self._public / self.file_name
        bundle.write_bytes(_system_authorities() + _pem(self._root))
        bundle.chmod(0o644)

    def mount(self, inside: str) -> Mount:
        """The folder with the authorities that the sandbox is to trust."""
        return Mount(self._public, inside, writable=False)

    def speaking_for(self, host: str) -> ssl.SSLContext:
        """A server's side of TLS, with a certificate in the name of a host."""
        if host not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.set_alpn_protocols(["http/1.1"])
            self._load(context, host)
            self._contexts[host] = context
        return self._contexts[host]

    def remove(self) -> None:
        """Remove the folder. Idempotent."""
        self._remove()

    def _load(self, context: ssl.SSLContext, host: str) -> None:
        from cryptography.hazmat.primitives import serialization

        key = _new_key()
        path = self._private / "leaf.pem"
        plain = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(plain + _pem(self._certify(host, key)) + _pem(self._root))
            context.load_cert_chain(path)
        finally:
            path.unlink(missing_ok=True)

    @cached_property
    def _key(self) -> EllipticCurvePrivateKey:
        return _new_key()

    @cached_property
    def _root(self) -> x509.Certificate:
        from cryptography import x509

        name = _named("Reverie, for one sandbox")
        builder = self._begun(name, name, self._key)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(signs=True), critical=True)
        return self._signed(builder)

    def _certify(self, host: str, key: EllipticCurvePrivateKey) -> x509.Certificate:
        from cryptography import x509
        from cryptography.x509.oid import ExtendedKeyUsageOID

        builder = self._begun(_named("Reverie"), self._root.subject, key)
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(host)]), critical=True)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs=False), critical=True)
        server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        return self._signed(builder.add_extension(server, critical=False))

    def _begun(
        self, subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey
    ) -> x509.CertificateBuilder:
        from cryptography import x509

        now = self._clock()
        ours = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + _LIFE)
            .add_extension(ours, critical=False)
            .add_extension(above, critical=False)
        )

    def _signed(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        from cryptography.hazmat.primitives import hashes

        return builder.sign(self._key, hashes.SHA256())


def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _named(name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(host: str) -> x509.GeneralName:
    """A host as certificates name it."""
    import ipaddress

    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, signs: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _system_authorities() -> bytes:
    """The authorities that this machine trusts, in PEM; empty where there is no such file."""
    usual: str | None = ssl.get_default_verify_paths().cafile
    for place in (usual, *_SYSTEM_BUNDLES):
        if place and Path(place).is_file():
            return Path(place).read_bytes().rstrip() + b"\n"
    return b""
