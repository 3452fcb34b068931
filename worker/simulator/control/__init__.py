"""What only a simulator has, under `/_simulator`: the ledger, the log of calls, and the strings that a test pulls."""
