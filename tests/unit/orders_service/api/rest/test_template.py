"""Paths of the contract, held against paths of requests."""

from __future__ import annotations

import pytest

from orders_service.api.rest.template import Template


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("/v1/orders", "/v1/orders", {}),
        ("/v1/orders", "/v1/orders/", None),
        ("/v1/orders", "/v1/ordersx", None),
        ("/v1/orders/{order_id}", "/v1/orders/7", {"order_id": "7"}),
        ("/v1/orders/{order_id}", "/v1/orders/", None),
        ("/v1/orders/{order_id}", "/v1/orders/7/events", None),
        ("/v1/orders/{order_id}", "/v1/orders/a%2Fb%20c", {"order_id": "a/b c"}),
        ("/v1/orders/{order_id}", "/v1/orders/%D0%B6", {"order_id": "ж"}),
        ("/v1/orders/{order_id}", "/v1/orders/a:b", {"order_id": "a:b"}),
        ("/v1/orders/{order_id}:cancel", "/v1/orders/7:cancel", {"order_id": "7"}),
        ("/v1/orders/{order_id}:cancel", "/v1/orders/7:retry", None),
        ("/v1/orders:check", "/v1/orders:check", {}),
        ("/v1/orders.x", "/v1/ordersyx", None),
        ("/v1/{basis.order_id}/case/{row}", "/v1/7/case/8", {"basis.order_id": "7", "row": "8"}),
    ],
)
def test_a_path_is_matched_whole_and_its_variables_are_decoded(
    template: str, path: str, values: dict[str, str] | None
) -> None:
    assert Template.parse(template).match(path) == values
    assert Template.parse(template).matches(path) is (values is not None)


def test_a_variable_that_is_not_utf_8_is_an_error() -> None:
    with pytest.raises(UnicodeDecodeError):
        Template.parse("/{x}").match("/%ff")


@pytest.mark.parametrize("text", ["v1", "/v1/*", "/v1/{name=orders/*}", "/v1/**", "/v1/{X}", "/{", "/{}"])
def test_a_template_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="plain segments"):
        Template.parse(text)


def test_the_more_special_template_comes_first() -> None:
    texts = ["/v1/{a}/{b}", "/v1/{a}", "/v1/orders", "/v1/{a}:cancel", "/v1/{a}/case"]

    ordered = sorted(map(Template.parse, texts), key=lambda template: template.rank)

    assert [template.text for template in ordered] == [
        "/v1/orders",
        "/v1/{a}:cancel",
        "/v1/{a}/case",
        "/v1/{a}",
        "/v1/{a}/{b}",
    ]
    assert Template.parse("/v1/{a}").shape == Template.parse("/v1/{other}").shape
