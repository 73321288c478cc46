"""Which addresses are public: those that a stranger may have the service talk to."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def literal_address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is written as; None for a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ipaddress.ip_address("127.0.0.1") if _is_local_name(host) else None


def reachable(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the public Internet, in whatever form it hides another."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return reachable(inner)
        if address in _NAT64:
            return reachable(IPv4Address(int(address) & 0xFFFFFFFF))
        if address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast


def _is_local_name(host: str) -> bool:
    return host.lower().rstrip(".").rpartition(".")[2] == "localhost"
