"""One HTTP exchange with the portal: paced, bounded in time and size, its failures translated.

What is the whole portal's trouble (unreachable, 5xx, maintenance, rate limit, firewall) is raised here, for every call
alike. What an answer means for the session or the request is for the layers above.
"""

from __future__ import annotations

import json
import logging
import ssl
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, Final
from urllib.parse import urlsplit

import httpx

from worker.portal.errors import (
    Need,
    Outage,
    PersonNeeded,
    PortalError,
    PortalUnavailable,
    RateLimited,
    UnreadableAnswer,
)
from worker.portal.hours import Hours
from worker.portal.wire.answers import Answer, Verdict, diagnose, read_retry_after
from worker.portal.wire.budget import DayBudget, LedgerInMemory
from worker.portal.wire.pacer import HOST, Pacer, Sleep, boottime_s

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from worker.portal.settings import PortalSettings

_logger = logging.getLogger(__name__)

JSON_ACCEPT: Final = "application/json, text/plain, */*"
SEARCH_PAGE: Final = "/request-access-egrn/property-search"
CLAIMS_PAGE: Final = "/request-access-egrn/my-claims"

_ZIP_MAGIC_BYTES: Final = 4

# From the most specific to the least; a test asserts that no error of httpx is left out.
_OUTAGES: Final[tuple[tuple[type[Exception], Outage], ...]] = (
    (httpx.ConnectTimeout, Outage.UNREACHABLE),
    (httpx.TimeoutException, Outage.SLOW),
    (httpx.ReadError, Outage.BROKEN),
    (httpx.WriteError, Outage.BROKEN),
    (httpx.RemoteProtocolError, Outage.BROKEN),
    (httpx.DecodingError, Outage.BROKEN),
    (httpx.TransportError, Outage.UNREACHABLE),
    (httpx.RequestError, Outage.UNREACHABLE),
    (httpx.HTTPError, Outage.UNREACHABLE),
    (httpx.InvalidURL, Outage.UNREACHABLE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: what is asked, as which page of the portal, and with what."""

    #: What people call it, in errors and logs.
    step: str
    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    #: Sent as JSON. A chunked body is refused by the portal; this one always has its length.
    body: Mapping[str, object] | None = field(default=None, repr=False)
    referer: str = "/login"
    accept: str = JSON_ACCEPT
    #: Another origin than the portal's: the identity provider's.
    origin: str | None = None
    #: Off only for the login's own calls.
    is_paced: bool = True


class Transport:
    """The account's HTTP client with its cookie jar. Not for several threads."""

    def __init__(
        self, settings: PortalSettings, *, pacer: Pacer | None = None, budget: DayBudget | None = None
    ) -> None:
        _keep_secrets_out_of_logs()
        self.settings: Final = settings
        self.ssl_context: Final[ssl.SSLContext] = settings.make_ssl_context()
        self.pacer: Final = pacer or Pacer(
            settings.min_interval_s,
            jitter_s=settings.jitter_s,
            patience_s=settings.patience_s,
            blocked_pause_s=settings.blocked_pause_s,
        )
        self.budget: Final = budget or DayBudget(settings.daily_limit, LedgerInMemory(settings.daily_limit))
        self.hours = Hours(settings.closed)
        #: From the opening of a paid call to the end of what belongs to it: no hours cut that off.
        self.is_paying = False
        self.sleep: Sleep = time.sleep
        self._http = httpx.Client(
            verify=self.ssl_context,
            timeout=httpx.Timeout(settings.read_timeout_s, connect=settings.connect_timeout_s),
            # No connection is kept: the portal closes idle ones after about as long as two calls lie apart, and a
            # call that meets that moment is lost for nothing.
            limits=httpx.Limits(max_connections=2, max_keepalive_connections=0),
            follow_redirects=False,
            # No proxy and no .netrc from the environment: the paid call's own connection knows neither.
            trust_env=False,
        )
        if not settings.is_encrypted and not settings.is_loopback:
            _logger.warning(
                "the portal isn't asked by https: passwords travel in clear text",
                extra={"event": "portal_not_encrypted"},
            )

    @property
    def origin(self) -> str:
        """The portal's own origin."""
        return self.settings.url

    @property
    def cookies(self) -> httpx.Cookies:
        """The account's cookies, as a real jar: one name may stand twice, with different paths."""
        return self._http.cookies

    def close(self) -> None:
        """Close what is open. Closing twice is harmless."""
        self._http.close()

    def build_request(self, call: Call) -> httpx.Request:
        """Return the request with all its headers and the cookies that belong there, without sending it."""
        origin = call.origin or self.origin
        headers = {
            "User-Agent": self.settings.user_agent,
            "Accept": call.accept,
            "Accept-Language": "ru-RU,ru;q=0.9,en;q=0.8",
            "Pragma": "no-cache",
            "Referer": origin + call.referer,
            "Sec-Fetch-Dest": "empty",
            "Sec-Fetch-Mode": "cors",
            "Sec-Fetch-Site": "same-origin",
        }
        if call.method == "POST":
            headers["Origin"] = origin
        if call.body is not None:
            headers["Content-Type"] = "application/json;charset=UTF-8"
        return self._http.build_request(
            call.method,
            origin + call.path,
            params=dict(call.params) or None,
            content=None if call.body is None else encode_json(call.body),
            headers=headers,
        )

    def exchange(self, call: Call) -> Answer:
        """Send a call and read its answer whole.

        Raises:
            RateLimited: Pacing or the portal asks for a pause longer than we wait.
            PortalUnavailable: No answer, or one that is the whole portal's trouble.
            PersonNeeded: The portal's certificate isn't trusted.
            UnreadableAnswer: The answer is larger than allowed.
        """
        return self._run(call, None)

    def fetch(self, call: Call, sink: BinaryIO) -> Answer:
        """Like `exchange`, for a paper: what begins like a ZIP is written to `sink`, and the answer's content is empty.

        Whatever does not begin so comes back in the answer, with nothing written. When it raises midway, `sink` holds
        a part that is good for nothing.
        """
        return self._run(call, sink)

    def start_call(self) -> None:
        """Return when the next call may start, counted among the day's.

        Raises:
            RateLimited: The day has none left, the portal is to be left alone now, or the pause is longer than we wait.
            What the day's ledger and `sleep` raise.
        """
        self._check_hours()
        # Reserved while the pause runs anyway; once more only where the day ends in it.
        self.budget.need(1, self.sleep)
        self.pacer.wait(self.sleep)
        self._check_hours()
        self.budget.take(self.sleep)

    def _check_hours(self) -> None:
        if not self.is_paying:
            self.hours.check()

    def _run(self, call: Call, sink: BinaryIO | None) -> Answer:
        try:
            return self._exchange(call, sink)
        except PortalError as exc:
            exc.step = exc.step or call.step
            raise

    def _exchange(self, call: Call, sink: BinaryIO | None) -> Answer:
        if call.is_paced:
            self.start_call()
            self.pacer.mark()
        else:
            self._check_hours()
            self.pacer.wait_held(self.sleep)
        started_s = boottime_s()
        with self._translated(call.step):
            answer = self._send(call, sink)
        _logger.debug(
            "portal call",
            extra={
                "event": "portal_call",
                "step": call.step,
                "status": answer.status,
                "duration_s": round(boottime_s() - started_s, 3),
            },
        )
        if answer.retry_after_s is not None:
            # Binding whatever it came with.
            self.pacer.hold(answer.retry_after_s)
        self._raise_for_trouble(answer)
        return answer

    def _send(self, call: Call, sink: BinaryIO | None) -> Answer:
        request = self.build_request(call)
        if call.is_paced:
            # The interval counts from the request's first byte, not from the connection before it.
            request.extensions = {**request.extensions, "trace": self._mark_first_byte}
        response = self._http.send(request, stream=True)
        try:
            is_paper, content = self._read_body(call, response, sink)
        finally:
            response.close()
        return Answer(
            step=call.step,
            status=response.status_code,
            content_type=response.headers.get("content-type", "").lower(),
            content=content,
            is_paper=is_paper,
            origin=call.origin or self.origin,
            location=response.headers.get("location", ""),
            retry_after_s=read_retry_after(
                response.headers.get("retry-after"), now=datetime.now(UTC), date=response.headers.get("date")
            ),
        )

    def _read_body(self, call: Call, response: httpx.Response, sink: BinaryIO | None) -> tuple[bool, bytes]:
        timeout_s = self.settings.read_timeout_s if sink is None else self.settings.download_timeout_s
        deadline_s = boottime_s() + timeout_s
        content = bytearray()
        written = 0
        is_decided = sink is None or response.status_code != 200
        for chunk in response.iter_bytes():
            if boottime_s() > deadline_s:
                raise httpx.ReadTimeout(f"the answer wasn't complete after {timeout_s:g} s", request=response.request)
            if written and sink is not None:
                written += sink.write(chunk)
                self._check_size(call, written, self.settings.max_download_bytes)
                continue
            content += chunk
            self._check_size(call, len(content), self.settings.max_answer_bytes)
            if not is_decided and len(content) >= _ZIP_MAGIC_BYTES:
                is_decided = True
                if sink is not None and is_zip(content):
                    written = sink.write(content)
                    content.clear()
        return written > 0, bytes(content)

    def _check_size(self, call: Call, size: int, limit: int) -> None:
        if size > limit:
            raise UnreadableAnswer(
                f"The answer to {call.step} is larger than {limit} bytes and was refused.",
                retry_after_s=self.pacer.note_outage(call.step),
            )

    def _mark_first_byte(self, name: str, _info: object) -> None:
        if name.endswith("send_request_headers.started"):
            self.pacer.mark()

    @contextmanager
    def _translated(self, step: str) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise translate(exc, step, self.pacer) from exc

    def _raise_for_trouble(self, answer: Answer) -> None:
        verdict = diagnose(answer)
        at = f"{answer.step} was answered with HTTP {answer.status}"
        if verdict is Verdict.LIMITED:
            pause_s = self.pacer.note_limit(answer.step, answer.retry_after_s)
            raise RateLimited(
                f"The portal limits the account's rate ({at}): wait {pause_s:.0f} s.", retry_after_s=pause_s
            )
        if verdict is Verdict.SERVER_ERROR:
            raise PortalUnavailable(
                f"The portal is in trouble: {at} ({'a page' if answer.is_page else answer.message[:200]}).",
                outage=Outage.SERVER_ERROR,
                retry_after_s=self.pacer.note_outage(answer.step, answer.retry_after_s),
            )
        if verdict is Verdict.MAINTENANCE:
            raise PortalUnavailable(
                f"The portal is in maintenance: {at} and a page that says so.",
                outage=Outage.MAINTENANCE,
                retry_after_s=self.pacer.note_outage(HOST, answer.retry_after_s),
            )
        if verdict is Verdict.BLOCKED:
            raise PortalUnavailable(
                f"The firewall before the portal refuses us: {at}. No call goes out for a while.",
                outage=Outage.BLOCKED,
                retry_after_s=self.pacer.note_blocked(answer.retry_after_s),
            )


def translate(exc: Exception, step: str, pacer: Pacer) -> PortalError:
    """Return our error for one of httpx or of the socket: no answer came, or not all of it."""
    if (refusal := _find_certificate_refusal(exc)) is not None:
        return PersonNeeded(
            f"The portal's certificate isn't trusted ({refusal}): set ROSREESTR_CA_BUNDLE to a PEM file"
            " with the root and issuing certificates that sign it.",
            need=Need.CA_BUNDLE,
        )
    outage = next((outage for kind, outage in _OUTAGES if isinstance(exc, kind)), Outage.UNREACHABLE)
    return PortalUnavailable(
        f"No answer to {step} came from the portal: {type(exc).__name__}: {exc}.",
        outage=outage,
        retry_after_s=pacer.note_outage(HOST if outage is Outage.UNREACHABLE else step),
    )


def encode_json(body: Mapping[str, object]) -> bytes:
    """Return the body as the portal's own pages send it: UTF-8, no blanks."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def is_zip(head: bytes | bytearray) -> bool:
    """Whether bytes begin like a ZIP archive, an empty one included."""
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def origin_of(url: str) -> str:
    """Return scheme and host of an absolute URL, or an empty text where it has none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") and parts.netloc else ""


def _find_certificate_refusal(exc: BaseException) -> ssl.SSLCertVerificationError | None:
    seen: BaseException | None = exc
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _keep_secrets_out_of_logs() -> None:
    """Raise the levels of the libraries' own loggers where nobody set them.

    httpx logs every URL (a one-time code and a person's id are in some), httpcore every header (cookies).
    """
    for name in ("httpx", "httpcore"):
        library = logging.getLogger(name)
        if library.level == logging.NOTSET:
            library.setLevel(logging.WARNING)
