"""Nobody outside decides what the service reaches inside."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders_service.errors import InvalidInput
from orders_service.webhooks.addresses import Reach, check_address, check_url, reach_of

#: Kinds of addresses, each by one of its network's ends and one from its middle.
KINDS: dict[str, tuple[Reach, tuple[str, ...]]] = {
    "public": (
        Reach.PUBLIC,
        ("1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.0", "223.255.255.255"),
    ),
    "loopback": (Reach.INSIDE, ("127.0.0.0", "127.0.0.1", "127.255.255.255")),
    "private 10": (Reach.INSIDE, ("10.0.0.0", "10.1.2.3", "10.255.255.255")),
    "private 172": (Reach.INSIDE, ("172.16.0.0", "172.20.1.1", "172.31.255.255")),
    "private 192": (Reach.INSIDE, ("192.168.0.0", "192.168.1.1", "192.168.255.255")),
    "shared": (Reach.INSIDE, ("100.64.0.0", "100.99.0.1", "100.127.255.255")),
    "benchmarks": (Reach.INSIDE, ("198.18.0.0", "198.19.255.255")),
    "this network": (Reach.NEVER, ("0.0.0.0", "0.255.255.255")),
    "link-local": (Reach.NEVER, ("169.254.0.0", "169.254.7.7", "169.254.255.255")),
    "metadata": (Reach.NEVER, ("169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16")),
    "IETF": (Reach.NEVER, ("192.0.0.0", "192.0.0.255")),
    "documentation": (Reach.NEVER, ("192.0.2.1", "198.51.100.1", "203.0.113.1")),
    "multicast": (Reach.NEVER, ("224.0.0.1", "239.255.255.255")),
    "reserved": (Reach.NEVER, ("240.0.0.0", "255.255.255.254")),
    "broadcast": (Reach.NEVER, ("255.255.255.255",)),
}
KINDS_6: dict[str, tuple[Reach, tuple[str, ...]]] = {
    "public": (Reach.PUBLIC, ("2606:4700:4700::1111", "2a00:1450::1", "2400:cb00::1")),
    "loopback": (Reach.INSIDE, ("::1",)),
    "unique local": (Reach.INSIDE, ("fc00::1", "fd12:3456::1", "fdff:ffff::1")),
    "unspecified": (Reach.NEVER, ("::",)),
    "IPv4-compatible": (Reach.NEVER, ("::127.0.0.1", "::8.8.8.8")),
    "link-local": (Reach.NEVER, ("fe80::1", "febf:ffff::1", "fe80::1%eth0")),
    "site-local": (Reach.NEVER, ("fec0::1",)),
    "metadata": (Reach.NEVER, ("fd00:ec2::254", "fd20:ce::254")),
    "multicast": (Reach.NEVER, ("ff02::1", "ff0e::1")),
    "documentation": (Reach.NEVER, ("2001:db8::1", "3fff::1")),
    "6to4 of loopback": (Reach.NEVER, ("2002:7f00:1::1",)),
    "Teredo": (Reach.NEVER, ("2001::1",)),
    "discard": (Reach.NEVER, ("100::1",)),
    "local NAT64": (Reach.NEVER, ("64:ff9b:1::7f00:1",)),
}
PLAIN = [(address, reach) for reach, addresses in KINDS.values() for address in addresses]
DISGUISED = [
    (disguise.format(address), reach)
    for address, reach in PLAIN
    for disguise in ("::ffff:{}", "64:ff9b::{}", "0:0:0:0:0:ffff:{}")
]
ALL = [*PLAIN, *DISGUISED, *((address, reach) for reach, addresses in KINDS_6.values() for address in addresses)]


@pytest.mark.parametrize(("address", "reach"), ALL)
def test_each_kind_of_address_is_what_it_is_in_any_disguise(address: str, reach: Reach) -> None:
    assert reach_of(ipaddress.ip_address(address)) is reach


@pytest.mark.parametrize(("address", "reach"), ALL)
@pytest.mark.parametrize("is_private_allowed", [False, True])
@pytest.mark.parametrize("is_plain", [False, True])
def test_inside_is_reached_where_an_operator_said_so_and_without_tls_nothing_else(
    address: str, reach: Reach, is_private_allowed: bool, is_plain: bool
) -> None:
    may = (reach is Reach.PUBLIC and not is_plain) or (reach is Reach.INSIDE and is_private_allowed)

    assert (check_address(address, is_private_allowed=is_private_allowed, is_plain=is_plain) is None) is may


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_nothing_is_public_that_pythons_own_table_doesnt_call_global(address: ipaddress.IPv4Address) -> None:
    carried = getattr(address, "ipv4_mapped", None) or address

    if reach_of(address) is Reach.PUBLIC:
        assert carried.is_global and not carried.is_multicast


@pytest.mark.parametrize("what", ["", "x", "127.0.0.1.1", "999.1.1.1", "fe80::1%", "1"])
def test_what_is_no_address_is_never_reached(what: str) -> None:
    assert check_address(what, is_private_allowed=True, is_plain=False) is not None


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example.ru/rosreestr",
        "https://crm.example.ru:8443/a?key=1",
        "https://xn--80aswg.xn--p1ai/",
        "https://8.8.8.8/x",
        "https://[2606:4700:4700::1111]/x",
    ],
)
def test_a_public_https_address_is_taken(url: str) -> None:
    assert str(check_url(url, is_private_allowed=False)) == url


@pytest.mark.parametrize(
    ("url", "is_private_allowed"),
    [
        ("", False),
        ("app.client.ru", False),
        ("//app.client.ru/x", False),
        ("http://app.client.ru/x", False),
        ("ftp://app.client.ru/x", True),
        ("file:///etc/passwd", True),
        ("https://", False),
        ("https://user:hidden@app.client.ru/", False),
        ("https://app.client.ru/#x", False),
        ("https://app.client.ru:0/", False),
        ("https://app.client.ru:99999/", False),
        ("https://app.client.ru/ x", False),
        ("https://app.client.ru/\n", False),
        ("https://сайт.рф/", False),
        ("https://app.client.ru/" + "x" * 2000, False),
        ("https://127.0.0.1/", False),
        ("https://[::1]/", False),
        ("https://[::ffff:10.0.0.1]/", False),
        ("https://169.254.169.254/", True),
        ("http://[fe80::1]/", True),
        ("http://8.8.8.8/", True),
    ],
)
def test_what_cant_be_sent_to_is_refused_when_it_is_set_and_not_repeated(url: str, is_private_allowed: bool) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_url(url, is_private_allowed=is_private_allowed)

    assert "client.ru" not in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/x", "https://10.0.0.7/x", "http://crm.office/x"])
def test_inside_also_without_tls_where_that_was_said(url: str) -> None:
    assert str(check_url(url, is_private_allowed=True)) == url
