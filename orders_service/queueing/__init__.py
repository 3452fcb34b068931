"""Between PostgreSQL and the queue: what the orders say should be queued, and what the queue made of it."""
