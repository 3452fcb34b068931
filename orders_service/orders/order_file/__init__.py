"""A table of orders as people keep it: CSV of any Excel, or XLSX. Read, told with every bad row, and never guessed at.

    read_order_file(content, "orders.xlsx")  ->  OrderFile(rows, bad_rows, preview)

Pure: bytes in, orders out; no service, no database.
"""

from orders_service.orders.order_file.keys import KEY_PREFIX, derive_keys
from orders_service.orders.order_file.reading import OrderFile, Preview, read_order_file
from orders_service.orders.order_file.rows import BadRow, OrderRow
from orders_service.orders.order_file.tables import MAX_FILE_BYTES, FileUnreadable

__all__ = [
    "KEY_PREFIX",
    "MAX_FILE_BYTES",
    "BadRow",
    "FileUnreadable",
    "OrderFile",
    "OrderRow",
    "Preview",
    "derive_keys",
    "read_order_file",
]
