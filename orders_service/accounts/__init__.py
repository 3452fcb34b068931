"""Accounts of the portal, from the operator's side. A password is sealed here before anything else happens to it."""
