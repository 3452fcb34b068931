"""A session in every form that browsers export: what is kept, what is left out, and what is said of the rest."""

from __future__ import annotations

import itertools
import json
import random
import shlex
from typing import TYPE_CHECKING, Any, Final

import pytest

from orders_service.accounts.session import Cookie
from orders_service.accounts.session_file import MAX_FILE_BYTES, SessionFile, SessionUnreadable, read_session
from orders_service.commands import language

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HOST: Final = "lk.rosreestr.ru"
NOW_S: Final = 1_800_000_000.0
LATER: Final = NOW_S + 3600
CANARY: Final = "canary7731"
#: Name, value, domain, path, when it expires.
Row = tuple[str, str, str, str, float | None]

AUTH: Final[Row] = ("AUTH_TOKEN", f"{CANARY}-a=", HOST, "/", LATER)
UID: Final[Row] = ("uid", f"{CANARY}-u", ".rosreestr.ru", "/", None)
ROUTE: Final[Row] = ("route", f"{CANARY}-r1", HOST, "/", None)
ROUTE_BACK: Final[Row] = ("route", f"{CANARY}-r2", HOST, "/account-back", None)
FOREIGN: Final[Row] = ("_ym_uid", f"{CANARY}-y", ".yandex.ru", "/", LATER)
#: Of the domain above, and for that alone.
PARENT: Final[Row] = ("main", f"{CANARY}-m", "rosreestr.ru", "/", LATER)
OVER: Final[Row] = ("OLD", f"{CANARY}-o", HOST, "/", NOW_S - 1)


def netscape(rows: Sequence[Row]) -> str:
    lines = ["# Netscape HTTP Cookie File", "# https://curl.se/docs/http-cookies.html", ""]
    for name, value, domain, path, expires in rows:
        below = "TRUE" if domain.startswith(".") else "FALSE"
        lines.append(f"#HttpOnly_{domain}\t{below}\t{path}\tTRUE\t{int(expires or 0)}\t{name}\t{value}")
    return "\n".join(lines) + "\n"


def netscape_bare(rows: Sequence[Row]) -> str:
    return "\r\n".join(netscape(rows).splitlines()[3:]).replace("#HttpOnly_", "")


def edit_this_cookie(rows: Sequence[Row]) -> str:
    return json.dumps(
        [
            {
                "domain": domain,
                "expirationDate": expires,
                "hostOnly": not domain.startswith("."),
                "httpOnly": True,
                "name": name,
                "path": path,
                "sameSite": "unspecified",
                "secure": True,
                "session": expires is None,
                "storeId": "0",
                "value": value,
                "id": 1,
            }
            for name, value, domain, path, expires in rows
        ],
        indent=4,
    )


def cookie_editor(rows: Sequence[Row]) -> str:
    keys = ("name", "value", "domain", "path", "expirationDate")
    return json.dumps([dict(zip(keys, row, strict=True)) for row in rows])


def storage_state(rows: Sequence[Row]) -> str:
    keys = ("name", "value", "domain", "path", "expires")
    cookies = [dict(zip(keys, (*row[:4], row[4] or -1), strict=True)) for row in rows]
    return json.dumps({"cookies": cookies, "origins": [{"origin": f"https://{HOST}", "localStorage": []}]})


def header_of(rows: Sequence[Row]) -> str:
    """What a browser would send: its jar has sorted out sites and times, and goes by the longest path."""
    return "; ".join(f"{name}={value}" for name, value, *_ in sorted(rows, key=lambda row: -len(row[3])))


def har(rows: Sequence[Row], url: str = f"https://{HOST}/account-back/x") -> str:
    plain = {"request": {"method": "GET", "url": "https://mc.yandex.ru/", "cookies": [{"name": "x", "value": CANARY}]}}
    cookies = [{"name": row[0], "value": row[1], "path": row[3], "domain": row[2], "expires": None} for row in rows]
    whole = {"request": {"method": "GET", "url": url, "headers": [], "cookies": cookies}}
    without = {"request": {"method": "GET", "url": url, "headers": [], "cookies": []}}
    return json.dumps({"log": {"version": "1.2", "entries": [plain, whole, without]}})


