"""Where the bytes of papers lie: in PostgreSQL by default, in a folder or an S3-like store by a setting; by content.

A row of `extracts` says where its bytes are (`place`): a change of the setting is about new papers alone, and `move`
brings the others after it. NULL: they aren't there, not yet, or not any more.
"""

from orders_service.store.extracts.files import PIECE_BYTES, BytesMissing, StoredFile, keep, prepare, read
from orders_service.store.extracts.places import DATABASE, PlaceInvalid, check_place, open_place

__all__ = [
    "DATABASE",
    "PIECE_BYTES",
    "BytesMissing",
    "PlaceInvalid",
    "StoredFile",
    "check_place",
    "keep",
    "open_place",
    "prepare",
    "read",
]
