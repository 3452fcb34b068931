"""One POST to a client's address: bounded in time and size, to the address that was judged, led nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import ssl
from typing import TYPE_CHECKING, Final

import httpx

from orders_service import errors
from orders_service.queueing.threads import call_in_daemon
from orders_service.webhooks.addresses import check_address, name_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Resolve = Callable[[str, int], Awaitable[list[str]]]

#: Of an answer's body: read, so that its sender sees no broken connection, and thrown away.
_MAX_ANSWER_BYTES: Final = 16 << 10
_ANSWER_S: Final = 1.0
#: Of several addresses so many are tried, one after the other, where nobody listens.
_MAX_ADDRESSES: Final = 3
#: Longest pause that an address may ask for by `retry-after`.
_MAX_ASKED_S: Final = 3600.0


class NotTaken(Exception):
    """What was sent wasn't taken.

    Attributes:
        status: HTTP's status; None: there was no answer.
        pause_s: So long the address asked to be left in peace; 0: it didn't.
    """

    def __init__(self, why: str, *, status: int | None = None, pause_s: float = 0.0) -> None:
        super().__init__(why)
        self.status = status
        self.pause_s = pause_s


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What is sent where.

    Attributes:
        is_private_allowed: It may go inside the network.
    """

    url: str = dataclasses.field(repr=False)
    body: bytes = dataclasses.field(repr=False)
    headers: Mapping[str, str] = dataclasses.field(repr=False)
    is_private_allowed: bool


class Poster:
    """Posts parcels.

    No connection is used twice: which certificate was looked at belongs to a name, and connections are known by their
    address.

    Args:
        timeout_s: For all of it, from looking up the name to the answer's headers.
        ca_file: Authorities to trust beside the usual ones, in PEM; None: none.
        resolve: For tests.

    Raises:
        SettingsInvalid: The file can't be used.
    """

    def __init__(self, *, timeout_s: float, ca_file: str | None = None, resolve: Resolve | None = None) -> None:
        self._timeout_s = timeout_s
        tls = httpx.create_ssl_context(trust_env=False)
        if ca_file is not None:
            try:
                tls.load_verify_locations(ca_file)
            except OSError as exc:
                raise errors.SettingsInvalid(
                    "WEBHOOK_CA_FILE", f"names {ca_file!r}, of which no certificates in PEM can be read."
                ) from exc
        self._client = httpx.AsyncClient(
            verify=tls,
            # No proxy, and nothing else that the environment says: who connects for us, judges for us.
            trust_env=False,
            follow_redirects=False,
            # Where one address swallows what is sent, there is time for the next.
            timeout=httpx.Timeout(timeout_s, connect=timeout_s / _MAX_ADDRESSES),
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        self._resolve = resolve or _look_up

    async def close(self) -> None:
        """Drop what is open."""
        await self._client.aclose()

    async def post(self, parcel: Parcel) -> int:
        """Send, and return HTTP's status where it was taken (2xx).

        Raises:
            NotTaken: It wasn't, or that isn't known; says why, without the address's path and query.
        """
        try:
            url = httpx.URL(parcel.url)
        except httpx.InvalidURL as exc:
            raise NotTaken("Its address isn't one: set it again.") from exc
        try:
            async with asyncio.timeout(self._timeout_s) as limit:
                return await self._post(url, parcel, limit)
        except TimeoutError as exc:
            raise NotTaken(f"There was no answer within {self._timeout_s:g} s.") from exc

    async def _post(self, url: httpx.URL, parcel: Parcel, limit: asyncio.Timeout) -> int:
        refused: Exception | None = None
        for address in (await self._judged(url, parcel))[:_MAX_ADDRESSES]:
            try:
                return await self._post_to(address, url, parcel, limit)
            except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
                # Nothing was sent.
                refused = exc
        assert refused is not None
        raise NotTaken(_tell_refusal(refused)) from refused

    async def _judged(self, url: httpx.URL, parcel: Parcel) -> list[str]:
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            addresses = await self._resolve(name_of(url), port)
        except (OSError, UnicodeError) as exc:
            raise NotTaken(f"The name {name_of(url)} can't be looked up.") from exc
        is_plain = url.scheme == "http"
        for address in addresses:
            # One that may not be reached makes all of them suspect.
            refusal = check_address(address, is_private_allowed=parcel.is_private_allowed, is_plain=is_plain)
            if refusal is not None:
                raise NotTaken(refusal)
        if not addresses:
            raise NotTaken(f"The name {name_of(url)} has no address.")
        return addresses

    async def _post_to(self, address: str, url: httpx.URL, parcel: Parcel, limit: asyncio.Timeout) -> int:
        target = url.copy_with(host=f"[{address}]" if ":" in address else address)
        # The name for whoever listens there, and for its certificate.
        headers = {**parcel.headers, "host": url.netloc.decode("ascii")}
        sni = {"sni_hostname": name_of(url)}
        try:
            async with self._client.stream(
                "POST", target, content=parcel.body, headers=headers, extensions=sni
            ) as response:
                status = response.status_code
                # It is known what became of it; the rest has its own time.
                limit.reschedule(None)
                pause_s = _asked_pause_s(response.headers.get("retry-after", ""))
                await _drop(response)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise
        except httpx.TimeoutException as exc:
            raise NotTaken(f"There was no answer within {self._timeout_s:g} s.") from exc
        except httpx.TransportError as exc:
            # What it says may repeat what was sent, or what came.
            raise NotTaken("The connection broke, or what answered doesn't speak HTTP.") from exc
        if 200 <= status < 300:
            return status
        more = ": it isn't followed elsewhere, set the address where it leads" if 300 <= status < 400 else ""
        raise NotTaken(f"It answered {status}{more}.", status=status, pause_s=pause_s)


async def _look_up(host: str, port: int) -> list[str]:
    # In a thread of its own: a name server that is silent takes none of those that the service has for all.
    found = await call_in_daemon(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for _, _, _, _, sockaddr in found))


async def _drop(response: httpx.Response) -> None:
    """Read a short answer to its end; whatever becomes of it, its status counts."""
    size = 0
    with contextlib.suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(_ANSWER_S):
            async for chunk in response.aiter_raw():
                size += len(chunk)
                if size > _MAX_ANSWER_BYTES:
                    return


def _asked_pause_s(text: str) -> float:
    is_number = text.isascii() and text.isdigit() and len(text) < 10
    return min(float(text), _MAX_ASKED_S) if is_number else 0.0


def _tell_refusal(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"Its certificate isn't trusted: {cause.verify_message}."
        if isinstance(cause, ssl.SSLError):
            return "It doesn't speak TLS as it should."
        cause = cause.__cause__ or cause.__context__
    return "Nobody listens there, or it can't be reached."
