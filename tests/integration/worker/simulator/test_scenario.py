"""A scenario file: settings, accounts, objects, faults, orders, and what comes later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.worker.simulator.numbers import LAND, ROOM
from tests.waiting import wait_until
from worker.simulator import errors, scenario

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.worker.simulator.conftest import StartProcess
    from tests.integration.worker.simulator.user import User

WHOLE = f"""
[settings]
ready_after = "exp:5:10"
list_page_max = 2
finish_answer = "json"
maintenance = ["sat,sun@00:00-00:01"]
seed = 5

[[accounts]]
username = "anna"
password = "secret"
balance = 3

[[objects]]
cad_num = "{LAND}"
exists = false

[[faults]]
endpoint = "balance"
sequence = ["status"]

[[orders]]
account = "anna"
orders = [{{ cad_num = "{ROOM}", age_s = 86400 }}]

[[steps]]
at_s = 0.01
call = "POST /settings"
body = {{ list_order = "oldest" }}

[[steps]]
at_s = 0.02
call = "POST /accounts/nobody"
"""


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a scenario."""

    def write(content: str) -> Path:
        path = tmp_path / "scenario.toml"
        path.write_text(content, encoding="utf-8")
        return path

    return write


def test_a_scenario_says_all_of_it_and_options_win(
    written: Callable[[str], Path], start_process: StartProcess, bound: Callable[..., User], tmp_path: Path
) -> None:
    options = ("--scenario", str(written(WHOLE)), "--list-page-max", "7", "--state", str(tmp_path / "state"))
    process = start_process(*options, env={})
    anna = bound(process)

    settings = process.get("/settings")["settings"]
    assert (settings["ready_after"], settings["list_page_max"], settings["seed"]) == ("exp:5:10", 7, 5)
    assert settings["maintenance"] == ["sat,sun@00:00-00:01"]
    assert anna.search(LAND).json()["count"] == 0
    assert anna.http.get("/account-back/finances/operations/total?tab=egrn_subscription").status_code == 500
    assert anna.balance() == 3
    assert len(anna.rows()) == 1
    wait_until(lambda: process.get("/settings")["settings"]["list_order"] == "oldest", "the first step")
    wait_until(lambda: "A step of the scenario failed" in process.log.read_text(), "the second step to be told")

    process.close()
    again = start_process(*options, env={})
    assert len(bound(again).rows()) == 1, "orders are planted once, where a state is kept"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[settings", "not TOML"),
        ("[colours]", "[colours] is unknown"),
        ("settings = 1", "settings must be a table"),
        ("[settings]\ncolour = 1", "colour is no setting"),
        ("[settings]\nmood = 2", "mood"),
        ('[settings]\nfinish_answer = "xml"', "finish_answer"),
        ("[settings]\nmaintenance = 1", "maintenance"),
        ("faults = 1", "faults must be tables"),
        ("[[steps]]\nat_s = -1", "steps[0]: at_s"),
        ('[[steps]]\nat_s = 1\ncall = "logout"', "steps[0]: call"),
        ('[[steps]]\nat_s = 1\ncall = "POST /logout"\nbody = 1', "body is a table"),
    ],
)
def test_a_wrong_scenario_is_said_in_a_sentence(written: Callable[[str], Path], content: str, said: str) -> None:
    with pytest.raises(errors.BadSettings, match=said.replace("[", r"\[")):
        scenario.read(written(content))


def test_a_scenario_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(errors.BadSettings, match="can't be read"):
        scenario.read(tmp_path / "none.toml")
