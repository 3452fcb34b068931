"""This worker's account: opened with its name held, logged in when needed, and watched while it stands by."""
