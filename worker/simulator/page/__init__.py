"""The simulator in the browser: accounts, applications, ledger, calls, faults and settings, drawn by the server."""
