"""One worker: one account of the portal, one order at a time."""
