"""The ESIA's login: what it asks an account for, step by step, until the way back to the portal is open."""
