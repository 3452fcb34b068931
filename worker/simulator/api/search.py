"""The two searches: one for ordering, one with the whole card. They name the same things differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from worker.simulator import cadnum, errors
from worker.simulator.clock import epoch_ms
from worker.simulator.gate import Call, Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from worker.simulator.objects import PropertyObject


def _search(call: Call) -> Response:
    return _answer(call, _element)


def _card(call: Call) -> Response:
    return _answer(call, _card_element)


def _answer(call: Call, printed: Callable[[PropertyObject], dict[str, object]]) -> Response:
    objects = call.simulator.objects
    asked = _asked(call)
    found = [known for known in (objects.find(cad_num) for cad_num in asked) if known is not None]
    shape = call.take_shape()
    if shape == "missing_elements":
        return JSONResponse({"timestamp": epoch_ms(call.simulator.clock.now())})
    if shape == "not_found":
        found = []
    elements = [printed(known) for known in found]
    if shape == "annulled":
        elements = [{**element, "status": "0", "cancelDate": 1_400_000_000_000} for element in elements]
    if shape in ("several_objects", "other_object"):
        others = [printed(neighbour) for known in found if (neighbour := objects.find(_next(known.cad_num)))]
        elements = [*elements, *others] if shape == "several_objects" else others
    return JSONResponse({"elements": elements, "count": len(elements)})


def _asked(call: Call) -> list[str]:
    if call.body.get("filterType") != "cadastral":
        raise errors.Refusal(400, 'filterType must be "cadastral"', field="filterType")
    asked = call.body.get("cadNumbers")
    if not isinstance(asked, list) or not asked or not all(isinstance(cad_num, str) for cad_num in asked):
        raise errors.Refusal(400, "cadNumbers must be a list of strings that isn't empty", field="cadNumbers")
    return asked


def _next(cad_num: str) -> str:
    quarter, number = cad_num.rsplit(":", 1)
    return f"{quarter}:{int(number) + 1}"


def _main_characters(found: PropertyObject) -> list[dict[str, object]]:
    main = found.characteristic
    if main is None:
        return []
    return [
        {
            "code": main.code,
            "description": main.title,
            "value": float(main.value),
            "unitCode": main.unit_code,
            "unitDescription": main.unit_title,
        }
    ]


def _element(found: PropertyObject) -> dict[str, object]:
    element: dict[str, object] = {
        "objectType": found.kind.code,
        "cadastralNumber": found.cad_num,
        "address": found.address,
        "cadPrice": float(found.price),
        "cadPriceDate": epoch_ms(found.registered_at),
        "regDate": epoch_ms(found.registered_at),
    }
    if main := _main_characters(found):
        element["mainCharacters"] = main
    return element


def _card_element(found: PropertyObject) -> dict[str, object]:
    main = found.characteristic
    return {
        "cadNumber": found.cad_num,
        "cadQuarter": cadnum.quarter_of(found.cad_num),
        "objType": found.kind.code,
        "status": "0" if found.is_annulled else "1",
        "area": str(main.value) if main is not None and main.is_area else None,
        "address": {"readableAddress": found.address, "region": cadnum.district_of(found.cad_num)},
        "mainCharacters": _main_characters(found),
        "regDate": epoch_ms(found.registered_at),
        "cancelDate": epoch_ms(found.registered_at) + 86_400_000 if found.is_annulled else None,
        "infoUpdateDate": epoch_ms(found.registered_at) + 86_400_000,
        "cadCost": f"{found.price:.2f}",
        "cadCostDate": epoch_ms(found.registered_at),
        "rights": [],
        "encumbrances": [],
        "oldNumbers": [],
    }


def _about(call: Call) -> object:
    asked = call.body.get("cadNumbers")
    return asked[0] if isinstance(asked, list) and asked else None


ENDPOINTS = (
    Endpoint(
        name="search",
        method="POST",
        path="/account-back/on/with-addresses",
        handler=_search,
        is_json=True,
        about=_about,
    ),
    Endpoint(name="card", method="POST", path="/account-back/on", handler=_card, is_json=True, about=_about),
)
