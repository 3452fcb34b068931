"""What happens to every call of the portal before and after its endpoint: session, limits, latency, faults."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from worker.simulator import answers, cadnum, errors
from worker.simulator.faults import effects
from worker.simulator.faults.book import CallFacts
from worker.simulator.faults.kinds import Moment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from worker.simulator.accounts import Account
    from worker.simulator.calls import CallRecord
    from worker.simulator.faults.book import Meeting
    from worker.simulator.faults.fault import Met
    from worker.simulator.runtime import Simulator
    from worker.simulator.sessions import Session

AUTH_COOKIE = "AUTH_TOKEN"
#: Which login under way the ESIA's calls belong to.
FLOW_COOKIE = "ESIA_FLOW"
MAX_BODY_BYTES = 1024 * 1024
#: Where the login's own calls are: outside of the interval, and with codes in their query.
LOGIN_PATHS = ("/aas/", "/account-back/auth/", "/qr-delegate/")
#: Where the call log's record travels in an ASGI scope.
RECORD_KEY = "simulator.call"


class Access(Enum):
    """Whom an endpoint answers."""

    OPEN = "anybody"
    SESSION = "who is logged in"
    ROLE = "who is logged in and bound to a role"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One line of the portal's contract; `name` is what faults and the call log say."""

    name: str
    method: str
    path: str
    handler: Callable[[Call], Response]
    access: Access = Access.ROLE
    is_json: bool = False
    #: The login's own calls are outside the interval, unless a setting says otherwise.
    is_paced: bool = True
    #: The cadastral number that a call is about, if it is about one; whatever the client sent stands in the call.
    about: Callable[[Call], object] = lambda call: None


@dataclass(slots=True, kw_only=True)
class Call:
    """A call that passed the gate, as its endpoint's handler sees it."""

    simulator: Simulator
    request: Request
    endpoint: Endpoint
    record: CallRecord
    body: Mapping[str, object] = field(default_factory=dict)
    session: Session | None = None
    meeting: Meeting | None = None

    @property
    def account(self) -> Account:
        """Whose session it is."""
        account = self.simulator.accounts.find(self._session.account)
        assert account is not None, "sessions are opened for known accounts only"
        return account

    @property
    def oid(self) -> str:
        """The role that the session is bound to."""
        oid = self._session.oid
        assert oid is not None, "the gate lets only bound sessions in here"
        return oid

    @property
    def bound_session(self) -> Session:
        """The session itself, for the endpoint that binds it."""
        return self._session

    @property
    def _session(self) -> Session:
        assert self.session is not None, "the gate lets only sessions in here"
        return self.session

    def take_shape(self) -> str | None:
        """The kind of fault that changes this endpoint's answer; asked once, when nothing else can refuse the call."""
        met = self.take(Moment.SHAPE)
        return met.kind if met else None

    def take(self, moment: Moment) -> Met | None:
        """The fault that meets this call at this moment; the log names it."""
        met = self.meeting.take(moment) if self.meeting is not None else None
        if met is not None:
            self.record.fault = met.kind
        return met

    def origin(self) -> str:
        """Scheme, host and port as the client called them."""
        url = self.request.url
        return f"{url.scheme}://{url.netloc}"


