"""A job queue on Redis Streams."""