def har_header(rows: Sequence[Row], url: str = f"https://{HOST}/") -> str:
    headers = [{"name": "Cookie", "value": header_of(rows)}] if rows else []
    return json.dumps({"log": {"entries": [{"request": {"url": url, "headers": headers}}]}})


def header(rows: Sequence[Row]) -> str:
    return f"Cookie: {header_of(rows)}"


def header_value(rows: Sequence[Row]) -> str:
    return header_of(rows)


def headers(rows: Sequence[Row], host: str = HOST) -> str:
    return f"GET / HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nCookie: {header_of(rows)}\r\nDNT: 1\r\n"


def headers_by_lines(rows: Sequence[Row], host: str = HOST) -> str:
    return f":authority\n{host}\n:method\nGET\ncookie\n{header_of(rows)}\ndnt\n1\n"


def curl(rows: Sequence[Row], url: str = f"https://{HOST}/account-back/x?a=1&b=2") -> str:
    sent = shlex.quote(header_of(rows))
    return f"curl {shlex.quote(url)} \\\n  -H 'accept: */*' \\\n  -b {sent} \\\n  -H 'dnt: 1'"


def curl_header(rows: Sequence[Row], url: str = f"https://{HOST}/") -> str:
    sign = "\\u0021" if rows else ""
    return f"curl '{url}' --compressed -H $'cookie: {header_of(rows)}{sign}' -X POST"


def curl_windows(rows: Sequence[Row], url: str = f"https://{HOST}/") -> str:
    return f'curl ^"{url}^" ^\r\n  -H ^"accept: */*^" ^\r\n  -b ^"{header_of(rows)}^"'


JARS: Final = (netscape, netscape_bare, edit_this_cookie, cookie_editor, storage_state)
REQUESTS: Final = (har_header, header, header_value, headers, headers_by_lines, curl, curl_header, curl_windows)
FORMS: Final[tuple[Callable[[Sequence[Row]], str], ...]] = (*JARS, har, *REQUESTS)
by_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)


def read(text: str | bytes) -> SessionFile:
    return read_session(text.encode() if isinstance(text, str) else text, HOST, now_s=NOW_S)


def refusal(text: str | bytes) -> str:
    with pytest.raises(SessionUnreadable) as caught:
        read(text)
    told = str(caught.value)
    assert CANARY not in told
    assert CANARY not in repr(caught.value.__cause__)
    assert CANARY not in language.to_russian(told)
    assert language.to_russian(told) != told, "it is said in Russian, too"
    return told


def pairs(rows: Sequence[Row]) -> set[tuple[str, str]]:
    return {row[:2] for row in rows}


@by_form
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1251"])
def test_each_form_is_told_by_itself_in_any_encoding(form: Callable[[Sequence[Row]], str], encoding: str) -> None:
    rows = (AUTH, UID, ROUTE)

    found = read(form(rows).encode(encoding))

    # The one form that has its own sign behind the last value.
    kept = {(cookie.name, cookie.value.rstrip("!")) for cookie in found.cookies}
    assert kept == pairs(rows)
    assert (found.expired, found.others, found.unusable, found.doubtful) == ((), 0, 0, ())
    assert CANARY not in repr(found)


@pytest.mark.parametrize("form", JARS, ids=lambda form: form.__name__)
def test_of_a_jar_only_what_the_portal_would_be_sent_is_kept(form: Callable[[Sequence[Row]], str]) -> None:
    found = read(form((AUTH, FOREIGN, UID, PARENT, OVER, ("odd", "a\\b", HOST, "/", None))))

    assert {(cookie.name, cookie.value) for cookie in found.cookies} == pairs((AUTH, UID))
    assert (found.expired, found.others, found.unusable) == (("OLD",), 2, 1)


