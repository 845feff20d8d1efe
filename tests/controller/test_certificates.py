"""The webhook's authority and certificate."""

from __future__ import annotations

import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from vipmgr.controller.certificates import AUTHORITY_LIFE, CERTIFICATE_LIFE, Certificates, renew, server_context

NOW = datetime(2026, 11, 22, tzinfo=UTC)
HOSTS = ["vipmgr-webhook.vipmgr-system.svc"]


def believes(authorities: bytes, certificate: bytes, moment: datetime, host: str = HOSTS[0]) -> bool:
    store = Store(x509.load_pem_x509_certificates(authorities))
    verifier = PolicyBuilder().store(store).time(moment).build_server_verifier(x509.DNSName(host))
    try:
        verifier.verify(x509.load_pem_x509_certificate(certificate), [])
    except VerificationError:
        return False
    return True


def test_the_certificate_is_good_for_the_service_and_nothing_else() -> None:
    made = renew(None, HOSTS, NOW)
    assert believes(made.authorities, made.certificate, NOW)
    assert not believes(made.authorities, made.certificate, NOW, "other.example")
    assert not believes(renew(None, HOSTS, NOW).authorities, made.certificate, NOW)


def test_good_certificates_are_left_alone() -> None:
    made = renew(None, HOSTS, NOW)
    assert renew(made, HOSTS, NOW + CERTIFICATE_LIFE / 2) is made


def test_a_certificate_is_renewed_before_it_ends_under_the_same_authority() -> None:
    made = renew(None, HOSTS, NOW)
    later = NOW + CERTIFICATE_LIFE * 0.7
    again = renew(made, HOSTS, later)
    assert again.authorities == made.authorities
    assert again.certificate != made.certificate
    assert believes(made.authorities, again.certificate, later + CERTIFICATE_LIFE * 0.9)


def test_a_new_authority_still_vouches_for_the_old_certificate() -> None:
    made = renew(None, HOSTS, NOW)
    later = NOW + AUTHORITY_LIFE * 0.7
    before = renew(made, HOSTS, later - timedelta(days=200))
    again = renew(before, HOSTS, later)
    assert len(x509.load_pem_x509_certificates(again.authorities)) == 2
    assert believes(again.authorities, before.certificate, later)
    assert believes(again.authorities, again.certificate, later)


def test_another_host_name_gets_another_certificate() -> None:
    made = renew(None, HOSTS, NOW)
    other = renew(made, [*HOSTS, "127.0.0.1"], NOW)
    assert other.certificate != made.certificate
    assert other.authorities == made.authorities


@pytest.mark.parametrize("field", ["authorities", "authority_key", "certificate", "key"])
def test_a_secret_somebody_spoilt_is_replaced(field: str) -> None:
    made = renew(None, HOSTS, NOW)
    spoilt: Certificates = replace(made, **{field: b"nonsense"})
    again = renew(spoilt, HOSTS, NOW)
    assert believes(again.authorities, again.certificate, NOW)


def test_a_server_can_use_them() -> None:
    context = server_context(renew(None, HOSTS, NOW))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
