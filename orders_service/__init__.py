"""The orders service: orders, accounts and extracts in PostgreSQL, offered by gRPC."""
