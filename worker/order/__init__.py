"""One order in the worker's hand: found, registered, paid for, settled from the list, and collected."""
