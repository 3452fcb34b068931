"""The orders service on real servers."""