@pytest.mark.parametrize("form", [*JARS, har], ids=lambda form: form.__name__)
def test_one_name_with_two_paths_stays_two_cookies(form: Callable[[Sequence[Row]], str]) -> None:
    found = read(form((ROUTE, ROUTE_BACK, AUTH)))

    assert {(one.name, one.value, one.path) for one in found.cookies} == {
        (*ROUTE[:2], "/"),
        (*ROUTE_BACK[:2], "/account-back"),
        (*AUTH[:2], "/"),
    }
    assert found.doubtful == ()


@pytest.mark.parametrize("form", REQUESTS, ids=lambda form: form.__name__)
def test_of_one_name_twice_in_a_header_the_first_is_taken_and_that_is_told(
    form: Callable[[Sequence[Row]], str],
) -> None:
    found = read(form((ROUTE, ROUTE_BACK, AUTH)))

    assert [one.value.rstrip("!") for one in found.cookies if one.name == "route"] == [ROUTE_BACK[1]]
    assert found.doubtful == ("route",)


def test_the_hosts_own_goes_before_that_of_the_domain_above_it() -> None:
    above = ("route", f"{CANARY}-above", ".rosreestr.ru", "/", None)

    for rows in itertools.permutations((ROUTE, above)):
        assert read(netscape(rows)).cookies == (Cookie(name="route", value=ROUTE[1]),)


@by_form
def test_a_cut_file_is_refused_or_gives_only_what_stands_in_it(form: Callable[[Sequence[Row]], str]) -> None:
    rows = (UID, ROUTE, AUTH)
    text = form(rows)
    whole = {cookie.name: cookie.value for cookie in read(text).cookies}

    for end in range(1, len(text)):
        try:
            found = read(text[:end])
        except SessionUnreadable as exc:
            assert CANARY not in str(exc)
            continue
        # A cut at the end of a line, or in the last value, can't be told from a shorter one.
        for cookie in found.cookies:
            assert any(cookie.name in name and cookie.value in value for name, value in whole.items())


@by_form
def test_an_empty_one_is_refused_and_forgets_no_session(form: Callable[[Sequence[Row]], str]) -> None:
    assert "cookies" in refusal(form(()))


def test_what_is_cut_or_has_nothing_says_what_to_do() -> None:
    assert "it is empty" in refusal("")
    assert "it is empty" in refusal(b"\xef\xbb\xbf \r\n")
    assert "breaks off or is damaged at line" in refusal(cookie_editor((AUTH,))[:-5])
    assert "line 4 isn't one of a cookies.txt" in refusal(netscape((AUTH,)).rpartition("\tAUTH")[0])
    assert "as cURL breaks off" in refusal(curl((AUTH,)).rpartition("'dnt")[0] + "'d")
    assert "shortened the header" in refusal(f"Cookie: AUTH_TOKEN={CANARY}…; uid=1")
    assert "breaks off in its last cookie" in refusal(f"Cookie: uid=1; {CANARY}")
    assert read("{}").cookies == (), "the one way to forget a session"


@pytest.mark.parametrize("form", JARS, ids=lambda form: form.__name__)
def test_a_file_of_another_site_or_of_yesterday_is_told_as_such(form: Callable[[Sequence[Row]], str]) -> None:
    assert f"no cookie of {HOST}, only of other sites (2)" in refusal(form((FOREIGN, PARENT)))
    assert f"all its cookies of {HOST} have expired (1)" in refusal(form((OVER, FOREIGN)))


def test_a_request_to_another_site_is_told_as_such() -> None:
    other = f"https://example.org/?{CANARY}"
    for text in (curl((AUTH,), other), curl_header((AUTH,), other), curl_windows((AUTH,), other)):
        assert f"goes to another host, not to {HOST}" in refusal(text)
    for text in (headers((AUTH,), "example.org"), headers_by_lines((AUTH,), "evil-lk.rosreestr.ru")):
        assert f"goes to another host, not to {HOST}" in refusal(text)
    for text in (har((AUTH,), other), har_header((AUTH,), f"https://{HOST}.example.org/")):
        assert f"HAR without a request to {HOST}" in refusal(text)
    assert "export it with sensitive data" in refusal(har(()))


