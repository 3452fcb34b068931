"""The control API over HTTP. Nobody is asked who he is: the simulator is a tool for tests, and listens on loopback.

A page that somebody has open in the browser must not turn knobs either: what comes from another site is refused.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from worker.simulator import answers, errors
from worker.simulator.control.asked import Asked
from worker.simulator.control.table import CALLS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from worker.simulator.control.asked import Action
    from worker.simulator.runtime import Simulator

PREFIX = "/_simulator"


def routes(simulator: Simulator) -> list[Route]:
    """The routes of one simulator."""
    return [Route(f"{PREFIX}{path}", _answering(simulator, action), methods=[method]) for method, path, action in CALLS]


def refuse_other_sites(request: Request) -> None:
    """Let a browser's page of this address in, and whatever is no browser.

    Raises:
        Refusal: 403.
    """
    origin = request.headers.get("origin")
    is_own = origin is None or origin == f"{request.url.scheme}://{request.url.netloc}"
    if not is_own or request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise errors.Refusal(403, "This call comes from a page of another site.")


def _answering(simulator: Simulator, action: Action) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            refuse_other_sites(request)
            path = {name: str(value) for name, value in request.path_params.items()}
            asked = Asked(simulator=simulator, body=await _body(request), query=dict(request.query_params), path=path)
            told = action(asked)
        except errors.Refusal as refusal:
            return answers.of_refusal(refusal)
        return JSONResponse(told.body, status_code=told.status)

    return answer


async def _body(request: Request) -> Mapping[str, object]:
    raw = await request.body()
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError as exc:
        raise errors.Refusal(400, "The body is not JSON.") from exc
    if not isinstance(body, dict):
        raise errors.Refusal(400, "The body must be a JSON object.")
    return body
