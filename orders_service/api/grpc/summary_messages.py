"""From the summary of an extract to messages of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orders_service.api.grpc.words import Words
from orders_service.v1 import orders_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orders_service.domain.summary import Encumbrance, ExtractSummary, Holder, RealEstate, Right

ANSWERS: Final = Words(v1.HoldersAnswer, "answer about holders")
EXPORT_FORMATS: Final = Words(v1.ExportFormat, "kind of table")


def summary_message(summary: ExtractSummary) -> v1.ExtractSummary:
    """Return what an extract says."""
    return v1.ExtractSummary(
        form=summary.form,
        number=summary.number,
        formed_on=summary.formed_on,
        requested_on=summary.requested_on,
        issuer=summary.issuer,
        real_estate=_real_estate(summary.real_estate),
        answer=ANSWERS.value(summary.answer),
        rights=map(_right, summary.rights),
        more_rights=summary.more_rights,
        encumbrances=map(_encumbrance, summary.encumbrances),
        more_encumbrances=summary.more_encumbrances,
    )


def _real_estate(estate: RealEstate) -> v1.RealEstate:
    return v1.RealEstate(
        cad_num=estate.cad_num,
        quarter=estate.quarter,
        kind_code=estate.kind_code,
        kind=estate.kind,
        subtype=estate.subtype,
        name=estate.name,
        purpose=estate.purpose,
        address=estate.address,
        area=estate.area,
        area_inaccuracy=estate.area_inaccuracy,
        characteristics=[
            v1.Characteristic(kind=one.kind, value=one.value, unit=one.unit) for one in estate.characteristics
        ],
        floor=estate.floor,
        floors=estate.floors,
        underground_floors=estate.underground_floors,
        year_built=estate.year_built,
        category=estate.category,
        permitted_uses=estate.permitted_uses,
        cost=estate.cost,
        registered_on=estate.registered_on,
        status=estate.status,
        parent_cad_nums=estate.parent_cad_nums,
        land_cad_nums=estate.land_cad_nums,
        old_numbers=[v1.OldNumber(kind=old.kind, number=old.number) for old in estate.old_numbers],
        notes=estate.notes,
    )


def _right(right: Right) -> v1.RegisteredRight:
    return v1.RegisteredRight(
        kind_code=right.kind_code,
        kind=right.kind,
        number=right.number,
        registered_on=right.registered_on,
        ended_on=right.ended_on,
        share=right.share,
        answer=ANSWERS.value(right.answer),
        holders=_holders(right.holders),
        more_holders=right.more_holders,
    )


def _encumbrance(burden: Encumbrance) -> v1.Encumbrance:
    return v1.Encumbrance(
        kind_code=burden.kind_code,
        kind=burden.kind,
        number=burden.number,
        registered_on=burden.registered_on,
        period=burden.period,
        right_numbers=burden.right_numbers,
        holders=_holders(burden.holders),
        more_holders=burden.more_holders,
    )


def _holders(holders: Iterable[Holder]) -> list[v1.Holder]:
    return [v1.Holder(kind=one.kind, name=one.name, inn=one.inn, ogrn=one.ogrn) for one in holders]
