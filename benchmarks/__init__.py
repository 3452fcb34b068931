"""What rosq costs beside the least possible and beside other queues, on one server. `python -m benchmarks --help`."""
