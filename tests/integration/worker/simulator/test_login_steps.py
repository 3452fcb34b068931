"""The ESIA's login, step by step: every factor, wrong and late answers, offers, locks, QR."""

from __future__ import annotations

import base64
import hmac
import json
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.integration.worker.simulator.thread import SimulatorThread
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.worker.simulator.user import User

SECRET = "JBSWY3DPEHPK3PXP"
API = "/aas/oauth2/api/login"
STEPS: dict[str, list[object]] = {
    "totp": ["totp"],
    "sms": ["sms"],
    "max": ["max"],
    "push": ["push"],
    "captcha": ["captcha"],
    "captcha_json": [{"step": "captcha", "is_json": True}],
    "question": [{"step": "question", "question": "Как звали собаку?", "answer": "Рыжий  Пёс"}],
    "question_json": [{"step": "question", "is_json": True}],
    "max_quiz": ["max_quiz"],
    "max_quiz_must": [{"step": "max_quiz", "skippable": False}],
    "max_quiz_silent": [{"step": "max_quiz", "skippable": None}],
    "change_password": ["change_password"],
    "fill_mfa": ["fill_mfa"],
    "unknown": [{"step": "unknown", "said": "SCAN_YOUR_FACE"}],
    "page": [{"step": "page", "said": "Новые правила"}],
    "everything": ["captcha", "question", "sms", "max_quiz", "change_password", "fill_mfa"],
}


