"""A local stand-in for the portal, written from its facts alone."""