class Gate:
    """Makes an ASGI-ready function of an endpoint."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def guard(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint behind the gate."""

        async def answer(request: Request) -> Response:
            try:
                return await self._answer(endpoint, request)
            except errors.Refusal as refusal:
                return answers.of_refusal(refusal)
            except answers.Instead as instead:
                return instead.response

        return answer

    async def _answer(self, endpoint: Endpoint, request: Request) -> Response:
        simulator = self._simulator
        call = Call(simulator=simulator, request=request, endpoint=endpoint, record=request.scope[RECORD_KEY])
        call.record.endpoint = endpoint.name
        call.session = simulator.sessions.find(request.cookies.get(AUTH_COOKIE))
        if call.session is not None:
            call.record.oid = call.session.oid
        if endpoint.is_paced:
            note_caller(simulator, request, call.record)
        elif call.session is not None:
            call.record.account = call.session.account
        if endpoint.is_json:
            call.body = await _json_body(request)
        if endpoint.access is Access.OPEN:
            self._recognise(call)
        self._note_what_it_is_about(call)
        await self._take_time(call)
        self._admit(call)
        if met := call.take(Moment.BEFORE):
            if met.kind == "delay":
                await asyncio.sleep(met.fault.seconds)
            elif replaced := effects.instead(met, simulator.connections):
                return replaced
        response = endpoint.handler(call)
        # What the handler refused never comes here: a fault that comes after waits for a call that succeeds.
        if met := call.take(Moment.AFTER):
            return await effects.spoiled(met, response, simulator.connections)
        return response

    def _recognise(self, call: Call) -> None:
        """Note whose login this is before it is checked, so that faults and the call log know it even when refused."""
        flow = self._simulator.login.flows.find(call.request.cookies.get(FLOW_COOKIE))
        account = self._simulator.accounts.find_by_login(str(call.body.get("login", "")))
        if account is not None:
            call.record.account = account.username
        elif flow is not None and call.record.account is None:
            call.record.account = flow.account

    def _note_what_it_is_about(self, call: Call) -> None:
        named = call.endpoint.about(call)
        if isinstance(named, str) and cadnum.looks_valid(named):
            call.record.cad_num = cadnum.key_of(named)

    async def _take_time(self, call: Call) -> None:
        nth = self._simulator.calls.count_alike(call.record)
        share = self._simulator.chance.share("latency", call.endpoint.name, call.record.account, nth)
        latency_s = self._simulator.settings.latency.at(share)
        if latency_s > 0:
            await asyncio.sleep(latency_s)

    def _admit(self, call: Call) -> None:
        endpoint, simulator = call.endpoint, self._simulator
        # Again after the body and the latency: the session may have ended meanwhile.
        call.session = simulator.sessions.find(call.session.token if call.session else None)
        if endpoint.access is not Access.OPEN and call.session is None:
            raise answers.Instead(
                answers.of_expired(simulator.settings.expired_answer, endpoint.name, origin=call.origin())
            )
        if endpoint.access is Access.ROLE and (call.session is None or call.session.oid is None):
            raise errors.Refusal(403, "Не выбрана роль пользователя")
        if call.session is not None:
            simulator.sessions.use(call.session)
        account = simulator.accounts.find(call.record.account or "")
        is_paced = call.session is not None if endpoint.is_paced else simulator.settings.limit_logins
        if is_paced and account is not None:
            simulator.pace.admit(account, call.record.started_monotonic_s)
        call.meeting = simulator.faults.meet(
            CallFacts(
                endpoint=endpoint.name,
                account=call.record.account,
                key=call.record.cad_num,
                mood=simulator.settings.mood if endpoint.is_paced else 0.0,
            )
        )


def note_caller(simulator: Simulator, request: Request, record: CallRecord) -> None:
    """Note whose call this is, also when its session is over or nothing is worked on: it counts all the same."""
    account = simulator.accounts.find(simulator.sessions.owner_of(request.cookies.get(AUTH_COOKIE)) or "")
    if account is not None:
        record.account = account.username
        simulator.conduct.begin(record, account)


async def _json_body(request: Request) -> Mapping[str, object]:
    media_type = request.headers.get("content-type", "").split(";", 1)[0].strip().lower()
    if media_type != "application/json":
        raise errors.Refusal(415, "Content type must be application/json")
    try:
        body = json.loads(await request.body())
    except ValueError as exc:
        raise errors.Refusal(400, "The body is not JSON") from exc
    if not isinstance(body, dict):
        raise errors.Refusal(400, "The body must be a JSON object")
    return body
