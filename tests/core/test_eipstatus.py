from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import msgspec
import pytest

from tests.core.cluster import pool
from vipmgr.core.eipstatus import LARGEST, capacity, eip_status, entries
from vipmgr.core.model import Problem, Reason


def test_the_seed_pool_has_the_status_openelb_shows():
    seed = pool("eip-pool", "196.168.220.10-196.168.220.30")
    status = eip_status(seed, {"196.168.220.10": "default/nginx"})
    assert msgspec.to_builtins(status) == {
        "usage": 1,
        "poolSize": 21,
        "used": {"196.168.220.10": "default/nginx"},
        "firstIP": "196.168.220.10",
        "lastIP": "196.168.220.30",
        "ready": True,
        "v4": True,
    }


def test_services_that_share_an_address_are_joined_by_a_semicolon():
    assert entries({ip_address("2001:db8::1"): ("a/b", "c/d")}) == {"2001:db8::1": "a/b;c/d"}


@pytest.mark.parametrize(
    ("text", "size", "last", "v4"),
    [
        ("192.168.0.0/24", 256, "192.168.0.255", True),
        ("192.168.0.9", 1, "192.168.0.9", True),
        ("2001:db8::/120", 256, "2001:db8::ff", False),
        ("2001:db8::/64", LARGEST, "2001:db8::ffff:ffff:ffff:ffff", False),
    ],
)
def test_pool_size_counts_every_address_and_fits_an_int64(text, size, last, v4):
    status = eip_status(pool("eip-pool", text), {})
    assert (status.pool_size, status.last_ip, status.v4, status.used) == (size, last, v4, None)


def test_a_pool_is_occupied_when_every_address_it_may_give_out_is_in_use():
    two = pool("eip-pool", "10.0.0.254-10.0.0.255")
    first = {"10.0.0.254": "a/b"}
    assert not eip_status(two, first).occupied
    assert eip_status(two, first | {"10.0.0.255": "c/d"}).occupied
    careful = replace(two, avoid_buggy_ips=True)
    assert capacity(careful) == 1
    assert eip_status(careful, first).occupied


def test_a_pool_with_problems_is_not_ready_and_one_without_addresses_is_empty_not_full():
    broken = replace(pool(), problems=(Problem("Eip/eip-pool", Reason.OVERLAP, "overlaps"),))
    assert not eip_status(broken, {}).ready
    nothing = eip_status(replace(broken, ranges=()), {})
    assert (nothing.pool_size, nothing.first_ip, nothing.occupied) == (0, "", False)
