"""PostgreSQL: the connections to it, its schema, the statements, and whether the server may be trusted."""
