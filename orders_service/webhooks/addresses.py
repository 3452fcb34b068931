"""Where something may be sent: nobody outside decides what this service reaches inside its own network.

An address is judged as what a name stands for at the moment of sending, and the connection goes to the very address
that was judged: a name that points elsewhere a moment later changes nothing.
"""

from __future__ import annotations

import enum
import ipaddress
from typing import Final

import httpx

from orders_service import errors

#: More is no address that anybody typed.
MAX_URL: Final = 2000

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Reach(enum.Enum):
    """What kind of place an address is."""

    #: Anybody's.
    PUBLIC = "public"
    #: This machine's, or of a network behind it: only where an operator said so.
    INSIDE = "inside"
    #: Never: where clouds keep their secrets, many at once, or nobody.
    NEVER = "never"


_INSIDE: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "10.0.0.0/8",
            "100.64.0.0/10",  # behind a provider's NAT, and of overlay networks
            "127.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "198.18.0.0/15",  # measuring of networks
            "::1/128",
            "fc00::/7",
        ),
    )
)
#: Looked up first: some lie within those above.
_NEVER: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",
            "100.100.100.200/32",  # Alibaba's metadata
            "168.63.129.16/32",  # Azure's
            "169.254.0.0/16",  # link-local, with the metadata of all others
            "192.0.0.0/24",  # the IETF's; Oracle's metadata
            "192.0.2.0/24",
            "192.88.99.0/24",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "2001::/23",  # the IETF's; Teredo
            "2001:db8::/32",
            "2002::/16",  # 6to4: any IPv4 address in disguise
            "3fff::/20",
            "fd00:ec2::254/128",  # Amazon's metadata
            "fd20:ce::254/128",  # Google's
        ),
    )
)
_MAPPED: Final = ipaddress.ip_network("::ffff:0:0/96")
#: An IPv4 address as a network that speaks IPv6 alone reaches it.
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
#: All of IPv6 that is given to anybody.
_GLOBAL: Final = ipaddress.ip_network("2000::/3")


def reach_of(address: IPAddress) -> Reach:
    """Say what kind of place this is; one that carries an IPv4 address is what that one is."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return Reach.NEVER
        if address in _MAPPED or address in _NAT64:
            return reach_of(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    if any(address in network for network in _NEVER):
        return Reach.NEVER
    if any(address in network for network in _INSIDE):
        return Reach.INSIDE
    return Reach.PUBLIC if address.version == 4 or address in _GLOBAL else Reach.NEVER


def check_address(text: str, *, is_private_allowed: bool, is_plain: bool) -> str | None:
    """Return why nothing may be sent to this address; None: it may.

    Args:
        text: As the resolver answers it.
        is_private_allowed: An operator said that it may be inside.
        is_plain: It would be spoken to without TLS, which is for inside alone.
    """
    try:
        reach = reach_of(ipaddress.ip_address(text))
    except ValueError:
        reach = Reach.NEVER
    if reach is Reach.NEVER:
        return f"{text} is an address to which nothing is sent: local to a link, of a cloud's metadata, or nobody's."
    if reach is Reach.INSIDE and not is_private_allowed:
        return f"{text} is inside the network: set the webhook with --allow-private where that is meant."
    if reach is Reach.PUBLIC and is_plain:
        return f"{text} is outside of the network: use https."
    return None


def name_of(url: httpx.URL) -> str:
    """Return whom the URL names, as it is spelled there.

    httpx's `host` is in letters, of which others make another name: `xn--fa-hia` is `faß`, which is `fass` to Python.
    """
    return url.raw_host.decode("ascii")


def check_url(text: str, *, is_private_allowed: bool) -> httpx.URL:
    """Return the URL that an operator typed.

    Names aren't looked up here: they are at each sending.

    Raises:
        InvalidInput: It can't be sent to; the sentence doesn't repeat it, since it may hold a secret.
    """
    if not 1 <= len(text) <= MAX_URL or not text.isascii() or not text.isprintable() or " " in text:
        raise errors.InvalidInput.of(
            "url", f"must be 1 to {MAX_URL} characters of ASCII without blanks; other letters in their %-spelling."
        )
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as exc:
        raise errors.InvalidInput.of("url", "isn't a URL like https://crm.example.ru/rosreestr.") from exc
    if url.scheme not in ("https", "http") or not name_of(url):
        raise errors.InvalidInput.of("url", "must be like https://crm.example.ru/rosreestr.")
    if url.scheme == "http" and not is_private_allowed:
        raise errors.InvalidInput.of(
            "url", "must begin with https://; http:// is for addresses inside the network, with --allow-private."
        )
    if url.userinfo or url.fragment:
        raise errors.InvalidInput.of(
            "url", "may have no name, password or #fragment in it: who sends is shown by the signature."
        )
    if url.port is not None and not 0 < url.port < 65536:
        raise errors.InvalidInput.of("url", "has a port that isn't one of 1 to 65535.")
    try:
        literal = ipaddress.ip_address(name_of(url))
    except ValueError:
        return url
    refusal = check_address(str(literal), is_private_allowed=is_private_allowed, is_plain=url.scheme == "http")
    if refusal is not None:
        raise errors.InvalidInput.of("url", refusal)
    return url
