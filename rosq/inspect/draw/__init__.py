"""Views as screens for people."""
