"""Faults: what there is, what a test orders, which call meets one, and what the call then looks like."""
