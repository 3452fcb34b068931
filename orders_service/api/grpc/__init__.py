"""The contracts of `proto/`, answered: each servicer turns messages into calls of use cases and back, no more."""
