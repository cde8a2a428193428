"""Whose request it is: the address of the client, told by the connection or by a proxy that is believed."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]
_LOOPBACK_4 = IPv4Address("127.0.0.1")
_LOOPBACK_6 = IPv6Address("::1")


class ForwardedFault(Exception):
    """A proxy that is believed says something that names no client."""


def address_of(text: str | None) -> Address | None:
    """Return the address of a client as the server reports it, without an IPv6 zone; None if it is none.

    An IPv4 address that came in IPv6 clothes (::ffff:192.0.2.1) is IPv4.
    """
    try:
        address = ip_address((text or "").partition("%")[0])
    except ValueError:
        return None
    return unmapped(address)


def unmapped(address: Address) -> Address:
    """Return ::ffff:192.0.2.1 as 192.0.2.1, any other address as it is."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def same_host(address: Address) -> tuple[Address, ...]:
    """Return the addresses that stand for the same host in a rule: both loopbacks, a mapped IPv4 address as IPv4."""
    plain = unmapped(address)
    if plain in (_LOOPBACK_4, _LOOPBACK_6):
        return (_LOOPBACK_4, _LOOPBACK_6)
    return (plain,)


def group_of(client: str | None) -> str:
    """Return one name for all addresses that a client surely has: whoever has one IPv6 address has 2^64 of them."""
    address = address_of(client)
    if address is None:
        return client or ""
    address = same_host(address)[0]
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), 64), strict=False))
    return str(address)


def is_one_of(address: Address, networks: Networks) -> bool:
    """Say whether the address is in one of the networks."""
    return any(address.version == network.version and address in network for network in networks)


def client_of(peer: str | None, forwarded: str | None, proxies: Networks) -> str | None:
    """Return the address that a request is from.

    `peer` is the other end of the connection, `forwarded` the X-Forwarded-For header. The header counts only if the
    peer is one of `proxies`; then it is read from the right, where the nearest proxy wrote, and the first address that
    is no proxy of ours is the client: what stands left of it anybody may have invented. A proxy without the header
    speaks for itself. Raises ForwardedFault if something on that way is no address.
    """
    address = address_of(peer)
    if address is None:
        return peer
    if forwarded is None or not is_one_of(address, proxies):
        return str(address)
    for written in reversed(forwarded.split(",")):
        word = written.strip(" \t")
        told = None if "%" in word else address_of(word)
        if told is None:
            raise ForwardedFault(f"the proxy {address} forwards for {word[:60]!r}, which is no address")
        address = told
        if not is_one_of(address, proxies):
            break
    return str(address)
