"""Which addresses webhooks may be sent to."""

from __future__ import annotations

import ipaddress

import pytest

from jobs.webhooks.addresses import literal_address, reachable

PRIVATE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:102:304::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address: str) -> None:
    assert not reachable(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert reachable(ipaddress.ip_address(address))


def test_names_that_mean_this_machine() -> None:
    for name in ("localhost", "LOCALHOST.", "a.localhost"):
        found = literal_address(name)
        assert found is not None
        assert not reachable(found)
    assert literal_address("example.com") is None
    assert literal_address("notlocalhost") is None