@by_form
def test_a_huge_one_is_bounded(form: Callable[[Sequence[Row]], str]) -> None:
    many = [(f"n{number}", CANARY, HOST, "/", None) for number in range(201)]

    assert len(read(form(many[:200])).cookies) == 200
    assert f"201 cookies of {HOST}, and up to 200" in refusal(form(many))
    long = read(form((AUTH, ("long", CANARY * 1000, HOST, "/", None), UID)))
    assert (len(long.cookies), long.unusable) == (2, 1)


def test_a_file_that_is_too_large_or_too_deep_is_refused_unread() -> None:
    assert "more than 32 MiB" in refusal(b"{" * (MAX_FILE_BYTES + 1))
    for text in ("[" * 200_000, '{"cookies":' * 200_000, '[{"name": ' + "9" * 5000 + "}]"):
        refusal(text)


OTHER_JSON: Final[tuple[Any, ...]] = (
    None,
    True,
    f"{CANARY}",
    [None],
    [1, 2],
    [[AUTH[1]]],
    [[]],
    [{"name": "a"}],
    [{"name": "a", "value": 7731}],
    [{"name": ["canary7731"], "value": "x"}],
    [{"name": "a", "value": "b"}, CANARY],
    [{"key": CANARY}],
    {"a": 1},
    {"a": {"b": CANARY}},
    {"cookies": CANARY, "x": 1},
    {"cookies": [CANARY]},
    {"cookies": {"a": CANARY}},
    {"cookies": []},
    {"log": {}},
    {"log": {"entries": {}}},
    {"log": {"entries": [None, {"request": 1}, {"request": {"url": 1}}, {"request": {"url": "http://[" + CANARY}}]}},
    {"log": {"entries": [{"request": {"url": f"https://{HOST}/", "cookies": CANARY, "headers": [1, {"name": 2}]}}]}},
    {"log": CANARY, "x": []},
)


@pytest.mark.parametrize("document", OTHER_JSON, ids=lambda document: json.dumps(document)[:40])
def test_other_json_is_refused_with_what_it_is(document: object) -> None:
    refusal(json.dumps(document))


@pytest.mark.parametrize(
    "text", ["7", "-1.5", "NaN", "<html></html>", f"{CANARY}", "a\0b", "\x89PNG\0", "a: b\nc: d", "\ud7ff"]
)
def test_what_is_in_no_form_is_refused(text: str) -> None:
    refusal(text)


@pytest.mark.parametrize(
    ("moment", "is_kept"),
    [
        (None, True),
        (-1, True),
        (0, True),
        (LATER, True),
        (LATER * 1000, True),
        (NOW_S * 1000 - 1000, False),
        (NOW_S - 1, False),
        ("2100-01-01T00:00:00Z", True),
        ("2001-01-01T00:00:00.000Z", False),
        ("soon", True),
        (True, True),
        (10**400, True),
        ([], True),
    ],
)
def test_a_time_is_told_in_any_of_its_ways_and_one_that_is_none_leaves_the_cookie(moment: Any, is_kept: bool) -> None:
    item = {"name": "a", "value": "b", "domain": HOST, "path": "/", "expirationDate": moment}

    found = read(json.dumps([item, {"name": "c", "value": "d", "domain": HOST}]))

    assert [cookie.name for cookie in found.cookies] == (["a", "c"] if is_kept else ["c"])


def test_damaged_files_never_end_in_anything_but_a_refusal() -> None:
    chance = random.Random(7731)
    for form in FORMS:
        text = form((AUTH, UID, ROUTE, ROUTE_BACK))
        for _ in range(150):
            damaged = list(text)
            for _ in range(chance.randint(1, 6)):
                where = chance.randrange(len(damaged))
                damaged[where : where + chance.choice((0, 1, 20))] = chance.choice(
                    ("", '"', "'", "\\", "\t", "\n", "\0", "…", "\ud800", "ё", "{", "]", "=", ";", "$'", "^", "9" * 400)
                )
            try:
                read("".join(damaged).encode("utf-8", "surrogatepass"))
            except SessionUnreadable as exc:
                assert CANARY not in str(exc)
