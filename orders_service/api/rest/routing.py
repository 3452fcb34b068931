"""Which endpoint answers: by path, then by method; and how many requests may be under way at once."""

from __future__ import annotations

import contextlib
import enum
from typing import TYPE_CHECKING, Final, Protocol

import grpc
from starlette.requests import Request
from starlette.responses import Response

from orders_service.api.rest import problem
from orders_service.api.rest.problem import Problem
from orders_service.api.rest.template import Template

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from starlette.types import Receive, Scope, Send

#: Under way at once; more are told to come again. Streams last, so they have a number of their own. Both together are
#: fewer than there may be connections: pages are always answered, and whoever asks after the service's health.
MAX_REQUESTS: Final = 200
MAX_STREAMS: Final = 600


class Kind(enum.Enum):
    """What an endpoint takes of the service."""

    #: Calls the service, and is over with its answer.
    CALL = "call"
    #: Lasts as long as the caller listens.
    STREAM = "stream"
    #: Lies there already.
    PAGE = "page"


class Endpoint(Protocol):
    """Answers the requests of one method on one path."""

    @property
    def kind(self) -> Kind:
        """What it takes of the service."""

    async def answer(self, request: Request, path: Mapping[str, str]) -> Response:
        """Answer one request; `path` has the template's variables, decoded."""


class Routes:
    """The application behind `Front`.

    Args:
        endpoints: Method, template and endpoint of each.
    """

    def __init__(self, endpoints: Iterable[tuple[str, str, Endpoint]]) -> None:
        self._by_shape: dict[str, list[tuple[str, Template, Endpoint]]] = {}
        for verb, text, endpoint in endpoints:
            template = Template.parse(text)
            self._by_shape.setdefault(template.shape, []).append((verb, template, endpoint))
        # The more special path first: a verb before the variable that would take it for its own end.
        self._ordered = sorted(self._by_shape.values(), key=lambda group: group[0][1].rank)
        self._places = {Kind.CALL: _Places(MAX_REQUESTS), Kind.STREAM: _Places(MAX_STREAMS)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            Problem: No such path, another method, or too many at once.
        """
        request = Request(scope, receive)
        group = self._find(scope)
        allowed = sorted({verb for verb, _, _ in group} | ({"HEAD"} if any(g[0] == "GET" for g in group) else set()))
        wanted = "GET" if request.method == "HEAD" else request.method
        for verb, template, endpoint in group:
            if verb == wanted:
                with self._places[endpoint.kind].taken() if endpoint.kind in self._places else contextlib.nullcontext():
                    response = await endpoint.answer(request, _values(template, scope))
                    await response(scope, receive, send)
                return
        headers = {"allow": ", ".join([*allowed, "OPTIONS"])}
        if request.method == "OPTIONS":
            await Response(status_code=204, headers=headers)(scope, receive, send)
            return
        detail = f"{request.method[:20]} isn't for this path: use {' or '.join(allowed)}."
        raise Problem(405, detail, headers=headers, code="UNIMPLEMENTED")

    def _find(self, scope: Scope) -> list[tuple[str, Template, Endpoint]]:
        raw = _raw_path(scope)
        for group in self._ordered:
            if group[0][1].matches(raw):
                return group
        raise problem.of_code(grpc.StatusCode.NOT_FOUND, "There is nothing at this path: see /docs.")


class _Places:
    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        if self._taken >= self._most:
            raise problem.of_code(
                grpc.StatusCode.UNAVAILABLE, "Too many requests are under way: nothing was done. Come again."
            )
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


def _raw_path(scope: Scope) -> str:
    return bytes(scope["raw_path"]).decode("ascii")


def _values(template: Template, scope: Scope) -> dict[str, str]:
    try:
        values = template.match(_raw_path(scope))
    except UnicodeDecodeError as error:
        raise problem.of_code(
            grpc.StatusCode.INVALID_ARGUMENT, "The path isn't UTF-8 behind its percent signs."
        ) from error
    assert values is not None, "a group has one shape"
    return values
