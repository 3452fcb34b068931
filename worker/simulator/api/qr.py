"""Logging in by QR: `generate` makes a code, `subscribe` waits until somebody scanned it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from worker.simulator import errors
from worker.simulator.gate import Access, Call, Endpoint
from worker.simulator.login.qr import EXPIRED

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from worker.simulator.login.qr import QrCode
    from worker.simulator.runtime import Simulator


def _generate(call: Call) -> Response:
    if not isinstance(call.body.get("esia_session"), str) or not call.body["esia_session"]:
        raise errors.Refusal(400, "esia_session must be a string that isn't empty", field="esia_session")
    code = call.simulator.login.desk.make()
    return JSONResponse({"signed_token": code.signed_token, "qr_id": code.qr_id})


def _subscribe(call: Call) -> Response:
    code = call.simulator.login.desk.find(call.request.path_params["qr_id"])
    if code is None:
        raise errors.Refusal(404, "QR-код не найден")
    return _Waiting(call.simulator, code, call.origin())


class _Waiting(Response):
    """Server-sent events: nothing at all, not even headers, before the one event that ends it."""

    def __init__(self, simulator: Simulator, code: QrCode, origin: str) -> None:
        super().__init__()
        self._simulator = simulator
        self._code = code
        self._origin = origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for the scan, or for the end of the code's time."""
        login, code = self._simulator.login, self._code
        try:
            await asyncio.wait_for(code.is_over.wait(), timeout=max(0.0, login.desk.left_s(code)))
        except TimeoutError:
            login.desk.scan(code, None)
        login.desk.forget(code)
        if code.account is None:
            name, data = "qr-error", {"code": EXPIRED, "message": "QR-код недействителен"}
        else:
            back = login.flows.await_return(code.account)
            url = f"{self._origin}/account-back/auth/process?code={back}"
            name, data = "qr-auth-confirmed", {"action": "DONE", "redirect_url": url}
        body = f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


ENDPOINTS = (
    Endpoint(
        name="qr_generate",
        method="POST",
        path="/qr-delegate/qr/generate",
        handler=_generate,
        access=Access.OPEN,
        is_json=True,
        is_paced=False,
    ),
    Endpoint(
        name="qr_subscribe",
        method="GET",
        path="/qr-delegate/qr/subscribe/{qr_id}",
        handler=_subscribe,
        access=Access.OPEN,
        is_paced=False,
    ),
)
