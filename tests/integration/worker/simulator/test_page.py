"""The simulator in the browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.integration.worker.simulator.numbers import ROOM
from tests.integration.worker.simulator.thread import SimulatorThread

if TYPE_CHECKING:
    from collections.abc import Iterator

VIEWS = ("accounts", "orders", "ledger", "calls", "faults", "settings")
ODD_NAME = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorThread]:
    """One that has something to show on every page."""
    rows: list[dict[str, object]] = [
        {"username": "anna", "password": "very-secret", "login_steps": ["sms"]},
        {"username": "boris", "password": "secret"},
        {"username": ODD_NAME, "password": "secret"},
    ]
    thread = SimulatorThread(rows=list(rows), ready_after=0)
    thread.user("anna", "very-secret").ask_login()
    boris = thread.bound("boris")
    boris.order(ROOM)
    boris.finish(boris.draft(ROOM))
    thread.fault_of(endpoint="search", sequence=["status", None])
    yield thread
    thread.close()


def view(simulator: SimulatorThread, name: str, **query: str) -> httpx.Response:
    """A page as a browser gets it."""
    return httpx.get(f"{simulator.url}/_simulator/view/{name}", params=query)


class Reader(HTMLParser):
    """Collects every address on a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "action")]


@pytest.mark.parametrize("name", VIEWS)
def test_a_page_needs_nothing_from_elsewhere_and_runs_nothing(simulator: SimulatorThread, name: str) -> None:
    answer = view(simulator, name)
    reader = Reader()
    reader.feed(answer.text)

    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "script" not in reader.tags
    assert all(address.startswith("/_simulator/view/") for address in reader.addresses)
    assert "very-secret" not in answer.text


def test_the_pages_show_accounts_codes_orders_charges_calls_and_faults(simulator: SimulatorThread) -> None:
    [code] = simulator.get("/codes")["codes"]
    [first, second] = simulator.charges("boris")

    assert code["code"] in view(simulator, "accounts").text
    assert ROOM in view(simulator, "orders", account="boris").text
    assert "Nothing yet" in view(simulator, "orders", account="anna").text
    assert first["number"] in view(simulator, "ledger").text
    assert second["super_package_guid"] in view(simulator, "ledger").text
    assert "applications" not in view(simulator, "calls", endpoint="finish").text.partition("<tbody>")[2]
    assert "[&quot;status&quot;, null]" in view(simulator, "faults").text
    assert "min_interval_s" in view(simulator, "settings").text
    assert "refresh" in view(simulator, "calls", live="1").text


def test_the_root_leads_to_the_first_page(simulator: SimulatorThread) -> None:
    for path in ("/_simulator", "/_simulator/"):
        assert httpx.get(simulator.url + path).headers["location"] == "/_simulator/view/accounts"


def press(simulator: SimulatorThread, on: str, **form: str) -> httpx.Response:
    """A button of a page."""
    headers = {"Referer": f"{simulator.url}/_simulator/view/{on}", "Origin": simulator.url}
    return httpx.post(f"{simulator.url}/_simulator/view/do", data=form, headers=headers, follow_redirects=True)


def test_a_button_does_its_call_and_comes_back(simulator: SimulatorThread) -> None:
    page = press(simulator, "settings", call="POST /settings", **{"field.mood": "0.25"})

    assert page.url.path == "/_simulator/view/settings"
    assert "Done." in page.text
    assert simulator.get("/settings")["settings"]["mood"] == 0.25
    press(simulator, "settings", call="POST /settings", body='{"mood": 0}')
    assert simulator.get("/settings")["settings"]["mood"] == 0


def test_a_setting_can_be_emptied(simulator: SimulatorThread) -> None:
    simulator.post("/settings", maintenance=["03:00-03:01"])

    press(simulator, "settings", call="POST /settings", **{"field.maintenance": ""})

    assert simulator.get("/settings")["settings"]["maintenance"] == []


def test_what_makes_no_sense_is_said_on_the_page(simulator: SimulatorThread) -> None:
    page = press(simulator, "faults", call="POST /faults", **{"field.endpoint": "<b>finnish</b>", "field.kind": ""})

    assert re.search(r'class="said">endpoint must be one of', page.text)


def test_an_account_with_an_odd_name_is_text(simulator: SimulatorThread) -> None:
    page = view(simulator, "accounts", said=ODD_NAME).text

    assert ODD_NAME not in page
    assert "&lt;script&gt;" in page


def test_a_page_of_another_site_presses_no_button(simulator: SimulatorThread) -> None:
    answer = httpx.post(
        f"{simulator.url}/_simulator/view/do",
        data={"call": "POST /logout"},
        headers={"Origin": "http://elsewhere.test"},
    )

    assert answer.status_code == 403
