"""Whose session it is: what an account logs in with, the login by password, and the session that comes of it."""
