"""What an answer of the portal is, before anybody reads its fields.

The portal answers JSON, but also pages for people where JSON is due: its own shell when the session is over, a notice
of maintenance, a captcha, the page of the web firewall in front of it. They are told apart here, so that none of them
is ever taken for data ("nothing found", "no such row").
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from worker.portal.errors import Need, PersonNeeded, RequestRefused, SessionExpired, UnreadableAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

#: How much of the portal's own words is kept.
MAX_TEXT: Final = 2000
#: Whatever a header says, nobody waits longer for it; a limit of the day is over by then.
MAX_RETRY_AFTER_S: Final = 24 * 3600.0
# Encodings that the portal may use; whatever else a label says is read as UTF-8. (Python knows many more under such
# names, and some of them raise, or run.)
_CHARSETS: Final = frozenset(
    {"utf-8", "utf8", "windows-1251", "cp1251", "koi8-r", "cp866", "iso-8859-5", "iso-8859-1", "us-ascii", "utf-16"}
)
# Longer bodies are data or whole applications, not a message: they aren't searched for phrases.
_MAX_MESSAGE: Final = 64 * 1024

_EXPIRED_WORDS: Final = ("время сессии истекло",)
_LIMIT_WORDS: Final = (
    "превышен интервал между запросами",
    "произошла ошибка получения сведений об объектах недвижимости. пожалуйста, повторите свой запрос позже",
    "too many requests",
)
_ODD_ESCAPES: Final = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")
_OUTAGE_WORDS: Final = re.compile(r"(?:request client|status code) 5\d\d\b")
_MAINTENANCE_WORDS: Final = re.compile(
    r"технически\w+ (?:работ|перерыв|обслуживани)|ведутся (?:\w+ )?работы|регламентн\w+ работ|профилактическ\w+ работ"
    r"|временно недоступ|maintenance|service unavailable"
)
_CAPTCHA_WORDS: Final = re.compile(r"код с картинки|<(?:form|img|input)[^>]*captcha|wrong captcha")
_ANOMALY_WORDS: Final = ("подтвердите, что это вы",)
_BLOCKED_WORDS: Final = re.compile(r"forbidden.*(?:request.?id|rule.?id|client.?ip|your ip)", re.DOTALL)


# Only these say something about the order; no other refusal may ever fail it.
_ORDER_STEPS: Final = frozenset({"search", "card", "upload"})
# The others (404, 405, 413, 415 ...) say that we and the portal don't understand each other any more.
_ORDER_STATUSES: Final = frozenset({400, 409, 422})


class StepRefused(UnreadableAnswer):
    """A 4xx that says nothing about an order. Some pages know what a 404 means; otherwise it is waited out."""

    def __init__(self, message: str, *, excerpt: str, status: int) -> None:
        super().__init__(message, excerpt=excerpt)
        self.status = status


class Verdict(Enum):
    """What an answer is."""

    FINE = "fine"  # 2xx and no page for people
    EXPIRED = "expired"
    FORBIDDEN = "forbidden"  # 403 without a page: the session is over, or right after a login: the account may not
    PAGE = "page"  # an unknown page where data was due: mostly the shell that asks to log in
    LIMITED = "limited"
    SERVER_ERROR = "server_error"
    MAINTENANCE = "maintenance"
    BLOCKED = "blocked"
    CAPTCHA = "captcha"
    ANOMALY = "anomaly"
    REFUSED = "refused"  # 4xx JSON or text
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer, read to its end. It may hold personal data: never log more than step and status."""

    step: str
    status: int
    content_type: str
    content: bytes
    #: The origin that was asked, to tell a redirect within it from one that leads away.
    origin: str
    location: str = ""
    #: The body was a paper and went elsewhere; `content` is empty then.
    is_paper: bool = False
    retry_after_s: float | None = None

    @property
    def is_page(self) -> bool:
        """Whether this is HTML, by its label or by its looks."""
        return "html" in self.content_type or self.content[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")

    @property
    def is_json(self) -> bool:
        """Whether it is labelled as JSON."""
        kind = self.content_type.partition(";")[0].strip()
        return kind == "application/json" or kind.endswith("+json")

    @property
    def text(self) -> str:
        """The body as text; broken bytes don't raise, they show."""
        # NUL is nothing that may be kept of it: PostgreSQL takes none.
        return self.content.decode(self.charset, errors="replace").replace("\0", "\ufffd")

    @property
    def charset(self) -> str:
        """The encoding that the label names, where it is one that the portal may use; else UTF-8."""
        label = re.search(r"charset=\"?([\w-]+)", self.content_type)
        return label[1] if label and label[1] in _CHARSETS else "utf-8"

    @property
    def message(self) -> str:
        """What the answer says to a person, at most 2000 characters; JSON without its escapes."""
        if self.is_json and len(self.content) <= _MAX_MESSAGE:
            try:
                return json.dumps(_load(self), ensure_ascii=False, default=str)[:MAX_TEXT]
            except (ValueError, ArithmeticError, RecursionError):
                return self.text[:MAX_TEXT]
        return self.text[:MAX_TEXT]


def diagnose(answer: Answer) -> Verdict:
    """Say what an answer is, from its status, its type and the phrases that the portal is known to use."""
    if 300 <= answer.status < 400:
        return Verdict.EXPIRED if _leads_to_login(answer) else Verdict.UNREADABLE
    words = _fold(answer.text if answer.is_page else answer.message) if len(answer.content) <= _MAX_MESSAGE else ""
    if answer.status == 429 or any(phrase in words for phrase in _LIMIT_WORDS):
        return Verdict.LIMITED
    if answer.is_paper:
        return Verdict.FINE
    if answer.is_page:
        return _diagnose_page(answer.status, words)
    if answer.status == 401 or any(phrase in words for phrase in _EXPIRED_WORDS):
        return Verdict.EXPIRED
    if answer.status >= 500 or answer.status == 408 or (answer.status >= 400 and _OUTAGE_WORDS.search(words)):
        return Verdict.SERVER_ERROR
    if answer.status >= 400 and _CAPTCHA_WORDS.search(words):
        return Verdict.CAPTCHA
    if answer.status == 403:
        return Verdict.BLOCKED if not answer.is_json and _BLOCKED_WORDS.search(words) else Verdict.FORBIDDEN
    if answer.status >= 400:
        return Verdict.REFUSED
    return Verdict.FINE if 200 <= answer.status < 300 else Verdict.UNREADABLE


def _diagnose_page(status: int, words: str) -> Verdict:
    if status == 401 or any(phrase in words for phrase in _EXPIRED_WORDS):
        return Verdict.EXPIRED
    if any(phrase in words for phrase in _ANOMALY_WORDS):
        return Verdict.ANOMALY
    if _CAPTCHA_WORDS.search(words):
        return Verdict.CAPTCHA
    if status == 403 or _BLOCKED_WORDS.search(words):
        return Verdict.BLOCKED
    if status == 503 or _MAINTENANCE_WORDS.search(words):
        return Verdict.MAINTENANCE
    if status >= 500 or status == 408:
        return Verdict.SERVER_ERROR
    return Verdict.PAGE if 200 <= status < 300 else Verdict.UNREADABLE


def raise_for_verdict(answer: Answer, verdict: Verdict) -> None:
    """Raise what this one answer means for the account or the request; portal-wide trouble was raised before.

    Raises:
        SessionExpired, PersonNeeded, RequestRefused, UnreadableAnswer.
    """
    if verdict is Verdict.FINE:
        return
    at = f"{answer.step} was answered with HTTP {answer.status}"
    if verdict is Verdict.EXPIRED:
        raise SessionExpired(f"The account's session is over: {at}.")
    if verdict is Verdict.FORBIDDEN:
        raise SessionExpired(f"The portal forbids it: {at} ({answer.message[:200]}).", is_forbidden=True)
    if verdict is Verdict.PAGE:
        raise SessionExpired(f"The session seems to be over: {at} and a page for people.", is_page=True)
    if verdict is Verdict.CAPTCHA:
        raise PersonNeeded(
            f"The portal wants a captcha ({at}): log in with a browser and import the session.", need=Need.CAPTCHA
        )
    if verdict is Verdict.ANOMALY:
        raise PersonNeeded(
            f"The portal asks «Подтвердите, что это вы» ({at}): log in with a browser and import the session.",
            need=Need.ANOMALY,
        )
    if verdict is Verdict.REFUSED and answer.step in _ORDER_STEPS and answer.status in _ORDER_STATUSES:
        raise RequestRefused(
            f"The portal refuses it: {at}: {answer.message[:200]}",
            step=answer.step,
            status=answer.status,
            text=answer.message,
            is_of_object=_is_of_object(answer),
        )
    if verdict is Verdict.REFUSED:
        raise StepRefused(f"The portal refuses it: {at}.", excerpt=answer.message, status=answer.status)
    raise UnreadableAnswer(f"{at} and nothing that can be read.", excerpt=answer.message)


def decode_json(answer: Answer) -> object:
    """Return the JSON value of a fine answer; numbers with a point are Decimal.

    Raises:
        UnreadableAnswer: It isn't labelled as JSON, or isn't JSON.
    """
    if not answer.is_json:
        raise UnreadableAnswer(
            f"{answer.step} was answered with {answer.content_type or 'no content type'} where JSON is due.",
            excerpt=answer.message,
        )
    return parse_json(answer)


def parse_json(answer: Answer) -> object:
    """Like `decode_json`, whatever the label says."""
    try:
        return _load(answer)
    except (ValueError, ArithmeticError, RecursionError) as exc:
        raise UnreadableAnswer(f"{answer.step} was answered with broken JSON.", excerpt=answer.message) from exc


def read_retry_after(value: str | None, *, now: datetime, date: str | None = None) -> float | None:
    """Read a Retry-After header, seconds or date, as seconds from now, a day at most.

    None where it is absent or means nothing.

    Args:
        now: By this machine's clock.
        date: The same answer's Date header: a date is counted from it where it can be read, since this machine's clock
            may be wrong.
    """
    if value is None:
        return None
    value = value.strip()
    if re.fullmatch(r"[0-9]+", value):
        return MAX_RETRY_AFTER_S if len(value) > 6 else min(float(value), MAX_RETRY_AFTER_S)
    at = _read_date(value)
    if at is None:
        return None
    return min(max(0.0, (at - (_read_date(date) or now)).total_seconds()), MAX_RETRY_AFTER_S)


def _read_date(value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return None if at.tzinfo is None else at


def _is_of_object(answer: Answer) -> bool:
    """Whether it is the object that is refused: the answer names its field, and no other.

    One that names none may be a gateway's, or the portal's whose form has changed: no order fails for that.
    """
    try:
        named = set(_named_fields(_load(answer)))
    except (ValueError, ArithmeticError, RecursionError):
        return False
    own = "objects" if answer.step == "upload" else "cadNumbers"
    return bool(named) and all(name == own or name.startswith((f"{own}.", f"{own}[")) for name in named)


def _named_fields(value: object) -> Iterator[str]:
    """The fields that a refusal names: under `field`, or as the names of `errors`."""
    if isinstance(value, list):
        for item in value:
            yield from _named_fields(item)
    if not isinstance(value, dict):
        return
    for name, member in value.items():
        if name == "field" and isinstance(member, str):
            yield member
        elif name in ("errors", "fields", "violations"):
            if isinstance(member, dict):
                yield from (str(field) for field in member)
            else:
                yield from _named_fields(member)


def _load(answer: Answer) -> object:
    """Read JSON so that whatever text is in it can be written down: no half of a surrogate pair, no NUL."""
    try:
        value = _parse(answer.content)
    except UnicodeDecodeError:
        # JSON is UTF-8 whatever its label says; where it isn't, it is what the label says.
        value = _parse(answer.content.decode(answer.charset))
    return _mended(value) if _ODD_ESCAPES.search(answer.content) else value


def _parse(content: bytes | str) -> object:
    value: object = json.loads(content, parse_float=Decimal, parse_constant=_refuse_constant)
    return value


def _mended(value: object) -> object:
    match value:
        case str():
            whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            return whole.replace("\0", "\ufffd")
        case list():
            return [_mended(item) for item in value]
        case dict():
            return {_mended(name): _mended(member) for name, member in value.items()}
        case _:
            return value


def _leads_to_login(answer: Answer) -> bool:
    try:
        target = urlsplit(answer.location)
    except ValueError:
        return False
    if target.netloc and f"{target.scheme or urlsplit(answer.origin).scheme}://{target.netloc}" != answer.origin:
        return True  # away from the portal: to the identity provider
    return target.path.rstrip("/") in ("/login", "/account-back/auth/login")


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} isn't JSON")


def _fold(text: str) -> str:
    return " ".join(text.casefold().split())