def code_at(at_s: float) -> str:
    """RFC 6238, written here a second time."""
    mac = hmac.digest(base64.b32decode(SECRET), struct.pack(">Q", int(at_s // 30)), "sha1")
    return str(int.from_bytes(mac[mac[-1] & 15 :][:4], "big") % 2**31 % 10**6).zfill(6)


@pytest.fixture(scope="module")
def shared() -> Iterator[SimulatorThread]:
    """One for all tests of this file, an account for each way to log in."""
    rows: list[Any] = [
        {"username": name, "password": "secret", "login_steps": steps, "totp_secret": SECRET}
        for name, steps in STEPS.items()
    ]
    rows.append({"username": "plain", "password": "secret", "logins": ["+70000000001", "plain@example.test"]})
    thread = SimulatorThread(rows=rows)
    yield thread
    thread.close()


@pytest.fixture
def simulator(shared: SimulatorThread) -> Iterator[SimulatorThread]:
    """Settings, locks and faults are put back after each test."""
    before = shared.simulator.knobs.now
    yield shared
    shared.simulator.knobs.now = before
    for name in STEPS:
        shared.post(f"/accounts/{name}", locked=False)


def post(user: User, path: str, **query: str) -> httpx.Response:
    """One of the login's calls."""
    return user.http.post(f"{API}/{path}", params=query, json={})


def code_of(simulator: SimulatorThread, name: str) -> str:
    """The newest code that arrived at this person."""
    return str(simulator.get("/codes", account=name)["codes"][-1]["code"])


def is_in(user: User, answer: httpx.Response) -> bool:
    """Whether the login is done, and its way back brings a session."""
    body = answer.json()
    assert body["action"] == "DONE", body
    user.come_back(body["redirect_url"])
    user.bind()
    return bool(user.roles()["logged"])


def test_a_code_of_the_authenticator_opens_the_session(simulator: SimulatorThread) -> None:
    user = simulator.user("totp")
    asked = user.ask_login().json()

    assert asked["action"] == "ENTER_MFA"
    assert (asked["mfa_details"]["type"], asked["mfa_details"]["ttp_details"]["code_length"]) == ("TTP", 6)
    assert is_in(user, post(user, "totp/verify", code=code_at(time.time())))
    assert "code=" not in json.dumps(simulator.get("/requests"))


def test_the_short_dialect_has_words_of_its_own(simulator: SimulatorThread) -> None:
    simulator.post("/settings", login_dialect="short")
    user = simulator.user("totp")

    assert user.ask_login().json() == {"action": "ENTER_TOTP"}
    assert post(user, "totp/verify", code="wrong").status_code == 400
    assert is_in(user, post(user, "totp/verify", code=code_at(time.time())))


@pytest.mark.parametrize(
    ("name", "kind", "details", "path"),
    [("sms", "SMS", "otp_details", "otp/verify"), ("max", "MAX", "otp_max_details", "otp-max/verify")],
)
def test_a_code_that_was_sent_opens_the_session(
    simulator: SimulatorThread, name: str, kind: str, details: str, path: str
) -> None:
    user = simulator.user(name)
    asked = user.ask_login().json()

    assert (asked["action"], asked["mfa_details"]["type"]) == ("ENTER_MFA", kind)
    told = asked["mfa_details"][details]
    assert (told["code_length"], told["verify_attempts_left"], told["verify_timeout_secs"]) == (6, 3, 300)
    assert "***" in told["phone"]
    code = code_of(simulator, name)
    assert f"код {code}!" in simulator.get("/codes", account=name)["codes"][-1]["text"]
    assert is_in(user, post(user, path, code=code))


def test_a_wrong_code_is_failed_in_a_good_answer_and_may_be_corrected(simulator: SimulatorThread) -> None:
    simulator.post("/settings", login_status=202)
    user = simulator.user("sms")
    assert user.ask_login().status_code == 202

    answer = post(user, "otp/verify", code="wrong")

    assert (answer.status_code, answer.json()["failed"]) == (202, "INVALID_CODE")
    assert answer.json()["mfa_details"]["otp_details"]["verify_attempts_left"] == 2
    assert is_in(user, post(user, "otp/verify", code=code_of(simulator, "sms")))


def test_wrong_codes_to_the_end_are_the_end_of_the_login(simulator: SimulatorThread) -> None:
    user = simulator.user("sms")
    user.ask_login()

    words = [post(user, "otp/verify", code="wrong").json()["failed"] for _ in range(3)]

    assert words == ["INVALID_CODE", "INVALID_CODE", "ATTEMPTS_EXCEEDED"]
    assert post(user, "otp/verify", code=code_of(simulator, "sms")).status_code == 401


def test_a_code_is_good_for_a_time(simulator: SimulatorThread) -> None:
    simulator.post("/settings", code_ttl_s=60)
    user = simulator.user("sms")
    user.ask_login()
    simulator.post("/time", pass_s=60)

    assert post(user, "otp/verify", code=code_of(simulator, "sms")).json()["failed"] == "CODE_EXPIRED"


def test_a_code_may_arrive_late(simulator: SimulatorThread) -> None:
    simulator.post("/settings", code_delay=200)
    user = simulator.user("max")
    before = len(simulator.get("/codes", account="max")["codes"])
    user.ask_login()
    assert len(simulator.get("/codes", account="max")["codes"]) == before

    simulator.post("/time", pass_s=200)

    assert is_in(user, post(user, "otp-max/verify", code=code_of(simulator, "max")))


def test_a_login_must_come_to_its_end_in_time(simulator: SimulatorThread) -> None:
    user = simulator.user("sms")
    user.ask_login()
    simulator.post("/time", pass_s=300)

    assert post(user, "otp/verify", code=code_of(simulator, "sms")).status_code == 401


def test_a_code_without_the_flow_s_cookie_is_401(simulator: SimulatorThread) -> None:
    user = simulator.user("totp")
    user.ask_login()
    user.http.cookies.clear()

    assert post(user, "totp/verify", code=code_at(time.time())).status_code == 401


def test_a_code_for_another_step_is_refused(simulator: SimulatorThread) -> None:
    user = simulator.user("sms")
    user.ask_login()

    assert post(user, "totp/verify", code=code_at(time.time())).status_code == 400
    assert post(user, "quiz-max/skip").status_code == 400


def test_a_captcha_is_a_page_with_a_picture_whose_digits_open_the_way(simulator: SimulatorThread) -> None:
    user = simulator.user("captcha")
    page = user.ask_login()

    assert page.headers["content-type"].startswith("text/html")
    assert "Введите код с картинки" in page.text
    source = page.text.partition('src="')[2].partition('"')[0]
    picture = user.http.get(source)
    assert (picture.headers["content-type"], picture.content[:4]) == ("image/png", b"\x89PNG")
    assert is_in(user, post(user, "captcha/verify", code=code_of(simulator, "captcha")))
    assert user.http.get(source).status_code == 404


def test_a_captcha_can_come_as_json_and_a_wrong_try_makes_a_new_picture(simulator: SimulatorThread) -> None:
    user = simulator.user("captcha_json")
    asked = user.ask_login().json()
    first = code_of(simulator, "captcha_json")

    assert asked["failed"] == "CAPTCHA_REQUIRED"
    again = post(user, "captcha/verify", code="wrong").json()
    assert (again["failed"], again["captcha_details"]) == ("INVALID_CODE", asked["captcha_details"])
    assert code_of(simulator, "captcha_json") != first
    assert is_in(user, post(user, "captcha/verify", code=code_of(simulator, "captcha_json")))


def test_a_question_is_the_page_s_last_line_and_its_answer_is_folded(simulator: SimulatorThread) -> None:
    user = simulator.user("question")
    page = user.ask_login()

    assert "<p>Подтвердите, что это вы<br>Как звали собаку?</p>" in page.text
    wrong = user.http.post(f"{API}/anomaly/verify", json={"answer": "кошка"})
    assert wrong.json()["failed"] == "INVALID_ANSWER"
    assert is_in(user, user.http.post(f"{API}/anomaly/verify", json={"answer": " рыжий   ПЁС "}))


def test_a_question_can_come_as_json(simulator: SimulatorThread) -> None:
    asked = simulator.user("question_json").ask_login().json()

    assert asked["anomaly_details"]["question"] == "В каком городе вы родились?"


@pytest.mark.parametrize(
    ("name", "action", "path"),
    [
        ("max_quiz", "MAX_QUIZ", "quiz-max/skip"),
        ("change_password", "CHANGE_PASSWORD", "change-password/skip"),
        ("fill_mfa", "FILL_MFA", "promo-mfa/fill-mfa?decision=false"),
    ],
)
def test_an_offer_can_be_declined(simulator: SimulatorThread, name: str, action: str, path: str) -> None:
    user = simulator.user(name)

    assert user.ask_login().json()["action"] == action
    assert user.http.get(f"{API}/next-step").json()["action"] == action
    assert is_in(user, user.http.post(f"{API}/{path}", json={}))


@pytest.mark.parametrize(("name", "details"), [("max_quiz_must", {"skippable": False}), ("max_quiz_silent", {})])
def test_an_offer_that_must_be_taken_is_not_skipped(
    simulator: SimulatorThread, name: str, details: dict[str, bool]
) -> None:
    user = simulator.user(name)

    assert user.ask_login().json()["max_details"] == details
    assert post(user, "quiz-max/skip").json()["failed"] == "NOT_SKIPPABLE"


def test_what_nobody_knows_is_said_as_it_is(simulator: SimulatorThread) -> None:
    assert simulator.user("unknown").ask_login().json() == {"action": "SCAN_YOUR_FACE"}
    assert "<title>Новые правила</title>" in simulator.user("page").ask_login().text
    assert simulator.user("push").ask_login().json()["mfa_details"]["type"] == "PUSH"


def test_everything_can_be_asked_one_after_the_other(simulator: SimulatorThread) -> None:
    user = simulator.user("everything")
    user.ask_login()
    post(user, "captcha/verify", code=code_of(simulator, "everything"))
    user.http.post(f"{API}/anomaly/verify", json={"answer": "тестовск"})
    post(user, "otp/verify", code=code_of(simulator, "everything"))
    post(user, "quiz-max/skip")
    post(user, "change-password/skip")

    assert is_in(user, post(user, "promo-mfa/fill-mfa", decision="false"))


@pytest.mark.parametrize("status", [200, 201, 401, 403])
def test_wrong_passwords_lock_an_account_for_a_time(simulator: SimulatorThread, status: int) -> None:
    simulator.post("/settings", lock_after=2, lock_s=600, refused_login_status=status)
    user = simulator.user("max_quiz", password="wrong")

    answers = [user.ask_login() for _ in range(2)]
    user.password = "secret"
    answers.append(user.ask_login())

    assert [answer.json()["failed"] for answer in answers] == ["INVALID_PASSWORD", "ACCOUNT_LOCKED", "ACCOUNT_LOCKED"]
    assert {answer.status_code for answer in answers} == {status}
    simulator.post("/time", pass_s=600)
    assert user.ask_login().json()["action"] == "MAX_QUIZ"


def test_wrong_passwords_can_bring_a_captcha(simulator: SimulatorThread) -> None:
    simulator.post("/settings", captcha_after=1)
    user = simulator.user("change_password", password="wrong")
    user.ask_login()
    user.password = "secret"

    assert "Введите код с картинки" in user.ask_login().text


def test_passwords_are_counted(simulator: SimulatorThread) -> None:
    user = simulator.user("fill_mfa", password="wrong")
    before = simulator.simulator.conduct.passwords(simulator.simulator.accounts.find("fill_mfa"))  # type: ignore[arg-type]
    user.ask_login()

    [shown] = [entry for entry in simulator.get("/accounts")["accounts"] if entry["account"] == "fill_mfa"]
    assert (shown["passwords"], shown["wrong_in_a_row"], shown["is_locked"]) == (before + 1, 1, False)
    [judged] = [entry for entry in simulator.get("/conduct")["accounts"] if entry["account"] == "fill_mfa"]
    assert judged["most_passwords_an_hour"] >= 1
    assert "secret" not in json.dumps(simulator.get("/accounts"))


def test_a_person_has_several_logins(simulator: SimulatorThread) -> None:
    for login in ("+70000000001", "plain@example.test"):
        user = simulator.user(login)
        assert is_in(user, user.ask_login())
    assert simulator.user("plain").ask_login().status_code == 401


def test_a_password_may_need_the_page_first(simulator: SimulatorThread) -> None:
    simulator.post("/settings", login_needs_page=True)
    user = simulator.user("+70000000001")
    assert user.ask_login().status_code == 401

    start = user.http.get("/account-back/auth/login")
    user.http.get(start.headers["location"])

    assert user.ask_login().status_code == 200


def test_anybody_can_be_let_in(simulator: SimulatorThread) -> None:
    simulator.post("/settings", any_account="welcome")

    assert simulator.user("stranger", "wrong").ask_login().status_code == 401
    user = simulator.user("stranger", "welcome")
    assert is_in(user, user.ask_login())


def test_an_account_can_be_added_and_its_steps_changed(simulator: SimulatorThread) -> None:
    simulator.post("/accounts", username="new", password="secret", balance=1)
    user = simulator.user("new")
    assert is_in(user, user.ask_login())
    assert user.balance() == 1

    simulator.post("/accounts/new", login_steps=["sms"], has_passport=False)

    assert user.ask_login().json()["mfa_details"]["type"] == "SMS"
    assert "RF_PASSPORT" not in json.dumps(user.profile())
    simulator.post("/accounts/new", has_passport=True)
    assert "RF_PASSPORT" in json.dumps(user.profile())


@pytest.mark.parametrize(
    "body",
    [
        {"login_steps": "sms"},
        {"login_steps": ["smoke"]},
        {"login_steps": [{"step": "sms", "colour": 1}]},
        {"login_steps": [{"step": "question", "answer": 1}]},
        {"login_steps": ["totp"]},
        {"locked": 1},
        {"colour": 1},
    ],
)
def test_a_change_that_makes_no_sense_is_refused(simulator: SimulatorThread, body: dict[str, object]) -> None:
    answer = simulator.ask("POST", "/accounts/plain", body)

    assert (answer.status_code, answer.json()["field"]) == (400, next(iter(body)))


def test_a_fault_of_an_account_meets_its_codes_too(simulator: SimulatorThread) -> None:
    user = simulator.user("sms")
    user.ask_login()
    simulator.fault("sms", "status", account="sms", times=1)

    assert post(user, "otp/verify", code="x").status_code == 500


def waiting(user: User, qr_id: str) -> tuple[threading.Thread, list[httpx.Response]]:
    """Somebody in front of the QR code."""
    told: list[httpx.Response] = []
    screen = threading.Thread(target=lambda: told.append(user.http.get(f"/qr-delegate/qr/subscribe/{qr_id}")))
    screen.start()
    return screen, told


def event_of(answer: httpx.Response) -> tuple[str, dict[str, Any]]:
    """The one event of a stream."""
    name, data = answer.text.strip().split("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_a_qr_code_that_is_scanned_opens_the_way_back(simulator: SimulatorThread) -> None:
    user = simulator.user("plain")
    made = user.http.post("/qr-delegate/qr/generate", json={"esia_session": "x"}).json()
    screen, told = waiting(user, made["qr_id"])

    assert simulator.get("/qr")["codes"] == [
        {"qr_id": made["qr_id"], "text": f"gosuslugi://auth/signed_token={made['signed_token']}"}
    ]
    simulator.post("/qr", account="plain")
    screen.join(30)

    name, data = event_of(told[0])
    assert (told[0].headers["content-type"].partition(";")[0], name) == ("text/event-stream", "qr-auth-confirmed")
    user.come_back(data["redirect_url"])
    assert user.bind().roles()["logged"] is True


def test_a_qr_code_that_nobody_scans_ends_in_an_error(simulator: SimulatorThread) -> None:
    simulator.post("/settings", qr_ttl_s=0.2)
    user = simulator.user("plain")
    made = user.http.post("/qr-delegate/qr/generate", json={"esia_session": "x"}).json()

    answer = user.http.get(f"/qr-delegate/qr/subscribe/{made['qr_id']}")

    assert event_of(answer)[1]["code"] == "ESIA-007110"
    assert simulator.ask("POST", "/qr", {"account": "plain"}).status_code == 404


def test_a_phone_forwards_each_sms(
    simulator: SimulatorThread, phone_calls: list[str], phone_url: Callable[[str], str]
) -> None:
    simulator.post("/settings", sms_forward=phone_url("/api/codes/sms?token=t"))

    simulator.user("sms").ask_login()

    [path] = wait_until(lambda: phone_calls, "the phone's call", timeout_s=30)
    query = httpx.URL(path).params
    assert (query["token"], query["userName"]) == ("t", "sms")
    assert query["code"] == simulator.get("/codes", account="sms")["codes"][-1]["text"]


@pytest.fixture
def phone_calls() -> list[str]:
    """What the phone called."""
    return []


@pytest.fixture
def phone_url(phone_calls: list[str]) -> Iterator[Callable[[str], str]]:
    """Whom the phone calls."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            phone_calls.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield lambda path: f"http://127.0.0.1:{server.server_port}{path}"
    server.shutdown()
    server.server_close()
    thread.join(30)
