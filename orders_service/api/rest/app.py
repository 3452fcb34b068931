"""The application: every binding of the contract, the pages beside it, and `Front` around all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orders_service.api.rest.bindings import read_bindings
from orders_service.api.rest.file import FileEndpoint, is_file
from orders_service.api.rest.front import Front
from orders_service.api.rest.pages import DocsEndpoint, HealthEndpoint, OpenApiEndpoint
from orders_service.api.rest.routing import Routes
from orders_service.api.rest.rpc import Desk, UnaryEndpoint
from orders_service.api.rest.watch import WatchEndpoint, is_watch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from google.protobuf.descriptor import ServiceDescriptor
    from starlette.types import ASGIApp

    from orders_service.api.health import Readiness
    from orders_service.api.rest.calls import Calls
    from orders_service.api.rest.routing import Endpoint


def build(services: Iterable[ServiceDescriptor], calls: Calls, readiness: Readiness, *, is_local: bool) -> ASGIApp:
    """Make the application that offers these services.

    Raises:
        ValueError: A rule of the contract can't be served as it is written.
    """
    return Front(Routes([*_calls(services, Desk(calls)), *_pages(readiness)]), is_local=is_local)


def _calls(services: Iterable[ServiceDescriptor], desk: Desk) -> Iterator[tuple[str, str, Endpoint]]:
    for binding in read_bindings(services):
        if not binding.is_stream:
            yield binding.verb, binding.template.text, UnaryEndpoint(desk, binding)
        elif is_file(binding):
            yield binding.verb, binding.template.text, FileEndpoint(desk, binding)
        elif is_watch(binding):
            yield binding.verb, binding.template.text, WatchEndpoint(desk, binding)
        else:
            raise ValueError(f"{binding.method.full_name} answers with a stream that has no form in HTTP.")


def _pages(readiness: Readiness) -> Iterator[tuple[str, str, Endpoint]]:
    yield "GET", "/healthz", HealthEndpoint(readiness, asks_for_work=False)
    yield "GET", "/readyz", HealthEndpoint(readiness, asks_for_work=True)
    yield "GET", "/openapi.json", OpenApiEndpoint()
    yield "GET", "/docs", DocsEndpoint()
    yield "GET", "/docs/{file}", DocsEndpoint()
