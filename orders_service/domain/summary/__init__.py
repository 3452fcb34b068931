"""What an extract says, in short: the object, who has which right to it, what burdens it, and the paper's own dates.

    read_summary(zip_file)  ->  ExtractSummary
    ExtractSummary.as_json(), ExtractSummary.from_json()   as it is kept with the order

Pure. The extract's ZIP stays what counts; the summary is for lists, search and tables.
"""

from orders_service.domain.summary.archive import SummaryUnreadable, read_summary
from orders_service.domain.summary.model import (
    Characteristic,
    Encumbrance,
    ExtractSummary,
    Holder,
    HoldersAnswer,
    OldNumber,
    RealEstate,
    Right,
)

__all__ = [
    "Characteristic",
    "Encumbrance",
    "ExtractSummary",
    "Holder",
    "HoldersAnswer",
    "OldNumber",
    "RealEstate",
    "Right",
    "SummaryUnreadable",
    "read_summary",
]
