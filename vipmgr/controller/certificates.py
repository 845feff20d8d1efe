"""The admission webhook's own authority and certificate, made here so that no cert-manager is needed.

Both live in one Secret, shared by the replicas. The certificate is renewed when a third of its life is left, the
authority likewise; a new authority is published together with the old one, so either certificate is believed while the
change travels.
"""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE: Final = timedelta(days=1825)
CERTIFICATE_LIFE: Final = timedelta(days=365)
_CLOCKS_DIFFER: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM texts. `authorities` may hold two: the one that signs, first, and the one before it."""

    authorities: bytes
    authority_key: bytes
    certificate: bytes
    key: bytes


def renew(current: Certificates | None, hosts: Sequence[str], now: datetime) -> Certificates:
    """`current` itself while it is good for these hosts, else what replaces it."""
    if current is None or not _readable(current):
        return _issue(*_authority(now), b"", hosts, now)
    authority = x509.load_pem_x509_certificate(current.authorities)
    if _due(authority, now):
        return _issue(*_authority(now), current.authorities, hosts, now)
    certificate = x509.load_pem_x509_certificate(current.certificate)
    if _due(certificate, now) or _names(certificate) != set(hosts):
        authority_key = serialization.load_pem_private_key(current.authority_key, None)
        if not isinstance(authority_key, ec.EllipticCurvePrivateKey):
            return _issue(*_authority(now), current.authorities, hosts, now)
        previous = current.authorities[len(_pem(authority)) :]
        return _issue(authority, authority_key, previous, hosts, now)
    return current


def server_context(certificates: Certificates) -> ssl.SSLContext:
    """What a TLS server needs; `load` renews it in place for the connections to come."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load(context, certificates)
    return context


def load(context: ssl.SSLContext, certificates: Certificates) -> None:
    """Give a context the certificate; OpenSSL takes files only, so it passes through one nobody else can read."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificates.certificate + certificates.key)
        file.flush()
        context.load_cert_chain(file.name)


def _readable(current: Certificates) -> bool:
    try:
        x509.load_pem_x509_certificates(current.authorities)
        x509.load_pem_x509_certificate(current.certificate)
        serialization.load_pem_private_key(current.authority_key, None)
        serialization.load_pem_private_key(current.key, None)
    except (ValueError, TypeError):
        return False
    return True


def _due(certificate: x509.Certificate, now: datetime) -> bool:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return now > ends - (ends - begins) / 3


def _names(certificate: x509.Certificate) -> set[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = names.get_values_for_type(x509.IPAddress)
    return set(names.get_values_for_type(x509.DNSName)) | {str(address) for address in addresses}


def _authority(now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"vipmgr webhook authority {now:%Y-%m-%d}")])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(subject, subject, key, now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def _issue(
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    previous: bytes,
    hosts: Sequence[str],
    now: datetime,
) -> Certificates:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        _builder(subject, authority.subject, key, now, CERTIFICATE_LIFE)
        .add_extension(x509.SubjectAlternativeName([_name(host) for host in hosts]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    before = x509.load_pem_x509_certificates(previous)[:1] if previous.strip() else []
    return Certificates(
        b"".join(_pem(one) for one in (authority, *before)), _private(authority_key), _pem(certificate), _private(key)
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + life)
    )


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
