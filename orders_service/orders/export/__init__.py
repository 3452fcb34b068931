"""Orders and what their extracts say as a table for people: XLSX or CSV, made page by page, formulas defused."""

from orders_service.orders.export.exporting import MAX_ORDERS, Export, ExportFormat, export_orders

__all__ = ["MAX_ORDERS", "Export", "ExportFormat", "export_orders"]
