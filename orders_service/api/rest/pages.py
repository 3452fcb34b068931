"""What is answered beside the contract's calls: health, the OpenAPI document, and a page to read and try it."""

from __future__ import annotations

import functools
import importlib.resources
from typing import TYPE_CHECKING, Final

from starlette.responses import RedirectResponse, Response

from orders_service.api.rest import problem
from orders_service.api.rest.routing import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from orders_service.api.health import Readiness

#: Written by `make openapi`.
OPENAPI: Final = "openapi/openapi.json"
#: The page's files. Nothing of it comes from another host.
_PAGE: Final = {"index.html": "text/html", "page.js": "text/javascript", "page.css": "text/css"}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class HealthEndpoint:
    """Says whether the process lives, or whether it can do its work."""

    kind = Kind.PAGE

    def __init__(self, readiness: Readiness, *, asks_for_work: bool) -> None:
        self._readiness = readiness
        self._asks_for_work = asks_for_work

    async def answer(self, request: Request, path: Mapping[str, str]) -> Response:
        """200, or 503 with what is in the way."""
        trouble = self._readiness.trouble if self._asks_for_work else None
        content = {"status": "ok"} if trouble is None else {"status": "unavailable", "detail": trouble}
        return Response(
            problem.to_json(content),
            200 if trouble is None else 503,
            headers={"cache-control": "no-store"},
            media_type="application/json",
        )


class OpenApiEndpoint:
    """The OpenAPI document."""

    kind = Kind.PAGE

    async def answer(self, request: Request, path: Mapping[str, str]) -> Response:
        """The document as it was generated from the contract."""
        return Response(_read_own(OPENAPI), media_type="application/json", headers={"cache-control": "no-cache"})


class DocsEndpoint:
    """The page to read and try the calls."""

    kind = Kind.PAGE

    async def answer(self, request: Request, path: Mapping[str, str]) -> Response:
        """The page, or a file that it needs."""
        name = path.get("file", "")
        headers = {"cache-control": "no-cache", "content-security-policy": _POLICY}
        if not path:
            return RedirectResponse("docs/index.html", 307)
        if name in _PAGE:
            return Response(_read_own(f"page/{name}"), media_type=_PAGE[name], headers=headers)
        raise problem.Problem(404, "There is nothing at this path: see /docs.", code="NOT_FOUND")


@functools.cache
def _read_own(name: str) -> bytes:
    return importlib.resources.files("orders_service.api.rest").joinpath(name).read_bytes()
